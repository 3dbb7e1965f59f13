"""Lists that shift, repeat, break off or shrink, records that end, clocks that are wrong: no link is lost for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from portal import integrations
from portal.db import db
from portal.domain.activity import Activity, Verb
from portal.domain.apps import Connection, LinkState, Outcome, RunState
from portal.sync import send
from tests.scenarios.conftest import Flying, World

FIVE = ["Kauri Ltd", "Manuka Ltd", "Ngaio Ltd", "Rimu Ltd", "Totara Ltd"]
MOST_CALLS = 30  # of a run over three pages, whatever the list does


@pytest.fixture
def five(any_world: World, flying: Flying, monkeypatch: pytest.MonkeyPatch) -> World:
    """Five clients in step; from now on a page of a list holds two."""
    any_world.create_there(*FIVE)
    any_world.done()
    flying(2)  # a list with records of the very second is read twice where its length is counted first
    for name, value in any_world.side.small_pages:
        monkeypatch.setattr(name, value)
    any_world.control.clear_calls()
    return any_world


def states(world: World) -> set[LinkState]:
    db.session.expire_all()
    return {LinkState(one.state) for one in world.links()}


def told(verb: Verb) -> int:
    return db.session.scalar(select(func.count()).select_from(Activity).where(Activity.verb == verb)) or 0


def test_a_list_of_several_pages_comes_whole(five: World) -> None:
    """Fault row 26, when nothing is wrong."""
    five.done(full=True)
    pages = [call for call in five.calls(five.side.lists) if call["status"] == 200]
    assert len(pages) in ((3, 4) if five.side.small_pages else (1,))  # four where the number is asked first
    assert states(five) == {LinkState.LINKED}


def test_a_page_that_repeats_for_ever_ends_the_run_and_changes_nothing(five: World) -> None:
    """Fault row 26."""
    before = five.picture()
    five.fault("repeat_page")
    run = five.sync(full=True)
    if five.side.small_pages:
        assert run.state == RunState.FAILED
        assert five.picture() == before
        assert five.side.slug in run.message.lower()
    else:
        assert run.state == RunState.DONE  # its list has no pages
    assert len(five.calls()) < MOST_CALLS
    five.control.clear_faults()
    five.done(full=True)
    assert five.names() == FIVE


def test_a_list_that_is_wrong_about_its_length_loses_nobody(five: World) -> None:
    """Fault row 26: too many promised, too few, an empty last page."""
    for right, wrong in five.side.totals:
        before = five.picture()[:2]
        five.control.clear_calls()
        five.fault("rewrite", replace=[[right, wrong]])
        run = five.sync(full=True)
        assert run.state in (RunState.DONE, RunState.FAILED), run.message
        assert five.picture()[:2] == before, wrong
        assert len(five.calls()) < MOST_CALLS
        five.control.clear_faults()
    if five.side.slug == "digits":
        five.control.state(digits_last_cursor="filled")
        five.done(full=True)
    assert states(five) == {LinkState.LINKED}


def test_a_list_that_shifts_while_it_is_read_loses_nobody(five: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 26: between two pages one record goes, one comes, one is renamed."""
    first, second, *_rest = (one.remote_id for one in five.links())

    def meanwhile() -> None:
        five.end_there(first, five.side.vanishes)
        five.create_there("Aka Ltd")
        five.rename_there(second, "Zz Ltd")

    monkeypatch.setattr(integrations.APPS[five.side.slug], "fetch_clients", disturbed(five, meanwhile))
    five.done(full=True)
    db.session.expire_all()
    assert [one.state for one in five.links() if one.remote_id != first] == [LinkState.LINKED] * (len(five.links()) - 1)
    monkeypatch.undo()
    five.done(full=True)
    five.done(full=True)
    assert set(five.names_there()) <= set(five.names())
    assert len(five.names()) == 6


def disturbed(world: World, act: Callable[[], None]) -> Callable[..., Any]:
    """The app's own reading, with this done there after its first record has come."""
    reads = integrations.APPS[world.side.slug].fetch_clients

    def fetch(session: Any, since: Any) -> Any:
        for number, record in enumerate(reads(session, since)):
            yield record
            if number == 0:
                act()

    return fetch


def test_a_list_that_is_suddenly_empty_is_held_for_a_person(any_world: World) -> None:
    """Fault row 27."""
    names = [f"Client {number:02} Ltd" for number in range(12)]
    any_world.create_there(*names)
    any_world.done()
    before = any_world.picture()
    any_world.fault("empty_list")
    for _night in range(2):
        run = any_world.sync(full=True)
        assert run.state == RunState.HELD
        assert "12" in run.message
        assert "100 %" in run.message
        assert any_world.picture() == before
    assert told(Verb.SYNC_HELD) == 2
    assert told(Verb.LINK_BROKEN) == 0
    any_world.control.clear_faults()
    any_world.done(full=True)
    assert states(any_world) == {LinkState.LINKED}
    assert any_world.names() == any_world.names_there() == names


def test_an_empty_list_of_changes_means_that_nothing_changed(any_world: World) -> None:
    """Fault row 27."""
    any_world.create_there(*FIVE)
    any_world.done()
    any_world.fault("empty_list")
    run = any_world.done()
    assert run.counts.get("broken", 0) == 0 or not any_world.connection().ways.lists_everything
    assert states(any_world) == {LinkState.LINKED}


def test_records_that_end_there_break_their_links_and_are_not_made_again(five: World) -> None:
    """Fault row 28: archived, deleted, merged. An app whose list says nothing about who is missing keeps the links."""
    by_name = {one.remote_name: one for one in five.links()}
    for name, how in (("Kauri Ltd", "archive"), ("Manuka Ltd", "delete"), ("Ngaio Ltd", "merge")):
        five.end_there(by_name[name].remote_id, how, into=by_name["Rimu Ltd"].remote_id if how == "merge" else "")
    run = five.done(full=True)
    db.session.expire_all()
    ended = [by_name[name] for name in FIVE[:3]]
    if five.side.deletes_show:
        assert run.counts["broken"] == 3
        assert {one.state for one in ended} == {LinkState.BROKEN}
        assert all(five.side.slug.upper() in one.broken_why.upper() for one in ended)
    else:
        assert states(five) == {LinkState.LINKED}
    assert five.names() == FIVE
    assert not [one for one in FIVE if five.client(one).is_archived]
    five.control.clear_calls()
    for name in FIVE[:3]:
        link = five.edit(five.client(name), phone="1", name=f"{name} again")
        assert send(link.id) is None or not five.side.deletes_show
    assert not five.calls(five.side.writes)
    again = five.done(full=True)
    assert again.counts.get("broken", 0) == 0
    assert five.names_there() == ["Rimu Ltd", "Totara Ltd"]


def test_an_identifier_that_comes_back_for_somebody_else_is_not_taken_for_the_old_client(five: World) -> None:
    """Fault row 28: the link stays marked, and the client keeps its own name, until a person has looked."""
    side = five.side
    gone, *rest = five.links()
    others = [side.write(one.remote_id, one.remote_name) for one in rest]
    five.answer_with(*others)
    five.done(full=True)
    five.control.clear_faults()
    five.answer_with(side.write(gone.remote_id, "Somebody Else Ltd"), *others)
    five.done(full=True)
    if side.deletes_show:  # where absence says nothing, this cannot be told from a record that was renamed
        assert five.names() == FIVE
        assert five.links()[0].state == LinkState.BROKEN


@pytest.mark.parametrize("skew", [-600, 600])
def test_no_change_is_missed_by_a_vendor_whose_clock_is_wrong(any_world: World, flying: Flying, skew: int) -> None:
    """Fault row 29."""
    any_world.control.clock(skew_seconds=skew)
    rimu, totara = any_world.create_there("Rimu Ltd", "Totara Ltd")
    any_world.done()
    for number in range(2):
        any_world.rename_there(rimu, f"Rimu {number} Ltd")
        flying(90)
        run = any_world.done()
        any_world.rename_there(totara, f"Totara {number} Ltd")
        any_world.done()
        assert any_world.names() == [f"Rimu {number} Ltd", f"Totara {number} Ltd"]
        assert not run.is_full
        assert run.counts["updated"] == 1
    cursor = db.session.get_one(Connection, any_world.connection_id).cursor
    assert cursor is not None
    assert abs((cursor - any_world.now()).total_seconds() - skew) < 60
    assert any_world.items(run, Outcome.QUARANTINED) == []
