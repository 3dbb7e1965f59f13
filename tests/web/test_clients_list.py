"""The list of clients as people use it: searching, filtering, exporting."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from portal.db import db
from portal.domain import clients
from portal.domain.apps import PushState
from portal.domain.clients import ClientStatus, SyncState
from tests.cast import make_client, make_connection, make_link, make_user, now, person

HOSTILE = "<script>alert(1)</script> \" hx-get=/x ' =cmd() \u202eevil\u202c"


def listed(page: Any) -> list[str]:
    return [one.text_content() for one in page.all("//table//tbody//tr/td[2]/a")]


class TestTheList:
    def test_a_row_says_what_one_looks_for(self, story, sign_in_as) -> None:
        with story():
            bob = person("member")
            client = make_client("Harbour Cafés", manager_id=bob.id, status=ClientStatus.ACTIVE)
            make_link(client, make_connection(), push_state=PushState.FAILED)
            client.sync_state = SyncState.FAILED
            number = client.id
        page = sign_in_as("member").get("/clients")
        assert page.h1 == "Clients"
        row = page.find("//tbody/tr")
        assert [" ".join(cell.text_content().split()) for cell in row.xpath("td")][1:] == [
            "Harbour Cafés", "Active", "Bob Tamihana", "XPM", "not synced", "just now",
        ]  # fmt: skip
        assert row.xpath("td[2]/a/@href") == [f"/clients/{number}"]
        assert row.xpath(".//i/@title") == ["not synced"]
        assert "1 client" in page.text

    def test_without_clients_it_says_how_they_come_in(self, story, sign_in_as) -> None:
        with story():
            person("admin")
        page = sign_in_as("admin").get("/clients")
        assert "No clients yet" in page.text
        assert {"Connect an app", "Import a CSV file", "New client"} <= set(page.links())
        assert "Connect an app" not in sign_in_as("member").get("/clients").links()

    def test_when_nothing_matches_one_can_look_everywhere_or_clear_the_filters(self, story, sign_in_as) -> None:
        with story():
            make_client("Acme", archived_at=now(), status=ClientStatus.ARCHIVED)
            make_client("Beta")
        page = sign_in_as().get("/clients?q=acme")
        assert "No client matches" in page.text
        assert listed(page.click("Search everything, archived too")) == ["Acme"]
        assert listed(page.click("Clear the filters")) == ["Beta"]

    def test_the_form_works_without_scripts_and_filters_stay_in_the_address(self, story, sign_in_as) -> None:
        with story():
            make_client("Acme", status=ClientStatus.ACTIVE)
            make_client("Acme Lead")
        page = sign_in_as().get("/clients").submit("Show", q="acme", status="active")
        assert listed(page) == ["Acme"]
        assert page.find("//select[@name='status']/option[@selected]").get("value") == "active"
        assert page.find("//form[@id='narrow']//input[@name='q']").get("value") == "acme"
        assert listed(page.click("Active")) == ["Acme", "Acme Lead"], "a chip takes its filter away"

    def test_typing_brings_the_rows_alone_and_the_address_follows(self, story, sign_in_as) -> None:
        with story():
            make_client("Acme")
        page = sign_in_as().get("/clients?q=ac&status=&manager=", block="rows")
        assert not page.is_whole
        assert page.headers["HX-Replace-Url"] == "/clients?q=ac"
        assert listed(page) == ["Acme"]

    def test_next_and_previous_lead_through_everyone(self, story, sign_in_as) -> None:
        with story():
            for number in range(120):
                make_client(f"Client {number:03}")
        first = sign_in_as().get("/clients")
        second = first.click("Next")
        third = second.click("Next")
        assert [len(listed(page)) for page in (first, second, third)] == [50, 50, 20]
        assert listed(third)[-1] == "Client 119"
        assert "Next" not in third.links()
        assert listed(third.click("Previous")) == listed(second)
        assert listed(second.click("Previous")) == listed(first)

    def test_a_column_sorts_one_way_and_then_the_other(self, story, sign_in_as) -> None:
        with story():
            make_client("Old", changed_at=now() - timedelta(days=2))
            make_client("New")
        page = sign_in_as().get("/clients")
        assert listed(page.click("Changed")) == ["New", "Old"]
        assert listed(page.click("Changed").click("Changed")) == ["Old", "New"]
        assert page.find("//th[@aria-sort]").text_content() == "Name"

    @pytest.mark.parametrize(
        "query",
        ["after=x", "after=%00~1", "before=~~~", "after=a~1&before=b~2", "sort=manager&after=x~y~3",
         "sort=-changed&after=x~3", "q=%00", "q=%ff%fe", "manager=9999", "group=7", "app=not-7",
         "status=x&sync=y&sort=z", "manager=none&partner=none", "q=" + "a" * 500, "after=" + "b" * 900,
         "status=lead&status=active"],
    )  # fmt: skip
    def test_no_address_breaks_the_page(self, query: str, story, sign_in_as) -> None:
        with story():
            make_client("Acme")
        assert sign_in_as().get(f"/clients?{query}").status == 200

    def test_what_a_person_or_an_app_wrote_is_shown_and_never_run(self, story, sign_in_as) -> None:
        """Fault rows 84, 102 and 103."""
        with story():
            user = make_user(HOSTILE, "h@x.example")
            connection = make_connection(account_name=HOSTILE)
            make_connection(account_name="Another")
            client = make_client(HOSTILE, manager_id=user.id)
            make_link(client, connection)
            group = clients.Group(connection_id=connection.id, remote_id="g", name=HOSTILE)
            db.session.add(group)
            db.session.flush()
            db.session.add(clients.ClientGroup(client_id=client.id, group_id=group.id))
        page = sign_in_as().get("/clients", query={"q": HOSTILE[:60], "group": "1", "manager": "1"})
        page = page if listed(page) else sign_in_as().get("/clients")
        assert listed(page) == [HOSTILE]
        assert not page.all("//script[not(@src)]")
        assert page.all("//*[@hx-get]/@hx-get") == ["/clients", "/clients"]
        assert page.find("//tbody//a").get("dir") == "auto", "a name that turns the direction stays in its place"
        assert page.find("//tbody//small").get("dir") == "auto"

    def test_a_name_of_ten_thousand_characters_is_shown_whole(self, story, sign_in_as) -> None:
        """Fault row 84."""
        with story():
            make_client("Ngata " * 1700)
        assert listed(sign_in_as().get("/clients")) == ["Ngata " * 1700]

    def test_fifty_rows_and_everything_around_them_stay_light(self, story, sign_in_as) -> None:
        with story():
            connection = make_connection()
            for number in range(60):
                client = make_client(f"Harbour Plumbing {number} Limited", status=ClientStatus.ACTIVE)
                make_link(client, connection)
        browser = sign_in_as()
        assert len(browser.get("/clients", block="rows").body.encode()) < 15_000
        assert len(browser.get("/clients").body.encode()) < 22_000

    def test_support_sees_the_list_and_can_only_bring_clients_in_step(self, story, sign_in_as) -> None:
        with story():
            make_client("Acme")
        page = sign_in_as("support").get("/clients")
        assert [one for one in page.buttons() if one in ("Archive", "Assign manager", "Sync")] == ["Sync"]
        assert sign_in_as("support").get("/clients/bulk?act=archive&id=1").status == 403


class TestTheExport:
    def test_it_holds_what_the_list_shows(self, story, sign_in_as, caplog: pytest.LogCaptureFixture) -> None:
        with story():
            make_client("=Acme", contacts=[{"name": "Zoë"}])
            make_client("Beta")
        browser = sign_in_as("support")
        address = browser.get("/clients?q=acme").links()["Export"]
        with caplog.at_level(logging.INFO):
            answer = browser.get(address)
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="clients-2')
        lines = answer.body.split("\r\n")
        assert lines[0].startswith("\ufeffClient ID,Client Name,")
        assert [line.split(",")[1] for line in lines[1:-1]] == ["'=Acme"]
        assert "exported clients: 1 lines" in caplog.text

    def test_it_changes_nothing(self, story, sign_in_as) -> None:
        with story():
            make_client("Acme")
        assert sign_in_as().get("/clients/export.csv?status=everything&sort=-changed&app=not-1").status == 200
