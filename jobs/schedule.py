"""When things run by themselves. The table below is all of it.

A tick comes every few seconds, in UTC; what is due is decided by claiming a row (job, local date or slot), so that any
number of processes, restarts, clock changes and sleeps make exactly one run of each. There is deliberately no cron
trigger: at midnight it skips or doubles the nights on which a zone's clock changes.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from jobs import client_bulk_runs, csv_imports, hourly, nightly, proposal_expiry, queue, tidying
from portal import deliveries, mailer
from portal.billing import bill_due, look_ahead
from portal.db import db
from portal.deploying import deploy_due, read_all_choices
from portal.domain import claims
from portal.receivables import handle_due, look_due, read_lists_due
from portal.sync.creating_there import create_due
from portal.sync.recovering import alert_long_runs, recover
from portal.sync.sending import send_due

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """`every` None: at every tick, because the work has claims or leases of its own."""

    name: str
    what: str
    every: timedelta | None
    run: Callable[[datetime], object]


JOBS = (
    Job("nightly-sync", "Sync every connected app once a day, from midnight in the firm's zone", None, nightly.run),
    Job("hourly-sync", "Sync apps whose records change during the day once an hour", None, hourly.run),
    Job("recover", "Go on with runs that were interrupted or had to wait", None, recover),
    Job("push", "Send changes that are waiting for another try", None, send_due),
    Job("creations", "Create clients in apps they are to be in", None, create_due),
    Job("ledger-lists", "Read tax rates, accounts and items of every ledger once an hour", None, read_lists_due),
    Job("webhooks", "Look at what vendors have told us of", None, handle_due),
    Job("ledger-invoices", "Look in every ledger what became of our invoices", None, look_due),
    Job("mail", "Send mail that waits", None, mailer.start_due),
    Job("deliveries", "Send invoices and payments to the ledgers they belong to", None, deliveries.start_due),
    Job("jobs", "Deploy jobs of accepted proposals in the practice app", None, deploy_due),
    Job("job-lists", "Read job templates and categories of the practice app", timedelta(hours=1), read_all_choices),
    Job("csv-imports", "Go on with CSV imports whose process ended", None, csv_imports.go_on),
    Job("bulk-runs", "Go on with acts on many clients whose process ended", None, client_bulk_runs.go_on),
    Job("billing", "Raise the invoices due on the firm's day, and those of missed days", None, bill_due),
    Job("billing-ahead", "Rehearse tomorrow's billing, and say what would go wrong", timedelta(hours=1), look_ahead),
    Job("proposals", "Give up on proposals whose last day has gone by", timedelta(minutes=15), proposal_expiry.run),
    Job("long-runs", "Tell admins of a sync that runs longer than an hour", None, alert_long_runs),
    Job("tidy", "Forget ended sessions, old attempts and claims, expired uploads", timedelta(hours=6), tidying.run),
    Job("sums", "Put together what is kept about sums of invoices", timedelta(hours=1), tidying.put_sums_together),
)

WATCH_SECONDS = 5.0  # between two looks whether a process has died with something in hand

_scheduler: BackgroundScheduler | None = None
_failures: dict[str, tuple[int, datetime]] = {}  # job -> (failures in a row, not again before)


def start(app: Flask) -> None:
    """Tick in the background until `stop`, as often as the settings say."""
    global _scheduler
    queue.use(app)
    seconds = app.extensions["settings"].tick_seconds
    if _scheduler is not None:
        return
    _scheduler = BackgroundScheduler(timezone=UTC)
    _scheduler.add_job(
        _tick_in, "interval", args=[app], seconds=seconds, max_instances=1, coalesce=True, misfire_grace_time=None,
        next_run_time=datetime.now(UTC) + timedelta(seconds=1),
    )  # fmt: skip
    _scheduler.add_job(
        _watch_in, "interval", args=[app], seconds=min(WATCH_SECONDS, seconds), max_instances=1, coalesce=True,
        misfire_grace_time=None,
    )  # fmt: skip
    _scheduler.start()
    atexit.register(stop)


def stop() -> None:
    """Stop ticking, ask running work to hand back, and wait for it a little."""
    global _scheduler
    if _scheduler is not None:
        _scheduler.shutdown(wait=False)
        _scheduler = None
    queue.stop()


def _tick_in(app: Flask) -> None:
    with app.app_context():
        try:
            tick(datetime.now(UTC))
        finally:
            db.session.remove()


def _watch_in(app: Flask) -> None:
    """Apart from the tick, which may be in the middle of something long."""
    with app.app_context():
        try:
            if not queue.stopping.is_set():
                deliveries.go_on(datetime.now(UTC))
        finally:
            db.session.remove()


def tick(now: datetime) -> None:
    """Do whatever is due at this instant. One job's failure is its own; it is tried again later and later."""
    for job in JOBS:
        if queue.stopping.is_set():
            return
        _fails, not_before = _failures.get(job.name, (0, now))
        if now < not_before:
            continue
        try:
            if job.every is None or _claimed(job, now):
                job.run(now)
            _failures.pop(job.name, None)
        except Exception:  # whatever it is, the other jobs go on; it is logged and tried again
            db.session.rollback()
            fails = _fails + 1
            _failures[job.name] = (fails, now + min(timedelta(seconds=30) * 2 ** (fails - 1), timedelta(hours=1)))
            log.exception("job %s failed %s times in a row", job.name, fails)


def _claimed(job: Job, now: datetime) -> bool:
    """Whether this process does the job's present slot."""
    assert job.every is not None
    seconds = int(job.every.total_seconds())
    slot = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
    made = claims.claim(job.name, slot.isoformat(), now)
    db.session.commit()
    return made is not None
