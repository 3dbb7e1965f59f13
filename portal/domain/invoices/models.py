"""The tables of invoices: what was billed, and what was paid on it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import ExactDecimal, JsonValue, UtcDateTime, db
from portal.domain.clients import Client
from portal.domain.library.models import TaxRate
from portal.domain.schedule.models import PayBy

IS_OPEN = text("paid_at IS NULL AND voided_at IS NULL")
IS_VOIDED = text("voided_at IS NOT NULL")
WATCHED: dict[str, Any] = {"active_history": True}  # `kept` has to know what it was before


class Source(StrEnum):
    """Where an invoice was made."""

    PORTAL = "portal"
    LEDGER = "ledger"


class NumberSeries(db.Model):
    """Numbers without gaps: taken in the same transaction as what carries them. `kind` is 'invoice' or 'proposal'."""

    kind: Mapped[str] = mapped_column(primary_key=True)
    prefix: Mapped[str] = mapped_column(default="")
    width: Mapped[int] = mapped_column(default=4)  # filled up with zeros to so many digits
    next: Mapped[int] = mapped_column(default=1)


class Invoice(db.Model):
    """One invoice. Its lines and amounts never change once it is issued; a mistake is voided and billed anew.

    `mark` follows from what it bills, so that a copy restored from a backup bills it under the same mark again. All
    amounts are in `currency`; `total` = `net` + `tax`. `paid` is what payments add up to. `rounding` says by whose rule
    the tax was rounded. `connection_id` is the ledger it belongs to; None: to none.
    """

    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("mark"),
        UniqueConstraint("pay_token"),
        # What is walked and tested, or added up, stands in the index itself, so that the table need not be read for it.
        # (SQLite wants the columns of a partial index's condition in it, too.)
        Index(
            "ix_invoice_client", "client_id", "issued_on", "id", "voided_at", "paid_at", "due_on", "currency", "total",
            "paid",
        ),
        Index("ix_invoice_issued", "issued_on", "id", "voided_at", "client_id"),
        Index("ix_invoice_app", "connection_id", "issued_on", "id", "voided_at"),
        Index("ix_invoice_due", "due_on", "id", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        Index("ix_invoice_total", "total", "id"),
        Index("ix_invoice_due_any", "due_on", "id"),
        Index(
            "ix_invoice_open", "issued_on", "id", "due_on", "client_id", "paid_at", "voided_at",
            sqlite_where=IS_OPEN, postgresql_where=IS_OPEN,
        ),
        Index("ix_invoice_voided", "issued_on", "id", sqlite_where=IS_VOIDED, postgresql_where=IS_VOIDED),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str]
    number: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    client_name: Mapped[str]  # as it was when the invoice was issued
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"), **WATCHED)
    source: Mapped[Source] = mapped_column(default=Source.PORTAL, **WATCHED)
    issued_on: Mapped[date] = mapped_column(Date)
    due_on: Mapped[date] = mapped_column(Date, **WATCHED)
    currency: Mapped[str] = mapped_column(**WATCHED)
    tax_mode: Mapped[str] = mapped_column(default="exclusive")  # a records.TaxMode
    rounding: Mapped[str] = mapped_column(default="each_line")
    net: Mapped[Decimal] = mapped_column(ExactDecimal)
    tax: Mapped[Decimal] = mapped_column(ExactDecimal)
    total: Mapped[Decimal] = mapped_column(ExactDecimal, **WATCHED)
    paid: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0), **WATCHED)
    reference: Mapped[str] = mapped_column(default="")
    memo: Mapped[str] = mapped_column(default="")
    pay_by: Mapped[PayBy] = mapped_column(default=PayBy.MANUAL)
    pay_token: Mapped[str | None]
    is_automatic: Mapped[bool] = mapped_column(default=True)  # raised by the schedule; False: by a person
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime, **WATCHED)
    paid_how: Mapped[str] = mapped_column(default="")  # person, ledger, collection; empty while unpaid
    voided_at: Mapped[datetime | None] = mapped_column(UtcDateTime, **WATCHED)
    void_reason: Mapped[str] = mapped_column(default="")
    void_note: Mapped[str] = mapped_column(default="")
    voided_by: Mapped[str] = mapped_column(default="")  # person, ledger
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(default="System")
    version: Mapped[int] = mapped_column(default=1)

    client: Mapped[Client] = relationship()
    lines: Mapped[list[InvoiceLine]] = relationship(order_by="InvoiceLine.position", back_populates="invoice")
    payments: Mapped[list[Payment]] = relationship(order_by="Payment.id", back_populates="invoice")


class InvoiceLine(db.Model):
    """`price` is for one, `discount` the amount off the line; with tax in them or not as the invoice's mode says."""

    __table_args__ = (
        UniqueConstraint("billing_item_id"),  # one billing item, at most one invoice, ever (BS-09)
        Index("ix_invoice_line_invoice", "invoice_id", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    position: Mapped[int]
    billing_item_id: Mapped[int | None] = mapped_column(ForeignKey("billing_item.id"))
    service_id: Mapped[int | None] = mapped_column(ForeignKey("service.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    quantity: Mapped[Decimal] = mapped_column(ExactDecimal)
    unit: Mapped[str] = mapped_column(default="")
    price: Mapped[Decimal] = mapped_column(ExactDecimal)
    discount: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))
    discount_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal)  # how it was said, where in percent
    tax_rate_id: Mapped[int | None] = mapped_column(ForeignKey("tax_rate.id"))
    tax_name: Mapped[str] = mapped_column(default="")
    tax_percent: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))
    net: Mapped[Decimal] = mapped_column(ExactDecimal)
    tax: Mapped[Decimal] = mapped_column(ExactDecimal)

    invoice: Mapped[Invoice] = relationship(back_populates="lines")
    tax_rate: Mapped[TaxRate | None] = relationship()


class Payment(db.Model):
    """Money received for one invoice. Taken back is `reversed_at`, never a deletion.

    `how`: person (marked by hand), ledger (read there), collection (taken here). A payment read from a ledger, or
    matched with one there, carries the ledger's id: unique, so it is never counted twice (fault row 61).
    """

    __table_args__ = (
        UniqueConstraint("mark"),
        UniqueConstraint("connection_id", "remote_id"),
        Index("ix_payment_invoice", "invoice_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    amount: Mapped[Decimal] = mapped_column(ExactDecimal)
    currency: Mapped[str]
    paid_on: Mapped[date] = mapped_column(Date)
    method: Mapped[str] = mapped_column(default="")
    reference: Mapped[str] = mapped_column(default="")
    how: Mapped[str]
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))
    remote_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(default="System")
    reversed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    facts: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)

    invoice: Mapped[Invoice] = relationship(back_populates="payments")
