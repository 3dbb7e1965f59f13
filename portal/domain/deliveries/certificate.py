"""The push-once certificate: what was sent when, what was answered, and the one record of the ledger it came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select

from portal.db import db
from portal.domain import connections, money
from portal.domain.apps import Connection
from portal.domain.csv_cells import Value
from portal.domain.deliveries.asking import of, of_payments
from portal.domain.deliveries.models import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.deliveries.recognising import GONE
from portal.domain.invoices.models import Invoice
from portal.domain.records import LedgerInvoice

NO_END = "no answer came: the process ended first"
ANSWERS = {
    "created": "created", "found": "found there", "nothing there": "nothing there", "refused": "refused",
    "lost": "the answer was lost", "not sent": "not sent", "unclear": "the answer cannot be understood",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One call or look-up. `answer` in words."""

    act: str  # sent, looked
    key: str
    began_at: datetime
    ended_at: datetime | None
    answer: str
    remote_id: str
    words: str
    by: str


@dataclass(frozen=True)
class Certificate:
    """One delivery of the invoice, or of a payment on it."""

    delivery_id: int
    what: str  # invoice, payment
    app: str
    account: str
    state: DeliveryState
    key: str
    mark: str
    made_at: datetime
    made_by: str
    delivered_at: datetime | None
    adopted: bool
    remote_id: str
    remote_number: str
    web_url: str
    steps: tuple[Step, ...]

    @property
    def sent(self) -> int:
        return sum(step.act == "sent" for step in self.steps)

    @property
    def looked(self) -> int:
        return sum(step.act == "looked" for step in self.steps)


def of_invoice(invoice: Invoice) -> list[Certificate]:
    """Of the invoice, then of its payments."""
    return [_certificate(row) for row in [*of(invoice), *of_payments(invoice)]]


def _certificate(row: Delivery) -> Certificate:
    query = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == row.id).order_by(DeliveryAttempt.id)
    steps = tuple(
        Step(one.act, one.key, one.began_at, one.ended_at, _answered(one, row), one.remote_id, one.words, one.by)
        for one in db.session.scalars(query)
    )
    return Certificate(
        row.id, row.kind, connections.label(row.connection), row.connection.account_name, DeliveryState(row.state),
        row.key, row.mark, row.made_at, row.made_by, row.delivered_at, row.adopted, row.remote_id or "",
        row.remote_number, row.web_url, steps,
    )  # fmt: skip


def _answered(one: DeliveryAttempt, row: Delivery) -> str:
    if one.ended_at is None:
        return "under way" if row.state == DeliveryState.SENDING else NO_END
    return ANSWERS.get(one.answer, one.answer)


@dataclass(frozen=True)
class Delivered:
    """An invoice of a period with its delivery, as plain values, to be compared with the ledger."""

    invoice_id: int
    number: str
    client: str
    issued_on: date
    currency: str
    total: Decimal
    is_void: bool
    mark: str
    state: DeliveryState
    remote_id: str
    attempts: int


def of_period(connection: Connection, first: date, last: date, after: int = 0, limit: int = 10_000) -> list[Delivered]:
    """Invoices issued from `first` to `last` that are meant for this ledger, by id; those that were withdrawn aside."""
    query = (
        select(Invoice, Delivery)
        .join(Delivery, Delivery.invoice_id == Invoice.id)
        .where(
            Delivery.connection_id == connection.id, Delivery.state != DeliveryState.WITHDRAWN,
            Invoice.issued_on >= first, Invoice.issued_on <= last, Invoice.id > after,
        )
        .order_by(Invoice.id)
        .limit(limit)
    )  # fmt: skip
    return [
        Delivered(
            one.id, one.number, one.client_name, one.issued_on, one.currency, one.total, one.voided_at is not None,
            row.mark, DeliveryState(row.state), row.remote_id or "", row.attempts,
        )
        for one, row in db.session.execute(query)
    ]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One invoice beside what the ledger shows. `verdict`: there once, missing, extra, not sent yet, differs, void."""

    invoice: Delivered
    there: tuple[LedgerInvoice, ...]
    verdict: str
    words: str


@dataclass(frozen=True)
class Comparison:
    """A period compared with the ledger as it stands at `compared_at`."""

    app: str
    account: str
    first: date
    last: date
    compared_at: datetime
    rows: tuple[Row, ...]

    def count(self, verdict: str) -> int:
        return sum(row.verdict == verdict for row in self.rows)

    @property
    def invoices(self) -> int:
        """Delivered ones: those the ledger must hold."""
        return sum(row.invoice.state == DeliveryState.DELIVERED for row in self.rows)

    @property
    def ledger_records(self) -> int:
        return sum(len(row.there) for row in self.rows)

    @property
    def extra(self) -> int:
        return sum(max(0, len(row.there) - 1) for row in self.rows)

    @property
    def missing(self) -> int:
        return self.count(MISSING)

    @property
    def is_clean(self) -> bool:
        """Each once, and as it is here."""
        return not self.extra and not self.missing and not self.count(DIFFERS)


ONCE, MISSING, EXTRA, NOT_YET, DIFFERS, VOID = "once", "missing", "extra", "not_yet", "differs", "void"
VERDICTS = {
    ONCE: "there once", MISSING: "missing there", EXTRA: "there more than once", NOT_YET: "not there yet",
    DIFFERS: "there once, but it differs", VOID: "void here, gone there",
}  # fmt: skip


def compare(ours: Sequence[Delivered], found: Iterable[LedgerInvoice], *, tells_void: bool = True) -> list[Row]:
    """Every invoice beside what the ledger shows under its id or its mark.

    Somebody else's invoice under the same number is not counted as ours. `tells_void`: whether the ledger says what
    was voided or deleted there.
    """
    by_id: dict[str, LedgerInvoice] = {}
    by_mark: dict[str, list[str]] = {}
    by_number: dict[str, list[LedgerInvoice]] = {}
    for one in found:
        if one.remote_id not in by_id:
            by_number.setdefault(one.number, []).append(one)
            if one.mark:
                by_mark.setdefault(one.mark, []).append(one.remote_id)
        by_id[one.remote_id] = one
    rows = []
    for own in ours:
        ids = dict.fromkeys([*([own.remote_id] if own.remote_id in by_id else []), *by_mark.get(own.mark, [])])
        there = tuple(by_id[remote_id] for remote_id in ids)
        others = [one for one in by_number.get(own.number, []) if one.remote_id not in ids and one.state not in GONE]
        rows.append(_judged(own, there, len(others), tells_void))
    return rows


def _judged(own: Delivered, there: tuple[LedgerInvoice, ...], others: int, tells_void: bool) -> Row:
    if len(there) > 1:
        return Row(own, there, EXTRA, f"{len(there)} records there carry its mark")
    if not there:
        if own.state != DeliveryState.DELIVERED:
            return Row(own, there, NOT_YET, "")
        if own.is_void:
            return Row(own, there, VOID, "it is void here, and its record is not shown there any more")
        return Row(own, there, MISSING, f"the record {own.remote_id} is not shown there any more")
    one = there[0]
    if own.state != DeliveryState.DELIVERED:
        return Row(own, there, NOT_YET, "it is there; the portal has not looked yet")
    if said := _differs(own, one, others, tells_void):
        return Row(own, there, DIFFERS, said)
    return Row(own, there, VOID if one.state in GONE else ONCE, one.state.value)


def _differs(own: Delivered, one: LedgerInvoice, others: int, tells_void: bool) -> str:
    """In words; empty: it does not. What is void on both sides is not compared: a ledger may empty what it voids."""
    if tells_void and one.state in GONE:
        return "" if own.is_void else f"it is {one.state.value} there, and not void here"
    if tells_void and own.is_void:
        return "it was voided here and still stands there; void it there too"
    said = []
    if one.number and one.number != own.number:
        said.append(f"its number is {one.number} there, {own.number} here")
    if one.total != own.total:
        total = money.said(one.total, one.currency or own.currency)
        said.append(f"its total is {total} there, {money.said(own.total, own.currency)} here")
    if one.currency and one.currency != own.currency:
        said.append(f"its currency is {one.currency} there, {own.currency} here")
    if others:
        said.append(f"{others} more there {'has' if others == 1 else 'have'} its number, without its sign")
    return "; ".join(said)


HEADINGS = ("Invoice", "Client", "Issued", "Currency", "Total", "State here", "Ledger id", "Ledger number",
            "Ledger total", "State there", "Verdict", "Note")  # fmt: skip


def as_table(comparison: Comparison) -> list[list[Value]]:
    """For CSV: the headings, then a row for each invoice."""
    table: list[list[Value]] = [list(HEADINGS)]
    for row in comparison.rows:
        own, one = row.invoice, row.there[0] if row.there else None
        table.append(
            [own.number, own.client, own.issued_on.isoformat(), own.currency, own.total, own.state.value,
             ", ".join(there.remote_id for there in row.there) or own.remote_id, one.number if one else "",
             one.total if one else None, one.state.value if one else "", VERDICTS[row.verdict], row.words]
        )  # fmt: skip
    return table
