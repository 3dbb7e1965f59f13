"""QuickBooks' query language, what changed, and batches."""

from __future__ import annotations

import http.client
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.sandbox.company_app import CompanyApp

EVERYONE = "SELECT * FROM Customer"


@pytest.fixture
def people(company: CompanyApp) -> CompanyApp:
    """Five customers to look for."""
    company.made("Adam's Candy Shop", CompanyName="Candy", Balance=100.5, PrimaryEmailAddr={"Address": "A@b.example"})
    company.made("Back\\slash Ltd", GivenName="Ana", FamilyName="Zed")
    company.made("100% Wool_Ltd", GivenName="Ben", Balance=20)
    company.made("Café Ürbān", GivenName="Cleo")
    company.changed(company.made("Gone Away Ltd"), Active=False)
    return company


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (r"DisplayName = 'Adam\'s Candy Shop'", ["Adam's Candy Shop"]),
        (r"displayname = 'ADAM\'S candy shop'", ["Adam's Candy Shop"]),
        (r"DisplayName = 'Back\\slash Ltd'", ["Back\\slash Ltd"]),
        ("DisplayName LIKE '%wool%'", ["100% Wool_Ltd"]),
        ("DisplayName LIKE '100_ Wool_Ltd'", []),
        ("DisplayName like 'CAFÉ ürb%'", ["Café Ürbān"]),
        ("DisplayName IN ('gone away ltd', 'café ürbān')", ["Café Ürbān"]),
        ("DisplayName = 'Gone Away Ltd (deleted)' AND Active IN (true, false)", ["Gone Away Ltd (deleted)"]),
        ("DisplayName LIKE 'Gone%' AND Active = false", ["Gone Away Ltd (deleted)"]),
        ("DisplayName LIKE 'Gone%' AND Active = 'False'", ["Gone Away Ltd (deleted)"]),
        ("Balance > '100' AND DisplayName LIKE 'Adam%'", ["Adam's Candy Shop"]),
        ("Balance <= '20.0' AND GivenName >= 'b' AND GivenName < 'c'", ["100% Wool_Ltd"]),
        ("CompanyName = ' ' AND GivenName = 'Cleo'", ["Café Ürbān"]),
        ("PrimaryEmailAddr = 'a@B.example'", ["Adam's Candy Shop"]),
        ("FullyQualifiedName = '100% wool_ltd'", ["100% Wool_Ltd"]),
        ("MetaData.CreateTime >= CURRENT_DATE AND FamilyName = 'zed'", ["Back\\slash Ltd"]),
        ("MetaData.LastUpdatedTime >= '2099-01-01T00:00:00Z'", []),
        ("DisplayName = 'Adam\\'s Candy Shop '", []),
    ],
)
def test_conditions_find_what_they_say(people: CompanyApp, where: str, names: list[str]) -> None:
    assert people.names(f"{EVERYONE} WHERE {where} ORDERBY DisplayName MAXRESULTS 5") == names


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT * FROM Customer WHERE DisplayName = 'a' OR DisplayName = 'b'", "4000"),
        ("SELECT * FROM Customer WHERE DisplayName = 'Adam's Candy Shop'", "4000"),
        ("SELECT * FROM Customer WHERE DisplayName = 'Adam''s Candy Shop'", "4000"),
        ("SELECT * FROM Customer WHERE DisplayName != 'a'", "4000"),
        ("SELECT * FROM Customer WHERE Balance > 100", "4000"),
        ("SELECT * FROM Customer WHERE Active", "4000"),
        ("SELECT * FROM Customer MAXRESULTS 5 STARTPOSITION 1", "4000"),
        ("SELECT * FROM Customer STARTPOSITION 1 ORDERBY Id", "4000"),
        ("SELECT * FROM Nonsense", "4000"),
        ("UPDATE Customer", "4000"),
        ("", "4000"),
        ("SELECT * FROM Customer WHERE Notes = 'a'", "4001"),
        ("SELECT * FROM Customer ORDERBY Notes", "4001"),
        ("SELECT * FROM Customer WHERE Id > '5'", "4001"),
        ("SELECT * FROM Customer WHERE Id = 'five'", "4001"),
        ("SELECT * FROM Customer WHERE Active LIKE 't%'", "4001"),
        ("SELECT * FROM Customer WHERE MetaData.CreateTime > 'yesterday'", "4001"),
        ("SELECT * FROM Employee WHERE Balance > '0'", "4001"),
        ("SELECT Nonsense FROM Customer", "4001"),
        ("SELECT * FROM Customer STARTPOSITION 0", "4001"),
    ],
)
def test_what_the_language_does_not_have_is_refused(company: CompanyApp, text: str, code: str) -> None:
    error = company.fault(company.ask("GET", "query", params={"query": text}))
    assert error["code"] == code
    assert error["Detail"].startswith({"4000": "QueryParserError: ", "4001": "QueryValidationError: "}[code])


def test_position_zero_is_told_the_least_value(company: CompanyApp) -> None:
    error = company.fault(company.ask("GET", "query", params={"query": f"{EVERYONE} STARTPOSITION 0"}))
    assert error["Detail"] == "QueryValidationError: value 0 is too small. Min allowed value is 1"


def test_pages_are_counted_from_one_and_nothing_found_has_no_list(company: CompanyApp) -> None:
    company.control.load(7, vendor="quickbooks")
    page = company.query(f"{EVERYONE} ORDER BY DisplayName DESC STARTPOSITION 3 MAXRESULTS 2")
    assert (page["startPosition"], page["maxResults"], len(page["Customer"])) == (3, 2, 2)
    names = company.names(f"{EVERYONE} ORDERBY DisplayName")
    assert [record["DisplayName"] for record in page["Customer"]] == sorted(names, key=str.casefold)[::-1][2:4]
    assert company.query(f"{EVERYONE} STARTPOSITION 8") == {}
    assert company.query("select count(*) from customer") == {"totalCount": 7}
    assert company.query("SELECT * FROM Invoice") == {}


def test_a_page_holds_a_hundred_unless_asked_and_never_more_than_a_thousand(company: CompanyApp) -> None:
    company.control.load(1010, vendor="quickbooks")
    assert company.query("SELECT COUNT(*) FROM Customer") == {"totalCount": 1010}
    assert company.query(EVERYONE)["maxResults"] == 100
    assert company.query(f"{EVERYONE} MAXRESULTS 5000")["maxResults"] == 1000
    company.control.state(quickbooks_over_1000="refuse")
    answer = company.ask("GET", "query", params={"query": f"{EVERYONE} MAXRESULTS 1001"})
    assert company.fault(answer)["code"] == "4001"
    rows = [
        record["Id"]
        for start in (1, 501, 1001)
        for record in company.query(f"{EVERYONE} ORDERBY Id STARTPOSITION {start} MAXRESULTS 500")["Customer"]
    ]
    assert len(rows) == len(set(rows)) == 1010


def test_rows_without_an_order_come_by_id_upwards_or_downwards(company: CompanyApp) -> None:
    company.control.load(4, vendor="quickbooks")
    assert [record["Id"] for record in company.query(EVERYONE)["Customer"]] == ["1", "2", "3", "4"]
    company.control.state(quickbooks_default_order="descending")
    assert [record["Id"] for record in company.query(EVERYONE)["Customer"]] == ["4", "3", "2", "1"]


def test_a_projection_is_sparse(company: CompanyApp) -> None:
    company.made("Narrow Ltd")
    (row,) = company.query("SELECT Id, SyncToken, Active FROM Customer WHERE DisplayName = 'narrow ltd'")["Customer"]
    assert row.pop("Id").isdigit()
    assert row == {"domain": "QBO", "sparse": True, "SyncToken": "0", "Active": True}
    assert "DisplayName" in company.query("SELECT *, Notes FROM Customer")["Customer"][0]


def test_a_statement_may_be_posted_as_text(company: CompanyApp) -> None:
    answer = company.ask(
        "POST", "query", data="select count(*) from Vendor", headers={"Content-Type": "application/text"}
    )
    assert answer.json()["QueryResponse"]["totalCount"] > 0
    answer = company.ask("POST", "query", data="x", headers={"Content-Type": "application/json"})
    assert company.fault(answer)["code"] == "500"


def test_signs_that_must_be_encoded_and_are_not_end_in_an_html_page(company: CompanyApp) -> None:
    parts = urlsplit(company.root)
    wire = http.client.HTTPConnection(parts.netloc, timeout=10)
    wire.request("GET", f"{parts.path}/query?query=select%20*%20from%20Customer%20|")
    answer = wire.getresponse()
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (400, "text/html")
    assert b"Bad Request" in answer.read()
    wire.close()


def test_a_page_of_a_thousand_takes_a_moment(company: CompanyApp) -> None:
    company.control.load(2000, vendor="quickbooks")
    company.query(f"{EVERYONE} MAXRESULTS 1000")
    began = time.perf_counter()
    company.query(f"{EVERYONE} STARTPOSITION 1001 MAXRESULTS 1000")
    assert time.perf_counter() - began < 0.5  # 30 ms on a quiet machine


# What changed.


def changes(company: CompanyApp, since: str, entities: str = "Customer") -> list[dict[str, Any]]:
    answer = company.ask("GET", "cdc", params={"entities": entities, "changedSince": since})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["CDCResponse"]
    return list(found["QueryResponse"])


def test_changes_hold_whole_records_once_each_and_an_empty_element_for_nothing(company: CompanyApp) -> None:
    company.control.clock(set="2026-11-20T00:00:00+00:00", freeze=True)
    company.token = company.control.tokens(vendor="quickbooks")
    company.control.load(3, vendor="quickbooks")
    company.control.clock(advance_seconds=10)
    made = company.made("Changed Ltd")
    company.changed(made, Notes="twice")
    invoices, customers, vendors = changes(company, "2026-11-20T00:00:01Z", "Invoice,Customer,Vendor")
    assert (invoices, vendors) == ({}, {})
    (record,) = customers["Customer"]
    assert (record["Notes"], record["SyncToken"]) == ("twice", "1")
    assert (customers["startPosition"], customers["maxResults"], customers["totalCount"]) == (1, 1, 1)


def test_a_change_at_the_very_second_is_found_only_when_the_switch_includes_it(company: CompanyApp) -> None:
    stamp = company.made("Just Now Ltd")["MetaData"]["LastUpdatedTime"]
    assert "Just Now Ltd" not in str(changes(company, stamp))
    company.control.state(quickbooks_cdc_inclusive=True)
    assert "Just Now Ltd" in str(changes(company, stamp))
    query = f"{EVERYONE} WHERE MetaData.LastUpdatedTime >= '{stamp}'"
    assert "Just Now Ltd" in company.names(query)


def test_an_inactive_customer_is_an_object_or_a_stub(company: CompanyApp) -> None:
    gone = company.changed(company.made("Stub Ltd"), Active=False)
    company.control.ask("POST", f"quickbooks/customers/{company.made('Really Gone')['Id']}/delete")
    company.control.state(quickbooks_cdc_inclusive=True)
    since = gone["MetaData"]["LastUpdatedTime"]
    rows = changes(company, since)[0]["Customer"]
    assert next(row for row in rows if row["Id"] == gone["Id"])["Active"] is False
    (deleted,) = [row for row in rows if row.get("status") == "Deleted"]
    assert set(deleted) == {"domain", "status", "Id", "MetaData"}
    company.control.state(quickbooks_cdc_inactive="stub")
    rows = changes(company, since)[0]["Customer"]
    assert next(row for row in rows if row["Id"] == gone["Id"])["status"] == "Deleted"


def test_no_more_than_a_thousand_changes_are_told(company: CompanyApp) -> None:
    company.control.state(quickbooks_cdc_most=2)
    since = company.made("Before")["MetaData"]["LastUpdatedTime"]
    company.control.clock(advance_seconds=5)
    for name in ("One", "Two", "Three"):
        company.made(name)
    company.made("Four", "vendor")
    customers, vendors = changes(company, since, "Customer,Vendor")
    assert ([record["DisplayName"] for record in customers["Customer"]], vendors) == (["One", "Two"], {})
    company.control.state(quickbooks_cdc_cap="entity")
    assert changes(company, since, "Customer,Vendor")[1]["totalCount"] == 1


def test_changes_reach_thirty_days_back(company: CompanyApp) -> None:
    company.made("Old News Ltd")
    company.control.clock(advance_seconds=31 * 86_400)
    company.token = company.control.tokens(vendor="quickbooks")
    assert "Old News Ltd" not in str(changes(company, "2020-01-01"))
    company.control.state(quickbooks_cdc_too_old="refused")
    answer = company.ask("GET", "cdc", params={"entities": "Customer", "changedSince": "2020-01-01"})
    assert company.fault(answer)["code"] == "4001"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("entities=Customer", "2020"),
        ("changedSince=2026-11-01", "2020"),
        ("entities=Customer&changedSince=2026-11-01T00:00:00+13:00", "2060"),
        ("entities=Nonsense&changedSince=2026-11-01", "4001"),
    ],
)
def test_an_unclear_question_about_changes_is_refused(company: CompanyApp, query: str, code: str) -> None:
    assert company.fault(company.ask("GET", f"cdc?{query}"))["code"] == code


# Batches.


def batch(company: CompanyApp, *items: dict[str, Any], **query: str) -> Any:
    return company.ask("POST", "batch", json={"BatchItemRequest": list(items)}, params=query)


def test_a_batch_does_each_thing_on_its_own(company: CompanyApp) -> None:
    held = company.made("Held Ltd")
    answer = batch(
        company,
        {"bId": "1", "operation": "create", "Customer": {"DisplayName": "New Ltd"}},
        {"bId": "2", "operation": "create", "Customer": {"DisplayName": "held ltd"}},
        {"bId": "3", "operation": "update", "Customer": {**held, "sparse": True, "Notes": "Hi"}},
        {"bId": "4", "Query": "select count(*) from Customer where DisplayName = 'New Ltd'"},
        {"bId": "5", "operation": "delete", "Customer": {"Id": held["Id"], "SyncToken": "0"}},
        {"bId": "6", "Query": "nonsense"},
    )
    assert answer.status_code == 200
    items = {item["bId"]: item for item in answer.json()["BatchItemResponse"]}
    assert items["1"]["Customer"]["SyncToken"] == "0"
    assert items["2"]["Fault"]["Error"][0]["code"] == "6240"
    assert items["2"]["Fault"]["type"] == "ValidationFault"
    assert items["3"]["Customer"]["Notes"] == "Hi"
    assert items["4"]["QueryResponse"] == {"totalCount": 0}  # an item does not see what another one made
    assert items["5"]["Fault"]["Error"][0]["code"] == "500"
    assert items["6"]["Fault"]["Error"][0]["code"] == "4000"
    assert company.names(f"{EVERYONE} WHERE DisplayName = 'New Ltd'") == ["New Ltd"]


def test_a_batch_holds_thirty_items(company: CompanyApp) -> None:
    items = [{"bId": str(n), "operation": "create", "Customer": {"DisplayName": f"Batch {n}"}} for n in range(31)]
    assert company.fault(batch(company, *items))["code"] == "1040"
    assert len(batch(company, *items[:30]).json()["BatchItemResponse"]) == 30


def test_a_repeated_batch_answers_the_same_and_wants_short_names(company: CompanyApp) -> None:
    item = {"bId": "1", "operation": "create", "Customer": {"DisplayName": "Batched Ltd"}}
    first = batch(company, item, requestid="b-1")
    assert batch(company, item, requestid="b-1").json() == first.json()
    assert company.fault(batch(company, item, requestid="x" * 37))["code"] == "2130"
    assert company.fault(batch(company, {**item, "bId": "x" * 11}, requestid="b-2"))["code"] == "2130"
