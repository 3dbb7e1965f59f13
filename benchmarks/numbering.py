"""Invoice numbers taken by many processes at once, some of which give up or are killed with a number in their hands.

    python -m benchmarks.numbering [--invoices 1000] [--workers 8] [--kills 12] [--database sqlite|postgresql|both]

What must come out: as many invoices as there were things to bill, no number twice, none missing. The outcome decides
the exit code.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, insert, select

from benchmarks.billing_day import NOW, ROOT, made
from portal.db import db
from portal.domain import invoices
from portal.domain.activity import Actor, Origin
from portal.domain.clients import Client
from portal.domain.invoices import Invoice, NumberSeries
from portal.domain.people import Firm
from portal.domain.schedule import BillingItem, ItemState
from tests.databases import Postgres

TODAY = date(2026, 11, 3)
BY = Actor("a benchmark", Origin.COMMAND)


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--invoices", type=int, default=1000)
    wanted.add_argument("--workers", type=int, default=8)
    wanted.add_argument("--kills", type=int, default=12)
    wanted.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1_000_000))
    wanted.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    for hidden in ("--on", "--data", "--place"):
        wanted.add_argument(hidden, help=argparse.SUPPRESS)
    chosen = wanted.parse_args()
    if chosen.on:
        work(chosen.on, Path(chosen.data), int(chosen.place), chosen.workers, chosen.seed)
        return
    kinds = ("sqlite", "postgresql") if chosen.database == "both" else (chosen.database,)
    outcomes = [on_a_fresh_database(kind, chosen) for kind in kinds]
    sys.exit(0 if all(outcomes) else 1)


def on_a_fresh_database(kind: str, chosen: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory(prefix="counterpart-numbers-") as name:
        if kind == "sqlite":
            return measure(kind, f"sqlite:///{Path(name) / 'portal.db'}", Path(name), chosen)
        with Postgres.running(Path(tempfile.gettempdir()) / f"cp-{uuid.uuid4().hex[:8]}", "numbers") as server:
            return measure(kind, server.url, Path(name), chosen)


def measure(kind: str, url: str, folder: Path, chosen: argparse.Namespace) -> bool:
    app = made(url, folder, migrate=True)
    with app.app_context():
        fill(chosen.invoices)
        db.session.remove()
        began = time.monotonic()
        killed = crowd(url, folder, chosen)
        seconds = time.monotonic() - began
        numbers = sorted(int(one.rsplit("-", 1)[1]) for one in db.session.scalars(select(Invoice.number)))
        following = db.session.scalar(select(NumberSeries.next).where(NumberSeries.kind == "invoice"))
        db.session.remove()
        db.engine.dispose()
    is_right = numbers == list(range(1, chosen.invoices + 1)) and following == chosen.invoices + 1
    verdict = "right" if is_right else "WRONG"
    print(
        f"{kind}: {chosen.workers} processes, {killed} killed: {len(numbers):,} invoices, {len(set(numbers)):,} "
        f"numbers, the next is {following:,}, in {seconds:.1f} s. {verdict} (seed {chosen.seed})."
    )
    return is_right


def fill(count: int) -> None:
    db.session.add(Firm(name="Marlow & Co", created_at=NOW))
    client = Client(name="Acme", name_key="acme", near_key="acme", created_at=NOW, changed_at=NOW)
    db.session.add(client)
    db.session.flush()
    items = [
        {"mark": uuid.uuid4().hex, "client_id": client.id, "name": "Advice", "price": Decimal(100), "created_at": NOW,
         "quantity": Decimal(1), "facts": {}}
        for _ in range(count)
    ]  # fmt: skip
    db.session.execute(insert(BillingItem), items)
    db.session.commit()


def crowd(url: str, folder: Path, chosen: argparse.Namespace) -> int:
    """All workers at once; some are killed at random moments and started anew. How many were."""
    dice, killed = random.Random(chosen.seed), 0

    def start(place: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "benchmarks.numbering", "--on", url, "--data", str(folder)]
        return subprocess.Popen(
            [*command, "--place", str(place), "--workers", str(chosen.workers), "--seed", str(dice.random())[2:8]],
            cwd=ROOT,
        )

    alive = {place: start(place) for place in range(chosen.workers)}
    while alive:
        place, worker = dice.choice(sorted(alive.items()))
        if killed < chosen.kills and worker.poll() is None and is_under_way():
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            killed += 1
            alive[place] = start(place)
        time.sleep(dice.uniform(0.1, 0.6))
        ended = [place for place, one in alive.items() if one.poll() is not None]
        for place in ended:
            if alive.pop(place).returncode:
                alive[place] = start(place)
    return killed


def is_under_way() -> bool:
    """Whether the first invoices are there: a worker that is killed while it starts proves nothing."""
    count = db.session.scalar(select(func.count()).select_from(Invoice)) or 0
    db.session.rollback()
    return count > 0


def work(url: str, folder: Path, place: int, workers: int, seed: int) -> None:
    """Bill every thing of one's own share; every fifth time give up once after the number was taken."""
    dice = random.Random(seed)
    with made(url, folder).app_context():
        mine = select(BillingItem.id).where(BillingItem.state == ItemState.OPEN, BillingItem.id % workers == place)
        for item_id in list(db.session.scalars(mine)):
            db.session.rollback()
            while dice.random() < 0.2:
                issue(item_id)
                db.session.rollback()
            issue(item_id)
            db.session.commit()


def issue(item_id: int) -> None:
    item = db.session.get_one(BillingItem, item_id)
    invoices.issue(item.client, [item], on=TODAY, by=BY, now=NOW, is_automatic=True)


if __name__ == "__main__":
    main()
