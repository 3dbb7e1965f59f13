"""What every ledger promises, whatever its vendor. A test class for one vendor inherits this.

It gives: `door` (its `adapter` and `session()`), and on the vendor's side: `someone(door)` (the identifier of a
customer there, and the key it was created under, "" for none), `count_there(number)` (invoices of this number),
`pay_there(id, amount)`, `void_there(id)` and `spoil(kind, **values)` (a fault for writes of invoices). `PERCENT` is
the tax rate used, `BAD_LINE` what about a line this vendor refuses, `WEBHOOK` a well signed example (headers, body,
secret). What a vendor cannot do at all it says in its `LedgerInfo`, and that is not asked of it here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import pytest

from portal.adapters.base import AdapterError, NotThere, Unknown
from portal.adapters.ledger import InvoiceRefused, WebhookRefused
from portal.domain.records import (
    Address,
    InvoiceLineOut,
    InvoiceOut,
    InvoiceState,
    LedgerInvoice,
    LedgerPayment,
    ListKind,
    PaymentOut,
    TaxMode,
)

CENT = Decimal("0.01")
ENDED = (InvoiceState.VOIDED, InvoiceState.DELETED)


def only(outcomes: list[Any]) -> Any:
    """The one outcome. Raises what came instead of a record."""
    (came,) = outcomes
    if isinstance(came, AdapterError):
        raise came
    return came


class LedgerContract:
    CURRENCY = "NZD"
    PERCENT = Decimal(15)
    ISSUED, DUE = date(2026, 11, 20), date(2026, 12, 20)
    MISSING = "00000000-0000-4000-8000-000000000000"
    BAD_LINE: ClassVar[dict[str, Any]] = {"account_id": "no such account", "item_id": ""}
    WEBHOOK: ClassVar[tuple[dict[str, str], bytes, str] | None] = None

    def someone(self, door: Any) -> tuple[str, str]:
        raise NotImplementedError

    def count_there(self, number: str) -> int:
        raise NotImplementedError

    def pay_there(self, remote_id: str, amount: Decimal) -> None:
        raise NotImplementedError

    def void_there(self, remote_id: str) -> None:
        raise NotImplementedError

    def spoil(self, kind: str, **values: Any) -> None:
        raise NotImplementedError

    def test_it_says_all_that_deliveries_need_to_know(self, door: Any) -> None:
        info = door.adapter.ledger
        assert info.invoice_batch >= 1
        assert info.payment_batch >= 1
        assert info.look_up_batch >= 1
        assert info.line_goes_to in info.lists
        assert info.target_word
        assert all(said.endswith(".") for said in info.cautions)

    def test_its_lists_have_names_and_something_to_choose(self, door: Any) -> None:
        session = door.session()
        found = door.adapter.fetch_lists(session)
        assert session.calls_made <= 8
        assert len({(one.kind, one.remote_id) for one in found.entries}) == len(found.entries)
        assert all(one.remote_id and one.name for one in found.entries)
        assert {one.kind for one in found.entries} <= set(door.adapter.ledger.lists)
        assert all(one.why_not for one in found.entries if not one.fits)
        for kind in door.adapter.ledger.lists:
            assert [one for one in found.entries if one.kind == kind and one.is_active and one.fits], kind
        assert all(isinstance(one.percent, Decimal) for one in found.entries if one.kind == ListKind.TAX)
        assert found.currency in ("", self.CURRENCY)

    def test_a_created_invoice_is_there_as_it_was_given(self, door: Any) -> None:
        wanted = self.invoice(door, "LC-100", reference="PO 77")
        made = self.create(door, wanted)
        again = door.adapter.fetch_invoice(door.session(), made.remote_id)
        assert self.count_there("LC-100") == 1
        for one in (made, again):
            assert one.remote_id == made.remote_id
            assert (one.number, one.state, one.currency) in (
                ("LC-100", InvoiceState.OPEN, self.CURRENCY), ("LC-100", InvoiceState.OPEN, ""),
            )  # fmt: skip
            assert one.total == wanted.total
            assert one.net in (None, wanted.net)
            assert one.tax in (None, wanted.tax)
            assert (one.paid, one.due) == (0, wanted.total)
            assert one.issued_on == wanted.issued_on
            assert one.due_on == wanted.due_on
            assert one.customer_id in ("", wanted.customer_id)
        assert again.mark == wanted.mark
        assert again.lines is None or sum(line.amount for line in again.lines) in (wanted.net, wanted.total)

    def test_prices_that_hold_the_tax_come_to_the_same_total_there(self, door: Any) -> None:
        wanted = self.invoice(door, "LC-110", mode=TaxMode.INCLUSIVE)
        made = self.create(door, wanted)
        assert made.total == wanted.total == sum(line.net + line.tax for line in wanted.lines)

    def test_a_draft_stays_a_draft(self, door: Any) -> None:
        if not door.adapter.ledger.takes_drafts:
            return
        made = self.create(door, self.invoice(door, "LC-120", approved=False))
        assert made.state == InvoiceState.DRAFT

    def test_of_a_batch_each_has_its_own_outcome_in_the_order_asked(self, door: Any) -> None:
        if door.adapter.ledger.invoice_batch < 2:
            return
        good = [self.invoice(door, f"LC-13{n}") for n in range(4)]
        bad = replace(good[1], lines=(replace(good[1].lines[0], **self.BAD_LINE),))
        outcomes = door.adapter.create_invoices(door.session(), [good[0], bad, good[2], good[3]])
        assert isinstance(outcomes[1], InvoiceRefused)
        assert outcomes[1].message.endswith(".")
        assert [one.number for one in outcomes if isinstance(one, LedgerInvoice)] == ["LC-130", "LC-132", "LC-133"]
        assert [self.count_there(f"LC-13{n}") for n in range(4)] == [1, 0, 1, 1]

    def test_a_whole_batch_goes_out_in_one_call(self, door: Any) -> None:
        many = door.adapter.ledger.invoice_batch
        wanted = [self.invoice(door, f"LC-B{n:03d}") for n in range(many)]
        session = door.session()
        outcomes = door.adapter.create_invoices(session, wanted)
        assert [one.number for one in outcomes] == [one.number for one in wanted]
        assert len({one.remote_id for one in outcomes}) == many
        assert session.calls_made <= 2

    def test_invoices_are_found_by_number_in_any_state(self, door: Any) -> None:
        numbers = ["LC-140", "LC-141", "LC-142"]
        made = [self.create(door, self.invoice(door, number)) for number in numbers]
        self.void_there(made[2].remote_id)
        found = door.adapter.find_invoices(door.session(), [*numbers, "LC-NOBODY"], [])
        known = {one.number: one for one in found if one.state not in ENDED}
        assert set(known) == {"LC-140", "LC-141"}
        assert known["LC-140"].remote_id == made[0].remote_id
        assert known["LC-140"].mark == self.invoice(door, "LC-140").mark
        assert door.adapter.find_invoices(door.session(), ["LC-NOBODY"], ["nobodys-mark"]) == []

    def test_a_number_in_use_is_never_changed_or_used_twice(self, door: Any) -> None:
        """Fault row 94."""
        info = door.adapter.ledger
        if not info.refuses_used_numbers:
            return  # such a ledger is asked for the number before every first try
        first = self.create(door, self.invoice(door, "LC-150"))
        other = replace(self.invoice(door, "LC-150"), key="another-key", mark="another-mark", reference="other")
        (came,) = door.adapter.create_invoices(door.session(), [other])
        assert isinstance(came, InvoiceRefused)
        assert came.cause == "number_used"
        assert came.holder_id in ("", first.remote_id)
        assert self.count_there("LC-150") == 1
        again = door.adapter.fetch_invoice(door.session(), first.remote_id)
        assert (again.total, again.reference, again.mark) == (first.total, first.reference, first.mark)

    def test_the_same_mark_written_twice_is_one_invoice_where_the_ledger_says_so(self, door: Any) -> None:
        if not door.adapter.ledger.writes_by_mark:
            return
        wanted = self.invoice(door, "LC-155")
        first, second = self.create(door, wanted), self.create(door, replace(wanted, key="another-key"))
        assert first.remote_id == second.remote_id
        assert self.count_there("LC-155") == 1

    def test_an_invoice_that_is_not_there_is_said_not_to_be(self, door: Any) -> None:
        with pytest.raises(NotThere):
            door.adapter.fetch_invoice(door.session(), self.MISSING)

    def test_a_payment_made_there_is_read_back_whole_or_in_part(self, door: Any) -> None:
        if not door.adapter.ledger.tells_payments:
            return
        part, whole = (self.create(door, self.invoice(door, number)) for number in ("LC-160", "LC-161"))
        since = datetime.now(UTC) - timedelta(minutes=5)
        self.pay_there(part.remote_id, Decimal("10.00"))
        self.pay_there(whole.remote_id, whole.total)
        known = {one.remote_id: one for one in door.adapter.fetch_invoices(door.session(), since)}
        one, other = known[part.remote_id], known[whole.remote_id]
        assert (one.state, one.paid, one.due) == (InvoiceState.OPEN, Decimal("10.00"), part.total - 10)
        assert (other.state, other.paid, other.due) == (InvoiceState.PAID, whole.total, 0)
        alone = door.adapter.fetch_invoice(door.session(), part.remote_id)
        assert (alone.state, alone.paid, alone.due) == (one.state, one.paid, one.due)

    def test_all_that_is_open_is_what_is_open(self, door: Any) -> None:
        made = [self.create(door, self.invoice(door, number)) for number in ("LC-165", "LC-166", "LC-167")]
        self.void_there(made[1].remote_id)
        if door.adapter.ledger.tells_payments:
            self.pay_there(made[2].remote_id, made[2].total)
        found = list(door.adapter.fetch_invoices(door.session(), None))
        open_ones = {one.remote_id for one in found if one.state == InvoiceState.OPEN}
        assert made[0].remote_id in open_ones
        assert made[1].remote_id not in open_ones
        assert (made[2].remote_id in open_ones) == (not door.adapter.ledger.tells_payments)

    def test_an_invoice_that_was_voided_or_deleted_there_says_so(self, door: Any) -> None:
        made = self.create(door, self.invoice(door, "LC-170"))
        self.void_there(made.remote_id)
        try:
            assert door.adapter.fetch_invoice(door.session(), made.remote_id).state in ENDED
        except NotThere:
            return  # a ledger that forgets what was deleted says that it is not there

    def test_a_payment_of_ours_is_there_once_and_known_by_its_mark(self, door: Any) -> None:
        if not door.adapter.ledger.takes_payments:
            return
        made = self.create(door, self.invoice(door, "LC-180"))
        wanted = self.payment(door, made, Decimal("25.50"))
        paid = only(door.adapter.create_payments(door.session(), [wanted]))
        assert (paid.amount, paid.paid_on, paid.mark) == (Decimal("25.50"), wanted.paid_on, wanted.mark)
        found = [one for one in door.adapter.find_payments(door.session(), wanted) if not one.is_void]
        assert [(one.remote_id, one.amount, one.mark) for one in found] == [
            (paid.remote_id, Decimal("25.50"), wanted.mark)
        ]
        if door.adapter.ledger.tells_payments:
            now = door.adapter.fetch_invoice(door.session(), made.remote_id)
            assert (now.state, now.paid) == (InvoiceState.OPEN, Decimal("25.50"))

    def test_a_payment_of_more_than_is_open_is_refused(self, door: Any) -> None:
        if not door.adapter.ledger.takes_payments:
            return
        made = self.create(door, self.invoice(door, "LC-185"))
        (came,) = door.adapter.create_payments(door.session(), [self.payment(door, made, made.total + 1)])
        if isinstance(came, LedgerPayment):
            return  # some ledgers take it and keep the rest as a credit
        assert isinstance(came, InvoiceRefused)
        assert came.message.endswith(".")

    @pytest.mark.parametrize(
        ("kind", "values"),
        [("accept_then_drop", {}), ("accept_then_status", {}), ("garbage", {"garbage": "truncated"})],
    )
    def test_an_invoice_whose_answer_was_lost_is_found_again_and_not_written_twice(
        self, door: Any, kind: str, values: dict[str, str]
    ) -> None:
        """Fault rows 11 and 12."""
        wanted = self.invoice(door, "LC-190")
        self.spoil(kind, times=1, **values)
        try:
            (came,) = door.adapter.create_invoices(door.session(), [wanted])
        except AdapterError as trouble:
            came = trouble
        assert isinstance(came, Unknown), came
        assert came.message.endswith(".")
        (found,) = door.adapter.find_invoices(door.session(), [wanted.number], [wanted.mark])
        assert (found.number, found.mark, found.total) == (wanted.number, wanted.mark, wanted.total)
        assert self.count_there(wanted.number) == 1

    def test_the_same_try_again_makes_no_second_invoice(self, door: Any) -> None:
        wanted = self.invoice(door, "LC-195")
        first = self.create(door, wanted)
        (came,) = door.adapter.create_invoices(door.session(), [wanted])
        assert isinstance(came, InvoiceRefused) or came.remote_id == first.remote_id
        assert self.count_there(wanted.number) == 1

    def test_an_error_inside_a_200_is_a_refusal_with_the_vendors_words(self, door: Any) -> None:
        """Fault row 13."""
        self.spoil("business_error", times=1, message="The moon is in the wrong house")
        (came,) = door.adapter.create_invoices(door.session(), [self.invoice(door, "LC-200")])
        assert isinstance(came, InvoiceRefused)
        assert "The moon is in the wrong house" in came.vendor_text
        assert self.count_there("LC-200") == 0

    def test_a_number_longer_than_it_takes_is_refused_before_anything_is_sent(self, door: Any) -> None:
        long = "9" * (door.adapter.ledger.number_length + 1)
        wanted = replace(self.invoice(door, "LC-210"), number=long)
        session = door.session()
        (came,) = door.adapter.create_invoices(session, [wanted])
        assert isinstance(came, InvoiceRefused)
        assert session.calls_made == 0

    @pytest.mark.parametrize("kind", ["status", "drop", "rate_limited", "revoked"])
    def test_whatever_goes_wrong_with_a_write_has_one_of_the_names_we_act_on(self, door: Any, kind: str) -> None:
        self.spoil(kind)
        with pytest.raises(AdapterError) as caught:
            only(door.adapter.create_invoices(door.session(), [self.invoice(door, "LC-220")]))
        assert caught.value.message.endswith(".")
        assert self.count_there("LC-220") == 0

    def test_webhooks_are_believed_only_when_well_signed(self, door: Any) -> None:
        """Fault row 47."""
        if not door.adapter.ledger.has_webhooks:
            return
        assert self.WEBHOOK is not None
        headers, body, secret = self.WEBHOOK
        read = door.adapter.read_events
        read(headers, body, secret)
        for bad in (
            (headers, body + b" ", secret), (headers, body, secret + "x"), (headers, body, ""), ({}, body, secret),
            (dict.fromkeys(headers, ""), body, secret), ({name: f"é{value}" for name, value in headers.items()},
            body, secret),
        ):  # fmt: skip
            with pytest.raises(WebhookRefused):
                read(*bad)

    def create(self, door: Any, wanted: InvoiceOut) -> LedgerInvoice:
        made = only(door.adapter.create_invoices(door.session(), [wanted]))
        assert isinstance(made, LedgerInvoice)
        return made

    def invoice(self, door: Any, number: str, *, mode: TaxMode = TaxMode.EXCLUSIVE, **changes: Any) -> InvoiceOut:
        """Two lines, one with a discount; no two invoices of different numbers share a key or a mark."""
        customer_id, customer_key = self._someone(door)
        lines = (
            self.line(door, mode, "Annual accounts", "3", "33.33"),
            self.line(door, mode, "Advice", "1", "50", "10"),
        )
        net, tax = sum(one.net for one in lines), sum(one.tax for one in lines)
        wanted = InvoiceOut(
            key=f"key-{number}", mark=f"mark-{number}", number=number, customer_id=customer_id,
            customer_key=customer_key, customer_name="Somebody Special Ltd", email="sam@special.example",
            address=Address("1 Quay Street", "Auckland"), issued_on=self.ISSUED, due_on=self.DUE,
            currency=self.CURRENCY, tax_mode=mode, lines=lines, net=Decimal(net), tax=Decimal(tax),
            total=Decimal(net + tax), url=f"https://portal.example.co.nz/invoices/{number}",
        )  # fmt: skip
        return replace(wanted, **changes)

    def line(self, door: Any, mode: TaxMode, words: str, quantity: str, price: str, off: str = "0") -> InvoiceLineOut:
        whole = Decimal(quantity) * Decimal(price) - Decimal(off)
        if mode == TaxMode.INCLUSIVE:
            tax = (whole * self.PERCENT / (100 + self.PERCENT)).quantize(CENT, ROUND_HALF_UP)
            net = whole - tax
        else:
            net, tax = whole, (whole * self.PERCENT / 100).quantize(CENT, ROUND_HALF_UP)
        target = self._entry(door, door.adapter.ledger.line_goes_to)
        is_item = door.adapter.ledger.line_goes_to == ListKind.ITEM
        return InvoiceLineOut(
            description=words, quantity=Decimal(quantity), price=Decimal(price), discount=Decimal(off), net=net,
            tax=tax, tax_percent=self.PERCENT, tax_id=self._entry(door, ListKind.TAX, self.PERCENT),
            account_id="" if is_item else target, item_id=target if is_item else "",
        )  # fmt: skip

    def payment(self, door: Any, invoice: LedgerInvoice, amount: Decimal, key: str = "pay-1") -> PaymentOut:
        customer_id, customer_key = self._someone(door)
        return PaymentOut(
            key=key, mark=f"mark-{key}", invoice_id=invoice.remote_id, invoice_key=f"mark-{invoice.number}",
            customer_id=customer_id, customer_key=customer_key, amount=amount, currency=self.CURRENCY,
            paid_on=date(2026, 11, 21), method="Card", reference="Visa 4242",
            into_id=self._entry(door, ListKind.PAY_INTO),
        )  # fmt: skip

    def _someone(self, door: Any) -> tuple[str, str]:
        if not hasattr(self, "_known"):
            self._known = self.someone(door)
        return self._known

    def _entry(self, door: Any, kind: ListKind, percent: Decimal | None = None) -> str:
        """The first of a list that fits; empty where the ledger has no such list."""
        if kind not in door.adapter.ledger.lists:
            return ""
        if not hasattr(self, "_lists"):
            self._lists = door.adapter.fetch_lists(door.session())
        usable = [one for one in self._lists.entries if one.kind == kind and one.is_active and one.fits]
        return next(one.remote_id for one in usable if percent is None or one.percent == percent)
