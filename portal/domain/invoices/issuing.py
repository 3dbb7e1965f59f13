"""Billing items become an invoice: at most one each, ever, under a number without gaps.

Everything happens in the caller's transaction: with the invoice come its lines, its number, the items' state, its place
in the log and its delivery, or none of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, ledgers, money
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection
from portal.domain.clients import Client
from portal.domain.invoices.models import Invoice, InvoiceLine
from portal.domain.invoices.numbering import INVOICE, take_number
from portal.domain.invoices.paying import count_one_offs
from portal.domain.people import the_firm
from portal.domain.records import TaxMode
from portal.domain.schedule.models import BillingItem, ItemState

_MARKS = uuid.UUID("5c5f3b2e-6d0e-5b7c-9d8a-3f0f6a1c2b4d")
DUE_DAYS = 14  # where no ledger says otherwise


class AlreadyBilled(Exception):
    """An item that was billed or cancelled since somebody looked; `item` is as it now stands (BS-09)."""

    def __init__(self, item: BillingItem) -> None:
        super().__init__(f"{item.name} is {item.state.value} already")
        self.item = item


class CannotIssue(ValueError):
    """These items make no invoice; the text says why, for a person."""


def issue(
    client: Client,
    items: Sequence[BillingItem],
    *,
    on: date,
    by: Actor,
    now: datetime,
    is_automatic: bool,
    due_on: date | None = None,
    memo: str = "",
    tax_mode: TaxMode = TaxMode.EXCLUSIVE,
) -> Invoice:
    """One invoice of these items, dated `on` (a day of the firm's), and its way into the client's ledger begun.

    `due_on` None: as many days later as the ledger's settings say. Raises `AlreadyBilled` for an item that is not open
    any more, `CannotIssue` (a ValueError) for items that cannot stand on one invoice or come to no possible amount.
    """
    held = _locked(items)
    currency = _one_kind(client, held)
    connection = ledgers.settle(client, now=now)
    invoice = Invoice(
        mark=mark_of(item.mark for item in held), client_id=client.id, client_name=client.name,
        proposal_id=_only({item.proposal_id for item in held}), connection_id=connection.id if connection else None,
        issued_on=on, due_on=due_on or on + timedelta(days=_days_to_pay(connection, held)), currency=currency,
        tax_mode=tax_mode.value, rounding=ledgers.rounding_of(connection), reference=held[0].reference, memo=memo,
        pay_by=held[0].pay_by, is_automatic=is_automatic, created_at=now, created_by=by.name,
    )  # fmt: skip
    if invoice.due_on < on:
        raise CannotIssue("An invoice cannot be due before it is issued.")
    _fill(invoice, held)
    invoice.number = take_number(INVOICE)
    db.session.add(invoice)
    for item in held:
        item.state = ItemState.BILLED
        item.version += 1
    db.session.flush()
    _tell(invoice, by=by, now=now)
    if invoice.paid_at is not None:
        count_one_offs(invoice, -1, by=by, now=now)
    if connection is not None:
        from portal.domain import deliveries  # it imports this package

        deliveries.ask(invoice, connection, by=by, now=now)
    return invoice


def mark_of(item_marks: Iterable[str]) -> str:
    """The sign on an invoice that bills these items: the same wherever and whenever it is made again."""
    return uuid.uuid5(_MARKS, " ".join(sorted(item_marks))).hex


def currency_of(item: BillingItem) -> str:
    """What it is priced in; the firm's own currency where it says nothing."""
    firm = the_firm()
    return item.currency or (firm.currency if firm else "")


def lines_of(items: Sequence[BillingItem], currency: str) -> list[InvoiceLine]:
    """The lines these items become, without what they come to. Raises `money.NotAllowed`."""
    return [_line(item, place, currency) for place, item in enumerate(items, start=1)]


def total_up(lines: Sequence[InvoiceLine], *, mode: TaxMode, rounding: str, currency: str) -> money.Totals:
    """What the lines come to, written on each of them. Raises `money.NotAllowed`."""
    sums = money.total_up(
        [
            money.Line(line.quantity, line.price, line.discount, line.tax_percent, str(line.tax_rate_id or ""))
            for line in lines
        ],
        mode=mode, rounding=rounding, currency=currency,
    )  # fmt: skip
    for line, found in zip(lines, sums.lines, strict=True):
        line.net, line.tax = found.net, found.tax
    return sums


def _locked(items: Sequence[BillingItem]) -> list[BillingItem]:
    """The items as the database has them now, nobody else's until the transaction ends; in the order given."""
    db.session.flush()
    ids = [item.id for item in items]
    if not ids or len(set(ids)) != len(ids):
        raise CannotIssue("An invoice needs something to bill, and each thing once.")
    query = select(BillingItem).where(BillingItem.id.in_(ids)).order_by(BillingItem.id)
    fresh = db.session.scalars(query.with_for_update().execution_options(populate_existing=True))
    by_id = {item.id: item for item in fresh}
    held = [by_id[one] for one in ids]
    for item in held:
        if item.state != ItemState.OPEN:
            raise AlreadyBilled(item)
    return held


def _one_kind(client: Client, items: Sequence[BillingItem]) -> str:
    """The currency of items that can stand on one invoice. Raises `CannotIssue`."""
    if client.is_archived:
        raise CannotIssue(f"{client.name} is archived. Bring the client back before invoicing it.")
    if any(item.client_id != client.id for item in items):
        raise CannotIssue("One invoice bills one client.")
    for what, values in (
        ("references", {item.reference for item in items}),
        ("ways of paying", {item.pay_by for item in items}),
        ("currencies", currencies := {currency_of(item) for item in items}),
    ):
        if len(values) > 1:
            raise CannotIssue(f"One invoice cannot have different {what}; make several of them.")
    return next(iter(currencies))


def _days_to_pay(connection: Connection | None, items: Sequence[BillingItem]) -> int:
    """After the invoice date; recurring services may have terms of their own (XE-06)."""
    if connection is None:
        return DUE_DAYS
    settings = ledgers.settings_of(connection)
    return settings.due_days_recurring if all(item.period is not None for item in items) else settings.due_days


def _fill(invoice: Invoice, items: Sequence[BillingItem]) -> None:
    try:
        lines = lines_of(items, invoice.currency)
        sums = total_up(lines, mode=TaxMode(invoice.tax_mode), rounding=invoice.rounding, currency=invoice.currency)
    except money.NotAllowed as problem:
        raise CannotIssue(str(problem)) from problem
    if sums.total < 0:
        amount = money.said(sums.total, invoice.currency)
        raise CannotIssue(f"The invoice would come to {amount}. An invoice cannot be less than nothing.")
    invoice.lines = lines
    invoice.net, invoice.tax, invoice.total, invoice.paid = sums.net, sums.tax, sums.total, Decimal(0)
    if not sums.total:  # nothing is owed, so it is never overdue
        invoice.paid_at, invoice.paid_how = invoice.created_at, "nothing"


def _line(item: BillingItem, place: int, currency: str) -> InvoiceLine:
    try:
        off = money.discount_of(item.quantity, item.price, item.discount, item.discount_is_percent, currency)
    except money.NotAllowed as problem:
        raise money.NotAllowed(f"{item.name}: {problem}") from problem
    rate = item.tax_rate
    return InvoiceLine(
        position=place, billing_item_id=item.id, service_id=item.service_id, name=item.name,
        description=item.description, quantity=item.quantity, unit=item.unit, price=item.price, discount=off,
        discount_percent=item.discount if item.discount_is_percent and item.discount else None,
        tax_rate_id=item.tax_rate_id, tax_name=rate.name if rate else "",
        tax_percent=rate.percent if rate else Decimal(0),
    )  # fmt: skip


def _tell(invoice: Invoice, *, by: Actor, now: datetime) -> None:
    verb = Verb.INVOICE_CREATED if invoice.is_automatic else Verb.INVOICE_CREATED_BY_HAND
    activity.record(
        verb, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id, proposal_id=invoice.proposal_id,
        user=by.name, number=invoice.number, amount=money.said(invoice.total, invoice.currency),
    )  # fmt: skip


def _only(ids: set[int | None]) -> int | None:
    """The one proposal all of it comes from; None when there is none or there are several."""
    return next(iter(ids)) if len(ids) == 1 else None
