"""A rehearsal: what will be billed on days to come, and every problem before it happens. Nothing is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, func, select

from portal import billing
from portal.db import db, reading
from portal.domain import ledgers, rehearsal, schedule
from portal.domain.activity import SYSTEM
from portal.domain.apps import Connection, ConnectionState, ways
from portal.domain.apps.ways import LedgerWays
from portal.domain.invoices import Invoice
from portal.domain.ledgers import TaxMapping
from portal.domain.library import CadenceUnit
from portal.domain.records import LedgerLists, ListEntry, ListKind
from portal.domain.rehearsal import Rehearsal, inspecting, rehearse
from portal.domain.schedule import BillingItem, Cadence, ClientService, PayBy
from tests.cast import COMMAND, make_client, make_connection, make_finding, make_link, now
from tests.cast_invoices import TODAY, make_item, make_tax_rate

pytestmark = pytest.mark.usefixtures("database", "clock")
MONTH_END = date(2026, 11, 30)
LISTS = LedgerLists(
    (
        ListEntry(ListKind.TAX, "OUT", "15 % on income", percent=Decimal(15)),
        ListEntry(ListKind.ACCOUNT, "200", "Sales"),
    ),
    currency="NZD",
)


@pytest.fixture
def books():
    """A ledger in which clients' invoices are created, and all that is needed is mapped."""
    kept = dict(ways._WAYS)
    told = LedgerWays(lists=("tax", "account"), number_length=12, lines_at_most=3)
    ways.register(replace(ways.ways_of("books"), name="Books", short_name="Books", ledger=told))
    connection = make_connection("books", enabled_at=now() - timedelta(hours=5))
    ledgers.keep(connection, LISTS, now=now())
    change(connection, creates=True, default_target="200")
    db.session.add(TaxMapping(connection_id=connection.id, tax_rate_id=make_tax_rate("15").id, remote_id="OUT"))
    db.session.flush()
    yield connection
    ways._WAYS.clear()
    ways._WAYS.update(kept)


def change(connection: Connection, **values: Any) -> None:
    version = ledgers.settings_of(connection).version
    ledgers.change_settings(connection, values, version=version, by=SYSTEM, now=now())
    db.session.flush()


def serve(name: str = "Acme", first_on: date = MONTH_END, client: Any = None, **more: Any) -> ClientService:
    values = {"name": "Bookkeeping", "price": Decimal(300), "tax_rate_id": make_tax_rate("15").id}
    cadence = Cadence(periods=more.pop("periods", None), **more.pop("cadence", {}))
    client = client or make_client(name)
    service = schedule.add_service(
        client, values | more.pop("values", {}), cadence, first_on=first_on, by=COMMAND, now=now(), **more
    )
    db.session.flush()
    return service


def of(day_from: date = MONTH_END, day_to: date | None = None, **more: Any) -> Rehearsal:
    return rehearse(day_from, day_to or day_from, **more)


def texts(found: Rehearsal) -> list[str]:
    return [problem.text for problem, _ledger, _kept in found.problems]


def test_it_shows_the_invoices_that_the_day_will_really_bring() -> None:
    client = make_client("Acme")
    serve(client=client, first_on=TODAY)
    serve(client=client, first_on=TODAY, values={"name": "Payroll", "price": Decimal("19.99")})
    serve(client=client, first_on=TODAY, values={"name": "Advice"}, pay_by=PayBy.AUTOMATIC)
    make_item(make_client("Zeta"), price="80", due_on=TODAY, is_automatic=True)
    make_item(client, price="1", due_on=TODAY)  # by hand: not to come by itself
    found = of(TODAY, today=TODAY)
    expected = sorted(
        (one.client.name, one.group.on, found.totals_of(one).total, len(one.group.items)) for one in found.invoices
    )
    db.session.commit()
    billing.bill_day(TODAY, now())
    made = db.session.scalars(select(Invoice))
    assert sorted((one.client_name, one.issued_on, one.total, len(one.lines)) for one in made) == expected
    assert len(expected) == 3 and found.sums == {"NZD": Decimal("699.99")}
    assert of(TODAY, today=TODAY).invoices == []


def test_it_writes_nothing_and_asks_a_handful_of_times_however_much_there_is() -> None:
    for number in range(30):
        serve(f"Client {number}", cadence={"unit": CadenceUnit.WEEK})
    db.session.commit()
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    with reading():
        found = of(MONTH_END, MONTH_END + timedelta(days=60))
        db.session.rollback()
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(found.invoices) == 30 * 9
    assert len(asked) < 20 and not [one for one in asked if one.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert db.session.scalar(select(func.count()).select_from(BillingItem)) == 0


def test_moved_changed_paused_ended_and_finished_things_come_as_they_will_be() -> None:
    moved, paused, ended = serve("Moved"), serve("Paused"), serve("Ended")
    serve("Short", periods=1, first_on=TODAY)
    item = schedule.materialise(moved, 0, by=COMMAND, now=now())
    schedule.edit_item(item, {"due_on": date(2026, 12, 5), "price": Decimal(1)}, by=COMMAND, now=now())
    schedule.pause(paused, by=COMMAND, now=now())
    schedule.end_service(ended, by=COMMAND, now=now())
    found = of(MONTH_END, date(2026, 12, 31))
    assert [(one.client.name, one.group.on, one.subtotal) for one in found.invoices] == [
        ("Moved", date(2026, 12, 5), Decimal(1)),
        ("Moved", date(2026, 12, 30), Decimal(300)),
    ]


def test_only_some_clients_can_be_rehearsed() -> None:
    one, _other = serve("Acme"), serve("Zeta")
    assert [found.client.name for found in of(clients=[one.client_id]).invoices] == ["Acme"]


def test_what_is_held_up_comes_with_today_and_with_no_later_day() -> None:
    make_item(make_client(), due_on=TODAY - timedelta(days=3), is_automatic=True)
    assert len(of(TODAY, today=TODAY).invoices) == 1
    assert of(TODAY + timedelta(days=1), today=TODAY).invoices == []


# Problems, each with the place to mend it


def test_with_everything_mapped_nothing_stands_in_the_way(books: Connection) -> None:
    make_link(serve().client, books)
    (one,) = of().invoices
    assert (one.ledger, one.problems) == (books, ())
    assert of().totals_of(one).total == Decimal(345)


def test_a_client_that_is_not_there_yet_is_no_problem(books: Connection) -> None:
    serve()
    assert of().troubled == []


def test_a_broken_link_is_one(books: Connection) -> None:
    make_link(serve().client, books, state="broken", broken_why="archived there")
    ((problem, ledger, kept),) = of().problems
    assert (problem.cause, problem.where, ledger) == ("customer_gone", "client", books)
    assert "The link of Acme" in problem.text and "archived there" in problem.text and len(kept) == 1


def test_a_name_that_fits_several_records_there_is_one(books: Connection) -> None:
    service = serve()
    make_finding(books, "ACME", client_id=service.client_id)
    (problem,) = [problem for problem, _ledger, _kept in of().problems]
    assert (problem.cause, problem.id) == ("customer", service.client_id)
    assert problem.text.startswith("It is not settled which customer of")


def test_a_tax_rate_that_is_not_mapped_is_one_and_named_once(books: Connection) -> None:
    for name in ("Acme", "Zeta"):
        serve(name, values={"tax_rate_id": make_tax_rate("9").id})
    ((problem, _ledger, kept),) = of().problems
    assert (problem.cause, problem.where, problem.id) == ("tax_missing", "tax", make_tax_rate("9").id)
    assert len(kept) == 2


def test_an_account_switched_off_there_is_one(books: Connection) -> None:
    serve()
    off = replace(LISTS, entries=(LISTS.entries[0], ListEntry(ListKind.ACCOUNT, "200", "Sales", is_active=False)))
    ledgers.keep(books, off, now=now())
    assert [(problem.cause, problem.where) for problem, _l, _k in of().problems] == [("account_not_valid", "settings")]


def test_a_lost_connection_is_one(books: Connection) -> None:
    serve()
    books.state = ConnectionState.NEEDS_RECONNECT
    assert [problem.where for problem, _l, _k in of().problems] == ["connection"]


def test_another_currency_too_many_lines_and_locked_books_are_some(books: Connection) -> None:
    """Fault row 86."""
    service = serve()
    service.currency = "USD"
    client = make_client("Zeta")
    for _ in range(4):
        serve(client=client)
    ledgers.settings_to_change(books).locked_until = MONTH_END
    found = of()
    causes = {problem.cause for problem, _ledger, _kept in found.problems}
    assert causes == {"currency", "amount_not_allowed", "period_locked"}
    assert list(found.sums) == ["NZD", "USD"]


def test_a_number_longer_than_the_ledger_takes_is_one(books: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    serve()
    monkeypatch.setattr(inspecting.invoices, "next_number", lambda _kind: "MARLOW-AND-CO-1")
    assert [(problem.cause, problem.where) for problem, _l, _k in of().problems] == [("number_used", "numbers")]


def test_an_archived_client_is_one_without_any_ledger() -> None:
    service = serve()
    service.client.archived_at = now()
    assert texts(of()) == ["Acme is archived, and archived clients are not billed."]


def test_amounts_nobody_can_be_billed_by_are_some() -> None:
    """Fault row 85."""
    serve(values={"discount": Decimal(301)})
    serve("Zeta", values={"price": Decimal(-1)})
    found = of()
    assert len(found.problems) == 2 and {problem.cause for problem, _l, _k in found.problems} == {"amount_not_allowed"}
    assert [one.subtotal for one in found.invoices] == [None, Decimal(-1)]


def test_a_day_early_the_number_of_troubled_invoices_is_put_down_and_mended_ones_leave_it(clock: Any) -> None:
    service = serve(first_on=TODAY + timedelta(days=1))
    service.client.archived_at = now()
    db.session.commit()
    assert rehearsal.expected_problems(TODAY + timedelta(days=1)) is None
    assert billing.look_ahead(now()) == 1
    assert rehearsal.expected_problems(TODAY + timedelta(days=1)) == 1
    service.client.archived_at = None
    db.session.commit()
    clock.shift(timedelta(hours=1))
    assert billing.look_ahead(now()) == 0
    assert rehearsal.expected_problems(TODAY + timedelta(days=1)) == 0


def test_an_option_the_ledger_has_archived_is_told_before_it_refuses_the_invoice(books: Connection) -> None:
    """CL-32."""
    service = serve()
    link = make_link(service.client, books, choices={"office": "auckland"})
    office = {"remote_id": "office", "name": "Office", "options": [{"remote_id": "auckland", "name": "Auckland"}]}
    books.reference = {"choices": [office], "read_at": "2026-11-03T00:00:00+00:00"}
    db.session.flush()
    assert texts(of()) == []
    books.reference = books.reference | {"choices": [office | {"options": []}]}
    db.session.flush()
    (told,) = of().problems
    assert told[0].text == (
        "Acme carries an option of Office that is archived in Books or no longer there. "
        "Choose another on the client’s Apps tab."
    )
    assert (told[0].where, told[0].id) == ("client", service.client_id)
    link.choices = {}
    db.session.flush()
    assert texts(of()) == []
