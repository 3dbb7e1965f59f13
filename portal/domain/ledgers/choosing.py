"""Which ledger a client's invoices go to, and whether they are created there.

A client's invoices go to exactly one ledger (AP-02). What an admin sets for an app holds for clients made after that;
everybody else keeps what held when they were made, until somebody switches them (XE-04, IN-11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import load_only

from portal.db import db
from portal.domain import activity, connections
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, Connection, ways_of
from portal.domain.clients import Client
from portal.domain.ledgers.models import ClientBilling, LedgerSettings


class NotALedger(Exception):
    """This connection holds no invoices, or is not in use; the text says which."""


@dataclass(frozen=True)
class Choice:
    """`connection` None: no ledger. `creates`: whether invoices are created there. `is_own`: by the client's switch."""

    connection: Connection | None
    creates: bool
    is_own: bool = False

    @property
    def target(self) -> Connection | None:
        """Where the next invoice goes; None: nowhere."""
        return self.connection if self.creates else None


class Chooser:
    """Chooses for many clients with a handful of queries, whatever their number."""

    def __init__(self, client_ids: Collection[int]) -> None:
        settings = select(LedgerSettings).options(load_only(LedgerSettings.creates_since))
        self._settings = {one.connection_id: one for one in db.session.scalars(settings)}
        self.ledgers = in_use()
        self._by_id = {one.id: one for one in self.ledgers}
        self._own = _rows_by_client(client_ids)
        self._linked = _linked(client_ids, list(self._by_id)) if len(self.ledgers) > 1 else {}

    def of(self, client_id: int, made_at: datetime) -> Choice:
        own = self._own.get(client_id)
        if own is not None:
            connection = self._by_id.get(own.connection_id) if own.connection_id else None
            return Choice(connection, own.creates and connection is not None, is_own=True)
        wanted = [one for one in self.ledgers if self._creates_for(one, made_at)]
        linked = self._linked.get(client_id, frozenset())
        wanted.sort(key=lambda one: (one.id not in linked, one.enabled_at or made_at, one.id))
        if wanted:
            return Choice(wanted[0], creates=True)
        return Choice(next(iter(self.ledgers), None), creates=False)

    def _creates_for(self, connection: Connection, made_at: datetime) -> bool:
        settings = self._settings.get(connection.id)
        return settings is not None and default_for(settings.creates_since, made_at)


def default_for(changes: Sequence[Sequence[Any]], made_at: datetime) -> bool:
    """The default a client made then lives under. `changes` are [ISO time, value], oldest first; the first of them also
    holds for everybody who was there before it."""
    held = bool(changes[0][1]) if changes else False
    for since, value in changes:
        if datetime.fromisoformat(since) <= made_at:
            held = bool(value)
    return held


def in_use() -> list[Connection]:
    """Every connection that holds invoices and was not given up, the first enabled first."""
    query = select(Connection).where(connections.in_use()).order_by(Connection.enabled_at, Connection.id)
    return [one for one in db.session.scalars(query) if one.ways.ledger is not None]


def names() -> list[tuple[int, str]]:
    """Of every one `in_use`, its id and how sentences name it; for lists, which load no objects: one query."""
    rows = db.session.execute(_ENABLED).all()
    apps = Counter(row.app for row in rows)
    return [
        (row.id, ways.short_name if apps[row.app] == 1 else f"{ways.short_name} ({row.account_name})")
        for row in rows
        if row.is_in_use and (ways := ways_of(row.app)).ledger is not None
    ]


_ENABLED = (
    select(Connection.id, Connection.app, Connection.account_name, connections.in_use().label("is_in_use"))
    .where(or_(Connection.enabled_at.is_not(None), connections.in_use()))
    .order_by(Connection.enabled_at, Connection.id)
)


def choice_of(client: Client) -> Choice:
    return Chooser([client.id]).of(client.id, client.created_at)


def ledger_for(client: Client) -> Connection | None:
    """Where this client's next invoice is to be created; None: nowhere."""
    return choice_of(client).target


def settings_of(connection: Connection) -> LedgerSettings:
    """As an admin left them; the defaults, not stored, where nobody has touched them. Raises `NotALedger`."""
    if connection.ways.ledger is None:
        raise NotALedger(f"{connections.label(connection)} holds no invoices.")
    kept = db.session.get(LedgerSettings, connection.id)
    return kept or LedgerSettings(**_fresh(connection))


def settings_to_change(connection: Connection) -> LedgerSettings:
    """The stored settings, made when there are none; locked until the transaction ends."""
    settings_of(connection)  # raises
    kept = db.session.get(LedgerSettings, connection.id, with_for_update=True)
    if kept is None:
        kept = LedgerSettings(**_fresh(connection))
        db.session.add(kept)
        db.session.flush()
    return kept


def switch_client(
    client: Client, connection: Connection | None, creates: bool, *, by: Actor, now: datetime
) -> ClientBilling:
    """The client's own switch, from now on. Raises `NotALedger` for a connection that holds no invoices."""
    if connection is not None and connection.ways.ledger is None:
        raise NotALedger(f"{connections.label(connection)} holds no invoices.")
    row = db.session.get(ClientBilling, client.id)
    if row is None:
        row = ClientBilling(client_id=client.id, creates=creates, changed_at=now)
        db.session.add(row)
    elif (row.connection_id, row.creates) == (connection and connection.id, creates):
        return row
    row.connection_id = connection.id if connection else None
    row.creates = creates and connection is not None
    row.changed_at = now
    if connection is None:
        what = "go to no ledger"
    elif row.creates:
        what = f"are created in {connections.label(connection)} from now on"
    else:
        what = f"are no longer created in {connections.label(connection)}"
    activity.record(
        Verb.CLIENT_BILLING_CHANGED, by=by, now=now, client_id=client.id, client=client.name, what=what,
        connection_id=connection.id if connection else None,
    )  # fmt: skip
    return row


def settle(client: Client, *, now: datetime) -> Connection | None:
    """As `ledger_for`; and the client stays with that ledger when others are connected later (AP-02)."""
    choice = choice_of(client)
    if choice.target is not None and not choice.is_own:
        db.session.add(ClientBilling(client_id=client.id, connection_id=choice.target.id, creates=True, changed_at=now))
    return choice.target


def _fresh(connection: Connection) -> dict[str, Any]:
    """Every column with its default, as an object that was never stored does not have them."""
    columns = LedgerSettings.__table__.columns
    values = {
        column.key: column.default.arg(None) if column.default.is_callable else column.default.arg
        for column in columns
        if column.default is not None
    }
    return {**values, "connection_id": connection.id}


def _rows_by_client(client_ids: Collection[int]) -> Mapping[int, ClientBilling]:
    query = select(ClientBilling)
    if len(client_ids) <= MANY:
        query = query.where(ClientBilling.client_id.in_(client_ids))
    return {row.client_id: row for row in db.session.scalars(query)}


def _linked(client_ids: Collection[int], connection_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    query = select(ClientLink.client_id, ClientLink.connection_id).where(ClientLink.connection_id.in_(connection_ids))
    if len(client_ids) <= MANY:
        query = query.where(ClientLink.client_id.in_(client_ids))
    found: dict[int, set[int]] = {}
    for client_id, connection_id in db.session.execute(query):
        found.setdefault(client_id, set()).add(connection_id)
    return {client_id: frozenset(ids) for client_id, ids in found.items()}


MANY = 500  # more ids than this are not named in a query; everything is read instead
