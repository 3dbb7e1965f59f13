"""Reading Digits: company, parties, categories, limits, errors, faults, and people who change things there."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from portal.sandbox.digits.chart import TYPES
from tests.sandbox.ledger_app import LedgerApp

PARTIES = "ledger/parties"


def test_the_company_is_the_tokens_business(ledger_app: LedgerApp) -> None:
    facts = ledger_app.get("company")["company"]
    assert facts["name"] == "Marlow & Co"
    assert {"id", "fiscalYearStartMonth", "earliestTransactionDate"} <= set(facts)
    ledger_app.sandbox.control.state(digits_company_form="flat", digits_company_has_id=False)
    del facts["id"]
    assert ledger_app.get("company") == facts


def test_parties_come_in_pages_with_a_cursor_until_there_are_no_more(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.load(23, vendor="digits")
    seen, cursor, sizes = [], "", []
    while True:
        page = ledger_app.get(f"{PARTIES}?limit=10&cursor={cursor}")
        assert set(page) == {"parties", "next"}
        seen += [party["id"] for party in page["parties"]]
        sizes.append(len(page["parties"]))
        if not page["next"]["more"]:
            break
        cursor = page["next"]["cursor"]
    assert page["next"] == {"cursor": "", "more": False}
    assert sizes == [10, 10, 3]
    assert len(set(seen)) == 23


def test_the_last_page_can_have_a_cursor_all_the_same(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.state(digits_last_cursor="filled")
    last = ledger_app.get(PARTIES)["next"]
    assert last["cursor"] and last["more"] is False
    assert ledger_app.get(f"{PARTIES}?cursor={last['cursor']}")["parties"] == []


def test_a_page_has_a_hundred_at_most_and_larger_limits_are_clamped_or_refused(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.load(130, vendor="digits")
    assert len(ledger_app.get(PARTIES)["parties"]) == 100
    assert len(ledger_app.get(f"{PARTIES}?limit=1000")["parties"]) == 100
    ledger_app.sandbox.control.state(digits_limit_above_100="refuse")
    assert ledger_app.ask("GET", f"{PARTIES}?limit=1000").status_code == 400
    assert ledger_app.ask("GET", f"{PARTIES}?limit=0").status_code == 400
    assert ledger_app.ask("GET", f"{PARTIES}?cursor=nonsense").status_code == 400


def test_customers_and_vendors_look_alike_unless_a_switch_marks_them(ledger_app: LedgerApp) -> None:
    parties = ledger_app.parties()
    assert "Quayside Power" in parties
    assert all(set(party) <= {"id", "name", "email", "kind", "description"} for party in parties.values())
    ledger_app.sandbox.control.state(digits_party_marker="type")
    assert {party["type"] for party in ledger_app.parties().values()} == {"Customer", "Vendor"}
    ledger_app.sandbox.control.state(digits_party_marker="roles")
    assert ledger_app.parties()["Quayside Power"]["roles"] == ["Vendor"]


def test_a_party_can_have_no_more_than_an_identifier_and_a_name(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.state(digits_party_details=False, digits_party_id_key="partyId")
    assert all(set(party) == {"partyId", "name"} for party in ledger_app.parties().values())


def test_one_party_is_found_under_the_path_of_the_switch(ledger_app: LedgerApp) -> None:
    party = next(iter(ledger_app.parties().values()))
    assert ledger_app.get(f"ledger/party/{party['id']}") == {"party": party}
    assert ledger_app.ask("GET", f"ledger/parties/{party['id']}").status_code == 404
    ledger_app.sandbox.control.state(digits_party_path="parties")
    assert ledger_app.get(f"ledger/parties/{party['id']}") == {"party": party}
    assert ledger_app.ask("GET", f"ledger/party/{party['id']}").status_code == 404


def test_categories_are_a_chart_of_accounts(ledger_app: LedgerApp) -> None:
    page = ledger_app.get("ledger/categories")
    assert page["next"] == {"cursor": "", "more": False}
    by_id = {one["categoryId"]: one for one in page["categories"]}
    for one in page["categories"]:
        assert set(one) == {
            "categoryId", "name", "type", "subtype", "parentCategoryId", "chartOfAccountsDisplayNumber", "active",
        }  # fmt: skip
        assert one["parentCategoryId"] in ("", *by_id)
    assert {one["type"] for one in page["categories"]} == set(TYPES)
    assert [one["name"] for one in page["categories"] if not one["active"]] == ["Fax Line (closed)"]
    some = page["categories"][4]
    assert ledger_app.get(f"ledger/category/{some['categoryId']}") == {"category": some}
    assert ledger_app.ask("GET", "ledger/category/nothing").status_code == 404
    assert ledger_app.get("ledger/categories?limit=5")["next"]["more"] is True


def test_a_token_without_the_scope_is_refused(ledger_app: LedgerApp) -> None:
    writer = ledger_app.sandbox.control.tokens(vendor="digits", scopes=["source:sync"])["access_token"]
    app = LedgerApp(ledger_app.sandbox, writer)
    assert app.ask("GET", "company").status_code == 200
    assert app.ask("GET", "connections/sources").status_code == 200
    answer = app.ask("GET", PARTIES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_a_missing_or_unknown_token_is_refused(ledger_app: LedgerApp, token: str) -> None:
    answer = LedgerApp(ledger_app.sandbox, token).ask("GET", PARTIES)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert "X-RateLimit-Limit" not in answer.headers


@pytest.mark.parametrize("path", ["nothing", "ledger/party", "oauth/revoke", "ledger/entries"])
def test_what_is_not_there_answers_404_in_json(ledger_app: LedgerApp, path: str) -> None:
    answer = ledger_app.ask("POST", path, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_errors_come_in_the_form_of_the_switch(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.state(digits_error_form="grpc")
    assert ledger_app.ask("GET", "nothing").json() == {
        "code": 5, "message": "There is nothing at this address.", "details": [],
    }  # fmt: skip
    ledger_app.sandbox.control.state(digits_error_form="text")
    answer = ledger_app.ask("GET", "nothing")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text == "There is nothing at this address.\n"


def test_sixty_calls_a_minute_by_token_and_the_headers_count_them(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.clock(freeze=True)
    now = time.time()
    for left in (59, 58):
        headers = ledger_app.ask("GET", "company").headers
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("60", str(left))
        assert 0 < int(headers["X-RateLimit-Reset"]) - now <= 61
    for _ in range(58):
        assert ledger_app.ask("GET", "company").status_code == 200
    answer = ledger_app.ask("GET", "company")
    assert answer.status_code == 429
    wait = answer.json()["error"]["details"]["retry_after"]
    assert answer.json() == {
        "error": {
            "code": "RATE_LIMIT_EXCEEDED", "message": "Rate limit exceeded. Try again later.",
            "details": {"retry_after": wait},
        }
    }  # fmt: skip
    assert 1 <= wait <= 60
    assert "Retry-After" not in answer.headers
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    ledger_app.sandbox.control.clock(advance_seconds=wait)
    assert ledger_app.ask("GET", "company").status_code == 200


def test_an_app_has_three_times_as_many_over_all_its_tokens(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control
    control.clock(freeze=True)
    control.limits(app_minute=5)
    other = LedgerApp(ledger_app.sandbox, control.tokens(vendor="digits")["access_token"])
    for app in (ledger_app, other, ledger_app, other, ledger_app):
        assert app.ask("GET", "company").status_code == 200
    assert other.ask("GET", "company").status_code == 429
    used = control.ask("GET", "limits")["used"]
    assert used["digits counterpart-sandbox"]["minute"] == 5


def test_a_refreshed_token_counts_anew_unless_installs_are_counted(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control
    control.clock(freeze=True)
    control.limits(minute=1, tenant=business(ledger_app))
    assert ledger_app.ask("GET", "company").status_code == 200
    assert ledger_app.ask("GET", "company").status_code == 429
    other = LedgerApp(ledger_app.sandbox, control.tokens(vendor="digits")["access_token"])
    assert other.ask("GET", "company").status_code == 200
    control.state(digits_minute_counts="install")
    assert other.ask("GET", "company").status_code == 200
    assert ledger_app.ask("GET", "company").status_code == 429


def business(app: LedgerApp) -> str:
    return str(next(one["id"] for one in app.sandbox.control.tenants() if one["vendor"] == "digits"))


def test_calls_and_faults_know_the_business_by_the_token(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control
    control.fault("status", vendor="digits", tenant=business(ledger_app), status=503)
    there = control.tokens(vendor="digits", tenants=["Harbour Street Advisers"])["access_token"]
    assert ledger_app.ask("GET", "company").status_code == 503
    assert LedgerApp(ledger_app.sandbox, there).ask("GET", "company").status_code == 200
    assert control.calls(vendor="digits", path="company")[0]["tenant"] == business(ledger_app)


@pytest.mark.parametrize(
    ("asked", "told"),
    [({}, 60), ({"retry_after": "7"}, 7), ({"retry_after": "absent"}, None), ({"retry_after": "garbage"}, str)],
)
def test_the_fault_of_too_many_calls_is_the_documented_answer(
    ledger_app: LedgerApp, asked: dict[str, str], told: Any
) -> None:
    ledger_app.sandbox.control.fault("rate_limited", vendor="digits", **asked)
    answer = ledger_app.ask("GET", "company")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    wait = answer.json()["error"]["details"].get("retry_after")
    assert isinstance(wait, str) if told is str else wait == told


def test_the_vendors_own_faults_are_acted_out(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control

    def with_fault(kind: str, **values: Any) -> requests.Response:
        control.clear_faults()
        control.fault(kind, vendor="digits", path="v1/", **values)
        return ledger_app.ask("GET", f"{PARTIES}?limit=2")

    assert with_fault("token_expired").status_code == 401
    assert with_fault("revoked").status_code == 401
    assert with_fault("revoked", status=403).status_code == 403
    refused = with_fault("business_error", message="Not today")
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "Not today")
    assert with_fault("empty_list").json() == {"parties": [], "next": {"cursor": "", "more": False}}
    page = with_fault("repeat_page").json()
    again = ledger_app.get(f"{PARTIES}?limit=2&cursor={page['next']['cursor']}")
    assert (page["next"]["more"], again) == (True, page)


@pytest.mark.parametrize("kind", ["html", "empty", "malformed_json", "nan_json", "truncated", "bom", "deep_json"])
def test_garbage_comes_as_ordered(ledger_app: LedgerApp, kind: str) -> None:
    ledger_app.sandbox.control.fault("garbage", vendor="digits", garbage=kind)
    answer = ledger_app.ask("GET", PARTIES)
    assert answer.status_code == 200
    assert '"next"' not in answer.text or kind == "bom"


def test_stale_reads_miss_what_happened_in_the_last_seconds(ledger_app: LedgerApp) -> None:
    there = ledger_app.sandbox.control.at("digits/clients")
    name, party = next(iter(ledger_app.parties().items()))
    made = there.create("Made Just Now Ltd")
    there.rename(party["id"], "Renamed Just Now Ltd")
    ledger_app.sandbox.control.fault("stale", vendor="digits", seconds=60)
    before = ledger_app.parties()
    assert name in before and "Renamed Just Now Ltd" not in before and "Made Just Now Ltd" not in before
    assert ledger_app.ask("GET", f"ledger/party/{made['uuid']}").status_code == 404
    ledger_app.sandbox.control.clock(advance_seconds=61)
    after = ledger_app.parties()
    assert name not in after and {"Renamed Just Now Ltd", "Made Just Now Ltd"} <= set(after)


def test_people_there_make_change_and_delete_parties(ledger_app: LedgerApp) -> None:
    there = ledger_app.sandbox.control.at("digits/clients")
    made = there.create("Quay Cafe Ltd", email="a@quay.example", uuid="0f6c1a52-5f0f-4f5b-9d57-0a9f3a6b1c11")
    assert ledger_app.parties()["Quay Cafe Ltd"]["id"] == made["uuid"]
    there.change(made["uuid"], email="b@quay.example", extra={"terms": 20})
    seen = ledger_app.get(f"ledger/party/{made['uuid']}")["party"]
    assert (seen["email"], seen["terms"]) == ("b@quay.example", 20)
    there.archive(made["uuid"])
    assert "Quay Cafe Ltd" not in ledger_app.parties()
    there.ask("POST", f"digits/clients/{made['uuid']}/unarchive")
    assert "Quay Cafe Ltd" in ledger_app.parties()
    there.delete(made["uuid"])
    assert there.client(made["uuid"])["deleted"] is True
    assert ledger_app.ask("GET", f"ledger/party/{made['uuid']}").status_code == 404
    assert there.create("Another Cafe", uuid=made["uuid"])["uuid"] == made["uuid"]
    with pytest.raises(Exception, match="409"):
        there.create("A Third Cafe", uuid=made["uuid"])


def test_two_parties_typed_in_under_one_name_stay_two(ledger_app: LedgerApp) -> None:
    there = ledger_app.sandbox.control.at("digits/clients")
    one, two = there.create("Twin Ltd"), there.create("Twin Ltd")
    assert one["uuid"] != two["uuid"]
    assert [party["uuid"] for party in there.clients("twin ltd")] == [one["uuid"], two["uuid"]]


def test_a_merged_party_is_gone_or_answers_as_the_survivor(ledger_app: LedgerApp) -> None:
    there = ledger_app.sandbox.control.at("digits/clients")
    loser, survivor = there.create("Old Name Ltd", email="old@x.example"), there.create("New Name Ltd")
    after = there.merge(loser["uuid"], survivor["uuid"])
    assert (after["name"], after["fields"]["email"]) == ("New Name Ltd", "old@x.example")
    assert there.client(loser["uuid"])["merged_into"] == survivor["uuid"]
    assert "Old Name Ltd" not in ledger_app.parties()
    assert ledger_app.ask("GET", f"ledger/party/{loser['uuid']}").status_code == 404
    ledger_app.sandbox.control.state(digits_merged_party="survivor")
    assert ledger_app.get(f"ledger/party/{loser['uuid']}")["party"]["id"] == survivor["uuid"]


def test_a_deleted_party_comes_back_with_the_apps_next_transaction(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    (made,) = ledger_app.write({"externalId": "c", "name": "Comes Back Ltd"})
    ledger_app.bill("c")
    ledger_app.sandbox.control.at("digits/clients").delete(made["digitsId"])
    assert "Comes Back Ltd" not in ledger_app.parties()
    ledger_app.bill("c", "inv-2")
    assert ledger_app.parties()["Comes Back Ltd"]["id"] == made["digitsId"]


def test_some_parties_change_and_it_is_told_which(ledger_app: LedgerApp) -> None:
    changes = ledger_app.sandbox.control.at("digits/clients").change_some(4, seed=3)
    assert len({change["uuid"] for change in changes}) == 4
    by_id = {party["id"]: party for party in ledger_app.parties().values()}
    assert all(by_id[change["uuid"]]["email"] == change["new"] != change["old"] for change in changes)


def test_a_person_can_search_add_change_and_delete_in_the_browser(ledger_app: LedgerApp) -> None:
    root, session = ledger_app.sandbox.url, requests.Session()
    assert "Open Marlow &amp; Co" in session.get(f"{root}/", timeout=10).text
    page = session.post(f"{root}/digits-parties", data={"name": "By Hand <b>", "email": "x@y.example"}, timeout=10)
    assert "By Hand &lt;b&gt;" in page.text
    assert "By Hand &lt;b&gt;" in session.get(f"{root}/digits-parties?q=by+hand", timeout=10).text
    there = page.url.split("?")[0]
    changed = session.post(there, data={"name": "By Hand", "email": "z@y.example"}, timeout=10)
    assert 'value="z@y.example"' in changed.text
    unused = session.post(f"{there}/state", data={"do": "archive"}, timeout=10).text
    assert "without transactions" in unused and "Add a transaction" in unused
    assert ", deleted" in session.post(f"{there}/state", data={"do": "delete"}, timeout=10).text
    assert "<script" not in unused and "style=" not in unused


def test_exactly_so_many_are_loaded_and_all_of_them_are_listed(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control
    for count in (0, 1, 350):
        control.limits(clear_usage=True)
        assert control.load(count, vendor="digits")["clients"] == count
        assert len(ledger_app.parties()) == count
        holds = next(one["counts"] for one in control.tenants() if one["vendor"] == "digits")
        assert (holds["parties"], holds["parties without transactions"]) == (count, 0)


def test_ten_thousand_parties_are_read_in_a_hundred_quick_pages(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control
    control.load(10_000, vendor="digits")
    control.limits(minute=1000, app_minute=1000)
    assert len(ledger_app.parties()) == 10_000
    calls = control.calls(vendor="digits", path=PARTIES)
    assert len(calls) == 100
    assert sorted(call["duration_ms"] for call in calls)[90] < 60
