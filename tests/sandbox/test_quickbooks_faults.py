"""QuickBooks' refusals, limits, and every fault of the sandbox as QuickBooks would show it."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
import requests

from portal.sandbox.garbage import KINDS
from tests.sandbox.company_app import CompanyApp

EVERYONE = "SELECT * FROM Customer"
SPACE = "{http://schema.intuit.com/finance/v3}"


def named(company: CompanyApp, name: str) -> int:
    """How many customers of this name there really are."""
    return len(company.control.ask("GET", f"quickbooks/customers?{urlencode({'q': name})}"))


def gateway_fault(answer: requests.Response) -> dict[str, str]:
    """The error of the lower-case shape."""
    body = answer.json()
    assert isinstance(body["time"], int)
    (error,) = body["fault"]["error"]
    return {**error, "type": body["fault"]["type"]}


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic eDp5"])
def test_a_call_without_a_good_token_is_refused_in_the_lower_case_shape(company: CompanyApp, header: str) -> None:
    answer = company.ask("GET", "preferences", headers={"Authorization": header})
    assert answer.status_code == 401
    error = gateway_fault(answer)
    assert (error["code"], error["type"]) == ("3200", "AUTHENTICATION")
    assert error["message"] == "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    assert error["detail"] == "Malformed bearer token: too short or too long"
    assert answer.headers["intuit_tid"]


def test_another_companys_token_is_forbidden(company: CompanyApp) -> None:
    other = company.control.tokens(vendor="quickbooks", tenants=["Harbour Street Advisers Inc"])
    answer = CompanyApp(company.sandbox, {**other, "realmId": company.realm}).ask("GET", "preferences")
    assert (answer.status_code, gateway_fault(answer)["code"]) == (403, "3100")
    nowhere = CompanyApp(company.sandbox, {**other, "realmId": "123"}).ask("GET", "preferences")
    assert nowhere.status_code == 403


def test_an_expired_token_says_so(company: CompanyApp) -> None:
    company.control.fault("token_expired", vendor="quickbooks", times=1)
    answer = company.ask("GET", "preferences")
    assert (answer.status_code, gateway_fault(answer)["detail"]) == (401, "Token expired")
    assert company.ask("GET", "preferences").status_code == 200
    company.control.clock(advance_seconds=3600)
    assert gateway_fault(company.ask("GET", "preferences"))["detail"] == "Token expired"


@pytest.mark.parametrize("status", [401, 403])
def test_a_customer_who_revoked_is_acted_out(company: CompanyApp, status: int) -> None:
    company.control.fault("revoked", vendor="quickbooks", status=status)
    assert company.ask("GET", "preferences").status_code == status
    form = {"grant_type": "refresh_token", "refresh_token": company.token["refresh_token"]}
    address = f"{company.sandbox.url}/quickbooks/oauth2/v1/tokens/bearer"
    answer = requests.post(address, data=form, auth=("counterpart-sandbox", "sandbox-secret"), timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_refusals_can_come_inside_a_200_or_in_the_lower_case_shape(company: CompanyApp) -> None:
    company.control.state(quickbooks_faults_in_200=True)
    assert company.fault(company.ask("GET", "customer/98765"), 200)["code"] == "610"
    company.control.state(quickbooks_faults_in_200=False, quickbooks_fault_shape="lower")
    answer = company.ask("GET", "customer/98765")
    assert answer.status_code == 400
    assert gateway_fault(answer)["code"] == "610"


def test_a_business_error_comes_inside_a_200_unless_it_names_a_status(company: CompanyApp) -> None:
    company.control.fault("business_error", vendor="quickbooks", method="POST", message="Books are closed", times=1)
    error = company.fault(company.send({"DisplayName": "Never Ltd"}), 200)
    assert (error["code"], error["Detail"]) == ("6000", "Books are closed")
    company.control.fault("business_error", vendor="quickbooks", method="POST", code="10000", status=500)
    assert company.fault(company.send({"DisplayName": "Never Ltd"}), 500)["code"] == "10000"
    assert named(company, "Never") == 0


def test_a_suspended_company_is_read_only_and_a_person_may_lose_their_rights(company: CompanyApp) -> None:
    company.control.state(quickbooks_company_state="suspended")
    assert company.fault(company.send({"DisplayName": "Never Ltd"}))["code"] == "6190"
    assert company.query("SELECT COUNT(*) FROM Customer")["totalCount"] > 0
    company.control.state(quickbooks_company_state="no_access")
    answer = company.ask("GET", "preferences")
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (401, "120")


# Limits.


def test_the_eleventh_call_of_a_second_is_refused_in_xml(company: CompanyApp) -> None:
    company.control.limits(reset=True)
    company.control.clock(freeze=True)
    assert {company.ask("GET", "preferences").status_code for _ in range(10)} == {200}
    refused = company.ask("GET", "preferences")
    assert (refused.status_code, refused.headers["Content-Type"].split(";")[0]) == (429, "application/xml")
    assert "Retry-After" not in refused.headers
    error = ET.fromstring(refused.content).find(f"{SPACE}Fault/{SPACE}Error")
    assert error is not None
    assert error.get("code") == "3001"
    assert error.findtext(f"{SPACE}Message") == "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    other = CompanyApp(company.sandbox, company.control.tokens(vendor="quickbooks", tenants=["9341453189920417"]))
    assert other.ask("GET", "preferences").status_code == 200
    company.control.clock(advance_seconds=1)
    assert company.ask("GET", "preferences").status_code == 200


def test_a_minute_and_its_batches_have_limits_of_their_own(company: CompanyApp) -> None:
    company.control.limits(reset=True)
    company.control.limits(tenant=company.realm, second=1000, minute=3, batch_minute=1)
    company.control.clock(freeze=True)
    item = {"BatchItemRequest": [{"bId": "1", "Query": "select count(*) from Customer"}]}
    assert [company.ask("POST", "batch", json=item).status_code for _ in range(2)] == [200, 429]
    assert [company.ask("GET", "preferences").status_code for _ in range(3)] == [200, 200, 429]
    company.control.clock(advance_seconds=60)
    assert company.ask("POST", "batch", json=item).status_code == 200


def test_an_eleventh_call_at_once_is_refused(company: CompanyApp) -> None:
    company.control.fault("latency", seconds=0.6, path="preferences")
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(company.ask("GET", "preferences").status_code))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 5
    while company.control.ask("GET", "limits")["used"].get(company.realm, {}).get("in_flight", 0) < 10:
        assert time.monotonic() < until
    assert company.ask("GET", f"companyinfo/{company.realm}").status_code == 429
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}


def test_a_429_may_be_json_and_may_say_how_long_to_wait(company: CompanyApp) -> None:
    company.control.state(quickbooks_throttle_body="json", quickbooks_retry_after=True)
    company.control.fault("rate_limited", vendor="quickbooks", times=1)
    answer = company.ask("GET", "preferences")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert answer.json()["Fault"]["Error"][0]["code"] == "3001"
    assert answer.json()["Fault"]["type"] == "SERVICE"
    company.control.state(quickbooks_throttle_body="xml", quickbooks_retry_after=False)
    company.control.fault("rate_limited", vendor="quickbooks", retry_after="7", times=1)
    answer = company.ask("GET", "preferences")
    assert (answer.headers["Retry-After"], b"003001" in answer.content) == ("7", True)


# The sandbox's faults.


def test_accepting_and_then_cutting_the_connection_makes_the_customer_once(company: CompanyApp) -> None:
    company.control.fault("accept_then_drop", vendor="quickbooks", method="POST", path="/customer", times=1)
    with pytest.raises(requests.ConnectionError):
        company.send({"DisplayName": "Cut Ltd"}, requestid="cut-1")
    assert named(company, "Cut Ltd") == 1
    again = company.send({"DisplayName": "Cut Ltd"}, requestid="cut-1")
    assert again.json()["Customer"]["DisplayName"] == "Cut Ltd"
    assert named(company, "Cut Ltd") == 1


def test_accepting_and_then_answering_500_makes_the_customer(company: CompanyApp) -> None:
    company.control.fault("accept_then_status", status=500, vendor="quickbooks", method="POST")
    assert company.send({"DisplayName": "Half Ltd"}).status_code == 500
    assert named(company, "Half Ltd") == 1


def test_dropping_makes_nothing(company: CompanyApp) -> None:
    company.control.fault("drop", vendor="quickbooks", tenant=company.realm, times=1)
    with pytest.raises(requests.ConnectionError):
        company.send({"DisplayName": "Lost Ltd"})
    assert named(company, "Lost Ltd") == 0


def test_a_fault_can_be_for_one_company(company: CompanyApp) -> None:
    company.control.fault("status", status=503, tenant="9341453189920417")
    assert company.ask("GET", "preferences").status_code == 200
    other = CompanyApp(company.sandbox, company.control.tokens(vendor="quickbooks", tenants=["9341453189920417"]))
    assert other.ask("GET", "preferences").status_code == 503
    assert company.control.calls(vendor="quickbooks")[-1]["tenant"] == other.realm


def test_lists_can_suddenly_be_empty(company: CompanyApp) -> None:
    company.control.fault("empty_list", vendor="quickbooks")
    assert company.query(EVERYONE) == {}
    assert company.query("SELECT COUNT(*) FROM Customer") == {"totalCount": 0}
    answer = company.ask("GET", "cdc", params={"entities": "Customer", "changedSince": "2026-11-01"})
    assert answer.json()["CDCResponse"] == [{"QueryResponse": [{}]}]


def test_every_page_can_be_the_first_one(company: CompanyApp) -> None:
    company.control.load(4, vendor="quickbooks")
    company.control.fault("repeat_page", vendor="quickbooks")
    for start in (1, 3, 50):
        rows = company.query(f"{EVERYONE} STARTPOSITION {start} MAXRESULTS 2")["Customer"]
        assert [row["Id"] for row in rows] == ["1", "2"]


def test_stale_reads_miss_the_writes_of_the_last_seconds(company: CompanyApp) -> None:
    old = company.made("Old Name Ltd")
    company.control.clock(advance_seconds=120)
    company.changed(old, DisplayName="New Name Ltd")
    young = company.made("Young Ltd")
    company.control.fault("stale", vendor="quickbooks", seconds=60, method="GET")
    assert company.one(old["Id"])["DisplayName"] == "Old Name Ltd"
    assert company.fault(company.ask("GET", f"customer/{young['Id']}"))["code"] == "610"
    assert company.names(f"{EVERYONE} WHERE DisplayName = 'Young Ltd'") == []
    assert company.names(f"{EVERYONE} WHERE DisplayName = 'old name ltd'") == ["Old Name Ltd"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith("json") or kind in ("html", "truncated")])
def test_garbage_reaches_these_calls_too(company: CompanyApp, kind: str) -> None:
    company.control.fault("garbage", garbage=kind, vendor="quickbooks", path="query", depth=2000)
    answer = company.ask("GET", "query", params={"query": EVERYONE})
    assert answer.status_code == 200
    assert company.control.calls(vendor="quickbooks")[-1]["fault"] == f"garbage:{kind}"
