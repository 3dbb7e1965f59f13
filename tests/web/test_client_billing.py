"""A client's Billing tab: what is billed by hand, what by itself, and what a person does about it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import library, schedule
from portal.domain.invoices import Invoice
from portal.domain.library import CadenceUnit, PriceType
from portal.domain.schedule import BillingItem, Cadence, ClientService, ItemState
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import TODAY, make_item, make_tax_rate

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def acme(clock: Any, story: Any) -> int:
    """Acme, with two things that wait for a person and a monthly service."""
    with story():
        client = make_client()
        make_item(client, "Annual accounts", price="1200", tax="15", due_on=TODAY - timedelta(days=1))
        make_item(client, "Advice", price="150", tax="15", quantity=Decimal(2))
        values = {"name": "Bookkeeping", "price": Decimal(300), "tax_rate_id": make_tax_rate("15").id}
        schedule.add_service(client, values, Cadence(), first_on=date(2026, 11, 30), by=COMMAND, now=now())
        return client.id


def of_tab(browser: Any, client_id: int) -> Any:
    return browser.get(f"/clients/{client_id}/billing")


def test_the_tab_has_two_parts_and_the_overdue_one_comes_first(browser: Any, acme: int) -> None:
    page = of_tab(browser.signed_in_as("member"), acme)
    assert "Billing" in page.links()
    by_hand, by_itself = (page.find(f"//section[@aria-labelledby='{part}']") for part in ("by-hand", "by-itself"))
    rows = [" ".join(row.text_content().split()) for row in by_hand.xpath(".//tbody/tr")]
    assert rows[0].startswith("Annual accounts Overdue 2 Nov 2026") and "Overdue" not in rows[1]
    heads = [" ".join(one.text_content().split()) for one in by_itself.xpath(".//tbody/tr/th")]
    assert heads == ["30 Nov 2026", "30 Dec 2026", "30 Jan 2027"]


def test_what_is_due_is_invoiced_after_checking_and_a_review(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    page = of_tab(browser, acme)
    keys = [box.get("value") for box in page.all("//input[@name='key']")]
    checking = browser.get(f"/clients/{acme}/billing/invoice", query={"key": keys[:2]})
    assert checking.h1 == "Invoice Acme Corp now"
    review = checking.submit("Next: review", **{f"{keys[0]}-price": "1,000"})
    assert "One invoice" in review.text and "$1,495.00" in review.text  # 1,300 and its tax
    after = review.submit("Issue invoice")
    assert after.said == "Invoice INV-0001 is issued."
    with story():
        (invoice,) = db.session.scalars(select(Invoice))
        assert (invoice.total, invoice.issued_on, invoice.is_automatic) == (Decimal(1495), TODAY, False)
        assert {line.name for line in invoice.lines} == {"Annual accounts", "Advice"}


def test_the_form_sent_twice_bills_once(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    page = of_tab(browser, acme)
    key = page.all("//input[@name='key']")[0].get("value")
    review = browser.get(f"/clients/{acme}/billing/invoice", query={"key": key}).submit("Next: review")
    review.submit("Issue invoice")
    again = review.submit("Issue invoice")
    assert again.said == "That form was sent already; nothing was billed twice."
    with story():
        assert len(list(db.session.scalars(select(Invoice)))) == 1


def test_the_review_says_how_many_invoices_and_why(browser: Any, acme: int, story: Any) -> None:
    with story():
        make_item(db.session.get_one(BillingItem, 1).client, "Trust return", reference="PROP-9")
    browser.signed_in_as("member")
    keys = [box.get("value") for box in of_tab(browser, acme).all("//form//td/input[@name='key']")]
    review = browser.get(f"/clients/{acme}/billing/invoice", query={"key": keys}).submit("Next: review")
    assert "This makes 2 invoices" in review.text and "they belong to different billing groups" in review.text
    assert review.submit("Issue (2 invoices)").said == "2 invoices are issued: INV-0001 and INV-0002."


def test_a_price_that_is_no_number_is_said_beside_it(browser: Any, acme: int) -> None:
    browser.signed_in_as("member")
    key = of_tab(browser, acme).all("//input[@name='key']")[0].get("value")
    checking = browser.get(f"/clients/{acme}/billing/invoice", query={"key": key})
    wrong = checking.submit("Next: review", **{f"{key}-price": "a lot"})
    assert wrong.status == 422
    assert "Type a number" in wrong.errors()[f"{key}-price"]


def test_manual_items_go_onto_a_date_and_never_onto_one_gone_by(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    key = of_tab(browser, acme).all("//input[@name='key']")[0].get("value")
    planning = browser.get(f"/clients/{acme}/billing/choices", query={"key": key, "act": "plan"})
    wrong = planning.submit("Schedule", on="2026-11-01")
    assert wrong.status == 422 and "gone by" in wrong.errors()["on"]
    assert "Annual accounts will be billed" in planning.submit("Schedule", on="2026-12-24").said
    with story():
        item = db.session.scalar(select(BillingItem).where(BillingItem.name == "Annual accounts"))
        assert item is not None and (item.due_on, item.is_automatic) == (date(2026, 12, 24), True)


def test_a_group_is_billed_by_hand_or_later(browser: Any, acme: int) -> None:
    browser.signed_in_as("member")
    after = of_tab(browser, acme).submit("Bill by hand")
    assert after.said.startswith("Bookkeeping will be billed when somebody says so.")
    delaying = after.click("Delay")
    later = delaying.submit("Delay", on="2027-01-15")
    assert later.said.startswith("Bookkeeping will be billed on 15 Jan 2027")


def test_an_item_is_changed_and_two_people_do_not_overwrite_each_other(browser: Any, acme: int, story: Any) -> None:
    """Fault row 89."""
    browser.signed_in_as("member")
    form = browser.get(f"/clients/{acme}/billing/items/i1")
    assert form.submit("Save", price="900", notes="agreed with Tama").said == "Annual accounts: price, notes changed."
    late = form.submit("Save", price="1")
    assert late.status == 409
    assert "Price before tax 900 Notes agreed with Tama Save puts yours in its place." in late.text
    assert late.find("//input[@name='price']").get("value") == "1"
    with story():
        assert db.session.get_one(BillingItem, 1).price == Decimal(900)
    assert late.submit("Save").said == "Annual accounts: price, notes changed."


def test_one_period_is_changed_without_the_others(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    form = browser.get(f"/clients/{acme}/billing/items/s1p1")
    form.submit("Save", price="0")
    with story():
        found = schedule.upcoming(acme, today=TODAY)
        assert [group.items[0].amount for group in found] == [300, 0, 300]


@pytest.mark.parametrize("typed", [{"discount": "1300"}, {"discount": "101", "discount_kind": "percent"}])
def test_a_discount_above_the_line_is_refused(browser: Any, acme: int, typed: dict[str, str]) -> None:
    """Fault row 85."""
    wrong = browser.signed_in_as("member").get(f"/clients/{acme}/billing/items/i1").submit("Save", **typed)
    assert wrong.status == 422 and "more than the line" in wrong.errors()["discount"]


def test_taking_an_item_off_can_be_undone(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    after = browser.get(f"/clients/{acme}/billing/items/i1").submit("Do not bill it")
    assert after.said.startswith("Annual accounts is not to be billed.")
    assert after.submit("Undo").said == "Annual accounts is to be billed after all."
    with story():
        assert db.session.get_one(BillingItem, 1).state == ItemState.OPEN


def test_a_service_is_paused_goes_on_and_ends_and_the_end_is_taken_back(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    paused = of_tab(browser, acme).submit("Pause")
    assert "Paused" in paused.text
    assert paused.submit("Go on").said == "Billing of Bookkeeping goes on."
    ended = of_tab(browser, acme).submit("End service")
    assert "Bookkeeping has ended." in ended.said
    assert ended.submit("Undo").said.startswith("Bookkeeping goes on")
    with story():
        assert db.session.get_one(ClientService, 1).ended_at is None


def test_a_one_off_goes_straight_to_the_check_of_its_invoice(browser: Any, story: Any) -> None:
    with story():
        client_id = make_client().id
    browser.signed_in_as("member")
    form = of_tab(browser, client_id).click("Create invoice")
    checking = form.submit("Next", name="Extra work", price="80", quantity="1.5")
    assert checking.h1 == "Invoice Acme Corp now" and "Extra work" in checking.text
    assert checking.submit("Next: review").submit("Issue invoice").said == "Invoice INV-0001 is issued."


def test_a_service_is_added_without_a_proposal(browser: Any, story: Any) -> None:
    with story():
        client_id = make_client().id
    browser.signed_in_as("member")
    form = browser.get(f"/clients/{client_id}/billing/new-service")
    wrong = form.submit("Add service", name="Payroll", price="90", first_on="2026-01-01")
    assert wrong.errors()["first_on"].endswith("Choose a day from today on.")
    form.submit(
        "Add service", name="Payroll", price="90", every="2", cadence="week", first_on="2026-11-10", periods="6"
    )
    with story():
        service = db.session.get_one(ClientService, 1)
        assert (service.every, service.cadence, service.periods) == (2, CadenceUnit.WEEK, 6)
        assert service.client.status.value == "active"


def test_support_sees_the_schedule_and_changes_nothing(browser: Any, acme: int) -> None:
    browser.signed_in_as("support")
    page = of_tab(browser, acme)
    assert "Annual accounts" in page.text and "Invoice now" not in page.buttons()
    assert browser.get(f"/clients/{acme}/billing/items/i1").status == 403


def test_what_belongs_to_another_client_is_not_found(browser: Any, acme: int, story: Any) -> None:
    """Fault row 98, of the schedule."""
    with story():
        other = make_client("Zeta").id
    browser.signed_in_as("member")
    assert browser.get(f"/clients/{other}/billing/items/i1").status == 404
    assert browser.get(f"/clients/{other}/services/1").status == 404
    assert browser.post(f"/clients/{other}/services/1/end").status == 404
    assert browser.post(f"/clients/{other}/billing/items/i1/cancellation").status == 404


def test_days_and_ways_of_billing_are_taken_back(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    key = of_tab(browser, acme).all("//input[@name='key']")[0].get("value")
    planning = browser.get(f"/clients/{acme}/billing/plan", query={"key": key})
    assert planning.submit("Schedule", on="2026-12-24").submit("Undo").said == "It is billed as before."
    by_hand = of_tab(browser, acme).submit("Bill by hand")
    assert by_hand.submit("Undo").said == "It is billed as before."
    with story():
        found = db.session.scalars(select(BillingItem).order_by(BillingItem.id))
        held = [(item.name, item.due_on, item.is_automatic) for item in found]
    assert held == [
        ("Annual accounts", TODAY - timedelta(days=1), False),
        ("Advice", None, False),
        ("Bookkeeping", date(2026, 11, 30), True),
    ]


def test_what_somebody_touched_since_is_not_taken_back(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    after = browser.get(f"/clients/{acme}/billing/plan", query={"key": "i1"}).submit("Schedule", on="2026-12-24")
    browser.get(f"/clients/{acme}/billing/items/i1").submit("Save", due_on="2026-12-28")
    assert after.submit("Undo").said == "Annual accounts was changed meanwhile, so nothing was taken back."
    with story():
        assert db.session.get_one(BillingItem, 1).due_on == date(2026, 12, 28)


def test_a_pause_is_taken_back_at_once(browser: Any, acme: int, story: Any) -> None:
    browser.signed_in_as("member")
    page = of_tab(browser, acme).submit("Pause")
    assert page.submit("Undo").said == "Billing of Bookkeeping goes on."
    with story():
        assert db.session.scalars(select(ClientService)).one().next_on == date(2026, 11, 30)


def test_a_day_has_to_be_chosen(browser: Any, acme: int) -> None:
    browser.signed_in_as("member")
    page = browser.get(f"/clients/{acme}/billing/plan", query={"key": "i1"}).submit("Schedule", on="")
    assert page.errors() == {"on": "Choose a day."}


def test_an_invoice_is_made_of_several_lines_one_after_the_other(browser: Any, acme: int, story: Any) -> None:
    """BS-10, without ticking them together afterwards."""
    browser.signed_in_as("member")
    page = browser.get(f"/clients/{acme}/billing/new-item")
    page = page.submit("Add another line", name="Company search", price="40")
    assert "On this invoice so far Company search $40.00" in page.text
    page = page.submit("Next", name="Courier", price="15")
    assert page.h1 == "Invoice Acme Corp now"
    after = page.submit("Next: review").submit("Issue invoice")
    assert after.said == "Invoice INV-0001 is issued."
    with story():
        (invoice,) = db.session.scalars(select(Invoice))
        assert [line.name for line in invoice.lines] == ["Company search", "Courier"]


def test_every_service_that_has_a_price_can_be_begun_with_however_many_there_are(
    browser: Any, acme: int, story: Any
) -> None:
    with story():
        for n in range(120):
            library.create_service(f"Service {n:03}", by=COMMAND, now=now(), price=Decimal(n + 1))
        library.create_service("Questions", by=COMMAND, now=now(), price_type=PriceType.INCLUDED)
    browser.signed_in_as("member")
    page = browser.get(f"/clients/{acme}/billing/new-item")
    names = [one.text_content() for one in page.all("//select[@name='service']/option")]
    assert names == ["Nothing from the library", *(f"Service {n:03}" for n in range(120))]


def test_the_tab_says_what_each_service_costs_when_it_is_next_billed_and_where_it_comes_from(
    browser: Any, acme: int
) -> None:
    page = of_tab(browser.signed_in_as("member"), acme)
    row = page.find("//section[@aria-labelledby='services']//tbody/tr")
    assert " ".join(row.text_content().split()).startswith(
        "Bookkeeping every month 30 Nov 2026 added here $300.00 Change"
    )
    assert page.links()["New proposal"] == f"/proposals/new?client={acme}"


def test_what_somebody_changed_during_the_review_is_checked_anew_and_nothing_typed_is_lost(
    browser: Any, acme: int, story: Any
) -> None:
    browser.signed_in_as("member")
    checking = browser.get(f"/clients/{acme}/billing/invoice", query={"key": "i1"})
    review = checking.submit("Next: review", **{"i1-price": "1100", "memo": "As agreed."})
    browser.get(f"/clients/{acme}/billing/items/i1").submit("Save", price="900")
    page = review.submit("Issue invoice")
    assert page.status == 409
    assert "Nothing was invoiced; what you typed is still here." in page.text
    assert page.errors()["i1-price"] == "Now planned: $900.00."
    assert page.find("//input[@name='memo']").get("value") == "As agreed."
    after = page.submit("Next: review").submit("Issue invoice")
    assert after.said == "Invoice INV-0001 is issued."
    with story():
        assert db.session.scalars(select(Invoice)).one().lines[0].price == Decimal(1100)


def test_what_no_ledger_can_hold_is_said_in_the_review_and_cannot_be_issued(browser: Any, acme: int) -> None:
    browser.signed_in_as("member")
    checking = browser.get(f"/clients/{acme}/billing/invoice", query={"key": "i1"})
    review = checking.submit("Next: review", **{"i1-price": "1000000000000", "i1-quantity": "1000000000000"})
    assert "It comes to more than any ledger can hold. Change quantity or price." in review.text
    assert "Issue invoice" not in review.buttons()
