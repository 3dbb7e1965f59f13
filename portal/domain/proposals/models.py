"""The tables of proposals: what a client is offered, and what became of the offer."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import ExactDecimal, JsonValue, UtcDateTime, db
from portal.domain.clients import Client
from portal.domain.library.models import BillingType, CadenceUnit, PriceType, ServiceFacts, TaxRate


class ProposalState(StrEnum):
    """Behaviour reference PR-01."""

    DRAFT = "draft"
    AWAITING = "awaiting"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    LOST = "lost"


class Starts(StrEnum):
    """From when a recurring service is billed (behaviour reference 4.3)."""

    ACCEPTANCE = "acceptance"
    PROPOSAL_START = "proposal_start"
    DATE = "date"


class Grouping(StrEnum):
    """What becomes the reference of its invoices and the order number of its jobs (XP-17)."""

    CLIENT = "client"  # CLI-n
    PROPOSAL = "proposal"  # PROP-n
    NONE = "none"


class Proposal(db.Model):
    """An offer to one client. Frozen from acceptance on (PR-03).

    `token_hash` is the hash of the live link's secret; None: there is no live link. `options` are names of packages of
    which the client takes one; `chosen` the one taken, counted from 1. `accepted` holds who, when, from where:
    name, email, address, browser, option, on_behalf (a user's name or None), terms.
    """

    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("token_hash"),
        Index("ix_proposal_client", "client_id", "id"),
        Index("ix_proposal_state", "state", "id"),
        Index("ix_proposal_expiry", "state", "expires_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]  # shown as PROP-7
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    name: Mapped[str]
    message: Mapped[str] = mapped_column(default="")
    terms: Mapped[str] = mapped_column(default="")
    state: Mapped[ProposalState] = mapped_column(default=ProposalState.DRAFT)
    currency: Mapped[str]
    starts_on: Mapped[date | None] = mapped_column(Date)  # None: the day it is accepted
    expires_on: Mapped[date | None] = mapped_column(Date)  # the last day it can be accepted; None: no last day
    grouping: Mapped[Grouping] = mapped_column(default=Grouping.CLIENT)
    options: Mapped[list[str]] = mapped_column(JsonValue, default=list)
    chosen: Mapped[int | None]
    discount: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))  # percent off every line
    jobs: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)  # job settings (XP-16); empty: no jobs
    token_hash: Mapped[str | None]
    token_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the client first opened it
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # completed or lost
    lost_why: Mapped[str] = mapped_column(default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    client: Mapped[Client] = relationship()
    lines: Mapped[list[ProposalLine]] = relationship(
        back_populates="proposal", order_by="ProposalLine.position", cascade="all, delete-orphan"
    )


class ProposalLine(ServiceFacts):
    """One service offered. `option` None: in every package; else the package it belongs to, from 1.

    `is_optional`: the client may leave it out; `is_taken` says whether it was taken. `delay` cadence units pass before
    the first bill of a recurring service; `periods` None: it goes on until somebody ends it.
    """

    __table_args__ = (Index("ix_proposal_line_proposal", "proposal_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposal.id", ondelete="CASCADE"))
    position: Mapped[int]
    option: Mapped[int | None]
    is_optional: Mapped[bool] = mapped_column(default=False)
    is_taken: Mapped[bool] = mapped_column(default=True)
    price_type: Mapped[PriceType] = mapped_column(default=PriceType.FIXED)
    price_to: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    billing_type: Mapped[BillingType]
    deposit: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    every: Mapped[int] = mapped_column(default=1)
    cadence: Mapped[CadenceUnit] = mapped_column(default=CadenceUnit.MONTH)
    starts: Mapped[Starts] = mapped_column(default=Starts.ACCEPTANCE)
    starts_on: Mapped[date | None] = mapped_column(Date)
    delay: Mapped[int] = mapped_column(default=0)
    periods: Mapped[int | None]

    proposal: Mapped[Proposal] = relationship(back_populates="lines")
    tax_rate: Mapped[TaxRate | None] = relationship()
