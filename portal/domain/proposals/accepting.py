"""A proposal is accepted, by the client or on its behalf: all that comes of it, in one transaction (PR-04, XPM-12).

Kept to the letter, services started, what is due at once invoiced, the client Active, its way into apps begun, jobs put
down. Whoever comes second finds it accepted; whoever saw something else is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, billing, clients, outgoing, people, schedule
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.apps import Connection, ConnectionState, OutgoingClient
from portal.domain.proposals import deploying, drafting, offering
from portal.domain.proposals.content import BadChoice, Choice, Content, content_of, digest_of, settled, taken_lines
from portal.domain.proposals.drafting import label
from portal.domain.proposals.figures import parts
from portal.domain.proposals.models import Proposal, ProposalState

if TYPE_CHECKING:
    from portal.domain.deliveries import Delivery  # it imports this package
    from portal.domain.invoices import Invoice  # it imports this package

ON_ACCEPTANCE = "acceptance"


@dataclass(frozen=True)
class Signer:
    """Who accepts, as they say, and from where. `on_behalf`: the user who accepts for them; None: themselves."""

    name: str
    email: str = ""
    address: str = ""
    browser: str = ""
    on_behalf: str | None = None


@dataclass(frozen=True)
class Acceptance:
    """What came of it: for the page that follows, and for the shells that carry it on. `deliveries`: of invoices and
    jobs."""

    proposal: Proposal
    invoices: list[Invoice]
    outgoing: list[OutgoingClient]
    deliveries: list[Delivery]


class AlreadyAccepted(Exception):
    """Somebody was first; nothing was changed."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(f"{proposal.name} was accepted already")
        self.proposal = proposal


class TooLate(Exception):
    """It is not open for acceptance any more: expired, taken back, given up, or the client is in the archive."""


class Changed(Exception):
    """What would be accepted is not what was shown: the offer was changed since, or the choice was."""


def accept(
    proposal: Proposal, choice: Choice, signer: Signer, *, shown: str | None, by: Actor, now: datetime
) -> Acceptance:
    """Accept it in the caller's transaction. `shown`: the digest of what stood on the page (None: a person of the firm
    accepts what there is).

    Raises `AlreadyAccepted`, `TooLate`, `Changed`, `BadChoice`, and what `invoices.issue` raises.
    """
    from portal.domain import deliveries  # it imports this package

    firm = people.the_firm()
    if firm is None:
        raise TooLate
    held = drafting.get(proposal.id, lock=True)
    if held is None:
        raise TooLate
    if held.state in (ProposalState.ACCEPTED, ProposalState.COMPLETED):
        raise AlreadyAccepted(held)
    # Another of its proposals may be accepted at this moment. Before anything is written that refers to the client:
    # two that already hold a share of its row would wait for each other.
    db.session.refresh(held.client, with_for_update=True)
    _check_open(held, signer, now, firm.time_zone)
    content = content_of(held, firm.name)
    choice = settled(content, choice.option, choice.taken)
    if shown is not None and shown != digest_of(content, choice):
        raise Changed
    if not taken_lines(content, choice):
        raise BadChoice("Choose at least one service.")
    parts(content, choice)  # amounts nobody can be billed by are found before anything is agreed to
    _freeze(held, content, choice, signer, now)
    _record(held, signer, by, now)
    lines = [line for line in held.lines if line.is_taken]
    client = held.client
    services = schedule.start_services(held, lines, by=by, now=now)
    made = _invoice_at_once(held, by=by, now=now)
    going = _into_apps(client, by=by, now=now)
    sent = deploying.put_down(held, services, by=by, now=now)
    db.session.flush()
    parcels = [*sent, *(one for invoice in made for one in deliveries.of(invoice))]
    return Acceptance(held, made, going, parcels)


def the_client_as(signer: Signer) -> Actor:
    """The client as the one who acts: a name they gave themselves, and no user of ours."""
    return Actor(f"{signer.name} (client)", Origin.SCREEN)


def shown_as_accepted(proposal: Proposal) -> tuple[Content, Choice]:
    """What was agreed to, to the letter."""
    kept = proposal.accepted
    return kept["content"], Choice(kept["option"], frozenset(kept["taken"]))


def _check_open(proposal: Proposal, signer: Signer, now: datetime, zone: str) -> None:
    if proposal.state != ProposalState.AWAITING or proposal.client.is_archived:
        raise TooLate
    if offering.is_past(proposal.expires_on, now, zone):
        raise TooLate
    if signer.on_behalf is None and offering.is_over(proposal, now):
        raise TooLate


def _freeze(proposal: Proposal, content: Content, choice: Choice, signer: Signer, now: datetime) -> None:
    taken = {line["id"] for line in taken_lines(content, choice)}
    for line in proposal.lines:
        line.is_taken = line.id in taken
    proposal.state = ProposalState.ACCEPTED
    proposal.accepted_at = now
    proposal.chosen = choice.option
    proposal.version += 1
    proposal.changed_at = now
    if proposal.token_hash is not None:
        proposal.token_expires_at = now + offering.LINK_LIFE  # from now on it opens the receipt
    proposal.accepted = {
        "name": signer.name, "email": signer.email, "address": signer.address, "browser": signer.browser[:300],
        "option": choice.option, "taken": sorted(choice.taken), "on_behalf": signer.on_behalf,
        "terms": proposal.terms, "content": content, "digest": digest_of(content, choice),
        "at": now.isoformat(timespec="seconds"),
    }  # fmt: skip


def _record(proposal: Proposal, signer: Signer, by: Actor, now: datetime) -> None:
    ids: dict[str, Any] = {"client_id": proposal.client_id, "proposal_id": proposal.id}
    if signer.on_behalf is None:
        activity.record(
            Verb.PROPOSAL_ACCEPTED, by=by, now=now, **ids, proposal=label(proposal), signer=signer.name,
            digest=proposal.accepted["digest"],
        )  # fmt: skip
        return
    activity.record(
        Verb.PROPOSAL_ACCEPTED_FOR, by=by, now=now, **ids, proposal=label(proposal), signer=signer.name,
        user=signer.on_behalf, digest=proposal.accepted["digest"],
    )  # fmt: skip


def _invoice_at_once(proposal: Proposal, *, by: Actor, now: datetime) -> list[Invoice]:
    """One invoice for each group of what is due today because of it: on acceptance, deposits, first periods (BS-08).

    Whatever else the client has due today is the schedule's own work, and cannot stand in the way of an acceptance.
    """
    from portal.domain import invoices, mail  # they import this package

    today = schedule.today(now)
    due = schedule.due_items(proposal.client, today, by=by, now=now)
    mine = [item for item in due if item.proposal_id == proposal.id]
    made = [
        invoices.issue(proposal.client, group.items, on=today, by=by, now=now, is_automatic=True)
        for group in billing.group(mine)
    ]
    for invoice in made:
        mail.invoice_raised(invoice, by=by, now=now)
    return made


def _into_apps(client: clients.Client, *, by: Actor, now: datetime) -> list[OutgoingClient]:
    """Every app that gets clients at acceptance and does not hold this one yet (XPM-12)."""
    usable = (ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT)
    query = select(Connection).where(Connection.state.in_(usable)).order_by(Connection.id)
    linked = {link.connection_id for link in client.links}
    return [
        outgoing.ask(client, connection, by=by, now=now)
        for connection in db.session.scalars(query)
        if connection.new_clients == ON_ACCEPTANCE and connection.ways.creates and connection.id not in linked
    ]
