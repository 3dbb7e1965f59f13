"""Invoices and payments of the stand-in: what it takes and refuses, what they come to, and how they are asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.sandbox.books import ADVISORY, Books, connected


def contact(books: Books) -> dict[str, str]:
    return {"ContactID": books.contacts("?page=1&where=ContactStatus==%22ACTIVE%22")[0]["ContactID"]}


def line(**values: Any) -> dict[str, Any]:
    given = {"Description": "Work", "Quantity": "1", "UnitAmount": "100", "AccountCode": "200", "TaxType": "OUTPUT2"}
    return {**given, **values}


def draft(books: Books, number: str = "S-1", **values: Any) -> dict[str, Any]:
    given = {
        "Type": "ACCREC", "Contact": contact(books), "InvoiceNumber": number, "Date": "2026-11-20",
        "DueDate": "2026-12-20", "Status": "AUTHORISED", "LineItems": [line()],
    }  # fmt: skip
    return {**given, **values}


def put(books: Books, *items: dict[str, Any], query: str = "?summarizeErrors=false&unitdp=4") -> list[dict[str, Any]]:
    return list(books.json("PUT", f"Invoices{query}", {"Invoices": list(items)})["Invoices"])


def made(books: Books, number: str = "S-1", **values: Any) -> dict[str, Any]:
    (one,) = put(books, draft(books, number, **values))
    assert one["StatusAttributeString"] == "OK", one
    return one


def complaints(books: Books, **values: Any) -> str:
    (one,) = put(books, draft(books, **values))
    assert one["StatusAttributeString"] == "ERROR", one
    assert set(one["InvoiceID"]) <= set("0-")
    return " ".join(error["Message"] for error in one["ValidationErrors"])


def pay(books: Books, invoice: str, amount: str, **values: Any) -> dict[str, Any]:
    sent = {"Invoice": {"InvoiceID": invoice}, "Account": {"Code": "090"}, "Date": "2026-11-21", "Amount": amount}
    body = {"Payments": [{**sent, **values}]}
    (one,) = books.json("PUT", "Payments?summarizeErrors=false", body)["Payments"]
    return dict(one)


def invoice(books: Books, identifier: str) -> dict[str, Any]:
    (one,) = books.json("GET", f"Invoices/{identifier}?unitdp=4")["Invoices"]
    return dict(one)


@pytest.mark.parametrize(
    ("kind", "lines", "net", "tax", "total"),
    [
        ("Exclusive", [line(Quantity="3", UnitAmount="33.33"), line(UnitAmount="50", DiscountAmount="10")],
         "139.99", "21.00", "160.99"),
        ("Inclusive", [line(Quantity="3", UnitAmount="33.33")], "86.95", "13.04", "99.99"),
        ("NoTax", [line(Quantity="3", UnitAmount="33.33", TaxType="NONE")], "99.99", "0.00", "99.99"),
        ("Exclusive", [line(UnitAmount="0.10")] * 3, "0.30", "0.06", "0.36"),  # each 0.015 goes up by itself
        ("Exclusive", [line(UnitAmount="99.99", DiscountRate="12.5")], "87.49", "13.12", "100.61"),
        ("Exclusive", [line(Quantity="3", UnitAmount="33.3333")], "100.00", "15.00", "115.00"),
        ("Exclusive", [line(UnitAmount="100"), line(UnitAmount="-30"), line(UnitAmount="49.5", TaxType="ZERORATED")],
         "119.50", "10.50", "130.00"),
        ("Exclusive", [line(TaxAmount="15.01")], "100.00", "15.01", "115.01"),  # given by whoever sends it
        ("Inclusive", [line(UnitAmount="100"), line(UnitAmount="49.5", TaxType="ZERORATED")],
         "136.46", "13.04", "149.50"),
        ("Exclusive", [line(UnitAmount="9999999999.99", TaxType="NONE")], "9999999999.99", "0.00", "9999999999.99"),
    ],
)  # fmt: skip
def test_an_invoice_comes_to_what_its_lines_come_to(
    books: Books, kind: str, lines: list[dict[str, Any]], net: str, tax: str, total: str
) -> None:
    sent = draft(books, LineAmountTypes=kind, LineItems=lines, Total="1.00", SubTotal="1.00")
    answer = books.ask("PUT", "Invoices?summarizeErrors=false&unitdp=4", {"Invoices": [sent]})
    (one,) = json.loads(answer.content, parse_float=str)["Invoices"]
    assert one["StatusAttributeString"] == "OK", one
    assert (one["SubTotal"], one["TotalTax"], one["Total"], one["AmountDue"]) == (net, tax, total, total)


def test_unit_amounts_have_two_decimals_unless_four_are_asked_for(books: Books) -> None:
    four = made(books, "S-1", LineItems=[line(UnitAmount="1.2345")])
    assert four["LineItems"][0]["UnitAmount"] == 1.2345
    assert books.json("GET", f"Invoices/{four['InvoiceID']}")["Invoices"][0]["LineItems"][0]["UnitAmount"] == 1.23
    (two,) = put(books, draft(books, "S-2", LineItems=[line(UnitAmount="1.2345")]), query="?summarizeErrors=false")
    assert invoice(books, two["InvoiceID"])["LineItems"][0]["UnitAmount"] == 1.23


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"LineItems": [line(TaxType="INPUT2")]}, "The TaxType code 'INPUT2' cannot be used with account code '200'."),
        ({"LineItems": [line(TaxType="TAX009")]}, "The TaxType code TAX009 does not exist or cannot be used"),
        ({"LineItems": [line(AccountCode="090")]}, "Account code '090' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode="400")]}, "Account code '400' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode="999")]}, "Account code '999' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode="", TaxType="")]}, "Account code must be specified"),
        ({"LineItems": [line(Quantity="-1")]}, "Quantity cannot be negative"),
        ({"LineItems": [line(LineAmount="99")]}, "does not match the expected line total 100.00"),
        ({"LineItems": [line(UnitAmount="-5")]}, "cannot be negative"),
        ({"LineItems": [line(Description="")]}, "at least one character"),
        ({"LineItems": [line(UnitAmount="9999999999.99", Quantity="2")]}, "9999999999.99"),
        ({"LineItems": []}, "One or more line items"),
        ({"Contact": {}}, "at least 1 of the following elements"),
        ({"Contact": {"ContactID": "00000000-0000-4000-8000-000000000000"}}, "could not be found"),
        ({"Date": "2025-03-31"}, "The document date cannot be before the period lock date"),
        ({"DueDate": None}, "Due Date"),
        ({"CurrencyCode": "EUR"}, "not subscribed to currency EUR"),
        ({"InvoiceNumber": "x" * 256}, "printable ASCII"),
        ({"InvoiceNumber": "Ō1"}, "printable ASCII"),
        ({"BrandingThemeID": "00000000-0000-4000-8000-000000000000"}, "BrandingThemeID"),
        ({"Url": "not an address"}, "valid address"),
        ({"Status": "PAID"}, "not of valid status"),
        ({"Type": None}, "Type cannot be empty"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused_in_the_vendors_words(books: Books, values: dict[str, Any], words: str) -> None:
    assert words in complaints(books, **values)
    assert books.json("GET", "Invoices?page=1")["Invoices"] == []


@pytest.mark.parametrize(
    "values",
    [{"LineAmountTypes": "NO_TAX"}, {"Status": "LOST"}, {"Date": "20100510"}, {"LineItems": [line(Quantity="x")]}],
)
def test_what_cannot_be_read_sinks_the_whole_call(books: Books, values: dict[str, Any]) -> None:
    answer = books.ask(
        "PUT", "Invoices?summarizeErrors=false", {"Invoices": [draft(books, "S-0"), draft(books, **values)]}
    )
    assert (answer.status_code, answer.json()["ErrorNumber"]) == (400, 14)
    assert books.json("GET", "Invoices?page=1")["Invoices"] == []


def test_lists_people_change_change_what_is_taken(books: Books) -> None:
    books.other_side("PATCH", "accounts/200", {"Status": "ARCHIVED"})
    assert "not a valid code" in complaints(books)
    books.other_side("PATCH", "accounts/200", {"Status": "ACTIVE"})
    books.other_side("PATCH", "tax-rates/OUTPUT2", {"Status": "DELETED"})
    assert "does not exist" in complaints(books)
    books.other_side("PATCH", "tax-rates/OUTPUT2", {"Status": "ACTIVE"})
    books.other_side("POST", "lock", {"until": "2026-11-20"})
    assert "20 Nov 2026" in complaints(books)
    (organisation,) = books.json("GET", "Organisation")["Organisations"]
    assert organisation["PeriodLockDate"] == "/Date(1795132800000+0000)/"


def test_a_number_is_used_once_for_sales_and_as_often_as_one_likes_for_bills(books: Books) -> None:
    first, second = put(books, draft(books), draft(books))
    assert first["StatusAttributeString"] == "OK"
    assert second["ValidationErrors"] == [{"Message": "Invoice # must be unique."}]
    bills = [draft(books, Type="ACCPAY", LineItems=[line(AccountCode="400", TaxType="INPUT2")]) for _twice in (1, 2)]
    assert [one["StatusAttributeString"] for one in put(books, *bills)] == ["OK", "OK"]
    books.other_side("POST", f"invoices/{first['InvoiceID']}/void", {})
    assert "unique" in complaints(books)
    books.sandbox.control.state(xero_numbers_freed_by="voided_and_deleted")
    assert made(books)["InvoiceID"] != first["InvoiceID"]


def test_one_without_a_number_gets_the_next(books: Books) -> None:
    assert made(books, "INV-0007")["InvoiceNumber"] == "INV-0007"
    assert made(books, "")["InvoiceNumber"] == "INV-0008"


def test_with_errors_summed_up_one_bad_one_spoils_the_call(books: Books) -> None:
    batch = {"Invoices": [draft(books, "S-1"), draft(books, "S-2", CurrencyCode="EUR")]}
    answer = books.ask("PUT", "Invoices?summarizeErrors=true", batch)
    assert answer.status_code == 400
    (element,) = answer.json()["Elements"]
    assert element["InvoiceNumber"] == "S-2"
    assert books.json("GET", "Invoices?page=1")["Invoices"] == []


def test_a_post_changes_the_invoice_that_has_the_number(books: Books) -> None:
    first = made(books)
    changed = draft(books, Reference="PO 9", LineItems=[line(UnitAmount="200")])
    (again,) = books.json("POST", "Invoices?summarizeErrors=false", {"Invoices": [changed]})["Invoices"]
    assert (again["InvoiceID"], again["Reference"], again["Total"]) == (first["InvoiceID"], "PO 9", 230.0)
    assert len(books.json("GET", "Invoices?page=1")["Invoices"]) == 1


def test_invoices_move_from_draft_to_approved_to_void_and_no_other_way(books: Books) -> None:
    one = made(books, Status="DRAFT", SentToContact=False)

    def move(status: str) -> int:
        return books.ask("POST", f"Invoices/{one['InvoiceID']}", {"Status": status}).status_code

    assert move("VOIDED") == 400
    assert move("AUTHORISED") == 200
    assert move("DRAFT") == 400
    assert move("VOIDED") == 200
    assert move("AUTHORISED") == 400
    assert invoice(books, one["InvoiceID"])["Status"] == "VOIDED"
    story = books.json("GET", f"Invoices/{one['InvoiceID']}/History")["HistoryRecords"]
    assert [entry["Changes"] for entry in story] == ["Edited", "Edited", "Created"]


def test_marking_a_draft_as_sent_is_a_warning_and_saves_it_all_the_same(books: Books) -> None:
    (one,) = put(books, draft(books, Status="DRAFT", SentToContact=True))
    assert one["StatusAttributeString"] == "WARNING"
    assert one["Warnings"] == [{"Message": "Only AUTHORISED invoices may have SentToContact updated."}]
    assert invoice(books, one["InvoiceID"])["SentToContact"] is False


def test_a_payment_moves_the_invoice_and_taking_it_back_opens_it(books: Books) -> None:
    one = made(books)
    part = pay(books, one["InvoiceID"], "15.00", Reference="first")
    assert part["StatusAttributeString"] == "OK"
    now = invoice(books, one["InvoiceID"])
    assert (now["Status"], now["AmountPaid"], now["AmountDue"]) == ("AUTHORISED", 15.0, 100.0)
    rest = pay(books, one["InvoiceID"], "100.00")
    now = invoice(books, one["InvoiceID"])
    assert (now["Status"], now["AmountDue"]) == ("PAID", 0.0)
    assert now["FullyPaidOnDate"] == "/Date(1795219200000+0000)/"
    assert [(entry["Amount"], entry["Reference"]) for entry in now["Payments"]] == [(15.0, "first"), (100.0, "")]
    assert now["UpdatedDateUTC"] > one["UpdatedDateUTC"]
    assert books.ask("POST", f"Invoices/{one['InvoiceID']}", {"Status": "VOIDED"}).status_code == 400
    books.json("POST", f"Payments/{rest['PaymentID']}", {"Status": "DELETED"})
    assert invoice(books, one["InvoiceID"])["Status"] == "AUTHORISED"
    states = {entry["PaymentID"]: entry["Status"] for entry in books.json("GET", "Payments")["Payments"]}
    assert states == {part["PaymentID"]: "AUTHORISED", rest["PaymentID"]: "DELETED"}


@pytest.mark.parametrize(
    ("amount", "values", "words"),
    [
        ("115.01", {}, "exceeds the amount outstanding"),
        ("0", {}, "greater than zero"),
        ("1.001", {}, "two decimals"),
        ("1", {"Account": {"Code": "999"}}, "account could not be found"),
        ("1", {"Account": {"Code": "200"}}, "not of type BANK"),
        ("1", {"Date": "2025-01-01"}, "period lock date"),
        ("1", {"Invoice": {"InvoiceID": "00000000-0000-4000-8000-000000000000"}}, "A document to pay"),
    ],
)
def test_payments_that_break_a_rule_are_refused(books: Books, amount: str, values: dict[str, Any], words: str) -> None:
    came = pay(books, made(books)["InvoiceID"], amount, **values)
    assert came["StatusAttributeString"] == "ERROR"
    assert words in came["ValidationErrors"][0]["Message"]
    assert books.json("GET", "Payments")["Payments"] == []


def test_a_draft_cannot_be_paid(books: Books) -> None:
    came = pay(books, made(books, Status="DRAFT")["InvoiceID"], "1")
    assert "Authorised documents" in came["ValidationErrors"][0]["Message"]


def test_invoices_are_asked_for_by_number_contact_state_words_and_change(books: Books) -> None:
    others = books.contacts("?page=1&where=ContactStatus==%22ACTIVE%22")[1]
    first, second = made(books, "S-1", Reference="Blue"), made(books, "S-2", Contact={"ContactID": others["ContactID"]})
    pay(books, first["InvoiceID"], "115.00")

    def numbers(**params: str) -> list[str]:
        found = books.json("GET", "Invoices", params=params)["Invoices"]
        return sorted(one["InvoiceNumber"] for one in found)

    assert numbers(InvoiceNumbers="S-1,S-9") == ["S-1"]
    assert numbers(IDs=second["InvoiceID"]) == ["S-2"]
    assert numbers(ContactIDs=others["ContactID"]) == ["S-2"]
    assert numbers(Statuses="AUTHORISED") == ["S-2"]
    assert numbers(Statuses="AUTHORISED,PAID") == ["S-1", "S-2"]
    assert numbers(searchTerm="blue") == ["S-1"]
    assert numbers(where='Type=="ACCREC" AND AmountDue>0') == ["S-2"]
    assert numbers(where='Type=="ACCPAY"') == []
    assert numbers(where=f'Contact.ContactID==guid("{others["ContactID"]}")') == ["S-2"]
    assert numbers(where='Contact.Name=="Nobody"') == []
    assert numbers(where="DueDate<DateTime(2026,12,1)") == []
    assert numbers(where='InvoiceNumber=="S-2"') == ["S-2"]
    assert books.json("GET", "Invoices/S-2")["Invoices"][0]["InvoiceID"] == second["InvoiceID"]
    assert books.ask("GET", "Invoices/S-9").status_code == 404
    later = {"If-Modified-Since": "2999-01-01T00:00:00"}
    assert books.json("GET", "Invoices", headers=later)["Invoices"] == []


def test_pages_have_lines_and_an_unpaged_list_has_none(books: Books) -> None:
    made(books)
    assert books.json("GET", "Invoices?page=1")["Invoices"][0]["LineItems"]
    assert books.json("GET", "Invoices")["Invoices"][0]["LineItems"] == []
    (summary,) = books.json("GET", "Invoices?summaryOnly=true")["Invoices"]
    assert not {"LineItems", "Payments", "HasAttachments"} & set(summary)
    found = books.json("GET", "Invoices?page=1&pageSize=5000")
    assert found["pagination"] == {"page": 1, "pageSize": 1000, "pageCount": 1, "itemCount": 1}


def test_the_contacts_present_name_is_printed_and_whoever_is_invoiced_is_a_customer(books: Books) -> None:
    person = books.create(Name="Never Invoiced Ltd")
    one = made(books, Contact={"ContactID": person["ContactID"]})
    assert books.contact(person["ContactID"])["IsCustomer"] is True
    books.other_side("PATCH", f"contacts/{person['ContactID']}", {"name": 'Renamed "Quote" Ltd'})
    assert invoice(books, one["InvoiceID"])["Contact"]["Name"] == 'Renamed "Quote" Ltd'


def test_a_name_nobody_has_makes_a_contact_and_an_archived_one_is_refused(books: Books) -> None:
    one = made(books, Contact={"Name": "Brand New Ltd"})
    assert books.contact(one["Contact"]["ContactID"])["Name"] == "Brand New Ltd"
    books.other_side("POST", f"contacts/{one['Contact']['ContactID']}/archive", {})
    assert "un-archived" in complaints(books, number="S-2", Contact=one["Contact"])


def test_an_item_brings_its_words_price_account_and_rate(books: Books) -> None:
    one = made(books, LineItems=[{"ItemCode": "ADVICE", "Quantity": "2"}])
    (told,) = one["LineItems"]
    assert (told["Description"], told["UnitAmount"], told["AccountCode"]) == ("Advice, an hour", 240.0, "215")
    assert one["Total"] == 552.0
    assert {entry["Code"] for entry in books.json("GET", "Items")["Items"]} >= {"ADVICE", "ANNUAL"}
    assert "not valid" in complaints(books, number="S-2", LineItems=[{"ItemCode": "NOTHING"}])


def test_look_ups_lag_when_told_to_and_an_identifier_is_known_at_once(books: Books) -> None:
    books.sandbox.control.state(xero_invoice_lag_seconds=60)
    one = made(books)
    assert books.json("GET", "Invoices?InvoiceNumbers=S-1")["Invoices"] == []
    assert books.ask("GET", "Invoices/S-1").status_code == 404
    assert invoice(books, one["InvoiceID"])["InvoiceNumber"] == "S-1"
    assert "unique" in complaints(books)
    books.sandbox.control.clock(advance_seconds=61)
    assert len(books.json("GET", "Invoices?InvoiceNumbers=S-1")["Invoices"]) == 1


def test_a_stale_reader_sees_the_past(books: Books) -> None:
    one = made(books)
    books.sandbox.control.clock(advance_seconds=100)
    pay(books, one["InvoiceID"], "115.00")
    made(books, "S-2")
    books.sandbox.control.fault("stale", vendor="xero", path="Invoices", seconds=50)
    (seen,) = books.json("GET", "Invoices?page=1")["Invoices"]
    assert (seen["InvoiceNumber"], seen["Status"]) == ("S-1", "AUTHORISED")
    assert books.json("GET", f"Invoices/{one['InvoiceID']}")["Invoices"][0]["Status"] == "AUTHORISED"


def test_the_same_key_gives_the_same_invoice_for_six_minutes(books: Books) -> None:
    body = {"Invoices": [draft(books)]}
    key = {"Idempotency-Key": "k-1"}
    path = "Invoices?summarizeErrors=false"
    first = books.json("PUT", path, body, headers=key)["Invoices"][0]
    assert books.json("PUT", path, body, headers=key)["Invoices"][0]["InvoiceID"] == first["InvoiceID"]
    other = {"Invoices": [draft(books, "S-2")]}
    assert books.ask("PUT", path, other, headers=key).status_code == 400
    books.sandbox.control.clock(advance_seconds=361)
    books = connected(books.sandbox)
    assert books.json("PUT", path, body, headers=key)["Invoices"][0]["StatusAttributeString"] == "ERROR"
    books.sandbox.control.state(xero_ignores_keys=True)
    bodies = [books.json("PUT", path, other, headers=key)["Invoices"][0]["StatusAttributeString"] for _twice in (1, 2)]
    assert bodies == ["OK", "ERROR"]


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status"])
def test_what_was_done_before_the_answer_was_lost_is_done(books: Books, kind: str) -> None:
    person = contact(books)
    books.sandbox.control.fault(kind, vendor="xero", path="Invoices", method="PUT", times=1)
    try:
        books.ask("PUT", "Invoices", {"Invoices": [draft(books, Contact=person)]})
    except OSError:
        assert kind == "accept_then_drop"
    assert books.other_side("GET", "invoices/counts")["by_number"] == {"S-1": 1}


def test_each_family_has_its_scope(books: Books) -> None:
    reader = connected(books.sandbox, scopes=["accounting.invoices.read", "accounting.contacts"])
    assert reader.ask("GET", "Invoices").status_code == 200
    assert reader.ask("PUT", "Invoices", {"Invoices": [draft(books)]}).status_code == 401
    assert reader.ask("GET", "Payments").status_code == 401
    assert reader.ask("GET", "Items").status_code == 200
    payer = connected(books.sandbox, scopes=["accounting.payments"])
    assert payer.ask("GET", "Payments").status_code == 200
    assert payer.ask("GET", "Invoices").status_code == 401
    broad = connected(books.sandbox, scopes=["accounting.transactions", "accounting.contacts.read"])
    assert broad.ask("GET", "Invoices").status_code == broad.ask("GET", "Payments").status_code == 200


def test_the_small_company_has_one_currency_and_books_of_its_own(books: Books) -> None:
    made(books)
    small = connected(books.sandbox, ADVISORY)
    assert small.json("GET", "Invoices?page=1")["Invoices"] == []
    assert "not subscribed to currency AUD" in complaints(small, CurrencyCode="AUD")


def test_the_other_side_raises_edits_pays_credits_and_ends_invoices(books: Books) -> None:
    theirs = books.other_side(
        "POST", "invoices", {"number": "T-1", "total": "100.00", "contact": contact(books)["ContactID"]}
    )
    assert (theirs["status"], theirs["total"]) == ("AUTHORISED", "100.00")
    assert books.other_side("PATCH", "invoices/T-1", {"total": "120.00", "reference": "PO"})["amount_due"] == "120.00"
    assert books.other_side("POST", "invoices/T-1/credit", {"amount": "20"})["amount_due"] == "100.00"
    assert books.other_side("POST", "invoices/T-1/pay", {"amount": "40"})["paid"] == "40.00"
    assert books.other_side("POST", "invoices/T-1/pay", {})["status"] == "PAID"
    now = invoice(books, theirs["uuid"])
    assert (now["AmountCredited"], now["CreditNotes"][0]["AppliedAmount"]) == (20.0, 20.0)
    assert books.other_side("POST", "invoices/T-1/unpay", {})["status"] == "AUTHORISED"
    assert books.other_side("POST", "invoices/T-1/void", {})["status"] == "VOIDED"
    assert books.other_side("GET", "invoices/counts") == {
        "invoices": 1, "payments": 0, "by_number": {"T-1": 1}, "by_mark": {}, "payments_by_mark": {},
    }  # fmt: skip


def test_thousands_of_invoices_are_made_at_once_and_read_like_any_other(books: Books) -> None:
    books.other_side("POST", "invoices/fill", {"invoices": 2500, "seed": 3})
    pages = [books.json("GET", f"Invoices?page={page}&pageSize=1000&order=InvoiceID")["Invoices"] for page in (1, 2, 3)]
    every = [one for page in pages for one in page]
    assert len({one["InvoiceID"] for one in every}) == len({one["InvoiceNumber"] for one in every}) == 2500
    paid = [one for one in every if one["Status"] == "PAID"]
    assert 1800 < len(paid) < 2200
    for one in every[::50]:
        assert round(one["SubTotal"] + one["TotalTax"], 2) == one["Total"]
        assert round(one["AmountDue"] + one["AmountPaid"], 2) == one["Total"]
        assert one["LineItems"][0]["LineAmount"] == one["SubTotal"]
        assert bool(one["Payments"]) == (one["Status"] == "PAID")
    assert (
        pay(books, next(one["InvoiceID"] for one in every if one["Status"] != "PAID"), "0.01")["Status"] == "AUTHORISED"
    )


def test_a_person_pays_and_voids_on_the_page(books: Books) -> None:
    one = made(books)
    page = requests.get(f"{books.sandbox.url}/xero-invoices", timeout=10)
    assert page.status_code == 200
    assert "S-1" in page.text
    act = f"{books.sandbox.url}/xero-invoices/{one['InvoiceID']}"
    assert requests.post(act, {"do": "pay"}, timeout=10).status_code == 200
    assert invoice(books, one["InvoiceID"])["Status"] == "PAID"
    assert requests.post(act, {"do": "void"}, timeout=10).status_code == 200
    assert invoice(books, one["InvoiceID"])["Status"] == "VOIDED"
    assert requests.post(act, {"do": "burn"}, timeout=10).status_code == 400


def test_invoices_are_read_as_xml_too(books: Books) -> None:
    made(books)
    answer = books.ask("GET", "Invoices?page=1", headers={"Accept": "application/xml"})
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert "<Invoice><Type>ACCREC</Type>" in answer.text
    assert "<Total>115.00</Total>" in answer.text
