"""One act for many clients: the question before, each result after, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jobs import client_bulk_runs, queue
from portal.db import db
from portal.domain import client_bulk, clients
from portal.domain.apps import Outcome, PushState
from portal.domain.client_bulk import BulkAct, BulkRun, BulkState, ItemState
from portal.domain.clients import Client, ClientStatus
from tests.cast import make_client, make_connection, make_link, make_user, now, person


@pytest.fixture
def background(app) -> Iterator[None]:
    """Background work has an app to run in, and is over before the test is."""
    queue.use(app)
    yield
    queue.finish()


def make_some(count: int = 3) -> list[int]:
    return [make_client(f"Acme {number}").id for number in range(count)]


class TestActingOnMany:
    def test_the_question_names_how_many_and_what_it_means(self, story, sign_in_as) -> None:
        with story():
            ids = make_some(7)
        page = sign_in_as("member").get("/clients/bulk", query={"act": "archive", "id": ids})
        assert page.h1 == "Archive 7 clients"
        assert "Acme 0, Acme 1, Acme 2, Acme 3, Acme 4 and 2 others" in page.text
        assert "Nothing is archived or changed in any connected app" in page.text

    def test_archiving_tells_each_result_and_can_be_undone(self, story, sign_in_as) -> None:
        """CL-06, CL-08, CL-15."""
        with story():
            ids = make_some()
            clients.archive(db.session.get_one(Client, ids[1]), by=clients_actor(), now=now())
        browser = sign_in_as("member")
        page = browser.get("/clients/bulk", query={"act": "archive", "id": ids}).submit("Archive 3 clients")
        assert page.h1 == "Archive 3 clients"
        assert page.said.startswith("2 clients archived here, 1 had nothing to do.")
        assert "Was archived already." in page.text
        assert listed_results(page.click("Nothing to do 1")) == ["Acme 1"]
        with story():
            assert [db.session.get_one(Client, one).is_archived for one in ids] == [True, True, True]
        undone = page.submit("Undo")
        assert undone.h1 == "Undo: Unarchive 2 clients"
        with story():
            assert [db.session.get_one(Client, one).is_archived for one in ids] == [False, True, False]
            assert db.session.get_one(Client, ids[0]).status == ClientStatus.LEAD
        assert "undone by Bob Tamihana" in browser.get(page.path).text
        assert "Undo" not in browser.get(page.path).buttons()

    def test_assigning_a_manager_is_undone_only_where_nobody_changed_it_since(self, story, sign_in_as) -> None:
        with story():
            bob, sue, ann = person("member"), person("support"), make_user("Ann", "ann@x.example")
            ids = make_some()
            db.session.get_one(Client, ids[0]).manager_id = sue.id
            db.session.get_one(Client, ids[2]).manager_id = bob.id
            bob_id, sue_id, ann_id = bob.id, sue.id, ann.id
        browser = sign_in_as("member")
        question = browser.get("/clients/bulk", query={"act": "manager", "id": ids})
        page = question.submit("Assign manager for 3 clients", value=str(bob_id))
        assert page.said.startswith("2 clients assigned, 1 had nothing to do.")
        with story():
            assert {db.session.get_one(Client, one).manager_id for one in ids} == {bob_id}
            assert db.session.get_one(Client, ids[0]).origins["manager"]["from"] == "Bob Tamihana"
            clients.edit(db.session.get_one(Client, ids[1]), {"manager_id": ann_id}, by=clients_actor(), now=now())
        page = page.submit("Undo")
        assert "Somebody has changed it since; left as it is." in page.text
        with story():
            assert [db.session.get_one(Client, one).manager_id for one in ids] == [sue_id, ann_id, bob_id]

    def test_a_manager_has_to_be_chosen_and_to_be_of_the_team(self, story, sign_in_as) -> None:
        """Fault row 107."""
        with story():
            ids = make_some(1)
            gone = make_user("Gone", "gone@x.example", is_active=False).id
        browser = sign_in_as("member")
        for value in ("", str(gone), "99", "x"):
            page = browser.post("/clients/bulk", act="manager", ids=str(ids[0]), value=value)
            assert page.status == 422
            assert "Choose who is to be the manager, or nobody." in page.text
        more = {"by_id": "1", "state": "done", "undoes_id": "7", "total": "9"}
        browser.post("/clients/bulk", act="manager", ids=str(ids[0]), value="none", **more)
        with story():
            assert db.session.query(BulkRun).count() == 1

    def test_all_that_match_are_meant_with_the_filters_of_the_list(self, story, sign_in_as) -> None:
        with story():
            for number in range(60):
                make_client(f"Acme {number}", status=ClientStatus.ACTIVE if number % 2 else ClientStatus.LEAD)
        browser = sign_in_as("member")
        form = browser.get("/clients?status=active&q=acme")
        question = form.browser.get("/clients/bulk?all=yes&act=archive&status=active&q=acme")
        assert question.h1 == "Archive 30 clients"
        page = question.submit("Archive 30 clients")
        assert page.said.startswith("30 clients archived here.")
        assert "30 clients" in browser.get("/clients").text

    def test_when_the_list_has_changed_meanwhile_it_asks_again(self, story, sign_in_as) -> None:
        with story():
            make_some(2)
        browser = sign_in_as("member")
        question = browser.get("/clients/bulk?all=yes&act=archive&q=acme")
        with story():
            make_client("Acme 9")
        again = question.submit("Archive 2 clients")
        assert again.status == 422
        assert "The list has changed since you asked" in again.text
        assert again.submit("Archive 3 clients").said.startswith("3 clients archived here.")

    def test_a_form_sent_twice_acts_once(self, story, sign_in_as) -> None:
        with story():
            ids = make_some(2)
        browser = sign_in_as("member")
        question = browser.get("/clients/bulk", query={"act": "archive", "id": ids})
        first, second = question.submit("Archive 2 clients"), question.submit("Archive 2 clients")
        assert first.path == second.path
        with story():
            assert db.session.query(BulkRun).count() == 1

    @pytest.mark.parametrize("ids", ["", "0", "x,-1,99999999999999999999", "424242"])
    def test_choosing_nobody_is_said_and_does_nothing(self, ids: str, story, sign_in_as) -> None:
        with story():
            make_some(1)
        page = sign_in_as("member").post("/clients/bulk", act="archive", ids=ids)
        assert "None of the clients you chose is here any more. Nothing was changed." in page.said
        assert "No client was chosen" in sign_in_as("member").get("/clients/bulk?act=archive").text

    def test_an_act_that_is_none_is_not_found(self, story, sign_in_as) -> None:
        assert sign_in_as().get("/clients/bulk?act=delete&id=1").status == 404
        assert sign_in_as().post("/clients/bulk", act="", ids="1").status == 404
        assert sign_in_as().get("/clients/bulk/77").status == 404

    def test_one_client_in_trouble_costs_no_other_its_turn(
        self, story, sign_in_as, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """CL-15."""
        with story():
            ids = make_some()
        really = clients.archive

        def archive(client: Client, **more: Any) -> bool:
            if client.name == "Acme 1":
                client.name = "half done"
                raise RuntimeError("no")
            return really(client, **more)

        monkeypatch.setattr(clients, "archive", archive)
        page = sign_in_as("member").post("/clients/bulk", act="archive", ids=",".join(map(str, ids)))
        assert "2 clients archived here, 1 failed" in page.said
        failed = page.click("Failed 1")
        assert listed_results(failed) == ["Acme 1"]
        assert "Something unexpected happened; nothing was changed for this client." in failed.text
        with story():
            assert db.session.get_one(Client, ids[1]).name == "Acme 1"

    def test_many_are_done_in_the_background_and_the_page_tells_how_far_it_is(
        self, story, sign_in_as, background, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client_bulk_runs, "AT_ONCE", 2)
        monkeypatch.setattr(queue, "submit", lambda *work: None)
        with story():
            ids = make_some(4)
        browser = sign_in_as("member")
        page = browser.post("/clients/bulk", act="archive", ids=",".join(map(str, ids)))
        assert "0 of 4 clients" in page.text
        results = page.find("//*[@id='results']")
        assert results.get("hx-trigger") == "load delay:1s"
        with story():
            client_bulk_runs.work(int(page.path.rsplit("/", 1)[1]))
        over = browser.get(results.get("hx-get"), block="results")
        assert over.find("//*[@id='results']").get("hx-trigger") is None
        assert listed_results(over) == ["Acme 0", "Acme 1", "Acme 2", "Acme 3"]

    def test_a_run_can_be_stopped_and_keeps_what_was_done(self, story, sign_in_as, background) -> None:
        with story():
            run = client_bulk.request(BulkAct.ARCHIVE, make_some(3), by=clients_actor(), now=now())
            client_bulk.take(run.id, "another process", now())
            client_bulk.carry_out(run, client_bulk.next_item(run), by=run.by, now=now())
            run_id = run.id
        page = sign_in_as("member").get(f"/clients/bulk/{run_id}").submit("Stop")
        assert "It stops after the client in hand." in page.said
        with story():
            run = client_bulk.get(run_id)
            run.lease_by = run.lease_until = None
        with story():
            client_bulk_runs.work(run_id)
        page = sign_in_as("member").get(f"/clients/bulk/{run_id}")
        assert "It was stopped before the end" in page.text
        assert listed_results(page.click("Waiting 2")) == ["Acme 1", "Acme 2"]

    def test_a_run_whose_process_ended_is_taken_up_again(self, story, sign_in_as, background, clock) -> None:
        with story():
            run = client_bulk.request(BulkAct.ARCHIVE, make_some(3), by=clients_actor(), now=now())
            client_bulk.take(run.id, "a process that dies", now())
            client_bulk.carry_out(run, client_bulk.next_item(run), by=run.by, now=now())
            run_id = run.id
        with story():
            assert client_bulk_runs.go_on(now()) == 0, "its holder may still be at it"
        clock.shift(client_bulk.LEASE + timedelta(seconds=1))
        assert "The work has stopped" in sign_in_as("member").get(f"/clients/bulk/{run_id}").text
        with story():
            assert client_bulk_runs.go_on(now()) == 1
        queue.finish()
        with story():
            run = client_bulk.get(run_id)
            assert (run.state, run.done, run.failed) == (BulkState.DONE, 3, 0)

    def test_a_sync_says_for_each_client_what_came_of_it(
        self, story, sign_in_as, background, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with story():
            connection = make_connection()
            ids = make_some(4)
            for client_id in ids[:3]:
                make_link(db.session.get_one(Client, client_id), connection)
        answers = iter([Outcome.PUSHED, Outcome.UNCHANGED, Outcome.FAILED])

        def send(link_id: int, **_more: Any) -> Outcome:
            from portal.domain.apps import ClientLink

            outcome = next(answers)
            link = db.session.get_one(ClientLink, link_id)
            link.push_state = PushState.FAILED if outcome == Outcome.FAILED else PushState.NONE
            link.push_error = "XPM did not accept the phone number." if outcome == Outcome.FAILED else ""
            db.session.commit()
            return outcome

        monkeypatch.setattr("portal.sync.send", send)
        page = sign_in_as("support").post("/clients/bulk", act="sync", ids=",".join(map(str, ids)))
        queue.finish()
        page = page.browser.get(page.path)
        rows = [" ".join(row.text_content().split()) for row in page.all("//tbody/tr")]
        assert rows == [
            "Acme 0 Done Sent to XPM.",
            "Acme 1 Nothing to do In step with XPM already.",
            "Acme 2 Failed XPM: XPM did not accept the phone number.",
            "Acme 3 Nothing to do Linked to no app.",
        ]
        assert "Undo" not in page.buttons()

    def test_results_of_many_come_in_pages(self, story, sign_in_as) -> None:
        with story():
            ids = make_some(120)
        page = sign_in_as("member").post("/clients/bulk", act="archive", ids=",".join(map(str, ids)))
        second = page.click("Next")
        third = second.click("Next")
        assert len(listed_results(page) + listed_results(second) + listed_results(third)) == 120
        assert listed_results(third.click("Previous")) == listed_results(second)
        assert listed_results(second.click("Previous")) == listed_results(page)


def clients_actor() -> Any:
    from portal.domain.activity import Actor

    return Actor.person(person("admin"))


def listed_results(page: Any) -> list[str]:
    return [one.text_content() for one in page.all("//table//tbody//tr/td[1]/a")]


def test_every_result_an_item_can_have_has_its_words() -> None:
    from portal.web.clients.bulk import HEADINGS, QUESTIONS, RESULTS

    assert set(RESULTS) == set(ItemState)
    assert set(QUESTIONS) == set(HEADINGS) == set(BulkAct)
