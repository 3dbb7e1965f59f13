"""One run's facts as plain values, and what it is done with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal import integrations
from portal.adapters.base import AppInfo, ClientAdapter, NeedsReconnect, Session
from portal.db import db
from portal.domain import findings, nights
from portal.domain.activity import Actor, Origin
from portal.domain.apps import ClientLink, Connection, Outcome, RunItem, RunKind, RunTrigger, SyncRun
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.people import the_firm
from portal.sync.runs import Watch, clock

MARGIN = timedelta(
    minutes=5
)  # read this much again: the vendor's clock and ours differ, and its stamps are whole seconds
ORIGINS = {RunTrigger.NIGHT: Origin.SCHEDULE, RunTrigger.HOUR: Origin.SCHEDULE, RunTrigger.COMMAND: Origin.COMMAND}
REFERENCE_GOOD_FOR = timedelta(hours=20)  # so that it is read once a day, however often the app is synced


@dataclass
class Job:
    """Mapped objects would go stale at every commit; these do not."""

    run_id: int
    connection_id: int
    kind: RunKind
    is_full: bool
    force: bool
    preview_id: int | None
    by: Actor
    since: datetime | None
    is_first: bool
    info: AppInfo
    adapter: ClientAdapter
    watch: Watch
    session: Session
    started: datetime
    reads_reference: bool = True
    note: str = ""  # what the run's row is to say when it has ended well

    def context(self) -> Context:
        """What plans are applied with, read anew."""
        connection = db.session.get_one(Connection, self.connection_id)
        return findings.context_for(connection, by=self.by, now=self.started)


def prepare(run_id: int, watch: Watch) -> Job:
    """Read what the run needs and sign in. Raises `NeedsReconnect` when the connection is not usable."""
    run = db.session.get_one(SyncRun, run_id)
    connection = run.connection
    if not connection.is_usable:
        raise NeedsReconnect(f"The connection to {connection.account_name} is not working: {connection.state_reason}")
    info = integrations.app_info(connection.app)
    watch.app = info.short_name
    now = clock()
    last_full, trigger = connection.last_full_at, RunTrigger(run.trigger)
    asked_by_a_person = trigger in (RunTrigger.PERSON, RunTrigger.COMMAND)
    full = run.is_full or connection.cursor is None or last_full is None or _is_full_due(last_full, now, info)
    origin = ORIGINS.get(RunTrigger(run.trigger), Origin.APP)
    run.is_full = full
    since = None if full or connection.cursor is None else connection.cursor - MARGIN
    if run.kind == RunKind.APPLY and run.preview_id is not None:
        preview = db.session.get_one(SyncRun, run.preview_id)
        since = (preview.cursor_after or preview.asked_at) - MARGIN
    job = Job(
        run_id, connection.id, RunKind(run.kind), full, run.force, run.preview_id,
        Actor(run.by_name, origin, run.by_id, run_id), since, connection.imported_at is None, info,
        integrations.adapter_for(connection), watch,
        integrations.open_session(
            connection, urgent=run.trigger == RunTrigger.PERSON, should_stop=watch.should_stop, on_wait=watch.waiting
        ),
        now, asked_by_a_person or _is_reference_old(connection, now),
    )  # fmt: skip
    db.session.commit()
    return job


def _is_full_due(last_full: datetime, now: datetime, info: AppInfo) -> bool:
    """An app that is synced by the hour is read as a whole at night, unless the nights were missed for another turn."""
    since = now - last_full
    if since < info.full_read_every or info.sync_every is None:
        return since >= info.full_read_every
    firm = the_firm()
    return since >= 2 * info.full_read_every or (firm is not None and nights.is_night(now, firm.time_zone))


def _is_reference_old(connection: Connection, now: datetime) -> bool:
    read_at = connection.reference.get("read_at")
    return read_at is None or now - datetime.fromisoformat(read_at) >= REFERENCE_GOOD_FOR


def note_sent(job: Job, link_id: int, outcome: Outcome) -> None:
    """A row of the run about a record that was sent to; one commit."""
    link = db.session.get_one(ClientLink, link_id)
    client = db.session.get_one(Client, link.client_id)
    db.session.add(
        RunItem(
            run_id=job.run_id,
            outcome=outcome,
            client_id=client.id,
            remote_id=link.remote_id,
            name=client.name,
            reason=link.push_error or f"changes made here were sent to {job.info.short_name}",
        )
    )
    db.session.commit()
    job.watch.count(outcome)
