"""The Apps screen: tiles, connecting, the panel, runs, settings."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select

from portal import integrations, sync
from portal.db import db
from portal.domain.activity import Activity, Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
    ConnectionState,
    ConsentAttempt,
    Outcome,
    PushState,
    RunKind,
    RunState,
    SyncRun,
    TokenSet,
    VendorCredentials,
)
from portal.domain.records import AccountRecord
from tests.cast import make_client, make_connection, make_firm, make_link, make_staff_link, make_user, now, person
from tests.cast_runs import make_credentials, make_item, make_preview, make_run, make_tokens, plan_field
from tests.reading import Browser, Page

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


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, story: Callable[..., Any]) -> Iterator[SimpleNamespace]:
    """A vendor that lets people in to the accounts it holds, without any network."""
    held = SimpleNamespace(accounts=[AccountRecord("p-1", "Marlow & Co", "practice", "grant-1")], revoked=[], codes=0)
    adapter = integrations.APPS["xpm"]

    def exchange(**_: Any) -> Any:
        held.codes += 1
        return SimpleNamespace(
            access_token="access-secret", refresh_token="refresh-secret", expires_at=now() + timedelta(minutes=30),
            scope="", subject="", grant_event="",
        )  # fmt: skip

    monkeypatch.setattr(adapter, "exchange", exchange)
    monkeypatch.setattr(adapter, "accounts", lambda **_: held.accounts)
    monkeypatch.setattr(adapter, "revoke", lambda **sent: held.revoked.append(sent["grant_id"]))
    with story():
        make_firm()
        make_credentials()
    yield held


def leave_for_vendor(browser: Browser, **fields: Any) -> str:
    """Press Connect; the state the vendor is to send back."""
    browser.get("/apps")
    answer = browser.client.post("/apps/xpm/consents", data=fields | {"csrf_token": browser.token})
    assert answer.status_code == 303
    sent = parse_qs(urlsplit(answer.location).query)
    assert sent["redirect_uri"] == ["http://localhost/apps/callback"]
    assert sent["code_challenge_method"] == ["S256"]
    return sent["state"][0]


def come_back(browser: Browser, state: str, **answer: str) -> Page:
    return browser.get("/apps/callback", query={"state": state, "code": "code-1"} | answer)


def figures() -> tuple[int, int]:
    """How many connections and how many sign-ins are stored."""
    return (
        db.session.scalar(select(func.count()).select_from(Connection)) or 0,
        db.session.scalar(select(func.count()).select_from(TokenSet)) or 0,
    )


# --- tiles ------------------------------------------------------------------------------------------------------------


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


# --- credentials and consent -------------------------------------------------------------------------------------------


def test_without_credentials_connecting_leads_to_where_they_are_entered(sign_in_as: Any, app: Any) -> None:
    page = sign_in_as("admin").get("/apps").submit("Connect to your account")
    assert page.h1 == "Register this portal for Xero Practice Manager"
    assert "http://localhost/apps/callback" in page.text
    assert page.submit("Keep", client_id="", client_secret="").errors().keys() == {"client_id", "client_secret"}
    done = page.submit("Keep", client_id="portal-1", client_secret="s3cret")
    assert "You can connect Xero Practice Manager now" in done.said
    with app.app_context():
        assert db.session.get_one(VendorCredentials, "xero").client_secret == "s3cret"
        stored = db.session.connection().exec_driver_sql("SELECT client_secret FROM vendor_credentials").scalar()
        assert "s3cret" not in stored
        assert db.session.scalar(select(Activity.verb).where(Activity.verb == Verb.APP_CREDENTIALS_CHANGED))


def test_the_client_secret_is_never_shown_again_and_may_be_left_as_it_is(sign_in_as: Any, story: Any, app: Any) -> None:
    with story():
        make_credentials()
    page = sign_in_as("admin").get("/apps/xpm/credentials")
    assert "s3cret-of-the-firm" not in page.body
    assert "s3cret-of-the-firm" not in page.submit("Keep", client_id="portal-2", client_secret="").body
    with app.app_context():
        kept = db.session.get_one(VendorCredentials, "xero")
        assert (kept.client_id, kept.client_secret) == ("portal-2", "s3cret-of-the-firm")


def test_connecting_shows_the_account_first_and_enables_nothing_by_itself(
    sign_in_as: Any, vendor: SimpleNamespace, app: Any
) -> None:
    """AP-04, AP-05."""
    alice = sign_in_as("admin")
    page = come_back(alice, leave_for_vendor(alice))
    assert page.h1 == "Enable Marlow & Co"
    assert "p-1" in page.text
    assert "Relationships between clients; Client status" in page.text
    with app.app_context():
        assert db.session.scalars(select(Connection.state)).all() == [ConnectionState.CHOOSING]
    panel = page.submit("Enable", direction="from_app", level="everything")
    assert "Marlow & Co is connected. Nothing has been read yet" in panel.said
    assert {"Preview", "Sync now"} <= set(panel.buttons())
    with app.app_context():
        connection = db.session.scalars(select(Connection)).one()
        assert (connection.state, connection.direction) == (ConnectionState.CONNECTED, "from_app")
        token = db.session.connection().exec_driver_sql("SELECT refresh_token FROM token_set").scalar()
        assert "refresh-secret" not in token


def test_a_sign_in_that_reaches_several_accounts_lets_the_person_choose(
    sign_in_as: Any, vendor: SimpleNamespace, app: Any
) -> None:
    vendor.accounts.append(AccountRecord("p-2", "Harbour Partners", "practice", "grant-2"))
    alice = sign_in_as("admin")
    page = come_back(alice, leave_for_vendor(alice))
    assert page.h1 == "Which practice?"
    assert "id p-2" in page.text
    page.click("Harbour Partners").submit("Enable")
    put_aside = alice.get("/apps").click("Marlow & Co").submit("Not this one")
    assert "nothing of it was read" in put_aside.said
    assert vendor.revoked == ["grant-1"]
    with app.app_context():
        states = dict(db.session.execute(select(Connection.account_id, Connection.state)).all())
        assert states == {"p-1": ConnectionState.DISCONNECTED, "p-2": ConnectionState.CONNECTED}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"state": "made-up"}, "was not started here"),
        ({"state": ""}, "was not started here"),
        ({"code": ""}, "without letting us in"),
        ({"error": "access_denied", "code": ""}, "was cancelled there"),
    ],
)
def test_a_callback_that_does_not_fit_is_refused_and_stores_nothing(
    sign_in_as: Any, vendor: SimpleNamespace, app: Any, answer: dict[str, str], told: str
) -> None:
    """Fault row 41."""
    alice = sign_in_as("admin")
    state = leave_for_vendor(alice)
    page = come_back(alice, answer.pop("state", state), **answer)
    assert page.status == 400
    assert told in page.text
    with app.app_context():
        assert figures() == (0, 0)


def test_a_code_replayed_is_refused(sign_in_as: Any, vendor: SimpleNamespace, app: Any) -> None:
    """Fault row 41."""
    alice = sign_in_as("admin")
    state = leave_for_vendor(alice)
    assert come_back(alice, state).status == 200
    assert come_back(alice, state).status == 400
    assert vendor.codes == 1
    with app.app_context():
        assert figures() == (1, 1)


def test_another_persons_sign_in_cannot_be_finished_nor_spoiled(
    sign_in_as: Any, vendor: SimpleNamespace, app: Any, story: Any
) -> None:
    """Fault row 41."""
    with story():
        make_user("Zoe Ngata", "zoe@marlow.example", "admin")
    alice, zoe = sign_in_as("admin"), sign_in_as("zoe@marlow.example")
    state = leave_for_vendor(alice)
    assert "Somebody else started this sign-in" in come_back(zoe, state).text
    assert come_back(sign_in_as("support"), state).status == 403
    with app.app_context():
        assert figures() == (0, 0)
    assert come_back(alice, state).h1 == "Enable Marlow & Co"


def test_a_look_at_the_callback_without_asking_for_the_page_spends_nothing(
    sign_in_as: Any, vendor: SimpleNamespace, app: Any
) -> None:
    alice = sign_in_as("admin")
    state = leave_for_vendor(alice)
    alice.send("HEAD", "/apps/callback", query_string={"state": state, "code": "x"})
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(ConsentAttempt)) == 1


def test_consents_start_by_post_only_and_for_admins_only(sign_in_as: Any, vendor: SimpleNamespace) -> None:
    """Fault rows 97, 98."""
    assert sign_in_as("admin").get("/apps/xpm/consents").status == 405
    assert sign_in_as("support").post("/apps/xpm/consents").status == 403
    assert sign_in_as("admin").post("/apps/no-such-app/consents").status == 404


def test_the_policy_lets_the_form_lead_to_the_vendor(sign_in_as: Any) -> None:
    policy = sign_in_as("admin").get("/apps").headers["Content-Security-Policy"]
    assert "form-action 'self' https://login.xero.com" in policy


# --- lost, again, gone -------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(connected: int, story: Any) -> int:
    with story():
        connection = db.session.get_one(Connection, connected)
        connection.account_id = "p-1"
        connection.move_to(ConnectionState.NEEDS_RECONNECT, now=now(), reason="The permission was withdrawn.")
        make_link(make_client("Acme"), connection, push_state=PushState.READY, push_next_at=now() + timedelta(hours=1))
    return connected


def test_lost_access_says_what_happened_what_waits_and_offers_one_button(sign_in_as: Any, lost: int) -> None:
    """Fault row 35."""
    page = sign_in_as("admin").get(f"/apps/{lost}")
    assert "Access to Marlow & Co has ended" in page.text
    assert "The permission was withdrawn." in page.text
    assert "changes to 1 client wait to be sent" in page.text
    assert "Connect again" in page.buttons()
    assert "Sync now" not in page.buttons()
    sue = sign_in_as("support").get(f"/apps/{lost}")
    assert "Connect again" not in sue.buttons()
    assert "Alice Ngata can connect it again" in sue.text


def test_connecting_the_same_account_again_keeps_links_and_sends_what_waited(
    sign_in_as: Any, vendor: SimpleNamespace, lost: int, app: Any
) -> None:
    """AP-06; fault row 35."""
    alice = sign_in_as("admin")
    page = come_back(alice, leave_for_vendor(alice, reconnects=lost))
    assert "Connected again to Marlow & Co. Every link was kept" in page.said
    with app.app_context():
        connection = db.session.get_one(Connection, lost)
        assert connection.state == ConnectionState.CONNECTED
        (link,) = _links(lost)
        assert link.push_next_at == now()


def _links(connection_id: int) -> list[ClientLink]:
    return list(db.session.scalars(select(ClientLink).where(ClientLink.connection_id == connection_id)))


def test_connecting_another_account_in_its_place_is_refused(
    sign_in_as: Any, vendor: SimpleNamespace, lost: int, app: Any
) -> None:
    """Fault row 38."""
    vendor.accounts[:] = [AccountRecord("p-9", "Somebody Else", "practice", "grant-9")]
    alice = sign_in_as("admin")
    page = come_back(alice, leave_for_vendor(alice, reconnects=lost))
    assert page.status == 409
    assert "the sign-in reached Somebody Else instead. Nothing was changed" in page.text
    with app.app_context():
        connection = db.session.get_one(Connection, lost)
        assert (connection.account_id, connection.state) == ("p-1", ConnectionState.NEEDS_RECONNECT)
        assert figures() == (1, 1)


def test_another_account_beside_it_warns_that_links_are_not_carried_over(
    sign_in_as: Any, vendor: SimpleNamespace, lost: int, app: Any
) -> None:
    """AP-06; fault row 38."""
    vendor.accounts[:] = [AccountRecord("p-9", "Somebody Else", "practice", "grant-9")]
    alice = sign_in_as("admin")
    page = come_back(alice, leave_for_vendor(alice))
    assert "Clients linked to Marlow & Co keep those links" in page.text
    page.submit("Enable")
    with app.app_context():
        assert len(_links(lost)) == 1
        other = db.session.scalars(select(Connection).where(Connection.account_id == "p-9")).one()
        assert _links(other.id) == []


def test_disconnecting_names_what_stops_and_what_stays(
    sign_in_as: Any, vendor: SimpleNamespace, connected: int, app: Any, story: Any
) -> None:
    """AP-08."""
    with story():
        connection = db.session.get_one(Connection, connected)
        connection.grant_id = "grant-1"
        token_set = connection.token_set
        token_set.expires_at = now() + timedelta(minutes=20)
        make_link(make_client("Acme"), connection)
    page = sign_in_as("admin").get(f"/apps/{connected}/settings").click("Disconnect…")
    assert page.h1 == "Disconnect Marlow & Co?"
    assert "The links of 1 client" in page.text
    done = page.submit("Disconnect Marlow & Co")
    assert "Clients, links and history stay" in done.said
    assert vendor.revoked == ["grant-1"]
    assert "was disconnected already" in page.submit("Disconnect Marlow & Co").said
    with app.app_context():
        assert figures() == (1, 0)
        assert len(_links(connected)) == 1
    panel = page.browser.get(f"/apps/{connected}")
    assert "Disconnected since" in panel.text
    assert "Sync now" not in panel.buttons()


# --- the panel ---------------------------------------------------------------------------------------------------------


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
    assert "tonight 12:00" in page.text
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
            connection, state=RunState.RUNNING, phase="matching", done=640, total=1204, rate=210.0, by_name="Alice Ngata"
        ).id
    sue = sign_in_as("support")
    panel = sue.get(f"/apps/{connected}")
    block = panel.find("//*[@id='run-progress']")
    assert block.get("hx-trigger") == "load delay:1s"
    assert "working out who is who · 640 of 1,204 · 210 a second · about 3 s left · 0 of 5,000 calls today" in panel.text
    assert panel.find("//progress").get("max") == "1204"
    asked = sue.get(block.get("hx-get"), block="run-progress")
    assert not asked.is_whole
    assert "HX-Trigger" not in asked.headers
    with story():
        run = db.session.get_one(SyncRun, run_id)
        run.state, run.ended_at, run.counts = RunState.DONE, now() + timedelta(seconds=4), {"updated": 12}
    ended = sue.get(block.get("hx-get"), block="run-progress")
    assert "hx-get" not in ended.body
    assert "Sync finished after 4 s. 12 updated" in ended.text
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


# --- one run -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ended_run(connected: int, story: Any) -> int:
    with story():
        connection = db.session.get_one(Connection, connected)
        client = make_client("Aroha & Tama Ngata")
        run = make_run(
            connection, counts={"updated": 1, "failed": 1, "near_match": 1, "unchanged": 40}, calls=3, message="All read."
        )
        make_item(run, client.name, client_id=client.id, remote_id="r-1", plan=[plan_field()], reason="Phone changed there")
        make_item(run, "=1+1", Outcome.FAILED, reason="It has no name.")
        make_item(run, "ACME", Outcome.NEAR_MATCH, reason="the names differ only in capital letters")
        return run.id


def test_a_number_opens_exactly_those_records_each_with_its_reason(
    sign_in_as: Any, connected: int, ended_run: int
) -> None:
    """AP-16."""
    page = sign_in_as("support").get(f"/apps/{connected}/runs/{ended_run}")
    assert "Calls made" in page.text
    failed = page.click("Failed 1")
    names = [one.text_content() for one in failed.all("//table//tbody/tr/th")]
    assert names[0] == "=1+1"
    assert "It has no name." in failed.text
    assert "Aroha" not in failed.find("//table").text_content()
    updated = page.click("Updated 1")
    assert "take XPM’s (changed in XPM)" in updated.text
    assert page.links()["Settle it"] == f"/matches?kind=near_match&connection={connected}"


def test_a_run_is_exported_with_every_reason_and_no_cell_a_spreadsheet_would_run(
    sign_in_as: Any, connected: int, ended_run: int
) -> None:
    """Fault row 105."""
    page = sign_in_as("support").get(f"/apps/{connected}/runs/{ended_run}/export")
    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(page.body.lstrip("\ufeff"))))
    assert [row[:2] for row in rows[1:]] == [["failed", "'=1+1"], ["near match", "ACME"], ["updated", "Aroha & Tama Ngata"]]
    only = sign_in_as("support").get(f"/apps/{connected}/runs/{ended_run}/export?outcome=updated")
    assert len(list(csv.reader(io.StringIO(only.body)))) == 2


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


# --- settings ----------------------------------------------------------------------------------------------------------


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
    assert "paused: no nightly sync" in page.browser.get(f"/apps/{connected}").text
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
            "staff": [{"remote_id": "s1", "name": "Priya Sharma", "email": "p@x.nz"}, {"remote_id": "s2", "name": "Tom Ruru"}],
            "categories": [{"remote_id": "1", "name": "Annual accounts"}], "templates": [], "read_at": now().isoformat(),
        }  # fmt: skip
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
