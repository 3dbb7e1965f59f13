"""Getting in, getting out, and who gets where."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pyotp
from playwright.sync_api import expect

from portal.demo import facts
from tests.browser.visitor import Visitor
from tests.browser.world import World


def test_who_types_a_wrong_password_is_told_and_keeps_the_email(someone: Callable[..., Visitor]) -> None:
    stranger = someone(None)
    stranger.open("/clients")
    stranger.is_at("Sign in")
    stranger.look()
    with stranger.expecting(422, 401):
        stranger.page.get_by_label("Email").fill("support@example.com")
        stranger.page.get_by_label("Password").fill("a guess")
        stranger.press("Sign in")
        stranger.is_told("That did not work")
    expect(stranger.page.get_by_label("Email")).to_have_value("support@example.com")
    stranger.look("refused")


def test_signing_in_leads_where_one_wanted_to_go_and_signing_out_closes_every_page(
    someone: Callable[..., Visitor],
) -> None:
    priya = someone(None)
    priya.open("/clients?status=lead")
    priya.sign_in("admin@example.com", facts.PASSWORD)
    expect(priya.page).to_have_url(re.compile(r"/clients\?status=lead$"))
    priya.page.locator("summary", has=priya.page.locator(".face")).click()
    priya.look("menu open")
    priya.press("Sign out")
    priya.is_at("Sign in")
    priya.page.go_back()
    priya.page.reload()
    priya.is_at("Sign in")


def test_a_second_factor_is_set_up_with_the_phone_and_asked_for_at_the_next_sign_in(
    world: World, someone: Callable[..., Visitor]
) -> None:
    ana = someone("support")
    ana.open("/account")
    ana.look()
    ana.press("Set up with my phone")
    ana.is_at("Set up a second factor")
    ana.look()
    key = ana.page.locator("code.key").inner_text().replace(" ", "")
    ana.page.get_by_label("Six digits").fill(pyotp.TOTP(key).now())
    ana.press("Switch on")
    ana.is_told("From now on a code from your phone is asked for")
    ana.look("second factor on")

    again = someone(None)
    again.open("/sign-in")
    again.sign_in("support@example.com", facts.PASSWORD)
    again.is_at("Your second step")
    again.look()
    with again.expecting(422, 401):
        again.page.get_by_label("Six digits").fill("000000")
        again.press("Continue")
        again.sees("That code is not right")
    again.page.get_by_label("Six digits").fill(_a_later_code(key))
    again.press("Continue")
    again.is_at("Home")

    again.open("/account/second-factor/removal")
    again.look()
    again.page.get_by_label("Password").fill(facts.PASSWORD)
    again.press("Switch off")
    again.is_told("Your second factor is off")


def _a_later_code(key: str) -> str:
    """Each code is good for one use; a phone half a minute ahead shows the next one, which is taken too."""
    totp = pyotp.TOTP(key)
    return totp.at(datetime.now(UTC), counter_offset=1)


def test_a_member_sees_no_settings_and_is_told_who_can_change_them(someone: Callable[..., Visitor]) -> None:
    tom = someone("member")
    tom.open("/")
    expect(tom.page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings")).to_have_count(0)
    with tom.expecting(403):
        tom.open("/settings")
        tom.is_at("Your role does not reach here")
    tom.sees("an admin")
    tom.look("refused")


def test_when_a_session_was_ended_elsewhere_the_next_click_leads_to_the_sign_in(
    connected: World, someone: Callable[..., Visitor]
) -> None:
    at_the_office, at_home = someone(None), someone(None)
    for visitor in (at_the_office, at_home):
        visitor.open("/sign-in")
        visitor.sign_in("member@example.com", facts.PASSWORD)
    at_the_office.open("/clients")
    at_home.open("/account")
    at_home.press("Sign out everywhere else")
    at_home.is_told(re.compile("Signed out in .* other browser"))
    with at_the_office.expecting(401):
        at_the_office.page.locator("#narrow [name=q]").press_sequentially("harbour")
        at_the_office.is_at("Sign in")
    at_the_office.sign_in("member@example.com", facts.PASSWORD)
    at_the_office.is_at("Clients")
