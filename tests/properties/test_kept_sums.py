"""What is kept about invoices while they change is what counting them gives, whatever happens to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from sqlalchemy import func, select, update

from portal.db import db
from portal.domain import invoices
from portal.domain.invoices import CannotSettle, CannotVoid, Filters, Invoice, InvoiceSum, Source, kept
from tests.cast import COMMAND, make_client, make_connection, now
from tests.cast_invoices import TODAY, make_invoice, make_item

pytestmark = pytest.mark.usefixtures("database", "clock")
SEEN_ON = (TODAY, TODAY + timedelta(days=10), TODAY + timedelta(days=45))
VIEWS = (
    *(Filters(standing=standing) for standing in invoices.STANDING_WORDS), Filters(with_voided=True),
    Filters(source="ledger"),
)  # fmt: skip
BY: dict[str, Any] = {"by": COMMAND, "now": now()}


class Book:
    """The invoices of one story, and what can happen to them."""

    def __init__(self) -> None:
        self.client, self.ledger = make_client("Acme"), make_connection("xero")
        self.made: list[Invoice] = []

    def issue(self, amount: Decimal, days: int) -> None:
        item = make_item(self.client, price=str(amount), currency="NZD" if days % 3 else "JPY")
        self.made.append(make_invoice(self.client, item, due_on=TODAY + timedelta(days=abs(days))))

    def issue_nothing(self, _amount: Decimal, _days: int) -> None:
        self.made.append(make_invoice(self.client, make_item(self.client, price="0")))

    def happen(self, act: str, which: int, amount: Decimal, days: int) -> None:
        """Refusals are part of a story; each act is undone alone, as in acts on many invoices."""
        if act in ("issue", "issue_nothing"):
            getattr(self, act)(amount, days)
        elif self.made:
            try:
                with db.session.begin_nested():
                    ACTS[act](self, self.made[which % len(self.made)], amount)
            except (CannotSettle, CannotVoid, LookupError):
                pass


def _undone(book: Book, invoice: Invoice, amount: Decimal) -> None:
    _pay(book, invoice, amount)
    db.session.flush()
    raise LookupError("the power was cut")


def _pay(_book: Book, invoice: Invoice, _amount: Decimal) -> None:
    invoices.mark_paid(invoice, paid_on=TODAY, method="cash", reference="", write_to_ledger=False, **BY)


def _told(book: Book, invoice: Invoice, amount: Decimal) -> None:
    remote = f"there-{invoice.id}-{amount}"
    invoices.note_payment(invoice, amount, TODAY, connection=book.ledger, remote_id=remote, **BY)


def _reverse(_book: Book, invoice: Invoice, _amount: Decimal) -> None:
    for payment in invoice.payments:
        invoices.reverse_payment(payment, **BY)


def _move(book: Book, invoice: Invoice, _amount: Decimal) -> None:
    invoice.connection_id = None if invoice.connection_id else book.ledger.id
    invoice.source = Source.LEDGER
    db.session.expire(invoice)  # what it was is not known without asking
    invoice.connection_id = book.ledger.id


ACTS: dict[str, Callable[[Book, Invoice, Decimal], Any]] = {
    "pay": _pay, "told": _told, "reverse": _reverse, "undone": _undone, "move": _move,
    "unpay": lambda _book, invoice, _amount: invoices.set_unpaid(invoice, **BY),
    "void": lambda _book, invoice, _amount: invoices.void(invoice, "other", "", **BY),
    "voided_there": lambda book, invoice, _amount: invoices.voided_there(invoice, book.ledger, **BY),
    "fold": lambda _book, _invoice, _amount: kept.fold(TODAY),
    "fold_later": lambda _book, _invoice, _amount: kept.fold(TODAY + timedelta(days=80)),
}  # fmt: skip
happenings = some.lists(
    some.tuples(
        some.sampled_from(("issue", "issue", "issue_nothing", *ACTS)), some.integers(0, 5), some.integers(1, 30_000),
        some.integers(0, 40),
    ),
    max_size=16,
)  # fmt: skip


@example([("issue", 0, 100, 14), ("told", 0, 30, 0), ("told", 0, 20, 0), ("move", 0, 1, 0), ("reverse", 0, 1, 0)])
@example([("issue", 0, 100, 5), ("issue", 0, 80, 1), ("pay", 1, 1, 0), ("undone", 0, 1, 0), ("unpay", 1, 1, 0)])
@example([("issue", 0, 100, 5), ("fold_later", 0, 1, 0), ("told", 0, 30, 0), ("fold", 0, 1, 0), ("void", 0, 1, 0)])
@example([("issue", 0, 100, 5), ("voided_there", 0, 1, 0), ("issue_nothing", 0, 1, 0), ("told", 1, 5, 0)])
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings)
def test_after_any_story_what_is_kept_is_what_counting_all_invoices_gives(
    story: list[tuple[str, int, int, int]],
) -> None:
    """Fault row 88: sums that are kept must never drift from what they are sums of."""
    with db.session.begin_nested() as undone:
        book = Book()
        for act, which, units, days in story:
            book.happen(act, which, Decimal(units), days)
        db.session.flush()
        is_folded_later = any(act == "fold_later" for act, *_ in story)
        for day in SEEN_ON[-1:] if is_folded_later else SEEN_ON:
            for view in (*VIEWS, Filters(app=book.ledger.id)):
                assert invoices.totals(view, as_of=day) == _counted(view, day), (view, day)
        assert not kept.recount(SEEN_ON[-1]), "a count of everything finds nothing to mend"
        undone.rollback()


def test_folding_leaves_one_line_of_each_kind_and_the_same_sums() -> None:
    book = Book()
    for place in range(5):
        book.issue(Decimal(100), 14)
        book.happen("pay", place, Decimal(1), 0)
    before = invoices.totals(Filters(), as_of=TODAY)
    assert kept.fold(TODAY) == 25
    assert db.session.scalar(select(func.count()).select_from(InvoiceSum)) == 1
    assert invoices.totals(Filters(), as_of=TODAY) == before == _counted(Filters(), TODAY)


def test_a_count_of_everything_mends_what_was_written_past_it() -> None:
    book = Book()
    book.issue(Decimal(100), 14)
    db.session.execute(update(Invoice).values(paid_at=now()).execution_options(synchronize_session=False))
    assert invoices.totals(Filters(), as_of=TODAY).sums != _counted(Filters(), TODAY).sums
    assert kept.recount(TODAY)
    assert invoices.totals(Filters(), as_of=TODAY) == _counted(Filters(), TODAY)
    assert not kept.recount(TODAY)


def _counted(view: Filters, day: date) -> invoices.Totals:
    """By looking at every invoice."""
    held: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    count = 0
    for one in db.session.scalars(select(Invoice).execution_options(populate_existing=True)):
        status = invoices.status(one, day)
        is_open = status.standing is invoices.Standing.ISSUED
        words = {
            "open": is_open, "overdue": status.is_overdue, "part_paid": status.is_part_paid,
            "": view.with_voided or one.voided_at is None,
        }  # fmt: skip
        if not words.get(view.standing, status.standing.value == view.standing):
            continue
        if (view.source and one.source != view.source) or (view.app and one.connection_id != view.app):
            continue
        left = one.total - one.paid if is_open else Decimal(0)
        count += 1
        added = (one.total, left, left if status.is_overdue else Decimal(0))
        held[one.currency] = [was + more for was, more in zip(held[one.currency], added, strict=True)]
    return invoices.Totals(count, tuple(invoices.Sum(one, *held[one]) for one in sorted(held)))
