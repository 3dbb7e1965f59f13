"""What a trip to a ledger is made of: where to and who goes, what arrived, what a look-up showed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import select

from portal.adapters.base import AdapterError, Session, UnexpectedReply
from portal.adapters.ledger import Ledger
from portal.db import db
from portal.deliveries.holding import Leash
from portal.domain.activity import Actor
from portal.domain.deliveries import Delivery

One = TypeVar("One")


class Trip(NamedTuple):
    """Where to, and who goes. `app` is how sentences name the account."""

    connection_id: int
    app: str
    adapter: Ledger
    session: Session
    by: Actor
    clock: Callable[[], datetime]
    leash: Leash
    url: str = ""


class Arrived(NamedTuple):
    """What is there now, as the row keeps it. `differs`: in words, empty: not at all."""

    remote_id: str
    number: str = ""
    web_url: str = ""
    differs: str = ""


class Seen(NamedTuple):
    """What a look-up showed: ours, or that somebody else's is in its place, or nothing (all empty).

    `trouble`: it shows something that cannot be understood, so nobody can say whether ours is there.
    """

    ours: Arrived | None = None
    clash: str | None = None
    trouble: str = ""

    def of(self, _one: object) -> Seen:
        """The same of whatever is asked about."""
        return self


def each_its_own(trip: Trip, kind: str, ids: Sequence[int], answers: Sequence[Any]) -> list[Any]:
    """No two of ours are one record there: an answer that says so is not believed, and costs the others nothing."""
    told = [None if isinstance(one, AdapterError) else one.remote_id for one in answers]
    query = select(Delivery.remote_id).where(
        Delivery.connection_id == trip.connection_id, Delivery.kind == kind,
        Delivery.remote_id.in_([one for one in told if one is not None]), Delivery.id.not_in(ids),
    )  # fmt: skip
    taken = set(db.session.scalars(query))
    odd = UnexpectedReply(f"{trip.app} answered with the record of another one.")
    return [
        odd if one is not None and (one in taken or told.count(one) > 1) else answer
        for one, answer in zip(told, answers, strict=True)
    ]


def chunks(these: Sequence[One], size: int) -> Iterator[Sequence[One]]:
    for start in range(0, len(these), size):
        yield these[start : start + size]
