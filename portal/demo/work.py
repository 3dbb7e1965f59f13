"""What the demo firm sells, and proposals in every state: drafts, two that wait for an answer, accepted, over, lost.

One of those waiting opens by a link the demo prints: like the demo's password, it is known to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.demo.facts import PROPOSAL_TOKEN
from portal.domain import library, people, proposals, schedule
from portal.domain.activity import Actor, Origin
from portal.domain.clients import Client
from portal.domain.library import BillingType, CadenceUnit, PriceType, Service
from portal.domain.proposals import Choice, Proposal, Signer

DEMO = Actor("Demo", Origin.SYSTEM)
ZONE = "Pacific/Auckland"
TERMS = """We do the work named above with the care you can expect of chartered accountants, from the records you give us. You stay responsible for what is in them.

Invoices are due within 14 days. Amounts recur until one of us ends the service; a month's notice is enough.

We keep what we learn about you to ourselves, and your papers for seven years."""  # noqa: E501 - a text as people write it
MESSAGE = """Kia ora,

thank you for the talk last week. Below is what we would do for you and what it costs. If it is what you had in mind, accept it at the end of the page; we start the next working day.

Ngā mihi
Priya"""  # noqa: E501 - a text as people write it


@dataclass(frozen=True)
class Sold:
    """One service of the library."""

    name: str
    price: str
    billing: BillingType
    description: str
    more: dict[str, Any] | None = None


MONTHLY, QUARTERLY, YEARLY = {"every": 1}, {"every": 3}, {"every": 12}
PER_HOUR = {"price_type": PriceType.UNIT, "unit": "hour"}
SERVICES = (
    Sold("Annual accounts", "2400", BillingType.DEPOSIT, "Financial statements for the year, ready to sign.",
         {"deposit": Decimal(800)}),
    Sold("Income tax return", "850", BillingType.ON_COMPLETION, "Prepared, filed and explained."),
    Sold("GST return", "180", BillingType.RECURRING, "Filed every two months, from your ledger.", {"every": 2}),
    Sold("Bookkeeping", "420", BillingType.RECURRING, "Bank lines coded and reconciled every week.", MONTHLY),
    Sold("Payroll", "18", BillingType.RECURRING, "Pay runs, payslips and filing.",
         {"price_type": PriceType.UNIT, "unit": "employee"}),
    Sold("Quarterly review", "390", BillingType.RECURRING, "An hour with you over figures that are up to date.",
         QUARTERLY),
    Sold("Company set-up", "650", BillingType.ON_ACCEPTANCE, "Registration, share register, tax numbers."),
    Sold("Ledger set-up", "480", BillingType.ON_ACCEPTANCE, "Chart of accounts, bank feeds, opening balances."),
    Sold("Advice by the hour", "240", BillingType.ESTIMATE, "Whatever else comes up, agreed beforehand.", PER_HOUR),
    Sold("Business valuation", "3500", BillingType.ESTIMATE, "A written opinion of value.",
         {"price_type": PriceType.RANGE, "price_to": Decimal(6000)}),
    Sold("Registered office", "220", BillingType.RECURRING, "Our address for your company's post.", YEARLY),
    Sold("Questions by phone and mail", "0", BillingType.ON_ACCEPTANCE, "As many as you have.",
         {"price_type": PriceType.INCLUDED}),
)  # fmt: skip


def sell(*, now: datetime) -> None:
    """Fill the library and draft, put out, accept and lose a few proposals. The caller commits."""
    services = _fill_library(now)
    homes = iter(db.session.scalars(select(Client).where(Client.archived_at.is_(None)).order_by(Client.id).limit(10)))
    _waits_behind_the_link(next(homes), services, now)
    _waits_with_packages(next(homes), services, now)
    _draft(next(homes), "Accounts and tax for the new year", services, ("Annual accounts", "Income tax return"), now)
    _draft(next(homes), "Payroll taken over", services, ("Payroll",), now)
    _accepted(next(homes), "Monthly books", services, ("Ledger set-up", "Bookkeeping", "GST return"), now)
    _accepted(next(homes), "Annual accounts", services, ("Annual accounts", "Income tax return"), now, by_phone=True)
    _completed(next(homes), "A company of their own", services, ("Company set-up",), now)
    _expired(next(homes), "Business valuation", services, ("Business valuation",), now)
    lost = _draft(next(homes), "Quarterly figures", services, ("Quarterly review",), now)
    proposals.mark_lost(lost, "Went with another firm", by=DEMO, now=now)


def _fill_library(now: datetime) -> dict[str, Service]:
    gst = library.add_tax_rate("GST 15 %", Decimal(15), by=DEMO, now=now, is_default=True)
    library.add_tax_rate("No GST", Decimal(0), by=DEMO, now=now)
    return {
        one.name: library.create_service(
            one.name, by=DEMO, now=now, price=Decimal(one.price), billing_type=one.billing,
            description=one.description, tax_rate_id=gst.id, **({"cadence": CadenceUnit.MONTH} | (one.more or {})),
        )
        for one in SERVICES
    }  # fmt: skip


def _draft(
    client: Client, name: str, services: dict[str, Service], chosen: tuple[str, ...], now: datetime, **fields: Any
) -> Proposal:
    firm = people.the_firm()
    assert firm is not None  # founded before anything is sold
    facts: dict[str, Any] = {
        "expires_on": schedule.today(now) + timedelta(days=30),
        "terms": TERMS,
        "message": MESSAGE,
    } | fields
    proposal = proposals.draft(client, name, by=DEMO, now=now, currency=firm.currency, **facts)
    for service in chosen:
        proposals.add_line(proposal, services[service], by=DEMO, now=now)
    return proposal


def _waits_behind_the_link(client: Client, services: dict[str, Service], now: datetime) -> None:
    chosen = ("Ledger set-up", "Bookkeeping", "Annual accounts", "Questions by phone and mail")
    proposal = _draft(client, "Your books and accounts, looked after", services, chosen, now)
    proposals.add_line(
        proposal, services["Payroll"], by=DEMO, now=now, quantity=Decimal(4), is_optional=True, is_taken=False
    )
    proposals.put_out(proposal, by=DEMO, now=now, zone=ZONE)
    proposals.give_link(proposal, PROPOSAL_TOKEN)


def _waits_with_packages(client: Client, services: dict[str, Service], now: datetime) -> None:
    proposal = _draft(client, "Two ways to work together", services, (), now, options=["Essential", "Complete"])
    for name, option in (("GST return", 1), ("Bookkeeping", 2), ("Quarterly review", 2), ("Income tax return", None)):
        proposals.add_line(proposal, services[name], by=DEMO, now=now, option=option)
    proposals.put_out(proposal, by=DEMO, now=now, zone=ZONE)


def _accepted(
    client: Client, name: str, services: dict[str, Service], chosen: tuple[str, ...], now: datetime,
    *, by_phone: bool = False,
) -> Proposal:  # fmt: skip
    proposal = _draft(client, name, services, chosen, now)
    proposals.put_out(proposal, by=DEMO, now=now, zone=ZONE)
    contact = client.default_contact
    signer = Signer(
        contact.name if contact else client.name, address="192.0.2.10", browser="a phone",
        on_behalf="Priya Sharma" if by_phone else None,
    )  # fmt: skip
    by = DEMO if by_phone else proposals.the_client_as(signer)
    proposals.accept(proposal, Choice(), signer, shown=None, by=by, now=now)
    return proposal


def _completed(client: Client, name: str, services: dict[str, Service], chosen: tuple[str, ...], now: datetime) -> None:
    proposal = _accepted(client, name, services, chosen, now)
    for service in proposals.outcome(proposal).services:
        if service.ended_at is None:
            schedule.end_service(service, by=DEMO, now=now)


def _expired(client: Client, name: str, services: dict[str, Service], chosen: tuple[str, ...], now: datetime) -> None:
    then = now - timedelta(days=31)
    last = schedule.today(now) - timedelta(days=1)
    proposal = _draft(client, name, services, chosen, then, expires_on=last)
    proposals.put_out(proposal, by=DEMO, now=then, zone=ZONE)
    proposals.expire(proposal, by=DEMO, now=now, zone=ZONE)
