"""Around the books: the door, limits, consent, faults, the other side, and filling many."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import requests

from portal.sandbox.client import ControlError
from portal.sandbox.server import Running, open_box, running_sandbox
from portal.sandbox.xero_books import fill
from portal.sandbox.xero_books.chart import MARLOW as ORGANISATION
from tests.sandbox.books import ADVISORY, MARLOW, Books, connected
from tests.sandbox.test_xero_sign_in import ask_for_consent, connections, exchange, press


def test_a_practice_is_no_organisation(books: Books) -> None:
    everything = books.sandbox.control.tokens()
    practice = next(t["id"] for t in books.sandbox.control.tenants() if t["kind"] == "PRACTICEMANAGER")
    books.token = everything
    refused = books.ask("GET", "Contacts", headers={"xero-tenant-id": practice})
    assert (refused.status_code, refused.json()["Detail"]) == (403, "AuthenticationUnsuccessful")
    assert books.ask("GET", "Contacts", headers={"xero-tenant-id": "nobody"}).status_code == 403
    assert books.ask("GET", "Contacts").status_code == 200


def test_scopes_open_contacts_and_settings_apart(sandbox: Running) -> None:
    reader = connected(sandbox, scopes=["accounting.contacts.read"])
    assert reader.ask("GET", "Contacts").status_code == 200
    for method, path, body in (("PUT", "Contacts", {"Name": "X"}), ("GET", "Organisation", None)):
        refused = reader.ask(method, path, body)
        assert (refused.status_code, refused.json()["Detail"]) == (401, "AuthorizationUnsuccessful")
        assert refused.headers["WWW-Authenticate"] == "Bearer error=insufficent_scope"
    settings = connected(sandbox, scopes=["accounting.settings.read"])
    assert settings.ask("GET", "Organisation").status_code == 200
    assert settings.ask("GET", "Contacts").status_code == 401
    old = connected(sandbox, scopes=["accounting.transactions"])
    assert old.ask("GET", "Contacts").status_code == 401


def test_every_answer_tells_what_is_left_of_the_limits(books: Books) -> None:
    headers = books.ask("GET", "Contacts").headers
    assert {"X-MinLimit-Remaining", "X-DayLimit-Remaining", "X-AppMinLimit-Remaining"} <= set(headers)
    assert len(headers["Xero-Correlation-Id"]) == 36
    books.sandbox.control.clock(freeze=True)
    books.sandbox.control.limits(minute=1, tenant=books.tenant, clear_usage=True)
    assert books.ask("GET", "Contacts").headers["X-MinLimit-Remaining"] == "0"
    refused = books.ask("PUT", "Contacts", {"Name": "Too much Ltd"})
    assert (refused.status_code, refused.content) == (429, b"")
    assert refused.headers["X-Rate-Limit-Problem"] == "minute"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    other = connected(books.sandbox, ADVISORY)
    assert other.ask("GET", "Contacts").status_code == 200
    books.sandbox.control.limits(reset=True)
    assert "Too much Ltd" not in books.names()


def test_five_at_once_and_no_more(books: Books) -> None:
    books.sandbox.control.fault("latency", seconds=0.5, vendor="xero", path="Organisation")
    threads = [threading.Thread(target=books.ask, args=("GET", "Organisation")) for _ in range(5)]
    for thread in threads:
        thread.start()
    while books.sandbox.control.limits()["used"].get(books.tenant, {}).get("in_flight", 0) < 5:
        time.sleep(0.005)
    refused = books.ask("GET", "Contacts")
    for thread in threads:
        thread.join()
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "concurrent")
    assert "Retry-After" not in refused.headers
    assert books.ask("GET", "Contacts").status_code == 200


def test_a_person_with_two_organisations_chooses_on_the_consent_page(sandbox: Running) -> None:
    page = ask_for_consent(sandbox, scope="offline_access accounting.contacts").text
    for name in ("Marlow &amp; Co Ltd", "Marlow Advisory Ltd"):
        assert name in page
    small = next(t["id"] for t in sandbox.control.tenants() if t["name"] == ADVISORY)
    code = press(sandbox, page, "allow", [small])["code"]
    token = exchange(sandbox, code).json()
    (found,) = connections(sandbox, token["access_token"]).json()
    assert (found["tenantName"], found["tenantType"]) == (ADVISORY, "ORGANISATION")
    assert Books(sandbox, small, token).contacts()
    mine = next(t["id"] for t in sandbox.control.tenants() if t["name"] == MARLOW)
    assert Books(sandbox, mine, token).ask("GET", "Contacts").status_code == 403


def test_disconnecting_one_organisation_leaves_the_other(sandbox: Running) -> None:
    books, other = connected(sandbox), connected(sandbox, ADVISORY)
    sandbox.control.revoke(MARLOW)
    assert books.ask("GET", "Contacts").status_code == 403
    assert other.ask("GET", "Contacts").status_code == 200


def test_faults_of_the_vendors_own(books: Books) -> None:
    fault = books.sandbox.control.fault
    fault("token_expired", vendor="xero", times=1)
    expired = books.ask("GET", "Contacts")
    assert expired.status_code == 401 and expired.json()["Detail"].startswith("TokenExpired")
    fault("revoked", vendor="xero", times=1)
    assert books.ask("GET", "Contacts").status_code == 403
    fault("rate_limited", vendor="xero", times=1, retry_after="7", problem="day")
    limited = books.ask("GET", "Contacts")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    fault("status", vendor="xero", times=1, status=503, body="The Organisation is offline")
    assert books.ask("GET", "Contacts").text == "The Organisation is offline"
    assert books.ask("GET", "Contacts").status_code == 200


def test_suddenly_empty_lists_say_so_in_their_pagination(books: Books) -> None:
    books.sandbox.control.fault("empty_list", vendor="xero")
    body = books.json("GET", "Contacts?page=1")
    assert (body["Contacts"], body["pagination"]["itemCount"]) == ([], 0)
    assert books.contacts() == []
    assert books.json("GET", "Accounts")["Accounts"] == []


def test_a_page_that_repeats_itself_never_ends(books: Books) -> None:
    first = books.names("?page=1&pageSize=3")
    books.sandbox.control.fault("repeat_page", vendor="xero")
    for page in (1, 2, 50):
        body = books.json("GET", f"Contacts?page={page}&pageSize=3")
        assert [one["Name"] for one in body["Contacts"]] == first
        assert body["pagination"]["pageCount"] > page


def test_stale_reads_do_not_see_the_last_writes(books: Books) -> None:
    control = books.sandbox.control
    books.create(Name="Old Ltd", FirstName="Before")
    control.clock(advance_seconds=120)
    books.json("POST", "Contacts", {"Name": "Old Ltd", "FirstName": "After"})
    made = books.create(Name="Young Ltd")
    control.fault("stale", vendor="xero", method="GET", seconds=60)
    (seen,) = books.contacts('?page=1&where=Name=="old ltd"')
    assert seen["FirstName"] == "Before"
    assert books.ask("GET", f"Contacts/{made['ContactID']}").status_code == 404
    assert "Young Ltd" not in books.names()
    control.clock(advance_seconds=61)
    assert books.contact(made["ContactID"])["Name"] == "Young Ltd"


def test_a_business_refusal_takes_the_shape_that_was_asked_for(books: Books) -> None:
    books.sandbox.control.fault("business_error", vendor="xero", message="The period is locked")
    assert books.refusals("POST", "Contacts", {"Name": "X Ltd"}) == ["The period is locked"]
    body = books.json("POST", "Contacts?summarizeErrors=false", {"Name": "X Ltd"})
    assert body["Contacts"][0]["StatusAttributeString"] == "ERROR"
    assert books.ask("GET", "Contacts").json()["Message"] == "The period is locked"
    books.sandbox.control.clear_faults()
    assert "X Ltd" not in books.names()


def test_cut_connections_and_rubbish_work_here_too(books: Books) -> None:
    books.sandbox.control.fault("drop", vendor="xero", path="Contacts", times=1)
    with pytest.raises(requests.ConnectionError):
        books.ask("PUT", "Contacts", {"Name": "Never Ltd"})
    assert "Never Ltd" not in books.names()
    books.sandbox.control.fault("accept_then_status", vendor="xero", method="PUT", times=1, status=500)
    assert books.ask("PUT", "Contacts", {"Name": "Half Ltd"}).status_code == 500
    assert "Half Ltd" in books.names()
    books.sandbox.control.fault("garbage", garbage="truncated", vendor="xero", times=1)
    with pytest.raises(requests.JSONDecodeError):
        books.ask("GET", "Contacts").json()


def test_calls_are_recorded_for_this_vendor(books: Books) -> None:
    books.ask("PUT", "Contacts", {"Name": "X Ltd"}, headers={"Idempotency-Key": "k"})
    call = books.sandbox.control.calls(vendor="xero")[-1]
    assert (call["method"], call["path"], call["status"], call["tenant"], call["idempotency_key"]) == (
        "PUT", "/xero/api.xro/2.0/Contacts", 200, books.tenant, "k",
    )  # fmt: skip


def test_somebody_in_xero_adds_changes_archives_and_removes(books: Books) -> None:
    made = books.other_side("POST", "contacts", {"name": "Odd  <Name>", "phone": "09 555 0100", "city": "Raglan"})
    assert books.contact(made["uuid"])["Name"] == "Odd  <Name>"  # nothing is checked on this side
    books.other_side("PATCH", f"contacts/{made['uuid']}", {
        "Name": "Even Ltd", "IsSupplier": True, "Phones": [{"PhoneType": "FAX", "PhoneNumber": "1"}],
        "ContactPersons": [{"FirstName": "Sam", "LastName": "Lee"}],
    })  # fmt: skip
    seen = books.contact(made["uuid"])
    assert (seen["Name"], seen["IsSupplier"], seen["Phones"][2]["PhoneNumber"]) == ("Even Ltd", True, "1")
    assert seen["ContactPersons"] == [{"FirstName": "Sam", "LastName": "Lee"}]
    assert books.other_side("POST", f"contacts/{made['uuid']}/archive")["status"] == "ARCHIVED"
    assert books.other_side("POST", f"contacts/{made['uuid']}/unarchive")["status"] == "ACTIVE"
    assert [one["uuid"] for one in books.other_side("GET", "contacts?q=even")] == [made["uuid"]]
    books.other_side("DELETE", f"contacts/{made['uuid']}")
    assert books.ask("GET", f"Contacts/{made['uuid']}").status_code == 404
    for method, path, values in (
        ("GET", f"contacts/{made['uuid']}", None),
        ("POST", "contacts", {"colour": "red", "name": "X"}),
        ("POST", "contacts", {"phone": "1"}),
    ):
        with pytest.raises(ControlError):
            books.other_side(method, path, values)


def test_somebody_in_xero_merges_two_contacts(books: Books) -> None:
    loser, survivor = books.create(Name="Loser Ltd"), books.create(Name="Survivor Ltd")
    books.other_side("PATCH", f"contacts/{loser['ContactID']}", {"IsSupplier": True})
    kept = books.other_side("POST", f"contacts/{loser['ContactID']}/merge", {"into": survivor["ContactID"]})
    assert (kept["uuid"], kept["is_supplier"]) == (survivor["ContactID"], True)
    gone = books.contact(loser["ContactID"])
    assert (gone["ContactStatus"], gone["MergedToContactID"]) == ("ARCHIVED", survivor["ContactID"])


def test_the_typed_controls_work_for_contacts(books: Books) -> None:
    at = books.sandbox.control.at("xero/contacts")
    made = at.create("Typed Ltd", email="a@typed.example")
    at.change(made["uuid"], phone="09 555 0100")
    at.rename(made["uuid"], "Retyped Ltd")
    at.add_contact(made["uuid"], name="Sam Lee", email="sam@typed.example")
    at.archive(made["uuid"])
    seen = books.contact(made["uuid"])
    assert (seen["Name"], seen["ContactStatus"]) == ("Retyped Ltd", "ARCHIVED")
    assert seen["ContactPersons"][0] == {
        "FirstName": "Sam", "LastName": "Lee", "EmailAddress": "sam@typed.example", "IncludeInEmails": False,
    }  # fmt: skip
    assert [one["name"] for one in at.clients("retyped")] == ["Retyped Ltd"]
    at.delete(made["uuid"])
    assert books.ask("GET", f"Contacts/{made['uuid']}").status_code == 404
    assert len(at.change_some(3)) == 3


def test_random_changes_are_told_and_can_be_repeated(books: Books) -> None:
    done = books.other_side("POST", "change-some", {"count": 5, "seed": 3, "tenant": MARLOW})
    assert len({one["uuid"] for one in done}) == 5
    for one in done:
        assert books.other_side("GET", f"contacts/{one['uuid']}")[one["field"]] == one["new"] != one["old"]


def test_a_person_can_edit_contacts_in_a_browser(books: Books) -> None:
    url = books.sandbox.url
    assert "Open Marlow &amp; Co Ltd" in requests.get(url, timeout=10).text
    page = requests.post(f"{url}/xero-contacts", {"Name": "By Hand Ltd", "city": "Raglan"}, timeout=10)
    assert "By Hand Ltd" in page.text and "<script" not in page.text and "style=" not in page.text
    contact = page.url.split("/xero-contacts/")[1].split("?")[0]
    requests.post(f"{url}/xero-contacts/{contact}", {"Name": "By Hand Ltd", "phone": "07 555 0101"}, timeout=10)
    assert books.contact(contact)["Phones"][1]["PhoneAreaCode"] == "07"
    requests.post(f"{url}/xero-contacts/{contact}/state", {"do": "archive"}, timeout=10)
    assert books.contact(contact)["ContactStatus"] == "ARCHIVED"
    other = books.create(Name="Other Ltd")["ContactID"]
    requests.post(f"{url}/xero-contacts/{contact}/state", {"do": "merge", "into": other}, timeout=10)
    assert books.contact(contact)["MergedToContactID"] == other
    assert "merged away" in requests.get(f"{url}/xero-contacts?q=By%20Hand", timeout=10).text
    requests.post(f"{url}/xero-contacts/{contact}/state", {"do": "remove"}, timeout=10)
    assert "No contact matches" in requests.get(f"{url}/xero-contacts?q=By%20Hand", timeout=10).text


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_loading_fills_exactly_so_many_active_contacts_with_names_of_their_own(books: Books, count: int) -> None:
    books.sandbox.control.load(count, vendor="xero", tenant=MARLOW)
    found = books.contacts("?includeArchived=true")
    assert len(found) == count
    assert len({one["Name"].casefold() for one in found}) == count
    assert all(one["ContactStatus"] == "ACTIVE" and one["Name"] == fill.tidy_name(one["Name"]) for one in found)
    again = [one["ContactID"] for one in found]
    books.sandbox.control.load(count, vendor="xero", tenant=MARLOW)
    assert [one["ContactID"] for one in books.contacts()] == again


def test_the_demo_overlaps_with_the_practice_and_adds_suppliers(books: Books) -> None:
    practice = {one["name"] for one in books.sandbox.control.clients(limit=100)}
    mine = set(books.names())
    assert len(mine & practice) > 10
    assert set(fill.SUPPLIERS) <= mine
    counts = {t["name"]: t["counts"] for t in books.sandbox.control.tenants() if t["vendor"] == "xero"}
    assert counts[MARLOW]["contacts"] == len(mine)
    assert counts[MARLOW]["archived"] == 5
    assert counts[MARLOW]["suppliers"] >= len(fill.SUPPLIERS)


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_sandbox(clients=10, data_dir=tmp_path) as first:
        made = connected(first).create(Name="Lasting Ltd")
    with running_sandbox(clients=10, data_dir=tmp_path) as second:
        assert connected(second).contact(made["ContactID"])["Name"] == "Lasting Ltd"


def test_ten_thousand_are_loaded_and_paged_quickly(tmp_path: Path) -> None:
    box = open_box(tmp_path)
    began = time.process_time()
    fill.load(box, ORGANISATION, 10_000, 7)
    assert time.process_time() - began < 6  # about 2 seconds when nobody else works
    assert fill.counts(box, ORGANISATION)["contacts"] == 10_000
    box.store.close()
