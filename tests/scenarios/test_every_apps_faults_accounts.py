"""Signing in, the wrong account, two accounts of one app, other people's addresses: each stays with its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import func, select

from portal import integrations
from portal.db import db
from portal.domain import connections, findings, outgoing
from portal.domain.activity import Activity, Verb, sentence
from portal.domain.apps import (
    CallWindow,
    Conflict,
    Connection,
    ConnectionState,
    ConsentAttempt,
    LinkState,
    RunKind,
    RunState,
    TokenSet,
    UnlinkedRecord,
)
from portal.domain.records import AccountRecord
from tests import cast
from tests.reading import Browser, Page
from tests.scenarios.conftest import PRIYA, World

BACK = "/apps/callback"


def accounts(world: World) -> list[dict[str, Any]]:
    """The app's accounts there: the one in use, and another."""
    kinds = integrations.app_info(world.side.slug).account_kinds
    found = [one for one in world.control.tenants() if one["vendor"] == world.side.vendor and one["kind"] in kinds]
    return sorted(found, key=lambda one: one["id"] != world.tenant)


def figures() -> tuple[int, ...]:
    """How many connections and sign-ins are stored."""
    db.session.expire_all()
    return tuple(db.session.scalar(select(func.count()).select_from(one)) or 0 for one in (Connection, TokenSet))


@dataclass
class SigningIn:
    """A person's browser, on its way to the vendor's consent page and back."""

    world: World
    browser: Browser
    answer: dict[str, str] = field(default_factory=dict)

    def consents(self, account: str, *, decision: str = "allow", **fields: Any) -> SigningIn:
        """Press Connect here and Allow there."""
        self.browser.get("/apps")
        sent = {"csrf_token": self.browser.token, **fields}
        left = self.browser.client.post(f"/apps/{self.world.side.slug}/consents", data=sent)
        assert left.status_code == 303
        page = urlsplit(left.location)
        asked = {name: values[0] for name, values in parse_qs(page.query).items()}
        form = [*asked.items(), ("decision", decision), ("tenant", account), ("realm", account)]
        address = f"{page.scheme}://{page.netloc}{page.path}"
        came = requests.post(address, data=form, allow_redirects=False, timeout=10)
        self.answer = {name: values[0] for name, values in parse_qs(urlsplit(came.headers["location"]).query).items()}
        return self

    def comes_back(self, **instead: str) -> Page:
        return self.browser.get(BACK, query={name: text for name, text in (self.answer | instead).items() if text})


def signing_in(world: World, who: str = "admin") -> SigningIn:
    return SigningIn(world, Browser(world.app).signed_in_as(who))


@pytest.mark.parametrize("how", ["made-up state", "no state", "made-up code", "no code", "denied", "replayed"])
def test_a_consent_that_comes_back_wrong_is_refused_and_stores_nothing(any_world: World, how: str) -> None:
    """Fault row 41."""
    other = accounts(any_world)[1]["id"]
    before = figures()

    def answers() -> Page:
        leaving = signing_in(any_world).consents(other, decision="deny" if how == "denied" else "allow")
        if how == "replayed":
            assert leaving.comes_back().status == 200
        values = {"made-up state": {"state": "x"}, "no state": {"state": ""}, "made-up code": {"code": "x"}}
        return leaving.comes_back(**values.get(how, {"code": ""} if how == "no code" else {}))

    page = any_world.apart(answers)
    assert page.status == 400
    assert len(page.text) > 60
    more = 1 if how == "replayed" else 0
    assert figures() == tuple(one + more for one in before)


def test_a_consent_is_good_only_for_whoever_started_it(any_world: World) -> None:
    """Fault row 41."""
    other = accounts(any_world)[1]["id"]
    cast.make_user("Zoe Ngata", "zoe@marlow.example", "admin")
    db.session.commit()
    before = figures()

    def answers() -> tuple[Page, Page]:
        alice, zoe = signing_in(any_world), signing_in(any_world, "zoe@marlow.example")
        zoe.answer = alice.consents(other).answer
        return zoe.comes_back(), alice.comes_back()

    refused, taken = any_world.apart(answers)
    assert (refused.status, taken.status) == (400, 200)
    assert "Somebody else started this sign-in" in refused.text
    assert figures() == tuple(one + 1 for one in before)
    assert db.session.scalar(select(func.count()).select_from(ConsentAttempt)) == 0


def test_an_account_named_in_the_address_is_reached_only_with_its_own_consent(any_world: World) -> None:
    """Fault rows 38 and 41: where the vendor names the account in the address, anybody could write another there."""
    mine, other = (one["id"] for one in accounts(any_world))
    before = figures()

    def answers() -> Page:
        return signing_in(any_world).consents(other).comes_back(realmId=mine)

    page = any_world.apart(answers)
    stored = set(db.session.scalars(select(Connection.account_id)))
    if any_world.side.slug == "quickbooks":
        assert page.status == 400
        assert figures() == before
    else:
        assert stored == {mine, other}  # the address says nothing: the sign-in itself tells which account it is


def test_connecting_another_account_in_its_place_is_refused_and_mixes_nothing(any_world: World) -> None:
    """Fault row 38, through the vendor's own consent page."""
    any_world.create_there("Rimu Ltd")
    any_world.done()
    connections.lost(any_world.connection(), "It was withdrawn.", app="x", by=PRIYA, now=any_world.now())
    db.session.commit()
    before, stored = any_world.picture(), figures()
    mine, other = accounts(any_world)
    connection_id = any_world.connection_id

    def answers() -> Page:
        return signing_in(any_world).consents(other["id"], reconnects=connection_id).comes_back()

    page = any_world.apart(answers)
    assert page.status == 409
    assert f"the sign-in reached {other['name']}" in page.text
    assert "Nothing was changed" in page.text
    assert (any_world.picture(), figures()) == (before, stored)

    def again() -> Page:
        return signing_in(any_world).consents(mine["id"], reconnects=connection_id).comes_back()

    assert "Every link was kept" in any_world.apart(again).said
    assert any_world.connection().state == ConnectionState.CONNECTED
    any_world.done(full=True)
    assert any_world.names() == ["Rimu Ltd"]


def test_two_accounts_of_one_app_never_mix(any_world: World) -> None:
    """Fault row 38: links, questions, those that wait, budgets and access; records there may have the same numbers."""
    mine, other = accounts(any_world)
    beside = any_world.also(any_world.side.slug, other["id"], intake="chosen", direction="from_app")
    cast.make_client("Kauri Ltd")
    db.session.commit()
    first = any_world.create_there("Rimu Ltd", "KAURI LTD", "Totara Ltd")
    second = beside.create_there("Rimu Ltd", "Miro Ltd", "Totara Ltd")
    any_world.done()
    beside.done()
    assert {one.remote_id for one in any_world.links()} == {first[0], first[2]}
    assert {one.remote_id for one in beside.links()} == {second[0], second[2]}
    assert [one.connection_id for one in findings.open_findings()] == [any_world.connection_id]
    waiting = db.session.execute(select(UnlinkedRecord.connection_id, UnlinkedRecord.name)).all()
    assert set(waiting) == {(any_world.connection_id, "KAURI LTD"), (beside.connection_id, "Miro Ltd")}
    assert any_world.names() == ["Kauri Ltd", "Rimu Ltd", "Totara Ltd"]
    linked = select(Activity).where(Activity.verb == Verb.CLIENT_LINKED)
    assert {other["name"] in sentence(one) for one in db.session.scalars(linked)} == {True}
    assert mine["name"] in connections.label(any_world.connection())


def test_what_happens_to_one_account_does_not_happen_to_the_other(any_world: World) -> None:
    """Fault row 38: an allowance that is used up, records that end, access that is withdrawn."""
    other = accounts(any_world)[1]
    beside = any_world.also(any_world.side.slug, other["id"], intake="all")
    for one in (any_world, beside):
        one.create_there("Rimu Ltd", "Totara Ltd")
        one.done()
    any_world.fault("rate_limited", retry_after="3600")
    assert any_world.sync(full=True).state == RunState.PARTIAL
    beside.done(full=True)
    windows = db.session.scalars(select(CallWindow)).all()
    assert len({one.account for one in windows}) == 2
    assert len([one for one in windows if one.blocked_until is not None]) == 1
    any_world.control.clear_faults()
    beside.end_there(beside.links()[0].remote_id, "archive")
    beside.done(full=True)
    db.session.expire_all()
    assert {one.state for one in any_world.links()} == {LinkState.LINKED}
    any_world.control.revoke(other["id"], vendor=integrations.app_info(beside.side.slug).vendor)
    assert beside.sync(full=True).state == RunState.FAILED
    db.session.expire_all()
    assert beside.connection().state == ConnectionState.NEEDS_RECONNECT
    assert any_world.connection().state == ConnectionState.CONNECTED


def test_another_account_is_never_put_in_the_place_of_the_first(any_world: World) -> None:
    """Fault row 38: by no way in."""
    other = accounts(any_world)[1]
    reached = AccountRecord(other["id"], other["name"], other["kind"])
    with pytest.raises(connections.AnotherAccount):
        connections.reconnect(
            any_world.connection(), reached, any_world.token_set(), app="x", by=PRIYA, now=any_world.now()
        )
    db.session.rollback()
    assert any_world.connection().account_id == any_world.tenant


def test_identifiers_of_one_account_lead_nowhere_under_the_address_of_another(any_world: World) -> None:
    """Fault row 98: every address with two identifiers in it, read from the map of all addresses."""
    beside = any_world.also(any_world.side.slug, accounts(any_world)[1]["id"], intake="all", direction="from_app")
    beside.create_there("Rimu Ltd", "Totara Ltd")
    run, preview = beside.done(), beside.done(kind=RunKind.PREVIEW)
    beside.rename_there(beside.link(beside.client("Rimu Ltd")).remote_id, "Rimu There Ltd")
    link = beside.edit(beside.client("Rimu Ltd"), name="Rimu Here Ltd")
    beside.done()
    conflict = db.session.scalars(select(Conflict)).one()
    waiting = outgoing.ask(cast.make_client("Miro Ltd"), any_world.connection(), by=PRIYA, now=any_world.now())
    theirs = {"link_id": link.id, "conflict_id": conflict.id, "row_id": waiting.id}
    stranger = cast.make_client("Ours Alone Ltd").id
    db.session.commit()
    mine = {"connection_id": any_world.connection_id, "client_id": stranger}
    runs = [run.id, preview.id]
    conflict_id, row_id = conflict.id, waiting.id
    before, there = any_world.picture(), beside.picture()

    def answers() -> list[tuple[str, str, tuple[int, str], tuple[int, str]]]:
        browser, found = Browser(any_world.app).signed_in_as("admin"), []
        browser.follow = False
        addresses = any_world.app.url_map.bind("localhost")
        for rule in any_world.app.url_map.iter_rules():
            for values, second in crossed(rule.arguments, mine, theirs, runs):
                url = addresses.build(rule.endpoint, values)
                nobodys = addresses.build(rule.endpoint, {**values, second: 10**6})
                for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                    ask = browser.get if method == "GET" else browser.post
                    theirs_said, nobodys_said = (ask(one) for one in (url, nobodys))
                    found.append((method, url, _answer(theirs_said), _answer(nobodys_said)))
        return found

    found = any_world.apart(answers)
    assert len(found) > 15
    assert [one for one in found if one[2] != one[3]] == [], "another's answers otherwise than one that never was"
    assert {one[2][0] for one in found} <= {404, 303}
    assert (any_world.picture(), beside.picture()) == (before, there)
    assert db.session.get_one(Conflict, conflict_id).state == "open"
    assert outgoing.get(row_id) is not None


def _answer(page: Page) -> tuple[int, str]:
    return page.status, page.headers.get("Location", "")


def crossed(
    names: set[str], mine: dict[str, int], theirs: dict[str, int], runs: list[int]
) -> list[tuple[dict[str, int], str]]:
    """Ways to fill an address with what is ours in the first place and theirs in the second; which that is."""
    if names == {"connection_id", "run_id"}:
        return [({"connection_id": mine["connection_id"], "run_id": one}, "run_id") for one in runs]
    if len(names) == 2 and "client_id" in names and names & set(theirs):
        second = (names & set(theirs)).pop()
        return [({"client_id": mine["client_id"], second: theirs[second]}, second)]
    return []


@pytest.mark.parametrize("role", ["member", "support"])
def test_only_whoever_may_manage_apps_reaches_what_connects_one(any_world: World, role: str) -> None:
    """Fault row 98: for this very app, by its name and by its number."""
    slug, number, before = any_world.side.slug, any_world.connection_id, figures()

    def answers() -> list[tuple[str, int]]:
        browser = Browser(any_world.app).signed_in_as(role)
        asks: list[tuple[Callable[..., Page], str]] = [
            (browser.get, f"/apps/{slug}/credentials"), (browser.post, f"/apps/{slug}/credentials"),
            (browser.post, f"/apps/{slug}/consents"), (browser.get, f"/apps/{slug}/accounts"),
            (browser.get, f"/apps/{number}/settings"), (browser.post, f"/apps/{number}/settings"),
            (browser.post, f"/apps/{number}/enablement"), (browser.post, f"/apps/{number}/disconnection"),
        ]  # fmt: skip
        return [(url, ask(url).status) for ask, url in asks]

    assert {status for _url, status in any_world.apart(answers)} == {403}
    assert figures() == before
