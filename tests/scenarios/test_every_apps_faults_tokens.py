"""Sign-ins that rotate, run out, are lost on the way, raced for or withdrawn: one call, one state, nothing lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from portal import db as portal_db
from portal import integrations, start, token_keeper
from portal.adapters.http import VendorSession
from portal.db import db
from portal.domain import outgoing
from portal.domain.activity import Verb
from portal.domain.apps import ClientLink, ConnectionState, Outcome, OutgoingState, PushState, RunState, SyncRun
from portal.keys import Vault
from portal.sync import create_due, create_there, recover, send, send_due, work
from tests import cast
from tests.conftest import ENCRYPTION_KEY
from tests.scenarios.conftest import PRIYA, Flying, World

NAMES = ["Kauri Ltd", "Rimu Ltd", "Totara Ltd"]
REFUSED = '{"error": "invalid_grant", "error_description": "Used before."}'


class Killed(BaseException):
    """The process ends here."""


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


def way_in(world: World) -> VendorSession:
    found = integrations.open_session(world.connection())
    db.session.commit()
    return found


def look(world: World, session: VendorSession | None = None) -> str:
    """One call; the name of the first record there."""
    remote_id = world.links()[0].remote_id
    db.session.commit()
    return integrations.APPS[world.side.slug].fetch_client(session or way_in(world), remote_id).name


def waiting_change(world: World) -> ClientLink | None:
    """A change made here that waits to be sent; None for an app that takes none."""
    if not integrations.app_info(world.side.slug).writes_clients:
        return None
    return world.edit(world.client("Rimu Ltd"), name="Rimu Limited")


def has_gone_out(world: World, link: ClientLink | None) -> None:
    if link is not None:
        assert send(link.id) == Outcome.PUSHED
        assert "Rimu Limited" in world.names_there()


def last_run() -> SyncRun:
    return db.session.query(SyncRun).order_by(SyncRun.id.desc()).limit(1).one()


def test_eight_workers_that_need_a_token_at_once_make_one_call(three: World, flying: Flying) -> None:
    """Fault row 31."""
    flying.by_itself = True
    three.run_out()
    connection, remote_id = three.connection(), three.links()[0].remote_id
    ways = [integrations.open_session(connection) for _ in range(8)]
    db.session.commit()
    adapter, gate, got = integrations.APPS[three.side.slug], threading.Barrier(8), []

    def worker(session: VendorSession) -> None:
        gate.wait()
        got.append(adapter.fetch_client(session, remote_id).name)

    threads = [threading.Thread(target=worker, args=(one,)) for one in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert got == [three.links()[0].remote_name] * 8
    assert three.token_calls() == 1
    assert three.connection().state == ConnectionState.CONNECTED


def test_killed_between_a_token_reply_and_its_saving(
    three: World, flying: Flying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 32: where the old token lives on, so does the connection; else one state, and nothing is lost."""
    link = waiting_change(three)
    three.run_out()

    def killed(*_: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(token_keeper.TokenKeeper, "_save", killed)
        with pytest.raises(Killed):
            three.sync(full=True)
    db.session.rollback()
    assert three.token_calls() == 1
    (resumed,) = recover(three.now())
    state = work(resumed)
    assert flying.passed > 50, "the dead worker's lease has to run out first"
    if three.side.old_refresh_token_lives:
        assert state == RunState.DONE, last_run().message
        assert three.connection().state == ConnectionState.CONNECTED
        return
    assert state == RunState.FAILED
    assert three.connection().state == ConnectionState.NEEDS_RECONNECT
    assert three.told(Verb.APP_LOST) == 1
    assert three.names() == sorted({*NAMES, "Rimu Limited"} - {"Rimu Ltd"})
    three.reconnect()
    has_gone_out(three, link)
    three.done(full=True)


@pytest.mark.parametrize("late_one_is", ["served", "refused"])
def test_one_who_hangs_past_its_lease_writes_nothing_and_goes_on_with_the_others_tokens(
    three: World, flying: Flying, monkeypatch: pytest.MonkeyPatch, late_one_is: str
) -> None:
    """Fault rows 33 and 34: SIGSTOP before the request leaves; then the vendor takes the old token, or it does not."""
    adapter = integrations.APPS[three.side.slug]
    asks, hung, taken = adapter.refresh, [], []

    def hangs(**asked: Any) -> Any:
        if not hung:
            hung.append(True)
            flying(61)
            look(three)  # another worker, whose turn it is now
            taken.append(three.token_set().access_token)
            db.session.commit()
        return asks(**asked)

    monkeypatch.setattr(adapter, "refresh", hangs)
    if late_one_is == "refused":
        three.sign_in_fault("status", status=400, body=REFUSED, headers={"Content-Type": "application/json"}, nth=2)
    three.run_out()
    assert look(three) == three.links()[0].remote_name
    assert three.token_calls() == 2
    assert (three.token_set().version, [three.token_set().access_token]) == (2, taken)
    assert three.connection().state == ConnectionState.CONNECTED
    assert three.told(Verb.APP_LOST) == 0
    three.done(full=True)


def test_access_that_was_withdrawn_is_one_state_one_alert_and_no_hammering(three: World) -> None:
    """Fault row 35: told by 401, by 403, when a token is renewed, or by the customer's own doing."""
    link = waiting_change(three)
    row = outgoing.ask(cast.make_client("Matai Ltd"), three.connection(), by=PRIYA, now=three.now())
    db.session.commit()
    withdrawn = {
        "by the customer": lambda: three.control.revoke(
            three.tenant, vendor=integrations.app_info(three.side.slug).vendor
        ),
        "401": lambda: three.fault("revoked", status=401),
        "403": lambda: three.fault("revoked", status=403),
        "when renewed": lambda: (three.run_out(), three.sign_in_fault("revoked")),
    }
    for times, (how, act) in enumerate(withdrawn.items(), start=1):
        act()
        run = three.sync(full=True)
        assert run.state == RunState.FAILED, how
        assert three.connection().state == ConnectionState.NEEDS_RECONNECT, how
        assert three.connection().state_reason
        three.control.clear_calls()
        three.sync(full=True)
        send_due(three.now())
        create_due(three.now())
        assert (three.calls(), three.token_calls()) == ([], 0), how
        assert three.told(Verb.APP_LOST) == times
        if link is not None:
            db.session.refresh(link)
            assert link.push_state == PushState.READY
        db.session.refresh(row)
        assert row.state == OutgoingState.READY
        three.control.clear_faults()
        three.reconnect()
    has_gone_out(three, link)
    assert create_there(row.id) == Outcome.CREATED_THERE
    three.done(full=True)
    assert {one.state for one in three.links()} == {"linked"}


def test_a_token_that_runs_out_on_page_seven_is_renewed_once_and_the_page_asked_for_again(
    any_world: World, flying: Flying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 36."""
    names = [f"Client {number:02} Ltd" for number in range(15)]
    any_world.create_there(*names)
    flying(2)  # what came in the very second of a count may have come after it, and is looked at twice
    for name, value in any_world.side.small_pages:
        monkeypatch.setattr(name, value)
    any_world.fault("token_expired", nth=7 if any_world.side.small_pages else 1)
    run = any_world.done()
    assert any_world.token_calls() == 1
    assert run.counts["created"] == len(names)
    assert any_world.names() == names
    statuses = [call["status"] for call in any_world.calls(any_world.side.lists)]
    assert statuses.count(401) == 1
    asked = [call["path"] + "?" + call["query"] for call in any_world.calls(any_world.side.lists)]
    assert len(asked) - len(set(asked)) == 1


def test_a_token_that_runs_out_before_a_write_costs_one_renewal_and_it_is_written_once(three: World) -> None:
    """Fault row 36."""
    row = outgoing.ask(cast.make_client("Matai Ltd"), three.connection(), by=PRIYA, now=three.now())
    db.session.commit()
    three.fault("token_expired", path=three.side.writes, times=1)
    assert create_there(row.id) == Outcome.CREATED_THERE
    assert three.token_calls() == 1
    assert [call["status"] for call in three.calls(three.side.writes)].count(401) == 1
    assert three.names_there().count("Matai Ltd") == (0 if three.side.slug == "digits" else 1)
    link = waiting_change(three)
    three.fault("token_expired", path=three.side.writes, times=1)
    has_gone_out(three, link)


@pytest.mark.parametrize(
    "trouble",
    [{"kind": "status", "status": 500}, {"kind": "garbage", "garbage": "html"}, {"kind": "drop"}, {"kind": "hang"}],
    ids=lambda one: one["kind"],
)
def test_a_token_endpoint_in_trouble_breaks_no_connection(
    three: World, flying: Flying, monkeypatch: pytest.MonkeyPatch, trouble: dict[str, Any]
) -> None:
    """Fault row 37."""
    from portal.adapters import oauth
    from portal.adapters.http import Patience

    monkeypatch.setattr(oauth, "SIGN_IN", Patience(read=0.2, total=0.3))
    three.run_out()
    three.sign_in_fault(**trouble)
    run = three.sync(full=True)
    assert run.state == RunState.PARTIAL
    assert "tries again by itself" in run.message
    assert three.calls(three.side.lists) == []
    assert three.token_calls() <= 4
    assert three.connection().state == ConnectionState.CONNECTED
    assert three.told(Verb.APP_LOST) == 0
    three.control.clear_faults()
    flying.to(run.resume_at)
    (resumed,) = recover(three.now())
    assert work(resumed) == RunState.DONE


def test_sign_ins_are_closed_and_open_with_older_keys_but_with_no_others(
    three: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 39."""
    held = three.token_set()
    secrets = [held.access_token, held.refresh_token]
    stored = str(db.session.execute(text("SELECT * FROM token_set")).all())
    assert not [one for one in secrets if one and one in stored]
    newest = Fernet.generate_key().decode()
    monkeypatch.setattr(portal_db, "_vault", Vault((newest, ENCRYPTION_KEY)))
    db.session.expire_all()
    three.run_out()
    three.done(full=True)
    renewed = db.session.execute(text("SELECT access_token, refresh_token FROM token_set")).one()
    assert Vault((newest,)).open(renewed.access_token) == three.token_set().access_token
    db.session.remove()
    monkeypatch.setattr(portal_db, "_vault", Vault((Fernet.generate_key().decode(),)))
    with pytest.raises(start.CannotStart, match="not those this database was used with"):
        start.check_keys()
    db.session.remove()
