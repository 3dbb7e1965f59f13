"""The calls one vendor account may take, kept in the database so that every process together stays within them.

Each question is a short transaction of its own that locks the account's row (on SQLite, the database for writing).
The rules themselves are in `portal.adapters.http.pacing`.
"""

from __future__ import annotations

import os
import socket
import uuid
from datetime import datetime, timedelta

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.adapters.base import Allowance
from portal.adapters.http import CallsToday, Heard, Slot, Usage, Wait, Why, pacing
from portal.db import apart
from portal.domain.apps import CallSlot, CallWindow

ME = f"{socket.gethostname()[:40]}/{os.getpid()}"


class SharedBudget:
    """One account's budget, as one session uses it."""

    def __init__(self, engine: Engine, account: str, allowance: Allowance) -> None:
        """`account` is '<vendor>:<account id>'."""
        self._engine = engine
        self._account = account
        self._allowance = allowance
        self._holder = f"{ME}/{uuid.uuid4().hex[:12]}"

    def acquire(self, now: datetime, *, lasting: timedelta, urgent: bool) -> Slot | Wait:
        with apart(self._engine) as session:
            window = self._locked(session)
            usage = _usage(window)
            held = self._held(session, usage, now)
            wait = pacing.wait_for(usage, len(held), now, self._allowance, urgent=urgent)
            if wait is None:
                number = next(n for n in range(1, self._allowance.concurrent + 1) if n not in held)
                self._take(session, number, now + lasting)
                pacing.count_start(usage, now)
            _keep(window, usage)
            return wait or Slot(number)

    def release(self, slot: Slot, now: datetime, heard: Heard) -> None:
        with apart(self._engine) as session:
            window = self._locked(session)
            usage = _usage(window)
            session.execute(
                update(CallSlot)
                .where(
                    CallSlot.account == self._account,
                    CallSlot.number == slot.number,
                    CallSlot.held_by == self._holder,
                )
                .values(held_by=None, held_until=None)
            )
            pacing.count_end(usage, len(self._held(session, usage, now)), now, self._allowance, heard)
            _keep(window, usage)

    def block(self, now: datetime, until: datetime, why: Why) -> None:
        with apart(self._engine) as session:
            window = self._locked(session)
            usage = _usage(window)
            pacing.stop_until(usage, now, until, why)
            _keep(window, usage)

    def _locked(self, session: Session) -> CallWindow:
        """The account's row, made when missing; whoever else asks waits until this transaction ends."""
        query = select(CallWindow).where(CallWindow.account == self._account).with_for_update()
        window = session.scalar(query)
        if window is None:
            try:
                with session.begin_nested():
                    session.add(CallWindow(account=self._account))
            except IntegrityError:
                pass  # another process made it in this moment; it is read below
            window = session.scalars(query.execution_options(populate_existing=True)).one()
        return window

    def _held(self, session: Session, usage: Usage, now: datetime) -> set[int]:
        """Numbers of the slots in use. One whose holder died counts as a call that ended when its time was up."""
        held = set()
        for slot in session.scalars(
            select(CallSlot).where(CallSlot.account == self._account, CallSlot.held_by.is_not(None))
        ):
            if slot.held_until is not None and slot.held_until > now:
                held.add(slot.number)
            else:
                usage.recent.append((slot.held_until or now).timestamp())
                slot.held_by = slot.held_until = None
        return held

    def _take(self, session: Session, number: int, until: datetime) -> None:
        slot = session.get(CallSlot, (self._account, number))
        if slot is None:
            slot = CallSlot(account=self._account, number=number)
            session.add(slot)
        slot.held_by, slot.held_until = self._holder, until


def calls_today(session: Session, account: str, allowance: Allowance, now: datetime) -> CallsToday:
    """For screens; reads one row and changes nothing."""
    window = session.get(CallWindow, account)
    return pacing.today(_usage(window) if window is not None else Usage(), now, allowance)


def _usage(window: CallWindow) -> Usage:
    return Usage(
        recent=list(window.recent or []),
        day_started=window.day_started,
        day_calls=window.day_calls or 0,
        day_left=window.day_left,
        blocked_until=window.blocked_until,
        blocked_why=window.blocked_why or "",
        failures=window.failures or 0,
    )


def _keep(window: CallWindow, usage: Usage) -> None:
    window.recent = usage.recent
    window.day_started = usage.day_started
    window.day_calls = usage.day_calls
    window.day_left = usage.day_left
    window.blocked_until = usage.blocked_until
    window.blocked_why = usage.blocked_why
    window.failures = usage.failures
