"""A run killed at random moments, again and again, for every app: nothing is doubled, nothing lost, every link right.

Each app gets one world and KILL_ROUNDS rounds in it (default 2). A round changes both sides, starts a run in a process
of its own, and kills that with SIGKILL somewhere between its first and its last moment; then the portal recovers as it
does by itself. The first round is the first import. The seed is printed; KILL_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select as select_files

import pytest
from sqlalchemy import delete, func, select, update

from portal import sync
from portal.config import Settings
from portal.db import db
from portal.domain import clients, outgoing
from portal.domain.apps import CallWindow, ClientLink, OutgoingClient, PushState, RunState, SyncRun, UnlinkedRecord
from portal.domain.clients import Client
from portal.sandbox.server import Running
from portal.sandbox.vendor import addresses
from portal.sync import recover
from tests.scenarios.apps import EACH
from tests.scenarios.conftest import PRIYA, World, registered

ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
SEED = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
AT_FIRST, COME, RENAME, GO = 80, 12, 12, 8  # records of the first import; changes of a round

# Started once; forks a worker for every run it is told, so that being killed costs no start of Python.
WORKERS = """
import os, socket, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from app import create_app
from portal.config import Settings
from portal.db import db
from portal.domain import claims
from portal.sync import work
app = create_app(Settings(data_dir=Path({data!r}), database_url={url!r}, scheduler=False, secret_keys=("k" * 20,),
    encryption_keys=({key!r},), environment={environment!r}, log_level="ERROR"), migrate=False)
print("ready", flush=True)
for line in sys.stdin:
    worker = os.fork()
    if not worker:
        mine = f"{{socket.gethostname()}}:{{os.getpid()}}:forked00"
        for module in list(sys.modules.values()):  # leases name the process that holds them
            if getattr(module, "ME", None) == claims.ME and module is not claims:
                module.ME = mine
        claims.ME = mine
        with app.app_context():
            db.engine.dispose(close=False)
            work(int(line))
        os._exit(0)
    print(worker, flush=True)
    os.waitpid(worker, 0)
    print("ended", flush=True)
"""


@dataclass
class Workers:
    """Processes that do runs, and can be killed."""

    parent: subprocess.Popen[bytes]

    def run(self, run_id: int, kill_after: float) -> tuple[bool, float]:
        """Whether it was killed, and how many seconds it lived."""
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.write(f"{run_id}\n".encode())
        worker, started = int(self.parent.stdout.readline()), time.monotonic()
        ended, _writable, _odd = select_files([self.parent.stdout], [], [], kill_after)
        if not ended:
            os.kill(worker, signal.SIGKILL)
        assert self.parent.stdout.readline() == b"ended\n"
        return not ended, time.monotonic() - started


@pytest.fixture(scope="module")
def workers(running: Running, test_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    script = WORKERS.format(
        root=str(Path(__file__).parents[2]), data=str(tmp_path_factory.mktemp("workers")),
        url=test_settings.database_url, key=test_settings.encryption_keys[0],
        environment=addresses(running.url) | registered(),
    )  # fmt: skip
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        yield Workers(parent)
        assert parent.stdin is not None
        parent.stdin.close()


@dataclass
class Story:
    """What both sides ought to hold, whatever was killed."""

    world: World
    dice: random.Random
    names: set[str] = field(default_factory=set)  # of all clients here, each exactly once
    gone_out: list[int] = field(default_factory=list)  # clients that were to be created there

    def changes(self, number: int) -> None:
        """Somebody works on both sides."""
        there = [f"Come {number:02}-{one:02} Ltd" for one in range(COME)]
        self.world.create_there(*there)
        self.names |= set(there)
        ways = self.world.connection().ways
        linked = self.dice.sample([one.client_id for one in self.world.links()], RENAME)
        for client_id in linked if ways.writes else ():
            client = db.session.get_one(Client, client_id)
            self.names.remove(client.name)
            clients.edit(client, {"name": f"Renamed {number:02}-{client_id}"}, by=PRIYA, now=self.world.now())
            self.names.add(client.name)
        for one in range(GO):
            client = clients.create(f"Go {number:02}-{one:02}", by=PRIYA, now=self.world.now())
            outgoing.ask(client, self.world.connection(), by=PRIYA, now=self.world.now())
            self.names.add(client.name)
            self.gone_out.append(client.id)
        db.session.commit()

    def recovers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the portal does by itself in the minutes after a process died, without the minutes."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        db.session.execute(
            update(ClientLink).where(ClientLink.push_lease_by.is_not(None)).values(push_lease_until=past)
        )
        db.session.execute(update(OutgoingClient).where(OutgoingClient.lease_by.is_not(None)).values(lease_until=past))
        db.session.commit()
        started: list[int] = []
        monkeypatch.setattr("portal.sync.recovering.start", started.append)
        recover(self.world.now() + timedelta(minutes=1))
        self.minute_is_over()
        for run_id in started:
            assert sync.work(run_id) == RunState.DONE, db.session.get_one(SyncRun, run_id).message
        for _look in range(3):
            db.session.execute(
                update(ClientLink).where(ClientLink.push_state == PushState.READY).values(push_next_at=past)
            )
            db.session.execute(update(OutgoingClient).values(next_at=past))
            self.minute_is_over()
            sync.send_due(self.world.now(), limit=500)
            self.minute_is_over()
            sync.create_due(self.world.now())
        self.minute_is_over()
        self.world.done(full=True)
        self.world.done()

    def minute_is_over(self) -> None:
        """The vendor's limit of a minute begins anew. Commits."""
        db.session.execute(delete(CallWindow))
        db.session.commit()

    def is_told_right(self) -> None:
        """The two sides hold what they ought to, each once, and the links tie the right ones."""
        db.session.expire_all()
        assert Counter(db.session.scalars(select(Client.name))) == Counter(self.names)
        assert db.session.scalars(select(OutgoingClient)).all() == []
        links = self.world.links()
        assert {one.push_state for one in links} == {PushState.NONE}
        assert {one.client_id for one in links} >= set(self.gone_out)
        assert len({one.remote_id for one in links}) == len({one.client_id for one in links}) == len(links)
        there = self.there()
        assert not [name for name, many in Counter(there.values()).items() if many > 1]
        here = {one.remote_id: db.session.get_one(Client, one.client_id).name for one in links}
        listed = {remote_id: name for remote_id, name in here.items() if remote_id in there}
        assert listed == {remote_id: there[remote_id] for remote_id in listed}
        if self.world.connection().ways.lists_everything:
            assert len(listed) == len(links)
        unlinked = db.session.scalar(select(func.count()).select_from(UnlinkedRecord)) or 0
        assert len(there) - len(listed) == unlinked
        searchable = db.session.execute(select(func.count()).select_from(db.text("client_search"))).scalar_one()
        assert searchable == len(self.names)

    def there(self) -> dict[str, str]:
        """Identifier -> name of all that are in use there."""
        side = self.world.control.at(self.world.side.records)
        every = side.clients(tenant=self.world.tenant, limit=5000)
        return {one["uuid"]: one["name"] for one in every if not (one["archived"] or one.get("deleted"))}


@pytest.mark.parametrize("slug", EACH)
def test_killed_at_any_moment_it_doubles_and_loses_nothing(
    make_world: Callable[..., AbstractContextManager[World]], workers: Workers, slug: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Fault rows 72 and 74, for imports, changes sent and clients created: SIGKILL, anywhere."""
    print(f"KILL_SEED={SEED} KILL_ROUNDS={ROUNDS}")
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)
    with make_world(app=slug, wide=True) as world:
        story = Story(world, random.Random(f"{SEED} {slug}"))
        first = [f"First {number:03} Ltd" for number in range(AT_FIRST)]
        world.create_there(*first)
        story.names |= set(first)
        whole = 0.3  # seconds the first import takes; the later runs take longer, because they write there
        for number in range(ROUNDS):
            if number:
                story.changes(number)
            run_id = world.request().id
            story.minute_is_over()  # and no transaction is open here that the worker would wait for
            killed, lived = workers.run(run_id, kill_after=story.dice.uniform(0.01, whole))
            whole = (1.2 if not number else whole * 1.1) if killed or not number else lived
            print(f"{slug}, round {number}: {'killed' if killed else 'ended'} after {lived:.2f} s, {state_of(world)}")
            story.recovers(monkeypatch)
            story.is_told_right()


def state_of(world: World) -> str:
    run = db.session.scalars(select(SyncRun).order_by(SyncRun.id.desc()).limit(1)).one()
    said = f"{run.phase} {run.done} of {run.total}"
    db.session.rollback()
    return said
