"""The list of invoices: what it finds, in which order, page by page, and what it sums up to."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest

from portal.db import db
from portal.domain import deliveries, invoices
from portal.domain.clients import Client
from portal.domain.deliveries import DeliveryState
from portal.domain.invoices import Filters, Invoice, Sort
from tests.cast import COMMAND, make_client, make_connection, now
from tests.cast_invoices import TODAY, copies_of, make_invoice, make_item

pytestmark = pytest.mark.usefixtures("database", "clock")
SEEN_ON = date(2026, 12, 24)


def test_the_newest_invoices_come_first_and_pages_join_without_gaps() -> None:
    _many(7)
    seen, key = [], None
    while True:
        page = invoices.listing(Filters(), key, as_of=SEEN_ON, limit=3)
        seen.append([row.number for row in page.rows])
        if page.next is None:
            break
        key, _notes = invoices.key_from({"after": page.next}, Sort.ISSUED)
    assert seen == [["INV-0007", "INV-0006", "INV-0005"], ["INV-0004", "INV-0003", "INV-0002"], ["INV-0001"]]
    back, _notes = invoices.key_from({"before": page.previous or ""}, Sort.ISSUED)
    assert [row.number for row in invoices.listing(Filters(), back, as_of=SEEN_ON, limit=3).rows] == seen[1]


@pytest.mark.parametrize(
    ("sort", "numbers"),
    [
        (Sort.ISSUED, ["INV-0001", "INV-0002", "INV-0003"]),
        (Sort.DUE, ["INV-0003", "INV-0002", "INV-0001"]),
        (Sort.NUMBER, ["INV-0001", "INV-0002", "INV-0003"]),
        (Sort.AMOUNT, ["INV-0002", "INV-0001", "INV-0003"]),
    ],
)
def test_it_sorts_by_day_number_and_amount_both_ways(sort: Sort, numbers: list[str]) -> None:
    client = make_client()
    for place, price in enumerate(("20", "3.50", "1000")):
        day = TODAY + timedelta(days=place)
        make_invoice(client, make_item(client, price=price), on=day, due_on=TODAY + timedelta(days=30 - place))
    for descending in (False, True):
        view = Filters(sort=sort, descending=descending)
        first = invoices.listing(view, as_of=SEEN_ON, limit=2)
        key, _notes = invoices.key_from({"after": first.next or ""}, sort)
        rest = invoices.listing(view, key, as_of=SEEN_ON, limit=2)
        found = [row.number for row in (*first.rows, *rest.rows)]
        assert found == (numbers[::-1] if descending else numbers)


def test_it_is_narrowed_by_how_invoices_stand() -> None:
    client = make_client()
    plain, late, part, paid, voided = (_dated(client, due) for due in (60, 10, 60, 60, 60))
    _pay(part, "30")
    _pay(paid, "100")
    invoices.void(voided, "other", "", by=COMMAND, now=now())
    found = {word: {row.id for row in _rows(standing=word)} for word in invoices.STANDING_WORDS}
    assert found == {
        "": {plain.id, late.id, part.id, paid.id},
        "open": {plain.id, late.id, part.id},
        "overdue": {late.id},
        "part_paid": {part.id},
        "paid": {paid.id},
        "voided": {voided.id},
    }
    assert voided.id in {row.id for row in _rows(with_voided=True)}


def test_it_finds_a_number_however_it_is_typed_and_a_client_by_part_of_the_name() -> None:
    ngaio, kauri = make_client("Ngaio Design"), make_client("Kauri Ltd")
    first, second = make_invoice(ngaio), make_invoice(kauri)
    assert [row.id for row in _rows(words="INV-0002")] == [second.id]
    assert [row.id for row in _rows(words="inv-0002")] == [second.id]
    assert [row.id for row in _rows(words="#1")] == [first.id]
    assert [row.id for row in _rows(words="gaio des")] == [first.id]
    assert [row.id for row in _rows(words="co")] == []
    assert [row.id for row in invoices.search("kau", as_of=SEEN_ON)] == [second.id]
    assert invoices.search("  ", as_of=SEEN_ON) == []


def test_words_that_very_many_invoices_answer_to_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.domain.invoices.narrowed.CAP", 2)
    _many(5)
    other = make_invoice(make_client("Kauri Ltd"))
    assert [row.number for row in _rows(words="acme")] == [f"INV-000{n}" for n in range(5, 0, -1)]
    assert [row.id for row in _rows(words="kauri")] == [other.id]


def test_it_is_narrowed_by_client_app_source_and_days() -> None:
    client, other = make_client("Acme"), make_client("Other")
    first, second = make_invoice(client), make_invoice(other, on=TODAY + timedelta(days=5))
    second.connection_id = make_connection("xero").id
    second.source = invoices.Source.LEDGER
    db.session.flush()
    assert [row.id for row in _rows(client=client.id)] == [first.id]
    assert [row.id for row in _rows(app=second.connection_id)] == [second.id]
    assert [row.id for row in _rows(source="ledger")] == [second.id]
    assert [row.id for row in _rows(since=TODAY, until=TODAY + timedelta(days=4))] == [first.id]
    assert [row.id for row in _rows(deployment="off")] == [second.id, first.id]
    assert [row.id for row in invoices.of_client(client, as_of=SEEN_ON)] == [first.id]


def test_its_sums_are_exact_and_never_add_currencies() -> None:
    """Fault row 86."""
    client = make_client()
    _pay(_dated(client, 10, "0.10"), "0.03")
    _dated(client, 60, "9999999999999")
    _dated(client, 60, "5", currency="JPY")
    found = invoices.totals(Filters(), as_of=SEEN_ON)
    assert found.count == 3
    assert [(one.currency, one.total, one.left, one.overdue) for one in found.sums] == [
        ("JPY", Decimal(5), Decimal(5), Decimal(0)),
        ("NZD", Decimal("9999999999999.10"), Decimal("9999999999999.07"), Decimal("0.07")),
    ]
    assert invoices.totals(Filters(words="nobody"), as_of=SEEN_ON) == invoices.Totals(0, ())


def test_sums_of_the_largest_amounts_there_can_be_stay_exact() -> None:
    """Fault row 85."""
    copies_of(_dated(make_client(), 60, "9999999999999.99"), 100)
    (found,) = invoices.totals(Filters(), as_of=SEEN_ON).sums or ()
    assert found.total == Decimal("9999999999999.99") * 101
    assert invoices.sums(Filters(), as_of=SEEN_ON) == (found,)


@pytest.mark.parametrize("words", ["", "acme", "INV-0001"])
def test_sums_are_the_same_whether_they_come_with_the_page_or_after_it(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Fault row 88: of more than are counted, nothing is added up before the page is shown."""
    client = make_client("Acme Corp")
    whole, part, _late = _dated(client, 60, "250"), _dated(client, 60, "100"), _dated(client, 10, "70")
    _pay(whole, "250")
    _pay(part, "30")
    invoices.void(_dated(client, 60, "5"), "other", "", by=COMMAND, now=now())
    for standing in invoices.STANDING_WORDS:
        view = Filters(words=words, standing=standing)
        found = invoices.totals(view, as_of=SEEN_ON)
        assert found.sums == invoices.sums(view, as_of=SEEN_ON), standing
        with monkeypatch.context() as few:
            few.setattr("portal.domain.invoices.narrowed.CAP", 0)
            many = invoices.totals(view, as_of=SEEN_ON)
            if words:  # those of the others are kept, however many they are
                assert (many.count, many.sums) == ((1, None) if found.count else (0, ())), standing
            assert invoices.sums(view, as_of=SEEN_ON) == found.sums, standing


@pytest.mark.parametrize("cap", [1000, 0])
def test_it_is_narrowed_by_how_they_stand_in_their_ledger_be_these_few_or_many(
    monkeypatch: pytest.MonkeyPatch, cap: int
) -> None:
    monkeypatch.setattr("portal.domain.invoices.narrowed.CAP", cap)
    connection = make_connection("xero")
    made = {}
    for state in DeliveryState:
        invoice = make_invoice(make_client(f"Client {state}"))
        invoice.connection_id = connection.id
        row = deliveries.ask(invoice, connection, by=COMMAND, now=now())
        row.state, row.remote_id = state, f"there-{invoice.id}" if state == DeliveryState.DELIVERED else None
        made[state] = invoice.id
    made["none"] = make_invoice(make_client("In none")).id
    db.session.flush()
    found = {word: {row.id for row in _rows(deployment=word)} for word in invoices.DEPLOYMENT_WORDS}
    state = DeliveryState
    assert found == {
        "created": {made[state.DELIVERED]},
        "waiting": {made[state.WAITING], made[state.SENDING]},
        "failed": {made[state.FAILED], made[state.ASKS]},
        "needs_check": {made[state.UNKNOWN]},
        "off": {made[state.WITHDRAWN], made["none"]},
    }


def test_what_means_nothing_in_an_address_is_left_out_with_a_note() -> None:
    view, notes = invoices.filters_from(
        {"standing": "lost", "client": "x", "since": "soon", "sort": "-luck", "q": "\ud800", "app": "0"}
    )
    assert view == Filters()
    assert len(notes) == 6
    for bad in ("x", "x~1", "2026-01-01~0", "~1", "2026-01-01~99999999999"):
        key, said = invoices.key_from({"after": bad}, Sort.ISSUED)
        assert (key, len(said)) == (None, 1)
    assert invoices.key_from({"after": "1e99~1"}, Sort.AMOUNT)[0] is None


def test_an_address_reads_back_as_the_view_it_came_from() -> None:
    view = Filters(
        words="a&b", standing="overdue", deployment="failed", source="portal", client=3, app=4, since=TODAY,
        until=SEEN_ON, with_voided=True, sort=Sort.DUE, descending=False,
    )  # fmt: skip
    assert invoices.filters_from(dict(view.pairs())) == (view, [])
    assert view.is_narrowed
    assert Filters().query() == "?"


def test_the_file_holds_every_invoice_of_the_view_and_nothing_a_spreadsheet_would_calculate() -> None:
    """Fault row 95."""
    client = make_client("=SUM(A1)")
    make_invoice(client, make_item(client, price="12.50"))
    _many(2)
    text = "".join(invoices.csv(Filters(), as_of=SEEN_ON))
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["Number"] for row in rows] == ["INV-0003", "INV-0002", "INV-0001"]
    assert rows[2]["Client"] == "'=SUM(A1)"
    assert (rows[2]["Total"], rows[2]["Status"], rows[2]["Deployment"]) == ("12.5", "Overdue", "Off")


def test_many_are_paid_or_voided_at_once_and_one_that_cannot_stops_nobody() -> None:
    client = make_client()
    first, second, third = (make_invoice(client) for _ in range(3))
    _pay(second, "100")
    chosen = [third.id, second.id, first.id, 999]
    paid = invoices.mark_many_paid(
        chosen, paid_on=TODAY, method="cash", reference="", by=COMMAND, now=now(), write_to_ledger=False
    )
    assert [one.id for one in paid.done] == [first.id, third.id]
    assert [(one.id, why) for one, why in paid.refused] == [(second.id, "Invoice INV-0002 is paid already.")]
    fourth = make_invoice(client)
    ended = invoices.void_many([first.id, fourth.id], "other", "", by=COMMAND, now=now())
    assert ([one.id for one in ended.done], len(ended.refused)) == ([fourth.id], 1)


def _many(count: int) -> None:
    client = make_client("Acme Holdings")
    for place in range(count):
        make_invoice(client, on=TODAY + timedelta(days=place // 2))


def _dated(client: Client, days: int, price: str = "100", currency: str = "") -> Invoice:
    return make_invoice(client, make_item(client, price=price, currency=currency), due_on=TODAY + timedelta(days=days))


def _pay(invoice: Invoice, amount: str) -> None:
    invoices.note_payment(invoice, Decimal(amount), TODAY, how="collection", by=COMMAND, now=now())


def _rows(**details: object) -> list[invoices.Row]:
    return invoices.listing(Filters(**details), as_of=SEEN_ON).rows  # type: ignore[arg-type]  # as each test says
