"""The demo as everybody starts it, in processes of its own: the portal under gunicorn and the sandbox vendors.

`with running() as world:` waits until both answer and leaves nothing behind.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.demo.children import Child, stop
from portal.sandbox.client import Control

ROOT = Path(__file__).resolve().parent.parent.parent
# What a developer has set for the portal at hand must not reach the one under test.
OURS = ("PORTAL_", "SANDBOX_", "XERO_", "XPM_", "OIDC_", "HOST", "PORT", "FLASK_", "WEB_CONCURRENCY")


@dataclass
class World:
    """Where the portal and the sandbox answer, and the controls of the other side."""

    url: str
    sandbox_url: str
    control: Control
    data_dir: Path
    demo: Child

    @property
    def log(self) -> str:
        """The last the portal had to say, and how the demo ended if it did."""
        return self.demo.obituary()

    @property
    def practice(self) -> str:
        """The id of the practice that journeys connect."""
        return next(one["id"] for one in self.control.tenants() if one["kind"] == "PRACTICEMANAGER")

    def remote(self, name: str) -> dict[str, object]:
        """The one record of exactly this name on the other side."""
        found = [one for one in self.control.clients(name, limit=50) if one["name"] == name]
        assert len(found) == 1, f"{len(found)} records on the other side are called {name}"
        return self.control.client(found[0]["uuid"])


@contextmanager
def running() -> Iterator[World]:
    """A portal and a sandbox on free ports, over a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="counterpart-", ignore_cleanup_errors=True) as folder:
        port, sandbox_port = _free_ports(2)
        demo = _start(Path(folder), port, sandbox_port)
        try:
            _wait_until_ready(demo)
            sandbox_url = f"http://localhost:{sandbox_port}"
            yield World(f"http://localhost:{port}", sandbox_url, Control(sandbox_url), Path(folder), demo)
        finally:
            stop([demo])
            assert demo.process.stdout is not None
            demo.process.stdout.close()


def _start(folder: Path, port: int, sandbox_port: int) -> Child:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment |= {
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "PORTAL_DATA_DIR": str(folder / "data"),
        "PORTAL_PUBLIC_URL": f"http://localhost:{port}",
        "PORTAL_TICK_SECONDS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.demo"],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    return Child("The demo", process, folder / "data" / "logs" / "portal.log")


def _wait_until_ready(demo: Child) -> None:
    """The demo says so itself once both answer; when it ends instead, what it said is the reason."""
    assert demo.process.stdout is not None
    said = []
    for line in demo.process.stdout:
        said.append(line.decode(errors="replace"))
        if "Ctrl-C" in said[-1]:
            demo.process.stdout.readline()  # the frame around it
            return
    raise AssertionError("The demo did not start:\n" + "".join(said))


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
