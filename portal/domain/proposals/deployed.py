"""How the jobs of an accepted proposal stand on their way to the practice app, and what a person can do about each.

Jobs are only set up from here (XP-18): once a job is there, nothing about it is changed any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from portal.domain import activity, connections, outgoing
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ConnectionState, OutgoingClient
from portal.domain.job_choices import KINDS, named
from portal.domain.proposals.deploying import STAFF, jobs_of
from portal.domain.proposals.job_settings import people_named
from portal.domain.proposals.models import Proposal

if TYPE_CHECKING:
    from portal.domain.deliveries import Delivery, Job  # it imports this package

FIELDS = {"template": "Template", "category": "Category", "partner": "Partner", "manager": "Manager", "staff": "Staff"}
ON_ACCEPTANCE = "acceptance"


class Standing(StrEnum):
    ON_ITS_WAY = "on_its_way"
    LOOKED_FOR = "looked_for"  # no answer came: it may be there
    ASKS = "asks"
    REFUSED = "refused"
    THERE = "there"
    NOT_TO_GO = "not_to_go"


@dataclass(frozen=True, slots=True)
class JobStanding:
    """`why` is what keeps it, or what it lacks once it is there. `next_at`: when it is tried again by itself.

    `fix` is the place that mends it: team, client, apps, job; empty: nowhere.
    """

    job: Job
    delivery: Delivery
    app: str
    standing: Standing
    why: str = ""
    advice: str = ""
    fix: str = ""
    next_at: datetime | None = None

    @property
    def is_moving(self) -> bool:
        """Whether it changes by itself soon, so that a page that shows it looks again."""
        return self.standing in (Standing.ON_ITS_WAY, Standing.LOOKED_FOR) and not self.fix

    @property
    def needs_a_person(self) -> bool:
        return self.standing in (Standing.ASKS, Standing.REFUSED)


class TooLate(Exception):
    """The job is there, or may be: it is looked after in the app from now on. The text says so."""


def standings(proposal: Proposal) -> list[JobStanding]:
    """Each job of the proposal, in the order they were put down."""
    return [_standing(job, row) for job, row in jobs_of(proposal)]


def creations(proposal: Proposal) -> list[OutgoingClient]:
    """The client on its way into apps that get clients at acceptance, or that are to have its jobs (XPM-12)."""
    wanted = {row.connection_id for _job, row in jobs_of(proposal)}
    return [
        one
        for one in outgoing.for_client(proposal.client)
        if one.connection_id in wanted or one.connection.new_clients == ON_ACCEPTANCE
    ]


def change_job(job: Job, delivery: Delivery, values: Mapping[str, Any], *, by: Actor, now: datetime) -> list[str]:
    """Change what a job is made of that is not there yet, and have it tried again. Gives the labels of what changed.

    Raises `TooLate` once it is there, or may be.
    """
    from portal.domain import deliveries  # it imports this package

    app = connections.label(delivery.connection)
    is_untried = delivery.state == deliveries.DeliveryState.WAITING and delivery.sent_at is None
    if delivery.state not in deliveries.STUCK and not is_untried:
        raise TooLate(f"{job.name} is in {app}, or may be; change it there.")
    changes = [
        {"field": "", "label": FIELDS[field], "old": _said(delivery, field, job.settings.get(field)),
         "new": _said(delivery, field, value)}
        for field, value in values.items()
        if (job.settings.get(field) or None) != (value or None)
    ]  # fmt: skip
    job.settings = {**job.settings, **values}
    if changes:
        activity.record(
            Verb.JOB_CHANGED, by=by, now=now, client_id=job.client_id, proposal_id=job.proposal_id,
            connection_id=delivery.connection_id, job=job.name, app=app, what=activity.field_names(changes),
            changes=changes,
        )  # fmt: skip
    deliveries.try_again(delivery, by=by, now=now)
    return [str(change["label"]) for change in changes]


def _standing(job: Job, row: Delivery) -> JobStanding:
    from portal.domain.deliveries import DeliveryState  # it imports this package

    connection = row.connection
    app = connections.label(connection)
    is_away = connection.state != ConnectionState.CONNECTED
    if row.state == DeliveryState.DELIVERED:
        return JobStanding(job, row, app, Standing.THERE, row.reason)
    if row.state == DeliveryState.WITHDRAWN:
        return JobStanding(job, row, app, Standing.NOT_TO_GO, row.reason)
    if row.state == DeliveryState.ASKS:
        advice, fix = ASKED.get(row.cause, ("", "job"))
        return JobStanding(job, row, app, Standing.ASKS, row.reason, advice.format(app=app), fix)
    if row.state == DeliveryState.FAILED:
        advice = f"Change what it is made of, or mend it in {app}; then it is tried again."
        return JobStanding(job, row, app, Standing.REFUSED, row.reason, advice, "job")
    if is_away:
        why = f"{app} is not connected at the moment; the job is kept and goes by itself once it is."
        return JobStanding(job, row, app, Standing.ON_ITS_WAY, why, "", "apps")
    if row.state == DeliveryState.UNKNOWN:
        why = f"No answer came from {app}, so it is looked for there before anything else. It is not made twice."
        return JobStanding(job, row, app, Standing.LOOKED_FOR, why, next_at=row.next_at)
    return JobStanding(job, row, app, Standing.ON_ITS_WAY, row.reason, next_at=row.next_at if row.reason else None)


ASKED = {
    STAFF: ("", "team"),  # the reason says all there is to do
    "customer": ("The job goes by itself once the client is linked to its record in {app}.", "client"),
}


def _said(delivery: Delivery, field: str, value: Any) -> str | None:
    """A setting as a person reads it."""
    if not value:
        return None
    if field in KINDS:
        return named(delivery.connection_id, KINDS[field], value)[0] or "one that is no longer there"
    return people_named(value)
