"""How work comes onto the schedule: accepted proposals, additional services, single items (BS-01, BS-10, 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from portal.db import db
from portal.domain import activity, billing, clients, money
from portal.domain.activity import Actor, Verb
from portal.domain.clients import Client
from portal.domain.library.models import BillingType, CadenceUnit, PriceType
from portal.domain.proposals.models import Grouping, Proposal, ProposalLine
from portal.domain.schedule import calendar
from portal.domain.schedule.models import BillingItem, ClientService, PayBy
from portal.domain.schedule.words import amount_words

DEPOSIT, BALANCE = "deposit", "balance"


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often a recurring service is billed: every so many days, weeks or months; `periods` None: without end."""

    every: int = 1
    unit: CadenceUnit = CadenceUnit.MONTH
    periods: int | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or (self.periods is not None and self.periods < 1):
            raise ValueError("a cadence needs at least one day, week or month, and at least one period")


def reference_of(proposal: Proposal) -> str:
    """What its invoices and jobs carry, so that they find each other (XP-17)."""
    held = {Grouping.CLIENT: f"CLI-{proposal.client_id}", Grouping.PROPOSAL: f"PROP-{proposal.number}"}
    return held.get(proposal.grouping, "")


def start_services(
    proposal: Proposal, lines: Iterable[ProposalLine], *, by: Actor, now: datetime
) -> list[ClientService]:
    """Make running services and what is to be billed of the lines that were taken, in the caller's transaction.

    On acceptance and deposit are due at once; recurring ones from their first day on; the balance of a deposit, on
    completion and estimate wait for a person (4.3). Nothing is invoiced here: see `due_items`. Raises ValueError for a
    deposit above its price.
    """
    client = proposal.client
    accepted_on = calendar.today(now)
    made = [_start(proposal, line, accepted_on, by=by, now=now) for line in lines]
    db.session.flush()
    for service in made:
        activity.record(
            Verb.SERVICE_STARTED, by=by, now=now, client_id=client.id, proposal_id=proposal.id, service=service.name,
            client=client.name,
        )  # fmt: skip
    if made:
        reason = f"proposal {proposal.name} was accepted"
        clients.count_items(client, len(made), reason=reason, by=by, now=now)
    return made


def _start(proposal: Proposal, line: ProposalLine, accepted_on: date, *, by: Actor, now: datetime) -> ClientService:
    facts = calendar.facts_of(line)
    facts["discount"], facts["discount_is_percent"] = discount_with(proposal, line)
    service = ClientService(
        mark=calendar.fresh_mark(), client_id=proposal.client_id, proposal_id=proposal.id, started_at=now,
        billing_type=line.billing_type, every=line.every, cadence=line.cadence, currency=proposal.currency,
        reference=reference_of(proposal), pay_by=PayBy.MANUAL, billed_to=0, **facts,
    )  # fmt: skip
    db.session.add(service)
    db.session.flush()
    if line.price_type == PriceType.INCLUDED:
        return service
    if line.billing_type == BillingType.RECURRING:
        first = billing.first_day(
            accepted_on, starts=line.starts, proposal_start=proposal.starts_on, starts_on=line.starts_on,
            delay=line.delay, cadence=line.cadence,
        )  # fmt: skip
        service.first_on, service.month_day, service.periods = first.on, first.month_day, line.periods
        calendar.move_on(service)
    elif line.billing_type == BillingType.DEPOSIT:
        _deposit_and_balance(service, line.deposit, accepted_on, by=by, now=now)
    else:
        is_at_once = line.billing_type == BillingType.ON_ACCEPTANCE
        item = _item_of(service, by=by, now=now, due_on=accepted_on if is_at_once else None, is_automatic=is_at_once)
        _put_down(item, by=by, now=now)
    return service


def discount_with(proposal: Proposal, line: ProposalLine) -> tuple[Decimal, bool]:
    """The discount of a line together with that of the whole proposal: how much, and whether in percent."""
    return billing.discounts_together(
        line.quantity, line.price, line.discount, line.discount_is_percent, proposal.discount,
        money.places(proposal.currency),
    )  # fmt: skip


def _deposit_and_balance(
    service: ClientService, deposit: Decimal | None, accepted_on: date, *, by: Actor, now: datetime
) -> None:
    whole = calendar.amount_of(service)
    first = billing.deposit_of(whole, deposit, money.places(service.currency))
    for part, price, due_on in ((DEPOSIT, first, accepted_on), (BALANCE, whole - first, None)):
        item = _item_of(
            service, by=by, now=now, due_on=due_on, is_automatic=part == DEPOSIT, part=part, price=price,
            name=f"{service.name}, {part}", quantity=Decimal(1), unit="", discount=Decimal(0),
            discount_is_percent=False,
        )  # fmt: skip
        _put_down(item, by=by, now=now)


def _item_of(service: ClientService, *, by: Actor, now: datetime, part: str = "", **values: Any) -> BillingItem:
    """An item of this service that is no period of it."""
    return BillingItem(
        **{
            **calendar.facts_of(service),
            "mark": calendar.mark_of(service, part or "whole"), "client_id": service.client_id, "part": part,
            "client_service_id": service.id, "proposal_id": service.proposal_id, "currency": service.currency,
            "pay_by": service.pay_by, "reference": service.reference, "created_at": now, "created_by": by.name,
            **values,
        }
    )  # fmt: skip


def _put_down(item: BillingItem, *, by: Actor, now: datetime) -> None:
    db.session.add(item)
    db.session.flush()
    activity.record(
        Verb.ITEM_ADDED, by=by, now=now, client_id=item.client_id, proposal_id=item.proposal_id, item=item.name,
        amount=amount_words(item),
    )  # fmt: skip


def add_item(
    client: Client, values: Mapping[str, Any], *, by: Actor, now: datetime, due_on: date | None = None,
    is_automatic: bool = False, pay_by: PayBy = PayBy.MANUAL, notes: str = "",
) -> BillingItem:  # fmt: skip
    """A single thing to be billed without a proposal (BS-10); the client becomes Active by it.

    `values` are facts of a service (see `ServiceFacts`), `name` and `price` at least. With `due_on` and `is_automatic`
    it is billed on that day without further question; otherwise it waits for a person.
    """
    item = BillingItem(
        mark=calendar.fresh_mark(), client_id=client.id, due_on=due_on, is_automatic=is_automatic, pay_by=pay_by,
        notes=notes, currency=calendar.firm_currency(), reference=f"CLI-{client.id}", created_at=now,
        created_by=by.name, **_facts(values),
    )  # fmt: skip
    _put_down(item, by=by, now=now)
    clients.count_items(client, 1, reason=f"{item.name} is to be billed", by=by, now=now)
    return item


def add_service(
    client: Client, values: Mapping[str, Any], cadence: Cadence, *, first_on: date, by: Actor, now: datetime,
    pay_by: PayBy = PayBy.MANUAL,
) -> ClientService:  # fmt: skip
    """An additional recurring service without a proposal (BS-10); the client becomes Active by it.

    Raises ValueError for a first day that has gone by.
    """
    if first_on < calendar.today(now):
        raise ValueError("the first day has gone by already")
    service = ClientService(
        mark=calendar.fresh_mark(), client_id=client.id, billing_type=BillingType.RECURRING, every=cadence.every,
        cadence=cadence.unit, periods=cadence.periods, first_on=first_on, next_on=first_on, billed_to=0,
        currency=calendar.firm_currency(), reference=f"CLI-{client.id}", pay_by=pay_by, started_at=now,
        **_facts(values),
    )  # fmt: skip
    db.session.add(service)
    db.session.flush()
    activity.record(Verb.SERVICE_STARTED, by=by, now=now, client_id=client.id, service=service.name, client=client.name)
    clients.count_items(client, 1, reason=f"{service.name} was added", by=by, now=now)
    return service


def _facts(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(values) - set(calendar.COPIED)
    if unknown:
        raise ValueError(f"{sorted(unknown)} are no facts of a service")
    if not values.get("name"):
        raise ValueError("what is to be billed needs a name")
    return dict(values)
