"""Invoices of the stand-in: how they are asked for, what the other side does to them, and what is kept of a call."""

from __future__ import annotations

import pytest
import requests

from tests.sandbox.books import ADVISORY, Books, connected
from tests.sandbox.xero_bills import complaints, contact, draft, invoice, made, pay


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
