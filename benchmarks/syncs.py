"""Syncs against a bare loop: the same requests and the same parsing with one bulk insert and no logic, in the same run.

    python -m benchmarks.syncs [--clients 10000] [--memory-at 50000] [--database sqlite|postgresql]

Prints seconds, ratios, calls and the peak memory of the process that syncs. The bars: a first import at most four times
the bare loop, nothing changed at most 1.5 times the bare reading, under 400 MB at 50,000 clients. Nothing is asserted.
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
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, text

from app import create_app
from portal import integrations
from portal.config import Settings
from portal.db import db
from portal.domain import client_search
from portal.domain.apps import RunState
from portal.domain.records import ClientRecord
from portal.sandbox.client import Control
from tests import cast
from tests.databases import Postgres
from tests.scenarios.conftest import World, connect

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 3  # of each, in turn; the median counts


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--clients", type=int, default=10_000)
    wanted.add_argument("--memory-at", type=int, default=50_000, help="0 leaves that part away")
    wanted.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    wanted.add_argument("--measure", metavar="SANDBOX_URL", help=argparse.SUPPRESS)
    wanted.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    chosen = wanted.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.database, chosen.memory_only)))
        return
    figures = in_a_process_of_its_own(chosen.clients, chosen.database)
    show(figures, chosen.clients, chosen.database)
    if chosen.memory_at:
        small, large = figures["memory"], in_a_process_of_its_own(chosen.memory_at, chosen.database, "--memory-only")
        Console().print(
            f"Peak memory of a first import: {small:.0f} MB at {chosen.clients:,} clients, "
            f"{large['memory']:.0f} MB at {chosen.memory_at:,} (bar 400 MB)."
        )


def in_a_process_of_its_own(clients: int, database: str, *more: str) -> dict[str, Any]:
    with sandbox(clients) as url:
        command = [sys.executable, "-m", "benchmarks.syncs", "--measure", url, "--database", database, *more]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def sandbox(clients: int) -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="counterpart-sandbox-") as folder:
        command = [sys.executable, "-m", "portal.sandbox", "--port", str(port), "--data-dir", folder]
        child = subprocess.Popen([*command, "--clients", str(clients)], cwd=ROOT, stdout=subprocess.DEVNULL)
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


def measure(url: str, database: str, memory_only: bool) -> dict[str, Any]:
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
                xpm_api_url=f"{url}/xpm", xero_api_url=f"{url}/xero", xero_identity_url=f"{url}/xero",
                xero_login_url=f"{url}/xero",
            ),
            migrate=False,
        )  # fmt: skip
        with app.app_context():
            return Measuring(app, Control(url)).all(memory_only)


class Measuring:
    def __init__(self, app: Any, control: Control) -> None:
        self.app = app
        self.control = control
        control.limits(minute=1_000_000, day=10_000_000, app_minute=10_000_000)

    def fresh(self) -> World:
        """Empty tables and a new connection."""
        db.session.remove()
        db.session.execute(text("DROP TABLE IF EXISTS client_search"))
        db.session.commit()
        db.drop_all()
        db.create_all()
        for statement in client_search.create_statements(db.engine.dialect.name, with_trigrams=False):
            db.session.execute(text(statement))
        db.session.commit()
        cast.person("admin")
        world = World(self.app, self.control, *connect(self.control))
        world.connection()
        return world

    def all(self, memory_only: bool) -> dict[str, Any]:
        world = self.fresh()
        world.done()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if memory_only:
            return {"memory": memory}
        imports, loops = [], []
        for _ in range(ROUNDS):
            world = self.fresh()
            loops.append(self.seconds(lambda: self.bare_loop(world)))  # noqa: B023  # called at once
            world = self.fresh()
            self.control.clear_calls()
            imports.append(self.seconds(world.done))
        import_calls = self.calls()
        again, readings = [], []
        for _ in range(ROUNDS):
            readings.append(self.seconds(lambda: self.read(world)))
            again.append(self.seconds(lambda: world.done(full=True)))
        world.done()
        self.control.change_some(100)
        self.control.clear_calls()
        night = world.done()
        assert night.state == RunState.DONE
        return {
            "memory": memory, "first": imports, "loop": loops, "again": again, "reading": readings,
            "import_calls": import_calls, "night_calls": self.calls(), "night": night.counts,
        }  # fmt: skip

    def seconds(self, what: Callable[[], object]) -> float:
        db.session.commit()
        started = time.perf_counter()
        what()
        db.session.commit()
        return time.perf_counter() - started

    def read(self, world: World) -> list[ClientRecord]:
        """Fetch and parse, and nothing else."""
        connection = world.connection()
        adapter, session = integrations.adapter_for(connection), integrations.open_session(connection)
        db.session.commit()
        return [one for one in adapter.fetch_clients(session, None) if isinstance(one, ClientRecord)]

    def bare_loop(self, world: World) -> None:
        """The same records in the same tables, in one bulk insert each."""
        from portal.domain.apps import ClientLink
        from portal.domain.clients import Client, Contact
        from portal.domain.text import sort_key

        now = world.now()
        records = self.read(world)
        clients = [
            {"id": number, "name": one.name, "name_key": sort_key(one.name), "near_key": "", "phone": one.phone,
             "address_street": one.address.street, "created_at": now, "changed_at": now}
            for number, one in enumerate(records, 1)
        ]  # fmt: skip
        links = [
            {"client_id": number, "connection_id": world.connection_id, "remote_id": one.remote_id, "made_at": now,
             "remote_name": one.name, "seen": one.as_json()}
            for number, one in enumerate(records, 1)
        ]  # fmt: skip
        contacts = [
            {"client_id": number, "name": person.name, "email": person.email, "phone": person.phone}
            for number, one in enumerate(records, 1)
            for person in one.contacts
        ]
        db.session.execute(insert(Client), clients)
        db.session.execute(insert(ClientLink), links)
        db.session.execute(insert(Contact), contacts)

    def calls(self) -> dict[str, int]:
        made = [one for one in self.control.summary() if one["vendor"] == "xpm"]
        return {f"{one['method']} {one['path']}": one["count"] for one in made}


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def show(figures: dict[str, Any], clients: int, database: str) -> None:
    table = Table(title=f"Xero Practice Manager, {clients:,} clients, {database}")
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


if __name__ == "__main__":
    main()
