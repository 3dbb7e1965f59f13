"""A day's billing by many at once: workers and schedulers in processes of their own, some of them killed on the way.

    python -m benchmarks.billing_day [--items 1000] [--workers 8] [--schedulers 2] [--kills 10]
                                     [--database sqlite|postgresql]

What must come out, whatever happens: an invoice for each thing due, no number twice, no number missing, every item
billed once. The time is told; the outcome decides the exit code.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, insert, select

from app import create_app
from jobs import schedule as clockwork
from portal import billing
from portal.config import Settings
from portal.db import db
from portal.domain import schedule
from portal.domain.clients import Client, ClientStatus
from portal.domain.invoices import Invoice, InvoiceLine, NumberSeries
from portal.domain.library import BillingType
from portal.domain.people import Firm
from portal.domain.schedule import BillingItem, ClientService, ItemState
from portal.domain.text import near_key, sort_key
from tests.databases import Postgres

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 2, 23, tzinfo=UTC)
TODAY = date(2026, 11, 3)  # in Auckland
KEY = "YmVuY2htYXJrcy1vbmx5LWJlbmNobWFya3Mtb25seS0="
LONGEST = 900.0  # seconds until the whole of it is given up


@dataclass
class Outcome:
    """What was found in the database afterwards."""

    due: int
    invoices: int
    numbers: int  # different ones
    highest: int
    following: int  # the next one of the series
    lines: int
    billed: int
    killed: int
    seconds: float

    @property
    def is_right(self) -> bool:
        all_of_it = {self.due, self.invoices, self.numbers, self.highest, self.lines, self.billed, self.following - 1}
        return len(all_of_it) == 1


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--items", type=int, default=1000)
    wanted.add_argument("--workers", type=int, default=8)
    wanted.add_argument("--schedulers", type=int, default=2)
    wanted.add_argument("--kills", type=int, default=10)
    wanted.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1_000_000))
    wanted.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    wanted.add_argument("--on", metavar="URL", help=argparse.SUPPRESS)
    wanted.add_argument("--data", help=argparse.SUPPRESS)
    chosen = wanted.parse_args()
    if chosen.on:
        app = made(chosen.on, Path(chosen.data))
        killed, seconds = crowd(app, chosen.workers, chosen.schedulers, chosen.kills, chosen.seed)
        print(json.dumps(asdict(found(app, chosen.items, killed, seconds))))
        return
    kinds = ("sqlite", "postgresql") if chosen.database == "both" else (chosen.database,)
    outcomes = [on_a_fresh_database(kind, chosen) for kind in kinds]
    sys.exit(0 if all(one.is_right for one in outcomes) else 1)


def on_a_fresh_database(kind: str, chosen: argparse.Namespace) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="counterpart-billing-") as name:
        folder = Path(name)
        if kind == "sqlite":
            return _tell(kind, chosen, measure(f"sqlite:///{folder / 'portal.db'}", folder, chosen))
        with Postgres.running(Path(tempfile.gettempdir()) / f"cp-{uuid.uuid4().hex[:8]}", "billing") as server:
            return _tell(kind, chosen, measure(server.url, folder, chosen))


def measure(url: str, folder: Path, chosen: argparse.Namespace) -> Outcome:
    app = made(url, folder, migrate=True)
    with app.app_context():
        fill(chosen.items)
        db.session.remove()
        db.engine.dispose()
    return in_a_process_of_its_own(
        url, folder, chosen.items, chosen.workers, chosen.schedulers, chosen.kills, chosen.seed
    )


def in_a_process_of_its_own(
    url: str, folder: Path, items: int, workers: int, schedulers: int, kills: int, seed: int
) -> Outcome:
    """A parent without threads, which forks the crowd: forking a process that has threads is asking for trouble."""
    command = [
        sys.executable, "-m", "benchmarks.billing_day", "--on", url, "--data", str(folder), "--items", str(items),
        "--workers", str(workers), "--schedulers", str(schedulers), "--kills", str(kills), "--seed", str(seed),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=LONGEST)
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def _tell(kind: str, chosen: argparse.Namespace, one: Outcome) -> Outcome:
    verdict = "right" if one.is_right else "WRONG"
    print(
        f"{kind}: {one.due:,} due, {chosen.workers} workers and {chosen.schedulers} schedulers, {one.killed} killed: "
        f"{one.invoices:,} invoices, {one.numbers:,} numbers up to {one.highest:,}, {one.billed:,} items billed "
        f"in {one.seconds:.1f} s ({one.invoices / one.seconds:.0f} a second). {verdict} (seed {chosen.seed})."
    )
    return one


def made(url: str, folder: Path, *, migrate: bool = False) -> Flask:
    settings = Settings(
        data_dir=folder, database_url=url, scheduler=False, secret_keys=("only benchmarks use this key",),
        encryption_keys=(KEY,), log_level="ERROR",
    )  # fmt: skip
    return create_app(settings, migrate=migrate)


def fill(count: int) -> None:
    """`count` things due today, no two of which belong on one invoice: services and single items, two for a client."""
    if db.session.scalar(select(Firm)) is None:
        db.session.add(Firm(name="Marlow & Co", time_zone="Pacific/Auckland", created_at=NOW))
    clients = [_client(number) for number in range(1, count // 2 + count % 2 + 1)]
    db.session.execute(insert(Client), clients)
    db.session.flush()
    ids = list(db.session.scalars(select(Client.id).order_by(Client.id)))
    services = [_service(client_id) for client_id in ids]
    items = [_item(client_id) for client_id in ids[: count // 2]]
    db.session.execute(insert(ClientService), services)
    if items:
        db.session.execute(insert(BillingItem), items)
    db.session.commit()


def _client(number: int) -> dict[str, Any]:
    name = f"Client {number:05}"
    return {
        "name": name, "name_key": sort_key(name), "near_key": near_key(name), "status": ClientStatus.ACTIVE,
        "active_items": 2, "was_active": True, "origins": {}, "created_at": NOW, "changed_at": NOW,
    }  # fmt: skip


def _service(client_id: int) -> dict[str, Any]:
    return {
        "mark": uuid.uuid4().hex, "client_id": client_id, "name": "Bookkeeping", "price": Decimal(300),
        "quantity": Decimal(1), "facts": {}, "billing_type": BillingType.RECURRING, "first_on": TODAY,
        "next_on": TODAY, "currency": "NZD", "reference": f"CLI-{client_id}", "started_at": NOW,
    }  # fmt: skip


def _item(client_id: int) -> dict[str, Any]:
    return {
        "mark": uuid.uuid4().hex, "client_id": client_id, "name": "Annual accounts", "price": Decimal("1234.56"),
        "quantity": Decimal(1), "facts": {}, "due_on": TODAY, "is_automatic": True, "currency": "NZD",
        "reference": f"PROP-{client_id}", "created_at": NOW,
    }  # fmt: skip


def crowd(app: Flask, workers: int, schedulers: int, kills: int, seed: int) -> tuple[int, float]:
    """Let them all bill the day at once; kill some and put others in their place. How many were killed, how long."""
    dice = random.Random(seed)
    began = time.monotonic()
    kinds: list[Callable[[Flask], None]] = [_as_worker] * workers + [_as_scheduler] * schedulers
    alive = {_fork(app, kind): kind for kind in kinds}
    killed = 0
    while alive:
        if killed < kills:
            time.sleep(dice.uniform(0.05, 0.4))
            victim = dice.choice(sorted(alive))
            os.kill(victim, signal.SIGKILL)
        child, status = os.wait()
        kind = alive.pop(child)
        if os.WIFSIGNALED(status):
            killed += 1
            alive[_fork(app, kind)] = kind
        elif os.WEXITSTATUS(status):
            raise RuntimeError(f"a {kind.__name__} ended with {os.WEXITSTATUS(status)}")
        elif killed < kills:
            kills = killed  # the day is done before all of them were killed
    return killed, time.monotonic() - began


def _fork(app: Flask, kind: Callable[[Flask], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        random.seed()
        with app.app_context():
            db.engine.dispose(close=False)
            kind(app)
        code = 0
    finally:
        os._exit(code)


def _as_worker(_app: Flask) -> None:
    while schedule.has_due(TODAY, NOW):
        db.session.rollback()
        billing.bill_day(TODAY, NOW)


def _as_scheduler(_app: Flask) -> None:
    clockwork.JOBS = tuple(job for job in clockwork.JOBS if job.name == "billing")
    while schedule.has_due(TODAY, NOW):
        db.session.rollback()
        clockwork.tick(NOW)


def found(app: Flask, due: int, killed: int, seconds: float) -> Outcome:
    with app.app_context():
        numbers = [int(number.rsplit("-", 1)[1]) for number in db.session.scalars(select(Invoice.number))]
        billed = select(func.count()).select_from(BillingItem).where(BillingItem.state == ItemState.BILLED)
        lines = select(func.count(InvoiceLine.billing_item_id.distinct()))
        following = db.session.scalar(select(NumberSeries.next).where(NumberSeries.kind == "invoice"))
        return Outcome(
            due, len(numbers), len(set(numbers)), max(numbers, default=0), following or 0,
            db.session.scalar(lines) or 0, db.session.scalar(billed) or 0, killed, seconds,
        )  # fmt: skip


if __name__ == "__main__":
    main()
