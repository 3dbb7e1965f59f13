"""Working inside XPM behind the portal's back, by JSON and by form."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from portal.sandbox.client import ControlError
from portal.sandbox.server import Running
from tests.sandbox.practice import Practice


def uuid_of_first(practice: Practice) -> str:
    return str(practice.first().findtext("UUID"))


def seen(practice: Practice, uuid: str, path: str) -> str | None:
    return practice.xml("GET", f"client.api/get/{uuid}").findtext(f"Client/{path}")


def test_a_client_typed_in_at_the_practice_arrives_by_the_api(practice: Practice) -> None:
    made = practice.sandbox.control.create(
        "Typed Ltd", phone="09 1", manager="Sam Lee", contacts=[{"name": "Ann", "is_primary": True}]
    )
    assert seen(practice, made["uuid"], "Name") == "Typed Ltd"
    assert seen(practice, made["uuid"], "AccountManager/Name") == "Sam Lee"
    assert seen(practice, made["uuid"], "Contacts/Contact/IsPrimary") == "Yes"


def test_any_field_may_hold_what_the_api_would_refuse(practice: Practice) -> None:
    uuid = uuid_of_first(practice)
    practice.sandbox.control.change(
        uuid, BusinessStructure="Look-through coven", balancemonth="Smarch", Extra={"Surprise": "new element"}
    )
    assert seen(practice, uuid, "BusinessStructure") == "Look-through coven"
    assert seen(practice, uuid, "Surprise") == "new element"
    practice.sandbox.control.change(uuid, manager={"UUID": "gone", "Name": "Left Long Ago"}, email=None)
    assert seen(practice, uuid, "AccountManager/Name") == "Left Long Ago"
    assert seen(practice, uuid, "Email") is None


def test_renaming_archiving_and_deleting_show_at_once(practice: Practice) -> None:
    uuid, control = uuid_of_first(practice), practice.sandbox.control
    control.rename(uuid, "Another Name Ltd")
    control.archive(uuid)
    control.delete(uuid)
    assert [seen(practice, uuid, tag) for tag in ("Name", "IsArchived", "IsDeleted")] == [
        "Another Name Ltd", "Yes", "Yes",
    ]  # fmt: skip
    control.ask("POST", f"clients/{uuid}/unarchive", {})
    control.ask("POST", f"clients/{uuid}/undelete", {})
    assert [seen(practice, uuid, tag) for tag in ("IsArchived", "IsDeleted")] == ["No", "No"]


def test_merging_leaves_the_loser_deleted_and_moves_its_people(practice: Practice) -> None:
    loser, survivor = practice.clients()[:2]
    uuid, into = str(loser.findtext("UUID")), str(survivor.findtext("UUID"))
    people = {person.findtext("Name") for person in loser.findall("Contacts/Contact")}
    assert people
    practice.sandbox.control.merge(uuid, into)
    assert [seen(practice, uuid, tag) for tag in ("IsArchived", "IsDeleted")] == ["Yes", "Yes"]
    root = practice.xml("GET", f"client.api/get/{into}")
    assert people <= {person.findtext("Name") for person in root.findall("Client/Contacts/Contact")}
    assert practice.sandbox.control.client(uuid)["merged_into"] == into
    with pytest.raises(ControlError, match="400"):
        practice.sandbox.control.merge(into, into)


def test_an_identifier_may_come_back_after_its_client_was_deleted(practice: Practice) -> None:
    uuid, control = uuid_of_first(practice), practice.sandbox.control
    with pytest.raises(ControlError, match="409"):
        control.create("Second Life Ltd", uuid=uuid)
    control.delete(uuid)
    control.create("Second Life Ltd", uuid=uuid)
    assert seen(practice, uuid, "Name") == "Second Life Ltd"
    assert len(practice.clients()) == 40


def test_contacts_change_on_the_other_side(practice: Practice) -> None:
    uuid, control = uuid_of_first(practice), practice.sandbox.control
    person = control.add_contact(uuid, name="New Person", position="Director", is_primary=True)["contacts"][-1]
    control.ask("PATCH", f"clients/{uuid}/contacts/{person['uuid']}", {"mobile": "021 555 0000", "position": "Owner"})
    shown = {c["uuid"]: c for c in control.client(uuid)["contacts"]}[person["uuid"]]
    assert (shown["mobile"], shown["position"], shown["is_primary"]) == ("021 555 0000", "Owner", True)
    control.ask("DELETE", f"clients/{uuid}/contacts/{person['uuid']}")
    assert person["uuid"] not in {c["uuid"] for c in control.client(uuid)["contacts"]}


def test_some_random_changes_are_told_and_can_be_repeated(practice: Practice) -> None:
    practice.sandbox.box.clock.advance(60)
    since = practice.sandbox.box.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    changes = practice.sandbox.control.change_some(8, seed=3)
    assert len({change["uuid"] for change in changes}) == 8
    assert all(change["old"] != change["new"] for change in changes)
    assert {c.findtext("UUID") for c in practice.clients(f"?modifiedsince={since}")} == {c["uuid"] for c in changes}
    practice.sandbox.control.reset(clients=40)
    assert [c["uuid"] for c in practice.sandbox.control.change_some(8, seed=3)] == [c["uuid"] for c in changes]


def test_loading_replaces_one_practice_and_leaves_the_other(practice: Practice) -> None:
    control = practice.sandbox.control
    before = {t["name"]: t["counts"].get("clients") for t in control.tenants() if t["vendor"] == "xpm"}
    assert control.load(75, seed=1)["clients"] == 75
    after = {t["name"]: t["counts"].get("clients") for t in control.tenants() if t["vendor"] == "xpm"}
    assert (before["Marlow & Co"], after["Marlow & Co"]) == (40, 75)
    assert after["Harbour Street Advisers"] == before["Harbour Street Advisers"]
    assert len(practice.clients()) == 75


def test_wrong_requests_are_explained(sandbox: Running) -> None:
    for method, path, values in (
        ("POST", "state", {"no_such_switch": True}), ("POST", "state", {"last_page_next": "sideways"}),
        ("POST", "state", {"gzip": "yes"}), ("POST", "limits", {"hour": 3}), ("POST", "load", {"vendor": "nobody"}),
        ("POST", "clock", {"set": "soon"}), ("PATCH", "clients/none", {"name": "x"}), ("POST", "clients", {}),
    ):  # fmt: skip
        with pytest.raises(ControlError, match=r"^40[04]: .*error"):
            sandbox.control.ask(method, path, values)


def test_switches_are_listed_with_what_they_decide(sandbox: Running) -> None:
    found = sandbox.control.ask("GET", "state")
    assert found["switches"]["update_clears_omitted"] is False
    assert set(found["about"]) == set(found["switches"])


def test_controls_refuse_pages_of_other_sites_and_other_names(sandbox: Running) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        answer = requests.post(f"{sandbox.url}/control/reset", headers=headers, timeout=5)
        assert answer.status_code == 403
        assert requests.get(sandbox.url, headers=headers, timeout=5).status_code == 403


def test_controls_answer_this_machine_only(sandbox: Running) -> None:
    from portal.sandbox.server import create_app

    client = create_app(sandbox.box).test_client()
    here: Any = {"REMOTE_ADDR": "127.0.0.1"}
    away: Any = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/control/healthz", environ_overrides=here).status_code == 200
    assert client.get("/control/healthz", environ_overrides=away).status_code == 403


def get(sandbox: Running, path: str) -> str:
    answer = requests.get(sandbox.url + path, timeout=10)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", answer.text)
    labels = len(re.findall("<label", answer.text))
    fields = re.findall(r"<(?:input|select)\b(?![^>]*type=\"hidden\")", answer.text)
    assert labels == len(fields), "every field has its label"
    return answer.text


def post(sandbox: Running, where: str, **form: str) -> requests.Response:
    answer = requests.post(sandbox.url + where, form, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer


def test_the_page_shows_accounts_faults_and_calls(practice: Practice) -> None:
    practice.clients()
    sandbox = practice.sandbox
    page = get(sandbox, "/")
    assert "40 clients" in page
    assert "client.api/list" in page
    assert "Nothing goes wrong at the moment" in page
    assert "accept_then_status" in post(
        sandbox, "/faults", fault="Does it, then answers 500", vendor="xpm", path="client.api/add", times="1"
    ).text  # fmt: skip
    assert practice.ask("POST", "client.api/add", "<Client><Name>By form</Name></Client>").status_code == 500
    post(sandbox, "/faults/clear")
    assert "50 clients" in post(sandbox, "/load", tenant=practice.tenant, clients="50", seed="2").text
    post(sandbox, "/calls/clear")
    assert sandbox.control.calls() == []
    assert "40 clients" in post(sandbox, "/reset").text


def test_a_client_is_searched_added_and_edited_by_form(practice: Practice) -> None:
    sandbox = practice.sandbox
    added = post(sandbox, "/clients", Name="<b>Formal & Co</b>", Phone="09 1", Address="1 Quay Street")
    assert "&lt;b&gt;Formal &amp; Co&lt;/b&gt;" in added.text
    (client,) = sandbox.control.clients("formal")
    assert f"/clients/{client['uuid']}" in get(sandbox, "/clients?q=formal")
    page = f"/clients/{client['uuid']}"
    post(sandbox, page, Name="Formal & Co", Phone="09 2", manager="Priya Sharma")
    post(sandbox, f"{page}/contacts", name="Ann", email="ann@formal.example")
    person = sandbox.control.client(client["uuid"])["contacts"][0]
    post(sandbox, f"{page}/contacts/{person['uuid']}", name="Ann Two", do="save")
    post(sandbox, f"{page}/state", do="archive")
    get(sandbox, page)
    after = sandbox.control.client(client["uuid"])
    assert (after["name"], after["fields"]["Phone"], after["archived"]) == ("Formal & Co", "09 2", True)
    assert after["fields"]["AccountManager"]["Name"] == "Priya Sharma"
    assert after["contacts"][0]["name"] == "Ann Two"
    post(sandbox, page, Name="Formal & Co", manager="(unchanged)")
    assert sandbox.control.client(client["uuid"])["fields"]["AccountManager"]["Name"] == "Priya Sharma"
    into = uuid_of_first(practice)
    post(sandbox, f"{page}/state", do="merge", into=into)
    assert sandbox.control.client(client["uuid"])["merged_into"] == into


def test_a_form_that_makes_no_sense_is_answered_by_a_page(sandbox: Running) -> None:
    answer = requests.post(f"{sandbox.url}/clients", {"Name": ""}, timeout=5)
    assert answer.status_code == 400
    assert "A client needs a name." in answer.text
