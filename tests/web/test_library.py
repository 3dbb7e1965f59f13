"""The Library screen: services and tax rates, and the library as a file."""

from __future__ import annotations

import io
from decimal import Decimal

from sqlalchemy import select

from portal.db import db
from portal.domain import library
from portal.domain.activity import Activity, Verb
from portal.domain.library import BillingType, CadenceUnit, PriceType, Service, TaxRate
from tests.cast import COMMAND, make_firm, now, person


def make_service(name: str = "Annual accounts", price: str = "1200", **fields: object) -> Service:
    make_firm()
    return library.create_service(name, by=COMMAND, now=now(), price=Decimal(price), **fields)


def make_rate(name: str = "GST 15 %", percent: str = "15") -> TaxRate:
    make_firm()
    return library.add_tax_rate(name, Decimal(percent), by=COMMAND, now=now())


def the_service() -> Service:
    return db.session.scalars(select(Service)).one()


def test_a_service_is_put_into_the_library(story, sign_in_as) -> None:
    with story():
        make_rate()
    page = sign_in_as().get("/library/new")
    page = page.submit(
        "Save", name="Payroll", price_type="unit", price="1,012.50", unit="employee", billing_type="recurring",
        every="2", cadence="week",
    )  # fmt: skip
    assert page.said == "Payroll is in the library."
    assert "Payroll Every 2 weeks GST 15 % $1,012.50 per employee" in page.text
    with story():
        held = the_service()
        assert (held.price, held.every, held.cadence) == (Decimal("1012.5"), 2, CadenceUnit.WEEK)
        assert held.tax_rate.name == "GST 15 %"


def test_values_that_do_not_go_together_are_refused_beside_their_field(story, sign_in_as) -> None:
    """BS-01, 4.2."""
    with story():
        make_rate()
    page = sign_in_as().get("/library/new")
    wrong = page.submit("Save", name="Advice", price_type="range", price="100", price_to="50", billing_type="estimate")
    assert wrong.errors() == {"price_to": "A range ends above the price it begins with."}
    wrong = page.submit("Save", name="Project", price="100", billing_type="deposit", deposit="100")
    assert "deposit" in wrong.errors()
    wrong = page.submit("Save", name="", price="a lot")
    assert wrong.errors() == {
        "name": "Give the service a name.", "price": "Type a number, such as 1200 or 1,200.50.",
    }  # fmt: skip


def test_changing_the_library_says_what_changed_and_only_members_of_the_board_may(story, sign_in_as) -> None:
    with story():
        service_id = make_service().id
    assert sign_in_as("member").get(f"/library/services/{service_id}").status == 403
    assert "Annual accounts" in sign_in_as("member").get("/library").text
    page = sign_in_as().get(f"/library/services/{service_id}").submit("Save", price="1300")
    assert page.said.startswith("Saved.")
    with story():
        told = db.session.scalars(select(Activity).where(Activity.verb == Verb.SERVICE_CHANGED)).one()
        assert told.changes == [{"field": "price", "label": "Price", "old": "1200", "new": "1300"}]


def test_two_admins_at_once_do_not_overwrite_each_other(story, sign_in_as) -> None:
    """Fault row 89."""
    with story():
        service_id = make_service().id
    browser = sign_in_as()
    old = browser.get(f"/library/services/{service_id}")
    browser.get(f"/library/services/{service_id}").submit("Save", price="1300")
    page = old.submit("Save", price="1400")
    assert page.status == 409
    assert "Price before tax 1300 Save puts yours in its place." in page.text
    assert page.find("//input[@name='price']").get("value") == "1400"
    with story():
        assert the_service().price == Decimal(1300)
    page.submit("Save")
    with story():
        assert the_service().price == Decimal(1400)


def test_a_service_is_taken_out_and_put_back(story, sign_in_as) -> None:
    with story():
        make_service()
    page = sign_in_as().get("/library").submit("Take out: Annual accounts")
    assert page.said.startswith("Annual accounts is out of the library.")
    page = page.submit("Undo")
    assert page.said == "Annual accounts is back in the library."


def test_services_are_found_by_a_part_of_their_name_and_come_in_pages(story, sign_in_as) -> None:
    with story():
        make_service("Café bookkeeping")
        for number in range(library.PAGE + 5):
            make_service(f"Service {number:03}")
    browser = sign_in_as()
    assert "Café bookkeeping" in browser.get("/library?q=cafe", block="rows").text
    first = browser.get("/library")
    second = first.click("Next")
    assert len(first.all("//tbody/tr")) == library.PAGE
    assert len(second.all("//tbody/tr")) == 6
    assert browser.get("/library?after=zz~x").status == 200


def test_a_tax_rate_is_added_once_and_retired(story, sign_in_as) -> None:
    """XE-09."""
    with story():
        person()
    page = sign_in_as().get("/library/taxes").submit("Add rate", name="GST 15 %", percent="15")
    assert page.said.startswith("GST 15 % is added.")
    page = page.submit("Add rate", name="GST 15 %", percent="12.5")
    assert page.errors() == {"name": "There is a rate of this name already. A name always means the same rate."}
    page = page.submit("Retire")
    assert "can be chosen no more" in page.said
    page = page.submit("Add rate", name="GST 15 %", percent="15")
    assert "There is a retired rate of this name." in page.errors()["name"]
    page = page.submit("Add rate", name="Odd", percent="101")
    assert "percent" in page.errors()


def test_the_library_goes_out_as_a_file_and_comes_back_unchanged(story, sign_in_as) -> None:
    """Fault row 95."""
    with story():
        rate = make_rate()
        make_service("=Accounts", tax_rate_id=rate.id, description="Line one\nline “two”")
        make_service("Payroll", "12.5", price_type=PriceType.UNIT, unit="employee", billing_type=BillingType.RECURRING)
    browser = sign_in_as()
    text = browser.get("/library/services.csv").response.get_data(as_text=True)
    assert "'=Accounts" in text
    page = browser.post("/library/imports", file=(io.BytesIO(text.encode()), "services.csv"))
    assert [row.text_content().split()[-3:] for row in page.all("//tbody/tr")] == [["As", "it", "is"]] * 2
    page = page.submit("Take it in")
    assert page.said == "The file is taken in: 0 new, 0 changed."


def test_a_file_says_first_what_it_would_do(story, sign_in_as) -> None:
    with story():
        make_rate()
        make_service("Accounts", "100")
    file = "Name,Price,Tax rate\nAccounts,120,GST 15 %\nNew one,50,\n"
    page = sign_in_as().post("/library/imports", file=(io.BytesIO(file.encode()), "services.csv"))
    assert "Accounts Changed" in page.text and "New one New" in page.text
    with story():
        assert the_service().price == Decimal(100)
    page = page.submit("Take it in")
    assert page.said == "The file is taken in: 1 new, 1 changed."
    with story():
        assert {one.name: one.price for one in library.every_service()} == {
            "Accounts": Decimal(120), "New one": Decimal(50),
        }  # fmt: skip


def test_a_file_with_one_wrong_line_is_not_taken_in_at_all(story, sign_in_as) -> None:
    with story():
        make_rate()
    file = "Name,Price,Tax rate,Billing\nGood,1,,\nBad,many,,\nWorse,1,VAT 20 %,\nWorst,1,,sometimes\nGood,2,,\n"
    page = sign_in_as().post("/library/imports", file=(io.BytesIO(file.encode()), "services.csv"), sure="yes")
    assert page.status == 422
    assert "4 lines of the file cannot be taken in" in page.text
    assert "there is no tax rate “VAT 20 %”" in page.text
    assert "This name stands in the file twice." in page.text
    with story():
        assert not library.has_services()


def test_what_is_no_such_file_is_told_in_words(story, sign_in_as) -> None:
    """Fault row 96."""
    with story():
        person()
    browser = sign_in_as()
    for content in (b"\x89PNG\r\n\x1a\n\x00", b"", b"Price\n1\n"):
        page = browser.post("/library/imports", file=(io.BytesIO(content), "x.csv"))
        assert page.status == 422
        assert "The first line has to name the columns" in page.text


def test_a_rate_retired_by_mistake_is_back_as_the_one_it_was(story, sign_in_as) -> None:
    with story():
        library.add_tax_rate("GST 15 %", Decimal(15), by=COMMAND, now=now())
    page = sign_in_as().get("/library/taxes").submit("Retire")
    assert "New services start without a tax rate until you choose another." in page.said
    assert page.submit("Undo").said == "GST 15 % can be chosen again."
    with story():
        rate = library.default_tax_rate()
        assert rate is not None and rate.name == "GST 15 %"
    page = page.browser.get("/library/taxes").submit("Retire")
    assert page.browser.get("/library/taxes").submit("Put back").said == "GST 15 % can be chosen again."


def test_a_forgotten_price_is_asked_for_and_not_taken_for_nothing(story, sign_in_as) -> None:
    form = sign_in_as().get("/library/new")
    assert form.submit("Save", name="Tax return").errors() == {"price": "Type the price; 0 is a price too."}
    assert form.submit("Save", name="Tax return", price="0").said == "Tax return is in the library."
    included = form.browser.get("/library/new").submit("Save", name="Questions", price="", price_type="included")
    assert included.said == "Questions is in the library."


def test_no_two_services_of_the_library_have_one_name(story, sign_in_as) -> None:
    """A file knows a service by its name."""
    with story():
        make_service()
        library.create_service("Payroll", by=COMMAND, now=now(), price=Decimal(18))
    browser = sign_in_as()
    told = {"name": "There is a service of this name in the library already."}
    assert browser.get("/library/new").submit("Save", name="Payroll", price="1").errors() == told
    page = browser.get("/library").click("Annual accounts")
    assert page.submit("Save", name="Payroll").errors() == told
    assert page.submit("Save", name="Annual accounts", price="1250").said.startswith("Saved.")
