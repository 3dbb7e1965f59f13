"""Whatever an app answers, a run understands it whole, sets one record aside, or changes nothing and says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import psutil
import pytest

from portal import integrations
from portal.adapters.http import QUICK, Patience, Transport
from portal.db import db
from portal.domain import outgoing
from portal.domain.apps import LinkState, Outcome, OutgoingState, PushState, RunState, SyncRun
from portal.sync import create_there, send
from tests import cast
from tests.scenarios.apps import EACH, XPM_IN_JSON
from tests.scenarios.conftest import PRIYA, Flying, World

MEBIBYTE = 1024 * 1024
NAMES = ["Kauri Ltd", "Rimu Ltd", "Totara Ltd"]
XML_GARBAGE = ("malformed_xml", "wrong_encoding", "doctype", "billion_laughs_small", "quadratic", "external_entity")


@pytest.fixture
def three(any_world: World) -> World:
    """Three clients in step."""
    any_world.create_there(*NAMES)
    any_world.done()
    any_world.control.clear_calls()
    return any_world


def comes_to_nothing(world: World, *states: RunState, **values: Any) -> SyncRun:
    """A full run that changes nothing here or there and says what is wrong."""
    before, there = world.picture(), world.names_there()
    run = world.sync(full=True, **values)
    assert run.state in states, (run.state, run.message)
    assert len(run.message) > 20
    assert (world.picture(), world.names_there()) == (before, there)
    return run


def mends_itself(world: World) -> None:
    """Once the app behaves, a run finds everything."""
    world.control.clear_faults()
    world.done(full=True)
    assert world.names() == world.names_there()


def reads(world: World) -> int:
    return len(world.calls(world.side.lists))


def test_a_refusal_inside_a_200_is_the_apps_own_words_and_no_empty_list(three: World) -> None:
    """Fault row 13."""
    three.fault("status", status=200, body=three.side.refusal, headers={"Content-Type": three.side.media})
    run = comes_to_nothing(three, RunState.FAILED)
    assert "The list is locked" in run.message
    assert reads(three) == 1
    mends_itself(three)


def test_a_write_refused_inside_a_200_has_failed_and_no_identifier_is_believed(three: World) -> None:
    """Fault row 13: changed and created clients alike, each with the app's own words."""
    before = three.names_there()
    three.fault(path=three.side.writes, **three.side.refuse_write("No such name here"))
    made = cast.make_client("Matai Ltd")
    row = outgoing.ask(made, three.connection(), by=PRIYA, now=three.now())
    db.session.commit()
    assert create_there(row.id) == Outcome.FAILED
    db.session.refresh(row)
    assert row.state == OutgoingState.FAILED
    assert "No such name here" in row.reason
    assert not [one for one in three.links() if one.client_id == made.id]
    if integrations.app_info(three.side.slug).writes_clients:
        link = three.edit(three.client("Rimu Ltd"), name="Rimu Limited")
        assert send(link.id) == Outcome.FAILED
        db.session.refresh(link)
        assert (link.push_state, "No such name here" in link.push_error) == (PushState.FAILED, True)
        assert link.agreed["name"] == "Rimu Ltd"
    assert three.names_there() == before


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fractions of a second stand for minutes, a megabyte for a hundred."""
    sent = Transport.send

    def send_quickly(self: Transport, request: Any, patience: Patience = QUICK, should_stop: Any = None) -> Any:
        short = replace(patience, read=0.3, total=0.15, largest=min(patience.largest, MEBIBYTE))
        return sent(self, request, short, should_stop)

    monkeypatch.setattr(Transport, "send", send_quickly)


@pytest.mark.usefixtures("hurried")
def test_what_trickles_never_ends_or_swells_costs_neither_time_nor_memory(three: World, flying: Flying) -> None:
    """Fault row 20."""
    process, began = psutil.Process(), time.monotonic()
    before = process.memory_info().rss
    for garbage in ("slow_bytes", "endless", "huge", "gzip_bomb"):
        three.fault("garbage", garbage=garbage, interval=0.02, size_mb=32)
        comes_to_nothing(three, RunState.FAILED, RunState.PARTIAL)
        three.control.clear_faults()
        flying(700)  # the circuit has closed again
    assert process.memory_info().rss - before < 100 * MEBIBYTE
    assert time.monotonic() - began < 20
    mends_itself(three)


def test_a_cut_or_foreign_answer_is_asked_for_again_and_nothing_half_read_is_kept(three: World, flying: Flying) -> None:
    """Fault row 21."""
    for garbage in ("html", "empty", "truncated", "cut", "wrong_length"):
        three.control.clear_calls()
        three.fault("garbage", garbage=garbage, times=1)
        three.done(full=True)
        three.control.clear_calls()
        three.fault("garbage", garbage=garbage)
        run = comes_to_nothing(three, RunState.FAILED, RunState.PARTIAL)
        assert reads(three) <= 4, garbage
        if garbage == "html":
            assert "<title>Temporarily unavailable" in run.message  # the start of it, for whoever looks into it
        three.control.clear_faults()
        flying(700)
    mends_itself(three)


@pytest.fixture(params=EACH)
def in_json(
    make_world: Callable[..., AbstractContextManager[World]], flying: Flying, request: pytest.FixtureRequest
) -> Iterator[World]:
    """XPM speaks JSON as well, where it is set to."""
    with make_world(app=request.param, wide=True, XPM_WIRE_FORMAT="json") as world:
        if request.param == "xpm":
            world.side = XPM_IN_JSON
        world.create_there(*NAMES)
        world.done()
        yield world


def test_json_that_cannot_be_trusted_is_refused_whole_with_the_reason(in_json: World, flying: Flying) -> None:
    """Fault row 22."""
    write = in_json.side.write
    for what, record in {
        "cut": write("1", "Half Ltd")[:-4],
        "not a number": write("1", "Rimu Ltd", Extra="NaN"),
        "infinite": write("1", "Rimu Ltd", Extra="1e400"),
        "key twice": write("1", "Rimu Ltd", Extra="1")[:-1] + ', "Extra": 2}',
        "bottomless": write("1", "Rimu Ltd", Extra="[" * 100_000 + "]" * 100_000),
        "5,000 digits": write("1", "Rimu Ltd", Extra="9" * 5000),
    }.items():
        in_json.answer_with(record)
        run = comes_to_nothing(in_json, RunState.FAILED)
        assert "app says" in run.message, what
        in_json.control.clear_faults()
    in_json.fault("garbage", garbage="bom")
    in_json.done(full=True)
    mends_itself(in_json)


def test_half_a_character_sets_one_record_aside(in_json: World) -> None:
    """Fault row 22."""
    ids = [link.remote_id for link in in_json.links()]
    names = [link.remote_name for link in in_json.links()]
    good = [in_json.side.write(one, name) for one, name in zip(ids, names, strict=True)]
    in_json.answer_with(*good, in_json.side.write("77", "HALF").replace("HALF", "half \\ud83d face"))
    run = in_json.done(full=True)
    (aside,) = in_json.items(run, Outcome.QUARANTINED)
    assert (aside.remote_id, aside.name) == ("77", "half ? face")
    assert in_json.names() == NAMES


@pytest.mark.parametrize("garbage", XML_GARBAGE)
def test_hostile_xml_ends_the_run_and_reads_no_file(
    make_world: Callable[..., AbstractContextManager[World]], flying: Flying, garbage: str
) -> None:
    """Fault row 23, for the app that speaks XML."""
    with make_world(app="xpm", wide=True) as world:
        world.create_there(*NAMES)
        world.done()
        world.fault("garbage", garbage=garbage)
        began = time.process_time()
        comes_to_nothing(world, RunState.FAILED)
        assert time.process_time() - began < 2
        assert world.control.calls(path="trap") == []
        mends_itself(world)


def test_hostile_xml_in_a_refusal_is_not_read_either(
    make_world: Callable[..., AbstractContextManager[World]], flying: Flying
) -> None:
    """Fault row 23, for the app that refuses in XML whatever was asked for."""
    lines = [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9)]
    laughs = f'<!DOCTYPE x [<!ENTITY l0 "lol">{"".join(lines)}]><IntuitResponse><Fault>&l8;</Fault></IntuitResponse>'
    with make_world(app="quickbooks", wide=True) as world:
        world.create_there(*NAMES)
        world.done()
        world.fault("status", status=400, body=laughs, headers={"Content-Type": "text/xml"})
        run = comes_to_nothing(world, RunState.FAILED)
        assert "lollol" not in run.message


def test_odd_values_are_lived_with_or_set_aside_and_shown(three: World) -> None:
    """Fault row 24: one odd record is its own trouble; also when it is linked, its link stays as it is."""
    side = three.side
    kauri, *others = three.links()
    odd_linked = side.write(kauri.remote_id, " ")
    good = [side.write(one.remote_id, one.remote_name) for one in others]
    three.answer_with(*(text for text, _why in side.odd), *good, odd_linked, *(text for text, _name in side.lived_with))
    run = three.done(full=True)
    aside = three.items(run, Outcome.QUARANTINED)
    for found, (text, why) in zip(aside, side.odd, strict=False):
        assert why in found.reason
        assert found.record is not None
        assert found.record["raw"], text
    assert len(aside) == len(side.odd) + 1
    assert aside[-1].remote_id == kauri.remote_id
    assert "no name" in aside[-1].reason
    assert {one.state for one in three.links()} == {LinkState.LINKED}
    assert three.names() == sorted([*NAMES, *(name for _text, name in side.lived_with)])


def test_odd_dates_are_read_right_or_count_for_nothing(three: World) -> None:
    """Fault row 25: also in the year 1 and 9999, and where the zone moves them beyond all years."""
    side, info = three.side, integrations.app_info(three.side.slug)
    good = [side.write(one.remote_id, one.remote_name) for one in three.links()]
    three.answer_with(*good, *(text for text, _at in side.stamps))
    three.done(full=True)
    seen = {one.remote_name: one.seen["changed_at"] for one in three.links()[3:]}
    assert list(seen.values()) == [at.isoformat() if at else None for _text, at in side.stamps]
    assert bool(side.stamps) == info.tells_change_times, "an app that stamps its records can stamp them oddly"
