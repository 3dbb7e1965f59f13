"""Invoices in the QuickBooks stand-in: what it takes, what it works out by itself, what people do to them there."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.company_app import CompanyApp, Record

HARBOUR = "9341453189920417"
SALES = "SalesItemLineDetail"


@pytest.fixture
def customer(company: CompanyApp) -> str:
    return str(company.made("Somebody Special Ltd")["Id"])


def line(amount: float, code: str = "2", item: str = "1", **detail: Any) -> Record:
    return {"DetailType": SALES, "Amount": amount,
            SALES: {"ItemRef": {"value": item}, "TaxCodeRef": {"value": code}, **detail}}  # fmt: skip


def body(customer: str, *lines: Record, **more: Any) -> Record:
    return {"CustomerRef": {"value": customer}, "Line": list(lines or (line(100),)), **more}


def bill(company: CompanyApp, customer: str, *lines: Record, **more: Any) -> Record:
    answer = company.send(body(customer, *lines, **more), "invoice")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["Invoice"])


def pay(company: CompanyApp, invoice: Record, amount: float, **more: Any) -> requests.Response:
    linked = [{"Amount": amount, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}]
    sent = {"CustomerRef": invoice["CustomerRef"], "TotalAmt": amount, "Line": linked, **more}
    return company.send(sent, "payment")


def there(company: CompanyApp, identifier: str, kind: str = "invoice") -> Record:
    answer = company.ask("GET", f"{kind}/{identifier}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()[kind.capitalize()])


def control(company: CompanyApp, method: str, path: str, **values: Any) -> Any:
    return company.control.ask(method, f"quickbooks/{path}", None if method == "GET" else values)


def code(company: CompanyApp, answer: requests.Response) -> str:
    return str(company.fault(answer)["code"])


def test_the_least_an_invoice_needs_is_a_customer_and_a_line(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer)
    assert (made["TotalAmt"], made["Balance"], made["SyncToken"]) == (115, 115, "0")
    assert made["CustomerRef"] == {"value": customer, "name": "Somebody Special Ltd"}
    assert [one["DetailType"] for one in made["Line"]] == [SALES, "SubTotalLineDetail"]
    assert "DocNumber" not in made
    assert made["DueDate"] == made["TxnDate"]
    assert made["CurrencyRef"]["value"] == "NZD"
    assert there(company, made["Id"]) == made


@pytest.mark.parametrize(
    ("lines", "tax", "total"),
    [
        ([line(19.99)] * 7, 20.99, 160.92),  # the lines of a rate are added first
        ([line(0.1), line(0.1), line(0.1)], 0.05, 0.35),
        ([line(100), line(50, "3"), line(50, "4")], 15, 215),
        ([line(100), line(-40)], 9, 69),
        ([line(99.99, Qty=3, UnitPrice=33.33)], 15, 114.99),
        ([line(100, Qty=3, UnitPrice=33.333333)], 15, 115),
    ],
)
def test_it_works_out_what_an_invoice_comes_to(
    company: CompanyApp, customer: str, lines: list[Record], tax: float, total: float
) -> None:
    made = bill(company, customer, *lines, TotalAmt=5)
    assert (made["TxnTaxDetail"]["TotalTax"], made["TotalAmt"]) == (tax, total)


def test_rounding_each_line_is_a_switch(company: CompanyApp, customer: str) -> None:
    company.control.state(quickbooks_tax_rounding="each_line")
    assert bill(company, customer, *[line(19.99)] * 7)["TxnTaxDetail"]["TotalTax"] == 21


def test_prices_with_tax_keep_their_total(company: CompanyApp, customer: str) -> None:
    lines = [line(86.96, TaxInclusiveAmt=100), line(8.7, TaxInclusiveAmt=10)]
    made = bill(company, customer, *lines, GlobalTaxCalculation="TaxInclusive")
    assert (made["TotalAmt"], made["TxnTaxDetail"]["TotalTax"]) == (110, 14.35)
    free = bill(company, customer, line(100), GlobalTaxCalculation="NotApplicable")
    assert (free["TotalAmt"], free["TxnTaxDetail"]["TotalTax"]) == (100, 0)


def test_the_united_states_have_one_tax_for_a_whole_invoice(company: CompanyApp) -> None:
    other = CompanyApp(company.sandbox, company.control.tokens(vendor="quickbooks", tenants=[HARBOUR]))
    who = str(other.made("Pier Cafe Inc")["Id"])
    made = bill(other, who, line(100, "TAX"), line(50, "NON"), TxnTaxDetail={"TxnTaxCodeRef": {"value": "2"}})
    assert (made["TxnTaxDetail"]["TotalTax"], made["TotalAmt"]) == (8.6, 158.6)
    assert [one["TaxLineDetail"]["TaxPercent"] for one in made["TxnTaxDetail"]["TaxLine"]] == [6.5, 2.1]
    assert bill(other, who, line(100, "TAX"))["TotalAmt"] == 100
    assert code(other, other.send(body(who, line(100, "2")), "invoice")) == "6100"
    control(company, "POST", "preferences", automated_tax=True, tenant=HARBOUR)
    assert bill(other, who, line(100, "TAX"))["TotalAmt"] == 108.6


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"CustomerRef": None}, "2020"),
        ({"CustomerRef": {"value": "98765"}}, "2500"),
        ({"Line": []}, "2020"),
        ({"Line": [{"Amount": 5}]}, "2020"),
        ({"Line": [{"Amount": 5, "DetailType": "Sausage"}]}, "2170"),
        ({"Line": [line(100, Qty=2, UnitPrice=49)]}, "6070"),
        ({"Line": [line("much")]}, "2090"),  # type: ignore[arg-type]  # what the service must refuse
        ({"Line": [line(100, item="99")]}, "2500"),
        ({"Line": [line(100, item="9")]}, "610"),
        ({"Line": [line(100, item="8")]}, "6000"),
        ({"Line": [line(100, "99")]}, "2500"),
        ({"Line": [line(100, "6")]}, "610"),
        ({"Line": [line(100, "5")]}, "6000"),
        ({"Line": [line(100, "")]}, "6000"),
        ({"Line": [line(-100)]}, "6000"),
        ({"DocNumber": "9" * 22}, "2050"),
        ({"TxnDate": "tomorrow"}, "2060"),
        ({"GlobalTaxCalculation": "TaxIncluded"}, "2170"),
        ({"SalesTermRef": {"value": "77"}}, "2500"),
        ({"CurrencyRef": {"value": "USD"}}, "6000"),
        ({"EmailStatus": "NeedToSend"}, "2020"),
        ({"PrivateNote": "x" * 4001}, "2050"),
        ({"Colour": "red"}, "2010"),
    ],
)
def test_what_it_refuses_has_its_code(
    company: CompanyApp, customer: str, change: dict[str, Any], expected: str
) -> None:
    assert code(company, company.send({**body(customer), **change}, "invoice")) == expected
    assert company.query("SELECT COUNT(*) FROM Invoice") == {"totalCount": 0}


@pytest.mark.parametrize("expected", ["610", "2500", "6250"])
def test_an_inactive_customer_is_refused_by_one_of_three_codes(
    company: CompanyApp, customer: str, expected: str
) -> None:
    company.control.state(quickbooks_inactive_customer=expected)
    company.control.at("quickbooks/customers").archive(customer)
    assert code(company, company.send(body(customer), "invoice")) == expected


def test_numbers_may_stand_there_twice_unless_the_company_warns(company: CompanyApp, customer: str) -> None:
    first, second = (bill(company, customer, DocNumber="INV-1") for _ in range(2))
    assert first["Id"] != second["Id"]
    company.control.state(quickbooks_refuses_used_numbers=True)
    answer = company.send(body(customer, DocNumber="inv-1"), "invoice")
    assert code(company, answer) == "6140"
    assert "TxnId=" in company.fault(answer)["Detail"]
    assert company.send(body(customer, DocNumber="INV-1"), "invoice", include="allowduplicatedocnum").ok


def test_a_company_that_numbers_itself_goes_on_counting(company: CompanyApp, customer: str) -> None:
    control(company, "POST", "preferences", custom_numbers=False)
    assert bill(company, customer)["DocNumber"] == "1001"
    assert bill(company, customer, DocNumber="7000")["DocNumber"] == "7000"
    assert bill(company, customer)["DocNumber"] == "7001"
    control(company, "POST", "preferences", custom_numbers=True)
    assert bill(company, customer, DocNumber="AUTO_GENERATE")["DocNumber"] == "7002"
    assert "DocNumber" not in bill(company, customer)


def test_a_term_says_when_it_is_due(company: CompanyApp, customer: str) -> None:
    dated = {"TxnDate": "2026-01-31"}
    assert bill(company, customer, SalesTermRef={"value": "3"}, **dated)["DueDate"] == "2026-03-02"
    assert bill(company, customer, SalesTermRef={"value": "4"}, **dated)["DueDate"] == "2026-02-20"
    assert bill(company, customer, DueDate="2026-02-01", **dated)["DueDate"] == "2026-02-01"


def test_closed_books_take_nothing_and_change_nothing(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer, TxnDate="2026-03-31")
    assert control(company, "POST", "lock", until="2026-03-31")
    preferences = company.ask("GET", "preferences").json()["Preferences"]
    assert preferences["AccountingInfoPrefs"]["BookCloseDate"] == "2026-03-31"
    assert code(company, company.send(body(customer, TxnDate="2026-03-31"), "invoice")) == "6200"
    assert code(company, pay(company, made, 5, TxnDate="2026-03-01")) == "6200"
    ended = {"Id": made["Id"], "SyncToken": "0"}
    assert code(company, company.send(ended, "invoice", operation="void")) == "6200"
    control(company, "POST", "preferences", closed_with_password=True)
    assert code(company, company.send(body(customer, TxnDate="2026-03-31"), "invoice")) == "6210"
    assert company.send(body(customer, TxnDate="2026-04-01"), "invoice").ok


def test_money_in_several_currencies_needs_the_customers_own(company: CompanyApp, customer: str) -> None:
    control(company, "POST", "preferences", multi_currency=True)
    assert code(company, company.send(body(customer), "invoice")) == "2020"
    assert code(company, company.send(body(customer, CurrencyRef={"value": "USD"}), "invoice")) == "6000"
    assert bill(company, customer, CurrencyRef={"value": "NZD"})["TotalAmt"] == 115


def test_updates_replace_lines_and_want_the_last_token(company: CompanyApp, customer: str) -> None:
    made = bill(company, customer, line(100), line(50), PrivateNote="kept")
    pay(company, made, 15)
    named = {"Id": made["Id"], "SyncToken": "1", "sparse": True}
    after = company.send({**named, "Line": [line(200)]}, "invoice").json()["Invoice"]
    assert (after["TotalAmt"], after["Balance"], after["PrivateNote"]) == (230, 215, "kept")
    assert code(company, company.send({**named, "PrivateNote": "late"}, "invoice")) == "5010"
    full = {**body(customer, line(100)), "Id": made["Id"], "SyncToken": "2"}
    assert "PrivateNote" not in company.send(full, "invoice").json()["Invoice"]


def test_a_batch_takes_thirty_and_one_bad_item_holds_nobody_up(company: CompanyApp, customer: str) -> None:
    items = [{"bId": str(n), "operation": "create", "Invoice": body(customer, DocNumber=f"I-{n}")} for n in range(31)]
    assert code(company, company.ask("POST", "batch", json={"BatchItemRequest": items})) == "1040"
    items[7]["Invoice"] = body(customer, line(1, item="99"))
    answer = company.ask("POST", "batch", json={"BatchItemRequest": items[:30]}, params={"requestid": "b1"})
    found = answer.json()["BatchItemResponse"]
    assert [one["bId"] for one in found if "Fault" in one] == ["7"]
    again = company.ask("POST", "batch", json={"BatchItemRequest": items[:30]}, params={"requestid": "b1"})
    assert again.json()["BatchItemResponse"] == found
    assert control(company, "GET", "invoices/counts")["invoices"] == 29
    paid = {"CustomerRef": {"value": customer}, "TotalAmt": 5, "Line": []}
    void = {"Id": found[0]["Invoice"]["Id"], "SyncToken": "0"}
    more = [{"bId": "1", "operation": "create", "Payment": paid},
            {"bId": "2", "operation": "update", "optionsData": "void", "Invoice": void},
            {"bId": "3", "operation": "delete", "Invoice": {**void, "Id": found[1]["Invoice"]["Id"]}}]  # fmt: skip
    done = company.ask("POST", "batch", json={"BatchItemRequest": more}).json()["BatchItemResponse"]
    assert done[0]["Payment"]["UnappliedAmt"] == 5
    assert (done[1]["Invoice"]["TotalAmt"], done[2]["Invoice"]["status"]) == (0, "Deleted")


def test_request_ids_are_remembered_ignored_or_forgotten(company: CompanyApp, customer: str) -> None:
    sent = body(customer, DocNumber="INV-1")
    first = company.send(sent, "invoice", requestid="r-1").json()
    assert company.send(sent, "invoice", requestid="r-1").json() == first
    assert control(company, "POST", "idempotency/forget") == {"forgotten": 1}
    assert company.send(sent, "invoice", requestid="r-1").json() != first
    company.control.state(quickbooks_requestid="ignored")
    company.send(sent, "invoice", requestid="r-1")
    company.control.state(quickbooks_requestid="replay")
    company.control.clock(advance_seconds=25 * 3600)
    fresh = CompanyApp(company.sandbox, company.control.tokens(vendor="quickbooks"))
    fresh.send(sent, "invoice", requestid="r-1")
    assert control(company, "GET", "invoices/counts?least=2")["by_number"] == {"INV-1": 4}


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status"])
def test_what_was_accepted_is_there_although_the_answer_is_lost(company: CompanyApp, customer: str, kind: str) -> None:
    company.control.fault(kind, vendor="quickbooks", path="/invoice$", times=1)
    try:
        assert company.send(body(customer, DocNumber="INV-1"), "invoice").status_code == 500
    except requests.ConnectionError:
        assert kind == "accept_then_drop"
    assert len(company.query("SELECT * FROM Invoice WHERE DocNumber = 'INV-1'")["Invoice"]) == 1


def test_queries_lag_behind_when_the_switch_says_so(company: CompanyApp, customer: str) -> None:
    company.control.state(quickbooks_index_lag_seconds=60)
    made = bill(company, customer, DocNumber="INV-1")
    find = "SELECT * FROM Invoice WHERE DocNumber = 'INV-1'"
    assert company.query(find) == {}
    assert there(company, made["Id"]) == made
    company.control.clock(advance_seconds=61)
    assert company.query(find)["Invoice"] == [made]
    pay(company, made, 15)
    assert company.query(find)["Invoice"] == [made]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("Balance > '0'", ["A", "C"]),
        ("TotalAmt >= '115' AND TxnDate < '2026-02-01'", ["A", "B"]),
        ("DocNumber IN ('a', 'b', 'z')", ["A", "B"]),
        ("DocNumber LIKE 'C%'", ["C"]),
        ("DueDate = '2026-02-15'", ["B"]),
        ("CustomerRef = '{customer}' AND SalesTermRef = '2'", ["B"]),
        ("TxnDate <= CURRENT_DATE", ["A", "B", "C"]),
    ],
)
def test_invoices_are_found_by_what_can_be_asked(
    company: CompanyApp, customer: str, where: str, numbers: list[str]
) -> None:
    for number, day, term in (
        ("A", "2026-01-31", None),
        ("B", "2026-01-31", {"value": "2"}),
        ("C", "2026-02-01", None),
    ):
        made = bill(company, customer, DocNumber=number, TxnDate=day, SalesTermRef=term)
        if number == "B":
            pay(company, made, 115)
    found = company.query(f"SELECT * FROM Invoice WHERE {where.format(customer=customer)} ORDERBY Id")
    assert [one["DocNumber"] for one in found["Invoice"]] == numbers


@pytest.mark.parametrize("where", ["PrivateNote = 'x'", "Active = true", "Id > '5'", "CustomerRef > '5'"])
def test_what_cannot_be_asked_is_refused(company: CompanyApp, where: str) -> None:
    answer = company.ask("GET", "query", params={"query": f"SELECT * FROM Invoice WHERE {where}"})
    assert code(company, answer) == "4001"


def test_short_lists_are_there_without_their_inactive_entries(company: CompanyApp) -> None:
    items = company.query("SELECT *, Sku FROM Item")["Item"]
    assert "Old service" not in {one["Name"] for one in items}
    every = company.query("SELECT * FROM Item WHERE Active IN (true, false)")["Item"]
    assert len(every) == len(items) + 1
    income = company.query("SELECT * FROM Account WHERE AccountType = 'Income'")["Account"]
    assert {one["Classification"] for one in income} == {"Revenue"}
    for entity in ("TaxCode", "TaxRate", "Term", "PaymentMethod"):
        (first, *_) = company.query(f"SELECT * FROM {entity}")[entity]
        assert company.ask("GET", f"{entity.lower()}/{first['Id']}").json()[entity] == first
    refusal = company.ask("GET", "cdc", params={"entities": "TaxCode", "changedSince": "2026-01-01"})
    assert code(company, refusal) == "4001"
