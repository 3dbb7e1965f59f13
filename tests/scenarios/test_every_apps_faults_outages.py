"""An app that has had enough, is down, or is not who it says: runs wait, end in good order, and go on by themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from portal import integrations
from portal.db import db
from portal.domain import outgoing
from portal.domain.apps import ClientLink, Outcome, OutgoingClient, OutgoingState, PushState, RunState, SyncRun
from portal.sync import create_there, recover, send, work
from tests import cast
from tests.adapters.raw_server import saying
from tests.scenarios.apps import EACH
from tests.scenarios.conftest import PRIYA, Flying, World
from tests.wire.test_transport import own_certificate

MakeWorld = Callable[..., AbstractContextManager[World]]
NAMES = ["Kauri Ltd", "Rimu Ltd", "Totara Ltd"]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _started_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that go on are worked off here, not in the background."""
    monkeypatch.setattr("portal.sync.recovering.start", lambda _run_id: None)


@pytest.fixture
def three(any_world: World) -> World:
    """Three clients in step."""
    any_world.create_there(*NAMES)
    any_world.done()
    any_world.control.clear_calls()
    return any_world


def other_app(world: World) -> World:
    """Another app of the same firm, in which nothing is wrong."""
    beside = world.also("digits" if world.side.slug != "digits" else "quickbooks", intake="all")
    beside.create_there("Untouched Ltd")
    return beside


def goes_on(run: SyncRun, world: World, flying: Flying) -> SyncRun:
    """When its time has come it goes on in another run, without a person."""
    assert run.state == RunState.PARTIAL
    flying.to(run.resume_at)
    started = recover(world.now())
    assert len(started) == 1
    work(started[0])
    db.session.expire_all()
    return db.session.get_one(SyncRun, started[0])


def allow(monkeypatch: pytest.MonkeyPatch, world: World, **values: int) -> None:
    """Have the portal think that the vendor allows this, and keep nothing back for people."""
    adapter = integrations.APPS[world.side.slug]
    allowance = replace(adapter.info.allowance, kept_for_people=0, **values)
    monkeypatch.setattr(adapter, "info", replace(adapter.info, allowance=allowance))


@pytest.mark.parametrize("said", ["2", "absent", "date", "garbage"])
def test_a_429_is_waited_out_whatever_it_says_about_when(three: World, flying: Flying, said: str) -> None:
    """Fault row 17: no sooner than told, no later than sensible, and the run ends as if nothing had been."""
    three.create_there("Miro Ltd")
    three.fault("rate_limited", retry_after=said, seconds=5, times=2)
    run = three.done(full=True)
    least = {"2": 3.5, "date": 8.0}.get(said, 10.0)
    assert least <= flying.passed <= 150
    assert run.calls <= 12
    assert three.names() == three.names_there()


def test_a_long_rest_ends_the_run_and_it_goes_on_by_itself_while_others_sync(three: World, flying: Flying) -> None:
    """Fault row 17."""
    beside = other_app(three)
    three.create_there("Miro Ltd")
    three.fault("rate_limited", retry_after="3600")
    before, began = three.picture(), three.now()
    run = three.sync(full=True)
    assert run.state == RunState.PARTIAL
    assert "It goes on by itself." in run.message
    assert run.resume_at is not None
    assert abs(run.resume_at - began - HOUR) < timedelta(seconds=90)
    assert three.picture() == before
    assert "Untouched Ltd" in (beside.done(), beside.names())[1]
    three.control.clear_calls()
    assert three.sync(full=True).state == RunState.PARTIAL  # somebody presses Sync now all the same
    assert three.calls() == []
    three.control.clear_faults()
    assert goes_on(run, three, flying).state == RunState.DONE
    assert "Miro Ltd" in three.names()


def waiting(world: World) -> tuple[ClientLink | None, int]:
    """A change that waits to be sent, where the app takes changes, and a client that waits to be created there."""
    row = outgoing.ask(cast.make_client("Matai Ltd"), world.connection(), by=PRIYA, now=world.now())
    db.session.commit()
    row_id, takes_changes = row.id, integrations.app_info(world.side.slug).writes_clients
    return world.edit(world.client("Rimu Ltd"), name="Rimu Limited") if takes_changes else None, row_id


def test_a_write_that_is_told_to_wait_goes_out_once_when_its_time_has_come(three: World, flying: Flying) -> None:
    """Fault row 17: waited for when it is short, put down when it is long."""
    link, row_id = waiting(three)
    three.fault("rate_limited", path=three.side.writes, retry_after="3600", seconds=3600)
    for act in ([lambda: send(link.id)] if link else []) + [lambda: create_there(row_id)]:
        assert act() == Outcome.FAILED
    row = outgoing.get(row_id)
    assert row is not None
    assert row.next_at is not None
    assert row.state == OutgoingState.READY
    assert row.next_at - three.now() > timedelta(minutes=50)
    if link is not None:
        db.session.refresh(link)
        assert link.push_state == PushState.READY
        assert link.push_next_at is not None
        assert link.push_next_at - three.now() > timedelta(minutes=50)
    db.session.commit()
    three.control.clear_faults()
    three.control.clear_calls()
    flying(3700)
    three.fault("rate_limited", path=three.side.writes, retry_after="2", times=1)
    three.done()
    assert db.session.get(OutgoingClient, row_id) is None
    if three.side.slug != "digits":  # whose books show nobody without a transaction
        assert three.names_there() == ["Kauri Ltd", "Matai Ltd", "Rimu Limited", "Totara Ltd"]
    assert len([call for call in three.calls(three.side.writes) if call["status"] == 429]) == 1


def test_a_storm_of_429s_costs_few_calls(three: World, flying: Flying) -> None:
    """Fault row 17."""
    three.fault("rate_limited", retry_after="2")
    run = three.sync(full=True)
    assert run.state == RunState.PARTIAL
    assert len(three.calls(three.side.lists)) <= 6
    three.control.clear_faults()
    assert goes_on(run, three, flying).state == RunState.DONE


def test_the_minutes_allowance_is_kept_without_the_vendor_having_to_say_so(
    three: World, flying: Flying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 17: counted at the vendor, whose windows lie elsewhere than ours."""
    allow(monkeypatch, three, per_minute=10)
    flying(61)  # what was called before is forgotten
    three.control.limits(minute=10, clear_usage=True)
    three.control.clear_calls()
    began = flying.passed
    while len(three.calls()) < 25:
        three.done(full=True)
    assert {call["status"] for call in three.calls()} == {200}
    assert flying.passed - began >= 60


def test_the_days_calls_are_used_up_and_it_goes_on_tomorrow(
    three: World, flying: Flying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 18: an app without a daily limit says so; the others stop calling, tell until when, and go on then."""
    today = integrations.calls_today(three.connection())
    db.session.commit()
    if not three.side.counts_days:
        assert (today.per_day, today.left, today.used > 0) == (None, None, True)
        return
    allow(monkeypatch, three)
    three.control.limits(day=5, clear_usage=True)
    run = three.done(full=True)
    three.create_there("Miro Ltd")
    while run.state == RunState.DONE:
        run = three.sync(full=True)
    assert run.state == RunState.PARTIAL
    assert "Today's calls to Xero" in run.message
    assert integrations.calls_today(three.connection()).left == 0
    assert run.resume_at is not None
    assert run.resume_at - three.now() <= timedelta(hours=24)
    three.control.clear_calls()
    assert three.sync(full=True).state == RunState.PARTIAL
    assert three.calls() == []
    db.session.refresh(run)
    assert goes_on(run, three, flying).state == RunState.DONE
    assert "Miro Ltd" in three.names()


def test_ten_bad_minutes_cost_few_calls_and_end_by_themselves(three: World, flying: Flying) -> None:
    """Fault row 19: what waits to be sent or created waits on; another app does not notice."""
    beside, info = other_app(three), integrations.app_info(three.side.slug)
    link, row_id = waiting(three)
    three.fault("status", path=".", status=503)
    run, began = three.sync(full=True), flying.passed
    if link is not None:
        assert send(link.id) == Outcome.FAILED
    while flying.passed - began < 600:
        run = goes_on(run, three, flying)
        assert run.state == RunState.PARTIAL
        assert "tries again by itself" in run.message
    assert len(three.calls()) < 30
    assert "Untouched Ltd" in (beside.done(), beside.names())[1]
    three.control.clear_faults()
    assert goes_on(run, three, flying).state == RunState.DONE
    three.done()
    assert {one.push_state for one in three.links()} == {PushState.NONE}
    assert db.session.get(OutgoingClient, row_id) is None
    expected = {"Kauri Ltd", "Totara Ltd", "Matai Ltd", "Rimu Limited" if info.writes_clients else "Rimu Ltd"}
    assert set(three.names_there()) | {"Matai Ltd"} == expected


def test_a_redirect_is_not_followed_and_no_token_leaves(three: World) -> None:
    """Fault row 30."""
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as elsewhere:
        three.fault("redirect", url=f"{elsewhere.url}/steal")
        before = three.picture()
        run = three.sync(full=True)
        assert elsewhere.requests == []
    assert run.state == RunState.FAILED
    assert "we did not go" in run.message
    assert three.picture() == before
    assert len(three.calls(three.side.lists)) == 1


@pytest.mark.parametrize("slug", EACH)
def test_whoever_cannot_prove_who_it_is_gets_no_token(
    make_world: MakeWorld, flying: Flying, tmp_path: Path, slug: str
) -> None:
    """Fault row 30: a certificate nobody vouches for, an address that is not encrypted."""
    setting = f"{slug.upper()}_API_URL"
    with (
        saying(b"", own_certificate(tmp_path)) as stranger,
        make_world(app=slug, **{setting: f"https://localhost:{stranger.port}"}) as world,
    ):
        run = world.sync()
        assert run.state == RunState.PARTIAL
        assert "its certificate is not valid. Nothing was sent" in run.message
        assert stranger.requests == []
        assert world.calls() == []
    with (
        pytest.raises(ValueError, match="must begin with https"),
        make_world(app=slug, **{setting: "http://x.example"}),
    ):
        pass
