"""Jobs that an accepted proposal asks a practice app for: one for the whole proposal, or one for each service (XP-15,
XP-16). Put down in the transaction of the acceptance; sending them is `portal.deploying`.

`Proposal.jobs` holds the settings: connection (its id), per ("proposal" or "service"), name, description, category and
template (the app's ids, "-" for none), budget (text), partner, manager, staff (ids of users here), days (from start to
due), is_billed. Empty: no jobs. What it leaves open is settled by `job_settings`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from portal.db import db
from portal.domain import schedule
from portal.domain.activity import Actor
from portal.domain.apps import Connection, StaffLink
from portal.domain.people import User
from portal.domain.proposals.job_settings import PER_SERVICE, name_of, settled
from portal.domain.proposals.models import Proposal
from portal.domain.records import JobOut

if TYPE_CHECKING:
    from portal.domain.deliveries import Delivery, Job  # it imports this package
    from portal.domain.schedule import ClientService

STAFF = "staff"  # the cause of a job that waits for somebody to be linked
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
            name=name_of(proposal, service).value, settings=settled(proposal, service, services, today), created_at=now,
        )
        for part, service in _parts(proposal, services)
    ]  # fmt: skip
    db.session.add_all(jobs)
    db.session.flush()
    return [deliveries.ask_job(job, connection, by=by, now=now) for job in jobs]


def job_out(delivery: Delivery, job: Job, client_id: str) -> JobOut:
    """The job as the app takes it; `client_id` is the app's. Raises `NotLinkedThere`."""
    held = job.settings
    there = _people(delivery.connection_id, _named(job))
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


def wake_staffed(now: datetime) -> int:
    """Jobs that waited for somebody to be linked, where everybody is now. Gives how many are tried (XP-15)."""
    from portal.domain.deliveries import Delivery, DeliveryState, Job  # it imports this package

    waiting = (Delivery.state == DeliveryState.ASKS, Delivery.cause == STAFF)
    found = db.session.execute(select(Delivery, Job).join(Job, Job.id == Delivery.job_id).where(*waiting)).all()
    ids = [row.id for row, job in found if not not_linked(row.connection_id, _named(job))]
    if ids:  # else nobody has to wait for the right to write
        db.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(ids), *waiting)
            .values(state=DeliveryState.WAITING, next_at=now, cause="", reason="")
            .execution_options(synchronize_session=False)
        )
    return len(ids)


def not_linked(connection_id: int, users: Collection[int]) -> list[str]:
    """Names of those among these users who are nobody in the app yet."""
    missing = set(users) - set(_links(connection_id, users))
    if not missing:
        return []
    names = list(db.session.scalars(select(User.name).where(User.id.in_(missing)).order_by(User.name)))
    return names or ["Somebody who left"]


def _named(job: Job) -> set[int]:
    held = job.settings
    return {one for one in (held.get("partner"), held.get("manager"), *held.get("staff", [])) if one}


def _people(connection_id: int, users: set[int]) -> dict[int | None, str]:
    """Who these users are in the app. Raises `NotLinkedThere` for one that is nobody there."""
    if missing := not_linked(connection_id, users):
        are = "is" if len(missing) == 1 else "are"
        raise NotLinkedThere(
            f"{_joined(missing)} {are} not linked to anybody there yet. Link them under Settings, Team; "
            "the job then goes by itself."
        )
    return _links(connection_id, users)


def _links(connection_id: int, users: Collection[int]) -> dict[int | None, str]:
    if not users:
        return {}
    query = select(StaffLink).where(StaffLink.connection_id == connection_id, StaffLink.user_id.in_(users))
    return {one.user_id: one.remote_id for one in db.session.scalars(query)}


def _joined(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _parts(proposal: Proposal, services: Sequence[ClientService]) -> list[tuple[str, ClientService | None]]:
    if proposal.jobs.get("per") == PER_SERVICE:
        return [(service.mark, service) for service in services]
    return [("whole", None)]
