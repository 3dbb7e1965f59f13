"""Clients on their way into an app they are not in yet: asked for, waiting, taken back, or waiting for a person.

The one invariant: a row stands for a client without a link over that connection; making the link takes the row away.
Sending is `portal.sync.creating_there`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError

from portal.db import db
from portal.domain import activity, connections, links
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, ConnectionState, Finding, OutgoingClient, OutgoingState
from portal.domain.clients import Client
from portal.domain.links import AlreadyLinked

AT_ONCE = "at_once"
STUCK = (OutgoingState.ASKS, OutgoingState.FAILED)
WAITING = (OutgoingState.READY, OutgoingState.SENDING)


class CannotCreate(Exception):
    """No client can be created over this connection; the text says why."""


class UnderWay(Exception):
    """It is being created at this very moment, so it cannot be taken back any more; the text says so."""


def fresh_key() -> str:
    """An idempotency key no vendor has seen; 32 characters."""
    return uuid.uuid4().hex


def ask(client: Client, connection: Connection, *, by: Actor, now: datetime) -> OutgoingClient:
    """This client is to be created there, or linked where it turns out to exist. Asked twice is asked once.

    One that waits for a person or has failed is tried again. Raises `AlreadyLinked`, `CannotCreate`.
    """
    app = connections.label(connection)
    if any(link.connection_id == connection.id for link in client.links):
        raise AlreadyLinked(client, f"{client.name} is already linked to a record in {app}")
    if not connection.ways.creates:
        raise CannotCreate(f"{app} takes no new clients from here.")
    if connection.state not in (ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT):
        raise CannotCreate(f"{app} is not connected.")
    row = _of(client.id, connection.id) or _made(client, connection, by, now)
    if row.state in STUCK:
        _try_again(row, now)
    return row


def note_new(client: Client, *, by: Actor, now: datetime) -> list[OutgoingClient]:
    """A person has made this client: it goes to every app that is set to have new ones at once (QBO-1)."""
    wanted = [one for one in _open_connections() if one.new_clients == AT_ONCE and one.ways.creates]
    linked = {link.connection_id for link in client.links}
    return [ask(client, one, by=by, now=now) for one in wanted if one.id not in linked]


def take_back(row: OutgoingClient, *, by: Actor, now: datetime) -> bool:
    """It is not to be created any more. False when it has gone already; then only unlinking and the app itself help.

    Raises `UnderWay`. See `may_be_there`: an attempt whose answer was lost may have created it all the same.
    """
    client_id, connection = row.client_id, row.connection
    taken = db.session.execute(
        delete(OutgoingClient)
        .where(OutgoingClient.id == row.id, or_(OutgoingClient.lease_until.is_(None), OutgoingClient.lease_until < now))
        .returning(OutgoingClient.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        if _of(client_id, connection.id) is None:
            return False
        raise UnderWay(f"It is being created in {connections.label(connection)} at this moment.")
    db.session.expunge(row)
    links.no_longer_asks(connection.id, client_id, now)
    client = db.session.get_one(Client, client_id)
    activity.record(
        Verb.CREATION_TAKEN_BACK, by=by, now=now, client_id=client_id, connection_id=connection.id, client=client.name,
        app=connections.label(connection),
    )  # fmt: skip
    return True


def may_be_there(row: OutgoingClient) -> bool:
    """Whether an attempt has been made whose answer never came; looking there is the only way to know."""
    return row.attempts > 0 or row.state == OutgoingState.SENDING


def get(row_id: int) -> OutgoingClient | None:
    return db.session.get(OutgoingClient, row_id)


def for_client(client: Client) -> list[OutgoingClient]:
    """By connection."""
    query = select(OutgoingClient).where(OutgoingClient.client_id == client.id)
    return list(db.session.scalars(query.order_by(OutgoingClient.connection_id)))


def listing(
    connection_id: int | None = None, states: Collection[OutgoingState] = STUCK, after: int = 0, limit: int = 50
) -> list[tuple[OutgoingClient, Client]]:
    """Rows in these states with their clients, by id; one more than `limit` when there are more."""
    query = (
        select(OutgoingClient, Client)
        .join(Client, Client.id == OutgoingClient.client_id)
        .where(OutgoingClient.state.in_(states), OutgoingClient.id > after)
        .order_by(OutgoingClient.id)
        .limit(limit + 1)
    )
    if connection_id is not None:
        query = query.where(OutgoingClient.connection_id == connection_id)
    return [(row[0], row[1]) for row in db.session.execute(query)]


def on_their_way(connection_id: int) -> list[Client]:
    """Clients the next run would create there, in the order they were asked for."""
    query = (
        select(Client)
        .join(OutgoingClient, OutgoingClient.client_id == Client.id)
        .where(OutgoingClient.connection_id == connection_id, OutgoingClient.state.in_(WAITING))
        .order_by(OutgoingClient.id)
    )
    return list(db.session.scalars(query))


def look_again(connection_id: int, client_ids: Collection[int], now: datetime) -> list[int]:
    """What kept these clients from being created may be over: a person has settled it. Gives the rows to try now."""
    query = select(OutgoingClient).where(
        OutgoingClient.connection_id == connection_id, OutgoingClient.client_id.in_(client_ids),
        OutgoingClient.state.in_(STUCK),
    )  # fmt: skip
    rows = list(db.session.scalars(query)) if client_ids else []
    for row in rows:
        _try_again(row, now)
    return [row.id for row in rows]


def wake(connection_id: int, now: datetime) -> int:
    """Try those again whose question has closed by itself: the record there went, or was renamed. Gives how many.

    While a row asks, `next_at` says since when.
    """
    closed = exists().where(
        Finding.connection_id == OutgoingClient.connection_id, Finding.client_id == OutgoingClient.client_id,
        Finding.state != "open", Finding.settled_at > OutgoingClient.next_at,
    )  # fmt: skip
    woken = db.session.execute(
        update(OutgoingClient)
        .where(OutgoingClient.connection_id == connection_id, OutgoingClient.state == OutgoingState.ASKS, closed)
        .values(state=OutgoingState.READY, next_at=now, attempts=0, reason="")
        .execution_options(synchronize_session=False)
    )
    return int(woken.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount


def stuck(
    row: OutgoingClient, state: OutgoingState, reason: str, *, by: Actor, now: datetime, is_certain: bool = True
) -> None:
    """It waits for a person. What is tried then comes under another key: the old one would bring the old answer back.

    `is_certain` False: an answer was lost, so it may be there, and the key that would find it is kept.
    """
    row.state = state
    row.reason = reason[:500]
    if is_certain:
        row.key = fresh_key()
        row.attempts = 0
    row.next_at = now  # since when it asks
    row.lease_by = row.lease_until = None
    client = db.session.get_one(Client, row.client_id)
    activity.record(
        Verb.CLIENT_NOT_CREATED, by=by, now=now, client_id=client.id, connection_id=row.connection_id,
        client=client.name, app=connections.label(row.connection), reason=row.reason,
    )  # fmt: skip


def due(now: datetime, limit: int, connection_id: int | None = None, but_not: Collection[int] = ()) -> list[int]:
    """Rows to be tried that nobody is trying, of connections that work (or of this one only); oldest first.

    A connection whose app cannot be asked for a name waits for its first sync: only that tells who is there.
    """
    ready = {one.id for one in _open_connections() if one.is_usable and (one.ways.finds or one.imported_at)}
    ready -= set(but_not)
    if connection_id is not None:
        ready &= {connection_id}
    query = (
        select(OutgoingClient.id)
        .where(
            OutgoingClient.connection_id.in_(ready),
            OutgoingClient.state.in_(WAITING),
            or_(OutgoingClient.next_at.is_(None), OutgoingClient.next_at <= now),
            or_(OutgoingClient.lease_until.is_(None), OutgoingClient.lease_until < now),
        )
        .order_by(OutgoingClient.next_at, OutgoingClient.id)
        .limit(limit)
    )
    return list(db.session.scalars(query)) if ready else []


def _try_again(row: OutgoingClient, now: datetime) -> None:
    row.state = OutgoingState.READY
    row.next_at = now
    row.attempts = min(row.attempts, 1)  # what may be there is looked for first, however often it was tried
    row.reason = ""


def _of(client_id: int, connection_id: int) -> OutgoingClient | None:
    return db.session.scalar(
        select(OutgoingClient).where(
            OutgoingClient.connection_id == connection_id, OutgoingClient.client_id == client_id
        )
    )


def _made(client: Client, connection: Connection, by: Actor, now: datetime) -> OutgoingClient:
    row = OutgoingClient(
        connection_id=connection.id, client_id=client.id, key=fresh_key(), state=OutgoingState.READY, attempts=0,
        next_at=now, asked_at=now, asked_by=by.name,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError:  # somebody asked at the same moment
        return db.session.scalars(
            select(OutgoingClient).where(
                OutgoingClient.connection_id == connection.id, OutgoingClient.client_id == client.id
            )
        ).one()
    row.connection = connection
    activity.record(
        Verb.CREATION_ASKED, by=by, now=now, client_id=client.id, connection_id=connection.id, client=client.name,
        app=connections.label(connection),
    )  # fmt: skip
    return row


def _open_connections() -> list[Connection]:
    """Also those that have lost their access: what waits for them goes out once they have it again."""
    usable = (ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT)
    return list(db.session.scalars(select(Connection).where(Connection.state.in_(usable)).order_by(Connection.id)))
