"""Every hard case of `tests/domain/money_cases.py` goes into each ledger, which adds it up by itself, to the same cent.

The tax rates of the stand-ins are changed to those of the case, as a person would in the vendor's settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import AdapterError
from portal.adapters.digits import Digits
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.quickbooks import QuickBooks
from portal.adapters.xero import Xero
from portal.domain import money
from portal.domain.records import Address, Cause, InvoiceLineOut, InvoiceOut, LedgerInvoice, ListKind
from tests.adapters.conftest import Door
from tests.domain.money_cases import CASES, Case
from tests.wire import digits_paper, quickbooks_books, quickbooks_company, test_xero

BIG = Decimal("9999999999.99")  # the most that Xero takes on a line
IN_CENTS = [case for case in CASES if money.places(case.currency) == 2]


def test_xero_comes_to_the_same_in_every_case(make_door: Callable[..., Door]) -> None:
    """Fault row 85. Xero keeps two decimals in every currency, so yen and dinars are not asked of it."""
    door = make_door(Xero)
    door.sandbox.control.limits(minute=100_000, day=100_000)
    somebody = test_xero.made(door, "Somebody Special Ltd")

    def put(kind: str, percent: Decimal) -> None:
        door.sandbox.control.ask("PATCH", f"xero/tax-rates/{kind}", {"EffectiveRate": str(percent)})

    def ask(number: int, case: Case, lines: tuple[InvoiceLineOut, ...]) -> Any:
        lines = tuple(replace(line, account_id="200") for line in lines)
        return _only(door, _invoice(case, lines, number, money.EACH_LINE, customer_id=somebody, currency="NZD"))

    wrong, refused = _differences(IN_CENTS, ("OUTPUT2", "ZERORATED", "NONE"), put, ask, money.EACH_LINE)
    assert not wrong, "\n".join(wrong)
    assert refused == _not_taken(IN_CENTS, BIG)


def test_quickbooks_comes_to_the_same_in_every_case(make_door: Callable[..., Door]) -> None:
    """Fault row 85."""
    door = make_door(QuickBooks)
    door.sandbox.control.limits(second=10_000, minute=10_000, batch_minute=10_000)
    somebody = quickbooks_company.made(door, "Somebody Special Ltd")
    quickbooks_books.company(door, "POST", "lists/tax-codes/6/unarchive")
    quickbooks_books.company(door, "POST", "lists/tax-rates/4/unarchive")
    rates = {"2": "1", "3": "2", "6": "4"}  # tax code -> its only rate

    def put(code: str, percent: Decimal) -> None:
        quickbooks_books.company(door, "PATCH", f"lists/tax-rates/{rates[code]}", {"RateValue": float(percent)})

    def ask(number: int, case: Case, lines: tuple[InvoiceLineOut, ...]) -> Any:
        lines = tuple(replace(line, item_id="1") for line in lines)
        return _only(door, _invoice(case, lines, number, money.EACH_RATE, customer_id=somebody, currency="NZD"))

    wrong, refused = _differences(IN_CENTS, tuple(rates), put, ask, money.EACH_RATE)
    assert not wrong, "\n".join(wrong)
    assert refused == _not_taken(IN_CENTS)


def test_digits_keeps_every_case_to_the_smallest_coin(make_door: Callable[..., Door]) -> None:
    """Fault row 85. Digits adds up what is owed from balanced entries; it reckons no tax."""
    door = make_door(Digits)
    door.sandbox.control.limits(minute=100_000, app_minute=100_000)
    paper = digits_paper.Paper(door)
    tax = next(one.remote_id for one in paper.lists.entries if one.kind == ListKind.TAX) if _maps_tax(paper) else ""

    def ask(number: int, case: Case, lines: tuple[InvoiceLineOut, ...]) -> Any:
        account = paper.category(digits_paper.BOOKKEEPING)
        lines = tuple(replace(line, account_id=account, tax_id=tax) for line in lines)
        wanted = _invoice(
            case, lines, number, money.EACH_LINE, customer_id=paper.customer_id, customer_key=paper.customer_key
        )
        return _only(door, wanted)

    wrong, refused = _differences(CASES, ("",) * 3, lambda kind, percent: None, ask, money.EACH_LINE)
    assert not wrong, "\n".join(wrong)
    assert refused == [case.what for case in CASES if case.shown <= 0]  # nothing owed is nothing to keep


def _differences(
    cases: list[Case],
    kinds: tuple[str, ...],
    put: Callable[[str, Decimal], None],
    ask: Callable[[int, Case, tuple[InvoiceLineOut, ...]], Any],
    rounding: str,
) -> tuple[list[str], list[str]]:
    """Where the ledger came to something else, and what it (or its adapter) refused for its amounts."""
    wrong, refused = [], []
    held: dict[str, Decimal] = {}
    for number, case in enumerate(cases):
        rates = list(dict.fromkeys((line.rate, line.tax_percent) for line in case.lines))
        wanted = dict(zip(kinds, (percent for _rate, percent in rates), strict=False))
        for kind, percent in wanted.items():
            if held.get(kind) != percent:
                put(kind, percent)
                held[kind] = percent
        of_rate = dict(zip(rates, kinds, strict=False))
        came = ask(number, case, _lines(case, rounding, of_rate))
        if isinstance(came, InvoiceRefused) and came.cause is Cause.AMOUNT_NOT_ALLOWED:
            refused.append(case.what)
        elif not isinstance(came, LedgerInvoice):
            wrong.append(f"{case.what}: {came!r} {getattr(came, 'vendor_text', '')}")
        elif (said := _said(came)) != (ours := _ours(case, rounding, came)):
            wrong.append(f"{case.what}: {said} there, {ours} here")
    return wrong, refused


def _said(came: LedgerInvoice) -> tuple[Decimal | None, ...]:
    return came.net, came.tax, came.total


def _ours(case: Case, rounding: str, came: LedgerInvoice) -> tuple[Decimal | None, ...]:
    """Net and tax only where the ledger tells them."""
    net, tax = case.net(rounding), case.tax(rounding)
    return (None if came.net is None else net, None if came.tax is None else tax, net + tax)


def _lines(case: Case, rounding: str, of_rate: dict[Any, str]) -> tuple[InvoiceLineOut, ...]:
    sums = money.total_up(case.lines, mode=case.mode, rounding=rounding, currency=case.currency)
    return tuple(
        InvoiceLineOut(
            description="Annual accounts", quantity=line.quantity, price=line.price, discount=line.discount,
            net=found.net, tax=found.tax, tax_percent=line.tax_percent, tax_id=of_rate[line.rate, line.tax_percent],
        )
        for line, found in zip(case.lines, sums.lines, strict=True)
    )  # fmt: skip


def _invoice(case: Case, lines: tuple[InvoiceLineOut, ...], number: int, rounding: str, **changes: Any) -> InvoiceOut:
    net, tax = case.net(rounding), case.tax(rounding)
    made = InvoiceOut(
        key=f"key-{number}", mark=f"mark{number}", number=f"M-{number}", customer_id="", customer_key="",
        customer_name="Somebody Special Ltd", email="", address=Address(), issued_on=date(2026, 11, 2),
        due_on=date(2026, 11, 20), currency=case.currency, tax_mode=case.mode, lines=lines, net=net, tax=tax,
        total=net + tax,
    )  # fmt: skip
    return replace(made, **changes)


def _only(door: Door, wanted: InvoiceOut) -> LedgerInvoice | AdapterError:
    (came,) = door.adapter.create_invoices(door.session(), [wanted])
    return came


def _not_taken(cases: list[Case], most: Decimal = money.MOST) -> list[str]:
    """Less than nothing in all, or a line above what the vendor takes."""
    return [
        case.what for case in cases if case.shown < 0 or any(line.quantity * line.price > most for line in case.lines)
    ]


def _maps_tax(paper: digits_paper.Paper) -> bool:
    return any(one.kind == ListKind.TAX for one in paper.lists.entries)


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_there_are_cases_without_cents_and_with_thousandths(currency: str) -> None:
    assert len([case for case in CASES if money.places(case.currency) == money.places(currency)]) >= 5
