"""Jobs that an accepted proposal asks a practice app for: one for the whole proposal, or one for each service (XP-15,
XP-16). Put down in the transaction of the acceptance; sending them is `portal.deploying`.

`Proposal.jobs` holds the settings: connection (its id), per ("proposal" or "service"), name, description, category and
template (the app's ids), budget (text), partner, manager, staff (ids of users here), days (from start to due),
is_billed. Empty: no jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from portal.db import db
from portal.domain import schedule
from portal.domain.activity import Actor
from portal.domain.apps import Connection, StaffLink
from portal.domain.ledgers.models import LedgerEntry
from portal.domain.people import User
from portal.domain.proposals.models import Proposal
from portal.domain.records import JobCategory, JobOut, JobTemplate

if TYPE_CHECKING:
    from portal.domain.deliveries import Delivery, Job  # it imports this package
    from portal.domain.schedule import ClientService

PER_PROPOSAL, PER_SERVICE = "proposal", "service"
TEMPLATE, CATEGORY = "job_template", "job_category"  # kinds of entries read from the app
DAYS = 30  # from a job's start to the day it is due, unless its settings say otherwise
_MARKS = uuid.UUID("7a0c1f0e-54b7-5d43-9d52-3a8b90a3e6d1")


class NotLinkedThere(Exception):
    """Somebody the job names is nobody in the app yet, so it is not deployed (XP-15); the text says who."""


def put_down(proposal: Proposal, services: Sequence[ClientService], *, by: Actor, now: datetime) -> list[Delivery]:
    """The jobs of this proposal and their way into the practice app begun; none when it asks for none."""
    from portal.domain import deliveries  # it imports this package

    connection = db.session.get(Connection, proposal.jobs.get("connection")) if proposal.jobs else None
    if connection is None:
        return []
    today = schedule.today(now)
    jobs = [
        deliveries.Job(
            mark=uuid.uuid5(_MARKS, f"{proposal.number} {part}").hex, client_id=proposal.client_id,
            proposal_id=proposal.id, client_service_id=service.id if service else None,
            name=_name(proposal, service), settings=_settings(proposal, service, services, today), created_at=now,
        )
        for part, service in _parts(proposal, services)
    ]  # fmt: skip
    db.session.add_all(jobs)
    db.session.flush()
    return [deliveries.ask_job(job, connection, by=by, now=now) for job in jobs]


def job_out(delivery: Delivery, job: Job, client_id: str) -> JobOut:
    """The job as the app takes it; `client_id` is the app's. Raises `NotLinkedThere`."""
    held = job.settings
    users = [held.get("partner"), held.get("manager"), *held.get("staff", [])]
    there = _people(delivery.connection_id, {one for one in users if one})
    return JobOut(
        key=delivery.key, mark=job.mark, client_id=client_id, name=job.name, description=held["description"],
        start_on=date.fromisoformat(held["start_on"]), due_on=date.fromisoformat(held["due_on"]),
        category_id=held.get("category", ""), template_id=held.get("template", ""),
        budget=Decimal(held["budget"]) if held.get("budget") else None, partner_id=there.get(held.get("partner"), ""),
        manager_id=there.get(held.get("manager"), ""), staff_ids=tuple(there[one] for one in held.get("staff", [])),
        order_number=held["order_number"],
    )  # fmt: skip


def jobs_of(proposal: Proposal) -> list[tuple[Job, Delivery]]:
    """Each with its way into the practice app."""
    from portal.domain.deliveries import Delivery, Job  # it imports this package

    query = select(Job, Delivery).join(Delivery, Delivery.job_id == Job.id).where(Job.proposal_id == proposal.id)
    return [(row[0], row[1]) for row in db.session.execute(query.order_by(Job.id))]


def keep_choices(connection_id: int, templates: Iterable[JobTemplate], categories: Iterable[JobCategory]) -> None:
    """What jobs there can be made of, as just read; what is there no more stays, inactive."""
    held = {(one.kind, one.remote_id): one for one in _choices(connection_id)}
    told = {(TEMPLATE, one.remote_id): one.name for one in templates}
    told |= {(CATEGORY, one.remote_id): one.name for one in categories}
    for (kind, remote_id), name in told.items():
        entry = held.get((kind, remote_id))
        if entry is None:
            entry = LedgerEntry(connection_id=connection_id, kind=kind, remote_id=remote_id, name=name, facts={})
            db.session.add(entry)
        entry.name, entry.is_active = name, True
    for key, entry in held.items():
        if key not in told:
            entry.is_active = False


def job_choices(connection_id: int, kind: str) -> list[tuple[str, str]]:
    """(id, name) of the templates or categories a new job can have, by name."""
    found = [one for one in _choices(connection_id) if one.kind == kind and one.is_active]
    return sorted(((one.remote_id, one.name) for one in found), key=lambda one: one[1].lower())


def _choices(connection_id: int) -> list[LedgerEntry]:
    query = select(LedgerEntry).where(
        LedgerEntry.connection_id == connection_id, LedgerEntry.kind.in_((TEMPLATE, CATEGORY))
    )
    return list(db.session.scalars(query))


def _people(connection_id: int, users: set[int]) -> dict[int | None, str]:
    """Who these users are in the app. Raises `NotLinkedThere` for one that is nobody there."""
    query = select(StaffLink).where(StaffLink.connection_id == connection_id, StaffLink.user_id.in_(users))
    found: dict[int | None, str] = {one.user_id: one.remote_id for one in db.session.scalars(query)} if users else {}
    missing = users - set(found)
    if missing:
        names = db.session.scalars(select(User.name).where(User.id.in_(missing)).order_by(User.name))
        raise NotLinkedThere(
            f"{_joined(names)} is not linked to anybody there yet. Link them under Settings, Team, then try again."
        )
    return found


def _joined(names: Iterable[str]) -> str:
    return " and ".join(names) or "Somebody who left"


def _parts(proposal: Proposal, services: Sequence[ClientService]) -> list[tuple[str, ClientService | None]]:
    if proposal.jobs.get("per") == PER_SERVICE:
        return [(service.mark, service) for service in services]
    return [("whole", None)]


def _template_of(services: Sequence[ClientService], connection: str) -> str:
    """The template the library names for these services, where it names one only; empty otherwise."""
    named = {one for service in services for one in service.facts.get("templates", {}).get(connection, [])}
    return named.pop() if len(named) == 1 else ""


def _name(proposal: Proposal, service: ClientService | None) -> str:
    """The proposal's name, unless its settings give another (XP-16)."""
    name = proposal.jobs.get("name") or proposal.name
    return f"{name}: {service.name}" if service else name


def _settings(
    proposal: Proposal, service: ClientService | None, services: Sequence[ClientService], today: date
) -> dict[str, Any]:
    """What the job is made with: the proposal's settings with what follows from them settled (XP-16, XP-17)."""
    chosen = {key: value for key, value in proposal.jobs.items() if key not in ("connection", "per", "name")}
    about = [service] if service else list(services)
    start = max(proposal.starts_on or today, today)
    return {
        **chosen,
        "template": chosen.get("template") or _template_of(about, str(proposal.jobs.get("connection"))),
        "description": chosen.get("description") or "\n".join(one.name for one in about),
        "start_on": start.isoformat(),
        "due_on": (start + timedelta(days=chosen.get("days") or DAYS)).isoformat(),
        "order_number": schedule.reference_of(proposal) if chosen.get("is_billed", True) else "",
    }
