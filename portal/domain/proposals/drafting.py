"""Drafting a proposal: its details and lines, and copies of it. Possible until it is accepted, lost or completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.db import db
from portal.domain import activity, library, money
from portal.domain.activity import Activity, Actor, Verb
from portal.domain.clients import Client
from portal.domain.library.models import BillingType, CadenceUnit, PriceType, Service
from portal.domain.proposals import job_settings
from portal.domain.proposals.content import content_of, mark_of
from portal.domain.proposals.figures import figure
from portal.domain.proposals.models import Proposal, ProposalLine, ProposalState, Starts

OPEN_FOR = timedelta(days=30)  # unless somebody says another last day
MOST_LINES = 100
MOST_OPTIONS = 4
FIELDS = {
    "name": "Name", "message": "Message", "terms": "Terms", "starts_on": "Start", "expires_on": "Last day",
    "grouping": "Billing group", "options": "Packages", "discount": "Discount", "jobs": "Jobs",
}  # fmt: skip
LINE_FIELDS = (
    "name", "description", "quantity", "unit", "price", "price_to", "price_type", "discount", "discount_is_percent",
    "tax_rate_id", "billing_type", "deposit", "every", "cadence", "starts", "starts_on", "delay", "periods", "option",
    "is_optional", "is_taken", "facts",
)  # fmt: skip
CHANGEABLE = (ProposalState.DRAFT, ProposalState.AWAITING)


class Frozen(Exception):
    """The proposal can be changed no more: it was accepted, or given up (PR-03); the text says which."""


class StaleProposal(Exception):
    """Somebody else changed the proposal since the form was opened."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(f"{proposal.name} was changed meanwhile")
        self.proposal = proposal


def get(proposal_id: int, *, lock: bool = False) -> Proposal | None:
    """With its lines and client. `lock` holds its row until the transaction ends, and reads it anew."""
    query = select(Proposal).where(Proposal.id == proposal_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    else:
        query = query.options(
            selectinload(Proposal.lines).joinedload(ProposalLine.tax_rate), joinedload(Proposal.client)
        )
    return db.session.scalar(query)


def label(proposal: Proposal) -> str:
    """'PROP-7', as it stands on invoices too."""
    return f"PROP-{proposal.number}"


def draft(
    client: Client, name: str, *, by: Actor, now: datetime, currency: str, expires_on: date | None = None, **fields: Any
) -> Proposal:
    """A new draft without lines; further fields as in `FIELDS`."""
    proposal = Proposal(
        number=_next_number(), client_id=client.id, name=name, currency=currency, expires_on=expires_on,
        created_by_id=by.user_id, created_at=now, changed_at=now, state=ProposalState.DRAFT,
    )  # fmt: skip
    for field, value in fields.items():
        _check_field(field)
        setattr(proposal, field, value)
    proposal.client = client
    proposal.lines = []
    db.session.add(proposal)
    db.session.flush()
    _record(Verb.PROPOSAL_CREATED, proposal, by, now)
    return proposal


def edit(
    proposal: Proposal, values: Mapping[str, Any], *, by: Actor, now: datetime, expected_version: int | None = None
) -> list[str]:
    """Change details; gives the labels of what changed. Raises `Frozen` and `StaleProposal`."""
    changeable(proposal)
    if expected_version is not None and proposal.version != expected_version:
        raise StaleProposal(proposal)
    changes = []
    for field, value in values.items():
        _check_field(field)
        old = getattr(proposal, field)
        if old != value:
            told = {"old": _told(field, old), "new": _told(field, value)}
            changes.append({"field": field, "label": FIELDS[field], **told})
            setattr(proposal, field, value)
    if not changes:
        return []
    if any(change["field"] == "options" for change in changes):
        _keep_lines_in(proposal)
    _touch(proposal, now)
    _record(Verb.PROPOSAL_CHANGED, proposal, by, now, what=activity.field_names(changes), changes=changes)
    return [change["label"] for change in changes]


def add_line(
    proposal: Proposal, service: Service | None = None, *, by: Actor, now: datetime, **facts: Any
) -> ProposalLine:
    """Offer one more thing: a service of the library, copied, with `facts` in place of what the library says.

    Raises `Frozen`, `library.BadService`, and ValueError for more lines than a proposal can have. After either the
    transaction is of no use any more.
    """
    changeable(proposal)
    if len(proposal.lines) >= MOST_LINES:
        raise ValueError("a proposal has at most a hundred lines")
    line = ProposalLine(**_defaults(proposal), **(copied(service) if service else {}))
    _set(line, facts)
    proposal.lines.append(line)
    _touch(proposal, now)
    db.session.flush()
    _check_amounts(line)
    _record(Verb.PROPOSAL_CHANGED, proposal, by, now, what=f"{line.name} added")
    return line


def edit_line(
    line: ProposalLine, facts: Mapping[str, Any], *, by: Actor, now: datetime, expected_mark: str | None = None
) -> bool:
    """Change a line. False when nothing was. `expected_mark`: what `mark_of` gave when the line was shown.

    Raises `Frozen`, `StaleProposal`, `library.BadService`.
    """
    changeable(line.proposal)
    if expected_mark is not None and expected_mark != mark_of(line):
        raise StaleProposal(line.proposal)
    if all(getattr(line, field) == value for field, value in facts.items()):
        return False
    _set(line, facts)
    _check_amounts(line)
    _touch(line.proposal, now)
    _record(Verb.PROPOSAL_CHANGED, line.proposal, by, now, what=f"{line.name}")
    return True


def remove_line(line: ProposalLine, *, by: Actor, now: datetime) -> int:
    """Gives the entry of the log that keeps the line, for `put_back`. Raises `Frozen`."""
    proposal = line.proposal
    changeable(proposal)
    held = {"position": line.position, "service_id": line.service_id}
    held |= {field: _plain(getattr(line, field)) for field in LINE_FIELDS}
    proposal.lines.remove(line)
    _number_lines(proposal)
    _touch(proposal, now)
    entry = _record(Verb.PROPOSAL_CHANGED, proposal, by, now, what=f"{line.name} taken out", line=held)
    db.session.flush()
    return entry.id


def put_back(proposal: Proposal, entry_id: int, *, by: Actor, now: datetime) -> ProposalLine | None:
    """Take a removal back: the line stands again where it stood, as it was. None when it does already, or never did.

    Raises `Frozen`.
    """
    changeable(proposal)
    entry = db.session.get(Activity, entry_id)
    if entry is None or entry.proposal_id != proposal.id or "line" not in entry.facts:
        return None
    since = select(Activity).where(Activity.proposal_id == proposal.id, Activity.id > entry_id)
    if any(one.facts.get("puts_back") == entry_id for one in db.session.scalars(since)):
        return None
    held = {name: READ.get(name, _as_it_is)(value) for name, value in entry.facts["line"].items()}
    line = ProposalLine(**held)
    if line.option is not None and line.option > len(proposal.options):
        line.option = None
    line.tax_rate = library.tax_rate(line.tax_rate_id) if line.tax_rate_id else None
    proposal.lines.insert(line.position, line)
    _number_lines(proposal)
    _touch(proposal, now)
    db.session.flush()
    _record(Verb.PROPOSAL_CHANGED, proposal, by, now, what=f"{line.name} put back", puts_back=entry_id)
    return line


def move_line(line: ProposalLine, places: int, *, now: datetime) -> bool:
    """Up (-1) or down (1) in the order shown. False at the end. Raises `Frozen`."""
    proposal = line.proposal
    changeable(proposal)
    order = list(proposal.lines)
    here = order.index(line)
    there = here + places
    if not 0 <= there < len(order):
        return False
    order[here], order[there] = order[there], order[here]
    for place, one in enumerate(order):
        one.position = place
    db.session.flush()
    db.session.expire(proposal, ["lines"])
    _touch(proposal, now)
    return True


def line_of(proposal: Proposal, line_id: int) -> ProposalLine | None:
    return next((line for line in proposal.lines if line.id == line_id), None)


def duplicate(proposal: Proposal, client: Client, *, by: Actor, now: datetime, today: date) -> Proposal:
    """A draft with the same content, for the same client or another; nothing of what happened comes along."""
    copy = Proposal(
        number=_next_number(), client_id=client.id, name=proposal.name, message=proposal.message, terms=proposal.terms,
        currency=proposal.currency, grouping=proposal.grouping, options=list(proposal.options),
        discount=proposal.discount, jobs=dict(proposal.jobs),
        expires_on=today + OPEN_FOR if proposal.expires_on else None,
        created_by_id=by.user_id, created_at=now, changed_at=now, state=ProposalState.DRAFT,
    )  # fmt: skip
    copy.client = client
    copy.lines = [
        ProposalLine(
            position=line.position, service_id=line.service_id,
            **{field: getattr(line, field) for field in LINE_FIELDS},
        )
        for line in proposal.lines
    ]  # fmt: skip
    db.session.add(copy)
    db.session.flush()
    _record(Verb.PROPOSAL_DUPLICATED, copy, by, now, other=label(proposal))
    return copy


def copied(service: Service) -> dict[str, Any]:
    """What a proposal line takes over from a service of the library, to keep."""
    return {
        "service_id": service.id, "name": service.name, "description": service.description, "unit": service.unit,
        "price_type": service.price_type, "price": service.price, "price_to": service.price_to,
        "tax_rate_id": service.tax_rate_id, "tax_rate": service.tax_rate, "billing_type": service.billing_type,
        "deposit": service.deposit, "every": service.every, "cadence": service.cadence,
        "facts": {"jobs": service.jobs} if service.jobs else {},
    }  # fmt: skip


def changeable(proposal: Proposal) -> None:
    """Raises `Frozen` once the proposal was accepted, completed or lost."""
    if proposal.state not in CHANGEABLE:
        word = "given up" if proposal.state == ProposalState.LOST else "accepted"
        raise Frozen(f"{label(proposal)} was {word} and can be changed no more. Duplicate it and change the copy.")


def _next_number() -> int:
    from portal.domain import invoices  # it imports this package

    return invoices.take_next("proposal")


def _defaults(proposal: Proposal) -> dict[str, Any]:
    return {
        "position": len(proposal.lines), "quantity": Decimal(1), "discount": Decimal(0), "discount_is_percent": False,
        "is_optional": False, "is_taken": True, "delay": 0,
    }  # fmt: skip


def _set(line: ProposalLine, facts: Mapping[str, Any]) -> None:
    for field, value in facts.items():
        if field not in LINE_FIELDS:
            raise ValueError(f"{field} is not a field of a proposal line")
        setattr(line, field, value)
    if "tax_rate_id" in facts:
        line.tax_rate = library.tax_rate(line.tax_rate_id) if line.tax_rate_id else None
    line.billing_type = line.billing_type or BillingType.ON_ACCEPTANCE
    held = {field: getattr(line, field) for field in ("name", "price", "price_to", "billing_type", "deposit")}
    library.check_price(held | {"price_type": line.price_type or library.PriceType.FIXED, "every": line.every or 1})


def _check_amounts(line: ProposalLine) -> None:
    """Raises `library.BadService` for what could not be billed later."""
    whole = Decimal(100) if line.discount_is_percent else line.quantity * line.price
    if line.discount > whole and line.price_type != PriceType.INCLUDED:
        raise library.BadService("discount", "The discount is more than the line comes to.")
    content = content_of(line.proposal, "")
    try:
        figure(next(one for one in content["lines"] if one["id"] == line.id), content)
    except money.NotAllowed as problem:
        raise library.BadService("discount", str(problem)) from problem
    except ValueError as problem:
        raise library.BadService("deposit", "The deposit is more than the line comes to.") from problem


def _keep_lines_in(proposal: Proposal) -> None:
    """Lines of a package that is no more are in every package from now on."""
    for line in proposal.lines:
        if line.option is not None and line.option > len(proposal.options):
            line.option = None


def _number_lines(proposal: Proposal) -> None:
    for place, line in enumerate(proposal.lines):
        line.position = place


def _touch(proposal: Proposal, now: datetime) -> None:
    proposal.changed_at = now
    proposal.version += 1


def _check_field(field: str) -> None:
    if field not in FIELDS:
        raise ValueError(f"{field} is not a field of a proposal")


def _record(verb: Verb, proposal: Proposal, by: Actor, now: datetime, **facts: Any) -> Activity:
    changes = facts.pop("changes", None)
    return activity.record(
        verb, by=by, now=now, client_id=proposal.client_id, proposal_id=proposal.id, changes=changes,
        proposal=label(proposal), **facts,
    )  # fmt: skip


def _exact(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _as_it_is(value: Any) -> Any:
    return value


# How what `_plain` wrote down of a line is read again.
READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("quantity", "price", "price_to", "discount", "deposit"), _exact),
    "price_type": PriceType, "billing_type": BillingType, "cadence": CadenceUnit, "starts": Starts,
    "starts_on": lambda value: date.fromisoformat(value) if value else None,
}  # fmt: skip


def _told(field: str, value: Any) -> Any:
    """A detail as a log tells it: settings of jobs in words, because ids tell nobody anything."""
    return job_settings.words(value) if field == "jobs" else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
