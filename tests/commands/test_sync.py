"""Syncs and jobs from the command line, against the sandbox: what they say, and the exit codes scripts act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import func, select

from jobs import queue
from portal.db import db
from portal.domain.apps import Connection, ConnectionState, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.clients import Client
from tests.commands.conftest import Run
from tests.scenarios.conftest import World, make_world, running  # noqa: F401 - fixtures of the scenarios

MakeWorld = Callable[..., AbstractContextManager[World]]


@pytest.fixture
def world(make_world: MakeWorld) -> Iterator[World]:  # noqa: F811 - the fixture above
    with make_world(clients=12) as made:
        db.session.remove()
        yield made
    queue.stopping.clear()


def _sync(run: Run, world: World, *args: str) -> Any:
    db.session.remove()
    return run("sync", "xpm", *args, app=world.app)


def test_a_sync_brings_the_practice_in_and_says_so(world: World, run: Run) -> None:
    done = _sync(run, world)
    assert done.exit_code == 0, done.output
    assert "finished, 12 created" in done.output
    assert db.session.scalar(select(func.count()).select_from(Client)) == 12
    latest = db.session.scalars(select(SyncRun)).one()
    assert (latest.trigger, latest.by_name) == (RunTrigger.COMMAND, "Command line")


def test_a_preview_shows_every_record_and_changes_nothing(world: World, run: Run) -> None:
    shown = _sync(run, world, "--preview")
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("to create") >= 12
    assert "/previews/" in shown.output
    assert db.session.scalar(select(func.count()).select_from(Client)) == 0


def test_an_app_that_must_be_connected_again_exits_with_three(world: World, run: Run) -> None:
    connection = db.session.get_one(Connection, world.connection_id)
    connection.state, connection.state_reason = ConnectionState.NEEDS_RECONNECT, "Access was withdrawn."
    db.session.commit()
    refused = _sync(run, world)
    assert refused.exit_code == 3
    assert "Access was withdrawn." in refused.output
    assert "/apps" in refused.output
    status = run("sync", "status", app=world.app)
    assert status.exit_code == 3


def test_access_withdrawn_during_the_run_exits_with_three(world: World, run: Run) -> None:
    world.control.fault("revoked", vendor="xpm")
    ended = _sync(run, world)
    assert ended.exit_code == 3, ended.output


def test_a_vendor_that_is_down_exits_with_one_or_four(world: World, run: Run) -> None:
    world.control.fault("status", vendor="xpm", status=503, body="")
    ended = _sync(run, world)
    assert ended.exit_code in (1, 4), ended.output
    assert db.session.scalar(select(func.count()).select_from(Client)) == 0


def test_an_app_nobody_connected_exits_with_three(run: Run) -> None:
    refused = run("sync", "xpm")
    assert refused.exit_code == 3
    assert "is not connected" in refused.output


def test_two_connections_must_be_told_apart(world: World, run: Run) -> None:
    first = db.session.get_one(Connection, world.connection_id)
    values = {"app": "xpm", "account_id": "x", "account_name": "Harbour Street", "state": ConnectionState.CONNECTED}
    db.session.add(Connection(**values, state_changed_at=first.state_changed_at))
    db.session.commit()
    refused = _sync(run, world)
    assert refused.exit_code == 2
    assert "Harbour Street" in refused.output
    assert _sync(run, world, "--connection", str(world.connection_id)).exit_code == 0


def test_a_second_press_joins_the_run_under_way(world: World, run: Run) -> None:
    """Fault row 70, from the command line."""
    made = world.request(RunKind.SYNC)
    made.state = RunState.DONE  # so that watching it ends at once; what counts is that no second one was made
    db.session.commit()
    assert _sync(run, world).exit_code == 0
    assert db.session.scalar(select(func.count()).select_from(SyncRun)) == 2


def test_status_tells_how_every_app_stands(world: World, run: Run) -> None:
    assert "never synced" in run("sync", "status", app=world.app).output
    _sync(run, world)
    db.session.remove()
    told = run("sync", "status", app=world.app)
    assert told.exit_code == 0
    assert "last in step" in told.output
    assert "finished (12 created)" in told.output


def test_jobs_are_listed_and_can_be_done_now(world: World, run: Run) -> None:
    listed = run("jobs", "list", app=world.app).output
    assert "nightly-sync" in listed
    db.session.remove()
    done = run("jobs", "run", "tidy", app=world.app)
    assert done.exit_code == 0, done.output
    unknown = run("jobs", "run", "moon-landing", app=world.app)
    assert unknown.exit_code == 2
    assert "There are: nightly-sync" in unknown.output
