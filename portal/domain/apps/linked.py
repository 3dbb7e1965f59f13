"""Which client is which record, and what is open about that: links, conflicts, findings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import JsonValue, UtcDateTime, db
from portal.domain.apps.accounts import Connection
from portal.domain.apps.states import LinkState, OutgoingState, PushState


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
    made_by: Mapped[str] = mapped_column(default="name")  # name, import, person, created
    created_as: Mapped[str | None]  # the key a record was created under from here, by which some apps know it for ever
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
    # Fields a person asked to send whatever the connection's settings say; empty again once they have been sent.
    asked: Mapped[list[str]] = mapped_column(JsonValue, default=list)
    choices: Mapped[dict[str, str]] = mapped_column(JsonValue, default=dict)  # choice list -> option (CL-32)

    connection: Mapped[Connection] = relationship()

    def wants_push(self, now: datetime | None) -> None:
        """Something here is to be sent; a broken link keeps it for later. None: the next run takes it along."""
        is_waiting = self.push_state in (PushState.READY, PushState.SENDING)
        self.push_next_at = now or (self.push_next_at if is_waiting else None)
        self.push_state = PushState.READY
        self.push_version += 1
        self.push_attempts = 0
        self.push_error = ""


class UnlinkedRecord(db.Model):
    """A record of an app nobody here is linked to, as last read; with what matching last said of it.

    The verdict is advice for lists; whoever acts on a record matches it anew.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        Index("ix_unlinked_record_verdict", "connection_id", "verdict", "name_key", "id"),
        Index("ix_unlinked_record_name", "connection_id", "name_key", "id"),
        Index("ix_unlinked_record_near", "connection_id", "near_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    remote_id: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str]  # what lists are sorted by
    near_key: Mapped[str]
    state: Mapped[str] = mapped_column(default="active")
    kind: Mapped[str] = mapped_column(default="")  # customer, supplier; empty where the app does not say
    record: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    digest: Mapped[str] = mapped_column(default="")
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    verdict: Mapped[str] = mapped_column(default="create")  # a matching.Kind
    reason: Mapped[str] = mapped_column(default="")
    client_id: Mapped[int | None] = mapped_column(
        ForeignKey("client.id", ondelete="SET NULL")
    )  # whom the verdict names


class OutgoingClient(db.Model):
    """A client that is to be created in an app, or linked there when it turns out to exist: the outbox for that.

    The row goes when the link is made. `key` is the vendor's idempotency key, the same at every try.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "client_id"),
        Index("ix_outgoing_client_client_id", "client_id"),
        Index(
            "ix_outgoing_client_due", "next_at",
            sqlite_where=text("state IN ('ready', 'sending')"),
            postgresql_where=text("state IN ('ready', 'sending')"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id", ondelete="CASCADE"))
    key: Mapped[str]
    state: Mapped[OutgoingState] = mapped_column(default=OutgoingState.READY)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(default="")  # why it has not gone yet, or what a person has to settle
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_by: Mapped[str] = mapped_column(default="System")

    connection: Mapped[Connection] = relationship()


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
