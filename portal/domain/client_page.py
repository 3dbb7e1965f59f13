"""What one client's page asks: the client, its links field by field, what is being sent, and what happened.

Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.db import db
from portal.domain import activity, links, runs
from portal.domain.activity import Activity, Verb
from portal.domain.apps import (
    ClientLink,
    Conflict,
    Connection,
    ConnectionState,
    ContactLink,
    Finding,
    LinkState,
    PushState,
    SyncRun,
)
from portal.domain.carrying import side_of
from portal.domain.clients import Client
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.links import Check
from portal.domain.people import User
from portal.domain.planning import Side, contact_values, is_blank, values_of
from portal.domain.records import Address, ClientRecord, client_from_json
from portal.domain.staff import staff_of

RECENT = 5  # activities on the summary
LOOK_BACK = 50  # activities searched for the last one that was sent
SOON = timedelta(seconds=20)
TWO_WAY, PULL, PULL_ONCE, PUSH = "two-way", "pull", "first import only", "push"


class AppLike(Protocol):
    """What is asked of an app here; `adapters.base.AppInfo` answers it."""

    @property
    def name(self) -> str: ...
    @property
    def short_name(self) -> str: ...
    @property
    def client_fields(self) -> Mapping[str, str]: ...
    @property
    def contact_fields(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Way:
    """Which way a field may go: 'both', 'from', 'to' or 'none', and that as a sentence."""

    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field here and there. `held` says why it does not travel; `agreed` is None with `knows_agreed` False when
    the two were never in step."""

    label: str
    here: Any
    there: Any
    agreed: Any
    knows_agreed: bool
    is_same: bool
    way: Way
    held: str = ""


@dataclass(frozen=True, slots=True)
class ContactRows:
    """One contact on both sides, or on one: `only` is 'here', 'there' or ''."""

    name: str
    only: str
    rows: tuple[FieldRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """A link with everything its part of the page shows. `rows` is empty before the record was read."""

    link: ClientLink
    app: AppLike
    rows: tuple[FieldRow, ...]
    contacts: tuple[ContactRows, ...]
    checks: tuple[Check, ...]
    web_url: str


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A connection this client could be linked in."""

    connection: Connection
    app: AppLike
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Sending:
    """How one link's push stands. `state`: pending, waiting, failed, kept, sent, calm."""

    link: ClientLink
    app: AppLike
    state: str
    reason: str = ""
    at: datetime | None = None

    @property
    def is_moving(self) -> bool:
        return self.state == "pending"


def get(client_id: int) -> Client | None:
    """The client with all its page shows, in a handful of queries."""
    query = select(Client).where(Client.id == client_id)
    query = query.options(
        joinedload(Client.manager), joinedload(Client.partner), selectinload(Client.contacts),
        selectinload(Client.groups), selectinload(Client.links).joinedload(ClientLink.connection),
    )  # fmt: skip
    return db.session.scalar(query)


def runs_behind(client: Client) -> dict[int, SyncRun]:
    """The runs that set values of this client, by id."""
    things: list[Any] = [client, *client.contacts]
    ids = {entry["run"] for thing in things for entry in thing.origins.values() if entry.get("run") is not None}
    if not ids:
        return {}
    return {run.id: run for run in db.session.scalars(select(SyncRun).where(SyncRun.id.in_(ids)))}


def compared(client: Client, link: ClientLink, app: AppLike) -> Compared:
    """This client and its record, field by field, as last read."""
    connection = link.connection
    record = client_from_json(link.seen) if link.seen else None
    rows: tuple[FieldRow, ...] = ()
    contacts: tuple[ContactRows, ...] = ()
    if record is not None:
        contact_links = list(db.session.scalars(select(ContactLink).where(ContactLink.client_link_id == link.id)))
        side = side_of(client, link, contact_links, record, staff_of(connection), app.short_name)
        rows = _field_rows(side, record, link, app)
        contacts = _contact_rows(side, record, contact_links, link, app)
    checks = tuple(_checks(client, link, connection, app))
    return Compared(link, app, rows, contacts, checks, record.web_url if record else "")


def unlinked(client: Client, connection: Connection, app: AppLike) -> Unlinked:
    return Unlinked(connection, app, tuple(_checks(client, None, connection, app)))


def _checks(client: Client, link: ClientLink | None, connection: Connection, app: AppLike) -> list[Check]:
    run = runs.latest_open(connection)
    finding = _finding_about(client, connection)
    return links.checklist(
        client, link, app=app.short_name, run_since=(run.started_at or run.asked_at) if run else None,
        finding=finding.reason if finding else "",
    )  # fmt: skip


def _finding_about(client: Client, connection: Connection) -> Finding | None:
    query = select(Finding).where(
        Finding.state == "open", Finding.connection_id == connection.id, Finding.client_id == client.id
    )
    return db.session.scalars(query.limit(1)).first()


def _field_rows(side: Side, record: ClientRecord, link: ClientLink, app: AppLike) -> tuple[FieldRow, ...]:
    there = values_of(record)
    return tuple(
        _row(
            CLIENT_FIELDS[name], side.values[name], there.get(name), link.agreed, name,
            way_of(flow, link.connection, app, name), link.held_fields.get(name, ""),
        )
        for name, flow in app.client_fields.items()
        if name in side.values and name in there
    )  # fmt: skip


def _contact_rows(
    side: Side, record: ClientRecord, contact_links: list[ContactLink], link: ClientLink, app: AppLike
) -> tuple[ContactRows, ...]:
    here = {contact.id: contact for contact in side.contacts}
    known = {one.remote_id: one for one in contact_links}
    found: list[ContactRows] = []
    paired: set[int] = set()
    for there in record.contacts:
        tie = known.get(there.remote_id)
        contact = here.get(tie.contact_id) if tie is not None and tie.contact_id is not None else None
        if tie is None or contact is None:
            found.append(ContactRows(there.name, "there"))
            continue
        paired.add(contact.id)
        values = contact_values(there)
        rows = tuple(
            _row(
                CONTACT_FIELDS[name], contact.values[name], values[name], tie.agreed, name,
                way_of(flow, link.connection, app, "contact"), link.held_fields.get(f"{there.remote_id}.{name}", ""),
            )
            for name, flow in app.contact_fields.items()
            if name in values
        )  # fmt: skip
        found.append(ContactRows(str(contact.values["name"]), "", rows))
    found += [ContactRows(str(one.values["name"]), "here") for one in side.contacts if one.id not in paired]
    return tuple(found)


def _row(label: str, here: Any, there: Any, agreed: Mapping[str, Any], name: str, way: Way, held: str) -> FieldRow:
    was = whole(name, agreed.get(name))
    return FieldRow(label, whole(name, here), whole(name, there), was, name in agreed, same(here, there), way, held)


def whole(field: str, value: Any) -> Any:
    """An address from its five parts, as JSON keeps them; any other value as it is."""
    is_address = field in ("address", "postal_address") and isinstance(value, list) and len(value) == 5
    return Address(*value) if is_address else value


def same(one: Any, other: Any) -> bool:
    """Whether two values read alike; nothing is like nothing, however it is written."""
    if isinstance(one, dict) or isinstance(other, dict):
        return bool((one or {}).get("id") == (other or {}).get("id"))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other) or (is_blank(one) and is_blank(other))


def way_of(flow: str, connection: Connection, app: AppLike, field: str) -> Way:
    """Which way a field may go, as the field table and the connection's settings say (XPM-6 to XPM-8, XP-20)."""
    if connection.level == "nothing" or (connection.level == "name" and field != "name"):
        return Way("none", "Not kept in step: the connection is set so")
    if flow == PULL_ONCE:
        return Way("none", f"Read from {app.short_name} once, at the first import")
    if flow == TWO_WAY:
        return {
            "from_app": Way("from", f"From {app.short_name} only: the connection is set so"),
            "to_app": Way("to", f"To {app.short_name} only: the connection is set so"),
        }.get(connection.direction, Way("both", "Both ways: the later change wins"))
    if flow == PULL:
        if connection.direction == "to_app":
            return Way("none", f"Not read: the connection only sends to {app.short_name}")
        return Way("from", f"From {app.short_name} only, read-only here")
    if flow == PUSH:
        return Way("to", f"To {app.short_name} only")
    return Way("none", "Never synced")


def connections_without(client: Client) -> list[Connection]:
    """Usable connections this client has no link in."""
    mine = {link.connection_id for link in client.links}
    query = select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
    return [connection for connection in db.session.scalars(query) if connection.id not in mine]


def sending(client: Client, apps: Mapping[str, AppLike], now: datetime) -> list[Sending]:
    """How each link's changes stand on their way out."""
    last = _last_sent(client)
    return [
        _sending(link, apps[link.connection.app], last.get(link.connection_id), now)
        for link in client.links
        if link.connection.app in apps
    ]


def _sending(link: ClientLink, app: AppLike, sent: Activity | None, now: datetime) -> Sending:
    if link.push_state == PushState.FAILED:
        return Sending(link, app, "failed", link.push_error)
    if link.push_state == PushState.NONE:
        at = sent.at if sent is not None and (link.agreed_at is None or sent.at >= link.agreed_at) else None
        return Sending(link, app, "sent", at=at) if at else Sending(link, app, "calm", at=link.agreed_at)
    if link.state == LinkState.BROKEN or not link.connection.is_usable:
        return Sending(link, app, "kept")
    is_later = link.push_next_at is not None and link.push_next_at > now + SOON
    if link.push_state == PushState.READY and is_later:
        return Sending(link, app, "waiting", link.push_error, link.push_next_at)
    return Sending(link, app, "pending")


def _last_sent(client: Client) -> dict[int, Activity]:
    found: dict[int, Activity] = {}
    for one in activity.log(client_id=client.id, limit=LOOK_BACK):
        if one.verb == Verb.CLIENT_PUSHED and one.connection_id is not None:
            found.setdefault(one.connection_id, one)
    return found


def conflict(client: Client, conflict_id: int) -> Conflict | None:
    """An open conflict of this very client."""
    query = select(Conflict).where(
        Conflict.id == conflict_id, Conflict.client_id == client.id, Conflict.state == "open"
    )
    return db.session.scalar(query)


def connection_of(held: Conflict) -> Connection:
    return db.session.get_one(ClientLink, held.link_id).connection


def happened(client: Client, activity_id: int, verb: Verb) -> Activity | None:
    """One line of this very client's log."""
    found = db.session.get(Activity, activity_id)
    return found if found is not None and found.client_id == client.id and found.verb == verb else None


def whole_log(client_id: int) -> Iterator[Activity]:
    """Everything on record about a client, newest first."""
    before = None
    while True:
        page = activity.log(client_id=client_id, before=before, limit=500)
        yield from page[:500]
        if len(page) <= 500:
            return
        before = page[499].id


def team(*also: int | None) -> list[User]:
    """Who may be a manager or partner: active people, and whoever is it now."""
    wanted = [one for one in also if one is not None]
    query = select(User).where(User.is_active | User.id.in_(wanted)).order_by(User.name)
    return list(db.session.scalars(query))


def connections_of_runs(run_ids: set[int]) -> dict[int, int]:
    """Which connection each of these runs was of."""
    if not run_ids:
        return {}
    rows = db.session.execute(select(SyncRun.id, SyncRun.connection_id).where(SyncRun.id.in_(run_ids)))
    return {row.id: row.connection_id for row in rows}
