"""Connecting an account of an app: credentials, consent, losing access, coming back, disconnecting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select

from portal import integrations
from portal.db import db
from portal.domain.activity import Activity, Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
    ConnectionState,
    ConsentAttempt,
    PushState,
    TokenSet,
    VendorCredentials,
)
from portal.domain.records import AccountRecord
from tests.cast import make_client, make_connection, make_firm, make_link, make_user, now, person
from tests.cast_runs import make_credentials, make_tokens
from tests.reading import Browser, Page

pytestmark = pytest.mark.usefixtures("clock")

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def connected(story: Callable[..., Any]) -> int:
    """A connection in use; its id."""
    with story():
        connection = make_connection(enabled_at=now(), enabled_by="Alice Ngata", token_set=make_tokens())
        person("admin"), person("support"), person("member")
        return connection.id


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, story: Callable[..., Any]) -> SimpleNamespace:
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
    return held


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
