"""The outbox of what goes to a ledger or a practice app once: invoices, payments, jobs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import JsonValue, UtcDateTime, db
from portal.domain.apps import Connection


class DeliveryState(StrEnum):
    """Moves: waiting → sending → delivered | failed | unknown | waiting; unknown → (after a look-up) delivered |
    waiting; failed and asks → waiting when a person says so, or when what it asked for has come.
    """

    WAITING = "waiting"
    SENDING = "sending"
    UNKNOWN = "unknown"  # the answer was lost: it may be there, and is looked for before anything else
    ASKS = "asks"  # waits for a person or for its customer; `reason` says for what
    FAILED = "failed"  # refused; `reason` is the ledger's, `cause` says which advice stands beside it
    DELIVERED = "delivered"
    WITHDRAWN = "withdrawn"  # its cause went before it was sent: voided, switched off


class Delivery(db.Model):
    """One thing to be there exactly once. The row is made in the same transaction as its cause.

    `key` is the vendor's idempotency key, changed only after a look-up proved that nothing is there; `mark` is our sign
    on the thing, for ever the same. `remote_id` is set exactly when delivered.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "invoice_id"),
        UniqueConstraint("connection_id", "payment_id"),
        UniqueConstraint("connection_id", "job_id"),
        UniqueConstraint("connection_id", "kind", "remote_id"),
        CheckConstraint("(state = 'delivered') = (remote_id IS NOT NULL)", name="delivered_has_an_id"),
        Index("ix_delivery_invoice", "invoice_id"),
        Index("ix_delivery_state", "connection_id", "state", "id"),
        Index("ix_delivery_standing", "state", "invoice_id"),  # lists of what stands like this, in whichever ledger
        Index(
            "ix_delivery_due", "next_at",
            sqlite_where=text("state IN ('waiting', 'sending', 'unknown')"),
            postgresql_where=text("state IN ('waiting', 'sending', 'unknown')"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # invoice, payment, job
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))  # exactly one of these three is set
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    key: Mapped[str]
    mark: Mapped[str]
    state: Mapped[DeliveryState] = mapped_column(default=DeliveryState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    looked: Mapped[int] = mapped_column(default=0)  # look-ups in a row that found nothing since the answer was lost
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the last call that may have created it went
    cause: Mapped[str] = mapped_column(default="")  # a records.Cause, or our own: customer, mapping, connection
    reason: Mapped[str] = mapped_column(default="")
    remote_id: Mapped[str | None]
    remote_number: Mapped[str] = mapped_column(default="")
    web_url: Mapped[str] = mapped_column(default="")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str] = mapped_column(default="System")
    asked_by: Mapped[str] = mapped_column(default="")  # the person whose press it answers; empty: it goes by itself
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    adopted: Mapped[bool] = mapped_column(default=False)  # found there by a look-up rather than answered to our call

    connection: Mapped[Connection] = relationship()


class DeliveryAttempt(db.Model):
    """One step of a delivery, as the certificate shows it: a call or a look-up, and what it answered. Never edited
    but for its end.
    """

    __table_args__ = (Index("ix_delivery_attempt_delivery", "delivery_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"))
    act: Mapped[str]  # sent, looked
    key: Mapped[str]
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: the process ended before the answer came
    answer: Mapped[str] = mapped_column(default="")  # created, found, nothing there, refused, lost, not sent
    remote_id: Mapped[str] = mapped_column(default="")
    words: Mapped[str] = mapped_column(default="")
    by: Mapped[str] = mapped_column(default="System")


class Job(db.Model):
    """A job to be deployed in a practice app for an accepted proposal (XP-15 to XP-18), from templates."""

    __table_args__ = (UniqueConstraint("mark"), Index("ix_job_proposal", "proposal_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    client_service_id: Mapped[int | None] = mapped_column(ForeignKey("client_service.id"))
    name: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
