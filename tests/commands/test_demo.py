"""The demo and the server as real processes: they start, say what matters, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from portal.sandbox.client import Control
from tests.house.source import ROOT

WAIT = 90.0  # seconds until a test gives up; how quick it is, `make bench` tells


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait for something that will happen by itself."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {WAIT:.0f} seconds")


class Demo:
    """`python -m portal.demo` with its own ports and directory."""

    def __init__(self, folder: Path) -> None:
        self.port, self.sandbox_port = free_port(), free_port()
        self.data = folder / "var"
        self.output = folder / "output.txt"
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("PORTAL_", "XERO_", "XPM_"))
        } | {
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "PORTAL_DATA_DIR": str(self.data),
            "PYTHONUNBUFFERED": "1",
        }
        self.process: subprocess.Popen[bytes]

    def start(self) -> Demo:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portal.demo"], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )
        return self

    def ready(self) -> Demo:
        until(lambda: "Counterpart is ready" in self.said() or self.process.poll() is not None, "the start")
        assert self.process.poll() is None, self.said()
        return self

    def said(self) -> str:
        return self.output.read_text()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """One that has never started."""
    yield from _of(tmp_path)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture
def demo_again(lived_in: Path) -> Iterator[Demo]:
    """Started over what the one before left, however that ended: founding a firm takes as long as all the rest."""
    yield from _of(lived_in)


def _of(folder: Path) -> Iterator[Demo]:
    made = Demo(folder)
    yield made
    if made.process.poll() is None:
        made.end(signal.SIGTERM)


def _listening(processes: list[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for one in processes
        for connection in one.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def _all_gone(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_one_command_makes_a_firm_one_can_sign_in_to_and_ends_without_a_trace(demo_again: Demo) -> None:
    demo = demo_again
    demo.start().ready()
    banner = demo.said()
    for words in (f"http://localhost:{demo.port}", "admin@example.com", "counterpart-demo", str(demo.sandbox_port)):
        assert words in banner
    with urlopen(f"{demo.url}/sign-in") as page:
        assert page.status == 200
    practice = Control(f"http://127.0.0.1:{demo.sandbox_port}").clients(limit=2000)
    assert len(practice) == 1200
    children = demo.children()
    assert len(children) >= 3  # the sandbox, the server, its worker
    assert _listening(children) == {"127.0.0.1"}  # everybody knows its password
    assert demo.end(signal.SIGINT) == 0
    assert until(lambda: _all_gone(children), "the end of every process")
    demo.start().ready()
    children = demo.children()
    assert demo.end(signal.SIGTERM) == 0
    assert until(lambda: _all_gone(children), "the end of every process")


@pytest.mark.parametrize(("which", "name"), [("portal.sandbox", "The sandbox"), ("gunicorn", "The portal")])
def test_when_one_part_dies_it_says_which_and_takes_the_other_down(demo_again: Demo, which: str, name: str) -> None:
    demo = demo_again
    demo.start().ready()
    children = demo.children()
    victim = next(one for one in children if which in one.cmdline() and one.ppid() == demo.process.pid)
    victim.kill()
    assert demo.process.wait(30) == 4
    assert f"{name} was ended by signal 9. The last lines of" in demo.said()
    assert until(lambda: _all_gone(children), "the end of every process")


def test_a_port_in_use_is_said_in_a_sentence(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        assert demo.start().process.wait(30) == 4
    assert re.match(rf"Port {demo.port}, meant for the portal, is in use by another program", demo.said())
    assert f"make run PORT={demo.port + 1}" in demo.said()


def test_a_setting_that_makes_no_sense_is_said_in_a_sentence(demo: Demo) -> None:
    demo.environment["SANDBOX_PORT"] = "a nice port"
    assert demo.start().process.wait(30) == 4
    assert "SANDBOX_PORT" in demo.said()
    assert "Traceback" not in demo.said()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent was killed")
def test_even_killed_outright_it_leaves_nobody_behind(demo_again: Demo) -> None:
    demo = demo_again
    demo.start().ready()
    children = demo.children()
    demo.end(signal.SIGKILL)
    assert until(lambda: _all_gone(children), "the end of every process")


def test_a_portal_with_four_workers_and_two_helpers_does_a_night_once(tmp_path: Path) -> None:
    """Fault row 69: four web workers and two other processes, all looking for work every moment."""
    port = free_port()
    environment = os.environ | {
        "PORTAL_DATA_DIR": str(tmp_path), "PORT": str(port), "WEB_CONCURRENCY": "4", "PORTAL_TICK_SECONDS": "0.5",
        "XPM_API_URL": "http://127.0.0.1:9", "XERO_IDENTITY_URL": "http://127.0.0.1:9", "PORTAL_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    _due_tonight(environment)
    commands = [
        [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:create_app()"],
        *[[sys.executable, "-m", "flask", "--app", "app", "jobs", "run", "nightly-sync"]] * 2,
    ]
    with (tmp_path / "log.txt").open("wb") as log:
        started = [subprocess.Popen(one, cwd=ROOT, env=environment, stdout=log, stderr=log) for one in commands]
    try:
        until(lambda: _answers(port) and all(one.poll() is not None for one in started[1:]), "the start")
        until(lambda: len(_workers(started[0].pid)) == 4, "four workers")
        time.sleep(3)  # nothing to wait for: several looks of every worker go by in which nothing may happen
        assert _nights(tmp_path) == 1
    finally:
        started[0].terminate()
        for one in started:
            one.wait(40)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz") as page:
            return bool(page.status == 200)
    except (URLError, OSError):
        return False


def _workers(server: int) -> list[psutil.Process]:
    return psutil.Process(server).children()


MAKE_DUE = """
from datetime import UTC, datetime, timedelta
from app import create_app
from portal.db import db
from portal.domain.apps import Connection, ConnectionState
from portal.domain.people import found_firm
with create_app().app_context():
    now = datetime.now(UTC)
    found_firm("Marlow & Co", now=now)
    db.session.add(Connection(app="xpm", account_id="a", account_name="A", state=ConnectionState.CONNECTED,
                              enabled_at=now - timedelta(days=2), state_changed_at=now, settings={}))
    db.session.commit()
"""


def _due_tonight(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-c", MAKE_DUE], cwd=ROOT, env=environment | {"PORTAL_SCHEDULER": "0"},
        capture_output=True, check=True, timeout=WAIT,
    )  # fmt: skip


def _nights(data: Path) -> int:
    with closing(sqlite3.connect(data / "portal.db")) as database:
        (many,) = database.execute("SELECT count(*) FROM sync_run WHERE trigger = 'night'").fetchone()
    return int(many)
