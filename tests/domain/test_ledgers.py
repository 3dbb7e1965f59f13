"""Which ledger a client's invoices go to, and how its lists and mappings are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from portal.db import db
from portal.domain import activity, clients, ledgers, library
from portal.domain.activity import SYSTEM
from portal.domain.apps import Connection, ConnectionState, ways
from portal.domain.apps.ways import LedgerWays
from portal.domain.ledgers import NotInTheList, NotMapped, Problem, StaleLedgerSettings
from portal.domain.records import LedgerLists, ListEntry, ListKind
from tests.cast import make_client, make_connection, make_link, now

pytestmark = pytest.mark.usefixtures("database", "clock")

GST = ListEntry(ListKind.TAX, "OUTPUT2", "15% GST on Income", percent=Decimal(15))
ZERO = ListEntry(ListKind.TAX, "ZERORATED", "Zero rated", percent=Decimal(0))
SALES = ListEntry(ListKind.ACCOUNT, "200", "Sales", code="200")
WAGES = ListEntry(ListKind.ACCOUNT, "477", "Wages", code="477", fits=False, why_not="it is an expense account")
LISTS = LedgerLists((GST, ZERO, SALES, WAGES), currency="NZD")


@pytest.fixture(autouse=True)
def two_ledgers():
    """Two apps that hold invoices, and one that does not."""
    kept = dict(ways._WAYS)
    told = LedgerWays(lists=("tax", "account"), number_length=12, lines_at_most=3)
    for slug in ("books", "tables"):
        ways.register(replace(ways.ways_of(slug), slug=slug, name=slug.title(), short_name=slug.title(), ledger=told))
    yield
    ways._WAYS.clear()
    ways._WAYS.update(kept)


def ledger(app: str = "books", *, creates: bool | None = True, hours_ago: int = 5) -> Connection:
    connection = make_connection(app, f"Marlow in {app}", enabled_at=now() - timedelta(hours=hours_ago))
    ledgers.keep(connection, LISTS, now=now())
    if creates is not None:
        set_default(connection, creates)
    return connection


def set_default(connection: Connection, creates: bool, after: timedelta = timedelta(0)) -> None:
    version = ledgers.settings_of(connection).version
    ledgers.change_settings(connection, {"creates": creates}, version=version, by=SYSTEM, now=now() + after)


def made(name: str, after: timedelta = timedelta(0)) -> clients.Client:
    return make_client(name, created_at=now() + after)


class TestWhichLedger:
    def test_without_a_ledger_there_is_nowhere_to_go(self) -> None:
        make_connection("xpm")
        assert ledgers.ledger_for(made("Acme")) is None

    def test_a_ledger_that_creates_takes_every_client_that_was_there_before_it(self) -> None:
        acme = made("Acme", -timedelta(days=100))
        books = ledger()
        assert ledgers.ledger_for(acme) == books

    def test_switching_the_default_changes_nothing_for_clients_who_are_there(self) -> None:
        """XE-04."""
        books = ledger(creates=True)
        old = made("Old", timedelta(minutes=1))
        set_default(books, False, timedelta(minutes=2))
        new = made("New", timedelta(minutes=3))
        set_default(books, True, timedelta(minutes=4))
        newest = made("Newest", timedelta(minutes=5))
        assert [ledgers.ledger_for(one) for one in (old, new, newest)] == [books, None, books]

    def test_a_client_linked_to_one_of_two_ledgers_goes_there(self) -> None:
        books, tables = ledger(hours_ago=9), ledger("tables", hours_ago=2)
        acme, beta = made("Acme"), made("Beta")
        make_link(acme, tables)
        assert [ledgers.ledger_for(one) for one in (acme, beta)] == [tables, books]

    def test_a_client_stays_with_the_ledger_of_its_first_invoice(self) -> None:
        """AP-02."""
        books = ledger(hours_ago=3)
        acme = made("Acme")
        assert ledgers.settle(acme, now=now()) == books
        make_link(acme, ledger("tables", hours_ago=9))
        assert ledgers.ledger_for(acme) == books

    def test_the_clients_own_switch_wins_and_is_on_record(self) -> None:
        books = ledger(creates=False)
        acme = made("Acme")
        ledgers.switch_client(acme, books, True, by=SYSTEM, now=now())
        assert ledgers.ledger_for(acme) == books
        ledgers.switch_client(acme, books, False, by=SYSTEM, now=now())
        ledgers.switch_client(acme, books, False, by=SYSTEM, now=now())
        assert ledgers.ledger_for(acme) is None
        assert [activity.sentence(one) for one in activity.log(client_id=acme.id)] == [
            "Invoices of Acme: are no longer created in Books",
            "Invoices of Acme: are created in Books from now on",
        ]

    def test_a_ledger_that_was_given_up_takes_nothing(self) -> None:
        books = ledger()
        acme = made("Acme")
        books.move_to(ConnectionState.DISCONNECTED, now=now())
        db.session.flush()
        assert ledgers.ledger_for(acme) is None

    def test_an_app_without_invoices_is_no_ledger(self) -> None:
        xpm = make_connection("xpm")
        with pytest.raises(ledgers.NotALedger):
            ledgers.switch_client(made("Acme"), xpm, True, by=SYSTEM, now=now())
        with pytest.raises(ledgers.NotALedger):
            ledgers.settings_of(xpm)


class TestLists:
    def test_what_vanishes_there_stays_here_switched_off(self) -> None:
        books = ledger()
        assert not ledgers.keep(books, LISTS, now=now())
        assert ledgers.keep(books, replace(LISTS, entries=(GST, SALES)), now=now())
        assert [one.name for one in ledgers.entries(books, "tax")] == ["15% GST on Income"]
        gone = next(one for one in ledgers.entries(books, "tax", usable=False) if one.remote_id == "ZERORATED")
        assert (gone.is_active, gone.why_not) == (False, "it is no longer there")

    def test_a_rate_is_mapped_only_to_one_of_the_same_percentage(self) -> None:
        books = ledger()
        rate = library.add_tax_rate("GST", Decimal(15), by=SYSTEM, now=now())
        with pytest.raises(NotInTheList, match="Zero rated is 0 % and GST is 15 %"):
            ledgers.map_tax(books, rate, "ZERORATED", by=SYSTEM, now=now())
        assert ledgers.map_tax(books, rate, "OUTPUT2", by=SYSTEM, now=now())
        assert not ledgers.map_tax(books, rate, "OUTPUT2", by=SYSTEM, now=now())
        assert ledgers.tax_mappings(books) == {rate.id: "OUTPUT2"}

    def test_the_one_rate_of_the_same_percentage_suggests_itself_and_two_do_not(self) -> None:
        books = ledger()
        rate = library.add_tax_rate("GST", Decimal(15), by=SYSTEM, now=now())
        usable = ledgers.entries(books, "tax")
        assert ledgers.suggestion(rate, usable).remote_id == "OUTPUT2"
        twin = ListEntry(ListKind.TAX, "TAX001", "Another 15 %", percent=Decimal(15))
        ledgers.keep(books, replace(LISTS, entries=(*LISTS.entries, twin)), now=now())
        assert ledgers.suggestion(rate, ledgers.entries(books, "tax")) is None

    def test_what_cannot_stand_on_an_invoice_cannot_be_chosen(self) -> None:
        books = ledger()
        for wanted, why in (("477", "expense account"), ("999", "no longer in Books")):
            with pytest.raises(NotInTheList, match=why):
                ledgers.change_settings(books, {"default_target": wanted}, version=2, by=SYSTEM, now=now())

    def test_two_people_saving_the_settings_do_not_overwrite_each_other(self) -> None:
        """Fault row 89."""
        books = ledger()
        ledgers.change_settings(books, {"due_days": 20}, version=2, by=SYSTEM, now=now())
        with pytest.raises(StaleLedgerSettings):
            ledgers.change_settings(books, {"due_days": 7}, version=2, by=SYSTEM, now=now())
        assert ledgers.settings_of(books).due_days == 20

    def test_readiness_says_what_is_missing(self) -> None:
        books = ledger()
        rate = library.add_tax_rate("GST", Decimal(15), by=SYSTEM, now=now())
        assert ledgers.readiness(books) == [
            "Choose the sales account for services without their own.", "Map the tax rate GST.",
        ]  # fmt: skip
        ledgers.change_settings(books, {"default_target": "200"}, version=2, by=SYSTEM, now=now())
        ledgers.map_tax(books, rate, "OUTPUT2", by=SYSTEM, now=now())
        assert ledgers.readiness(books) == []


class Line:
    """Just enough of a line."""

    def __init__(self, service_id: int | None, tax_rate_id: int | None, name: str = "Bookkeeping") -> None:
        self.name, self.service_id, self.tax_rate_id = name, service_id, tax_rate_id


class TestLines:
    @pytest.fixture
    def books(self) -> Connection:
        connection = ledger()
        ledgers.change_settings(connection, {"default_target": "200"}, version=2, by=SYSTEM, now=now())
        return connection

    def problems(self, books: Connection, *lines: Line, **of: str) -> list[Problem]:
        return ledgers.Mapping.read(books).problems(lines, **of)

    def test_a_line_goes_to_its_services_own_target_before_the_default(self, books: Connection) -> None:
        service = library.create_service("Payroll", by=SYSTEM, now=now())
        other = ListEntry(ListKind.ACCOUNT, "260", "Payroll income", code="260")
        ledgers.keep(books, replace(LISTS, entries=(*LISTS.entries, other)), now=now())
        ledgers.set_target(books, service, "260", by=SYSTEM, now=now())
        mapping = ledgers.Mapping.read(books)
        assert mapping.target_of(Line(service.id, None)) == ("260", None)
        assert mapping.target_of(Line(None, None)) == ("200", None)

    def test_everything_that_is_wrong_is_said_at_once(self, books: Connection) -> None:
        rate = library.add_tax_rate("GST", Decimal(15), by=SYSTEM, now=now())
        lines = [Line(None, rate.id), Line(None, None, "Advice"), Line(None, rate.id), Line(None, rate.id)]
        found = self.problems(books, *lines, number="INV-00000000001", currency="AUD")
        assert [(one.cause, one.where) for one in found] == [
            ("tax_missing", "tax"), ("tax_missing", "invoice"), ("number_used", "invoice"), ("currency", "invoice"),
            ("amount_not_allowed", "invoice"),
        ]  # fmt: skip

    def test_an_account_that_was_switched_off_there_is_named(self, books: Connection) -> None:
        rate = library.add_tax_rate("GST", Decimal(15), by=SYSTEM, now=now())
        ledgers.map_tax(books, rate, "OUTPUT2", by=SYSTEM, now=now())
        ledgers.keep(books, replace(LISTS, entries=(GST, ZERO, replace(SALES, is_active=False))), now=now())
        (found,) = self.problems(books, Line(None, rate.id))
        assert found.text == (
            "In Books, Sales, the sales account of Bookkeeping, cannot be used: it is switched off there."
        )

    def test_a_lost_connection_is_a_problem_too(self, books: Connection) -> None:
        books.move_to(ConnectionState.NEEDS_RECONNECT, now=now())
        assert "connection" in {one.cause for one in self.problems(books, Line(None, None))}

    def test_lines_out_raises_every_problem(self, books: Connection) -> None:
        class Bill:
            number, currency = "INV-1", "NZD"
            lines = (Line(None, None),)

        with pytest.raises(NotMapped) as told:
            ledgers.lines_out(Bill(), books)  # type: ignore[arg-type]  # as much of an invoice as this needs
        assert [one.cause for one in told.value.problems] == ["tax_missing"]


class TestStatus:
    def test_items_make_a_lead_active_and_their_end_makes_it_inactive(self) -> None:
        """CL-02, CL-03."""
        acme = made("Acme")
        clients.count_items(acme, 2, reason="proposal accepted", by=SYSTEM, now=now())
        assert (acme.status, acme.active_items) == ("active", 2)
        clients.count_items(acme, -2, reason="all services ended", by=SYSTEM, now=now())
        assert (acme.status, acme.was_active) == ("inactive", True)
        assert [activity.sentence(one) for one in activity.log(client_id=acme.id)] == [
            "Acme is now inactive: all services ended", "Acme is now active: proposal accepted",
        ]  # fmt: skip

    def test_the_archive_keeps_whom_it_holds(self) -> None:
        acme = made("Acme")
        clients.archive(acme, by=SYSTEM, now=now())
        clients.count_items(acme, 1, reason="an invoice", by=SYSTEM, now=now())
        assert acme.status == "archived"
        clients.unarchive(acme, by=SYSTEM, now=now())
        assert acme.status == "active"
