"""What a ledger is asked for by itself and at a press: watched while it goes on, with its outcome on the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from jobs import queue
from portal import receivables
from portal.adapters.base import NeedsReconnect, Unavailable
from portal.domain.activity import Activity, sentence
from portal.domain.apps import Connection, ConnectionState
from portal.domain.ledgers import LedgerReading, readings
from portal.domain.records import LedgerLists, ListEntry, ListKind
from tests.cast import make_client, make_link, now
from tests.cast_deliveries import bill
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser

FEES = ListEntry(ListKind.ACCOUNT, "target-1", "account")
ENTRIES = (
    FEES,
    ListEntry(ListKind.TAX, "tax-1", "tax", percent=Decimal(15)),
    ListEntry(ListKind.PAY_INTO, "bank-1", "pay_into"),
)


@pytest.fixture(autouse=True)
def frozen(clock) -> None:
    """Before anybody signs in."""


@pytest.fixture
def alice(frozen, sign_in_as) -> Browser:
    return sign_in_as("admin")


@pytest.fixture
def books(story, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    with story():
        made = pretend_ledger(monkeypatch, refuses_used_numbers=True)
        monkeypatch.setattr(type(made.app), "fetch_lists", lambda app, session: LedgerLists(ENTRIES))
        monkeypatch.setattr(type(made.app), "fetch_invoices", lambda app, session, since: iter(()), raising=False)
        return made


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, app) -> Callable[[], None]:
    """What was handed to the background waits until the test lets it run."""
    handed: list[tuple] = []
    monkeypatch.setattr(queue, "submit", lambda *work: handed.append(work))

    def run() -> None:
        assert handed, "nothing was handed to the background"
        while handed:
            function, *args = handed.pop(0)
            with app.app_context():
                function(*args)

    run.handed = handed  # type: ignore[attr-defined]  # for tests that count
    return run


def settings(books: LedgerAccount) -> str:
    return f"/apps/{books.connection_id}/invoices"


def panel(books: LedgerAccount) -> str:
    return f"/apps/{books.connection_id}"


def fails_with(monkeypatch: pytest.MonkeyPatch, books: LedgerAccount, name: str, error: Exception) -> None:
    def refuse(*_args: object) -> object:
        raise error

    monkeypatch.setattr(type(books.app), name, refuse, raising=False)


class TestLists:
    def test_reading_them_anew_is_watched_and_told(self, alice: Browser, books, work, monkeypatch, story) -> None:
        """XE-08. No vendor is called within the request."""
        monkeypatch.setattr(
            type(books.app), "fetch_lists",
            lambda app, session: LedgerLists((*ENTRIES, ListEntry(ListKind.ACCOUNT, "300", "Advice", code="300"))),
        )  # fmt: skip
        page = alice.get(settings(books)).submit("Read lists anew")
        assert "Reading the lists of Ledger…" in page.text
        assert "asked for by Alice Ngata" in page.text
        assert page.links()["Look again"] == settings(books)
        assert page.all("//*[@id='lists-read']/@hx-trigger") == ["load delay:1s"]
        assert "300 · Advice" not in page.text
        work()
        block = alice.get(settings(books), block="lists-read")
        assert "just now : 1 new." in block.text
        assert block.headers["HX-Trigger"] == "lists-read"
        assert block.all("//*[@id='lists-read']/@hx-trigger") == []
        assert "300 · Advice" in alice.get(settings(books), block="form").text
        with story() as session:
            newest = session.query(Activity).order_by(Activity.id.desc()).first()
            assert sentence(newest) == "Lists of Ledger read anew: 1 new"

    def test_nothing_new_is_an_outcome_too(self, alice: Browser, books, work) -> None:
        alice.post(f"{panel(books)}/list-readings")
        work()
        alice.post(f"{panel(books)}/list-readings")
        work()
        assert "just now : nothing had changed." in alice.get(settings(books)).text

    def test_pressed_twice_it_is_read_once(self, alice: Browser, books, work) -> None:
        alice.post(f"{panel(books)}/list-readings")
        assert "Reading the lists of Ledger…" in alice.post(f"{panel(books)}/list-readings").text
        assert len(work.handed) == 1

    def test_what_went_wrong_stands_there_with_what_still_holds(self, alice: Browser, books, work, monkeypatch) -> None:
        fails_with(monkeypatch, books, "fetch_lists", Unavailable("Ledger is down."))
        alice.post(f"{panel(books)}/list-readings")
        work()
        page = alice.get(settings(books))
        for words in ("The lists of Ledger could not be read", "Ledger is down.", "still holds", "Read lists anew"):
            assert words in page.text, words

    def test_something_nobody_foresaw_ends_the_wait_too(self, alice: Browser, books, work, monkeypatch) -> None:
        fails_with(monkeypatch, books, "fetch_lists", ZeroDivisionError())
        alice.post(f"{panel(books)}/list-readings")
        with pytest.raises(ZeroDivisionError):
            work()
        assert "Reading the lists" not in alice.get(settings(books)).text
        with alice.app.app_context():
            assert readings.get(books.connection_id, readings.LISTS).error.startswith("Counterpart met something")

    def test_a_reading_whose_process_died_is_done_by_the_next_tick(self, alice: Browser, books, work, clock) -> None:
        alice.post(f"{panel(books)}/list-readings")
        work.handed.clear()
        with alice.app.app_context():
            assert receivables.read_lists_due(now()) == 0
        clock.shift(timedelta(minutes=11))
        assert "Reading the lists" not in alice.get(settings(books)).text
        with alice.app.app_context():
            assert receivables.read_lists_due(now()) == 1

    def test_a_ledger_that_is_not_connected_is_not_asked(self, alice: Browser, books, work, story) -> None:
        with story() as session:
            session.get(Connection, books.connection_id).state = ConnectionState.NEEDS_RECONNECT
        assert "nothing was started" in alice.post(f"{panel(books)}/list-readings").said
        assert not work.handed


class TestLooks:
    @pytest.fixture
    def there(self, story, books: LedgerAccount) -> str:
        """An invoice in the ledger; gives its id there."""
        with story():
            acme = make_client("Acme Corp")
            make_link(acme, books.connection, "r-1")
            row = bill(acme, books.connection)
            row.state, row.remote_id = "delivered", "theirs-1"
            books.app.put_invoice("INV-0001", remote_id="theirs-1", total=Decimal(115), due=Decimal(115))
            books.app.invoices["theirs-1"] = books.app.invoices.pop(next(iter(books.app.invoices)))
            return "theirs-1"

    def test_before_the_first_look_the_panel_says_so(self, alice: Browser, books) -> None:
        page = alice.get(panel(books))
        assert "Last look not yet" in page.text
        assert "are created in Ledger" in page.text

    def test_looking_now_is_watched_and_told(self, alice: Browser, books, work, there, monkeypatch) -> None:
        told = books.app.invoices[there]
        monkeypatch.setattr(type(books.app), "fetch_invoices", lambda app, session, since: iter((told,)))
        page = alice.get(panel(books)).submit("Look now")
        assert "Looking at the invoices in Ledger…" in page.text
        assert page.all("//*[@id='invoices']/@hx-trigger") == ["load delay:1s"]
        assert page.links()["Look again"] == f"{panel(books)}#invoices"
        work()
        block = alice.get(panel(books), block="invoices")
        assert "just now : 1 invoice from here read: nothing new" in block.text

    def test_a_failed_look_says_why_what_it_means_and_when_it_is_tried_again(
        self, alice: Browser, books, work, monkeypatch
    ) -> None:
        alice.post(f"{panel(books)}/looks")
        work()
        fails_with(monkeypatch, books, "fetch_invoices", Unavailable("Ledger is down for an hour."))
        alice.post(f"{panel(books)}/looks")
        work()
        page = alice.get(panel(books))
        for words in (
            "The last look at the invoices did not work", "Ledger is down for an hour.", "does not show here yet",
            "tried again by itself at", "nothing had changed there",
        ):  # fmt: skip
            assert words in page.text, words

    def test_access_that_ended_is_told_once_with_the_way_back(self, alice: Browser, books, work, monkeypatch) -> None:
        fails_with(monkeypatch, books, "fetch_invoices", NeedsReconnect("The permission was withdrawn."))
        alice.post(f"{panel(books)}/looks")
        work()
        page = alice.get(panel(books))
        assert "Connect again" in page.buttons()
        assert "The last look at the invoices did not work" not in page.text

    def test_the_hourly_looks_put_down_their_outcome_too(self, books, story) -> None:
        with story() as session:
            receivables.look_due(now())
            assert session.get(LedgerReading, (books.connection_id, readings.INVOICES)).read_at == now()

    def test_what_is_on_its_way_leads_to_just_those(self, alice: Browser, books, story) -> None:
        with story():
            acme = make_client("Acme Corp")
            bill(acme, books.connection)
            bill(acme, books.connection).state = "failed"
        links = alice.get(panel(books)).links()
        assert links["1 on their way"] == f"/invoices?deployment=waiting&app={books.connection_id}"
        page = alice.get(links["1 not created"])
        assert "INV-0002" in page.text
        assert "INV-0001" not in page.text

    def test_sync_now_reads_lists_and_invoices_and_says_so(self, alice: Browser, books, work, monkeypatch) -> None:
        from portal import sync

        monkeypatch.setattr(sync, "start", lambda run_id: None)
        page = alice.get(panel(books)).submit("Sync now")
        assert "Looking at the invoices in Ledger…" in page.text

    def test_a_ledger_that_tells_nothing_of_payments_says_what_to_do_instead(
        self, alice: Browser, story, monkeypatch
    ) -> None:
        """DG-10, DG-11."""
        with story():
            silent = pretend_ledger(monkeypatch, tells_payments=False)
        page = alice.get(panel(silent))
        for words in ("does not tell what becomes of an invoice", "mark it as paid", "void it here"):
            assert words in page.text, words
        assert page.links()["Open invoices in Ledger"].endswith(f"app={silent.connection_id}")


def test_members_start_nothing(sign_in_as, books, work) -> None:
    assert sign_in_as("member").post(f"{panel(books)}/looks").status == 403
    assert not work.handed
