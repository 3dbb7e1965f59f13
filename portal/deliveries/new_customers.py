"""Many customers that are not there yet: asked for all at once, so that a sync creates them many in a call.

One by one each costs two calls, a look and a creation. A sync reads what changed there and then creates in batches; the
invoices wait for their customers meanwhile, and go as soon as these are linked.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update

from portal.db import db
from portal.domain import connections, deliveries, outgoing
from portal.domain.activity import Actor
from portal.domain.apps import ClientLink, Connection, OutgoingClient
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery
from portal.domain.links import AlreadyLinked
from portal.sync.many import MANY, carried_by_runs

A_WHILE = timedelta(minutes=5)  # a link ends it sooner
AT_ONCE = 50  # clients asked for in one transaction: others want to write as well


def ask_for_many(connection_id: int, ids: Collection[int] | None, *, by: Actor, now: datetime) -> set[int]:
    """Of what is due (or of these), the deliveries whose customers a sync creates now. Commits; none when they are few
    enough to be created one by one, or when no sync can do it."""
    missing = _missing(connection_id, ids, now)
    clients = list(dict.fromkeys(missing.values()))
    db.session.commit()
    if len(clients) <= MANY or not _ask(connection_id, clients, by, now):
        return set()
    if connection_id not in carried_by_runs({connection_id: len(clients)}, by):
        db.session.commit()
        return set()
    app = connections.label(db.session.get_one(Connection, connection_id))
    db.session.execute(
        update(Delivery)
        .where(Delivery.id.in_(missing), Delivery.state.in_(deliveries.OPEN), Delivery.lease_by.is_(None))
        .values(next_at=now + A_WHILE, cause="customer", reason=f"{len(clients):,} new customers are created in {app}.")
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    return set(missing)


def _missing(connection_id: int, ids: Collection[int] | None, now: datetime) -> dict[int, int]:
    """Delivery -> client, of those never asked for there."""
    linked = exists().where(ClientLink.connection_id == connection_id, ClientLink.client_id == Delivery.client_id)
    asked = exists().where(
        OutgoingClient.connection_id == connection_id, OutgoingClient.client_id == Delivery.client_id
    )
    query = select(Delivery.id, Delivery.client_id).where(
        Delivery.connection_id == connection_id, Delivery.kind == deliveries.INVOICE,
        Delivery.state.in_(deliveries.OPEN), ~linked, ~asked,
        Delivery.next_at <= now if ids is None else Delivery.id.in_(ids),
    )  # fmt: skip
    return {row.id: row.client_id for row in db.session.execute(query.order_by(Delivery.id))}


def _ask(connection_id: int, clients: list[int], by: Actor, now: datetime) -> bool:
    """False when none of them can be created there."""
    for start in range(0, len(clients), AT_ONCE):
        connection = db.session.get_one(Connection, connection_id)
        for client_id in clients[start : start + AT_ONCE]:
            try:
                outgoing.ask(db.session.get_one(Client, client_id), connection, by=by, now=now)
            except AlreadyLinked:  # somebody was quicker
                continue
            except outgoing.CannotCreate:
                db.session.rollback()
                return False
        db.session.commit()
    return True
