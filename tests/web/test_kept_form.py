"""Somebody is signed out while they type: what they typed is not lost, and not sent by anybody else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.domain import library
from portal.domain.people import sessions
from portal.domain.proposals import Proposal
from tests import cast
from tests.cast import COMMAND, make_client, make_firm, now

MESSAGE = "Kia ora,\n\n  <b>as we said</b> & \u201cmore\u201d."


def _signed_out(browser: Any, story: Any) -> None:
    """As an admin does it, or the hours of a night."""
    with story():
        sessions.end_all(cast.person("member"), by=COMMAND, now=now(), reason="ended by an admin")


def test_what_was_typed_into_a_long_form_outlives_the_session(story: Any, sign_in_as: Any, clock: Any) -> None:
    with story():
        make_firm()
        make_client("Acme Corp")
    browser = sign_in_as("member")
    form = browser.get("/proposals/new?client=1")
    _signed_out(browser, story)
    page = form.submit("Make the draft", name="Accounts 2027", message=MESSAGE)
    assert page.status == 401
    assert page.h1 == "You were signed out meanwhile"
    assert page.links()["Sign in, in a new tab"] == "/sign-in"
    too_soon = page.submit("I am signed in: send it")
    assert too_soon.h1 == "You were signed out meanwhile"
    browser.signed_in_as("member")
    page = too_soon.submit("I am signed in: send it")
    if page.h1 == "Signed in again":
        page = page.submit("Send it")
    assert page.said == "The draft is made. Put services into it next."
    with story() as database:
        held = database.scalars(select(Proposal)).one()
        assert (held.name, held.message) == ("Accounts 2027", MESSAGE)


def test_a_form_of_another_session_is_kept_too(story: Any, sign_in_as: Any, clock: Any) -> None:
    """Signed out and in again beside the open form: its token is an old one."""
    with story():
        library.create_service("Payroll", by=COMMAND, now=now(), price=Decimal(18))
    browser = sign_in_as("admin")
    form = browser.get("/library/services/1")
    browser.signed_in_as("admin")
    page = form.submit("Save", price="20")
    assert page.h1 == "Signed in again"
    assert page.submit("Send it").said.startswith("Saved.")


def test_nothing_is_kept_of_what_another_site_sends_or_of_a_button(story: Any, sign_in_as: Any, clock: Any) -> None:
    with story():
        library.create_service("Payroll", by=COMMAND, now=now(), price=Decimal(18))
    browser = sign_in_as("admin")
    browser.get("/library")
    browser.signed_in_as("admin")
    token = {"csrf_token": "old"}
    stranger = browser.send("POST", "/library/services/1", data=token | {"name": "Mine"})
    assert stranger.h1 == "This form has run out"
    ours = {"Referer": browser.base + "/library"}
    button = browser.send("POST", "/library/services/1/archive", data=token, headers=ours)
    assert button.h1 == "This form has run out"
