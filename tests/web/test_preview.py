"""The preview: the plan before the fact, ticked row by row and field by field, then applied."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from portal import sync
from portal.db import db
from portal.domain import runs
from portal.domain.apps import Connection, ConnectionState, Outcome, RunItem, RunKind, RunState, SyncRun
from tests.cast import make_client, make_connection, now, person
from tests.cast_runs import make_item, make_preview, make_record, make_run, plan_field
from tests.reading import Page

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    ids: list[int] = []
    monkeypatch.setattr(sync, "start", ids.append)
    return ids


@pytest.fixture
def url(story: Any) -> str:
    """A finished preview: Aroha to update in two fields, Acme to create, ACME Ltd a near match."""
    with story():
        person("admin")
        connection = make_connection()
        preview = make_preview(connection, counts={"updated": 1, "created": 1, "near_match": 1, "unchanged": 40})
        aroha = make_client("Aroha & Tama Ngata")
        old, new = (["4 Kauri St", "", "", "1010", "NZ"], ["6 Kauri St", "", "", "1010", "NZ"])
        priya = {"id": "user:1", "name": "Priya"}
        plan = [
            plan_field("phone"),
            plan_field("address", "push", agreed=old, here=new, there=old, why="changed here"),
            plan_field("partner", "hold", here=priya, there=None, why="Priya is not linked"),
        ]
        make_item(preview, aroha.name, client_id=aroha.id, plan=plan, remote_id="r-1")
        record = make_record("Acme", "r-2").as_json()
        make_item(
            preview, "Acme", Outcome.CREATED, record=record, reason="no client here has this name", remote_id="r-2"
        )
        make_item(
            preview, "ACME Ltd", Outcome.NEAR_MATCH, is_included=False, reason="the names differ only in the suffix"
        )
        return f"/apps/{connection.id}/previews/{preview.id}"


def row(page: Page, name: str) -> Any:
    return page.find(f"//article[.//h3[normalize-space()='{name}']]")


def item(name: str) -> RunItem:
    return db.session.scalars(select(RunItem).where(RunItem.name == name)).one()


def test_each_record_shows_what_will_happen_to_which_field_and_why(sign_in_as: Any, url: str) -> None:
    page = sign_in_as("support").get(url)
    cells = [
        " ".join(cell.text_content().split()) for cell in row(page, "Aroha & Tama Ngata").xpath(".//tbody/tr[1]/*")
    ]
    assert cells[1:] == ["Phone", "09 555 0101", "09 555 0101", "09 555 0199", "take XPM’s: changed in XPM"]
    text = " ".join(row(page, "Aroha & Tama Ngata").text_content().split())
    assert "6 Kauri St, 1010, NZ" in text
    assert "send ours to XPM: changed here" in text
    assert "held back: Priya is not linked" in text
    assert "Nobody here has this name: each comes in as a new lead." in page.text
    assert "aroha@ngata.example" in row(page, "Acme").text_content()


def test_the_counts_are_filters_and_what_needs_nothing_is_only_counted(sign_in_as: Any, url: str) -> None:
    page = sign_in_as("support").get(url)
    assert "40 nothing to do" in page.text
    assert [one.text_content() for one in page.click("To create 1").all("//article//h3")] == ["Acme"]
    assert "ACME Ltd" in page.click("Near match 1").text


def test_only_what_would_do_something_can_be_ticked(sign_in_as: Any, url: str) -> None:
    page = sign_in_as("support").get(url)
    assert len(page.all("//input[@name='item']")) == 2
    assert len(page.all("//input[@name='field']")) == 2
    assert page.form("Apply 2 ticked") is not None


def test_a_box_is_kept_as_soon_as_it_changes_and_only_its_row_comes_back(sign_in_as: Any, url: str, app: Any) -> None:
    sue = sign_in_as("support")
    page = sue.get(url)
    with app.app_context():
        aroha = item("Aroha & Tama Ngata").id
    sent = {"shown": aroha, "item": aroha, "field": f"{aroha}:phone"}
    answer = sue.post(page.find(f"//article[@id='row-{aroha}']/@hx-post"), block=f"row-{aroha}", **sent)
    assert not answer.is_whole
    assert answer.headers["HX-Trigger"] == "ticks-changed"
    assert answer.all("//input[@name='field'][@checked]/@value") == [f"{aroha}:phone"]
    with app.app_context():
        assert (item("Aroha & Tama Ngata").left_out, item("Acme").is_included) == (["address"], True)
    bar = sue.get(url, block="ticks")
    assert "1 of 1 to update" in bar.text


def test_without_scripts_the_whole_page_of_ticks_is_sent_by_its_button(sign_in_as: Any, url: str, app: Any) -> None:
    sue = sign_in_as("support")
    with app.app_context():
        aroha, acme = item("Aroha & Tama Ngata").id, item("Acme").id
    page = sue.post(f"{url}/ticks", shown=[aroha, acme], item=[aroha], field=[f"{aroha}:phone", f"{aroha}:address"])
    assert "Your choice is kept." in page.said
    with app.app_context():
        assert (item("Aroha & Tama Ngata").left_out, item("Acme").is_included) == ([], False)
    assert page.form("Apply 1 ticked") is not None


def test_ticks_of_rows_of_another_preview_are_not_taken(sign_in_as: Any, url: str, story: Any, app: Any) -> None:
    """Fault row 98."""
    with story():
        other = make_item(make_preview(make_connection(account_name="Other")), "Elsewhere").id
    sign_in_as("support").post(f"{url}/ticks", shown=[other, "x", "-1", ""], item=[])
    with app.app_context():
        assert item("Elsewhere").is_included


def test_all_rows_of_an_outcome_are_unticked_also_those_on_other_pages(
    sign_in_as: Any, url: str, story: Any, app: Any
) -> None:
    with story():
        preview_id = int(url.rpartition("/")[2])
        values = [{"run_id": preview_id, "outcome": Outcome.CREATED, "name": f"Client {n:04}"} for n in range(300)]
        db.session.execute(insert(RunItem), values)
        db.session.get_one(SyncRun, preview_id).counts = {"updated": 1, "created": 301}
    page = sign_in_as("support").get(f"{url}?outcome=created")
    assert len(page.all("//article")) == 50
    after = page.submit("Untick all 301 to create")
    assert "0 of 301 to create" in after.text
    assert after.form("Apply 1 ticked") is not None
    assert "outcome=created" in after.find("//a[@aria-current='page' and contains(@href, 'previews')]").get("href")
    assert after.submit("Tick all 301 to create").form("Apply 302 ticked") is not None


def test_a_large_plan_pages_by_key_and_can_be_searched(sign_in_as: Any, url: str, story: Any) -> None:
    with story():
        preview_id = int(url.rpartition("/")[2])
        values = [{"run_id": preview_id, "outcome": Outcome.CREATED, "name": f"Client {n:05}"} for n in range(10_000)]
        db.session.execute(insert(RunItem), values)
    sue = sign_in_as("support")
    second = sue.get(f"{url}?outcome=created").click("Next")
    assert "Client 00049" in second.text
    assert "Client 00048" not in second.text
    assert "Client 00048" in second.click("Previous").text
    assert "Client 00049" in second.submit("Untick all 10,001 to create").text
    assert [one.text_content() for one in sue.get(f"{url}?q=09999").all("//article//h3")] == ["Client 09999"]
    assert len(second.body) < 90_000


def test_applying_starts_one_run_for_this_preview_however_often_it_is_pressed(
    sign_in_as: Any, url: str, app: Any, started: list[int]
) -> None:
    """Fault row 70."""
    page = sign_in_as("support").get(url)
    first = page.submit("Apply 2 ticked")
    assert "Applying the preview" in first.text
    page.submit("Apply 2 ticked")
    with app.app_context():
        made = db.session.scalars(select(SyncRun).where(SyncRun.kind == RunKind.APPLY)).one()
        assert (made.preview_id, started) == (int(url.rpartition("/")[2]), [made.id])


def test_nothing_ticked_starts_nothing(sign_in_as: Any, url: str, story: Any, started: list[int]) -> None:
    with story():
        runs.include_all(db.session.get_one(SyncRun, int(url.rpartition("/")[2])), None, False)
    page = sign_in_as("support").post(f"{url}/applications")
    assert "Nothing is ticked" in page.said
    assert started == []


def test_a_lost_connection_or_an_unfinished_preview_cannot_be_applied(
    sign_in_as: Any, url: str, story: Any, started: list[int]
) -> None:
    preview_id = int(url.rpartition("/")[2])
    with story():
        db.session.get_one(SyncRun, preview_id).state = RunState.FAILED
    sue = sign_in_as("support")
    assert "cannot be applied at the moment" in sue.post(f"{url}/applications").said
    with story():
        db.session.get_one(SyncRun, preview_id).state = RunState.DONE
        db.session.scalars(select(Connection)).one().state = ConnectionState.NEEDS_RECONNECT
    assert "cannot be applied at the moment" in sue.post(f"{url}/applications").said
    assert started == []


def test_afterwards_each_row_says_what_came_of_it_and_nothing_can_be_ticked(
    sign_in_as: Any, url: str, story: Any
) -> None:
    with story():
        preview = db.session.get_one(SyncRun, int(url.rpartition("/")[2]))
        item("Aroha & Tama Ngata").applied = "held back: the client here was changed after the preview was made"
        item("Acme").applied = "created"
        make_run(preview.connection, kind=RunKind.APPLY, preview_id=preview.id, by_name="Sue", counts={"created": 1})
    page = sign_in_as("support").get(url)
    assert "Applied by Sue" in page.text
    assert "held back: the client here was changed" in row(page, "Aroha & Tama Ngata").text_content()
    assert "created" in row(page, "Acme").text_content()
    assert page.all("//input[@type='checkbox']") == []
    assert not [button for button in page.buttons() if button.startswith("Apply")]


def test_a_preview_older_than_a_later_sync_says_so(sign_in_as: Any, url: str, story: Any) -> None:
    with story():
        make_run(db.session.scalars(select(Connection)).one(), ended_at=now())
    page = sign_in_as("support").get(url)
    assert "A sync has run since this preview was made" in page.text
    assert "Preview again" in page.buttons()


def test_while_the_plan_is_made_its_progress_shows(sign_in_as: Any, url: str, story: Any) -> None:
    with story():
        preview = db.session.get_one(SyncRun, int(url.rpartition("/")[2]))
        preview.state, preview.phase, preview.total, preview.done = RunState.RUNNING, "planning", 1204, 640
    page = sign_in_as("support").get(url)
    assert "Preparing the preview" in page.text
    assert "640 of 1,204" in page.text
    assert page.all("//article") == []
    assert page.find("//*[@id='plan']").get("hx-trigger") == "run-ended from:body"


def test_a_plan_with_nothing_in_it_says_that_both_sides_agree(sign_in_as: Any, story: Any) -> None:
    with story():
        connection = make_connection()
        preview = make_preview(connection, counts={"unchanged": 1204})
        address = f"/apps/{connection.id}/previews/{preview.id}"
    assert "Both sides agree on all 1,204 records" in sign_in_as("support").get(address).text


def test_members_neither_see_nor_tick(sign_in_as: Any, url: str) -> None:
    """Fault row 98."""
    bob = sign_in_as("member")
    assert bob.get(url).status == 403
    for act in ("ticks", "selections", "applications"):
        assert bob.post(f"{url}/{act}").status == 403
