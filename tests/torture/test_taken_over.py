"""A process dies or hangs with deliveries in hand, and another goes on without waiting for its lease to run out.

One that is dead for certain costs no time. One that only hangs is never taken for dead: what it was sending is looked
for, and not sent again before its lease would have been over; when it wakes up it writes nothing.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from jobs import queue, schedule
from portal import deliveries as shell
from portal import integrations
from portal.db import db
from portal.domain import workers as hearts
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice
from portal.domain.records import InvoiceState
from portal.domain.workers import Worker
from tests.scenarios.conftest import World
from tests.torture.ground import LEDGERS, Ground, ground_of, log_of, steps_of
from tests.torture.killing import Killers

Worlds = Callable[..., AbstractContextManager[World]]


@pytest.fixture(params=LEDGERS)
def ground(make_world: Worlds, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)
    with ground_of(make_world, request.param) as made:
        yield made


def _asked(ground: Ground) -> int:
    made_id = ground.bill(ground.known_client()).id
    db.session.commit()
    ground.minute_is_over()
    return made_id


def _moments(ground: Ground, workers: Killers) -> list[str]:
    """What a delivery does, of a worker that is let live."""
    met = workers.run([_asked(ground)]).moments
    ground.world.control.clear_calls()
    return met


def _writing(moments: list[str], what: str) -> int:
    """The moment of the call that creates: it goes out, or its last byte has gone."""
    sends = [at for at, one in enumerate(moments, 1) if one.startswith("send P")]
    return (
        sends[-1] if what == "send" else next(at for at, one in enumerate(moments, 1) if at > sends[-1] and one == what)
    )


def _row(delivery_id: int) -> Delivery:
    db.session.expire_all()
    return db.session.get_one(Delivery, delivery_id)


def _there(ground: Ground, delivery_id: int) -> int:
    found = ground.count(db.session.get_one(Invoice, _row(delivery_id).invoice_id).number)
    db.session.rollback()
    return found


def _is_out(ground: Ground, many: int) -> None:
    """The vendor has done with what reached it."""
    until = time.monotonic() + 10
    while len(ground.world.control.calls(limit=5000)) < many and time.monotonic() < until:
        time.sleep(0.01)


def test_what_a_killed_process_was_sending_is_found_at_once_by_the_next(ground: Ground, workers: Killers) -> None:
    """Fault rows 4 and 7, and row 72 for deliveries: it is there as a whole, and no lease is waited for."""
    at = _writing(_moments(ground, workers), "gone")
    made = _asked(ground)
    ended = workers.run([made], at)
    assert ended.was_killed
    assert _row(made).state == DeliveryState.SENDING
    _is_out(ground, ended.gone)
    ground.minute_is_over()
    began = time.monotonic()
    shell.deliver_due(datetime.now(UTC))
    assert time.monotonic() - began < 10
    assert (_row(made).state, _row(made).adopted) == (DeliveryState.DELIVERED, True)
    assert _there(ground, made) == 1
    _is_whole(ground, made)


def _is_whole(ground: Ground, delivery_id: int) -> None:
    """Fault row 7: the one call that was killed has made all of it; nothing is completed afterwards."""
    invoice = db.session.get_one(Invoice, _row(delivery_id).invoice_id)
    adapter = integrations.ledger_for(ground.world.connection())
    number, mark, due_on, total = invoice.number, invoice.mark, invoice.due_on, invoice.total
    ground.minute_is_over()
    session = integrations.open_session(ground.world.connection())
    db.session.rollback()
    (one,) = adapter.find_invoices(session, [number], [mark])
    assert (one.number, one.total, one.due_on, one.mark) == (number, total, due_on, mark)
    assert one.state in (InvoiceState.OPEN, InvoiceState.DRAFT)
    assert sum(step.act == "sent" for step in steps_of(_row(delivery_id))) == 1


def test_what_a_killed_process_had_not_sent_yet_goes_out_with_the_next(ground: Ground, workers: Killers) -> None:
    """Fault row 2: taken in hand, and not marked."""
    moments = _moments(ground, workers)
    for at in [at for at, one in enumerate(moments, 1) if one == "committed"]:
        made = _asked(ground)
        assert workers.run([made], at).was_killed
        if (_row(made).state, bool(_row(made).lease_by)) == (DeliveryState.WAITING, True):
            break
    else:
        pytest.fail("nobody was ever killed between taking it in hand and marking it")
    ground.minute_is_over()
    shell.deliver_due(datetime.now(UTC))
    assert (_row(made).state, _row(made).adopted) == (DeliveryState.DELIVERED, False)
    assert _there(ground, made) == 1


def test_a_portal_that_starts_again_goes_on_by_itself_within_half_a_minute(
    app: Flask, make_world: Worlds, workers: Killers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault rows 2 and 4: killed with one in hand and one not begun; the next start delivers both, nobody helping."""
    monkeypatch.setattr(schedule, "JOBS", tuple(one for one in schedule.JOBS if one.name == "deliveries"))
    with ground_of(make_world, "xero") as ground:
        at = _writing(_moments(ground, workers), "gone")
        first, second = _asked(ground), _asked(ground)
        ended = workers.run([first], at)
        assert ended.was_killed
        _is_out(ground, ended.gone)
        ground.minute_is_over()
        db.session.remove()
        began = time.monotonic()
        schedule.start(app)
        try:
            while time.monotonic() - began < 30:
                if {_row(first).state, _row(second).state} == {DeliveryState.DELIVERED}:
                    break
                db.session.rollback()
                time.sleep(0.1)
        finally:
            schedule.stop()
            queue.use(app)  # others may work again
        print(f"after the start it took {time.monotonic() - began:.1f} seconds")
        assert (_row(first).state, _row(first).adopted) == (DeliveryState.DELIVERED, True)
        assert (_row(second).state, _row(second).adopted) == (DeliveryState.DELIVERED, False)
        assert (_there(ground, first), _there(ground, second)) == (1, 1)


@pytest.mark.parametrize("what", ["send", "gone"])
def test_a_process_that_hangs_is_not_taken_for_dead_and_writes_nothing_when_it_wakes(
    ground: Ground, workers: Killers, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 33: stopped just before its call goes out, or just after; it wakes up after another has taken over."""
    at = _writing(_moments(ground, workers), what)
    made = _asked(ground)
    process = workers.start([made], at, how=signal.SIGSTOP)
    until = time.monotonic() + 20
    while not workers.stands_still() and time.monotonic() < until:
        time.sleep(0.02)
    assert _row(made).state == DeliveryState.SENDING
    worker = next(one for one in db.session.query(Worker).all() if one.pid == process)
    assert not hearts.has_ended(worker)
    db.session.rollback()
    assert shell.take_over(datetime.now(UTC)) == 0  # heard of for the first time
    with monkeypatch.context() as patch:
        patch.setattr(hearts, "SILENCE", 0.0)
        time.sleep(0.01)  # the stopwatch has to move
        assert shell.take_over(datetime.now(UTC)) == 1
    lease_over = _row(made).sent_at or datetime.now(UTC)
    assert lease_over > datetime.now(UTC) + timedelta(minutes=4)
    for _round in range(2):
        ground.minute_is_over()
        _due_now(made)
        shell.deliver_due(datetime.now(UTC))
    assert _row(made).state == (DeliveryState.DELIVERED if _there(ground, made) else DeliveryState.UNKNOWN)
    before = [(one.state, one.remote_id) for one in [_row(made)]]
    db.session.rollback()
    ground.minute_is_over()
    assert workers.signal(signal.SIGCONT)
    assert workers.ended().code == 0
    assert [(one.state, one.remote_id) for one in [_row(made)]] == before
    db.session.rollback()
    row = ground.recovers(made)
    assert (row.state, row.adopted) == (DeliveryState.DELIVERED, True)
    assert _there(ground, made) == 1
    told = log_of(db.session.get_one(Invoice, _row(made).invoice_id))
    assert sum("created in" in line for line in told) == 0
    assert sum("found in" in line for line in told) == 1


def _due_now(delivery_id: int) -> None:
    row: Any = _row(delivery_id)
    if row.next_at is not None:
        row.next_at = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()
