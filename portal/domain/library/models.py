"""The tables of what the firm sells: tax rates, and services with their price and the way they are billed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import ExactDecimal, JsonValue, UtcDateTime, db


class PriceType(StrEnum):
    """Behaviour reference 4.2."""

    FIXED = "fixed"
    UNIT = "unit"
    MINIMUM = "minimum"
    RANGE = "range"
    INCLUDED = "included"  # no price


class BillingType(StrEnum):
    """When a service is billed (behaviour reference 4.3)."""

    ON_ACCEPTANCE = "on_acceptance"
    RECURRING = "recurring"
    DEPOSIT = "deposit"
    ON_COMPLETION = "on_completion"
    ESTIMATE = "estimate"


class CadenceUnit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class TaxRate(db.Model):
    """A rate the firm charges. Never renamed and its percentage never changed once used (XE-09); it can be retired."""

    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    percent: Mapped[Decimal] = mapped_column(ExactDecimal)  # 15 for 15 %
    is_default: Mapped[bool] = mapped_column(default=False)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Service(db.Model):
    """An entry of the service library. Prices are without tax; proposals copy what they need and keep it.

    `price_to` is the upper end of a range. `deposit` is the part billed at once, None: half of the price (BS-01).
    `every` cadence units pass between two bills of a recurring service. `jobs`: connection id -> template and category
    of its jobs there (XP-16).
    """

    __table_args__ = (Index("ix_service_name", "name_key", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    price_type: Mapped[PriceType] = mapped_column(default=PriceType.FIXED)
    price: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))
    price_to: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    unit: Mapped[str] = mapped_column(default="")  # hour, employee; empty for fixed prices
    tax_rate_id: Mapped[int | None] = mapped_column(ForeignKey("tax_rate.id"))
    billing_type: Mapped[BillingType] = mapped_column(default=BillingType.ON_ACCEPTANCE)
    every: Mapped[int] = mapped_column(default=1)
    cadence: Mapped[CadenceUnit] = mapped_column(default=CadenceUnit.MONTH)
    deposit: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    jobs: Mapped[dict[str, dict[str, str]]] = mapped_column(JsonValue, default=dict)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    tax_rate: Mapped[TaxRate | None] = relationship()


class ServiceFacts(db.Model):
    """What proposals, running services and billing items copy of a service, so that later edits leave them alone."""

    __abstract__ = True

    service_id: Mapped[int | None] = mapped_column(ForeignKey("service.id"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    quantity: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(1))
    unit: Mapped[str] = mapped_column(default="")
    price: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))  # for one, without tax
    discount: Mapped[Decimal] = mapped_column(ExactDecimal, default=Decimal(0))
    discount_is_percent: Mapped[bool] = mapped_column(default=False)  # else an amount off the whole line
    tax_rate_id: Mapped[int | None] = mapped_column(ForeignKey("tax_rate.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)  # what its jobs are made of, and the like
