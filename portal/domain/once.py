"""Forms that may be sent once only: a second press, a reload or a lost answer makes nothing twice.

The form carries a random token; whoever acts on it writes it down in the same transaction as the act. The unique key
settles a race: the second transaction fails or finds the first one's mark.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import UtcDateTime, db

KEPT = timedelta(days=2)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")


class FormOnce(db.Model):
    """A form that was acted on. `made` is the id of what came of it, 0 until known."""

    token: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    made: Mapped[int] = mapped_column(default=0)


def fresh() -> str:
    """A token for a form that is being shown."""
    return secrets.token_urlsafe(24)


def claim(token: str, now: datetime) -> FormOnce | None:
    """The right to act on this form, in the caller's transaction. None when somebody has acted on it already.

    A form without a usable token may be acted on: it is then as safe as any form.
    """
    if not _TOKEN.fullmatch(token):
        token = fresh()
    if made_of(token) is not None:
        return None
    mark = FormOnce(token=token, at=now)
    try:
        with db.session.begin_nested():
            db.session.add(mark)
    except IntegrityError:
        return None
    return mark


def made_of(token: str) -> int | None:
    """What came of the form: an id; None when nobody has acted on it."""
    return db.session.scalar(select(FormOnce.made).where(FormOnce.token == token))


def forget_old(now: datetime) -> None:
    db.session.execute(delete(FormOnce).where(FormOnce.at < now - KEPT))
