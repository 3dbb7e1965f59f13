"""Access tokens that are always fresh, refreshed by one process at a time and saved the moment they arrive.

Invariant: a token set changes only by an UPDATE that names the version it was read at and, when a refresh brought it,
the lease under which it was asked for. Whoever lost the lease meanwhile hits no row, and what they bring is discarded.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal.adapters.base import (
    AdapterError,
    NeedsReconnect,
    RateLimited,
    Stopped,
    Tokens,
    Unavailable,
    UnexpectedReply,
)
from portal.db import apart, db
from portal.domain.activity import SYSTEM, Activity, Verb
from portal.domain.apps import Connection, ConnectionState, TokenSet

log = logging.getLogger(__name__)
FRESH_FOR = timedelta(minutes=2)  # a token that runs out sooner is refreshed before it is used
GOOD_ENOUGH = timedelta(seconds=30)  # while another process refreshes, or the vendor cannot
LEASE = timedelta(seconds=60)  # longer than a call to a token endpoint can take (connect, read and total: 40 s)
PATIENCE = 75.0  # seconds a loser waits: a dead holder's lease is over by then
SAVE_TRIES = 3

Refresh = Callable[[Tokens, str], Tokens]  # the tokens as they are, the client id they were given to
AppName = Callable[[str], str]


@dataclass(frozen=True)
class Held:
    """A token set as it was read."""

    version: int
    client_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    lease_by: str | None
    lease_until: datetime | None
    scope: str
    subject: str
    grant_event: str

    def tokens(self) -> Tokens:
        return Tokens(
            self.access_token, self.refresh_token, self.expires_at, self.scope, self.subject, self.grant_event
        )

    def is_leased(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now


class TokenKeeper:
    """Where one session gets its access tokens. `app_name` says how an app is called, for the record of a loss."""

    def __init__(
        self, engine: Engine, token_set_id: int | None, refresh: Refresh, *, app_name: AppName = str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC), sleep: Callable[[float], None] = time.sleep,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._id = token_set_id
        self._refresh = refresh
        self._app_name = app_name
        self._now = now
        self._sleep = sleep
        self._should_stop = should_stop or (lambda: False)
        self._me = f"{socket.gethostname()[:40]}/{os.getpid()}/{uuid.uuid4().hex[:12]}"
        self._last: Tokens | None = None

    def current(self) -> str:
        """Raises `NeedsReconnect` when there is no way in any more, `Unavailable` when nobody can say just now."""
        if self._last and self._last.expires_at - self._now() > FRESH_FOR:
            return self._last.access_token
        return self._fresh(refused="")

    def tokens(self) -> Tokens:
        """The whole set, fresh. Raises as `current` does."""
        self.current()
        return self._read().tokens()

    def renewed(self, refused: str) -> str:
        self._last = None
        return self._fresh(refused)

    def _fresh(self, refused: str) -> str:
        waited = 0.0
        while True:
            if self._should_stop():
                raise Stopped("Stopped before the sign-in was renewed.")
            held = self._read()
            now = self._now()
            is_ours_to_use = held.access_token != refused
            if is_ours_to_use and held.expires_at - now > FRESH_FOR:
                return self._use(held.tokens())
            is_good_enough = is_ours_to_use and held.expires_at - now > GOOD_ENOUGH
            if not held.is_leased(now) and self._take_lease(held, now):
                if tokens := self._renew(held, is_good_enough):
                    return self._use(tokens)
                continue
            if is_good_enough:
                return held.access_token
            if waited > PATIENCE:
                raise Unavailable("Another process has been renewing the sign-in for too long.")
            nap = random.uniform(0.05, 0.2) * (1 + min(waited, 4))  # noqa: S311 - spreads the waiting, guards nothing
            self._sleep(nap)
            waited += nap

    def _renew(self, held: Held, is_good_enough: bool) -> Tokens | None:
        """Ask for new tokens under our lease. None: look again, the set has changed under us."""
        try:
            tokens = self._refresh(held.tokens(), held.client_id)
        except NeedsReconnect as refusal:
            if self._give_up(held, refusal):
                raise
            return None  # somebody was quicker: what they brought is what counts
        except (Unavailable, UnexpectedReply, RateLimited) as trouble:
            self._end_lease(held)
            if is_good_enough:
                log.info("the sign-in could not be renewed just now: %s", trouble.message)
                return held.tokens()
            raise
        except (AdapterError, RuntimeError):
            self._end_lease(held)
            raise
        if self._save(held, tokens):
            return tokens
        log.warning("renewed tokens were discarded: the lease had passed to another process")
        return None

    def _use(self, tokens: Tokens) -> str:
        self._last = tokens
        return tokens.access_token

    def _read(self) -> Held:
        with apart(self._engine, only_read=True) as session:
            row = session.get(TokenSet, self._id) if self._id is not None else None
            if row is None or not row.access_token or not row.refresh_token or row.expires_at is None:
                raise NeedsReconnect("The sign-in has ended. Connect again.")
            return Held(
                row.version, row.client_id, row.access_token, row.refresh_token, row.expires_at, row.lease_by,
                row.lease_until, row.scope, row.subject, row.grant_event,
            )  # fmt: skip

    def _take_lease(self, held: Held, now: datetime) -> bool:
        with apart(self._engine) as session:
            statement = update(TokenSet).where(
                TokenSet.id == self._id,
                TokenSet.version == held.version,
                or_(TokenSet.lease_until.is_(None), TokenSet.lease_until <= now),
            )
            return _changed(session, statement.values(lease_by=self._me, lease_until=now + LEASE))

    def _end_lease(self, held: Held) -> None:
        with apart(self._engine) as session:
            _changed(session, self._still_ours(held).values(lease_by=None, lease_until=None))

    def _save(self, held: Held, tokens: Tokens) -> bool:
        """At once and on its own: the old pair may be worthless already, and these exist nowhere else."""
        values = {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "expires_at": tokens.expires_at,
            "scope": tokens.scope or held.scope,
            "version": held.version + 1,
            "lease_by": None,
            "lease_until": None,
            "changed_at": self._now(),
        }
        for attempt in range(1, SAVE_TRIES + 1):
            try:
                with apart(self._engine) as session:
                    return _changed(session, self._still_ours(held).values(**values))
            except OperationalError:
                if attempt == SAVE_TRIES:
                    log.critical("renewed tokens could not be saved; the connection may have to be made again")
                    raise
                self._sleep(0.5)
        return False

    def _give_up(self, held: Held, refusal: NeedsReconnect) -> bool:
        """The vendor says the pair is dead. True when that is about the pair that still stands: access is lost."""
        with apart(self._engine) as session:
            statement = self._still_ours(held).values(
                access_token=None, refresh_token=None, version=held.version + 1, lease_by=None, lease_until=None,
                changed_at=self._now(),
            )  # fmt: skip
            if not _changed(session, statement):
                return False
            self._tell(session, refusal.message)
            return True

    def _tell(self, session: Session, reason: str) -> None:
        """Every connection that lives by this sign-in needs a person; each is told once (fault row 35)."""
        now = self._now()
        for connection in session.scalars(
            select(Connection).where(Connection.token_set_id == self._id, Connection.state == ConnectionState.CONNECTED)
        ):
            connection.move_to(ConnectionState.NEEDS_RECONNECT, now=now, reason=reason)
            facts = {"app": self._app_name(connection.app), "account": connection.account_name, "reason": reason}
            session.add(
                Activity(
                    at=now,
                    verb=Verb.APP_LOST,
                    connection_id=connection.id,
                    actor_name=SYSTEM.name,
                    origin=SYSTEM.origin,
                    facts=facts,
                )
            )

    def _still_ours(self, held: Held) -> Any:
        return update(TokenSet).where(
            TokenSet.id == self._id, TokenSet.version == held.version, TokenSet.lease_by == self._me
        )


def keep_new(engine: Engine, *, vendor: str, client_id: str, tokens: Tokens, now: datetime) -> int:
    """Store the tokens of a new consent at once; the id of the set.

    A person who signed in before at the same vendor has a set already, by which other accounts may live. It takes the
    new tokens, unless these may do less than the old ones.
    """
    values = {
        "access_token": tokens.access_token, "refresh_token": tokens.refresh_token, "expires_at": tokens.expires_at,
        "scope": tokens.scope, "grant_event": tokens.grant_event, "changed_at": now,
    }  # fmt: skip
    with apart(engine) as session:
        held = _same_person(session, vendor, client_id, tokens)
        if held is not None:
            for name, value in values.items():
                setattr(held, name, value)
            held.version += 1  # whoever is refreshing the old pair now will find that theirs no longer counts
            held.lease_by = held.lease_until = None
            return held.id
        made = TokenSet(vendor=vendor, client_id=client_id, subject=tokens.subject, **values)
        session.add(made)
        session.flush()
        return made.id


def _same_person(session: Session, vendor: str, client_id: str, tokens: Tokens) -> TokenSet | None:
    """The set this person's earlier consents brought, when the new tokens may do at least as much."""
    if not tokens.subject:
        return None
    query = select(TokenSet).where(
        TokenSet.vendor == vendor, TokenSet.client_id == client_id, TokenSet.subject == tokens.subject
    )
    held = session.scalars(query.order_by(TokenSet.id.desc()).with_for_update()).first()
    if held is None or not set(held.scope.split()) <= set(tokens.scope.split()):
        return None
    return held


def drop_unused(now: datetime, older_than: timedelta = timedelta(days=1)) -> int:
    """Delete sign-ins that no connection lives by: abandoned before anyone enabled an account. Gives how many."""
    unused = db.session.scalars(
        select(TokenSet).where(
            TokenSet.changed_at < now - older_than,
            TokenSet.id.not_in(select(Connection.token_set_id).where(Connection.token_set_id.is_not(None))),
        )
    ).all()
    for one in unused:
        db.session.delete(one)
    return len(unused)


def _changed(session: Session, statement: Any) -> bool:
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1
