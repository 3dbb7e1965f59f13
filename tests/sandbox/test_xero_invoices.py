"""Invoices and payments of the stand-in: what it takes and refuses, and what they come to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sandbox.books import Books
from tests.sandbox.xero_bills import complaints, draft, invoice, line, made, pay, put


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
