"""A job on its way into a practice app is killed at every moment it touches the database or the network, and every call
of it is spoiled in every way. After the portal has recovered by itself the client and the job are there once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from portal import deploying
from portal.db import db
from portal.domain import deliveries, library
from portal.domain.apps import ConnectionState
from portal.domain.deliveries import Delivery
from portal.domain.library import Service
from portal.domain.proposals import Proposal
from tests.cast import person
from tests.scenarios.conftest import PRIYA
from tests.scenarios.practice import Practice
from tests.torture.ground import steps_of
from tests.torture.killing import Ended, Killers

FULL = os.environ.get("TORTURE") in ("full", "all")
FEW = 2  # moments, and spoiled calls, of a story that an ordinary run tries
Story = Callable[[Practice], Proposal]


@pytest.fixture
def practice(make_world: Any, workers: Killers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)
    monkeypatch.setattr(workers, "jobs", True)
    with make_world(app="xpm", wide=True) as world:
        made = Practice(world)
        made.ready()
        made.staff(person("admin"), 0)
        made.service("GST returns")
        db.session.commit()
        yield made


def a_known_client(practice: Practice) -> Proposal:
    """A job with somebody who works on it, for a client that is linked."""
    alice = person("admin")
    return practice.accepted(practice.known_client(), _gst(), partner=alice.id, staff=[alice.id])[0]


def a_new_client(practice: Practice) -> Proposal:
    """The client has to be created first."""
    return practice.accepted(practice.new_client(), _gst())[0]


def an_answer_that_was_lost(practice: Practice) -> Proposal:
    """An earlier call made the job, and its answer was lost."""
    proposal = a_known_client(practice)
    practice.minute_is_over()
    practice.spoil("accept_then_drop")
    deploying.deploy([practice.row(proposal).id])
    practice.world.control.clear_faults()
    return proposal


def _gst() -> Service:
    return library.services_named(["GST returns"])["GST returns"]


STORIES = (a_known_client, a_new_client, an_answer_that_was_lost)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.replace("_", " "))
def test_a_job_killed_at_every_moment_is_there_once(
    practice: Practice, workers: Killers, story: Story, tried: list[dict[str, object]]
) -> None:
    """Fault rows 2 to 7: SIGKILL before and after every statement, commit and call."""
    whole = _prepared(practice, story)
    moments = len(_killed(practice, workers, whole, 0).moments)
    _is_right(practice, whole)
    assert 5 < moments < 900
    step = 1 if FULL else max(1, moments // FEW)
    chosen = range(1 + (step // 2 if step > 1 else 0), moments + 1, step)
    survived = 0
    for at in chosen:
        made = _prepared(practice, story)
        ended = _killed(practice, workers, made, at)
        practice.recovers(made)
        try:
            _is_right(practice, made)
        except AssertionError as wrong:
            raise AssertionError(f"killed at {at} of {moments}, {ended.moments[-3:]}: {wrong}") from wrong
        survived += ended.was_killed
    assert survived == len(chosen)
    tried.append(
        {"ledger": "xpm", "what": (story.__doc__ or "").strip(), "how": "SIGKILL", "moments": moments,
         "cases": len(chosen), "killed": survived}
    )  # fmt: skip


FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("accept_then_drop", {}),
    ("accept_then_status", {"status": 500}),
    ("rate_limited", {"retry_after": 1}),
    ("rate_limited", {"retry_after": 3600}),
    ("status", {"status": 500}),
    ("status", {"status": 502, "body": "<html>Bad gateway</html>"}),
    ("status", {"status": 403}),
    ("garbage", {"garbage": "html"}),
    ("garbage", {"garbage": "empty"}),
    ("garbage", {"garbage": "truncated"}),
    ("accept_then_status", {"status": 200, "body": ""}),
    ("accept_then_status", {"status": 200, "body": "<html>Welcome</html>"}),
)


@pytest.mark.parametrize("story", STORIES[:2], ids=lambda story: story.__name__.replace("_", " "))
def test_every_call_of_a_job_spoiled_in_every_way(
    practice: Practice, story: Story, tried: list[dict[str, object]], flying: Any
) -> None:
    """Fault rows 11 to 13, 15, 17, 19, 21 and 22: each call on the way, each fault, once."""
    made = _prepared(practice, story)
    before = len(practice.world.calls())
    deploying.deploy([made])
    calls = len(practice.world.calls()) - before
    practice.recovers(made)
    _is_right(practice, made)
    assert calls >= 1
    cases = [(nth, kind, values) for nth in range(1, calls + 1) for kind, values in FAULTS]
    cases = cases if FULL else cases[:: max(1, len(cases) // FEW)]
    for nth, kind, values in cases:
        made = _prepared(practice, story)
        practice.world.control.fault(kind, vendor="xpm", nth=nth, **values)
        deploying.deploy([made])
        practice.world.control.clear_faults()
        _mend(practice)
        practice.recovers(made)
        try:
            _is_right(practice, made)
        except AssertionError as wrong:
            raise AssertionError(f"call {nth} of {calls}, {kind} {values}: {wrong}") from wrong
    tried.append(
        {"ledger": "xpm", "what": (story.__doc__ or "").strip(), "how": "spoiled calls", "moments": calls,
         "cases": len(cases), "killed": 0}
    )  # fmt: skip


def _prepared(practice: Practice, story: Story) -> int:
    made_id = practice.row(story(practice)).id
    practice.minutes_pass()
    return made_id


def _killed(practice: Practice, workers: Killers, delivery_id: int, at: int) -> Ended:
    """Only when the vendor has done with whatever reached it does time go on."""
    db.session.rollback()
    before = len(practice.world.control.calls(limit=5000))
    ended = workers.run([delivery_id], at)
    until = time.monotonic() + 10
    while len(practice.world.control.calls(limit=5000)) - before < ended.gone and time.monotonic() < until:
        time.sleep(0.005)
    practice.world.control.clear_calls()
    return ended


def _mend(practice: Practice) -> None:
    """A person connects again, and sends again what a fault made look refused."""
    db.session.rollback()
    db.session.expire_all()
    now, connection = datetime.now(UTC), practice.world.connection()
    if connection.state != ConnectionState.CONNECTED:
        connection.move_to(ConnectionState.CONNECTED, now=now)
    for row in deliveries.stuck(connection.id):
        deliveries.try_again(row, by=PRIYA, now=now)
    db.session.commit()


def _is_right(practice: Practice, delivery_id: int) -> None:
    """Client and job once, and nothing the log says is false."""
    practice.is_once(delivery_id)
    row = db.session.get_one(Delivery, delivery_id)
    proposal = db.session.get_one(Proposal, db.session.get_one(deliveries.Job, row.job_id).proposal_id)
    log, steps = practice.log(proposal), steps_of(row)
    created = [line for line in log if line.startswith("Job ") and "created in XPM" in line and "not" not in line]
    found = [line for line in log if line.startswith("Job ") and "found in XPM" in line]
    assert len(created) + len(found) == 1, log
    assert bool(found) == row.adopted, log
    answered = [one for one in steps if one.act == "sent" and one.answer == "created"]
    assert len(answered) == (0 if row.adopted else 1)
    unsure = [line for line in log if "is not known yet" in line]
    lost = [one for one in steps if one.act == "sent" and (one.ended_at is None or one.answer == "lost")]
    assert len(unsure) == len(lost), (log, [(one.act, one.answer) for one in steps])
