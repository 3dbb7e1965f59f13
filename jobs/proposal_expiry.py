"""Proposals whose last day has gone by in the firm's zone without an answer: given up, one commit each."""

from __future__ import annotations

from datetime import datetime

from portal.db import db
from portal.domain import people, proposals
from portal.domain.activity import Actor, Origin

THE_CALENDAR = Actor("The calendar", Origin.SCHEDULE)


def run(now: datetime) -> int:
    """Gives how many expired. Whoever else does the same at this moment finds them expired already."""
    firm = people.the_firm()
    if firm is None:
        return 0
    zone = firm.time_zone
    expired = 0
    for proposal_id in proposals.due_to_expire(now, zone):
        proposal = proposals.get(proposal_id, lock=True)
        if proposal is not None and proposals.expire(proposal, by=THE_CALENDAR, now=now, zone=zone):
            expired += 1
        db.session.commit()
    return expired
