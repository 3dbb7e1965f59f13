"""Apps the firm has connected: the connection, its sign-in, its links to clients, its runs.

States change only through the methods here; an illegal move raises `IllegalMove`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import EncryptedText, JsonValue, UtcDateTime, db


class IllegalMove(Exception):
    """A state was asked to become one it cannot become from here."""


class ConnectionState(StrEnum):
    CHOOSING = "choosing"  # signed in at the vendor; the account is shown and not yet enabled
    CONNECTED = "connected"
    NEEDS_RECONNECT = "needs_reconnect"
    DISCONNECTED = "disconnected"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"  # the plan looked dangerous; a person decides
    DONE = "done"
    PARTIAL = "partial"  # stopped by an allowance or an outage; goes on by itself
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its process ended; another run goes on from there

    @property
    def is_open(self) -> bool:
        return self in (RunState.QUEUED, RunState.RUNNING)


class RunKind(StrEnum):
    SYNC = "sync"  # what changed since the last run, or everything when that is due
    PREVIEW = "preview"  # plan only; its rows can be ticked and applied
    APPLY = "apply"  # apply the ticked rows of a preview, and only those


class RunTrigger(StrEnum):
    PERSON = "person"
    NIGHT = "night"
    COMMAND = "command"
    RESUME = "resume"


class LinkState(StrEnum):
    LINKED = "linked"
    BROKEN = "broken"  # the record there was archived, deleted, merged or vanished; nothing is sent to it


class PushState(StrEnum):
    NONE = "none"
    READY = "ready"
    SENDING = "sending"
    FAILED = "failed"


class Outcome(StrEnum):
    """What a run did about one record."""

    CREATED = "created"
    LINKED = "linked"
    UPDATED = "updated"  # taken from the app
    PUSHED = "pushed"  # sent to the app
    CONFLICT = "conflict"
    UNCHANGED = "unchanged"
    NEAR_MATCH = "near_match"
    AMBIGUOUS = "ambiguous"
    TAKEN = "taken"
    BROKEN = "broken"
    SKIPPED = "skipped"
    HELD_BACK = "held_back"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class TokenSet(db.Model):
    """One consent at a vendor. Several connections may share it; its tokens rotate under a lease."""

    id: Mapped[int] = mapped_column(primary_key=True)
    vendor: Mapped[str]
    client_id: Mapped[str]
    access_token: Mapped[str | None] = mapped_column(EncryptedText)
    refresh_token: Mapped[str | None] = mapped_column(EncryptedText)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scope: Mapped[str] = mapped_column(default="")
    subject: Mapped[str] = mapped_column(default="")
    grant_event: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    lease_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VendorCredentials(db.Model):
    """The portal's own registration with a vendor, when an admin typed it in instead of the environment."""

    vendor: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    client_secret: Mapped[str] = mapped_column(EncryptedText)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConsentAttempt(db.Model):
    """A sign-in at a vendor that a person has started: single use, bound to that person, short-lived."""

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    verifier: Mapped[str] = mapped_column(EncryptedText)
    reconnects_id: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Connection(db.Model):
    """Our row for one account of one app."""

    __table_args__ = (
        UniqueConstraint("app", "account_id"),
        Index("ix_connection_app_state", "app", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    state: Mapped[ConnectionState] = mapped_column(default=ConnectionState.CHOOSING)
    account_id: Mapped[str]
    account_name: Mapped[str]
    grant_id: Mapped[str] = mapped_column(default="")
    token_set_id: Mapped[int | None] = mapped_column(ForeignKey("token_set.id"))
    settings: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    # The vendor-side start of the last whole look, minus nothing: the margin is taken when it is used.
    cursor: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_full_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    imported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the first import finished; None before
    enabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    enabled_by: Mapped[str] = mapped_column(default="")
    state_reason: Mapped[str] = mapped_column(default="")
    state_changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reference: Mapped[dict[str, Any]] = mapped_column(
        JsonValue, default=dict
    )  # staff, categories, templates as last read

    token_set: Mapped[TokenSet | None] = relationship()

    _MOVES = {
        ConnectionState.CHOOSING: {ConnectionState.CONNECTED, ConnectionState.DISCONNECTED},
        ConnectionState.CONNECTED: {ConnectionState.NEEDS_RECONNECT, ConnectionState.DISCONNECTED},
        ConnectionState.NEEDS_RECONNECT: {ConnectionState.CONNECTED, ConnectionState.DISCONNECTED},
        ConnectionState.DISCONNECTED: {ConnectionState.CHOOSING, ConnectionState.CONNECTED},
    }

    def move_to(self, state: ConnectionState, *, now: datetime, reason: str = "") -> None:
        """Raises `IllegalMove`. Moving to the present state changes only the reason."""
        if state != self.state and state not in self._MOVES[ConnectionState(self.state)]:
            raise IllegalMove(f"a connection cannot go from {self.state} to {state}")
        if state != self.state:
            self.state_changed_at = now
        self.state = state
        self.state_reason = reason

    @property
    def is_usable(self) -> bool:
        return self.state == ConnectionState.CONNECTED

    @property
    def direction(self) -> str:
        """'both', 'from_app' or 'to_app' (behaviour reference XP-20)."""
        return self.settings.get("direction", "both")

    @property
    def level(self) -> str:
        """'everything', 'name' or 'nothing'."""
        return self.settings.get("level", "everything")


class CallWindow(db.Model):
    """Calls made to one account of a vendor: this minute's and this day's, shared by every process."""

    account: Mapped[str] = mapped_column(primary_key=True)  # "<vendor>:<account id>"
    recent: Mapped[list[float]] = mapped_column(JsonValue, default=list)  # when the last minute's calls ended
    day_started: Mapped[datetime | None] = mapped_column(UtcDateTime)
    day_calls: Mapped[int] = mapped_column(default=0)
    day_left: Mapped[int | None]  # what the vendor last said is left, less the calls since
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_why: Mapped[str] = mapped_column(default="")
    failures: Mapped[int] = mapped_column(default=0)  # in a row; opens the circuit


class CallSlot(db.Model):
    """One call under way to an account; as many rows as the vendor allows at once."""

    account: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    held_by: Mapped[str | None]
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffLink(db.Model):
    """Which person in an app is which user here."""

    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        UniqueConstraint("connection_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    remote_id: Mapped[str]
    remote_name: Mapped[str]
    remote_email: Mapped[str] = mapped_column(default="")


class ClientLink(db.Model):
    """This client here is that record there.

    `agreed` holds, field by field, the value both sides had when they last agreed; `seen` the record as last read.
    The push columns are the outbox for this record: whatever is to be sent is the difference found when it is sent.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        UniqueConstraint("connection_id", "client_id"),
        # Holds all the list of clients shows of a link, so that fifty rows never touch the wide table itself.
        Index("ix_client_link_client_id", "client_id", "connection_id", "state", "push_state", "open_conflicts"),
        Index(
            "ix_client_link_push_due",
            "push_next_at",
            sqlite_where=text("push_state IN ('ready', 'sending')"),
            postgresql_where=text("push_state IN ('ready', 'sending')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    remote_id: Mapped[str]
    remote_name: Mapped[str]
    state: Mapped[LinkState] = mapped_column(default=LinkState.LINKED)
    broken_why: Mapped[str] = mapped_column(default="")  # archived, deleted, vanished
    made_by: Mapped[str] = mapped_column(default="name")  # name, import, person
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    agreed: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    agreed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    seen_digest: Mapped[str] = mapped_column(default="")
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held_fields: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)  # field -> why it does not sync
    open_conflicts: Mapped[int] = mapped_column(default=0)
    push_state: Mapped[PushState] = mapped_column(default=PushState.NONE)
    push_version: Mapped[int] = mapped_column(default=0)  # raised by every change to send; an older sender loses
    push_attempts: Mapped[int] = mapped_column(default=0)
    push_next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    push_lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    push_lease_by: Mapped[str | None]
    push_error: Mapped[str] = mapped_column(default="")

    connection: Mapped[Connection] = relationship()

    def wants_push(self, now: datetime) -> None:
        """Something here is to be sent; a broken link keeps it for later."""
        self.push_state = PushState.READY
        self.push_version += 1
        self.push_attempts = 0
        self.push_next_at = now
        self.push_error = ""


class ContactLink(db.Model):
    """This contact of the client is that contact of the linked record.

    `contact_id` is None once the contact was removed here: it is then left alone there and not brought back.
    """

    __table_args__ = (
        UniqueConstraint("client_link_id", "remote_id"),
        Index("ix_contact_link_contact_id", "contact_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    client_link_id: Mapped[int] = mapped_column(ForeignKey("client_link.id", ondelete="CASCADE"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"))
    remote_id: Mapped[str]
    agreed: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    is_gone: Mapped[bool] = mapped_column(default=False)  # no longer on the record there


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
    applied: Mapped[str] = mapped_column(default="")  # in a preview: what applying it came to


class Conflict(db.Model):
    """Both sides changed one field. The later change won; the other value is kept here and can be put back."""

    __table_args__ = (Index("ix_conflict_client_state", "client_id", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    link_id: Mapped[int] = mapped_column(ForeignKey("client_link.id", ondelete="CASCADE"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"))
    field: Mapped[str]
    agreed: Mapped[Any] = mapped_column(JsonValue, nullable=True)
    here: Mapped[Any] = mapped_column(JsonValue, nullable=True)
    there: Mapped[Any] = mapped_column(JsonValue, nullable=True)
    winner: Mapped[str]  # here, there
    why: Mapped[str]
    here_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    here_changed_by: Mapped[str] = mapped_column(default="")
    there_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_run.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(default="open")  # open, swapped, kept
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by: Mapped[str] = mapped_column(default="")


class Finding(db.Model):
    """Something about who is who that a person has to settle: a near match, an ambiguous or a taken name.

    The same cause is one row that counts how often it was met; it closes itself when it no longer holds.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id", "kind"),
        Index("ix_finding_state", "state", "connection_id", "id"),
        Index(
            "ix_finding_open_client", "client_id",
            sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    kind: Mapped[str]  # near_match, ambiguous, taken
    remote_id: Mapped[str]
    remote_name: Mapped[str]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    client_name: Mapped[str] = mapped_column(default="")
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list)
    reason: Mapped[str]
    record: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(default="open")  # open, linked, imported, apart, gone
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    settled_by: Mapped[str] = mapped_column(default="")
