"""The door before the practice manager: tokens, tenants, scopes, limits."""

from __future__ import annotations

import threading
from xml.etree import ElementTree as ET

import pytest

from tests.sandbox.practice import Practice

LIST = "client.api/list"


def tenant_named(practice: Practice, name: str) -> str:
    return str(next(t["id"] for t in practice.sandbox.control.tenants() if t["name"] == name))


def test_a_bad_token_is_refused_in_json_even_where_xml_is_spoken(practice: Practice) -> None:
    answer = practice.ask("GET", LIST, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert (body["Title"], body["Status"], body["Detail"]) == ("Unauthorized", 401, "AuthenticationUnsuccessful")
    assert body["Type"] is None
    assert body["Extensions"] == {}
    assert answer.headers["WWW-Authenticate"] == "Bearer error=invalid_token"
    assert "X-MinLimit-Remaining" not in answer.headers


@pytest.mark.parametrize("tenant", ["", "no-such-tenant", "Marlow & Co Ltd"])
def test_a_wrong_tenant_is_forbidden(practice: Practice, tenant: str) -> None:
    wanted = tenant_named(practice, tenant) if " " in tenant else tenant
    answer = practice.ask("GET", LIST, headers={"xero-tenant-id": wanted})
    assert answer.status_code == 403
    assert (answer.json()["Title"], answer.json()["Detail"]) == ("Forbidden", "AuthenticationUnsuccessful")


def test_each_practice_has_its_own_clients(practice: Practice) -> None:
    other = Practice(practice.sandbox, tenant_named(practice, "Harbour Street Advisers"), practice.token)
    mine, theirs = practice.clients(), other.clients()
    assert not {c.findtext("UUID") for c in mine} & {c.findtext("UUID") for c in theirs}
    assert other.ask("GET", f"client.api/get/{mine[0].findtext('UUID')}").status_code == 404


def test_a_disconnected_practice_is_forbidden_while_the_token_lives_on(practice: Practice) -> None:
    practice.sandbox.control.revoke("Marlow & Co")
    assert practice.ask("GET", LIST).status_code == 403
    other = tenant_named(practice, "Harbour Street Advisers")
    assert practice.ask("GET", LIST, headers={"xero-tenant-id": other}).status_code == 200


def test_a_customer_who_revokes_everything_ends_the_tokens(practice: Practice) -> None:
    practice.sandbox.control.revoke()
    assert practice.ask("GET", LIST).status_code == 401


def test_scopes_open_their_own_family_and_read_only_reads(practice: Practice) -> None:
    scopes = ["practicemanager.client.read"]
    reader = Practice(practice.sandbox, practice.tenant, practice.sandbox.control.tokens(scopes=scopes))
    assert reader.ask("GET", LIST).status_code == 200
    refused = reader.ask("POST", "client.api/add", "<Client><Name>x</Name></Client>")
    assert (refused.status_code, refused.json()["Detail"]) == (401, "AuthorizationUnsuccessful")
    assert reader.ask("GET", "staff.api/list").status_code == 401
    assert reader.ask("GET", "category.api/list").status_code == 200
    practice.sandbox.control.state(granular_reaches_lists=False)
    assert reader.ask("GET", "category.api/list").status_code == 401


def test_the_sixty_first_call_of_a_minute_is_told_how_long_to_wait(practice: Practice) -> None:
    practice.sandbox.control.limits(clear_usage=True)
    practice.sandbox.control.clock(freeze=True)
    answers = [practice.ask("GET", "jobstate.api/list") for _ in range(60)]
    assert {answer.status_code for answer in answers} == {200}
    assert [answers[0].headers["X-MinLimit-Remaining"], answers[-1].headers["X-MinLimit-Remaining"]] == ["59", "0"]
    refused = practice.ask("GET", "jobstate.api/list")
    assert (refused.status_code, refused.content) == (429, b"")
    assert "Content-Type" not in refused.headers
    assert refused.headers["X-Rate-Limit-Problem"] == "minute"
    assert refused.headers["X-MinLimit-Remaining"] == "0"
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= 60
    practice.sandbox.control.clock(advance_seconds=wait)
    assert practice.ask("GET", "jobstate.api/list").status_code == 200


def test_each_practice_has_its_own_minute(practice: Practice) -> None:
    practice.sandbox.control.limits(minute=1)
    practice.sandbox.control.clock(freeze=True)
    other = {"xero-tenant-id": tenant_named(practice, "Harbour Street Advisers")}
    assert practice.ask("GET", "jobstate.api/list").status_code == 200
    assert practice.ask("GET", "jobstate.api/list", headers=other).status_code == 200
    assert practice.ask("GET", "jobstate.api/list").status_code == 429


def test_the_day_ends_too(practice: Practice) -> None:
    practice.sandbox.control.limits(day=2, tenant="Marlow & Co")
    answers = [practice.ask("GET", "jobstate.api/list") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["X-Rate-Limit-Problem"] == "day"
    assert 60 < int(answers[-1].headers["Retry-After"]) <= 86_400
    practice.sandbox.control.clock(advance_seconds=86_400)
    practice.token = practice.sandbox.control.tokens()
    assert practice.ask("GET", "jobstate.api/list").status_code == 200


def test_a_sixth_call_at_once_is_refused_without_a_waiting_time(practice: Practice) -> None:
    practice.sandbox.control.fault("latency", seconds=0.5, path="staff.api")
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(practice.ask("GET", "staff.api/list").status_code)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    while practice.sandbox.control.limits()["used"].get(practice.tenant, {}).get("in_flight", 0) < 5:
        pass
    refused = practice.ask("GET", LIST)
    for thread in threads:
        thread.join()
    assert statuses == [200] * 5
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "concurrent")
    assert "Retry-After" not in refused.headers
    assert practice.ask("GET", LIST).status_code == 200


def test_a_slot_is_free_again_when_the_answer_is_complete(practice: Practice) -> None:
    practice.sandbox.control.limits(concurrent=1)
    for _ in range(20):
        assert practice.ask("GET", LIST).status_code == 200
    with practice.ask("GET", LIST, stream=True) as answer:
        ET.fromstring(answer.content)
    assert practice.sandbox.control.limits()["used"][practice.tenant]["in_flight"] == 0


def test_calls_are_recorded_with_what_matters(practice: Practice) -> None:
    practice.ask("GET", f"{LIST}?detailed=true", headers={"Idempotency-Key": "k-1"})
    call = practice.sandbox.control.calls(vendor="xpm")[-1]
    assert (call["method"], call["query"], call["status"]) == ("GET", "detailed=true", 200)
    assert call["path"].endswith(LIST)
    assert call["tenant"] == practice.tenant
    assert call["idempotency_key"] == "k-1"
    assert call["bytes"] > 1000
    assert call["duration_ms"] > 0


def test_the_summary_counts_by_kind_of_path(practice: Practice) -> None:
    for client in practice.clients()[:3]:
        practice.ask("GET", f"client.api/get/{client.findtext('UUID')}")
    counted = {
        (row["method"], row["path"].split("3.1/")[-1]): row["count"] for row in practice.sandbox.control.summary()
    }
    assert counted["GET", "client.api/get/{id}"] == 3
    assert counted["GET", LIST] == 1
    practice.sandbox.control.clear_calls()
    assert practice.sandbox.control.calls() == []


def test_the_vendors_clock_moves_stands_still_and_may_be_wrong(practice: Practice) -> None:
    control = practice.sandbox.control
    control.clock(set="2027-02-03T04:05:06", freeze=True)
    assert practice.ask("GET", "jobstate.api/list", headers={}).headers["Date"] == "Wed, 03 Feb 2027 04:05:06 GMT"
    control.clock(reset=True)
    assert control.clock(skew_seconds=-600)["skew_seconds"] == -600
    uuid = str(practice.first().findtext("UUID"))
    before = practice.sandbox.box.clock.milliseconds()
    assert abs(control.change(uuid, phone="1")["modified_ms"] - before) < 5000
