"""Many records for one app at once: where one call takes many, a run carries them instead of a call or two for each."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from portal.db import db
from portal.domain.activity import SYSTEM, Actor
from portal.domain.apps import Connection, RunKind, RunTrigger, SyncRun
from portal.sync.runs import OPEN, clock, request_run, start

MANY = 20  # records that are still sent one by one; each costs up to two calls


def carried_by_runs(counts: Mapping[int, int], by: Actor = SYSTEM) -> set[int]:
    """Of these connections (id -> how many records wait), those a sync now takes them along for. May commit.

    It reads what changed there and then sends in batches. A connection that was never synced is left alone: its first
    run is a person's decision.
    """
    carried = set()
    for connection_id, count in counts.items():
        connection = db.session.get(Connection, connection_id)
        if connection is None or count <= MANY or not _can_carry(connection):
            continue
        run, joined = request_run(connection, kind=RunKind.SYNC, trigger=RunTrigger.WAITING, by=by, now=clock())
        run_id, is_sync = run.id, run.kind == RunKind.SYNC
        db.session.commit()
        if not joined:
            start(run_id)
        if is_sync:
            carried.add(connection_id)
    return carried


def with_a_run() -> list[int]:
    """Connections whose run under way takes along what waits for them."""
    running = db.session.scalars(select(SyncRun).where(SyncRun.state.in_(OPEN), SyncRun.kind == RunKind.SYNC))
    return [run.connection_id for run in running if _can_carry(run.connection)]


def _can_carry(connection: Connection) -> bool:
    return connection.is_usable and connection.ways.batch > 1 and connection.imported_at is not None
