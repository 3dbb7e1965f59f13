"""QuickBooks customers, vendors and employees: reading, creating, changing, and names nobody may share."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.sandbox.company_app import CompanyApp

SPACE = "{http://schema.intuit.com/finance/v3}"


def test_a_customer_comes_back_with_what_quickbooks_adds(company: CompanyApp) -> None:
    answer = company.send(
        {
            "DisplayName": "Quay Cafe Ltd",
            "PrimaryEmailAddr": {"Address": "sam@quay.example"},
            "PrimaryPhone": {"FreeFormNumber": "09 555 0100"},
            "BillAddr": {"Line1": "1 Quay Street", "City": "Auckland", "Country": "New Zealand"},
        }
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["intuit_tid"]
    body = answer.json()
    assert set(body) == {"Customer", "time"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-0[78]:00", body["time"])
    customer = body["Customer"]
    assert customer["Id"].isdigit()
    assert (customer["SyncToken"], customer["domain"], customer["sparse"]) == ("0", "QBO", False)
    assert (customer["Active"], customer["Job"], customer["Balance"]) == (True, False, 0)
    assert customer["FullyQualifiedName"] == customer["PrintOnCheckName"] == "Quay Cafe Ltd"
    assert customer["CurrencyRef"] == {"value": "NZD", "name": "New Zealand Dollar"}
    assert customer["BillAddr"]["Id"].isdigit()
    assert customer["BillAddr"]["Country"] == "New Zealand"
    for moment in customer["MetaData"].values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-0[78]:00", moment)
    assert company.one(customer["Id"]) == customer


def test_the_display_name_is_put_together_when_only_parts_are_sent(company: CompanyApp) -> None:
    made = company.send({"Title": "Dr", "GivenName": "Ana", "FamilyName": "Tui", "CompanyName": "Tui Clinic"}).json()
    assert made["Customer"]["DisplayName"] == "Dr Ana Tui"
    assert made["Customer"]["PrintOnCheckName"] == "Tui Clinic"
    assert company.fault(company.send({"CompanyName": "Only a company"}))["code"] == "6080"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"DisplayName": "One: Two"}, "2040"),
        ({"DisplayName": "One\tTwo"}, "2040"),
        ({"DisplayName": "x" * 501}, "2050"),
        ({"CompanyName": "x" * 101}, "2050"),
        ({"BillAddr": {f"Line{n}": "x" * 450 for n in range(1, 6)}}, "2050"),
        ({"PrimaryEmailAddr": {"Address": "nobody"}}, "2210"),
        ({"WebAddr": {"URI": "not an address"}}, "2200"),
        ({"PreferredDeliveryMethod": "Pigeon"}, "2170"),
        ({"FavouriteColour": "blue"}, "2010"),
        ({"PrimaryPhone": {"Number": "1"}}, "2010"),
        ({"Active": "yes"}, "2010"),
        ({"ParentRef": {"value": "99999"}, "Job": True}, "2500"),
        ({"Job": True}, "2020"),
    ],
)
def test_values_quickbooks_would_not_take_are_refused(company: CompanyApp, values: Any, code: str) -> None:
    assert company.fault(company.send({"DisplayName": "Checked Ltd", **values}))["code"] == code
    assert company.names("SELECT * FROM Customer WHERE DisplayName = 'Checked Ltd'") == []


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"DisplayName": NaN}', b""])
def test_a_body_that_is_no_json_object_is_refused(company: CompanyApp, body: bytes) -> None:
    assert company.fault(company.ask("POST", "customer", data=body))["code"] == "2010"


def test_bytes_that_are_no_utf_8_are_an_unsupported_operation(company: CompanyApp) -> None:
    answer = company.ask("POST", "customer", data='{"DisplayName": "Café"}'.encode("latin-1"))
    assert company.fault(answer)["code"] == "500"


def test_a_sparse_update_keeps_what_it_leaves_out_and_replaces_whole_addresses(company: CompanyApp) -> None:
    made = company.made(
        "Sparse Ltd", Notes="Keep me", BillAddr={"Line1": "1 Old Street", "City": "Napier"}, CompanyName="Sparse"
    )
    after = company.changed(made, BillAddr={"Line1": "2 New Street"}, CompanyName="")
    assert (after["SyncToken"], after["Notes"], after["DisplayName"]) == ("1", "Keep me", "Sparse Ltd")
    assert "CompanyName" not in after
    assert "City" not in after["BillAddr"]
    assert company.changed(after, DisplayName="")["DisplayName"] == "Sparse Ltd"


def test_a_full_update_empties_what_it_leaves_out(company: CompanyApp) -> None:
    made = company.made("Full Ltd", Notes="Forget me", Balance=120.5)
    body = {"Id": made["Id"], "SyncToken": "0", "DisplayName": "Full Ltd", "Balance": 999}
    after = company.send(body).json()["Customer"]
    assert "Notes" not in after
    assert (after["Balance"], after["Active"]) == (120.5, True)
    assert company.fault(company.send({"Id": made["Id"], "SyncToken": "1"}))["code"] == "6080"


def test_an_old_synctoken_is_a_stale_object(company: CompanyApp) -> None:
    made = company.made("Busy Ltd")
    company.control.ask("PATCH", f"quickbooks/customers/{made['Id']}", {"phone": "09 555 0111"})
    error = company.fault(company.sparse(made, Notes="Mine"))
    assert error["code"] == "5010"
    assert error["Message"] == "Stale Object Error"
    assert "Notes" not in company.one(made["Id"])
    assert company.changed(company.one(made["Id"]), Notes="Mine")["SyncToken"] == "2"


def test_what_is_not_there_answers_400_and_610(company: CompanyApp) -> None:
    assert company.fault(company.ask("GET", "customer/98765"))["code"] == "610"
    assert company.fault(company.send({"Id": "98765", "SyncToken": "0", "DisplayName": "x"}))["code"] == "610"
    assert company.fault(company.send({"Id": "abc", "SyncToken": "0", "DisplayName": "x"}))["code"] == "2030"
    assert company.fault(company.send({"Id": company.made("No Token")["Id"], "DisplayName": "x"}))["code"] == "2020"


@pytest.mark.parametrize("holder", ["customer", "vendor", "employee"])
@pytest.mark.parametrize("name", ["Harbour Lights Ltd", "harbour LIGHTS ltd", "  Harbour  Lights Ltd "])
def test_a_name_is_taken_by_any_customer_vendor_or_employee(company: CompanyApp, holder: str, name: str) -> None:
    company.made("Harbour Lights Ltd", holder)
    error = company.fault(company.send({"DisplayName": name}))
    assert error["code"] == "6240"
    assert error["Message"] == "Duplicate Name Exists Error"
    assert error["Detail"] == "The name supplied already exists. : null"


def test_the_text_of_a_taken_name_comes_in_several_forms(company: CompanyApp) -> None:
    holder = company.made("Taken Ltd", "vendor")
    details = {}
    for variant in ("id", "sentence", "french"):
        company.control.state(quickbooks_6240_detail=variant)
        details[variant] = company.fault(company.send({"DisplayName": "Taken Ltd"}))["Detail"]
    assert details["id"].endswith(f": Id={holder['Id']}")
    assert "Another customer, vendor or employee" in details["sentence"]
    assert details["french"].startswith("Le nom")


def test_renaming_to_a_taken_name_is_refused_and_to_ones_own_is_not(company: CompanyApp) -> None:
    company.made("First Ltd")
    second = company.made("Second Ltd")
    assert company.fault(company.sparse(second, DisplayName="FIRST LTD"))["code"] == "6240"
    assert company.changed(second, DisplayName="SECOND Ltd")["DisplayName"] == "SECOND Ltd"


def test_an_inactive_customer_is_called_deleted_and_hides_from_lists(company: CompanyApp) -> None:
    gone = company.changed(company.made("Went Away Ltd"), Active=False)
    assert gone["DisplayName"] == gone["FullyQualifiedName"] == "Went Away Ltd (deleted)"
    assert company.one(gone["Id"])["Active"] is False
    everyone = "SELECT * FROM Customer WHERE DisplayName LIKE 'Went Away%'"
    assert company.names(everyone) == []
    assert company.names(f"{everyone} AND Active IN (true, false)") == ["Went Away Ltd (deleted)"]
    assert company.names(f"{everyone} AND Active = false") == ["Went Away Ltd (deleted)"]


def test_an_inactive_customer_blocks_its_name_or_not_as_the_switch_says(company: CompanyApp) -> None:
    company.changed(company.made("Blocked Ltd"), Active=False)
    assert company.fault(company.send({"DisplayName": "blocked ltd"}))["code"] == "6240"
    company.control.state(quickbooks_inactive_blocks_name=False)
    assert company.made("Blocked Ltd")["Active"]


def test_an_inactive_customer_comes_back_and_is_not_written_to_before(company: CompanyApp) -> None:
    gone = company.changed(company.made("Sleeper Ltd"), Active=False)
    error = company.fault(company.sparse(gone, Notes="psst"))
    assert error["code"] == "6000"
    assert error["Detail"] == "Business Validation Error: You cannot modify a list element that has been deleted."
    back = company.changed(gone, Active=True)
    assert (back["Active"], back["DisplayName"]) == (True, "Sleeper Ltd (deleted)")
    assert company.changed(back, DisplayName="Sleeper Ltd")["DisplayName"] == "Sleeper Ltd"
    company.control.state(quickbooks_reactivation_strips_suffix=True, quickbooks_inactive_refuses_writes=False)
    gone = company.changed(company.one(back["Id"]), Active=False)
    gone = company.changed(gone, Notes="psst")
    assert gone["DisplayName"] == "Sleeper Ltd (deleted)"
    assert company.changed(gone, Active=True)["DisplayName"] == "Sleeper Ltd"


def test_a_merged_away_customer_reads_as_inactive_and_takes_no_changes(company: CompanyApp) -> None:
    loser, survivor = company.made("Twin One Ltd", Balance=10), company.made("Twin Two Ltd", Balance=5)
    company.control.ask("POST", f"quickbooks/customers/{loser['Id']}/merge", {"into": survivor["Id"]})
    gone = company.one(loser["Id"])
    assert (gone["Active"], gone["DisplayName"]) == (False, "Twin One Ltd (deleted)")
    assert company.one(survivor["Id"])["Balance"] == 15
    for values in ({"Notes": "x"}, {"Active": True}):
        assert company.fault(company.sparse(gone, **values))["code"] == "6000"
    company.control.state(quickbooks_merged_shows="gone")
    assert company.fault(company.ask("GET", f"customer/{loser['Id']}"))["code"] == "610"
    assert company.fault(company.sparse(gone, Notes="x"))["code"] == "6000"


def test_sub_customers_carry_their_parents_name_and_go_with_it(company: CompanyApp) -> None:
    top = company.made("Top Ltd")
    child = company.made("Kitchen", Job=True, ParentRef={"value": top["Id"]})
    assert (child["FullyQualifiedName"], child["Level"]) == ("Top Ltd:Kitchen", 1)
    assert company.fault(company.send({"DisplayName": "kitchen"}))["code"] == "6240"
    top = company.changed(top, DisplayName="Upper Ltd")
    assert company.one(child["Id"])["FullyQualifiedName"] == "Upper Ltd:Kitchen"
    company.changed(top, Active=False)
    assert company.one(child["Id"])["Active"] is False


def test_four_levels_below_the_top_are_enough(company: CompanyApp) -> None:
    parent = company.made("Level 0")
    for level in range(1, 5):
        parent = company.made(f"Level {level}", Job=True, ParentRef={"value": parent["Id"]})
        assert parent["Level"] == level
    answer = company.send({"DisplayName": "Level 5", "Job": True, "ParentRef": {"value": parent["Id"]}})
    assert company.fault(answer)["code"] == "6000"


def test_vendors_and_employees_can_be_made_and_read(company: CompanyApp) -> None:
    vendor = company.made("Copper Pipes Ltd", "vendor", AcctNum="77")
    employee = company.made("Kim Newcomer", "employee", GivenName="Kim", FamilyName="Newcomer", SSN="123-45-6789")
    assert company.ask("GET", f"vendor/{vendor['Id']}").json()["Vendor"]["AcctNum"] == "77"
    assert company.ask("GET", f"employee/{employee['Id']}").json()["Employee"]["SSN"] == "XXXX-6789"
    assert company.fault(company.ask("GET", f"customer/{vendor['Id']}"))["code"] == "610"


def test_a_tax_number_comes_back_masked(company: CompanyApp) -> None:
    assert company.made("Masked Ltd", PrimaryTaxIdentifier="98-7654321")["PrimaryTaxIdentifier"] == "XXXX54321"


def test_whoever_does_not_ask_for_json_gets_xml(company: CompanyApp) -> None:
    made = company.made("Markup & Sons", PrimaryEmailAddr={"Address": "a@b.example"})
    answer = company.ask("GET", f"customer/{made['Id']}", headers={"Accept": "*/*"})
    assert answer.headers["Content-Type"].startswith("application/xml")
    root = ET.fromstring(answer.content)
    assert root.tag == f"{SPACE}IntuitResponse"
    customer = root.find(f"{SPACE}Customer")
    assert customer is not None
    assert (customer.get("domain"), customer.findtext(f"{SPACE}DisplayName")) == ("QBO", "Markup & Sons")
    assert customer.findtext(f"{SPACE}PrimaryEmailAddr/{SPACE}Address") == "a@b.example"
    error = ET.fromstring(company.ask("GET", "customer/98765", headers={"Accept": "text/html"}).content)
    assert error.find(f"{SPACE}Fault/{SPACE}Error").get("code") == "610"  # type: ignore[union-attr]  # it is there


def test_only_get_and_post_exist_and_addresses_keep_their_case(company: CompanyApp) -> None:
    made = company.made("Verbs Ltd")
    for method in ("PUT", "PATCH", "DELETE"):
        assert company.ask(method, f"customer/{made['Id']}").status_code == 405
    assert company.ask("GET", f"Customer/{made['Id']}").status_code == 404
    assert company.fault(company.send({"Id": made["Id"], "SyncToken": "0"}, operation="delete"))["code"] == "500"


def test_a_repeated_requestid_answers_what_it_answered_before(company: CompanyApp) -> None:
    first = company.send({"DisplayName": "Once Ltd"}, requestid="abc-1")
    again = company.send({"DisplayName": "Once Ltd"}, requestid="abc-1")
    assert (again.status_code, again.json()) == (200, first.json())
    assert company.fault(company.send({"DisplayName": "Once Ltd"}, requestid="abc-2"))["code"] == "6240"
    assert company.control.calls(vendor="quickbooks", path="/customer$")[0]["idempotency_key"] == "abc-1"
    assert company.fault(company.send({"DisplayName": "Long"}, requestid="x" * 51))["code"] == "2130"


def test_how_long_and_whether_a_requestid_counts_are_switches(company: CompanyApp) -> None:
    company.send({"DisplayName": "Kept Ltd"}, requestid="r")
    company.control.state(quickbooks_requestid="refused")
    assert company.fault(company.send({"DisplayName": "Other Ltd"}, requestid="r"))["code"] == "600"
    company.control.state(quickbooks_requestid="ignored")
    assert company.send({"DisplayName": "Third Ltd"}, requestid="r").json()["Customer"]["DisplayName"] == "Third Ltd"
    company.control.state(quickbooks_requestid="replay", quickbooks_requestid_hours=0)
    assert company.send({"DisplayName": "Fourth Ltd"}, requestid="r").json()["Customer"]["DisplayName"] == "Fourth Ltd"


def test_whether_a_refusal_is_remembered_is_a_switch(company: CompanyApp) -> None:
    company.made("Held Ltd")
    for remembers, code in ((False, None), (True, "6240")):
        company.control.state(quickbooks_requestid_replays_faults=remembers)
        name = f"r-{remembers}"
        assert company.fault(company.send({"DisplayName": "Held Ltd"}, requestid=name))["code"] == "6240"
        again = company.send({"DisplayName": f"Free {remembers}"}, requestid=name)
        assert (company.fault(again)["code"] if code else again.status_code) == (code or 200)


def test_the_company_says_where_it_is_in_three_letters_and_not_its_currency(company: CompanyApp) -> None:
    info = company.ask("GET", f"companyinfo/{company.realm}").json()["CompanyInfo"]
    assert (info["CompanyName"], info["Id"], info["Country"]) == ("Marlow & Co", "1", "NZ")
    for name in ("CompanyAddr", "CustomerCommunicationAddr", "LegalAddr"):
        assert info[name]["Country"] == "NZL"
        assert "Lat" not in info[name]
    assert "CurrencyRef" not in info
    preferences = company.ask("GET", "preferences", params={"minorversion": "3"}).json()["Preferences"]
    assert preferences["CurrencyPrefs"] == {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "NZD"}}
    assert preferences["SalesFormsPrefs"]["CustomTxnNumbers"] is True


def test_customers_countries_change_as_well_when_the_switch_says_so(company: CompanyApp) -> None:
    made = company.made("Abroad Ltd", BillAddr={"Line1": "1 Road", "Country": "United States"})
    company.control.state(quickbooks_customer_country_alpha3=True)
    assert company.one(made["Id"])["BillAddr"]["Country"] == "USA"
