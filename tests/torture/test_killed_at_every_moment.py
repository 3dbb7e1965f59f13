"""A delivery is killed at every moment it touches the database or the network, for each ledger; and every call is
spoiled in every way. After the portal has recovered by itself, the ledger has the invoice once, under one number, and
the log is true. All of it is counted at the stand-in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from portal import deliveries as shell
from portal.db import db
from portal.domain import deliveries
from portal.domain.apps import ConnectionState
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice, Payment
from tests.cast_deliveries import pay
from tests.scenarios.conftest import PRIYA, World
from tests.torture.ground import LEDGERS, PLACES, Ground, ground_of, log_of, steps_of
from tests.torture.killing import Ended, Killers

FULL = os.environ.get("TORTURE") in ("full", "all")
ALL = os.environ.get("TORTURE") == "all"
FEW = 3  # moments of a story that an ordinary run tries
MOST = 900

Worlds = Callable[..., AbstractContextManager[World]]


@pytest.fixture(params=LEDGERS)
def ground(make_world: Worlds, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)
    with ground_of(make_world, request.param) as made:
        yield made


def a_known_customer(ground: Ground) -> Delivery:
    """An invoice for a customer that is linked."""
    return ground.bill(ground.known_client())


def a_new_customer(ground: Ground) -> Delivery:
    """The customer has to be created first."""
    return ground.bill(ground.new_client())


def an_answer_that_was_lost(ground: Ground) -> Delivery:
    """An earlier call created it, and its answer was lost."""
    made = ground.bill(ground.known_client())
    db.session.commit()
    ground.spoil("accept_then_drop")
    _deliver(ground, made)
    ground.world.control.clear_faults()
    assert db.session.get_one(Delivery, made.id).state == DeliveryState.UNKNOWN
    return made


def a_call_that_was_lost(ground: Ground) -> Delivery:
    """An earlier call never arrived, nobody knows that, and one look has found nothing."""
    made = ground.bill(ground.known_client())
    db.session.commit()
    ground.spoil("drop")
    _deliver(ground, made)
    ground.world.control.clear_faults()
    ground.minutes_pass()
    _deliver(ground, made)
    assert db.session.get_one(Delivery, made.id).looked == 1
    return made


def a_payment(ground: Ground) -> Delivery:
    """A payment on an invoice that is there."""
    made = ground.bill(ground.known_client())
    db.session.commit()
    _deliver(ground, made)
    invoice = db.session.get_one(Invoice, db.session.get_one(Delivery, made.id).invoice_id)
    return pay(invoice, ground.world.connection())


STORIES = (a_known_customer, a_new_customer, an_answer_that_was_lost, a_call_that_was_lost, a_payment)


def _deliver(ground: Ground, made: Delivery) -> None:
    made_id = made.id
    db.session.commit()
    ground.minute_is_over()
    shell.deliver([made_id])
    db.session.expire_all()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.replace("_", " "))
def test_killed_at_every_moment(
    ground: Ground, workers: Killers, story: Callable[[Ground], Delivery], tried: list[dict[str, object]]
) -> None:
    """Fault rows 2 to 7 and 16: SIGKILL before and after every statement, commit and call."""
    whole = _prepared(ground, story)
    met = _killed(ground, workers, whole, 0).moments
    ground.recovers(whole)
    _is_right(ground, whole)
    moments = len(met)
    assert 5 < moments < MOST
    chosen = _chosen(met, every=ALL or story is a_known_customer)
    survived = 0
    for at in chosen:
        made = _prepared(ground, story)
        ended = _killed(ground, workers, made, at)
        ground.recovers(made)
        try:
            _is_right(ground, made)
        except AssertionError as wrong:
            raise AssertionError(f"killed at {at} of {moments}, {ended.moments[-3:]}: {wrong}") from wrong
        survived += ended.was_killed
    tried.append(
        {"ledger": ground.place.slug, "what": (story.__doc__ or "").strip(), "how": "SIGKILL", "moments": moments,
         "cases": len(chosen), "killed": survived}
    )  # fmt: skip
    _nothing_twice(ground)


FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("accept_then_drop", {}),
    ("accept_then_status", {"status": 500}),
    ("accept_then_status", {"status": 503, "body": "<html>"}),
    ("rate_limited", {"retry_after": 1}),
    ("rate_limited", {"retry_after": 3600}),
    ("status", {"status": 500}),
    ("status", {"status": 502, "body": "<html>Bad gateway</html>"}),
    ("status", {"status": 403}),
    ("garbage", {"garbage": "html"}),
    ("garbage", {"garbage": "empty"}),
    ("garbage", {"garbage": "malformed_json"}),
    ("garbage", {"garbage": "nan_json"}),
    ("garbage", {"garbage": "truncated"}),
    ("garbage", {"garbage": "wrong_length"}),
    ("accept_then_status", {"status": 200, "body": ""}),
    ("accept_then_status", {"status": 200, "body": "{}"}),
    ("accept_then_status", {"status": 200, "body": "<html>Welcome</html>"}),
)
FAULTED = (a_known_customer, a_new_customer, a_payment)


@pytest.mark.parametrize("story", FAULTED, ids=lambda story: story.__name__.replace("_", " "))
def test_every_call_spoiled_in_every_way(
    ground: Ground, story: Callable[[Ground], Delivery], tried: list[dict[str, object]], flying: Any
) -> None:
    """Fault rows 11 to 13, 15, 17, 19, 21 and 22: each call of a delivery, each fault, once."""
    made = _prepared(ground, story)
    before = len(ground.world.calls())
    _deliver_all(ground, made)
    calls = len(ground.world.calls()) - before
    ground.recovers(made)
    _is_right(ground, made)
    assert calls >= 1
    cases = [(nth, kind, values) for nth in range(1, calls + 1) for kind, values in FAULTS]
    cases = cases if FULL else cases[:: max(1, len(cases) // FEW)]
    for nth, kind, values in cases:
        made = _prepared(ground, story)
        ground.world.control.fault(kind, vendor=ground.world.side.vendor, nth=nth, **values)
        _deliver_all(ground, made)
        ground.world.control.clear_faults()
        _mend(ground)
        ground.recovers(made)
        try:
            _is_right(ground, made)
        except AssertionError as wrong:
            raise AssertionError(f"call {nth} of {calls}, {kind} {values}: {wrong}") from wrong
    tried.append(
        {"ledger": ground.place.slug, "what": (story.__doc__ or "").strip(), "how": "spoiled calls", "moments": calls,
         "cases": len(cases), "killed": 0}
    )  # fmt: skip
    _nothing_twice(ground)


def _prepared(ground: Ground, story: Callable[[Ground], Delivery]) -> int:
    made_id = story(ground).id
    db.session.commit()
    ground.minutes_pass()
    return made_id


def _deliver_all(ground: Ground, delivery_id: int) -> None:
    shell.deliver([delivery_id])
    db.session.rollback()
    db.session.expire_all()


def _killed(ground: Ground, workers: Killers, delivery_id: int, at: int) -> Ended:
    """Only when the vendor has done with whatever reached it does time go on."""
    db.session.rollback()
    before = len(ground.world.control.calls(limit=5000))
    ended = workers.run([delivery_id], at)
    until = time.monotonic() + 10
    while len(ground.world.control.calls(limit=5000)) - before < ended.gone and time.monotonic() < until:
        time.sleep(0.005)
    ground.world.control.clear_calls()
    return ended


def _mend(ground: Ground) -> None:
    """A person connects again, and sends again what a fault made look refused."""
    db.session.expire_all()
    connection = ground.world.connection()
    if connection.state != ConnectionState.CONNECTED:
        connection.move_to(ConnectionState.CONNECTED, now=datetime.now(UTC))
    for row in deliveries.stuck(connection.id):
        deliveries.try_again(row, by=PRIYA, now=datetime.now(UTC))
    db.session.commit()


OUTSIDE = ("commit", "committed", "gone", "answered")  # what others can see has just changed, or is about to


def _chosen(met: list[str], *, every: bool) -> list[int]:
    """The moments to be killed at, from 1. Without `every`, of moments between which nothing leaves the process, the
    first and the last."""
    moments = len(met)
    if not FULL:
        step = max(1, moments // FEW)
        return list(range(1 + step // 2, moments + 1, step))
    if every:
        return list(range(1, moments + 1))
    telling = [at for at, what in enumerate(met, 1) if what in OUTSIDE or what.startswith("send")]
    return sorted({at for one in telling for at in (one, one + 1) if at <= moments} | {1, moments})


def _is_right(ground: Ground, delivery_id: int) -> None:
    """Once there, under one number, and nothing the log says is false."""
    db.session.expire_all()
    row = db.session.get_one(Delivery, delivery_id)
    assert row.state == DeliveryState.DELIVERED, f"{row.state}: {row.reason}"
    assert row.lease_by is None
    if row.kind == "payment":
        _payment_is_right(ground, row)
        return
    invoice = db.session.get_one(Invoice, row.invoice_id)
    assert ground.count(invoice.number) == 1, f"{ground.count(invoice.number)} of {invoice.number} there"
    assert row.remote_number == invoice.number
    client = db.session.get_one(Client, invoice.client_id)
    assert ground.customers(client.name) <= 1, f"{client.name} is there twice"
    _log_is_true(row, log_of(invoice), "Invoice", f"Invoice {invoice.number} created in")
    assert sum(line == "Invoice deployed automatically" or "deployed by" in line for line in log_of(invoice)) == 1


def _payment_is_right(ground: Ground, row: Delivery) -> None:
    payment = db.session.get_one(Payment, row.payment_id)
    invoice = db.session.get_one(Invoice, payment.invoice_id)
    assert payment.remote_id == row.remote_id
    assert ground.paid(invoice.number) == invoice.total
    _log_is_true(row, [line for line in log_of(invoice) if "ayment" in line], "Payment", "Payment of")


def _log_is_true(row: Delivery, log: list[str], what: str, created: str) -> None:
    steps = steps_of(row)
    sent = [one for one in steps if one.act == "sent"]
    assert len(sent) == row.attempts or any(one.answer == "not sent" for one in sent)
    told_created = [
        line for line in log if line.startswith(created) and ("created in" in line or "recorded in" in line)
    ]
    told_found = [line for line in log if line.startswith(what) and "found in" in line]
    assert len(told_created) + len(told_found) == 1, log
    assert bool(told_found) == row.adopted, log
    may_have_created = [one for one in sent if one.answer in ("", "lost", "created", "not sent", "refused")]
    assert may_have_created, "nobody has told of the call that created it"
    answered = [one for one in sent if one.answer == "created"]
    assert len(answered) == (0 if row.adopted else 1)
    assert {one.remote_id for one in answered} <= {row.remote_id}
    unsure = [line for line in log if line.startswith("No answer came") or "is not known yet" in line]
    lost = [one for one in sent if one.ended_at is None or one.answer == "lost"]
    assert len(unsure) == len(lost), (log, [(one.act, one.answer, one.ended_at) for one in steps])


def _nothing_twice(ground: Ground) -> None:
    counts = ground.counts()
    for name in ("by_number", "by_mark", "payments_by_mark", "numbers_twice", "marks_twice", "payment_marks_twice"):
        twice = {key: many for key, many in counts.get(name, {}).items() if key and many > 1}
        assert not twice, f"{name}: {twice}"


def test_the_places_are_those_of_the_ledgers() -> None:
    assert set(PLACES) == set(LEDGERS)
