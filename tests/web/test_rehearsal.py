"""The Rehearsal page: what will come, what would go wrong, where it is mended; and who hears of it a day early."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from portal import billing
from portal.db import db
from portal.domain import schedule
from portal.domain.clients import ClientStatus
from portal.domain.schedule import Cadence
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import TODAY, make_item, make_tax_rate

pytestmark = pytest.mark.usefixtures("clock")
TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def to_come(clock: Any, story: Any) -> None:
    """Tomorrow: Acme's books, and one for a client who was archived meanwhile."""
    with story():
        for name in ("Acme", "=Gone & Co"):
            client = make_client(name)
            values = {"name": "Bookkeeping", "price": Decimal(300), "tax_rate_id": make_tax_rate("15").id}
            schedule.add_service(client, values, Cadence(), first_on=TOMORROW, by=COMMAND, now=now())
        client.archived_at, client.status = now(), ClientStatus.ARCHIVED


@pytest.mark.usefixtures("to_come")
def test_tomorrow_is_shown_with_its_sums_and_its_problems(browser: Any) -> None:
    page = browser.signed_in_as("member").get("/rehearsal")
    assert "2 invoices, $600.00 before tax; 1 of them would meet a problem" in page.text
    assert "=Gone & Co is archived, and archived clients are not billed. Go to the client" in page.text
    assert "$345.00" in page.text
    only = page.click("Only those with a problem")
    assert "Acme" not in " ".join(cell.text_content() for cell in only.all("//tbody/tr"))
    assert page.click("Go to the client").h1 == "=Gone & Co"


@pytest.mark.usefixtures("to_come")
def test_other_days_can_be_chosen_and_a_day_without_invoices_says_so(browser: Any) -> None:
    browser.signed_in_as("member")
    later = browser.get("/rehearsal", query={"from": "2026-11-05", "to": "2026-12-31"})
    assert "2 invoices" in later.text  # 4 December
    assert "No invoice will come" in browser.get("/rehearsal", query={"from": "2026-11-05"}).text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "yesterday"}, "That is no day."),
        ({"from": "2026-01-01"}, "What is past was billed already"),
        ({"from": "2026-12-02", "to": "2026-12-01"}, "The last day was before the first one"),
        ({"from": "2026-12-02", "to": "2029-12-01"}, "a year at most"),
        ({"from": "9999-12-31"}, "That is no day."),
        ({"from": "2026-12-02", "page": "-7"}, "No invoice will come"),
    ],
)
def test_odd_days_are_taken_kindly(browser: Any, query: dict[str, str], said: str, story: Any) -> None:
    with story():
        make_client()
    assert said in browser.signed_in_as("member").get("/rehearsal", query=query).text


@pytest.mark.usefixtures("to_come")
def test_the_export_holds_every_invoice_and_no_formula(browser: Any) -> None:
    """Fault row 95."""
    page = browser.signed_in_as("member").get("/rehearsal/rehearsal.csv")
    rows = list(csv.reader(io.StringIO(page.body.removeprefix("\ufeff"))))
    assert rows[0][:3] == ["Date", "Client", "What"] and len(rows) == 3
    by_client = {row[1]: row for row in rows[1:]}
    assert by_client["Acme"][6:9] == ["300.00", "45.00", "345.00"]
    assert "archived" in by_client["'=Gone & Co"][10]


@pytest.mark.usefixtures("to_come")
def test_an_admin_hears_of_tomorrows_problems_today(browser: Any, story: Any) -> None:
    with story():
        billing.look_ahead(now())
    home = browser.signed_in_as("admin").get("/")
    page = home.click("invoice of tomorrow with a problem")
    assert page.h1 == "Rehearsal" and "archived" in page.text
    assert "tomorrow" not in browser.signed_in_as("member").get("/").text


def test_what_could_not_be_billed_stands_on_home_until_it_is_mended(browser: Any, story: Any) -> None:
    with story():
        make_item(make_client(), price="-5", due_on=TODAY, is_automatic=True)
    with story():
        billing.bill_due(now())
    home = browser.signed_in_as("member").get("/")
    assert "item no invoice came of" in home.text
    assert "It would come to less than nothing" in home.click("item no invoice came of").text


def test_clients_with_overdue_manual_items_are_found_in_the_list(browser: Any, story: Any) -> None:
    """BS-03."""
    with story():
        make_item(make_client("Late Ltd"), due_on=TODAY - timedelta(days=1))
        make_item(make_client("Timely Ltd"), due_on=TODAY)
        make_item(make_client("Automatic Ltd"), due_on=TODAY - timedelta(days=1), is_automatic=True)
        make_client("Idle Ltd")
        db.session.flush()
    browser.signed_in_as("member")
    value = browser.get("/clients").find("//select[@name='overdue']/option[2]").get("value")
    found = browser.get("/clients", query={"overdue": value})
    names = [link.text_content() for link in found.all("//tbody//a[starts-with(@href, '/clients/')]")]
    assert names == ["Late Ltd"] and "Manual items overdue on 3 Nov 2026" in found.text
    assert "There is no such day" in browser.get("/clients", query={"overdue": "soon"}).text


def test_the_days_that_are_shown_are_marked_among_the_shortcuts(browser: Any, story: Any) -> None:
    page = browser.signed_in_as("member").get("/rehearsal")
    marked = [one.text_content() for one in page.all("//a[@aria-current='true']")]
    assert marked == ["Tomorrow"]
    assert page.click("Next month").all("//a[@aria-current='true']")[0].text_content() == "Next month"
