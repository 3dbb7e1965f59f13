"""Each step of a delivery on record, as the certificate shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import insert, update

from portal.db import db
from portal.deliveries.parcels import Parcel
from portal.domain.deliveries import DeliveryAttempt

SENT, LOOKED = "sent", "looked"
CREATED, FOUND, NOTHING, REFUSED, LOST, NOT_SENT = "created", "found", "nothing there", "refused", "lost", "not sent"
UNCLEAR = "unclear"  # a look-up whose answer cannot be understood


def begin(parcels: Iterable[Parcel], now: datetime, by: str) -> dict[int, int]:
    """Calls that are about to be made, in the caller's transaction. Gives delivery -> attempt."""
    rows = [
        {"delivery_id": one.id, "act": SENT, "key": one.out.key, "began_at": now, "by": one.by or by} for one in parcels
    ]
    made = db.session.execute(
        insert(DeliveryAttempt).returning(
            DeliveryAttempt.id, DeliveryAttempt.delivery_id, sort_by_parameter_order=True
        ),
        rows,
    )
    return {row.delivery_id: row.id for row in made}


def end(ended: Mapping[int, tuple[str, str, str]], now: datetime) -> None:
    """Attempt -> what was answered, the ledger's id, the words; in the caller's transaction."""
    if not ended:
        return
    db.session.execute(
        update(DeliveryAttempt),
        [
            {"id": attempt, "ended_at": now, "answer": answer, "remote_id": remote_id, "words": words[:500]}
            for attempt, (answer, remote_id, words) in ended.items()
        ],
    )


def looked(parcels: Iterable[tuple[Parcel, str, str, str]], began: datetime, now: datetime, by: str) -> None:
    """Look-ups that were answered: what was found, its id, words; in the caller's transaction."""
    rows = [
        {"delivery_id": one.id, "act": LOOKED, "key": one.out.key, "began_at": began, "ended_at": now,
         "answer": answer, "remote_id": remote_id, "words": words[:500], "by": one.by or by}
        for one, answer, remote_id, words in parcels
    ]  # fmt: skip
    if rows:
        db.session.execute(insert(DeliveryAttempt), rows)
