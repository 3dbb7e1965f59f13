"""What stands at the top of a client's page, in two questions and without loading the client, for tabs of lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Integer, Select, Text, bindparam, exists, literal_column, select, type_coerce, union_all
from sqlalchemy.orm import aliased

from portal.db import db
from portal.domain.apps import ClientLink, Connection, ConnectionState, OutgoingClient, ways_of
from portal.domain.clients import Client, ClientGroup, ClientStatus, Group
from portal.domain.people import User


class Named(NamedTuple):
    name: str


class Way(NamedTuple):
    """How the client stands with one app; `state` of a link, or of its creation there."""

    app: str  # as sentences name it, with the account where there are several
    state: str
    push_state: str
    open_conflicts: int
    is_usable: bool


@dataclass(frozen=True, slots=True)
class Head:
    """As `Client`, of which it has what every tab shows."""

    id: int
    name: str
    status: ClientStatus
    archived_at: datetime | None
    created_at: datetime
    manager: Named | None
    partner: Named | None
    groups: tuple[Named, ...]
    links: tuple[Way, ...]
    outgoing: tuple[Way, ...]

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None


def get(client_id: int) -> Head | None:
    row = db.session.execute(_client(), {"client": client_id}).one_or_none()
    if row is None:
        return None
    around = db.session.execute(_around(), {"client": client_id}).all()
    ways: dict[str, list[Way]] = {"link": [], "out": []}
    groups = [Named(one.name) for one in around if one.what == "group"]
    for one in around:
        if one.what in ways:
            ways[one.what].append(_way(one))
    manager, partner = (Named(name) if name else None for name in (row.manager, row.partner))
    return Head(
        row.id, row.name, row.status, row.archived_at, row.created_at, manager, partner, tuple(sorted(groups)),
        tuple(ways["link"]), tuple(ways["out"]),
    )  # fmt: skip


def _way(one: Any) -> Way:
    short = ways_of(one.app).short_name
    app = f"{short} ({one.name})" if one.has_others else short
    return Way(app, one.state, one.push_state, one.open_conflicts, one.is_usable)


@lru_cache(maxsize=1)
def _client() -> Select[*tuple[Any, ...]]:
    manager, partner = aliased(User), aliased(User)
    return (
        select(
            Client.id, Client.name, Client.status, Client.archived_at, Client.created_at,
            manager.name.label("manager"), partner.name.label("partner"),
        )
        .outerjoin(manager, manager.id == Client.manager_id)
        .outerjoin(partner, partner.id == Client.partner_id)
        .where(Client.id == bindparam("client"))
    )  # fmt: skip


@lru_cache(maxsize=1)
def _around() -> Any:
    """The client's links, creations under way and groups, told apart by `what`."""
    of_it: Any = bindparam("client")
    other = aliased(Connection)
    has_others = exists(
        select(literal_column("1")).where(
            other.app == Connection.app, other.id != Connection.id, other.enabled_at.is_not(None)
        )
    )
    app = (Connection.app.label("app"), Connection.account_name.label("name"), has_others.label("has_others"))
    is_usable = Connection.state == literal_column(f"'{ConnectionState.CONNECTED}'")
    nothing, none, no = literal_column("''", Text), literal_column("0", Integer), literal_column("1 = 0", Boolean)
    links = select(
        literal_column("'link'", Text).label("what"), ClientLink.id.label("place"), *app,
        type_coerce(ClientLink.state, Text).label("state"),
        type_coerce(ClientLink.push_state, Text).label("push_state"),
        ClientLink.open_conflicts.label("open_conflicts"), is_usable.label("is_usable"),
    ).join(Connection, Connection.id == ClientLink.connection_id).where(ClientLink.client_id == of_it)  # fmt: skip
    state = type_coerce(OutgoingClient.state, Text)
    out = select(literal_column("'out'", Text), OutgoingClient.id, *app, state, nothing, none, is_usable)
    out = out.join(Connection, Connection.id == OutgoingClient.connection_id).where(OutgoingClient.client_id == of_it)
    groups = select(
        literal_column("'group'", Text), Group.id, nothing, Group.name, no, nothing, nothing, none, no
    ).join(ClientGroup, ClientGroup.group_id == Group.id).where(ClientGroup.client_id == of_it)  # fmt: skip
    return union_all(links, out, groups).order_by("what", "place")
