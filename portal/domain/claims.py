"""Claims: who does a piece of recurring work, decided by a unique row, whatever clocks and processes do (ALL-3)."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import datetime

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import UtcDateTime, db

# This process, as leases name it: host, process id, and a random part that survives no restart.
ME = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class JobClaim(db.Model):
    """One firing of a job: the local date or the slot it stands for, and who took it."""

    __table_args__ = (UniqueConstraint("job", "due"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str]
    due: Mapped[str]  # an ISO date in the firm's zone, or the start of a slot in UTC
    claimed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_by: Mapped[str]
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str] = mapped_column(default="")


def is_claimed(job: str, due: str) -> bool:
    return db.session.scalar(select(JobClaim.id).where(JobClaim.job == job, JobClaim.due == due)) is not None


def claim(job: str, due: str, now: datetime) -> JobClaim | None:
    """Take this firing, in the caller's transaction; None when somebody has it already."""
    if is_claimed(job, due):
        return None
    try:
        with db.session.begin_nested():
            made = JobClaim(job=job, due=due, claimed_at=now, claimed_by=ME)
            db.session.add(made)
    except IntegrityError:
        return None
    return made


def end(job: str, due: str, now: datetime, problem: str = "") -> None:
    """Everything of this firing is done. The first time counts; a problem is kept as it stands last."""
    held = db.session.scalar(select(JobClaim).where(JobClaim.job == job, JobClaim.due == due))
    if held is not None and (held.ended_at is None or held.problem != problem):
        held.ended_at = held.ended_at or now
        held.problem = problem


def same_process_lives(holder: str | None) -> bool | None:
    """Whether the process that wrote `holder` still runs; None when it is on another machine and nobody can tell."""
    if not holder:
        return False
    if holder == ME or holder.startswith(ME + "/"):
        return True
    host, pid, _rest = holder.split(":", 2)
    if host != socket.gethostname():
        return None
    if int(pid) == os.getpid():
        return False  # our own number, but not our own random part: an earlier process
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, and alive
        return True
    return True
