"""Wrong tries at private links, counted by address, so that nobody can try many (PP-12).

They stand among the failed sign-ins under an address of their own, so neither counts for the other; they are forgotten
with them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from portal.db import db
from portal.domain.people import SignInAttempt

WINDOW = timedelta(minutes=15)
ALLOWED = 20  # wrong links from one address within the window


def note(address: str, now: datetime) -> None:
    """A link that opens nothing was tried from this address."""
    db.session.add(SignInAttempt(email="", address=_kept(address), at=now))


def are_too_many(address: str, now: datetime) -> bool:
    """Whether the allowance of this address is used up for the moment."""
    query = (
        select(SignInAttempt.at)
        .where(SignInAttempt.address == _kept(address), SignInAttempt.at > now - WINDOW)
        .order_by(SignInAttempt.at.desc())
        .offset(ALLOWED - 1)
        .limit(1)
    )
    return db.session.scalar(query) is not None


def _kept(address: str) -> str:
    return f"link {address}"[:64]
