"""Runs, and what each did about each record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import JsonValue, UtcDateTime, db
from portal.domain.apps.accounts import Connection
from portal.domain.apps.states import Outcome, RunKind, RunState, RunTrigger


class SyncRun(db.Model):
    """One look at an app and what came of it. At most one is open per connection."""

    __table_args__ = (
        Index(
            "uq_sync_run_open_per_connection",
            "connection_id",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_sync_run_connection_id_id", "connection_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    kind: Mapped[RunKind]
    trigger: Mapped[RunTrigger]
    state: Mapped[RunState] = mapped_column(default=RunState.QUEUED)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    by_name: Mapped[str] = mapped_column(default="System")
    local_date: Mapped[str | None]  # the night it stands for, ISO date in the firm's zone
    preview_id: Mapped[int | None] = mapped_column(ForeignKey("sync_run.id"))  # an apply's preview
    resumes_id: Mapped[int | None] = mapped_column(ForeignKey("sync_run.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_full: Mapped[bool] = mapped_column(default=False)
    phase: Mapped[str] = mapped_column(default="waiting")  # waiting, reading, matching, applying, sending, ending
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    rate: Mapped[float] = mapped_column(default=0.0)  # records a second in the present phase
    heartbeat: Mapped[int] = mapped_column(default=0)
    lease_by: Mapped[str | None]
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    force: Mapped[bool] = mapped_column(default=False)  # a person has allowed what the safety catch held
    alerted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it passed the hour
    calls: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, int]] = mapped_column(JsonValue, default=dict)  # Outcome -> how many
    message: Mapped[str] = mapped_column(default="")
    resume_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when a partial run goes on by itself
    attempt: Mapped[int] = mapped_column(default=1)  # of the same piece of work, over resumed runs
    cursor_after: Mapped[datetime | None] = mapped_column(UtcDateTime)

    connection: Mapped[Connection] = relationship()


class RunItem(db.Model):
    """What a run did, or in a preview would do, about one record. Unchanged records leave no row.

    In a preview `plan` holds the field rows as shown and `record` the record as read, so that applying it can tell
    whether anything moved meanwhile.
    """

    __table_args__ = (
        Index("ix_run_item_run_outcome", "run_id", "outcome", "id"),
        Index("ix_run_item_client", "client_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("sync_run.id", ondelete="CASCADE"))
    outcome: Mapped[Outcome]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    remote_id: Mapped[str] = mapped_column(default="")
    name: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    plan: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list)
    record: Mapped[dict[str, Any] | None] = mapped_column(JsonValue)
    client_version: Mapped[int | None]
    is_included: Mapped[bool] = mapped_column(default=True)
    left_out: Mapped[list[str]] = mapped_column(JsonValue, default=list)  # fields unticked in a preview
    chosen: Mapped[bool] = mapped_column(default=False)  # a person said so, whatever matching says
    applied: Mapped[str] = mapped_column(default="")  # in a preview: what applying it came to
