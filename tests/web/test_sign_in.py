"""Getting in and staying in: password, second step, links, sessions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask

from portal.domain import people
from portal.domain.people import passwords, second_factor, sessions
from tests import cast
from tests.reading import Browser, Page

ALICE = cast.NAMES["admin"][1]


@pytest.fixture
def alice(story) -> str:
    """Alice, with a password; her email."""
    with story():
        cast.person("admin").password_hash = cast.PASSWORD_HASH
        cast.person("member").password_hash = cast.PASSWORD_HASH
    return ALICE


def enter(browser: Browser, email: str = ALICE, password: str = cast.PASSWORD) -> Page:
    return browser.get("/sign-in").submit("Sign in", email=email, password=password)


def test_email_and_password_lead_home(alice: str, browser: Browser) -> None:
    page = enter(browser, email=f"  {alice.upper()} ")
    assert (page.status, page.h1) == (200, "Home")
    assert browser.get("/sign-in").h1 == "Home"


def test_one_lands_where_one_wanted_to_go(alice: str, browser: Browser) -> None:
    page = browser.get("/settings/team")
    assert page.h1 == "Sign in"
    assert page.submit("Sign in", email=alice, password=cast.PASSWORD).h1 == "Team"


@pytest.mark.parametrize("who", ["unknown@marlow.example", ALICE, "gone@marlow.example", "new@marlow.example"])
def test_nobody_learns_who_has_an_account(alice: str, story, app: Flask, who: str, monkeypatch) -> None:
    """Fault row 100: unknown, wrong, switched off and never set all answer alike, after the same work."""
    with story():
        cast.make_user("Gone", "gone@marlow.example", is_active=False, password_hash=cast.PASSWORD_HASH)
        cast.make_user("New", "new@marlow.example")
    compared: list[str] = []

    class Counted:
        def verify(self, kept: str, password: str) -> bool:
            compared.append(kept)
            return real.verify(kept, password)

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    real = passwords._hasher
    monkeypatch.setattr(passwords, "_hasher", Counted())
    page = enter(Browser(app), who, "not the password")
    assert page.status == 422
    assert "Email and password do not go together." in page.text
    assert len(compared) == 1, "the slow comparison is made once, whoever asks"


def test_the_session_is_a_new_one_after_signing_in(alice: str, browser: Browser) -> None:
    """Fault row 99: a cookie planted before is worth nothing after (fixation)."""
    browser.get("/sign-in")
    planted = browser.client.get_cookie("counterpart").value
    with browser.client.session_transaction() as cookie:
        token_before = cookie["csrf_token"]
    enter(browser)
    with browser.client.session_transaction() as cookie:
        assert cookie["csrf_token"] != token_before
    thief = Browser(browser.app)
    thief.client.set_cookie("counterpart", planted)
    assert thief.get("/").h1 == "Sign in"


def test_a_cookie_is_dead_everywhere_once_its_owner_signed_out(alice: str, browser: Browser) -> None:
    """Fault row 99."""
    page = enter(browser)
    stolen = browser.client.get_cookie("counterpart").value
    page.submit("Sign out")
    thief = Browser(browser.app)
    thief.client.set_cookie("counterpart", stolen)
    assert thief.get("/").h1 == "Sign in"


@pytest.mark.parametrize("what", ["password", "role", "switched off"])
def test_sessions_end_when_what_they_stood_on_changes(app: Flask, sign_in_as, story, what: str) -> None:
    """Fault row 99."""
    sign_in_as("admin")
    bob = sign_in_as("member")
    assert bob.get("/").h1 == "Home"
    with story():
        user, by, now = cast.person("member"), cast.COMMAND, cast.now()
        if what == "password":
            people.set_password(user, "lantern orchard seventeen", by=by, now=now)
        elif what == "role":
            people.change_role(user, people.Role.SUPPORT, by=by, now=now)
        else:
            people.deactivate(user, by=by, now=now)
    assert bob.get("/").h1 == "Sign in"


def test_thirty_idle_minutes_end_a_session_and_use_keeps_it(sign_in_as, clock) -> None:
    """Fault row 99."""
    browser = sign_in_as("member")
    for _ in range(3):
        clock.shift(timedelta(minutes=29))
        assert browser.get("/").h1 == "Home"
    clock.shift(timedelta(minutes=31))
    assert browser.get("/").h1 == "Sign in"


def test_twelve_hours_end_a_session_however_much_it_is_used(sign_in_as, clock) -> None:
    """Fault row 99."""
    browser = sign_in_as("member")
    for _ in range(24):
        clock.shift(timedelta(minutes=29))
        assert browser.get("/").h1 == "Home"
    clock.shift(timedelta(minutes=25))
    assert browser.get("/").h1 == "Sign in"


def test_being_seen_is_written_at_most_once_a_minute_and_never_waits(app: Flask, sign_in_as, story, clock) -> None:
    """A page is shown although another process holds the database; it is noted next time."""
    from portal.db import db

    browser = sign_in_as("member")

    def seen() -> datetime:
        with story() as session:
            return session.query(people.SignIn).one().seen_at

    begun = seen()
    clock.shift(timedelta(seconds=59))
    browser.get("/")
    assert seen() == begun
    clock.shift(timedelta(seconds=2))
    if app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"):
        with app.app_context(), db.engine.connect() as other, other.begin():
            assert browser.get("/").h1 == "Home"
        assert seen() == begun
    browser.get("/")
    assert seen() == begun + timedelta(seconds=61)


def test_guesses_are_slowed_by_account_and_the_page_says_until_when(alice: str, app: Flask, clock) -> None:
    """Fault row 100."""
    for _ in range(5):
        assert enter(Browser(app), alice, "a guess").status == 422
    page = enter(Browser(app))
    assert page.status == 429
    assert "Wait 30 seconds; at 12:00" in page.text.replace("\u00a0", " ").replace("\u202f", " ")
    assert page.headers["Retry-After"] == "30"
    clock.shift(timedelta(seconds=31))
    assert enter(Browser(app), alice, "a guess").status == 422
    clock.shift(timedelta(seconds=31))
    assert enter(Browser(app)).status == 429, "each wrong try doubles the wait"
    clock.shift(timedelta(seconds=31))
    assert enter(Browser(app)).h1 == "Home"


def test_ten_thousand_guesses_come_to_less_than_a_hundred(story, clock) -> None:
    """Fault row 100: a guess every second for three hours, against one account and from one address."""
    looked_at = 0
    with story():
        cast.person("admin").password_hash = cast.PASSWORD_HASH
        start = datetime.now(UTC)
        at = start
        while at < start + timedelta(hours=3):
            wait = people.entrance.wait_until(ALICE, "203.0.113.9", at)
            if wait is None:
                looked_at += 1
                people.entrance.note_failure(ALICE, "203.0.113.9", at)
            at = (wait or at) + timedelta(seconds=1)
    assert looked_at < 100


def test_one_address_cannot_try_every_account(app: Flask, story, clock) -> None:
    """Fault row 100."""
    with story():
        cast.person("admin").password_hash = cast.PASSWORD_HASH
        for number in range(30):
            people.entrance.note_failure(f"user{number}@marlow.example", "127.0.0.1", cast.now())
    assert enter(Browser(app)).status == 429
    clock.shift(timedelta(minutes=16))
    assert enter(Browser(app)).h1 == "Home"


def test_a_right_password_forgets_the_wrong_ones(alice: str, app: Flask) -> None:
    for _ in range(3):
        for _ in range(4):
            enter(Browser(app), alice, "a guess")
        assert enter(Browser(app)).h1 == "Home"


def test_the_second_step_asks_for_the_code_and_takes_each_once(alice: str, app: Flask, story, clock) -> None:
    """Fault row 100: a code seen over somebody's shoulder is used up."""
    totp = _with_second_factor(story)
    clock.shift(timedelta(minutes=1))
    code = totp.at(datetime.now(UTC))
    browser = Browser(app)
    page = enter(browser)
    assert (page.h1, browser.get("/").h1) == ("Your second step", "Sign in")
    assert browser.get("/sign-in/code").submit("Continue", code=f"{code[:3]} {code[3:]}").h1 == "Home"
    again = Browser(app)
    page = enter(again).submit("Continue", code=code)
    assert page.errors() == {"code": "That code is not right, or it was used before. Wait for the next one."}
    clock.shift(timedelta(seconds=30))
    assert page.submit("Continue", code=totp.at(datetime.now(UTC))).h1 == "Home"


def test_codes_cannot_be_tried_one_after_the_other(alice: str, app: Flask, story, clock) -> None:
    """Fault row 100."""
    totp = _with_second_factor(story)
    clock.shift(timedelta(minutes=1))
    page = enter(Browser(app))
    for _ in range(5):
        page = page.submit("Continue", code="000000")
    page = page.submit("Continue", code=totp.at(datetime.now(UTC)))
    assert (page.status, "too many wrong tries" in page.text) == (429, True)


def test_the_password_alone_opens_the_second_step_for_five_minutes(alice: str, browser: Browser, story, clock) -> None:
    _with_second_factor(story)
    enter(browser)
    clock.shift(timedelta(minutes=6))
    assert browser.get("/sign-in/code").h1 == "Sign in"


def test_a_link_sets_a_password_once(alice: str, app: Flask, story) -> None:
    """Fault row 100."""
    with story():
        token = people.make_reset_link(cast.person("member"), by=cast.COMMAND, now=cast.now())
    page = Browser(app).get(f"/sign-in/password/{token}")
    assert page.h1 == "Choose a password"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    said = page.submit("Set password", password="lantern orchard seventeen", again="lantern orchard seventeen")
    assert (said.h1, said.said) == ("Sign in", "Your password is set. Sign in with it.")
    again = Browser(app).get(f"/sign-in/password/{token}")
    assert (again.status, again.h1) == (410, "This link no longer works")
    assert enter(Browser(app), cast.NAMES["member"][1], "lantern orchard seventeen").h1 == "Home"


@pytest.mark.parametrize("fate", ["a day old", "a newer one was made", "switched off", "made up"])
def test_a_link_dies(alice: str, app: Flask, story, clock, fate: str) -> None:
    with story():
        token = people.make_reset_link(cast.person("member"), by=cast.COMMAND, now=cast.now())
        if fate == "a newer one was made":
            people.make_reset_link(cast.person("member"), by=cast.COMMAND, now=cast.now())
        if fate == "switched off":
            people.deactivate(cast.person("member"), by=cast.COMMAND, now=cast.now())
    if fate == "a day old":
        clock.shift(timedelta(hours=24))
    browser = Browser(app)
    url = f"/sign-in/password/{'x' * 43 if fate == 'made up' else token}"
    assert browser.get(url).status == 410
    sent = browser.post(url, password="lantern orchard seventeen", again="lantern orchard seventeen")
    assert sent.status == 410


def test_a_link_does_not_skip_the_second_step(alice: str, app: Flask, story, clock) -> None:
    _with_second_factor(story)
    with story():
        token = people.make_reset_link(cast.person("admin"), by=cast.COMMAND, now=cast.now())
    words = "lantern orchard seventeen"
    page = Browser(app).get(f"/sign-in/password/{token}").submit("Set password", password=words, again=words)
    assert page.submit("Sign in", email=ALICE, password=words).h1 == "Your second step"


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("short", "at least 12"),
        ("password1234", "first things somebody would guess"),
        ("bob@marlow.example", "too close to your name"),
        ("Bob Tamihana 12", "too close to your name"),
        ("qwertyuiop12", "first things somebody would guess"),
    ],
)
def test_a_password_that_would_be_guessed_is_refused_with_the_reason(
    alice: str, app: Flask, story, chosen: str, why: str
) -> None:
    with story():
        token = people.make_reset_link(cast.person("member"), by=cast.COMMAND, now=cast.now())
    page = Browser(app).get(f"/sign-in/password/{token}").submit("Set password", password=chosen, again=chosen)
    assert page.status == 422
    assert why in page.errors()["password"]
    assert page.submit("Set password", password="lantern orchard x7", again="another one").errors() == {
        "again": "The two are not the same."
    }


def test_the_first_start_says_how_to_make_an_admin(app: Flask, story) -> None:
    page = Browser(app).get("/sign-in")
    assert "flask --app app users create-admin" in page.text
    with story():
        cast.person("admin")
    assert "create-admin" not in Browser(app).get("/sign-in").text


def test_the_demo_shows_how_to_get_in_and_nothing_else_does(make_app, story) -> None:
    with story():
        cast.person("admin")
    assert "counterpart-demo" in Browser(make_app(demo=True)).get("/sign-in").text
    assert "demo" not in Browser(make_app()).get("/sign-in").text


def test_no_address_of_a_session_or_a_link_is_kept_as_it_is(alice: str, browser: Browser, story) -> None:
    """Whoever copies the database cannot sign in with what stands there."""
    enter(browser)
    with story() as session:
        token = people.make_reset_link(cast.person("member"), by=cast.COMMAND, now=cast.now())
        session.flush()
        kept = [one.token_hash for one in session.query(people.SignIn)]
        kept += [one.token_hash for one in session.query(people.ResetLink)]
        assert all(re.fullmatch(r"[0-9a-f]{64}", one) for one in kept)
        assert sessions.hash_token(token) in kept


def _with_second_factor(story) -> pyotp.TOTP:
    with story():
        user = cast.person("admin")
        second_factor.offer(user)
        totp = pyotp.TOTP(user.totp_secret)
        assert second_factor.confirm(user, totp.at(cast.now()), by=cast.COMMAND, now=cast.now())
    return totp
