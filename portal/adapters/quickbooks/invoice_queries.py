"""Reading invoices and payments: by number or by our sign, one, those that changed, all that are open.

The private note, where our sign is, cannot be asked for. Where invoices may stand under other numbers than ours, the
latest ones are read and looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from portal.adapters.base import NotThere, Session, UnexpectedReply
from portal.adapters.quickbooks import asking, invoice_reading, marks, queries, reading
from portal.adapters.quickbooks.company import Company
from portal.adapters.quickbooks.queries import MOST_CHANGES, PAGE
from portal.adapters.quickbooks.replies import NAME
from portal.adapters.values import NotUnderstood
from portal.domain.records import LedgerInvoice, LedgerPayment, PaymentOut, Quarantined
from portal.domain.text import BadText

LOOKED_THROUGH = timedelta(days=45)  # how far back a sign is looked for where numbers do not help
FEW = 5  # payments that are read one by one, which is fresher than a query

Invoices = Iterator[LedgerInvoice | Quarantined]
Payments = dict[str, tuple[LedgerPayment, ...]]  # by invoice


def found(
    session: Session, company: Company, numbers: Sequence[str], signs: Sequence[str], now: datetime
) -> list[LedgerInvoice]:
    """Every invoice of these numbers, and every one with these signs as far as it can be looked for.

    One that cannot be read raises: an answer that leaves it out would let it be written again.
    """
    rows = asking.named(session, "Invoice", "DocNumber", [number for number in dict.fromkeys(numbers) if number])
    missing = set(signs) - {_mark(raw) for raw in rows}
    if missing and company.may_have_unnumbered:
        rows += _signed(session, missing, session.by_vendor_clock(now) - LOOKED_THROUGH)
    known: dict[str, LedgerInvoice] = {}
    for raw in rows:
        one = _read(raw, company)
        known[one.remote_id] = one
    return list(known.values())


def one_invoice(session: Session, company: Company, remote_id: str) -> LedgerInvoice:
    """With its payments. Raises `NotThere`."""
    raw = asking.one(session, "Invoice", remote_id)
    paid = [one for one in _payments(session, company, _linked(raw)) if one.invoice_id == remote_id and not one.is_void]
    return _read(raw, company, tuple(paid))


def open_invoices(session: Session, company: Company) -> Invoices:
    for raw in asking.by_change(session, "Invoice", "Balance > '0'", None):
        yield invoice_reading.invoice_or_quarantine(raw, company.home)


def changed_invoices(session: Session, company: Company, since: datetime) -> Invoices:
    """Those that changed, and those whose payments did: the vendor may not count the one as the other."""
    changed = asking.changes(session, "Invoice", since)
    given: set[str] = set()
    for raw in changed:
        given.add(_key(raw))
        yield invoice_reading.invoice_or_quarantine(raw, company.home)
    if len(changed) >= MOST_CHANGES:
        yield from _also(session, company, given, asking.by_change(session, "Invoice", "", since))
    yield from _by_payments(session, company, given, asking.changes(session, "Payment", since), since)


def invoices_since(session: Session, company: Company, since: datetime) -> Invoices:
    """The same where the vendor's list of changes does not reach; deleted ones are not in it."""
    given: set[str] = set()
    yield from _also(session, company, given, asking.by_change(session, "Invoice", "", since))
    paid = list(asking.by_change(session, "Payment", "", since))
    yield from _paid_by(session, company, given, paid)


def payments_on(session: Session, company: Company, one: PaymentOut) -> list[LedgerPayment]:
    """Those the invoice names, and those of that customer and day, where ours would be if it had come loose."""
    linked = _payments(session, company, _linked(asking.one(session, "Invoice", one.invoice_id)))
    known = {(paid.remote_id, paid.invoice_id): paid for paid in linked if paid.invoice_id == one.invoice_id}
    where = f"CustomerRef = {queries.quoted(one.customer_id)} AND TxnDate = {queries.quoted(one.paid_on.isoformat())}"
    for raw in asking.some(session, "Payment", where):
        for paid in _payments_in(raw, company):
            if paid.invoice_id == one.invoice_id or paid.mark == one.mark:
                known.setdefault((paid.remote_id, paid.invoice_id), paid)
    return list(known.values())


def _signed(session: Session, wanted: set[str], back_to: datetime) -> list[Any]:
    """Those with these signs among the ones created since, newest first, until all are found."""
    rows: list[Any] = []
    missing, position = set(wanted), 1
    where = f"MetaData.CreateTime >= '{queries.literal(back_to)}'"
    for _ in range(asking.MOST_PAGES):
        page = asking.some(session, "Invoice", where, order="MetaData.CreateTime DESC", start=position)
        mine = [raw for raw in page if _mark(raw) in wanted]
        rows += mine
        missing -= {_mark(raw) for raw in mine}
        if not missing or len(page) < PAGE:
            return rows
        # Those created meanwhile push the others back, so pages overlap rather than leave one out.
        position += len(page)
    raise UnexpectedReply(f"{NAME}'s list of invoices does not end.", status=200)


def _by_payments(session: Session, company: Company, given: set[str], changed: list[Any], since: datetime) -> Invoices:
    if len(changed) >= MOST_CHANGES:
        changed += list(asking.by_change(session, "Payment", "", since))
    yield from _paid_by(session, company, given, changed)


def _paid_by(session: Session, company: Company, given: set[str], payments: list[Any]) -> Invoices:
    """The invoices of these payments that were not given yet. A deleted payment no longer says what it paid."""
    wanted: dict[str, None] = {}
    for raw in payments:
        if reading.is_deleted(raw):
            continue
        try:
            wanted |= {one.invoice_id: None for one in invoice_reading.payments_of(raw, company.home)}
        except (NotUnderstood, BadText):
            continue  # the invoice itself tells what is open on it
    left = [one for one in wanted if one and one not in given]
    yield from _also(session, company, given, iter(asking.named(session, "Invoice", "Id", left)))


def _also(session: Session, company: Company, given: set[str], rows: Iterator[Any]) -> Invoices:
    for raw in rows:
        if _key(raw) not in given:
            given.add(_key(raw))
            yield invoice_reading.invoice_or_quarantine(raw, company.home)


def _payments(session: Session, company: Company, wanted: list[str]) -> list[LedgerPayment]:
    if len(wanted) > FEW:
        rows = asking.named(session, "Payment", "Id", wanted)
    else:
        rows = [raw for remote_id in wanted for raw in _payment_if_there(session, remote_id)]
    return [paid for raw in rows for paid in _payments_in(raw, company)]


def _payment_if_there(session: Session, remote_id: str) -> list[Any]:
    try:
        return [asking.one(session, "Payment", remote_id)]
    except NotThere:
        return []  # deleted since the invoice was read


def _payments_in(raw: object, company: Company) -> list[LedgerPayment]:
    try:
        return invoice_reading.payments_of(raw, company.home)
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave a payment that cannot be understood: {error}", status=200) from error


def _linked(raw: object) -> list[str]:
    try:
        return invoice_reading.payment_ids(raw)
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave an invoice that cannot be understood: {error}", status=200) from error


def _read(raw: object, company: Company, payments: tuple[LedgerPayment, ...] | None = None) -> LedgerInvoice:
    try:
        return invoice_reading.invoice(raw, company.home, payments)
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave an invoice that cannot be understood: {error}", status=200) from error


def _mark(raw: object) -> str:
    return marks.mark_in(str(raw.get("PrivateNote") or "")) if isinstance(raw, dict) else ""


def _key(raw: object) -> str:
    return reading.key_of(raw)
