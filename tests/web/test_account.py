"""My profile: what a person changes about themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask

from portal.domain import people
from portal.domain.activity import Activity, sentence
from portal.domain.people import second_factor
from portal.web.account import browser_name
from tests import cast
from tests.reading import Browser

NEW = "lantern orchard seventeen"


@pytest.fixture
def bob(story, sign_in_as) -> Browser:
    with story():
        cast.person("member").password_hash = cast.PASSWORD_HASH
    return sign_in_as("member")


def said_about(story, verb: str) -> list[str]:
    with story() as session:
        return [sentence(one) for one in session.query(Activity).filter(Activity.verb == verb)]


def test_a_changed_password_ends_every_other_session_and_is_on_record(bob: Browser, sign_in_as, story) -> None:
    elsewhere = sign_in_as("member")
    page = bob.get("/account").click("Change password")
    page = page.submit("Change password", present=cast.PASSWORD, password=NEW, again=NEW)
    assert page.said == "Your password is changed. Everywhere else you have been signed out."
    assert (bob.get("/").h1, elsewhere.get("/").h1) == ("Home", "Sign in")
    assert said_about(story, "password_changed") == ["Password of Bob Tamihana changed"]
    assert said_about(story, "sessions_ended") == ["Sessions of Bob Tamihana ended: their password was changed"]


def test_who_does_not_know_the_present_password_cannot_change_it(bob: Browser, story) -> None:
    page = bob.get("/account/password")
    for _ in range(5):
        page = page.submit("Change password", present="a guess", password=NEW, again=NEW)
        assert (page.status, page.errors()) == (422, {"present": "That is not your present password."})
    page = page.submit("Change password", present=cast.PASSWORD, password=NEW, again=NEW)
    assert "too many wrong tries" in page.errors()["present"]
    assert said_about(story, "password_changed") == []


def test_the_second_factor_is_on_once_a_first_code_was_right(bob: Browser, story, clock) -> None:
    browser = bob.signed_in_as("member")
    page = browser.get("/account").submit("Set up with my phone")
    secret = page.find("//code").text.replace(" ", "")
    assert page.submit("Switch on", code="000000").errors()["code"].startswith("That is not the code shown now.")
    assert "Off. With it" in browser.get("/account").text
    page = browser.get("/account/second-factor").submit("Switch on", code=pyotp.TOTP(secret).at(datetime.now(UTC)))
    assert page.said == "From now on a code from your phone is asked for when you sign in."
    assert said_about(story, "second_factor_on") == ["Second factor switched on for Bob Tamihana"]


def test_the_picture_to_scan_is_served_from_here_and_only_while_it_is_set_up(bob: Browser) -> None:
    assert bob.get("/account/second-factor/qr.svg").status == 404
    bob.get("/account").submit("Set up with my phone")
    picture = bob.client.get("/account/second-factor/qr.svg")
    assert (picture.status_code, picture.mimetype) == (200, "image/svg+xml")
    assert picture.headers["Cache-Control"] == "no-store"
    assert re.match(rb"<\?xml|<svg", picture.data)


def test_switching_the_second_factor_off_takes_the_password(bob: Browser, story) -> None:
    with story():
        user = cast.person("member")
        second_factor.offer(user)
        code = pyotp.TOTP(user.totp_secret).at(cast.now())
        second_factor.confirm(user, code, by=cast.COMMAND, now=cast.now())
    page = bob.get("/account").click("Switch off")
    page = page.submit("Switch off", password="a guess")
    assert page.errors() == {"password": "That is not your present password."}
    assert page.submit("Switch off", password=cast.PASSWORD).said.startswith("Your second factor is off")
    assert said_about(story, "second_factor_off") == ["Second factor switched off for Bob Tamihana"]


def test_sessions_are_listed_and_ended_one_by_one_or_all(app: Flask, bob: Browser, sign_in_as) -> None:
    second, third = sign_in_as("member"), sign_in_as("member")
    page = bob.get("/account")
    rows = page.all("//main//tbody/tr")
    assert len(rows) == 3
    theirs = next(row for row in rows if "this one" not in row.text_content())
    ended = theirs.xpath(".//form")[0].get("action")
    bob.post(ended)
    assert [one.get("/").h1 for one in (second, third)].count("Sign in") == 1
    fourth = sign_in_as("member")
    assert bob.get("/account").submit("Sign out everywhere else").said == "Signed out in 2 other browsers."
    assert [one.get("/").h1 for one in (second, third, fourth)] == ["Sign in"] * 3
    assert bob.get("/").h1 == "Home"


def test_nobody_ends_somebody_elses_session(bob: Browser, sign_in_as, story) -> None:
    """Fault row 98."""
    alice = sign_in_as("admin")
    with story() as session:
        hers = session.query(people.SignIn).filter_by(user_id=cast.person("admin").id).one().id
    assert bob.post(f"/account/sessions/{hers}/endings").status == 404
    assert alice.get("/").h1 == "Home"


def test_ending_this_session_signs_out(bob: Browser) -> None:
    assert bob.get("/account").submit("Sign out").h1 == "Sign in"


def test_a_person_without_a_password_is_told_how_to_get_one(sign_in_as) -> None:
    assert "An admin can make a link" in sign_in_as("support").get("/account").text


def test_what_was_chosen_once_stays_chosen(bob: Browser, story) -> None:
    bob.get("/account").submit("Save", name="Bob T", theme="light")
    with story():
        assert cast.person("member").preferences == {"theme": "light"}
    page = bob.get("/account").submit("Save", theme="")
    assert page.find("/html").get("data-bs-theme") is None
    with story():
        assert cast.person("member").preferences == {}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605 (KHTML, like Gecko) Version/18 Safari/605", "Safari on a Mac"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", "Edge on Linux"),
        ("curl/8", "curl/8"),
        ("", "A browser that did not say its name"),
    ],
)
def test_browsers_are_called_as_people_call_them(sent: str, shown: str) -> None:
    assert browser_name(sent) == shown


def test_a_second_factor_confirmed_late_is_confirmed_all_the_same(bob: Browser, clock) -> None:
    browser = bob.signed_in_as("member")
    page = browser.get("/account").submit("Set up with my phone")
    secret = page.find("//code").text.replace(" ", "")
    clock.shift(timedelta(minutes=10))
    assert "On" in page.submit("Switch on", code=pyotp.TOTP(secret).at(datetime.now(UTC))).text
