"""Processes that hold leases, as others see them, so that the leases of a dead one end at once instead of in minutes.

Two ways to know, and they are not worth the same. On the same machine, since the same start of it and with the same
numbering of processes, the system says for certain whether a process is still there. Of any other, only its heartbeat
can be watched: one that stands still is in doubt, and may come back.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import UtcDateTime, apart, db
from portal.domain import claims

Clock = Callable[[], datetime]

BEAT = 3.0  # seconds between two heartbeats of a process at work
SILENCE = 20.0  # seconds without one, by the watcher's own stopwatch, before a process is in doubt
DOUBT = 12.0  # seconds without one, by its own stopwatch, after which a process begins no call: before others doubt it
KEPT = timedelta(days=90)
BOOT, NUMBERING = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


class Worker(db.Model):
    """A process that has held a lease. Leases begin with its name."""

    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str]  # where its number means something: this start of the machine, this numbering; empty: unknown
    pid: Mapped[int]
    born: Mapped[str]  # when the system started it; numbers are used again, these not
    beat: Mapped[int] = mapped_column(default=0)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)  # for people; nothing is decided by it


@dataclass(frozen=True)
class Gone:
    """Holders whose process has ended for certain, and those that have only not been heard of."""

    ended: frozenset[str]
    silent: frozenset[str]


@dataclass
class _Own:
    """This process's heart. `heard_at`: when a beat was last on record, by our stopwatch."""

    pid: int = 0
    known: bool = False
    at_work: int = 0
    heard_at: float = 0.0
    done: threading.Event | None = None


_own = _Own()
_lock = threading.Lock()
_heard: dict[str, tuple[object, float]] = {}  # holder -> what was last seen of it, since when by our stopwatch


def register(engine: Engine, clock: Clock) -> None:
    """Make this process known, once. Call it before it takes a lease, outside of any transaction."""
    own = _mine()
    if own.known:
        return
    with apart(engine) as session:
        if session.get(Worker, claims.ME) is None:
            session.add(
                Worker(
                    name=claims.ME, place=_place(), pid=os.getpid(), born=_born(os.getpid()), beat=0,
                    beat_at=clock(),
                )
            )  # fmt: skip
    own.known = True
    own.heard_at = time.monotonic()


@contextmanager
def at_work(engine: Engine, clock: Clock) -> Iterator[None]:
    """This process's heart beats in here. Enter outside of any transaction."""
    register(engine, clock)
    own = _mine()
    with _lock:
        own.at_work += 1
        if own.at_work == 1:
            own.heard_at = time.monotonic()
            own.done = threading.Event()
            threading.Thread(target=_beat, args=(engine, clock, own, own.done), name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        with _lock:
            own.at_work -= 1
            if not own.at_work and own.done is not None:
                own.done.set()


def is_doubtful() -> bool:
    """Whether others may soon take this process for dead, because its heartbeat no longer gets on record."""
    own = _mine()
    return own.at_work > 0 and time.monotonic() - own.heard_at > DOUBT


def gone(holders: Collection[str]) -> Gone:
    """Which of these leases are held by nobody any more. In the caller's transaction; reads only.

    `holders` are leases as they were written, `<process>/...`; what was held by a process nobody knows is left away.
    """
    names = {one.split("/")[0] for one in holders} - {claims.ME}
    known = {one.name: one for one in db.session.scalars(select(Worker).where(Worker.name.in_(names)))} if names else {}
    ended, silent = set(), set()
    for holder in holders:
        worker = known.get(holder.split("/")[0])
        if worker is None:
            continue
        if has_ended(worker):
            ended.add(holder)
        elif _stands_still(holder, worker.beat):
            silent.add(holder)
    for holder in set(_heard) - set(holders):
        _heard.pop(holder, None)
    return Gone(frozenset(ended), frozenset(silent))


def forget_old(now: datetime) -> None:
    """Processes of long ago, whatever became of them; in the caller's transaction."""
    db.session.execute(delete(Worker).where(Worker.beat_at < now - KEPT, Worker.name != claims.ME))


def has_ended(worker: Worker) -> bool:
    """For certain. False also when nobody can tell from here."""
    if not worker.place or worker.place != _place():
        return False
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    born = _born(worker.pid)
    return bool(born and worker.born) and born != worker.born


def _stands_still(holder: str, beat: int) -> bool:
    seen, since = _heard.get(holder, (None, 0.0))
    if seen != beat:
        _heard[holder] = (beat, time.monotonic())
        return False
    return time.monotonic() - since > SILENCE


def _beat(engine: Engine, clock: Clock, own: _Own, done: threading.Event) -> None:
    while not done.wait(BEAT):
        asked = time.monotonic()
        try:
            with apart(engine) as session:
                session.execute(
                    update(Worker).where(Worker.name == claims.ME).values(beat=Worker.beat + 1, beat_at=clock())
                )
        except SQLAlchemyError:  # the database is busy: a heartbeat that is missed too often stops the work by itself
            continue
        own.heard_at = asked


def _mine() -> _Own:
    """After a fork it is another process, with a heart of its own."""
    global _own
    if _own.pid != os.getpid():
        _own = _Own(pid=os.getpid())
    return _own


def _place() -> str:
    try:
        return f"{socket.gethostname()} {BOOT.read_text().strip()} {os.readlink(NUMBERING)}"
    except OSError:  # a system without these: only heartbeats tell
        return ""


def _born(pid: int) -> str:
    """When the system started this process; 'ended' for one that has and is not buried yet; empty: nobody knows."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if state in ("Z", "X") else rest[18]
