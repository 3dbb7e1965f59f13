"""What people do inside QuickBooks, and the made-up company files."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from portal.sandbox.client import ControlError
from portal.sandbox.names import portal_side
from tests.sandbox.company_app import CompanyApp


def other_side(company: CompanyApp, method: str, path: str, **values: Any) -> Any:
    return company.control.ask(method, f"quickbooks/{path}", values or None)


def test_somebody_adds_and_changes_a_customer(company: CompanyApp) -> None:
    made = other_side(company, "POST", "customers", name="Typed In Ltd", phone="09 555 0100", city="Nelson")
    seen = company.one(made["uuid"])
    assert (seen["PrimaryPhone"]["FreeFormNumber"], seen["BillAddr"]["City"]) == ("09 555 0100", "Nelson")
    screen = company.control.at("quickbooks/customers")
    screen.change(made["uuid"], phone="", Notes="odd")
    screen.rename(made["uuid"], "Typed Again Ltd")
    seen = company.one(made["uuid"])
    assert (seen["DisplayName"], seen["FullyQualifiedName"], seen["SyncToken"]) == (*["Typed Again Ltd"] * 2, "2")
    assert (seen["Notes"], "PrimaryPhone" in seen) == ("odd", False)


def test_names_may_stand_there_twice_when_somebody_plants_them(company: CompanyApp) -> None:
    for _ in range(2):
        other_side(company, "POST", "customers", name="Double Ltd", Strange="value")
    assert company.names("SELECT * FROM Customer WHERE DisplayName = 'Double Ltd'") == ["Double Ltd"] * 2


def test_making_inactive_on_the_screen_takes_sub_customers_along(company: CompanyApp) -> None:
    top = other_side(company, "POST", "customers", name="Screen Ltd")
    sub = company.made("Screen job", Job=True, ParentRef={"value": top["uuid"]})
    gone = other_side(company, "POST", f"customers/{top['uuid']}/archive")
    assert (gone["archived"], gone["name"]) == (True, "Screen Ltd (deleted)")
    assert company.one(sub["Id"])["DisplayName"] == "Screen job (deleted)"
    back = other_side(company, "POST", f"customers/{top['uuid']}/unarchive")
    assert (back["archived"], back["name"]) == (False, "Screen Ltd")


def test_who_has_sub_customers_cannot_be_merged_away(company: CompanyApp) -> None:
    top, into = company.made("Parent Ltd"), company.made("Into Ltd")
    company.made("Child", Job=True, ParentRef={"value": top["Id"]})
    with pytest.raises(ControlError, match="sub-customers"):
        other_side(company, "POST", f"customers/{top['Id']}/merge", into=into["Id"])
    with pytest.raises(ControlError, match="themselves"):
        other_side(company, "POST", f"customers/{into['Id']}/merge", into=into["Id"])


def test_what_is_deleted_for_good_is_gone_and_frees_its_name(company: CompanyApp) -> None:
    made = company.made("Erased Ltd")
    other_side(company, "POST", f"customers/{made['Id']}/delete")
    assert company.fault(company.ask("GET", f"customer/{made['Id']}"))["code"] == "610"
    assert company.fault(company.sparse(made, Notes="x"))["code"] == "6000"
    assert company.made("Erased Ltd")["Id"] != made["Id"]


def test_some_customers_change_at_random_the_same_way_for_the_same_seed(company: CompanyApp) -> None:
    company.control.load(20, vendor="quickbooks")
    done = company.control.at("quickbooks/customers").change_some(3, 5)
    assert len({change["uuid"] for change in done}) == 3
    for change in done:
        record = company.one(change["uuid"])
        assert change["new"] in (record["PrimaryPhone"]["FreeFormNumber"], record["BillAddr"]["Line1"])
    company.control.load(20, vendor="quickbooks")
    assert company.control.at("quickbooks/customers").change_some(3, 5) == done


def test_a_person_can_do_all_that_in_the_browser(company: CompanyApp) -> None:
    root = f"{company.sandbox.url}/quickbooks-company"
    assert company.sandbox.url.encode() not in requests.get(root, timeout=10).content
    for kind in ("customers", "vendors", "employees"):
        page = requests.get(root, params={"kind": kind}, timeout=10)
        assert (page.status_code, "Marlow &amp; Co" in page.text) == (200, True)
    page = requests.post(f"{root}/customers", data={"name": "By Hand Ltd", "email": "a@b.example"}, timeout=10)
    assert "By Hand Ltd" in page.text
    address = page.url.split("?")[0]
    assert "By Hand 2 Ltd" in requests.post(address, data={"name": "By Hand 2 Ltd", "do": "save"}, timeout=10).text
    assert "inactive" in requests.post(address, data={"do": "deactivate"}, timeout=10).text
    assert "Make inactive" in requests.post(address, data={"do": "activate"}, timeout=10).text
    into = company.made("Kept Ltd")["Id"]
    assert "Kept Ltd" in requests.post(address, data={"do": "merge", "into": into}, timeout=10).text
    assert requests.post(address, data={"do": "merge", "into": "987654"}, timeout=10).status_code == 404
    assert requests.get(root, params={"kind": "robots"}, timeout=10).status_code == 404


def test_the_demo_has_what_a_firm_meets(company: CompanyApp) -> None:
    company.control.reset(clients=400, seed=7)
    company.control.limits(second=1000)
    company.token = company.control.tokens(vendor="quickbooks")
    held = {record["name"] for record in portal_side(400, 7)}
    customers = set(company.names("SELECT * FROM Customer MAXRESULTS 1000"))
    assert 70 <= len(customers) <= 110
    vendors = set(company.names("SELECT * FROM Vendor MAXRESULTS 1000", "Vendor"))
    employees = set(company.names("SELECT * FROM Employee MAXRESULTS 1000", "Employee"))
    assert len(held & vendors) == len(held & employees) == 1
    taken = (held & vendors).pop()
    assert company.fault(company.send({"DisplayName": taken.upper()}))["code"] == "6240"
    assert company.names("SELECT * FROM Customer WHERE Active = false") == ["Old Mill Cafe Limited (deleted)"]
    subs = [c for c in company.query("SELECT * FROM Customer MAXRESULTS 1000")["Customer"] if c["Job"]]
    assert [":" in sub["FullyQualifiedName"] for sub in subs] == [True]
    practice = {client["name"] for client in company.control.clients(limit=1000)}
    assert len(customers & practice) > 50
    other = CompanyApp(company.sandbox, company.control.tokens(vendor="quickbooks", tenants=["9341453189920417"]))
    assert not customers & set(other.names("SELECT * FROM Customer"))


@pytest.mark.parametrize("clients", [0, 1, 199, 230])
def test_loading_makes_exactly_so_many_active_customers_of_different_names(company: CompanyApp, clients: int) -> None:
    company.control.load(clients, vendor="quickbooks")
    (counts,) = [t["counts"] for t in company.control.tenants() if t["id"] == company.realm]
    assert counts == {"customers": clients, "inactive": 0, "vendors": 0, "employees": 0, "invoices": 0}
    names = company.names("SELECT * FROM Customer MAXRESULTS 1000")
    assert len({" ".join(name.split()).casefold() for name in names}) == clients


def test_loading_the_same_seed_again_makes_the_same_names(company: CompanyApp) -> None:
    company.control.load(30, 3, vendor="quickbooks")
    first = company.names("SELECT * FROM Customer")
    company.control.load(30, 3, vendor="quickbooks")
    assert company.names("SELECT * FROM Customer") == first
