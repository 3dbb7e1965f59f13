"""Signed-in browsers: begun, seen, listed, ended.

The cookie holds a random token, the database only its hash, so a copy of the database signs nobody in. A session ends
by itself when unused for the idle limit, and at the absolute limit whatever happens (ASVS 7.3).
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import contains_eager, defer

from portal.db import db, writing
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.people.models import SignIn, User

SEEN_EVERY = timedelta(minutes=1)
PATIENCE_MS = 50  # how long noting "seen" may wait for the database; it is not worth more

# Asked at every request, so built once.
_BEHIND_COOKIE = (
    select(SignIn)
    .join(SignIn.user)
    .options(contains_eager(SignIn.user).options(defer(User.totp_secret), defer(User.password_hash)))
    .where(SignIn.token_hash == bindparam("token_hash"), SignIn.ended_at.is_(None), User.is_active)
)

log = logging.getLogger(__name__)


def begin(user: User, *, now: datetime, address: str, browser: str, way: str) -> str:
    """A new session for `user`; gives the token for the cookie. The caller renews the cookie (session fixation)."""
    token = secrets.token_urlsafe(32)
    db.session.add(
        SignIn(
            user_id=user.id,
            token_hash=hash_token(token),
            started_at=now,
            seen_at=now,
            address=address[:64],
            browser=browser[:300],
            way=way,
        )
    )
    return token


def find(token: str, *, now: datetime, idle_limit: timedelta, absolute_limit: timedelta) -> SignIn | None:
    """The live session behind a cookie, its user loaded; None when it ended, ran out, or its user is switched off."""
    held = db.session.scalar(_BEHIND_COOKIE, {"token_hash": hash_token(token)})
    if held is None or now - held.seen_at > idle_limit or now - held.started_at > absolute_limit:
        return None
    return held


def note_seen(sign_in_id: int, now: datetime) -> None:
    """Write down that a session is in use, in a short transaction of its own; skipped when the database is busy."""
    seen = update(SignIn).where(SignIn.id == sign_in_id, SignIn.ended_at.is_(None)).values(seen_at=now)
    try:
        with writing(), db.engine.connect() as connection, _impatient(connection), connection.begin():
            connection.execute(seen)
    except OperationalError:
        log.debug("the database was busy; session %s is noted as seen next time", sign_in_id)


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Within it, SQLite is asked to give up quickly rather than wait for its lock."""
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite" or raw is None:
        yield
        return
    patience = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    raw.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA busy_timeout = {patience}")


def is_due(sign_in: SignIn, now: datetime) -> bool:
    """Whether the last note is old enough for another."""
    return now - sign_in.seen_at >= SEEN_EVERY


def of(user: User, *, now: datetime, idle_limit: timedelta, absolute_limit: timedelta) -> list[SignIn]:
    """The live sessions of a person, the latest used first."""
    query = (
        select(SignIn)
        .where(
            SignIn.user_id == user.id,
            SignIn.ended_at.is_(None),
            SignIn.seen_at >= now - idle_limit,
            SignIn.started_at >= now - absolute_limit,
        )
        .order_by(SignIn.seen_at.desc(), SignIn.id.desc())
    )
    return list(db.session.scalars(query))


def end(sign_in: SignIn, *, now: datetime, reason: str) -> None:
    """Dead from now on, everywhere. Ending one that has ended changes nothing."""
    if sign_in.ended_at is None:
        sign_in.ended_at = now
        sign_in.end_reason = reason


def end_all(user: User, *, by: Actor, now: datetime, reason: str, keep: SignIn | None = None) -> int:
    """End every session of a person, or every other than `keep`; gives how many. Recorded when there were any."""
    query = select(SignIn).where(SignIn.user_id == user.id, SignIn.ended_at.is_(None))
    ended = [one for one in db.session.scalars(query) if keep is None or one.id != keep.id]
    for one in ended:
        end(one, now=now, reason=reason)
    if ended:
        activity.record(
            Verb.SESSIONS_ENDED, by=by, now=now, about_user_id=user.id, user=user.name, reason=reason, count=len(ended)
        )
    return len(ended)


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def of_user(sign_in_id: int, user: User) -> SignIn | None:
    """One of the person's own sessions; None when it is somebody else's or there is none."""
    held = db.session.get(SignIn, sign_in_id)
    return held if held is not None and held.user_id == user.id else None
