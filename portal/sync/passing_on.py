"""What one app told is news for the others: after a run, the few records it touched elsewhere are sent soon.

Many wait for the other app's own next run, which carries them in few calls.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from portal.db import db
from portal.domain.apps import ClientLink, PushState, RunItem

FEW = 25


def pass_on(run_id: int, connection_id: int, now: datetime) -> int:
    """Give the other apps' links of the clients this run changed a time to go out at. Gives how many; one commit."""
    touched = select(RunItem.client_id).where(RunItem.run_id == run_id, RunItem.client_id.is_not(None))
    waiting = list(
        db.session.scalars(
            select(ClientLink.id)
            .where(
                ClientLink.client_id.in_(touched), ClientLink.connection_id != connection_id,
                ClientLink.push_state == PushState.READY, ClientLink.push_next_at.is_(None),
            )
            .limit(FEW + 1)
        )
    )  # fmt: skip
    if 0 < len(waiting) <= FEW:
        db.session.execute(update(ClientLink).where(ClientLink.id.in_(waiting)).values(push_next_at=now))
    db.session.commit()
    return len(waiting) if len(waiting) <= FEW else 0
