"""Many invoices and a process that ends, politely or not; and a portal restored from last night's backup.

TORTURE_ROUNDS says how often the five hundred are killed (default once); the seed is printed, TORTURE_SEED repeats it.
`python -m tests.torture.table --crowd` runs these alone, with twenty rounds, in a few minutes.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from portal import deliveries as shell
from portal.config import Settings
from portal.db import db
from portal.domain.activity import Activity
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.invoices import Invoice
from tests.scenarios.conftest import World
from tests.torture.ground import LEDGERS, Ground, ground_of, log_of
from tests.torture.killing import Killers

ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "1"))
SEED = int(os.environ.get("TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
MANY = int(os.environ.get("TORTURE_INVOICES", "500" if os.environ.get("TORTURE") else "90"))

BATCH = 100  # more of them, when all are there before the last kill

Worlds = Callable[..., AbstractContextManager[World]]


@pytest.fixture(params=LEDGERS)
def ground(make_world: Worlds, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)
    with ground_of(make_world, request.param) as made:
        yield made


def _billed(ground: Ground, many: int) -> None:
    clients = [ground.known_client() for _ in range(5)]
    for number in range(many):
        ground.bill(clients[number % 5])
    db.session.commit()
    ground.minute_is_over()


def _states() -> Counter[DeliveryState]:
    db.session.expire_all()
    found = Counter(DeliveryState(one) for one in db.session.scalars(select(Delivery.state)))
    db.session.rollback()
    return found


def _settles(ground: Ground) -> None:
    for _round in range(8):
        ground.minutes_pass()
        shell.deliver_due(datetime.now(UTC))
        if set(_states()) == {DeliveryState.DELIVERED}:
            return


def _all_there_once(ground: Ground, many: int) -> None:
    assert _states() == {DeliveryState.DELIVERED: many}
    assert ground.all_counts()["invoices"] == many
    remote = list(db.session.scalars(select(Delivery.remote_id)))
    assert len(set(remote)) == many
    compared = shell.compare(ground.world.connection(), date(2026, 1, 1), date(2026, 12, 31))
    assert (compared.invoices, compared.ledger_records, compared.extra, compared.missing) == (many, many, 0, 0)
    assert {one.verdict for one in compared.rows} == {"once"}


REACH = 150  # moments a worker lives at most in one round: about two calls with what belongs to them


def test_a_bulk_push_killed_at_random_comes_out_whole(
    ground: Ground, workers: Killers, tried: list[dict[str, object]]
) -> None:
    """Fault row 8: as many there as here, each tied to its own, no gap, no double.

    Every round is a process that is killed at a random moment of its work; one that had nothing to do does not count.
    """
    print(f"TORTURE_SEED={SEED} TORTURE_ROUNDS={ROUNDS} invoices={MANY}")
    dice = random.Random(f"{SEED} {ground.place.slug}")
    _billed(ground, MANY)
    many, kills = MANY, 0
    while kills < ROUNDS:
        ground.minutes_pass()
        at = dice.randrange(1, REACH)
        workers.start([], at)
        ended = workers.ended()
        kills += ended.was_killed
        print(f"{ground.place.slug}, kill {kills}: at moment {at}, after {ended.moments[-2:]}, {dict(_states())}")
        _quiet(ground, ended.gone)
        if set(_states()) == {DeliveryState.DELIVERED} and kills < ROUNDS:
            _billed(ground, BATCH)
            many += BATCH
    _settles(ground)
    assert ground.all_counts()["invoices"] == many
    _all_there_once(ground, many)
    tried.append(
        {"ledger": ground.place.slug, "what": f"{many} invoices at once", "how": "SIGKILL at random moments",
         "moments": many, "cases": kills, "killed": kills}
    )  # fmt: skip


def _quiet(ground: Ground, gone: int) -> None:
    """The vendor has done with what had reached it."""
    until = time.monotonic() + 10
    while len(ground.world.control.calls(limit=5000)) < gone and time.monotonic() < until:
        time.sleep(0.01)
    ground.world.control.clear_calls()


def test_a_deployment_in_the_middle_finishes_or_hands_back(ground: Ground, workers: Killers) -> None:
    """Fault row 9: SIGTERM; nothing is left in hand, nothing is left unknown, and the next process goes on."""
    many = 100
    _billed(ground, many)
    workers.start([])
    before = len(ground.world.calls())
    until = time.monotonic() + 20
    while len(ground.world.calls()) == before and time.monotonic() < until:
        time.sleep(0.01)
    assert workers.signal(signal.SIGTERM)
    began = time.monotonic()
    ended = workers.ended()
    assert ended.code == 0
    assert time.monotonic() - began < 30
    states = _states()
    assert set(states) <= {DeliveryState.DELIVERED, DeliveryState.WAITING}, states
    assert db.session.scalar(select(func.count()).where(Delivery.lease_by.is_not(None))) == 0
    db.session.rollback()
    ground.minute_is_over()
    shell.deliver_due(datetime.now(UTC))
    _all_there_once(ground, many)


def test_restored_from_last_nights_backup_it_creates_nothing_again(
    ground: Ground, test_settings: Settings, tmp_path: Path
) -> None:
    """Fault row 10: what was sent since is adopted by its sign or its number; what differs there is reported."""
    many = 12
    _billed(ground, many)
    backup = Backup(test_settings, tmp_path)
    backup.take()
    shell.deliver_due(datetime.now(UTC))
    _all_there_once(ground, many)
    backup.put_back()
    assert _states() == {DeliveryState.WAITING: many}
    ground.world.control.state(xero_ignores_keys=True)  # after a night: it remembers a key for six minutes
    _settles(ground)
    _all_there_once(ground, many)
    assert all(one.adopted or ground.place.slug == "digits" for one in db.session.scalars(select(Delivery)))
    for one in db.session.scalars(select(Invoice).order_by(Invoice.id)).all():
        told = log_of(one)
        assert sum("created in" in line or "found in" in line for line in told) == 1, told
        assert not [line for line in told if "differently" in line]


class Backup:
    """A copy of the database as it is at this moment: the file, or on PostgreSQL the rows of the outbox."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.url = settings.database_url
        self.copy = folder / "last-night.db"
        self.rows: list[dict[str, Any]] = []

    def take(self) -> None:
        db.session.commit()
        if self.url.startswith("sqlite"):
            source = sqlite3.connect(self.url.removeprefix("sqlite:///"))
            source.execute("VACUUM INTO ?", (str(self.copy),))
            source.close()
            return
        columns = [column.name for column in Delivery.__table__.columns]
        found = db.session.execute(select(*(Delivery.__table__.c[name] for name in columns)))
        self.rows = [dict(zip(columns, row, strict=True)) for row in found]
        db.session.rollback()

    def put_back(self) -> None:
        db.session.remove()
        if self.url.startswith("sqlite"):
            db.engine.dispose()
            path = Path(self.url.removeprefix("sqlite:///"))
            for left_over in (path, f"{path}-wal", f"{path}-shm"):  # a new file: who has the old one open keeps it
                Path(left_over).unlink(missing_ok=True)
            shutil.copyfile(self.copy, path)
            return
        db.session.execute(delete(DeliveryAttempt))
        db.session.execute(delete(Activity).where(Activity.invoice_id.is_not(None)))
        for row in self.rows:
            db.session.execute(update(Delivery.__table__).where(Delivery.__table__.c.id == row["id"]).values(**row))
        db.session.commit()
