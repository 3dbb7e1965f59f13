"""The tables of the billing schedule: services a client has, and the items they are billed by."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Date, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import UtcDateTime
from portal.domain.clients import Client
from portal.domain.library.models import BillingType, CadenceUnit, ServiceFacts, TaxRate

if TYPE_CHECKING:
    from portal.domain.proposals.models import Proposal  # proposals build on this package


class PayBy(StrEnum):
    """How an invoice is to be paid."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"


class ItemState(StrEnum):
    OPEN = "open"
    BILLED = "billed"
    CANCELLED = "cancelled"


class ClientService(ServiceFacts):
    """A service the firm does for a client, from an accepted proposal or added by itself.

    A recurring one is billed on days that follow from `first_on`, `every`, `cadence` and `periods` (None: without end);
    period n (from 0) is one billing item, which stands in the table only once it is billed or somebody changed it.
    `billed_to` is the first period that was never billed, cancelled or skipped up to now: a mark to read from, not a
    guarantee; the guarantee is the unique (client service, period). `mark` names it for ever, also in a restored copy.
    """

    __table_args__ = (
        UniqueConstraint("mark"),
        Index("ix_client_service_client", "client_id", "id"),
        Index("ix_client_service_proposal", "proposal_id"),
        Index(
            "ix_client_service_next", "next_on", "id",
            sqlite_where=text("next_on IS NOT NULL"), postgresql_where=text("next_on IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    billing_type: Mapped[BillingType]
    every: Mapped[int] = mapped_column(default=1)
    cadence: Mapped[CadenceUnit] = mapped_column(default=CadenceUnit.MONTH)
    first_on: Mapped[date | None] = mapped_column(Date)  # the day of period 0; None: not billed by dates
    month_day: Mapped[int | None]  # the day of the month meant, where period 0 had to be on an earlier one
    periods: Mapped[int | None]
    billed_to: Mapped[int] = mapped_column(default=0)
    next_on: Mapped[date | None] = mapped_column(Date)  # day of period `billed_to`; None: nothing comes by itself
    currency: Mapped[str] = mapped_column(default="")  # of its price; empty: the firm's
    pay_by: Mapped[PayBy] = mapped_column(default=PayBy.MANUAL)
    reference: Mapped[str] = mapped_column(default="")  # billing group: CLI-n or PROP-n, empty: none (XP-17)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # periods that fall due while paused are skipped
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    client: Mapped[Client] = relationship()
    proposal: Mapped[Proposal | None] = relationship()
    tax_rate: Mapped[TaxRate | None] = relationship()


HELD_UP = text("state = 'open' AND problem != ''")  # could not be billed when they were due


class BillingItem(ServiceFacts):
    """One thing to be billed once. It yields at most one invoice line, ever (BS-09): `invoice_line.billing_item_id` is
    unique, and a billed item never becomes open again.

    `due_on` None: on nobody's calendar yet. `is_automatic`: on that day it is billed without further question.
    `period` is set for items of a recurring service, None for all others; `part` tells a deposit from its balance.
    """

    __table_args__ = (
        UniqueConstraint("mark"),
        UniqueConstraint("client_service_id", "period"),
        Index("ix_billing_item_client", "client_id", "state", "due_on", "id"),
        Index(
            "ix_billing_item_due", "due_on", "id",
            sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'"),
        ),
        Index("ix_billing_item_problem", "due_on", "id", sqlite_where=HELD_UP, postgresql_where=HELD_UP),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    client_service_id: Mapped[int | None] = mapped_column(ForeignKey("client_service.id"))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    period: Mapped[int | None]
    part: Mapped[str] = mapped_column(default="")  # deposit, balance; empty: the whole
    state: Mapped[ItemState] = mapped_column(default=ItemState.OPEN)
    due_on: Mapped[date | None] = mapped_column(Date)
    is_automatic: Mapped[bool] = mapped_column(default=False)
    currency: Mapped[str] = mapped_column(default="")  # of its price; empty: the firm's
    pay_by: Mapped[PayBy] = mapped_column(default=PayBy.MANUAL)
    reference: Mapped[str] = mapped_column(default="")
    notes: Mapped[str] = mapped_column(default="")  # for the firm's own eyes
    problem: Mapped[str] = mapped_column(default="")  # why no invoice came of it when it was due; empty: none
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # not billed by itself before this, after a problem
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(default="System")
    version: Mapped[int] = mapped_column(default=1)

    client: Mapped[Client] = relationship()
    client_service: Mapped[ClientService | None] = relationship()
    tax_rate: Mapped[TaxRate | None] = relationship()
