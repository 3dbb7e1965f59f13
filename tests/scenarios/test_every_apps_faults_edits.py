"""Edited here and there between two syncs: a conflict that is shown, whose loser is kept and can be put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import select

from portal import integrations
from portal.db import db
from portal.domain import links
from portal.domain.apps import Conflict, Outcome, PushState
from portal.domain.clients import SyncState
from portal.sync import send
from tests import cast
from tests.reading import Browser
from tests.scenarios.apps import EACH
from tests.scenarios.conftest import PRIYA, Flying, World

MakeWorld = Callable[..., AbstractContextManager[World]]
HERE, THERE = "Rimu Here Ltd", "Rimu There Ltd"


@pytest.fixture(params=[(slug, wide) for slug in EACH for wide in (False, True)], ids=str)
def in_step(make_world: MakeWorld, flying: Flying, request: pytest.FixtureRequest) -> Iterator[World]:
    """Rimu Ltd is in step: as the app's own settings have it, and as widely as it allows."""
    slug, wide = request.param
    with make_world(app=slug, wide=wide) as world:
        world.create_there("Rimu Ltd")
        cast.make_client("Rimu Ltd")
        db.session.commit()
        assert world.done().counts["linked"] == 1
        world.done()
        yield world


def writes(world: World) -> bool:
    return integrations.app_info(world.side.slug).writes_clients


@pytest.mark.parametrize("first", ["here", "there"])
def test_a_name_changed_on_both_sides_is_a_conflict_and_nothing_is_lost(
    in_step: World, flying: Flying, first: str
) -> None:
    """Fault row 90."""
    client, remote_id = in_step.client("Rimu Ltd"), in_step.links()[0].remote_id
    changes = {"here": lambda: in_step.edit(client, name=HERE), "there": lambda: in_step.rename_there(remote_id, THERE)}
    for side in sorted(changes, key=lambda one: one != first):
        changes[side]()
        flying(60)
    in_step.done()
    in_step.done()
    conflict = db.session.scalars(select(Conflict)).one()
    assert (conflict.here, conflict.there, conflict.state) == (HERE, THERE, "open")
    assert len(conflict.why) > 20
    db.session.refresh(client)
    assert client.sync_state == SyncState.CONFLICT
    winner = HERE if conflict.winner == "here" else THERE
    if in_step.connection().direction != "both":
        assert winner == (HERE if in_step.connection().direction == "to_app" else THERE)
    assert (client.name, in_step.name_there(remote_id)) == (winner, winner)
    address = f"/clients/{client.id}"
    shown = in_step.apart(lambda: Browser(in_step.app).signed_in_as("member").get(address).text)
    assert HERE in shown
    assert THERE in shown
    puts_the_loser_back(in_step, remote_id, HERE if winner == THERE else THERE)


def puts_the_loser_back(world: World, remote_id: str, loser: str) -> None:
    conflict = db.session.scalars(select(Conflict)).one()
    links.swap_conflict(conflict, by=PRIYA, now=world.now())
    db.session.commit()
    world.done()
    assert world.names() == [loser]
    if writes(world):
        send(world.links()[0].id)
        assert world.name_there(remote_id) == loser
    else:
        assert world.name_there(remote_id) == THERE, "its books can only be read"


def disturbed(world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], times: int = 1) -> None:
    """This happens there just before we write, so many times."""
    adapter = integrations.APPS[world.side.slug]
    update, left = adapter.update_clients, [True] * times

    def late(session: Any, changes: Any) -> Any:
        if left and left.pop():
            act()
        return update(session, changes)

    monkeypatch.setattr(adapter, "update_clients", late)


@pytest.mark.parametrize("way", ["in a run", "at once"])
def test_a_stale_revision_is_read_once_more_and_the_conflict_shown(
    make_world: MakeWorld, flying: Flying, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Fault row 90, for the app that tells stale changes apart (SyncToken)."""
    with make_world(app="quickbooks", wide=True) as world:
        remote_id, other = world.create_there("Rimu Ltd", "Totara Ltd")
        world.done()
        world.done()
        disturbed(world, monkeypatch, lambda: world.rename_there(remote_id, THERE))
        link = world.edit(world.client("Rimu Ltd"), name=HERE)
        world.edit(world.client("Totara Ltd"), name="Totara Limited")
        world.control.clear_calls()
        if way == "in a run":
            world.done()
        else:
            assert send(link.id) in (Outcome.CONFLICT, Outcome.UPDATED)  # ours goes, or theirs comes
        conflict = db.session.scalars(select(Conflict)).one()
        assert (conflict.here, conflict.there) == (HERE, THERE)
        assert world.name_there(remote_id) == (HERE if conflict.winner == "here" else THERE)
        if way == "in a run":
            assert world.name_there(other) == "Totara Limited"


def test_a_record_that_keeps_changing_there_is_left_for_later_and_not_fought_over(
    make_world: MakeWorld, flying: Flying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 90: read again once, then it waits."""
    with make_world(app="quickbooks", wide=True) as world:
        (remote_id,) = world.create_there("Rimu Ltd")
        world.done()
        world.done()
        disturbed(world, monkeypatch, lambda: world.change_there(remote_id, phone=str(flying.passed)), times=9)
        link = world.edit(world.client("Rimu Ltd"), name=HERE)
        world.control.clear_calls()
        assert send(link.id) == Outcome.FAILED
        assert len(world.calls(world.side.writes)) == 2
        db.session.refresh(link)
        assert link.push_state == PushState.READY
        assert link.push_next_at is not None
        monkeypatch.undo()
        assert send(link.id) == Outcome.PUSHED
        assert world.name_there(remote_id) == HERE


@pytest.mark.parametrize("slug", ["xero", "xpm"])
def test_without_revisions_a_change_to_another_field_survives_ours(
    make_world: MakeWorld, flying: Flying, monkeypatch: pytest.MonkeyPatch, slug: str
) -> None:
    """Fault row 90: only the field that changed is written, right after a look."""
    with make_world(app=slug, wide=True) as world:
        (remote_id,) = world.create_there("Rimu Ltd", phone="09 555 0100")
        world.done()
        world.done()
        disturbed(world, monkeypatch, lambda: world.change_there(remote_id, phone="09 555 0199"))
        link = world.edit(world.client("Rimu Ltd"), name=HERE)
        assert send(link.id) == Outcome.PUSHED
        assert world.name_there(remote_id) == HERE
        assert "09 555 0199" in str(world.remote(HERE))
