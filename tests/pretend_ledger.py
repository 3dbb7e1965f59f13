"""The pretend app with books: invoices and payments, kept as strictly or as loosely as a test wants.

made = pretend_ledger(monkeypatch, refuses_used_numbers=True)
made.app.lose("invoices")          # the next call is carried out and its answer lost
made.app.lose("invoices", done=False)
made.app.refuse("invoices", RateLimited(…))
made.app.unseen_for = timedelta(seconds=60)   # look-ups do not show what is younger
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from portal import integrations
from portal.adapters.base import AdapterError, Moment, NotThere, Unknown
from portal.adapters.ledger import InvoiceRefused, LedgerInfo, Rounding
from portal.db import db
from portal.domain.apps import ways
from portal.domain.records import (
    Cause,
    ClientRecord,
    InvoiceOut,
    InvoiceState,
    LedgerInvoice,
    LedgerLists,
    LedgerPayment,
    ListKind,
    PaymentOut,
)
from tests.cast import make_connection, person
from tests.cast_deliveries import make_ready
from tests.pretend_app import INFO, Books, install
from tests.strict_ledger import _LONG_AGO, BATCH, Ledger

KEPT_KEYS = 10_000
BOOKS = LedgerInfo(
    invoice_batch=BATCH, payment_batch=BATCH, look_up_batch=50, rounding=Rounding.EACH_LINE,
    lists=(ListKind.ACCOUNT, ListKind.TAX, ListKind.PAY_INTO), line_goes_to=ListKind.ACCOUNT,
    target_word="sales account",
)  # fmt: skip


@dataclass
class LedgerBooks(Ledger):
    """`keeps_marks` False: look-ups do not show our sign. `keeps_keys` False: it forgets idempotency keys at once."""

    ledger: LedgerInfo = BOOKS
    invoices: dict[str, LedgerInvoice] = field(default_factory=dict)
    payments: dict[str, LedgerPayment] = field(default_factory=dict)
    refuse_invoice: dict[str, AdapterError] = field(default_factory=dict)  # by number
    lose_one: set[str] = field(default_factory=set)  # numbers the answer leaves away
    keeps_marks: bool = True
    keeps_keys: bool = True
    meanwhile: Callable[[], None] | None = None  # happens while the next call is under way

    def create_invoices(self, session: Any, invoices: Sequence[InvoiceOut]) -> list[LedgerInvoice | AdapterError]:
        return self._called("invoices", self.ledger.invoice_batch, [(one, self._invoice) for one in invoices])

    def create_payments(self, session: Any, payments: Sequence[PaymentOut]) -> list[LedgerPayment | AdapterError]:
        return self._called("payments", self.ledger.payment_batch, [(one, self._payment) for one in payments])

    def _called(self, what: str, most: int, each: list[tuple[Any, Callable[[Any], Any]]]) -> list[Any]:
        assert 0 < len(each) <= most
        assert not db.session().in_transaction(), "a call inside a transaction"
        self.calls.append(what)
        self.sizes[what].append(len(each))
        self._maybe_refuse(what)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return self._lossy(what, lambda: [act(one) for one, act in each])

    def _invoice(self, one: InvoiceOut) -> LedgerInvoice | AdapterError:
        assert len(one.key) <= 36
        if self.keeps_keys and one.key in self._answered:
            return self._answered[one.key]
        made = self._new_invoice(one)
        self._answered[one.key] = made
        return made

    def _new_invoice(self, one: InvoiceOut) -> Any:
        if one.number in self.refuse_invoice:
            return self.refuse_invoice[one.number]
        if one.customer_id not in self.records:
            return InvoiceRefused("The customer is not there.", cause=Cause.CUSTOMER_GONE)
        if self.ledger.writes_by_mark and one.mark in self.marks():
            return next(there for there in self.invoices.values() if there.mark == one.mark)
        if self.ledger.refuses_used_numbers and one.number in self.numbers():
            return InvoiceRefused("The number is used.", cause=Cause.NUMBER_USED)
        made = LedgerInvoice(
            remote_id=f"invoice-{len(self.invoices) + 1}", number=one.number, state=InvoiceState.OPEN,
            customer_id=one.customer_id, customer_name=one.customer_name, issued_on=one.issued_on, due_on=one.due_on,
            currency=one.currency, net=one.net, tax=one.tax, total=one.total, paid=Decimal(0), due=one.total,
            mark=one.mark, web_url=f"https://pretend.example/{one.number}",
        )  # fmt: skip
        self.invoices[made.remote_id] = made
        self._born[made.remote_id] = datetime.now(UTC)
        if one.number in self.lose_one:
            self.lose_one.discard(one.number)
            return Unknown("The answer does not speak of it.")
        return made

    def _payment(self, one: PaymentOut) -> LedgerPayment | AdapterError:
        if one.invoice_id not in self.invoices:
            return InvoiceRefused("The invoice is not there.", cause=Cause.OTHER)
        made = LedgerPayment(
            remote_id=f"payment-{len(self.payments) + 1}", invoice_id=one.invoice_id, amount=one.amount,
            currency=one.currency, paid_on=one.paid_on, reference=one.reference, mark=one.mark,
        )  # fmt: skip
        self.payments[made.remote_id] = made
        self._born[made.remote_id] = datetime.now(UTC)
        return made

    def find_invoices(self, session: Any, numbers: Sequence[str], marks: Sequence[str]) -> list[LedgerInvoice]:
        assert not db.session().in_transaction(), "a call inside a transaction"
        assert len(numbers) <= self.ledger.look_up_batch
        self.calls.append("look")
        self._maybe_refuse("look")
        found = [one for one in self.invoices.values() if one.number in numbers or one.mark in marks]
        shown = [one for one in found if self._shows(one.remote_id)]
        return shown if self.keeps_marks else [replace(one, mark="") for one in shown if one.number in numbers]

    def find_payments(self, session: Any, payment: PaymentOut) -> list[LedgerPayment]:
        self.calls.append("look")
        self._maybe_refuse("look")
        return [
            one for one in self.payments.values()
            if one.invoice_id == payment.invoice_id and self._shows(one.remote_id)
        ]  # fmt: skip

    def fetch_invoice(self, session: Any, remote_id: str) -> LedgerInvoice:
        if remote_id not in self.invoices:
            raise NotThere("gone")
        return self.invoices[remote_id]

    def fetch_invoices(self, session: Any, since: datetime | None) -> Iterator[LedgerInvoice]:
        """All there are, whatever changed."""
        self.calls.append("list")
        yield from list(self.invoices.values())

    def fetch_lists(self, session: Any) -> LedgerLists:
        return LedgerLists(())

    def _shows(self, remote_id: str) -> bool:
        return datetime.now(UTC) - self._born.get(remote_id, _LONG_AGO) >= self.unseen_for

    def numbers(self) -> list[str]:
        return sorted(one.number for one in self.invoices.values())

    def marks(self) -> list[str]:
        return sorted(one.mark for one in self.invoices.values())

    def put_invoice(self, number: str, **values: Any) -> LedgerInvoice:
        """Somebody else's."""
        made = LedgerInvoice(
            remote_id=f"theirs-{len(self.invoices) + 1}", number=number, state=InvoiceState.OPEN, customer_id="x",
            customer_name="Somebody Else Ltd", issued_on=None, due_on=None, currency="NZD", net=None, tax=None,
            total=Decimal(7), paid=Decimal(0), due=Decimal(7),
        )  # fmt: skip
        self.invoices[made.remote_id] = replace(made, **values)
        return self.invoices[made.remote_id]


@dataclass
class LedgerAccount(Books):
    """A connection to it."""

    app: LedgerBooks


def pretend_ledger(
    monkeypatch: pytest.MonkeyPatch, records: Iterable[ClientRecord] = (), *, info: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None, **rules: Any,
) -> LedgerAccount:  # fmt: skip
    """A connected account, mapped and ready. `rules` are those of `LedgerInfo`; `info` those of the app."""
    about = {"batch": BATCH, "new_clients": (Moment.FIRST_INVOICE, Moment.AT_ONCE)} | (info or {})
    app = LedgerBooks(replace(INFO, **about), ledger=replace(BOOKS, **rules))
    app.put(*records)
    install(monkeypatch, app)
    monkeypatch.setitem(ways._WAYS, app.info.slug, integrations._ways(app))
    person("admin")
    connection = make_connection(
        app.info.slug, "Kauri Books Ltd", enabled_at=datetime.now(UTC), settings=settings or {}
    )
    make_ready(connection)
    db.session.commit()
    return LedgerAccount(app, connection.id)
