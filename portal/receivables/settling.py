"""One invoice as the ledger tells it, taken in: paid, part paid, paid no more, voided, deleted, changed.

What was read is compared with what is known, so the same reading twice does nothing, and an older one than the last is
left alone. A payment made here that shows up there is matched, never counted again (fault row 61).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.db import db
from portal.domain import activity, connections, deliveries, invoices, money
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice, Payment
from portal.domain.invoices.paying import day_text
from portal.domain.ledgers import LedgerRecord
from portal.domain.nights import local_date
from portal.domain.people import the_firm
from portal.domain.records import InvoiceState, LedgerInvoice, LedgerPayment

GONE_STATES = (InvoiceState.VOIDED, InvoiceState.DELETED)


def known_invoices(connection_id: int, remote_ids: Collection[str] | None) -> list[str]:
    """Which of these invoices of the ledger are ours; None: all of ours that are still open here."""
    query = select(Delivery.remote_id).where(
        Delivery.connection_id == connection_id, Delivery.kind == "invoice", Delivery.state == DeliveryState.DELIVERED
    )
    if remote_ids is None:
        query = query.join(Invoice, Invoice.id == Delivery.invoice_id).where(
            Invoice.paid_at.is_(None), Invoice.voided_at.is_(None)
        )
    else:
        query = query.where(Delivery.remote_id.in_(remote_ids))
    return [one for one in db.session.scalars(query) if one]


def may_be_on_its_way(connection_id: int, remote_id: str) -> bool:
    """Whether nobody here knows this invoice of the ledger, and it may be one of ours whose answer is not on record."""
    under_way = select(Delivery.id).where(
        Delivery.connection_id == connection_id, Delivery.kind == "invoice", Delivery.state.in_(deliveries.OPEN),
        Delivery.sent_at.is_not(None),
    )  # fmt: skip
    found = not known_invoices(connection_id, [remote_id]) and db.session.scalar(under_way.limit(1)) is not None
    db.session.commit()
    return found


def of_payment(connection_id: int, remote_id: str) -> str | None:
    """The ledger's id of the invoice a known payment is on; None: we do not know the payment."""
    return db.session.scalar(
        select(Delivery.remote_id)
        .join(Payment, Payment.invoice_id == Delivery.invoice_id)
        .where(
            Payment.connection_id == connection_id, Payment.remote_id == remote_id,
            Delivery.connection_id == connection_id, Delivery.kind == "invoice",
        )
    )  # fmt: skip


def take_in(connection_id: int, told: LedgerInvoice, *, by: Actor, now: datetime) -> str:
    """Bring our invoice up to what the ledger says; one commit. Says what changed; empty: it is none of ours."""
    invoice = _ours(connection_id, told.remote_id)
    if invoice is None:
        _note_sign(connection_id, told, now)
        db.session.commit()
        return ""
    connection = connections.get(connection_id)
    assert connection is not None  # connections are never deleted
    record = _record(connection_id, told, invoice, now)
    if _is_older(record, told):
        db.session.commit()
        return "older than what is known"
    said = _settle(invoice, told, record, connection, by, now)
    _remember(record, told, now)
    db.session.commit()
    return ", ".join(said) or "nothing new"


def _note_sign(connection_id: int, told: LedgerInvoice, now: datetime) -> None:
    """It bears a sign like ours, and nobody here knows it: sent before this portal was put back to a backup, or
    just now by a call whose answer is under way. Whoever is about to send something under that sign finds it so (fault
    row 10).
    """
    if not told.mark or told.state in GONE_STATES:
        return
    known = select(LedgerRecord.id).where(
        LedgerRecord.connection_id == connection_id, LedgerRecord.remote_id == told.remote_id
    )
    if db.session.scalar(known) is not None:
        return
    kept = LedgerRecord(
        connection_id=connection_id, remote_id=told.remote_id, invoice_id=None, mark=told.mark, differs="",
        state=told.state, total=told.total, due=told.due, paid=told.paid, read_at=now,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(kept)
    except IntegrityError:  # another worker read it at the same moment
        return
    _remember(kept, told, now)


def gone(connection_id: int, remote_id: str, *, by: Actor, now: datetime) -> str:
    """The ledger no longer has this invoice. One commit."""
    invoice = _ours(connection_id, remote_id)
    connection = connections.get(connection_id)
    if invoice is None or connection is None:
        db.session.commit()
        return "an invoice this portal did not make"
    if not _tells_payments(connection):  # such a ledger shows it late, or not at all once it was reworded there
        db.session.commit()
        return "not found there, from which nothing follows"
    if invoice.voided_at is None:
        invoices.deleted_there(invoice, connection, by=by, now=now)
    record = db.session.scalar(
        select(LedgerRecord).where(LedgerRecord.connection_id == connection_id, LedgerRecord.remote_id == remote_id)
    )
    if record is not None:
        record.state, record.read_at = InvoiceState.DELETED, now
    db.session.commit()
    return "deleted there"


def _ours(connection_id: int, remote_id: str) -> Invoice | None:
    return db.session.scalar(
        select(Invoice)
        .join(Delivery, Delivery.invoice_id == Invoice.id)
        .where(
            Delivery.connection_id == connection_id, Delivery.kind == "invoice", Delivery.remote_id == remote_id,
            Delivery.state == DeliveryState.DELIVERED,
        )
        .with_for_update(of=Invoice)
    )  # fmt: skip


def _record(connection_id: int, told: LedgerInvoice, invoice: Invoice, now: datetime) -> LedgerRecord:
    kept = db.session.scalar(
        select(LedgerRecord).where(
            LedgerRecord.connection_id == connection_id, LedgerRecord.remote_id == told.remote_id
        )
    )
    if kept is None:
        kept = LedgerRecord(
            connection_id=connection_id, remote_id=told.remote_id, invoice_id=invoice.id, differs="",
            state=InvoiceState.OPEN, total=told.total, due=told.total, paid=Decimal(0), read_at=now,
        )  # fmt: skip
        db.session.add(kept)
    kept.invoice_id = invoice.id
    return kept


def _is_older(record: LedgerRecord, told: LedgerInvoice) -> bool:
    return record.changed_at is not None and told.changed_at is not None and told.changed_at < record.changed_at


def _remember(record: LedgerRecord, told: LedgerInvoice, now: datetime) -> None:
    record.number, record.state, record.currency = told.number, told.state.value, told.currency
    record.total, record.paid, record.due = told.total, told.paid, told.due
    record.web_url = told.web_url or record.web_url or ""
    record.revision = told.revision
    record.changed_at = told.changed_at or record.changed_at
    record.read_at = now


def _settle(
    invoice: Invoice, told: LedgerInvoice, record: LedgerRecord, connection: Connection, by: Actor, now: datetime
) -> list[str]:
    said = []
    if told.state in GONE_STATES:
        if invoice.voided_at is None:
            is_void = told.state == InvoiceState.VOIDED
            (invoices.voided_there if is_void else invoices.deleted_there)(invoice, connection, by=by, now=now)
            said.append("voided there" if is_void else "deleted there")
        return said
    differs = difference(invoice, told)
    if differs != record.differs:
        record.differs = differs
        if differs:
            _note_difference(invoice, differs, connection, by, now)
            said.append("differs")
    if not _tells_payments(connection):  # a payment missing from what it shows was not taken back
        return said
    if told.payments is not None:
        said += _payments(invoice, told, connection, by, now)
    else:
        said += _sums(invoice, told, connection, by, now)
    return said


def _tells_payments(connection: Connection) -> bool:
    ways = connection.ways.ledger
    return ways is None or ways.tells_payments


def difference(invoice: Invoice, told: LedgerInvoice) -> str:
    """How the ledger's invoice differs from ours, in words; empty: not in anything that matters (MD-01)."""
    parts = []
    if told.currency and told.currency != invoice.currency:
        parts.append(f"currency {told.currency} instead of {invoice.currency}")
    if told.total != invoice.total:
        parts.append(f"total {_said(told.total, invoice)} instead of {_said(invoice.total, invoice)}")
    elif told.tax is not None and told.tax != invoice.tax:
        parts.append(f"tax {_said(told.tax, invoice)} instead of {_said(invoice.tax, invoice)}")
    if told.number and told.number != invoice.number:
        parts.append(f"number {told.number} instead of {invoice.number}")
    odd = [one for one in told.payments or () if not one.is_void and (one.amount <= 0 or _is_foreign(one, invoice))]
    if odd:
        said = ", ".join(f"{one.amount:f} {one.currency}".strip() for one in odd)
        parts.append(f"payments that cannot be counted here ({said})")
    if told.due_on is not None and told.due_on != invoice.due_on:
        parts.append(f"due on {day_text(told.due_on)} instead of {day_text(invoice.due_on)}")
    return ", ".join(parts)


def _is_foreign(payment: LedgerPayment, invoice: Invoice) -> bool:
    return bool(payment.currency) and payment.currency != invoice.currency


def _said(amount: Decimal, invoice: Invoice) -> str:
    return money.said(amount, invoice.currency)


def _note_difference(invoice: Invoice, how: str, connection: Connection, by: Actor, now: datetime) -> None:
    activity.record(
        Verb.INVOICE_DIFFERS_THERE, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id,
        connection_id=connection.id, app=connections.label(connection), how=how,
    )  # fmt: skip


def _payments(invoice: Invoice, told: LedgerInvoice, connection: Connection, by: Actor, now: datetime) -> list[str]:
    """Each payment of the ledger is one of ours, matched, or a new one; one that went there is reversed here."""
    said = []
    there = {one.remote_id: one for one in told.payments or () if not one.is_void}
    known = [one for one in invoice.payments if one.connection_id == connection.id and one.remote_id]
    for payment in known:
        if payment.remote_id not in there and invoices.reverse_payment(payment, by=by, now=now):
            said.append("a payment taken back there")
    for one in there.values():
        if _note(invoice, one, connection, by, now):
            said.append("paid there")
    return said


def _note(invoice: Invoice, told: LedgerPayment, connection: Connection, by: Actor, now: datetime) -> bool:
    """Whether it is a payment nobody knew of. One that cannot count here is left to the invoice's difference."""
    if told.amount <= 0 or _is_foreign(told, invoice):
        return False
    noted = invoices.note_payment(
        invoice, told.amount, told.paid_on or _today(now), how="ledger", method=connections.label(connection),
        reference=told.reference, connection=connection, remote_id=told.remote_id, mark=told.mark,
        currency=told.currency, by=by, now=now,
    )  # fmt: skip
    if not noted.is_new:
        deliveries.read_back(noted.payment.id, connection.id, now)
    return noted.is_new


def _sums(invoice: Invoice, told: LedgerInvoice, connection: Connection, by: Actor, now: datetime) -> list[str]:
    """The ledger tells only how much is paid: what is more than we know of came in there.

    Credit notes count as paid: nothing more is to be collected for them.
    """
    settled = told.paid + told.credited
    known = sum((one.amount for one in invoice.payments if one.reversed_at is None), Decimal(0))
    if settled <= known:
        return []
    loose = LedgerPayment(
        remote_id=f"{told.remote_id}:{settled.normalize():f}", invoice_id=told.remote_id, amount=settled - known,
        currency=told.currency, paid_on=None,
    )  # fmt: skip
    return ["paid there"] if _note(invoice, loose, connection, by, now) else []


def _today(now: datetime) -> date:
    firm = the_firm()
    return local_date(now, firm.time_zone if firm else "UTC")
