"""Syncs against a bare loop: the same requests and the same parsing with one bulk insert and no logic, in the same run.

    python -m benchmarks.syncs [--app xpm,xero,…] [--clients 10000] [--memory-at 50000] [--database sqlite|postgresql]

For each app: seconds, ratios, calls, and the peak memory of the process that syncs. The bars: a first import at most
four times the bare loop, nothing changed at most 1.5 times the bare reading, under 400 MB at 50,000 clients; the calls
are the vendors' own arithmetic. Limits are lifted on both sides, so that waiting is not measured. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, select, text

from app import create_app
from portal import integrations
from portal.config import Settings
from portal.db import db
from portal.domain import client_search, clients
from portal.domain.activity import Actor, Origin
from portal.domain.apps import (
    ClientLink,
    Connection,
    ConnectionState,
    RunKind,
    RunState,
    RunTrigger,
    SyncRun,
    TokenSet,
)
from portal.domain.clients import Client, Contact
from portal.domain.records import ClientRecord
from portal.domain.text import sort_key
from portal.sandbox.client import Control
from portal.sandbox.vendor import addresses
from portal.sync import request_run, work
from tests import cast
from tests.databases import Postgres

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3  # of each, in turn; the median counts
RECORDS = {"xpm": "clients", "xero": "xero/contacts", "quickbooks": "quickbooks/customers", "digits": "digits/clients"}


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--app", default=",".join(offered.info.slug for offered in integrations.OFFERED))
    wanted.add_argument("--clients", type=int, default=10_000)
    wanted.add_argument("--memory-at", type=int, default=50_000, help="0 leaves that part away")
    wanted.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    wanted.add_argument("--measure", metavar="SANDBOX_URL", help=argparse.SUPPRESS)
    wanted.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    chosen = wanted.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.app, chosen.clients, chosen.database, chosen.memory_only)))
        return
    for app in chosen.app.split(","):
        figures = in_a_process_of_its_own(app, chosen.clients, chosen.database)
        show(figures, chosen.clients, chosen.database)
        if chosen.memory_at:
            large = in_a_process_of_its_own(app, chosen.memory_at, chosen.database, "--memory-only")
            Console().print(
                f"Peak memory of a first import: {figures['memory']:.0f} MB at {chosen.clients:,} clients, "
                f"{large['memory']:.0f} MB at {chosen.memory_at:,} (bar 400 MB)."
            )


def in_a_process_of_its_own(app: str, clients: int, database: str, *more: str) -> dict[str, Any]:
    with sandbox() as url:
        command = [
            sys.executable, "-m", "benchmarks.syncs", "--measure", url, "--app", app, "--clients", str(clients),
            "--database", database, *more,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def sandbox() -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="counterpart-sandbox-") as folder:
        command = [sys.executable, "-m", "portal.sandbox", "--port", str(port), "--data-dir", folder]
        child = subprocess.Popen([*command, "--clients", "0"], cwd=ROOT, stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(Control(url))
            yield url
        finally:
            child.terminate()
            child.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(control: Control) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            control.tenants()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def measure(url: str, slug: str, clients: int, database: str, memory_only: bool) -> dict[str, Any]:
    """In a process of its own, so that its peak memory is the sync's."""
    with tempfile.TemporaryDirectory(prefix="counterpart-bench-") as folder, ExitStack() as stack:
        if database == "postgresql":
            server = Postgres.running(Path(folder) / "postgres", f"bench_{os.getpid()}")
            database_url = stack.enter_context(server).url
        else:
            database_url = f"sqlite:///{folder}/portal.db"
        app = create_app(
            Settings(
                data_dir=Path(folder), database_url=database_url, scheduler=False, log_level="WARNING",
                environment=addresses(url),
            ),
            migrate=False,
        )  # fmt: skip
        with app.app_context():
            return Measuring(slug, Control(url), clients).all(memory_only)


class Measuring:
    """One app, its stand-in filled with so many clients."""

    def __init__(self, slug: str, control: Control, clients: int) -> None:
        self.adapter = integrations.APPS[slug]
        without = replace(self.adapter.info.allowance, per_minute=10**7, per_day=None, per_second=None)
        self.adapter.info = replace(self.adapter.info, allowance=without)
        info = self.adapter.info
        self.control = control
        control.limits(minute=10**7, day=10**7, app_minute=10**7, second=10**6, batch_minute=10**6)
        fits = [one for one in control.tenants() if one["kind"] in info.account_kinds]
        self.tenant = fits[0]
        control.load(clients, vendor=self.tenant["vendor"], tenant=self.tenant["id"])
        self.connection_id = 0

    def fresh(self) -> None:
        """Empty tables and a new connection, set to bring in everything."""
        db.session.remove()
        db.session.execute(text("DROP TABLE IF EXISTS client_search"))
        db.session.commit()
        db.drop_all()
        db.create_all()
        for statement in client_search.create_statements(db.engine.dialect.name, with_trigrams=False):
            db.session.execute(text(statement))
        db.session.commit()
        cast.person("admin")
        self.connection_id = self.connect().id
        db.session.commit()

    def connect(self) -> Connection:
        info, tenant, now = self.adapter.info, self.tenant, datetime.now(UTC)
        reply = self.control.tokens(vendor=info.vendor, tenants=[tenant["id"]])
        tokens = TokenSet(
            vendor=info.vendor, client_id="counterpart-sandbox", access_token=reply["access_token"],
            refresh_token=reply["refresh_token"], expires_at=now + timedelta(minutes=30), changed_at=now,
        )  # fmt: skip
        made = Connection(
            app=info.slug, account_id=tenant["id"], account_name=tenant["name"], state=ConnectionState.CONNECTED,
            token_set=tokens, enabled_at=now, state_changed_at=now, settings={"intake": "all"}, reference={},
        )  # fmt: skip
        db.session.add(made)
        db.session.flush()
        return made

    def sync(self, *, full: bool = False) -> SyncRun:
        connection = db.session.get_one(Connection, self.connection_id)
        by = Actor("Benchmark", Origin.COMMAND)
        run, _ = request_run(
            connection, kind=RunKind.SYNC, trigger=RunTrigger.COMMAND, by=by, now=datetime.now(UTC), full=full
        )
        db.session.commit()
        work(run.id)
        db.session.expire_all()
        ended = db.session.get_one(SyncRun, run.id)
        if ended.state != RunState.DONE:
            raise SystemExit(f"the sync ended as {ended.state}: {ended.message}")
        return ended

    def all(self, memory_only: bool) -> dict[str, Any]:
        self.fresh()
        self.sync()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if memory_only:
            return {"memory": memory}
        imports, loops, import_calls = [], [], {}
        for _ in range(ROUNDS):
            self.fresh()
            loops.append(self.seconds(self.bare_loop))
            self.fresh()
            self.control.clear_calls()
            imports.append(self.seconds(self.sync))
            import_calls = self.calls()
        again, readings = [], []
        for _ in range(ROUNDS):
            readings.append(self.seconds(self.read))
            again.append(self.seconds(lambda: self.sync(full=True)))
        figures = {"memory": memory, "first": imports, "loop": loops, "again": again, "reading": readings}
        return figures | {"app": self.adapter.info.name, "import_calls": import_calls} | self.night() | self.pushes()

    def night(self) -> dict[str, Any]:
        """A hundred changed there since the last sync."""
        self.sync()
        self.control.at(RECORDS[self.adapter.info.slug]).change_some(100)
        self.control.clear_calls()
        counts = self.sync().counts
        return {"night_calls": self.calls(), "night": counts}

    def pushes(self) -> dict[str, Any]:
        """Three hundred renamed here, then a sync."""
        if not self.adapter.info.writes_clients:
            return {"push_calls": {}, "push": {}}
        by, now = Actor("Benchmark", Origin.SCREEN), datetime.now(UTC)
        for client in db.session.scalars(select(Client).order_by(Client.id).limit(300)):
            clients.edit(client, {"name": f"{client.name[:60]} of today"}, by=by, now=now)
        db.session.commit()
        self.control.clear_calls()
        counts = self.sync().counts
        return {"push_calls": self.calls(), "push": counts}

    def seconds(self, what: Callable[[], object]) -> float:
        db.session.commit()
        started = time.perf_counter()
        what()
        db.session.commit()
        return time.perf_counter() - started

    def read(self) -> list[ClientRecord]:
        """Fetch and parse, and nothing else."""
        session = integrations.open_session(db.session.get_one(Connection, self.connection_id))
        db.session.commit()
        return [one for one in self.adapter.fetch_clients(session, None) if isinstance(one, ClientRecord)]

    def bare_loop(self) -> None:
        """The same records in the same tables, in one bulk insert each."""
        now = datetime.now(UTC)
        records = self.read()
        people = [
            {"id": number, "name": one.name, "name_key": sort_key(one.name), "near_key": "", "phone": one.phone,
             "address_street": one.address.street, "created_at": now, "changed_at": now}
            for number, one in enumerate(records, 1)
        ]  # fmt: skip
        links = [
            {"client_id": number, "connection_id": self.connection_id, "remote_id": one.remote_id, "made_at": now,
             "remote_name": one.name, "seen": one.as_json()}
            for number, one in enumerate(records, 1)
        ]  # fmt: skip
        contacts = [
            {"client_id": number, "name": person.name, "email": person.email, "phone": person.phone}
            for number, one in enumerate(records, 1)
            for person in one.contacts
        ]
        db.session.execute(insert(Client), people)
        db.session.execute(insert(ClientLink), links)
        if contacts:
            db.session.execute(insert(Contact), contacts)

    def calls(self) -> dict[str, int]:
        made = [one for one in self.control.summary() if one["vendor"] == self.tenant["vendor"]]
        return {f"{one['method']} {one['path']}": one["count"] for one in made}


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def show(figures: dict[str, Any], clients: int, database: str) -> None:
    table = Table(title=f"{figures['app']}, {clients:,} clients, {database}")
    for heading in ("what", "portal", "bare", "ratio", "bar"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, mine, floor, bar in (
        ("first import", "first", "loop", "4"), ("nothing changed", "again", "reading", "1.5"),
    ):  # fmt: skip
        ratios = [a / b for a, b in zip(figures[mine], figures[floor], strict=True)]
        table.add_row(
            what, f"{median(figures[mine]):.2f} s", f"{median(figures[floor]):.2f} s", f"{median(ratios):.2f}", bar
        )
    console = Console()
    console.print(table)
    console.print("Calls, first import:", figures["import_calls"])
    console.print("Calls, a night with 100 changed:", figures["night_calls"], "came to", figures["night"])
    if figures["push"]:
        console.print("Calls, 300 renamed here:", figures["push_calls"], "came to", figures["push"])


if __name__ == "__main__":
    main()
