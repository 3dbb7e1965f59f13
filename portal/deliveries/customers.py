"""The customer comes first: linked, else found by its exact name, else created, else a person is asked.

All of that is the outbox of new clients (`portal.sync.creating_there`), which is as careful as this one: what is
created there once is never created twice. Here it is only asked for, and what came of it is read off.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from portal.adapters.base import Session
from portal.db import db
from portal.domain import deliveries, outgoing
from portal.domain.activity import Actor
from portal.domain.apps import Connection, OutgoingState
from portal.domain.clients import Client
from portal.domain.links import AlreadyLinked
from portal.sync.creating_there import create_there

A_MOMENT = timedelta(seconds=5)  # until whoever has the client in hand just now may have done with it


class Customer(NamedTuple):
    """What came of it. `waits_until` None and `why` set: a person has to settle it."""

    is_there: bool
    why: str = ""
    waits_until: datetime | None = None


THERE = Customer(True)


def customer_for(client_id: int, connection_id: int, session: Session, *, by: Actor, now: datetime) -> Customer:
    """Have this client there, if it can be had without a person. Commits, several times.

    Raises nothing of the vendor's: an outage is for the client's own outbox to wait for, and the delivery with it.
    """
    client = db.session.get_one(Client, client_id)
    connection = db.session.get_one(Connection, connection_id)
    missing = deliveries.missing_customer(client, connection)
    if not missing:
        db.session.rollback()
        return THERE
    try:
        row_id = outgoing.ask(client, connection, by=by, now=now).id
    except AlreadyLinked:  # over a link that is broken: only a person knows who it is now
        db.session.rollback()
        return Customer(False, missing)
    except outgoing.CannotCreate as why:
        db.session.rollback()
        return Customer(False, f"{missing} {why}")
    db.session.commit()
    create_there(row_id, session, by)
    return _what_became_of(client_id, connection_id, now)


def _what_became_of(client_id: int, connection_id: int, now: datetime) -> Customer:
    client = db.session.get_one(Client, client_id)
    connection = db.session.get_one(Connection, connection_id)
    db.session.expire(client, ["links"])
    missing = deliveries.missing_customer(client, connection)
    row = next((one for one in outgoing.for_client(client) if one.connection_id == connection_id), None)
    asks = row is not None and row.state in (OutgoingState.ASKS, OutgoingState.FAILED)
    until = row.next_at if row is not None and row.next_at is not None and row.next_at > now else now + A_MOMENT
    db.session.rollback()
    if not missing:
        return THERE
    return Customer(False, missing) if asks else Customer(False, missing, until)
