"""A rehearsal against the bare reading of what it is about, in the same run.

    python -m benchmarks.rehearsal [--services 50000] [--database sqlite|postgresql]

The bar: planning a month of 50,000 services, with every check against the ledger, takes at most three times as long as
reading those services and their clients. Both are told as the best of several rounds, taken in turn, because a busy
machine only ever adds; nothing is asserted.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

from benchmarks.billing_day import NOW, made
from portal.db import db, reading
from portal.domain import ledgers, rehearsal
from portal.domain.activity import SYSTEM
from portal.domain.apps import ClientLink, Connection, ConnectionState, ways
from portal.domain.apps.ways import LedgerWays
from portal.domain.clients import Client, ClientStatus
from portal.domain.ledgers import TaxMapping
from portal.domain.library import BillingType, CadenceUnit, TaxRate
from portal.domain.people import Firm
from portal.domain.records import LedgerLists, ListEntry, ListKind
from portal.domain.schedule import ClientService
from portal.domain.text import near_key, sort_key
from tests.databases import Postgres

ROUNDS = 5
FIRST, LAST = date(2026, 12, 1), date(2026, 12, 31)
BAR = 3.0


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--services", type=int, default=50_000)
    wanted.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    chosen = wanted.parse_args()
    for kind in ("sqlite", "postgresql") if chosen.database == "both" else (chosen.database,):
        with tempfile.TemporaryDirectory(prefix="counterpart-rehearsal-") as name:
            folder = Path(name)
            if kind == "sqlite":
                measure(kind, f"sqlite:///{folder / 'portal.db'}", folder, chosen.services)
            else:
                server_folder = Path(tempfile.gettempdir()) / f"cp-{uuid.uuid4().hex[:8]}"
                with Postgres.running(server_folder, "rehearsal") as server:
                    measure(kind, server.url, folder, chosen.services)


def measure(kind: str, url: str, folder: Path, services: int) -> None:
    app = made(url, folder, migrate=True)
    with app.app_context():
        fill(services)
        reads, plans, found = [], [], None
        for _ in range(ROUNDS):
            reads.append(_seconds(bare_reading))
            plans.append(_seconds(plan))
        with reading():
            found = rehearsal.rehearse(FIRST, LAST)
            db.session.rollback()
        db.session.remove()
        db.engine.dispose()
    read, planned = min(reads), min(plans)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{kind}: {services:,} services planned for a month: {len(found.invoices):,} invoices, "
        f"{len(found.troubled):,} with a problem, in {planned:.2f} s; reading them takes {read:.2f} s, "
        f"so {planned / read:.2f} times as long (bar {BAR}). Peak memory {memory:.0f} MB."
    )


def _seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    with reading():
        act()
        db.session.rollback()
    return time.perf_counter() - began


def bare_reading() -> None:
    """The services and their clients, as rows of the columns that planning needs."""
    service, client = ClientService.__table__.c, Client.__table__.c
    columns = [
        service[name]
        for name in ("id", "client_id", "name", "quantity", "price", "discount", "discount_is_percent", "tax_rate_id",
                     "service_id", "currency", "pay_by", "reference", "first_on", "every", "cadence", "periods",
                     "billed_to", "month_day", "next_on")
    ]  # fmt: skip
    db.session.execute(select(*columns).where(service.next_on <= LAST)).all()
    db.session.execute(select(client.id, client.name, client.created_at, client.archived_at)).all()


def plan() -> None:
    rehearsal.rehearse(FIRST, LAST)


def fill(count: int) -> None:
    """Five services for two clients; most are monthly, some weekly or yearly; one in fifty meets a problem."""
    dice = random.Random(count)
    db.session.add(Firm(name="Marlow & Co", time_zone="Pacific/Auckland", created_at=NOW))
    rates = [TaxRate(name=f"GST {percent} %", percent=Decimal(percent), created_at=NOW) for percent in (15, 0, 9)]
    db.session.add_all(rates)
    books = _ledger(rates)
    clients = [_client(number) for number in range(1, max(2, count * 2 // 5) + 1)]
    _insert(Client, clients)
    ids = list(db.session.scalars(select(Client.id)))
    _insert(ClientLink, [_link(client_id, books) for client_id in ids if dice.random() < 0.95])
    _insert(ClientService, [_service(dice, dice.choice(ids), rates) for _ in range(count)])
    db.session.execute(text("ANALYZE"))
    db.session.commit()


def _ledger(rates: list[TaxRate]) -> int:
    """A ledger that all invoices go to; the last of the rates is not mapped."""
    told = LedgerWays(lists=("tax", "account"))
    ways.register(replace(ways.ways_of("books"), name="Books", short_name="Books", ledger=told))
    connection = Connection(
        app="books", state=ConnectionState.CONNECTED, account_id="books", account_name="Marlow", state_changed_at=NOW,
        enabled_at=NOW - timedelta(days=400),
    )  # fmt: skip
    db.session.add(connection)
    db.session.flush()
    entries = [ListEntry(ListKind.TAX, f"T{one.id}", one.name, percent=one.percent) for one in rates]
    ledgers.keep(connection, LedgerLists((*entries, ListEntry(ListKind.ACCOUNT, "200", "Sales")), "NZD"), now=NOW)
    wanted = {"creates": True, "default_target": "200"}
    ledgers.change_settings(connection, wanted, version=1, by=SYSTEM, now=NOW)
    db.session.add_all(
        TaxMapping(connection_id=connection.id, tax_rate_id=one.id, remote_id=f"T{one.id}") for one in rates[:2]
    )
    db.session.flush()
    return connection.id


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 1000):
        db.session.execute(insert(model), rows[start : start + 1000])


def _client(number: int) -> dict[str, Any]:
    name = f"Client {number:05}"
    return {
        "name": name, "name_key": sort_key(name), "near_key": near_key(name), "status": ClientStatus.ACTIVE,
        "active_items": 2, "was_active": True, "origins": {}, "created_at": NOW, "changed_at": NOW,
    }  # fmt: skip


def _link(client_id: int, connection_id: int) -> dict[str, Any]:
    return {
        "client_id": client_id, "connection_id": connection_id, "remote_id": f"r-{client_id}", "remote_name": "",
        "made_at": NOW,
    }  # fmt: skip


def _service(dice: random.Random, client_id: int, rates: list[TaxRate]) -> dict[str, Any]:
    first = date(2026, 11, 3) + timedelta(days=dice.randrange(60))
    every, cadence = dice.choices(
        [(1, CadenceUnit.MONTH), (1, CadenceUnit.WEEK), (12, CadenceUnit.MONTH)], [85, 5, 10]
    )[0]  # fmt: skip
    return {
        "mark": uuid.UUID(int=dice.getrandbits(128)).hex, "client_id": client_id, "facts": {},
        "name": dice.choice(["Bookkeeping", "Payroll", "GST return", "Advice"]), "quantity": Decimal(1),
        "price": Decimal(dice.randrange(50, 900)), "discount": Decimal(dice.choice((0, 0, 0, 10))),
        "discount_is_percent": True, "tax_rate_id": dice.choices([one.id for one in rates], [88, 10, 2])[0],
        "billing_type": BillingType.RECURRING, "every": every, "cadence": cadence, "first_on": first, "next_on": first,
        "currency": "NZD", "reference": f"CLI-{client_id}", "started_at": NOW,
    }  # fmt: skip


if __name__ == "__main__":
    main()
