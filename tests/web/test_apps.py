"""The Apps screen: tiles, the panel, runs, settings. Connecting is in test_connecting.py."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import sync
from portal.db import db
from portal.domain.apps import (
    Connection,
    ConnectionState,
    RunKind,
    RunState,
    SyncRun,
)
from tests.cast import make_connection, make_staff_link, make_user, now, person
from tests.cast_runs import make_item, make_preview, make_run, make_tokens, plan_field

pytestmark = pytest.mark.usefixtures("clock")

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the runs handed to the background; none is really worked on here."""
    ids: list[int] = []
    monkeypatch.setattr(sync, "start", ids.append)
    return ids


@pytest.fixture
def connected(story: Callable[..., Any]) -> int:
    """A connection in use; its id."""
    with story():
        connection = make_connection(enabled_at=now(), enabled_by="Alice Ngata", token_set=make_tokens())
        person("admin"), person("support"), person("member")
        return connection.id


def test_an_app_that_is_not_connected_says_what_it_does_and_offers_to_connect(sign_in_as: Any) -> None:
    """AP-01."""
    page = sign_in_as("admin").get("/apps")
    assert "keeps both sides in step" in page.text
    assert "Connect to your account" in page.buttons()


def test_a_connected_app_shows_its_account_its_state_and_when_it_was_synced(
    sign_in_as: Any, connected: int, story: Any
) -> None:
    with story():
        db.session.get_one(Connection, connected).last_synced_at = now() - timedelta(hours=2)
    page = sign_in_as("support").get("/apps")
    account = page.find("//main//li").text_content()
    assert "connected" in account
    assert "Last synced 2" in account
    assert page.click("Marlow & Co").h1 == "Xero Practice Manager · Marlow & Co"


def test_two_accounts_of_one_app_are_told_apart_and_the_one_in_need_carries_a_dot(
    sign_in_as: Any, connected: int, story: Any
) -> None:
    with story():
        make_connection(account_name="Harbour Partners", state=ConnectionState.NEEDS_RECONNECT)
    page = sign_in_as("admin").get("/apps")
    assert {"Marlow & Co", "Harbour Partners"} <= set(page.links())
    assert len(page.all("//main//*[contains(@class, 'dot')]")) == 1
    assert "access ended" in page.text


def test_members_do_not_see_apps(sign_in_as: Any, connected: int) -> None:
    """Fault row 98."""
    bob = sign_in_as("member")
    for url in ("/apps", f"/apps/{connected}", f"/apps/{connected}/settings", "/apps/xpm/credentials"):
        assert bob.get(url).status == 403
    assert "Apps" not in bob.get("/").links()


def test_the_panel_says_when_it_was_synced_what_came_of_it_and_when_it_runs_next(
    sign_in_as: Any, connected: int, story: Any
) -> None:
    """AP-10, XP-05."""
    with story():
        connection = db.session.get_one(Connection, connected)
        connection.imported_at = now()
        run = make_run(connection, counts={"updated": 12, "conflict": 1, "near_match": 2, "unchanged": 1189})
        run_id = run.id
    page = sign_in_as("support").get(f"/apps/{connected}")
    assert page.links()["12 updated"] == f"/apps/{connected}/runs/{run_id}?outcome=updated"
    assert page.links()["2 near matches"] == f"/apps/{connected}/runs/{run_id}?outcome=near_match"
    assert "tonight 00:00" in page.text
    assert "Pacific/Auckland" in page.text
    assert "1,189" in page.text


def test_sync_now_starts_one_run_and_a_second_press_joins_it(
    sign_in_as: Any, connected: int, app: Any, started: list[int]
) -> None:
    """AP-11; fault row 70."""
    alice, sue = sign_in_as("admin"), sign_in_as("support")
    page = alice.get(f"/apps/{connected}")
    first = page.submit("Sync now")
    assert "Syncing" in first.text
    assert "already running since 12:00" in page.submit("Sync now").said
    assert "started by Alice Ngata" in sue.get(f"/apps/{connected}").submit("Sync now").said
    assert "already running" in sue.get(f"/apps/{connected}").submit("Preview").said
    with app.app_context():
        assert [run.id for run in db.session.scalars(select(SyncRun))] == started == [1]


def test_two_people_pressing_at_the_same_moment_get_one_run(
    sign_in_as: Any, connected: int, app: Any, started: list[int]
) -> None:
    """Fault row 70."""
    browsers = [sign_in_as(who) for who in ("admin", "support") * 3]
    for one in browsers:
        one.get(f"/apps/{connected}")
    with ThreadPoolExecutor(len(browsers)) as pool:
        pages = list(pool.map(lambda one: one.post(f"/apps/{connected}/runs"), browsers))
    assert {page.status for page in pages} == {200}
    assert sum("already running since" in page.said for page in pages) == len(pages) - 1
    with app.app_context():
        assert [run.id for run in db.session.scalars(select(SyncRun))] == started


def test_pressing_during_the_nightly_run_says_so_and_starts_nothing(
    sign_in_as: Any, connected: int, story: Any, started: list[int]
) -> None:
    """Fault rows 70, 71."""
    with story():
        connection = db.session.get_one(Connection, connected)
        make_run(connection, state=RunState.RUNNING, trigger="night", started_at=now() - timedelta(hours=26))
    page = sign_in_as("admin").get(f"/apps/{connected}")
    assert "which is not normal" in page.text
    assert "started by System" in page.submit("Sync now").said
    assert started == []


def test_progress_is_one_block_that_asks_again_until_the_run_ends_and_then_tells_the_page(
    sign_in_as: Any, connected: int, story: Any
) -> None:
    with story():
        connection = db.session.get_one(Connection, connected)
        run_id = make_run(
            connection,
            state=RunState.RUNNING,
            phase="matching",
            done=640,
            total=1204,
            rate=210.0,
            by_name="Alice Ngata",
        ).id
    sue = sign_in_as("support")
    panel = sue.get(f"/apps/{connected}")
    block = panel.find("//*[@id='run-progress']")
    assert block.get("hx-trigger") == "load delay:1s"
    assert (
        "working out who is who · 640 of 1,204 · 210 a second · about 3 s left · 0 of 5,000 calls today" in panel.text
    )
    assert panel.find("//progress").get("max") == "1204"
    asked = sue.get(block.get("hx-get"), block="run-progress")
    assert not asked.is_whole
    assert "HX-Trigger" not in asked.headers
    with story():
        run = db.session.get_one(SyncRun, run_id)
        run.state, run.ended_at, run.counts = RunState.DONE, now() + timedelta(seconds=4), {"updated": 12}
    ended = sue.get(block.get("hx-get"), block="run-progress")
    assert "hx-get" not in ended.body
    assert "Sync finished after 4 s: 12 updated" in ended.text
    assert ended.headers["HX-Trigger"] == "run-ended"
    runs_table = sue.get(f"/apps/{connected}", block="runs")
    assert not runs_table.is_whole
    assert "12" in runs_table.text


def test_a_run_past_the_hour_tells_whom_to_ask_and_how_many_calls_were_made(
    sign_in_as: Any, connected: int, story: Any
) -> None:
    """XPM-11, XP-07, AP-15."""
    with story():
        connection = db.session.get_one(Connection, connected)
        make_run(connection, state=RunState.RUNNING, started_at=now() - timedelta(minutes=61))
    sue = sign_in_as("support").get(f"/apps/{connected}")
    assert "This has been going for 1 h 01 min, which is not normal" in sue.text
    assert "Ask Alice Ngata to look at it; 0 of 5,000 calls are used today" in sue.text
    assert "Stop it and press Sync now" in sign_in_as("admin").get(f"/apps/{connected}").text


def test_a_run_can_be_stopped_and_says_what_stays(sign_in_as: Any, connected: int, story: Any, app: Any) -> None:
    with story():
        run_id = make_run(db.session.get_one(Connection, connected), state=RunState.RUNNING).id
    page = sign_in_as("support").get(f"/apps/{connected}")
    assert "What was done stays done" in page.submit("Stop").said
    with app.app_context():
        assert db.session.get_one(SyncRun, run_id).cancel_asked
    assert "Stopping after the record in hand" in page.browser.get(f"/apps/{connected}").text


def test_a_held_run_asks_a_person_who_may_go_ahead_or_leave_it(
    sign_in_as: Any, connected: int, story: Any, app: Any, started: list[int]
) -> None:
    """Fault row 27."""
    with story():
        connection = db.session.get_one(Connection, connected)
        held = make_run(connection, state=RunState.HELD, is_full=True, message="it would mark 40 links as broken, 33 %")
        held_id = held.id
    sue = sign_in_as("support").get(f"/apps/{connected}")
    assert "A sync is held, because it would mark 40 links as broken, 33 %" in sue.text
    assert "Go ahead" not in sue.buttons()
    assert sign_in_as("support").post(f"/apps/{connected}/runs/{held_id}/releases").status == 403
    alice = sign_in_as("admin").get(f"/apps/{connected}")
    plan = alice.submit("See the plan")
    with story():
        preview = db.session.scalars(select(SyncRun).where(SyncRun.kind == RunKind.PREVIEW)).one()
        assert (preview.id, preview.is_full) == (started[0], True)
        preview.state = RunState.DONE
    assert plan.h1.startswith("Preview of")
    assert "Going ahead, as you decided" in alice.submit("Go ahead").said
    assert "waits for nobody any more" in alice.submit("Go ahead").said
    assert "waits for nobody any more" in alice.submit("Leave it").said
    with app.app_context():
        forced = db.session.get_one(SyncRun, started[1])
        assert (forced.force, forced.state) == (True, RunState.QUEUED)
        assert len(started) == 2


def test_leaving_a_held_run_changes_nothing(sign_in_as: Any, connected: int, story: Any, started: list[int]) -> None:
    """Fault row 27."""
    with story():
        make_run(db.session.get_one(Connection, connected), state=RunState.HELD, message="it would break 40 links")
    page = sign_in_as("support").get(f"/apps/{connected}").submit("Leave it")
    assert "nothing was changed" in page.said
    assert "A sync is held" not in page.text
    assert started == []


def test_a_failed_run_says_why_and_a_partial_one_that_it_goes_on(sign_in_as: Any, connected: int, story: Any) -> None:
    with story():
        connection = db.session.get_one(Connection, connected)
        make_run(connection, state=RunState.FAILED, message="The reply could not be read.")
    sue = sign_in_as("support")
    page = sue.get(f"/apps/{connected}")
    assert "The last run did not work" in page.text
    assert "The reply could not be read." in page.text
    with story():
        make_run(db.session.get_one(Connection, connected), state=RunState.PARTIAL, message="The allowance is used up.")
    assert "It goes on by itself from where it was" in sue.get(f"/apps/{connected}").text


def test_the_history_pages_through_older_runs(sign_in_as: Any, connected: int, story: Any) -> None:
    with story():
        connection = db.session.get_one(Connection, connected)
        for number in range(20):
            make_run(connection, by_name=f"Person {number:02}")
    page = sign_in_as("support").get(f"/apps/{connected}")
    assert "Person 19" in page.text
    assert "Person 04" not in page.text
    older = page.click("Next")
    assert "Person 04" in older.text
    assert "Person 05" not in older.text


def test_every_part_of_a_page_can_be_asked_for_alone(sign_in_as: Any, connected: int, story: Any) -> None:
    with story():
        connection = db.session.get_one(Connection, connected)
        run = make_run(connection, counts={"updated": 1})
        make_item(run, "Acme", plan=[plan_field()])
        preview = make_preview(connection, counts={"updated": 1})
        make_item(preview, "Acme", plan=[plan_field()])
        make_run(connection, state=RunState.HELD, message="it would break 40 links")
        parts = {
            f"/apps/{connected}": ("sync", "runs", "run-progress"),
            f"/apps/{connected}/runs/{run.id}": ("items", "run-progress"),
            f"/apps/{connected}/previews/{preview.id}": ("plan", "ticks", "run-progress"),
            "/matches": ("cases",),
            f"/apps/{connected}/settings": ("form",),
        }
    alice = sign_in_as("admin")
    for url, ids in parts.items():
        for part in ids:
            page = alice.get(url, block=part)
            assert not page.is_whole
            assert len(page.all(f"//*[@id='{part}']")) == 1


def test_what_is_not_there_is_not_found(sign_in_as: Any, connected: int, story: Any) -> None:
    """Fault row 98."""
    with story():
        other = make_run(make_connection(account_name="Other")).id
    alice = sign_in_as("admin")
    for url in (
        "/apps/999",
        f"/apps/{connected}/runs/{other}",
        f"/apps/{connected}/previews/{other}",
        f"/apps/{connected}/runs/999/export",
        "/apps/nobody/credentials",
    ):
        assert alice.get(url).status == 404
    assert alice.post(f"/apps/{connected}/runs/{other}/stops").status == 404


def test_nothing_a_vendor_sends_becomes_markup(sign_in_as: Any, connected: int, story: Any) -> None:
    """Fault rows 102, 103."""
    with story():
        connection = db.session.get_one(Connection, connected)
        connection.account_name = SCRIPT
        connection.reference = {"staff": [{"remote_id": "1", "name": SCRIPT, "email": SCRIPT}], "categories": [
            {"remote_id": "1", "name": SCRIPT}], "read_at": now().isoformat()}  # fmt: skip
        run = make_run(connection, state=RunState.FAILED, message=SCRIPT, by_name=SCRIPT, counts={"updated": 1})
        hostile = plan_field(label=SCRIPT, here=SCRIPT, there='" hx-get="/sign-out" x="', why=SCRIPT, contact=SCRIPT)
        make_item(run, SCRIPT, reason=SCRIPT, plan=[hostile])
        preview = make_preview(connection, counts={"updated": 1})
        make_item(preview, SCRIPT, reason=SCRIPT, plan=[hostile])
        urls = ["/apps", f"/apps/{connected}", f"/apps/{connected}/settings", f"/apps/{connected}/disconnection",
                f"/apps/{connected}/runs/{run.id}", f"/apps/{connected}/previews/{preview.id}"]  # fmt: skip
    alice = sign_in_as("admin")
    for url in urls:
        page = alice.get(url)
        assert page.status == 200
        assert "<script>alert" not in page.body
        assert not page.all("//*[@hx-get='/sign-out']")


def test_settings_keep_direction_level_and_nights_with_what_changed_on_record(
    sign_in_as: Any, connected: int, app: Any
) -> None:
    """XP-20."""
    page = sign_in_as("admin").get(f"/apps/{connected}/settings")
    done = page.submit("Save", direction="to_app", level="name", nightly=None)
    assert "Saved." in done.said
    with app.app_context():
        held = db.session.get_one(Connection, connected)
        assert (held.direction, held.level, held.settings["nightly"]) == ("to_app", "name", False)
    assert "paused: only Sync now brings changes in" in page.browser.get(f"/apps/{connected}").text
    assert "Nothing was different" in done.submit("Save").said


def test_a_setting_nobody_offered_is_refused(sign_in_as: Any, connected: int, app: Any) -> None:
    page = sign_in_as("admin").post(f"/apps/{connected}/settings", direction="sideways", level="everything")
    assert page.status == 422
    with app.app_context():
        assert db.session.get_one(Connection, connected).direction == "both"


def test_settings_show_who_of_the_apps_people_is_linked(sign_in_as: Any, connected: int, story: Any) -> None:
    with story():
        connection = db.session.get_one(Connection, connected)
        connection.reference = {
            "staff": [
                {"remote_id": "s1", "name": "Priya Sharma", "email": "p@x.nz"},
                {"remote_id": "s2", "name": "Tom Ruru"},
            ],
            "lists": {"job categories": [{"remote_id": "1", "name": "Annual accounts"}]},
            "read_at": now().isoformat(),
        }
        make_staff_link(make_user("Priya S", "p@x.nz"), connection, "s1")
    page = sign_in_as("admin").get(f"/apps/{connected}/settings")
    rows = [[cell.text_content() for cell in row] for row in page.all("//table//tbody/tr")]
    assert rows == [["Priya Sharma", "p@x.nz", "Priya S"], ["Tom Ruru", "–", "nobody"]]
    assert "Job categories (1)" in page.text


def test_settings_are_for_admins(sign_in_as: Any, connected: int) -> None:
    """Fault row 98."""
    sue = sign_in_as("support")
    assert "Settings" not in [words for words in sue.get(f"/apps/{connected}").links() if words == "Settings"]
    assert sue.get(f"/apps/{connected}/settings").status == 403
    assert sue.post(f"/apps/{connected}/disconnection").status == 403
    assert sue.post(f"/apps/{connected}/enablement").status == 403
