"""A day early: tomorrow's billing is rehearsed, and what would go wrong is put where admins see it."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.db import db, reading
from portal.domain import claims, people, rehearsal
from portal.domain.nights import local_date

JOB = rehearsal.AHEAD


def look_ahead(now: datetime) -> int:
    """Rehearse the firm's next day, and put down how many of its invoices have a problem. Gives that number."""
    firm = people.the_firm()
    if firm is None:
        return 0
    day = local_date(now, firm.time_zone) + timedelta(days=1)
    with reading():
        found = rehearsal.rehearse(day, day, today=local_date(now, firm.time_zone))
        troubled = len(found.troubled)
        db.session.rollback()
    claims.claim(JOB, day.isoformat(), now)
    claims.end(JOB, day.isoformat(), now, str(troubled) if troubled else "")
    db.session.commit()
    return troubled
