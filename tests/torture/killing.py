"""Processes that deliver, and are killed at an exact moment: at the n-th thing they do to the database or the network.

A moment is before and after every statement and every commit, before a request goes out, when its last byte has gone
and nothing has come back, and when the answer is there. `Killers.run(ids, at=17)` forks a worker, which does to itself
what `kill -9` does at its 17th moment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.config import Settings
from tests.scenarios.conftest import registered

# Started once; forks a worker for every case, so that being killed costs no start of Python.
SCRIPT = """
import json, os, signal, socket, sys
sys.path.insert(0, {root!r})
from pathlib import Path
import http.client
from sqlalchemy import event
from app import create_app
from portal import deliveries, deploying
from portal.adapters.http import transport
from portal.config import Settings
from portal.db import db
from portal.domain import claims
from jobs import queue

app = create_app(Settings(data_dir=Path({data!r}), database_url={url!r}, scheduler=False, secret_keys=("k" * 20,),
    encryption_keys=({key!r},), environment={environment!r}, log_level="CRITICAL"), migrate=False)

def count_moments(trace, at, how):
    met = [0]
    def tick(what):
        met[0] += 1
        os.write(trace, (what + "\\n").encode())
        if met[0] == at:
            os.kill(os.getpid(), how)
    event.listen(db.engine, "before_cursor_execute", lambda *_a: tick("statement"))
    event.listen(db.engine, "after_cursor_execute", lambda *_a: tick("executed"))
    commit = db.engine.dialect.do_commit
    def do_commit(connection):
        tick("commit")
        commit(connection)
        tick("committed")
    db.engine.dialect.do_commit = do_commit
    send, answer = transport.Transport.send, http.client.HTTPConnection.getresponse
    def sends(self, request, *args, **more):
        tick("send " + request.method)
        reply = send(self, request, *args, **more)
        tick("answered")
        return reply
    transport.Transport.send = sends
    def waits(self, *args, **more):
        tick("gone")
        return answer(self, *args, **more)
    http.client.HTTPConnection.getresponse = waits

print("ready", flush=True)
for line in sys.stdin:
    told = json.loads(line)
    worker = os.fork()
    if not worker:
        mine = f"{{socket.gethostname()}}:{{os.getpid()}}:forked00"
        for module in list(sys.modules.values()):  # leases name the process that holds them
            if getattr(module, "ME", None) == claims.ME and module is not claims:
                module.ME = mine
        claims.ME = mine
        signal.signal(signal.SIGTERM, lambda *_a: queue.stopping.set())
        with app.app_context():
            db.engine.dispose(close=False)
            count_moments(os.open(told["trace"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), told["at"], told["how"])
            if told["jobs"]:
                deploying.deploy(told["ids"])
            else:
                deliveries.deliver(told["ids"]) if told["ids"] else deliveries.deliver_due()
        os._exit(0)
    print(worker, flush=True)
    _pid, status = os.waitpid(worker, 0)
    print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a worker ended, and what it did until then."""

    code: int
    moments: list[str]

    @property
    def was_killed(self) -> bool:
        return self.code == -9

    @property
    def gone(self) -> int:
        """Requests whose last byte went out: the vendor has them, whatever it makes of them."""
        return self.moments.count("gone")


@dataclass
class Killers:
    parent: subprocess.Popen[bytes]
    folder: Path
    runs: int = 0
    worker: int = 0
    jobs: bool = False  # what they send are jobs for a practice app

    def start(self, ids: list[int], at: int = 0, how: signal.Signals = signal.SIGKILL) -> int:
        """The worker's process id. `at` 0: it is let live. `how`: what it does to itself at that moment."""
        self.runs += 1
        told = {"ids": ids, "at": at, "how": int(how), "trace": str(self._trace()), "jobs": self.jobs}
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.write(json.dumps(told).encode() + b"\n")
        self.worker = int(self.parent.stdout.readline())
        assert self.worker > 1
        return self.worker

    def signal(self, number: int) -> bool:
        """To the worker; False when it has ended by itself."""
        try:
            os.kill(self.worker, number)
        except ProcessLookupError:
            return False
        return True

    def stands_still(self) -> bool:
        """Whether the worker was stopped and is not running on."""
        return Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def ended(self) -> Ended:
        """Wait for the one that was started."""
        assert self.parent.stdout is not None
        code = json.loads(self.parent.stdout.readline())
        trace = self._trace()
        return Ended(code, trace.read_text().split("\n")[:-1] if trace.exists() else [])

    def run(self, ids: list[int], at: int = 0) -> Ended:
        self.start(ids, at)
        return self.ended()

    def _trace(self) -> Path:
        return self.folder / f"trace-{self.runs}"


@contextmanager
def killers(settings: Settings, environment: dict[str, str], folder: Path) -> Iterator[Killers]:
    script = SCRIPT.format(
        root=str(Path(__file__).parents[2]), data=str(folder), url=settings.database_url,
        key=settings.encryption_keys[0], environment=environment | registered(),
    )  # fmt: skip
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as parent:
        assert parent.stdout is not None
        while (line := parent.stdout.readline()) != b"ready\n":
            assert line, "the workers' process could not start"
        yield Killers(parent, folder)
        assert parent.stdin is not None
        parent.stdin.close()
