"""The tables of ledgers: settings and mappings of a connection that holds invoices, and what was read back from it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import ExactDecimal, JsonValue, UtcDateTime, db
from portal.domain.apps import Connection


class LedgerSettings(db.Model):
    """How invoices are created over one connection (behaviour reference XE-02, QB-05, DG-03).

    `creates` is the default for new clients; `creates_since` lists [ISO time, value] of every change, oldest first,
    because a client keeps the default it was born under (XE-04). Ids name entries of the ledger's lists.
    """

    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    creates: Mapped[bool] = mapped_column(default=False)
    creates_since: Mapped[list[list[Any]]] = mapped_column(JsonValue, default=list)
    default_target: Mapped[str] = mapped_column(default="")  # account or item a service without its own goes to
    as_drafts: Mapped[bool] = mapped_column(default=False)
    show_descriptions: Mapped[bool] = mapped_column(default=True)
    branding_manual: Mapped[str] = mapped_column(default="")
    branding_automatic: Mapped[str] = mapped_column(default="")
    term: Mapped[str] = mapped_column(default="")
    due_days: Mapped[int] = mapped_column(default=14)  # after the invoice date, one-off invoices (XE-06)
    due_days_recurring: Mapped[int] = mapped_column(default=14)
    pay_into: Mapped[str] = mapped_column(default="")  # account payments go to; empty: the ledger's own way
    writes_payments: Mapped[bool] = mapped_column(default=True)
    sets_name: Mapped[bool] = mapped_column(default=False)  # the customer's name is set at each invoice (XE-01)
    lists_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lists_error: Mapped[str] = mapped_column(default="")
    currency: Mapped[str] = mapped_column(default="")  # the account's own, as the ledger said
    locked_until: Mapped[date | None] = mapped_column(Date)
    invoices_cursor: Mapped[datetime | None] = mapped_column(UtcDateTime)  # vendor-side start of the last look
    invoices_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    invoices_full_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    connection: Mapped[Connection] = relationship()


class LedgerEntry(db.Model):
    """An entry of one of the ledger's short lists, as last read. One that vanished is kept, inactive."""

    __table_args__ = (UniqueConstraint("connection_id", "kind", "remote_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    kind: Mapped[str]  # a records.ListKind
    remote_id: Mapped[str]
    name: Mapped[str]
    code: Mapped[str] = mapped_column(default="")
    percent: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    is_active: Mapped[bool] = mapped_column(default=True)
    fits: Mapped[bool] = mapped_column(default=True)
    why_not: Mapped[str] = mapped_column(default="")
    facts: Mapped[dict[str, str]] = mapped_column(JsonValue, default=dict)


class TaxMapping(db.Model):
    """A tax rate of the firm is that tax rate of the ledger."""

    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    tax_rate_id: Mapped[int] = mapped_column(ForeignKey("tax_rate.id"), primary_key=True)
    remote_id: Mapped[str]


class ServiceTarget(db.Model):
    """Where lines of a service go in a ledger: an account or an item of it (AP-07). No row: the default target."""

    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), primary_key=True)
    remote_id: Mapped[str]


class ClientBilling(db.Model):
    """A client's own switch (Invoices → settings): which ledger, and whether invoices are created there (XE-04).

    No row: what follows from the connections' defaults at the time the client was made.
    """

    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), primary_key=True)
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))
    creates: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LedgerRecord(db.Model):
    """An invoice of the ledger as last read; `invoice_id` is ours, None for one we do not know."""

    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        UniqueConstraint("connection_id", "invoice_id"),
        Index("ix_ledger_record_number", "connection_id", "number"),
        Index(
            "ix_ledger_record_sign", "connection_id", "mark",
            sqlite_where=text("invoice_id IS NULL"), postgresql_where=text("invoice_id IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    remote_id: Mapped[str]
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    number: Mapped[str] = mapped_column(default="")
    state: Mapped[str]  # a records.InvoiceState
    total: Mapped[Decimal] = mapped_column(ExactDecimal)
    paid: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))
    due: Mapped[Decimal] = mapped_column(ExactDecimal)
    currency: Mapped[str] = mapped_column(default="")
    web_url: Mapped[str] = mapped_column(default="")
    revision: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the ledger's own stamp
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    differs: Mapped[str] = mapped_column(default="")  # how it differs from ours, in words; empty: not at all (MD-01)
    # One we do not know that bears a sign of this kind: sent before a backup was restored, or its answer is under way.
    mark: Mapped[str] = mapped_column(default="")


class LedgerReading(db.Model):
    """How one kind of reading went last over a connection: `what` is lists, invoices, or one invoice by its id there.

    `asked_at`: a person asked for it, and it has not ended. `error`: why the last one broke off; empty: it worked.
    `found`: what came of the last one that worked, words to figures.
    """

    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"), primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    asked_by: Mapped[str] = mapped_column(default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # however it ended
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when one last worked
    error: Mapped[str] = mapped_column(default="")
    found: Mapped[dict[str, int]] = mapped_column(JsonValue, default=dict)


class WebhookEvent(db.Model):
    """One thing a vendor's webhook told us: stored first, worked on by a job. Its id is unique for ever."""

    __table_args__ = (
        UniqueConstraint("app", "event_id"),
        Index(
            "ix_webhook_event_open", "id",
            sqlite_where=text("handled_at IS NULL"), postgresql_where=text("handled_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    event_id: Mapped[str]
    account_id: Mapped[str]
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))  # None: no account of ours
    kind: Mapped[str]
    remote_id: Mapped[str]
    what: Mapped[str] = mapped_column(default="")
    happened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    times: Mapped[int] = mapped_column(default=1)  # how often it was sent
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(default="")
