"""Processes that the demo starts, watches and takes down with it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

PATIENCE = 4.0  # seconds a child may take to end once it was asked
LAST_LINES = 15
PARENT_DIED = 1  # prctl's PR_SET_PDEATHSIG


@dataclass
class Child:
    """One process, in a group of its own so that Ctrl-C reaches it through us, in order."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def obituary(self) -> str:
        """How it ended, and the last it had to say."""
        code = self.process.poll()
        how = f"was ended by signal {-code}" if code is not None and code < 0 else f"ended by itself with status {code}"
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        return f"{self.name} {how}. The last lines of {self.log}:\n{said}"


def start(name: str, command: Sequence[str], *, log: Path, environment: dict[str, str]) -> Child:
    """Start a command; what it prints goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    return Child(name, process, log)


def _die_with_parent() -> None:
    """Even a parent that was killed outright leaves nobody behind (Linux)."""
    ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGTERM)


def stop(children: Sequence[Child]) -> None:
    """Ask all to end, wait, insist, and collect them."""
    for child in children:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    for child in children:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(child, signal.SIGKILL)
            child.process.wait()
        _signal(child, signal.SIGKILL, group=True)


def _signal(child: Child, number: signal.Signals, *, group: bool = False) -> None:
    """Its group outlives it only when grandchildren were left behind; they are ended too."""
    try:
        if group:
            os.killpg(child.process.pid, number)
        elif child.is_alive:
            child.process.send_signal(number)
    except ProcessLookupError:
        return  # gone already, which is what was wanted


def is_free(port: int) -> bool:
    """Whether a server can be started on this port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of this machine nobody uses at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(url: str, body: dict[str, str]) -> None:
    """Send JSON to a server of ours. Raises OSError when it does not take it."""
    kind = {"Content-Type": "application/json"}
    request = Request(url, json.dumps(body).encode(), kind)  # noqa: S310 - only ever our own addresses
    with urlopen(request, timeout=5):  # noqa: S310 - only ever our own addresses
        return


def answers(url: str) -> bool:
    """Whether a page can be had there."""
    try:
        with urlopen(url, timeout=2) as reply:  # noqa: S310 - only ever our own addresses
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
