"""The life of a running service: paused, going on, ended (CL-03), and that taken back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from portal.db import db
from portal.domain import activity, billing, clients
from portal.domain.activity import Actor, Verb
from portal.domain.clients import Client
from portal.domain.proposals.models import Proposal, ProposalState
from portal.domain.schedule import calendar
from portal.domain.schedule.changing import cancel_item, reopen_item
from portal.domain.schedule.models import BillingItem, ClientService, ItemState
from portal.domain.schedule.words import day_words

ENDED_WHY = "its service has ended"
PAUSED_WHY = "it fell due while billing was paused"


class NotRunning(Exception):
    """The service has ended, or stands still or runs already; the text says which."""


def pause(service: ClientService, *, by: Actor, now: datetime) -> None:
    """Nothing of it is billed by itself until it goes on; what falls due meanwhile is skipped. Raises `NotRunning`."""
    _must_run(service)
    if service.paused_at is not None:
        raise NotRunning(f"Billing of {service.name} is paused already.")
    yesterday = calendar.today(now) - timedelta(days=1)
    while (
        service.next_on is not None and service.next_on <= yesterday
    ):  # due before the pause: to be billed all the same
        calendar.materialise(service, service.billed_to, by=by, now=now)
    service.paused_at = now
    service.version += 1
    calendar.move_on(service)
    _note(Verb.SERVICE_PAUSED, service, by=by, now=now)


def resume(service: ClientService, *, by: Actor, now: datetime) -> None:
    """Billing goes on with the first period from today on. Raises `NotRunning` when it was not paused."""
    _must_run(service)
    if service.paused_at is None:
        raise NotRunning(f"Billing of {service.name} is not paused.")
    today = calendar.today(now)
    for item in _open_items(service):
        if fell_due_in_the_pause(item, service, today):
            cancel_item(item, PAUSED_WHY, by=by, now=now)
    service.paused_at = None
    service.version += 1
    if service.first_on is not None:
        first = billing.first_period_from(
            service.first_on, service.every, service.cadence, today, service.month_day
        )  # what lies before it was skipped
        service.billed_to = max(service.billed_to, first)
    calendar.move_on(service)
    _note(Verb.SERVICE_RESUMED, service, by=by, now=now, day=day_words(service.next_on))


def fell_due_in_the_pause(item: BillingItem, service: ClientService, before: date) -> bool:
    """Whether an automatic item's day came, before this one, while billing of its service was paused."""
    if service.paused_at is None or not item.is_automatic or item.due_on is None:
        return False
    return calendar.today(service.paused_at) <= item.due_on < before


def end_service(service: ClientService, *, by: Actor, now: datetime) -> list[BillingItem]:
    """End it: nothing more comes of it, and what of it is open is not billed any more; gives those items.

    The client's last one makes them Inactive, a proposal's last one makes it Completed (CL-03, PR-05). Raises
    `NotRunning` when it has ended already.
    """
    _must_run(service)
    dropped = _open_items(service)
    for item in dropped:
        cancel_item(item, ENDED_WHY, by=by, now=now)
        item.facts = {**item.facts, "dropped_at": now.isoformat()}
    service.ended_at = now
    service.version += 1
    calendar.move_on(service)
    db.session.flush()
    _note(Verb.SERVICE_ENDED, service, by=by, now=now, client=service.client.name)
    clients.count_items(service.client, -1, reason=f"{service.name} has ended", by=by, now=now)
    if service.proposal is not None:
        _complete(service.proposal, by=by, now=now)
    return dropped


def restart_service(service: ClientService, *, by: Actor, now: datetime) -> None:
    """Take an ending back: what it left unbilled is to be billed after all; what would have come meanwhile is skipped.

    Raises `NotRunning` when it has not ended.
    """
    if service.ended_at is None:
        raise NotRunning(f"{service.name} has not ended.")
    ended_at, service.ended_at = service.ended_at, None
    service.version += 1
    for item in _items_dropped(service, ended_at):
        reopen_item(item, by=by, now=now)
    today = calendar.today(now)
    if service.first_on is not None and today > calendar.today(ended_at):
        first = billing.first_period_from(service.first_on, service.every, service.cadence, today, service.month_day)
        service.billed_to = max(service.billed_to, first)
    calendar.move_on(service)
    _note(Verb.SERVICE_STARTED, service, by=by, now=now, client=service.client.name)
    clients.count_items(service.client, 1, reason=f"{service.name} goes on", by=by, now=now)
    proposal = service.proposal
    if proposal is not None and proposal.state == ProposalState.COMPLETED:
        proposal.state = ProposalState.ACCEPTED
        proposal.ended_at = None


def end_finished(client: Client, *, by: Actor, now: datetime) -> list[ClientService]:
    """End recurring services of this client whose last period has been billed. Gives them."""
    query = select(ClientService).where(
        ClientService.client_id == client.id, ClientService.ended_at.is_(None), ClientService.periods.is_not(None),
        ClientService.billed_to >= ClientService.periods,
    )  # fmt: skip
    finished = [service for service in db.session.scalars(query) if not _open_items(service)]
    for service in finished:
        end_service(service, by=by, now=now)
    return finished


def _complete(proposal: Proposal, *, by: Actor, now: datetime) -> None:
    """An accepted proposal is completed once none of its services runs (PR-05)."""
    runs = select(func.count()).where(ClientService.proposal_id == proposal.id, ClientService.ended_at.is_(None))
    if proposal.state != ProposalState.ACCEPTED or db.session.scalar(runs):
        return
    proposal.state = ProposalState.COMPLETED
    proposal.ended_at = now
    proposal.changed_at = now
    activity.record(
        Verb.PROPOSAL_COMPLETED, by=by, now=now, client_id=proposal.client_id, proposal_id=proposal.id,
        proposal=proposal.name,
    )  # fmt: skip


def _open_items(service: ClientService) -> list[BillingItem]:
    query = select(BillingItem).where(BillingItem.client_service_id == service.id, BillingItem.state == ItemState.OPEN)
    return list(db.session.scalars(query.order_by(BillingItem.id)))


def _items_dropped(service: ClientService, ended_at: datetime) -> list[BillingItem]:
    query = select(BillingItem).where(
        BillingItem.client_service_id == service.id, BillingItem.state == ItemState.CANCELLED
    )
    return [item for item in db.session.scalars(query) if item.facts.get("dropped_at") == ended_at.isoformat()]


def _must_run(service: ClientService) -> None:
    if service.ended_at is not None:
        raise NotRunning(f"{service.name} has ended already.")


def _note(verb: Verb, service: ClientService, *, by: Actor, now: datetime, **facts: Any) -> None:
    activity.record(
        verb, by=by, now=now, client_id=service.client_id, proposal_id=service.proposal_id, service=service.name,
        **facts,
    )  # fmt: skip
