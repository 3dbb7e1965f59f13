"""The lists of clients and of invoices against the floor: the same rows as bare views with hand-written SQL, in the
same run.

    python -m benchmarks.list_pages [--database sqlite|postgresql|both] [--clients 50000] [--invoices 200000]
        [--requests 200] [--only clients|invoices] [--keep FOLDER]

Builds a practice, starts the portal and the floor side by side, each under gunicorn with one worker and four threads,
and asks both for the same view in turn. Prints the median times and their ratio; the bar is 3. Nothing is asserted.
With --keep the practice stays in the folder, and the next run with the same folder and the same numbers uses it again
(on PostgreSQL: a server named by TEST_POSTGRES_URL).
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, text

from app import create_app
from benchmarks import invoiced, practice
from portal.config import Settings
from portal.db import db, reading
from portal.domain import client_list, invoices
from portal.domain.client_list import Filters
from portal.domain.clients import ClientGroup
from portal.domain.invoices import Filters as InvoiceFilters
from portal.domain.people import User, sessions
from tests.databases import Postgres

ROOT = Path(__file__).resolve().parent.parent
BAR = 3.0
COOKIE = "counterpart"
Page = tuple[str, str, str]  # its name, and where the portal and where the floor has it


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    wanted.add_argument("--clients", type=int, default=50_000)
    wanted.add_argument("--requests", type=int, default=200)
    wanted.add_argument("--invoices", type=int, default=200_000)
    wanted.add_argument("--only", choices=("clients", "invoices"))
    wanted.add_argument("--keep", type=Path)
    chosen = wanted.parse_args()
    for database in ("sqlite", "postgresql") if chosen.database == "both" else (chosen.database,):
        with ExitStack() as stack:
            folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="counterpart-bench-")))
            folder.mkdir(parents=True, exist_ok=True)
            measure(database, _database(database, folder, chosen, stack), folder, chosen)


def _database(database: str, folder: Path, chosen: argparse.Namespace, stack: ExitStack) -> str:
    """The address of the database to measure, which may be filled already."""
    name = f"bench_{chosen.clients}_{chosen.invoices}"
    if database == "sqlite":
        return f"sqlite:///{folder}/{name}.db"
    if chosen.keep is None:
        return stack.enter_context(Postgres.running(folder / "postgres", f"bench_{os.getpid()}")).url
    return stack.enter_context(Postgres.standing(folder / "postgres", name)).url


def measure(database: str, url: str, folder: Path, chosen: argparse.Namespace) -> None:
    settings = Settings(data_dir=folder, database_url=url, scheduler=False, log_level="ERROR")
    portal = create_app(settings)
    cookie, pages = _prepare(portal, chosen)
    size = f"{chosen.clients:,} clients, {chosen.invoices:,} invoices"
    with ExitStack() as stack:
        floor_port = stack.enter_context(_served("benchmarks.floor:app", url, folder))
        portal_port = stack.enter_context(_served("app:create_app()", url, folder))
        table = Table(title=f"{size}, {database}: median of {chosen.requests} requests, ms", title_justify="left")
        for column in ("page", "floor", "portal", "ratio", "bytes", "gzip", "floor's bytes"):
            table.add_column(column, justify="left" if column == "page" else "right")
        for name, asked, floor in pages:
            mine, theirs = _Asker(portal_port, asked, cookie), _Asker(floor_port, floor, "")
            _in_turn(mine, theirs, chosen.requests)
            table.add_row(name, *_figures(mine, theirs))
    Console(width=110).print(table)


def _figures(mine: _Asker, theirs: _Asker) -> Iterator[str]:
    slow, quick = statistics.median(mine.times), statistics.median(theirs.times)
    yield from (f"{quick:.1f}", f"{slow:.1f}", f"{slow / quick:.1f}{' !' if slow / quick > BAR else ''}")
    yield from (f"{len(mine.body):,}", f"{len(gzip.compress(mine.body, 6)):,}", f"{len(theirs.body):,}")


class _Asker:
    """Asks one address again and again over one connection, as a browser does."""

    def __init__(self, port: int, path: str, cookie: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path = path
        self.headers = {"Cookie": f"{COOKIE}={cookie}"} if cookie else {}
        self.times: list[float] = []
        self.body = b""

    def ask(self) -> float:
        began = time.perf_counter()
        self.connection.request("GET", self.path, headers=self.headers)
        response = self.connection.getresponse()
        self.body = response.read()
        took = (time.perf_counter() - began) * 1000
        if response.status != 200:
            raise SystemExit(f"{self.path} answered {response.status}")
        return took


def _in_turn(mine: _Asker, theirs: _Asker, requests: int) -> None:
    for place in range(requests + 10):
        for one in (mine, theirs):
            took = one.ask()
            if place >= 10:  # the first few fill caches
                one.times.append(took)


def _prepare(portal: Flask, chosen: argparse.Namespace) -> tuple[str, list[Page]]:
    """Build the practice and sign its admin in. Gives the cookie, and for each page its name and both addresses."""
    with portal.app_context():
        if db.session.scalar(select(User.id).limit(1)) is None:
            practice.fill(chosen.clients)
            invoiced.fill(chosen.invoices)
        admin = db.session.scalars(select(User).order_by(User.id).limit(1)).one()
        token = sessions.begin(admin, now=datetime.now(UTC), address="127.0.0.1", browser="bench", way="password")
        db.session.commit()
        with reading():
            pages = [] if chosen.only == "invoices" else _pages()
            pages += [] if chosen.only == "clients" else _invoice_pages()
        db.session.remove()
    return _cookie(portal, token), pages


def _cookie(portal: Flask, token: str) -> str:
    """The cookie of a signed-in browser that has been here before: it holds its forgery token already."""
    serializer: Any = portal.session_interface.get_signing_serializer(portal)  # type: ignore[attr-defined]  # Flask's own session interface has it
    return serializer.dumps({"_user_id": token, "_fresh": True, "csrf_token": secrets.token_hex(20)})


def _pages() -> list[Page]:
    chosen = client_list.choices()
    manager, partner = chosen.managers[2][0], chosen.partners[1][0]
    app = chosen.apps[0].connection_id
    group = db.session.scalar(select(ClientGroup.group_id).limit(1)) or 0
    name, client_id = _place_of_page_1000()

    def page(title: str, view: Filters, floor: str, **values: Any) -> Page:
        return title, "/clients" + view.query(), f"/{floor}?{urlencode(values)}"

    by = client_list.Sort
    return [
        page("first page", Filters(), "first"),
        (
            "page 1,000",
            f"/clients?after={quote(f'{name}~{client_id}')}",
            f"/deep?{urlencode({'key': name, 'id': client_id})}",
        ),
        page("search “tolaga”: one client", Filters("tolaga"), "search", key="tolaga"),
        page("search “whitcombe”: many", Filters("whitcombe"), "search", key="whitcombe"),
        page("search “ltd”: very many", Filters("ltd"), "search", key="ltd"),
        page("status lead", Filters(status="lead"), "lead"),
        page("status archived", Filters(status="archived"), "archived"),
        page("manager", Filters(manager=manager), "manager", id=manager),
        page("partner", Filters(partner=partner), "partner", id=partner),
        page("group", Filters(group=group), "group", id=group),
        page("in an app", Filters(app=app), "linked", id=app),
        page("not in an app", Filters(app=app, is_linked=False), "not_linked", id=app),
        *(page(f"sync {state}", Filters(sync=state), "sync", key=state) for state in ("failed", "conflict", "in_step")),
        page("sync near match", Filters(sync=client_list.NEAR_MATCH), "near"),
        page("by name, Z first", Filters(descending=True), "name_down"),
        page("by status", Filters(sort=by.STATUS), "by_status"),
        page("by manager", Filters(sort=by.MANAGER), "by_manager"),
        page("by sync state", Filters(sort=by.SYNC), "by_sync"),
        page("by change, newest first", replace(Filters(sort=by.CHANGED), descending=True), "by_changed"),
    ]


def _invoice_pages() -> list[Page]:
    day, invoice_id = invoiced.place_of_page_1000()
    busiest = db.session.scalar(text("SELECT client_id FROM invoice GROUP BY client_id ORDER BY count(*) DESC LIMIT 1"))
    today = datetime.now(UTC).date()
    month = invoiced.TODAY - timedelta(days=30)

    def page(title: str, view: InvoiceFilters, floor: str, **values: Any) -> Page:
        return f"invoices: {title}", "/invoices" + view.query(), f"/invoices/{floor}?{urlencode(values)}"

    by = invoices.Sort
    deep = f"/invoices?after={quote(f'{day}~{invoice_id}')}"
    tab = f"/clients/{busiest}/invoices"
    return [
        page("first page", InvoiceFilters(), "first"),
        ("invoices: page 1,000", deep, f"/invoices/deep?{urlencode({'key': day, 'id': invoice_id})}"),
        page("search “tolaga”: one client", InvoiceFilters("tolaga"), "search", key="tolaga"),
        page("search “whitcombe”: many", InvoiceFilters("whitcombe"), "search", key="whitcombe"),
        page("search “ltd”: very many", InvoiceFilters("ltd"), "search", key="ltd"),
        page("search “INV-123456”", InvoiceFilters("INV-123456"), "number", key="INV-123456"),
        page("unpaid, by due date", InvoiceFilters(standing="open", sort=by.DUE, descending=False), "open"),
        page("overdue", InvoiceFilters(standing="overdue"), "overdue", key=today),
        page("not in their ledger", InvoiceFilters(deployment="failed"), "failed"),
        page("of 30 days", InvoiceFilters(since=month), "month", key=month),
        page("largest first", InvoiceFilters(sort=by.AMOUNT), "by_total"),
        ("invoices: a client’s tab", tab, f"/invoices/client?{urlencode({'id': busiest})}"),
        ("home", "/", "/home"),
    ]


def _place_of_page_1000() -> tuple[str, int]:
    """Where page 1,000 begins; with fewer clients, the last whole page."""
    listed = "FROM client WHERE archived_at IS NULL"
    clients = db.session.scalar(text(f"SELECT count(*) {listed}")) or 0
    before = max(0, min(999 * 50, clients - 51) - 1)
    query = text(f"SELECT name_key, id {listed} ORDER BY name_key, id LIMIT 1 OFFSET :before")
    row = db.session.execute(query, {"before": before}).one()
    return row.name_key, row.id


@contextmanager
def _served(target: str, url: str, folder: Path) -> Iterator[int]:
    """`target` under gunicorn: one worker, four threads. Gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PORTAL_DATA_DIR": str(folder), "PORTAL_DATABASE_URL": url, "PORTAL_SCHEDULER": "false",
        "PORTAL_LOG_LEVEL": "ERROR", "FLOOR_DATABASE": url,
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "-w", "1", "--threads", "4", "-b", f"127.0.0.1:{port}", target]
    command += ["--log-level", "error", "--keep-alive", "60"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _attempt in range(300):
        if server.poll() is not None:
            raise SystemExit("a server did not start")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("a server did not answer")


if __name__ == "__main__":
    main()
