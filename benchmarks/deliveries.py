"""Deliveries against a bare loop: the same invoices in the same calls, with nothing looked up and nothing written down.

    python -m benchmarks.deliveries [--app xero,quickbooks,digits] [--invoices 1000] [--new]

`--new`: every invoice is for a client of its own that the ledger has never heard of. The floor then is the calls of the
invoices and those that create as many customers, as many in a call as the ledger takes.

For each ledger: calls, seconds, and the ratio to the bare loop. The bars, for 1,000 invoices of known customers: calls
that write invoices at most 20 for Xero, 34 for QuickBooks, 10 for Digits. Limits are lifted on both sides, so that
waiting is not measured. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app import create_app
from benchmarks.syncs import ROOT, sandbox
from jobs import queue
from portal import deliveries as shell
from portal import integrations, receivables, sync
from portal.adapters.base import Allowance
from portal.config import Settings
from portal.db import db
from portal.deliveries.parcels import Packer
from portal.domain import deliveries
from portal.domain.apps import ClientLink, Connection, ConnectionState, RunKind, RunState, RunTrigger, TokenSet
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.ledgers import LedgerEntry, LedgerSettings, TaxMapping
from portal.domain.library import TaxRate
from portal.domain.records import InvoiceOut
from portal.sandbox.client import Control
from portal.sandbox.vendor import addresses
from tests import cast
from tests.cast_deliveries import SCHEDULE, make_issued

CUSTOMERS = 50
BARS = {"xero": 20, "quickbooks": 34, "digits": 10}
RECORDS = {"xero": "xero/contacts", "quickbooks": "quickbooks/customers", "digits": "digits/clients"}
WRITES = {"xero": "/Invoices", "quickbooks": "/batch", "digits": "/source/transactions"}
CURRENCY = {"xero": "NZD", "quickbooks": "NZD", "digits": "USD"}
PLENTY = 1_000_000


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--app", default=",".join(BARS))
    wanted.add_argument("--invoices", type=int, default=1000)
    wanted.add_argument("--new", action="store_true")
    wanted.add_argument("--measure", metavar="SANDBOX_URL", help=argparse.SUPPRESS)
    chosen = wanted.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.app, chosen.invoices, are_new=chosen.new)))
        return
    whose = f"{chosen.invoices:,} new" if chosen.new else f"{CUSTOMERS} known"
    table = Table(title=f"{chosen.invoices:,} invoices of {whose} customers, SQLite")
    for heading in ("Ledger", "Writing calls", "Bar", "All calls", "Delivered in", "A bare loop", "Ratio", "Commits"):
        table.add_column(heading, justify="left" if heading == "Ledger" else "right")
    for app in chosen.app.split(","):
        with sandbox() as url:
            command = [sys.executable, "-m", "benchmarks.deliveries", "--measure", url, "--app", app,
                       "--invoices", str(chosen.invoices), *(["--new"] if chosen.new else [])]  # fmt: skip
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if chosen.new:
            print(f"{app}: floor {found['floor']} calls for customers and invoices")
        table.add_row(
            app, str(found["writes"]), str(BARS[app]), str(found["calls"]), f"{found['seconds']:.2f} s",
            f"{found['bare']:.2f} s", f"{found['seconds'] / found['bare']:.2f}", str(found["commits"]),
        )  # fmt: skip
    Console().print(table)


def measure(url: str, slug: str, invoices: int, *, are_new: bool = False) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="counterpart-bench-") as folder:
        app = create_app(
            Settings(
                data_dir=Path(folder), database_url=f"sqlite:///{folder}/portal.db", scheduler=False,
                log_level="ERROR", environment=addresses(url),
            )
        )  # fmt: skip
        with app.app_context():
            control = Control(url)
            control.limits(minute=PLENTY, day=PLENTY, app_minute=PLENTY, second=PLENTY, batch_minute=PLENTY)
            adapter = integrations.APPS[slug]
            adapter.info = replace(adapter.info, allowance=Allowance(per_minute=PLENTY, per_day=None, concurrent=4))
            connection = _connected(control, slug)
            clients = _customers(control, slug, connection)
            _mapped(connection)
            bare = _bare(connection, clients, slug, invoices // 2)
            if are_new:
                _read_once(app, connection)
                clients = [cast.make_client(f"Newcomer {number:05} Ltd") for number in range(invoices)]
            for number in range(invoices):
                _bill(clients[number % len(clients)], connection, slug)
            db.session.commit()
            control.clear_calls()
            commits = _counted_commits()
            began = time.perf_counter()
            shell.deliver_due(datetime.now(UTC))
            if are_new:
                queue.finish()  # the run that creates the customers
                shell.deliver_due(datetime.now(UTC))
            seconds = time.perf_counter() - began
            made = commits()
            db.session.expire_all()
            states = Counter(db.session.scalars(select(Delivery.state)))
            assert states[DeliveryState.DELIVERED] == invoices, states
            calls = control.calls(limit=5000)
            writes = [one for one in calls if one["method"] != "GET" and WRITES[slug] in one["path"]]
            at_once = integrations.ledger_for(connection).ledger.invoice_batch
            floor = -(-invoices // adapter.info.batch) + -(-invoices // at_once)
            return {
                "floor": floor,
                "seconds": seconds,
                "bare": bare * 2,
                "calls": len(calls),
                "writes": len(writes),
                "commits": made,
            }


def _connected(control: Control, slug: str) -> Connection:
    info = integrations.app_info(slug)
    account = next(one for one in control.tenants() if one["kind"] in info.account_kinds)
    reply = control.tokens(vendor=info.vendor, tenants=[account["id"]], scopes=list(info.scopes))
    now = datetime.now(UTC)
    tokens = TokenSet(
        vendor=info.vendor, client_id="counterpart-sandbox", access_token=reply["access_token"],
        refresh_token=reply["refresh_token"], expires_at=now + timedelta(minutes=30), changed_at=now,
    )  # fmt: skip
    cast.make_firm()
    made = Connection(
        app=slug, account_id=account["id"], account_name=account["name"], state=ConnectionState.CONNECTED,
        token_set=tokens, enabled_at=now, imported_at=now, state_changed_at=now, settings={}, reference={},
    )  # fmt: skip
    db.session.add_all([tokens, made])
    db.session.commit()
    return made


def _customers(control: Control, slug: str, connection: Connection) -> list[Any]:
    clients = []
    for number in range(CUSTOMERS):
        name = f"Customer {number:03} Ltd"
        there = control.ask("POST", RECORDS[slug], {"tenant": connection.account_id, "name": name})
        client = cast.make_client(name, contacts=[{"name": "Somebody", "email": f"c{number}@example.com"}])
        db.session.add(
            ClientLink(
                connection_id=connection.id, client_id=client.id, remote_id=str(there["uuid"]), remote_name=name,
                made_at=datetime.now(UTC),
            )
        )  # fmt: skip
        clients.append(client)
    db.session.commit()
    return clients


def _read_once(app: Any, connection: Connection) -> None:
    """A first sync, so that a later one can take new clients along."""
    queue.use(app)
    run, _joined = sync.request_run(
        connection, kind=RunKind.SYNC, trigger=RunTrigger.COMMAND, by=SCHEDULE, now=datetime.now(UTC)
    )
    db.session.commit()
    state = sync.work(run.id)
    assert state == RunState.DONE, state


def _mapped(connection: Connection) -> None:
    problem = receivables.read_lists(connection.id, datetime.now(UTC))
    assert not problem, problem
    ledger = connection.ways.ledger
    assert ledger is not None

    def first(kind: str) -> str:
        query = select(LedgerEntry.remote_id).where(
            LedgerEntry.connection_id == connection.id, LedgerEntry.kind == kind, LedgerEntry.is_active,
            LedgerEntry.fits,
        )  # fmt: skip
        return str(db.session.scalars(query.order_by(LedgerEntry.id)).first())

    rate = TaxRate(name="GST 15 %", percent=15, created_at=datetime.now(UTC))
    db.session.add(rate)
    db.session.flush()
    if "tax" in ledger.lists:
        tax = db.session.scalars(
            select(LedgerEntry.remote_id).where(
                LedgerEntry.connection_id == connection.id, LedgerEntry.kind == "tax", LedgerEntry.percent == 15,
                LedgerEntry.is_active, LedgerEntry.fits,
            )
        ).first()  # fmt: skip
        db.session.add(TaxMapping(connection_id=connection.id, tax_rate_id=rate.id, remote_id=str(tax)))
    settings = db.session.get(LedgerSettings, connection.id) or LedgerSettings(
        connection_id=connection.id, creates_since=[]
    )
    settings.default_target, settings.pay_into = first(ledger.target), first("pay_into")
    db.session.add(settings)
    db.session.commit()


def _bill(client: Any, connection: Connection, slug: str) -> Delivery:
    invoice = make_issued(client, connection, "100", number=uuid.uuid4().hex[:12], currency=CURRENCY[slug])
    return deliveries.ask(invoice, connection, by=SCHEDULE, now=datetime.now(UTC))


def _bare(connection: Connection, clients: list[Any], slug: str, invoices: int) -> float:
    """The same calls with nothing around them: seconds."""
    rows = [_bill(clients[number % CUSTOMERS], connection, slug) for number in range(invoices)]
    outs = [one.out for one in Packer(connection.id, slug).invoices(rows)]
    db.session.rollback()
    adapter, session = integrations.ledger_for(connection), integrations.open_session(connection)
    db.session.rollback()
    began = time.perf_counter()
    for batch in _batches(outs, adapter.ledger.invoice_batch):
        adapter.create_invoices(session, batch)
    return time.perf_counter() - began


def _batches(outs: list[InvoiceOut], size: int) -> Iterator[list[InvoiceOut]]:
    for start in range(0, len(outs), size):
        yield outs[start : start + size]


def _counted_commits() -> Any:
    from sqlalchemy import event

    seen = [0]
    event.listen(db.engine, "commit", lambda _connection: seen.__setitem__(0, seen[0] + 1))
    return lambda: seen[0]


if __name__ == "__main__":
    main()
