"""Single sign-on: the issuer says who somebody is, the team list says whether they may in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from portal.config import SingleSignOn
from portal.domain import people
from tests import cast
from tests.reading import Browser, Page
from tests.web.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, a_key, running_issuer

ALICE = cast.NAMES["admin"][1]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def portal(make_app, issuer: Issuer, story) -> Flask:
    with story():
        cast.person("admin")
    return make_app(sso=SingleSignOn(issuer.address, CLIENT_ID, CLIENT_SECRET, label="Marlow sign-on"))


def sign_in(issuer: Issuer, browser: Browser) -> Page:
    """Leave for the issuer, say yes there, and come back."""
    page = browser.get("/sign-in")
    browser.follow = False
    leaving = page.click("Use Marlow sign-on")
    assert leaving.status in (302, 303)
    browser.follow = True
    return browser.get(issuer.authorize(leaving.headers["Location"]).removeprefix("http://localhost"))


def test_a_verified_email_signs_in_the_first_time_and_the_subject_from_then_on(
    portal: Flask, issuer: Issuer, story
) -> None:
    issuer.sends("u-1", "Alice@Marlow.example")
    assert sign_in(issuer, Browser(portal)).h1 == "Home"
    with story():
        people.change_user(cast.person("admin"), name="Alice Ngata", email="a.ngata@marlow.example", by=cast.COMMAND,
                           now=cast.now())  # fmt: skip
    issuer.sends("u-1", "whatever@marlow.example", verified=False)
    assert sign_in(issuer, Browser(portal)).h1 == "Home"
    with story() as session:
        assert {one.way for one in session.query(people.SignIn)} == {"single sign-on"}


@pytest.mark.parametrize(
    ("subject", "email", "verified"),
    [("u-9", "stranger@marlow.example", True), ("u-9", ALICE, False), ("", ALICE, True), ("u-9", "", True)],
)
def test_strangers_and_unverified_emails_stay_outside(
    portal: Flask, issuer: Issuer, story, subject: str, email: str, verified: bool
) -> None:
    issuer.sends(subject, email, verified=verified)
    browser = Browser(portal)
    page = sign_in(issuer, browser)
    assert page.status in (400, 403)
    assert page.h1 in ("You are not on the team yet", "You are not signed in")
    assert browser.get("/").h1 == "Sign in"
    with story():
        assert cast.person("admin").sso_subject is None


def test_an_email_passed_on_to_somebody_else_there_opens_nothing_here(portal: Flask, issuer: Issuer) -> None:
    issuer.sends("u-1", ALICE)
    sign_in(issuer, Browser(portal))
    issuer.sends("u-2", ALICE)
    assert sign_in(issuer, Browser(portal)).h1 == "You are not on the team yet"


def test_somebody_switched_off_here_stays_outside(portal: Flask, issuer: Issuer, story) -> None:
    issuer.sends("u-1", ALICE)
    sign_in(issuer, Browser(portal))
    with story():
        cast.make_user("Other", "other@marlow.example", "admin")
        people.deactivate(cast.person("admin"), by=cast.COMMAND, now=cast.now())
    assert sign_in(issuer, Browser(portal)).status == 403


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another app"},
        {"nonce": "of another time"},
        {"exp": 1},
        {"exp": None},
    ],
)
def test_an_identity_that_is_not_for_us_or_not_for_now_is_refused(
    portal: Flask, issuer: Issuer, lie: dict[str, Any]
) -> None:
    """Fault row 41."""
    issuer.sends("u-1", ALICE, **lie)
    browser = Browser(portal)
    page = sign_in(issuer, browser)
    assert (page.status, page.h1) == (400, "You are not signed in")
    assert browser.get("/").h1 == "Sign in"


def test_an_identity_signed_by_somebody_else_is_refused(portal: Flask, issuer: Issuer) -> None:
    """Fault row 41."""
    issuer.signing_key = a_key("somebody else's")
    issuer.sends("u-1", ALICE)
    assert sign_in(issuer, Browser(portal)).h1 == "You are not signed in"


def test_an_answer_nobody_asked_for_is_refused(portal: Flask, issuer: Issuer) -> None:
    """Fault row 41: made up, of another browser, answered twice, or refused there."""
    issuer.sends("u-1", ALICE)
    browser, thief = Browser(portal), Browser(portal)
    browser.follow = False
    leaving = browser.get("/sign-in/single-sign-on")
    back = issuer.authorize(leaving.headers["Location"]).removeprefix("http://localhost")
    assert thief.get(back).status == 400
    assert thief.get("/sign-in/single-sign-on/return?code=x&state=y").status == 400
    assert browser.get(back).status == 303
    assert browser.get(back).status == 400
    refused = browser.get("/sign-in/single-sign-on/return?error=access_denied&error_description=<b>no</b>")
    assert (refused.status, "<b>no</b>" in refused.body) == (400, False)


def test_one_lands_where_one_wanted_to_go_but_never_elsewhere(portal: Flask, issuer: Issuer) -> None:
    """Fault row 104."""
    issuer.sends("u-1", ALICE)
    for target, lands in (("/settings/team", "/settings/team"), ("//evil.example", "/")):
        browser = Browser(portal)
        browser.follow = False
        leaving = browser.get("/sign-in/single-sign-on", query={"next": target})
        back = browser.get(issuer.authorize(leaving.headers["Location"]).removeprefix("http://localhost"))
        assert back.headers["Location"] == lands


def test_an_issuer_that_cannot_be_reached_is_told_and_the_password_still_works(portal: Flask, issuer: Issuer) -> None:
    issuer.is_broken = True
    browser = Browser(portal)
    page = browser.get("/sign-in").click("Use Marlow sign-on")
    assert page.status == 502
    assert "Marlow sign-on could not be reached." in page.text
    assert browser.get("/sign-in").buttons() == ["Sign in"]


def test_without_an_issuer_there_is_nothing_of_it(browser: Browser) -> None:
    assert "single" not in browser.get("/sign-in").text
    assert browser.get("/sign-in/single-sign-on").status == 404
    assert browser.get("/sign-in/single-sign-on/return?code=x&state=y").status == 404
