"""Settings: the firm and its team."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.domain import people
from portal.domain.activity import Activity, sentence
from tests import cast
from tests.reading import Browser, Page

STAFF = [
    {"remote_id": "s-1", "name": "Alice N.", "email": "ALICE@marlow.example"},
    {"remote_id": "s-2", "name": "Robert Tamihana", "email": "robert@elsewhere.example"},
]


@pytest.fixture
def alice(sign_in_as) -> Browser:
    return sign_in_as("admin")


def said(story) -> list[str]:
    with story() as session:
        return [sentence(one) for one in session.query(Activity).order_by(Activity.id)]


def test_the_firms_settings_are_saved_and_on_record(alice: Browser, story) -> None:
    page = alice.get("/settings").submit("Save", name="Marlow Pacific", currency="AUD", time_zone="Australia/Sydney")
    assert (page.said, page.title) == ("Saved.", "Settings · Marlow Pacific")
    assert said(story)[-1] == "Firm settings changed: Firm name, Time zone and currency"
    assert alice.get("/settings").submit("Save").said == "Nothing was changed."


@pytest.mark.parametrize(
    ("field", "value"),
    [("country", "XX"), ("currency", "DEM"), ("time_zone", "Mars/Olympus"), ("time_zone", "EST"), ("locale", "tlh_KX")],
)
def test_a_country_zone_currency_or_format_that_is_none_is_refused(
    alice: Browser, story, field: str, value: str
) -> None:
    fields = {
        "name": "Marlow & Co",
        "country": "NZ",
        "currency": "NZD",
        "time_zone": "UTC",
        "locale": "en_NZ",
        "version": "1",
    }
    page = alice.post("/settings", **fields | {field: value})
    assert (page.status, page.errors()) == (422, {field: "Choose one from the list."})
    assert said(story) == []


def test_what_is_offered_is_what_there_is(alice: Browser) -> None:
    page = alice.get("/settings")
    offered = {
        name: page.all(f"//select[@name='{name}']/option/@value")
        for name in ("country", "currency", "time_zone", "locale")
    }
    assert {"NZ", "AU", "GB", "US"} <= set(offered["country"])
    assert {"NZD", "AUD", "EUR"} <= set(offered["currency"])
    assert {"Pacific/Auckland", "Pacific/Apia", "UTC"} <= set(offered["time_zone"])
    assert {"en_NZ", "en_AU", "en_US", "de_DE"} <= set(offered["locale"])
    assert not {"ZZ", "EU", "SU"} & set(offered["country"])
    assert "DEM" not in offered["currency"]


def test_two_admins_saving_at_once_lose_nothing(app: Flask, alice: Browser, story) -> None:
    """Fault row 89."""
    mine = alice.get("/settings")
    alice.get("/settings").submit("Save", name="Marlow Pacific")
    page = mine.submit("Save", name="Marlow & Daughters")
    assert page.status == 409
    assert "Somebody else saved these settings while you had them open" in page.text
    assert "Firm name Marlow Pacific" in page.text
    assert page.find("//input[@name='name']").get("value") == "Marlow & Daughters"
    assert page.submit("Save").title == "Settings · Marlow & Daughters"


def test_an_admin_adds_a_user_and_hands_them_a_link(app: Flask, alice: Browser, story) -> None:
    page = alice.get("/settings/team").click("Add user")
    page = page.submit("Add user", name="Cleo Park", email=" Cleo@Marlow.example ", role="support")
    assert page.h1 == "Cleo Park"
    link = page.find("//input[@id='fresh-link']").get("value")
    assert link.startswith("http://localhost/sign-in/password/")
    assert not alice.get(page.path).all("//input[@id='fresh-link']"), "it is shown once"
    words = "lantern orchard seventeen"
    entered = (
        Browser(app).get(link.removeprefix("http://localhost")).submit("Set password", password=words, again=words)
    )
    assert entered.submit("Sign in", email="cleo@marlow.example", password=words).h1 == "Home"
    assert said(story)[:2] == ["Cleo Park added as support", "Link to set a new password made for Cleo Park"]


def test_an_email_belongs_to_one_person(alice: Browser) -> None:
    page = alice.get("/settings/team/new").submit(
        "Add user", name="Alice Two", email="ALICE@marlow.example", role="member"
    )
    assert page.errors() == {"email": "Alice Ngata already has this email."}


def test_a_form_of_nothing_says_what_is_missing(alice: Browser) -> None:
    page = alice.post("/settings/team", name=" ", email="nonsense", role="owner")
    assert set(page.errors()) == {"name", "email", "role"}


def test_a_new_role_holds_at_once(alice: Browser, sign_in_as, story) -> None:
    bob = sign_in_as("member")
    page = _open(alice, "Bob Tamihana").submit("Save", role="admin")
    assert page.said == "Saved. Bob Tamihana signs in again to work as admin."
    assert bob.get("/").h1 == "Sign in"
    assert bob.signed_in_as("member").get("/settings").h1 == "Settings"


def test_the_last_admin_stays_one(alice: Browser, story) -> None:
    page = _open(alice, "Alice Ngata").submit("Save", role="member")
    assert page.errors() == {"role": "There would be no admin left. Make somebody else an admin first."}
    page = alice.post("/settings/team/1/deactivation")
    assert page.said == "There would be no admin left. Make somebody else an admin first."
    assert alice.get("/settings").status == 200


def test_somebody_switched_off_is_out_at_once_and_can_come_back(alice: Browser, sign_in_as, story) -> None:
    bob = sign_in_as("member")
    page = _open(alice, "Bob Tamihana").submit("Switch Bob Tamihana off")
    assert page.said == "Bob Tamihana can no longer sign in. Switch on again"
    assert bob.get("/").h1 == "Sign in"
    page = page.submit("Switch on again")
    assert page.said == "Bob Tamihana can sign in again."
    assert said(story)[-3:] == [
        "Bob Tamihana switched off; all their sessions ended",
        "Sessions of Bob Tamihana ended: they were switched off",
        "Bob Tamihana switched on again",
    ]


def test_an_admin_helps_somebody_who_lost_the_phone(alice: Browser, story) -> None:
    with story():
        bob = cast.person("member")
        bob.totp_secret, bob.totp_since = "A" * 32, cast.now()
    page = _open(alice, "Bob Tamihana").submit("Switch it off")
    assert page.said == "Bob Tamihana signs in with the password alone until they set it up again."
    assert said(story)[-1] == "Second factor switched off for Bob Tamihana"


def test_the_dropdown_suggests_by_equal_email_and_saves_who_is_who(alice: Browser, story) -> None:
    """XPM-4."""
    with story():
        cast.make_connection(reference={"staff": STAFF})
    page = _open(alice, "Alice Ngata")
    select = page.find("//select[@name='remote_id']")
    assert select.value == "s-1"
    assert "Alice N. has the same email; save to link them." in page.text
    page = page.submit("Save link")
    assert page.said == "Alice Ngata is Alice N. in Xero Practice Manager."
    assert "As partner or manager they now travel both ways." in page.text
    assert said(story)[-1] == "Alice Ngata linked to Alice N. in Xero Practice Manager"


def test_the_dropdown_says_who_already_has_a_person(alice: Browser, story) -> None:
    with story():
        connection = cast.make_connection(reference={"staff": STAFF})
        cast.make_staff_link(cast.person("member"), connection, "s-2", "Robert Tamihana")
        link = f"/settings/team/{cast.person('admin').id}"
        address = f"{link}/staff-links/{connection.id}"
    option = alice.get(link).find("//option[@value='s-2']")
    assert option.get("disabled") is not None
    assert option.text == "Robert Tamihana (robert@elsewhere.example): linked to Bob Tamihana"
    refused = alice.post(address, remote_id="s-2")
    assert refused.said == (
        "Robert Tamihana in Xero Practice Manager is already linked to Bob Tamihana. Nothing was changed."
    )


def test_choosing_nobody_takes_the_link_away(alice: Browser, story) -> None:
    with story():
        connection = cast.make_connection(reference={"staff": STAFF})
        cast.make_staff_link(cast.person("member"), connection, "s-2", "Robert Tamihana")
    page = _open(alice, "Bob Tamihana").submit("Save link", remote_id="")
    assert page.said == "Bob Tamihana is no longer linked to anyone in Xero Practice Manager."
    assert said(story)[-1] == "Bob Tamihana no longer linked to Robert Tamihana in Xero Practice Manager"


def test_without_a_list_of_people_the_page_says_where_it_comes_from(alice: Browser) -> None:
    assert "No connected app has a list of people yet." in _open(alice, "Alice Ngata").text


def test_the_team_page_shows_everyone_and_what_roles_mean(alice: Browser, story) -> None:
    with story():
        cast.person("member")
        cast.make_user("Zoe Gone", "zoe@marlow.example", is_active=False)
        connection = cast.make_connection(reference={"staff": STAFF})
        cast.make_staff_link(cast.person("member"), connection, "s-2", "Robert Tamihana")
    page = alice.get("/settings/team")
    rows = [" ".join(row.text_content().split()) for row in page.all("//main//tbody/tr")]
    assert [row.split("@")[0] for row in rows] == [
        "Alice Ngata no password yet alice",
        "Bob Tamihana no password yet bob",
        "Zoe Gone switched off zoe",
    ]
    assert "Robert Tamihana (XPM)" in rows[1]
    assert "What each role may do" in page.text


@pytest.mark.parametrize("role", ["member", "support"])
def test_who_may_not_change_settings_is_told_who_can(sign_in_as, role: str) -> None:
    page = sign_in_as(role).get("/settings")
    assert page.status == 403
    assert "one has to be an admin" in page.text


def test_two_admins_cannot_leave_at_the_same_time(database) -> None:
    alice, other = cast.person("admin"), cast.make_user("Other", "other@marlow.example", "admin")
    people.deactivate(alice, by=cast.COMMAND, now=cast.now())
    with pytest.raises(people.LastAdmin):
        people.deactivate(other, by=cast.COMMAND, now=cast.now())


def _open(alice: Browser, name: str) -> Page:
    with alice.app.app_context():
        from portal.db import db

        cast.person("member")
        db.session.commit()
    page = alice.get("/settings/team")
    return alice.get(page.find(f"//a[.='{name}']").get("href"))
