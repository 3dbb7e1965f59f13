"""Forgetting what nobody needs any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, or_

from portal import token_keeper
from portal.db import db
from portal.domain import client_csv, once, schedule, workers
from portal.domain.apps import ConsentAttempt
from portal.domain.claims import JobClaim
from portal.domain.invoices import kept
from portal.domain.people import ResetLink, SignIn, SignInAttempt

KEEP_SESSIONS = timedelta(days=90)
KEEP_CLAIMS = timedelta(days=400)  # more than a year: a clock put back must not bring a claimed night again


def run(now: datetime) -> None:
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - timedelta(days=2)))
    db.session.execute(delete(ConsentAttempt).where(ConsentAttempt.started_at < now - timedelta(days=1)))
    old = now - KEEP_SESSIONS
    db.session.execute(delete(SignIn).where(or_(SignIn.ended_at < old, SignIn.seen_at < old)))
    db.session.execute(delete(ResetLink).where(ResetLink.expires_at < old))
    db.session.execute(delete(JobClaim).where(JobClaim.claimed_at < now - KEEP_CLAIMS))
    client_csv.forget_expired(now)
    once.forget_old(now)
    workers.forget_old(now)
    db.session.commit()
    token_keeper.drop_unused(now)
    db.session.commit()


def put_sums_together(now: datetime) -> None:
    """What the changes of invoices have left behind, so that reading it stays quick."""
    kept.fold(schedule.today(now))
    db.session.commit()
