"""Payments, ended invoices and what people do with money in the QuickBooks stand-in."""

from __future__ import annotations

import time

import pytest
import requests

from portal.sandbox.client import ControlError
from tests.sandbox.company_app import CompanyApp
from tests.sandbox.test_quickbooks_invoices import SALES, bill, body, code, control, customer, line, pay, there

__all__ = ["customer"]  # a fixture of this file


def test_payments_lower_what_is_open_and_are_named_on_the_invoice(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer)
    first = pay(company, made, 40.1).json()["Payment"]
    assert (first["UnappliedAmt"], first["DepositToAccountRef"]) == (0, {"value": "4"})
    after = there(company, made["Id"])
    assert (after["Balance"], after["TotalAmt"], after["SyncToken"]) == (74.9, 115, "1")
    assert after["LinkedTxn"] == [{"TxnId": first["Id"], "TxnType": "Payment"}]
    assert code(company, pay(company, made, 75)) == "6000"
    pay(company, made, 74.9)
    assert there(company, made["Id"])["Balance"] == 0
    voided = company.send({"Id": first["Id"], "SyncToken": "0", "sparse": True}, "payment",
                          operation="update", include="void").json()["Payment"]  # fmt: skip
    assert (voided["TotalAmt"], voided["Line"], voided["PrivateNote"]) == (0, [], "Voided")
    assert there(company, made["Id"])["Balance"] == 40.1


def test_payments_are_refused_for_what_they_cannot_pay(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer)
    other = str(company.made("Somebody Else Ltd")["Id"])
    assert code(company, pay(company, made, 5, CustomerRef={"value": other})) == "620"
    assert code(company, pay(company, {**made, "Id": "4711"}, 5)) == "610"
    assert code(company, pay(company, made, 5, TotalAmt=4)) == "6000"
    assert code(company, company.send({"CustomerRef": {"value": customer}}, "payment")) == "6000"
    assert code(company, pay(company, made, 5, DepositToAccountRef={"value": "99"})) == "2500"
    assert code(company, pay(company, made, 5, DepositToAccountRef={"value": "9"})) == "6000"
    loose = company.send({"CustomerRef": {"value": customer}, "TotalAmt": 30}, "payment").json()["Payment"]
    assert (loose["UnappliedAmt"], loose["Line"]) == (30, [])


def test_whether_a_payment_touches_the_invoice_is_a_switch(company: CompanyApp, customer: str) -> None:
    company.control.state(quickbooks_payment_moves_invoice=False)
    made = bill(company, customer)
    pay(company, made, 15)
    after = there(company, made["Id"])
    assert (after["Balance"], after["SyncToken"], after["MetaData"]) == (100, "0", made["MetaData"])


def test_a_void_invoice_is_nought_and_says_so_in_its_note(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer, line(100, Qty=2, UnitPrice=50), PrivateNote="ours", DocNumber="INV-1")
    answer = company.send({"Id": made["Id"], "SyncToken": "0"}, "invoice", operation="void")
    after = answer.json()["Invoice"]
    assert (after["TotalAmt"], after["Balance"], after["SyncToken"]) == (0, 0, "1")
    assert after["PrivateNote"] == "Voided - ours"
    assert after["Line"][0][SALES]["Qty"] == 0 and "UnitPrice" not in after["Line"][0][SALES]
    assert company.query("SELECT * FROM Invoice WHERE DocNumber = 'INV-1'")["Invoice"] == [after]


@pytest.mark.parametrize("how", ["unapplied", "refused"])
def test_what_becomes_of_payments_on_a_void_invoice_is_a_switch(company: CompanyApp, customer: str, how: str) -> None:
    company.control.state(quickbooks_void_paid=how)
    made = bill(company, customer)
    paid = pay(company, made, 15).json()["Payment"]
    answer = company.send({"Id": made["Id"], "SyncToken": "1"}, "invoice", operation="void")
    assert answer.ok == (how == "unapplied")
    assert there(company, paid["Id"], "payment")["UnappliedAmt"] == (15 if how == "unapplied" else 0)


def test_a_deleted_invoice_is_only_among_the_changes(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer, DocNumber="INV-1")
    answer = company.send({"Id": made["Id"], "SyncToken": "0"}, "invoice", operation="delete").json()
    assert answer["Invoice"] == {"status": "Deleted", "domain": "QBO", "Id": made["Id"]}
    assert code(company, company.ask("GET", f"invoice/{made['Id']}")) == "610"
    assert code(company, company.send({"Id": made["Id"], "SyncToken": "0"}, "invoice", operation="delete")) == "610"
    assert company.query("SELECT * FROM Invoice") == {}
    params = {"entities": "Invoice,Payment", "changedSince": "2026-01-01"}
    (changes,) = company.ask("GET", "cdc", params=params).json()["CDCResponse"]
    assert changes["QueryResponse"][1] == {}
    assert changes["QueryResponse"][0]["Invoice"][0]["status"] == "Deleted"


def test_people_raise_pay_change_and_end_invoices_by_the_controls(company: CompanyApp, customer: str) -> None:
    made = control(company, "POST", "invoices", customer=customer, total=100, number="T-1")
    assert (made["total"], made["open"], made["voided"]) == (100, 100, False)
    assert control(company, "PATCH", "invoices/T-1", amount=200, note="[app mark-1]")["total"] == 230
    assert control(company, "POST", "invoices/T-1/pay", amount="30")["open"] == 200
    assert control(company, "POST", "invoices/T-1/pay")["open"] == 0
    assert [one["number"] for one in control(company, "GET", "invoices?mark=mark-1")] == ["T-1"]
    assert control(company, "POST", "invoices/T-1/void")["voided"]
    assert control(company, "POST", f"invoices/{made['uuid']}/delete")["deleted"]
    found = control(company, "GET", "invoices/counts")
    assert (found["invoices"], found["payments"], found["by_number"]) == (0, 2, {})
    with pytest.raises(ControlError, match="2500"):
        control(company, "POST", "invoices", customer="4711", amount=5)


def test_lists_are_changed_behind_the_portals_back(company: CompanyApp, customer: str) -> None:
    assert control(company, "POST", "lists/accounts/1/archive")["Active"] is False
    assert code(company, company.send(body(customer), "invoice")) == "610"
    control(company, "POST", "lists/accounts/1/unarchive")
    assert control(company, "PATCH", "lists/tax-rates/1", RateValue=10)["RateValue"] == 10
    assert bill(company, customer)["TotalAmt"] == 110
    control(company, "POST", "lists/tax-codes/2/delete")
    assert "2" not in {one["Id"] for one in control(company, "GET", "lists/tax-codes")}
    assert code(company, company.send(body(customer), "invoice")) == "2500"


def test_fifty_thousand_invoices_are_filled_and_paged_quickly(company: CompanyApp, customer: str) -> None:
    filled = control(company, "POST", "invoices/fill", invoices=5000)
    assert filled["seconds"] < 10
    began = time.perf_counter()
    rows = company.query("SELECT * FROM Invoice ORDERBY MetaData.LastUpdatedTime MAXRESULTS 1000")["Invoice"]
    assert len(rows) == 1000
    assert time.perf_counter() - began < 1  # 20 ms on a machine that does nothing else
    assert company.query("SELECT COUNT(*) FROM Invoice") == {"totalCount": 5000}
    assert control(company, "GET", "invoices/counts")["invoices"] == 5000


def test_the_browser_page_pays_and_voids(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer, DocNumber="INV-77")
    url = f"{company.sandbox.url}/quickbooks-company/invoices"
    assert "INV-77" in requests.get(url, timeout=10).text
    requests.post(f"{url}/{made['Id']}", {"do": "pay", "amount": "15"}, timeout=10)
    assert there(company, made["Id"])["Balance"] == 100
    assert "part paid" in requests.get(url, timeout=10).text
    requests.post(f"{url}/{made['Id']}", {"do": "void"}, timeout=10)
    assert there(company, made["Id"])["TotalAmt"] == 0
