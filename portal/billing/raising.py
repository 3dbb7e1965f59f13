"""The day's billing: everything automatic that is due, a client's group at a time, whoever else is at it.

Any number of processes may do this at once, be killed anywhere and begin again: a client's row is locked while one of
its groups is billed, and what was billed is not open any more. One group that cannot be billed is put down as such and
tried again later; the others go on.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy.exc import DBAPIError, OperationalError

from jobs import queue
from portal.db import db, lost_a_race, reading
from portal.domain import billing, claims, invoices, mail, people, schedule
from portal.domain.activity import Actor, Origin
from portal.domain.billing import Group
from portal.domain.clients import Client
from portal.domain.nights import local_date
from portal.domain.schedule import BillingItem

log = logging.getLogger(__name__)

THE_SCHEDULE = Actor("Billing schedule", Origin.SCHEDULE)
JOB = "billing"
AT_ONCE = 50  # clients asked for at a time
IN_A_TICK = 20.0  # seconds of work before other jobs have their turn
AGAIN_AFTER = timedelta(hours=1)  # a group that could not be billed
TRIES = 5  # of one group that others got in the way of
UNEXPECTED = "something unexpected happened; nothing was billed, and the portal's own log says what it was"
Stop = Callable[[], bool]


@dataclass
class Billed:
    """What came of it. `passed_over`: clients somebody else was billing, or that others got in the way of."""

    invoice_ids: list[int] = field(default_factory=list)
    problems: int = 0
    passed_over: int = 0

    def add(self, other: Billed) -> None:
        self.invoice_ids += other.invoice_ids
        self.problems += other.problems
        self.passed_over += other.passed_over


def bill_due(now: datetime) -> Billed:
    """The job: what is due on the firm's present day or was due before, as far as one tick goes.

    The local date is put down once, by whichever process comes first, and marked as ended when nothing of it is left.
    """
    firm = people.the_firm()
    if firm is None:
        return Billed()
    today = local_date(now, firm.time_zone)
    claims.claim(JOB, today.isoformat(), now)
    db.session.commit()
    began = time.monotonic()
    found = bill_day(today, now, stop=lambda: queue.stopping.is_set() or time.monotonic() - began > IN_A_TICK)
    if not _has_due(today, now):
        claims.end(JOB, today.isoformat(), now)
    db.session.commit()
    return found


def bill_day(day: date, now: datetime, *, by: Actor = THE_SCHEDULE, stop: Stop = lambda: False) -> Billed:
    """Raise everything automatic that is due on or before this day of the firm's, each dated the day it was due.

    Missed days are caught up. `stop` is asked between two clients.
    """
    found, after = Billed(), 0
    while ids := _due_clients(day, now, after):
        after = ids[-1]
        random.shuffle(ids)  # so that several workers do not stand in line for the same client
        for client_id in ids:
            if stop():
                return found
            found.add(bill_client(client_id, day, now, by=by))
    return found


def bill_client(client_id: int, day: date, now: datetime, *, by: Actor = THE_SCHEDULE) -> Billed:
    """All that is due of one client, an invoice a commit."""
    found, tries = Billed(), 0
    while True:
        try:
            made = _next_group(client_id, day, now, by, found)
            tries = 0
        except (DBAPIError, invoices.AlreadyBilled) as problem:
            db.session.rollback()
            if not _got_in_the_way(problem):
                raise
            tries += 1
            if tries >= TRIES:
                found.passed_over += 1
                return found
            time.sleep(random.uniform(0.01, 0.1) * tries)  # noqa: S311  # spreads out workers, guards no secret
            continue
        if not made:
            return found


def _next_group(client_id: int, day: date, now: datetime, by: Actor, found: Billed) -> bool:
    """Bill the client's next group. False when nothing is left, or somebody else is at it."""
    client = schedule.hold(client_id)
    if client is None:
        db.session.rollback()
        found.passed_over += 1
        return False
    groups = billing.group(schedule.due_items(client, day, by=by, now=now))
    if not groups:
        schedule.end_finished(client, by=by, now=now)
        db.session.commit()
        return False
    group = groups[0]
    try:
        invoice_id = _issue(client, group, by, now)
    except (ValueError, ArithmeticError) as refused:
        _put_down(client_id, day, group, str(refused), by, now)
        found.problems += 1
    except (DBAPIError, invoices.AlreadyBilled) as problem:
        if _got_in_the_way(problem):
            raise
        log.exception("client %s could not be billed", client_id)
        _put_down(client_id, day, group, UNEXPECTED, by, now)
        found.problems += 1
    except Exception:  # it is this group's own: put down on it, and the others go on
        log.exception("client %s could not be billed", client_id)
        _put_down(client_id, day, group, UNEXPECTED, by, now)
        found.problems += 1
    else:
        found.invoice_ids.append(invoice_id)
    return True


def _issue(client: Client, group: Group[BillingItem], by: Actor, now: datetime) -> int:
    assert group.on is not None  # due items have a day
    invoice = invoices.issue(client, group.items, on=group.on, by=by, now=now, is_automatic=True)
    mail.invoice_raised(invoice, by=by, now=now)
    invoice_id = invoice.id
    schedule.forget_problem(group.items)
    db.session.commit()
    return invoice_id


def _put_down(client_id: int, day: date, group: Group[BillingItem], reason: str, by: Actor, now: datetime) -> None:
    """Nothing of this group was written. Say so on its items, and leave them alone for a while."""
    key = group.key
    db.session.rollback()
    client = schedule.hold(client_id, wait=True)
    if client is not None:
        same = [one for one in billing.group(schedule.due_items(client, day, by=by, now=now)) if one.key == key]
        for one in same:
            schedule.note_problem(one, reason, retry_at=now + AGAIN_AFTER, by=by, now=now)
    db.session.commit()


def _got_in_the_way(problem: Exception) -> bool:
    """Whether doing it again may well work: somebody else held the row, or the whole file."""
    if isinstance(problem, invoices.AlreadyBilled):
        return True
    if isinstance(problem, OperationalError) and "locked" in str(problem.orig):
        return True
    state = getattr(getattr(problem, "orig", None), "sqlstate", None)
    return isinstance(problem, DBAPIError) and (lost_a_race(problem) or state == "55P03")  # lock timeout


def _due_clients(day: date, now: datetime, after: int) -> list[int]:
    with reading():
        found = schedule.due_clients(day, now, after=after, limit=AT_ONCE)
        db.session.rollback()
    return found


def _has_due(day: date, now: datetime) -> bool:
    with reading():
        found = schedule.has_due(day, now)
        db.session.rollback()
    return found
