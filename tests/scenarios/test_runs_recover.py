"""Runs: one at a time, watched, stoppable, and found again after anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from jobs import queue
from portal.db import db
from portal.domain.activity import Activity, Verb
from portal.domain.apps import ClientLink, Outcome, RunItem, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.clients import Client, Contact
from portal.sandbox.vendor import addresses
from portal.sync import ask_to_stop, recover, request_run, runs, work
from portal.sync.recovering import alert_long_runs
from tests.scenarios.conftest import PRIYA, World


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_a_second_press_joins_the_run_that_is_on(world: World) -> None:
    """AP-11; fault row 70."""
    first = world.request()
    second, joined = request_run(
        world.connection(), kind=RunKind.SYNC, trigger=RunTrigger.PERSON, by=PRIYA, now=world.now()
    )
    assert joined
    assert second.id == first.id


def test_twenty_presses_at_once_make_one_run(world: World) -> None:
    """Fault row 70."""
    app, connection_id, found = world.app, world.connection_id, []
    db.session.commit()

    def press() -> None:
        with app.app_context():
            from portal.domain.apps import Connection

            connection = db.session.get_one(Connection, connection_id)
            run, _joined = request_run(
                connection, kind=RunKind.SYNC, trigger=RunTrigger.PERSON, by=PRIYA, now=datetime.now(UTC)
            )
            db.session.commit()
            found.append(run.id)

    threads = [threading.Thread(target=press) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert count(SyncRun) == 1


def test_a_run_that_is_stopped_keeps_what_it_did_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        world.control.create(f"Client {number:02}", tenant=world.tenant)
    monkeypatch.setattr(runs, "PROGRESS_EVERY", 0.0)
    monkeypatch.setattr("portal.sync.creating.BATCH", 5)
    run = world.request()
    original = runs.Watch.step

    def stop_at_ten(watch: runs.Watch, many: int = 1) -> None:
        if watch._phase == "applying" and watch._done == 10:
            db.session.execute(update(SyncRun).where(SyncRun.id == run_id).values(cancel_asked=True))
            db.session.commit()
        original(watch, many)

    run_id = run.id
    monkeypatch.setattr(runs.Watch, "step", stop_at_ten)
    assert work(run_id) == RunState.CANCELLED
    db.session.expire_all()
    assert 5 <= count(Client) < 30
    assert "what was done until then stays" in db.session.get_one(SyncRun, run_id).message
    monkeypatch.setattr(runs.Watch, "step", original)
    world.done()
    assert count(Client) == 30


def test_stopping_a_run_that_nobody_has_started_ends_it(world: World) -> None:
    run = world.request()
    assert ask_to_stop(run, by=PRIYA, now=world.now())
    db.session.commit()
    assert work(run.id) == RunState.CANCELLED


def test_a_run_whose_process_died_is_closed_and_another_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 72."""
    world.control.create("Harbour Cafe Ltd", tenant=world.tenant)
    run = world.request()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    import socket

    holder = f"{socket.gethostname()}:{dead.pid}:abcdef01/{run.id}/1"
    db.session.execute(
        update(SyncRun).where(SyncRun.id == run.id).values(state=RunState.RUNNING, lease_by=holder, heartbeat=3)
    )
    db.session.commit()
    started: list[int] = []
    monkeypatch.setattr("portal.sync.recovering.start", started.append)
    recover(world.now())
    db.session.expire_all()
    old = db.session.get_one(SyncRun, run.id)
    assert old.state == RunState.INTERRUPTED
    assert len(started) == 1
    new = db.session.get_one(SyncRun, started[0])
    assert (new.resumes_id, new.trigger) == (old.id, RunTrigger.RESUME)
    assert work(new.id) == RunState.DONE
    assert count(Client) == 1


def test_a_run_on_another_machine_is_left_alone_until_its_heart_has_stood_still(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault rows 33 and 68: no clock that may jump decides."""
    run = world.request()
    db.session.execute(
        update(SyncRun).where(SyncRun.id == run.id).values(
            state=RunState.RUNNING, lease_by="elsewhere:1:abcdef01/1/1", heartbeat=3
        )
    )  # fmt: skip
    db.session.commit()
    monkeypatch.setattr("portal.sync.recovering.start", lambda _run_id: None)
    stopwatch = [1000.0]
    monkeypatch.setattr("portal.sync.recovering.time.monotonic", lambda: stopwatch[0])
    far_future = world.now() + timedelta(days=1)
    assert recover(far_future) == []
    stopwatch[0] += 89
    assert recover(far_future) == []
    stopwatch[0] += 2
    assert len(recover(far_future)) == 1


def test_a_worker_that_lost_its_run_writes_nothing_more(world: World) -> None:
    """Fault row 33."""
    run = world.request()
    token = runs.take(run.id, world.now())
    assert token is not None
    watch = runs.Watch(run.id, token)
    db.session.execute(update(SyncRun).where(SyncRun.id == run.id).values(lease_by="somebody else"))
    db.session.commit()
    with pytest.raises(runs.LeaseLost):
        watch.write()
    assert not runs.end(run.id, token, RunState.DONE, world.now())


def test_an_outage_ends_the_run_partly_done_and_it_goes_on_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault rows 17 and 19."""
    world.control.create("Harbour Cafe Ltd", tenant=world.tenant)
    world.control.fault("rate_limited", vendor="xpm", path="client.api/list", retry_after=3600, problem="day")
    run = world.sync()
    assert run.state == RunState.PARTIAL
    assert run.resume_at is not None
    assert run.resume_at > world.now() + timedelta(minutes=50)
    world.control.clear_faults()
    started: list[int] = []
    monkeypatch.setattr("portal.sync.recovering.start", started.append)
    assert recover(world.now()) == []
    from portal.domain.apps import CallWindow

    db.session.execute(delete(CallWindow))  # the hour is over
    db.session.commit()
    assert recover(run.resume_at + timedelta(seconds=1)) == started
    assert work(started[0]) == RunState.DONE, db.session.get_one(SyncRun, started[0]).message
    assert count(Client) == 1


def test_revoked_access_is_a_state_with_a_way_out_and_nothing_is_lost(world: World) -> None:
    """Fault row 35."""
    world.control.create("Harbour Cafe Ltd", tenant=world.tenant)
    world.done()
    link = world.edit(world.client("Harbour Cafe Ltd"), phone="2")
    world.control.revoke(world.tenant)
    run = world.sync()
    assert run.state == RunState.FAILED
    assert world.connection().state == "needs_reconnect"
    db.session.refresh(link)
    assert link.push_state == "ready"
    assert count_of(Verb.APP_LOST) == 1
    world.control.clear_calls()
    world.sync()
    assert world.calls() == []
    assert count_of(Verb.APP_LOST) == 1


def count_of(verb: Verb) -> int:
    return db.session.scalar(select(func.count()).select_from(Activity).where(Activity.verb == verb)) or 0


def test_a_run_longer_than_an_hour_is_told_once(world: World) -> None:
    """XPM-11, AP-15; fault row 71."""
    run = world.request()
    runs.take(run.id, world.now() - timedelta(minutes=61))
    assert alert_long_runs(world.now()) == 1
    assert alert_long_runs(world.now()) == 0
    assert count_of(Verb.SYNC_LONG) == 1


def test_a_process_going_down_hands_its_run_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 9, for a sync."""
    world.control.create("Harbour Cafe Ltd", tenant=world.tenant)
    run = world.request()
    queue.stopping.set()
    try:
        assert work(run.id) == RunState.INTERRUPTED
    finally:
        queue.stopping.clear()
    started: list[int] = []
    monkeypatch.setattr("portal.sync.recovering.start", started.append)
    recover(world.now())
    assert work(started[0]) == RunState.DONE
    assert count(Client) == 1


def test_one_bad_record_costs_only_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """AP-16."""
    for name in ("Good One Ltd", "Bad Ltd", "Good Two Ltd"):
        world.control.create(name, tenant=world.tenant)
    from portal.domain.importing import Importer

    original = Importer._client

    def fails_for_one(importer: Importer, record, mark):
        if record.name == "Bad Ltd":
            raise ValueError("this one cannot be stored")
        return original(importer, record, mark)

    monkeypatch.setattr(Importer, "_client", fails_for_one)
    run = world.done()
    assert run.counts["created"] == 2
    assert run.counts["failed"] == 1
    bad = db.session.scalars(select(RunItem).where(RunItem.outcome == Outcome.FAILED)).one()
    assert bad.name == "Bad Ltd"
    assert "cannot be stored" in bad.reason


CHILD = """
import sys
sys.path.insert(0, {root!r})
from dataclasses import replace
from pathlib import Path
from portal.config import Settings
from app import create_app
app = create_app(Settings(data_dir=Path({data!r}), database_url={url!r}, scheduler=False, secret_keys=("k" * 20,),
    encryption_keys=({key!r},), environment={environment!r}), migrate=False)
with app.app_context():
    from portal.sync import work
    print(work(int(sys.argv[1])), flush=True)
"""


def test_a_first_import_killed_half_way_doubles_and_loses_nobody(
    make_world, tmp_path: Path, running, test_settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 72: with contacts, groups and names that wait. `test_killed_anywhere` kills at any other moment."""
    with make_world(clients=200) as world:
        script = CHILD.format(
            root=str(Path(__file__).parents[2]), data=str(tmp_path), url=test_settings.database_url,
            key=test_settings.encryption_keys[0], environment=addresses(running.url),
        )  # fmt: skip
        run = world.request()
        child = subprocess.Popen([sys.executable, "-c", script, str(run.id)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = count(Client)
            db.session.rollback()
            if done >= 80 or child.poll() is not None:
                break
            time.sleep(0.005)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
        child.wait()
        started: list[int] = []
        monkeypatch.setattr("portal.sync.recovering.start", started.append)
        recover(world.now())
        for run_id in started:
            assert work(run_id) == RunState.DONE
        there = world.control.clients(tenant=world.tenant, limit=1000)
        current = {one["uuid"] for one in there if not (one["archived"] or one["deleted"])}
        linked = list(db.session.scalars(select(ClientLink.remote_id)))
        assert len(linked) == len(set(linked)) == count(Client)
        waiting = set(db.session.scalars(select(RunItem.remote_id).where(RunItem.outcome == Outcome.AMBIGUOUS)))
        assert set(linked) == current - waiting
        assert count(Contact) == sum(len(one["contacts"]) for one in there if one["uuid"] in set(linked))
        searchable = db.session.execute(select(func.count()).select_from(db.text("client_search"))).scalar_one()
        assert searchable == count(Client)


class _Deadlock(Exception):
    sqlstate = "40P01"


def test_a_record_that_lost_a_race_is_done_again_and_comes_to_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 79."""
    from sqlalchemy.exc import OperationalError

    from portal.sync.applying import Applier

    there = world.control.create("Harbour Cafe Ltd", phone="1", tenant=world.tenant)
    world.done()
    world.control.change(there["uuid"], phone="2")
    original, lost = Applier._apply, []

    def loses_twice(applier: Applier, *args: object) -> object:
        outcome = original(applier, *args)
        if len(lost) < 2:
            lost.append(1)
            raise OperationalError("UPDATE", {}, _Deadlock())
        return outcome

    monkeypatch.setattr(Applier, "_apply", loses_twice)
    run = world.done()
    assert run.counts["updated"] == 1
    assert world.client("Harbour Cafe Ltd").phone == "2"
    assert count_of(Verb.CLIENT_PULLED) == 1


def test_a_database_that_fails_in_the_middle_ends_the_run_partly_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault rows 75 to 78, for a sync: nothing half done, and it goes on by itself."""
    from sqlalchemy.exc import OperationalError

    from portal.sync.creating import Newcomers

    for name in ("One Ltd", "Two Ltd"):
        world.control.create(name, tenant=world.tenant)

    def full(_self: Newcomers, _batch: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(Newcomers, "_bring_in", full)
        run = world.sync()
    assert run.state == RunState.PARTIAL
    assert "goes on by itself" in run.message
    assert count(Client) == 0
    started: list[int] = []
    monkeypatch.setattr("portal.sync.recovering.start", started.append)
    assert run.resume_at is not None
    recover(run.resume_at)
    assert work(started[0]) == RunState.DONE
    assert count(Client) == 2


def test_a_worker_thread_that_died_in_a_living_process_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = world.request()
    assert runs.take(run.id, world.now()) is not None  # and nobody is at work on it
    started: list[int] = []
    monkeypatch.setattr("portal.sync.recovering.start", started.append)
    recover(world.now())
    db.session.expire_all()
    assert db.session.get_one(SyncRun, run.id).state == RunState.INTERRUPTED
    assert len(started) == 1
