"""One client beside its records in every app: rows are fields, columns are here and each linked record as last read.

Each value says where it may go: taken over here, sent there. What a person then asks for is done by `aligning`.
Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import connections, links, owned_fields
from portal.domain.apps import ClientLink, Connection, ContactLink, LinkState, Ways, ways_of
from portal.domain.carrying import side_of
from portal.domain.clients import CONTACT_EDITABLE, EDITABLE, Client, Contact, plain
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.planning import ANSWERED, AT_LINK, CONTACTS, PULL, TWO_WAY, Side, contact_values, is_blank, values_of
from portal.domain.records import Address, ClientRecord, client_from_json
from portal.domain.staff import Staff, staff_of

PULL_ONCE = "first import only"
CONTACT = "contact"  # instead of a field, where a contact's is meant
NAMELESS = "it would leave it without a name"


@dataclass(frozen=True, slots=True)
class Way:
    """Which way a field may go: 'both', 'from', 'to', 'link' or 'none', and that as a sentence."""

    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of one record. `key` is how plans name it; `agreed` is None with `knows_agreed` False when the two were
    never in step. `not_taken` and `not_sent` say why it cannot be done; empty: it can."""

    there: Any
    is_same: bool
    way: Way
    key: str
    agreed: Any = None
    knows_agreed: bool = False
    held: str = ""
    not_taken: str = ""
    not_sent: str = ""
    takes: Any = None  # `there` as the verbs that edit a client want it
    moved_here: bool = False  # ours is no longer what both had agreed on

    @property
    def since(self) -> str:
        """Which side moved since the two last agreed, where they are kept in step; empty where nobody can tell."""
        if self.is_same or not self.knows_agreed or self.way.kind not in ("both", "from", "to"):
            return ""
        if same(plain(self.agreed), plain(self.there)):
            return "changed here since the two agreed"
        return "changed there since the two agreed" if not self.moved_here else "changed on both sides"

    @property
    def goes_by_itself(self) -> bool:
        """Whether a change here is sent there without anybody asking."""
        return self.way.kind in ("both", "to") and not self.not_sent


@dataclass(frozen=True, slots=True)
class Column:
    """One linked record. `why_idle` says why nothing can be written to it now; empty: it can."""

    link: ClientLink
    name: str  # the connection as sentences name it
    why_idle: str

    @property
    def is_troubled(self) -> bool:
        """Whether what stands in the way can be mended."""
        return bool(self.why_idle) and self.connection.ways.writes

    @property
    def connection(self) -> Connection:
        return self.link.connection

    @property
    def is_read(self) -> bool:
        return bool(self.link.seen)


@dataclass(frozen=True, slots=True)
class Line:
    """One field in all places. `id` is what addresses call it: 'phone', or '12.email' for contact 12."""

    id: str
    field: str
    label: str
    here: Any
    thing: Client | Contact
    cells: tuple[Cell | None, ...]  # by column; None: this record has no such field

    @property
    def differs(self) -> bool:
        return any(cell is not None and not cell.is_same for cell in self.cells)

    @property
    def title(self) -> str:
        return f"{self.thing.name}: {self.label}" if isinstance(self.thing, Contact) else self.label


@dataclass(frozen=True, slots=True)
class Person:
    """A contact in all places. Without a `contact` here, `only` names the columns that have it."""

    name: str
    contact: Contact | None
    lines: tuple[Line, ...] = ()
    only: tuple[Column, ...] = ()
    missing: tuple[Column, ...] = ()  # columns whose record does not have it


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    people: tuple[Person, ...]

    def line(self, line_id: str) -> Line | None:
        every = [*self.lines, *(line for one in self.people for line in one.lines)]
        return next((one for one in every if one.id == line_id), None)

    @property
    def differences(self) -> int:
        return sum(line.differs for line in (*self.lines, *(line for one in self.people for line in one.lines)))


@dataclass(frozen=True, slots=True)
class _Other:
    """What is known of one record, gathered once."""

    column: Column
    ways: Ways
    record: ClientRecord
    ties: list[ContactLink]
    side: Side
    staff: Staff


def table(client: Client) -> Table:
    """Everything there is to compare; a record that was not read yet has a column and no values."""
    columns = tuple(_column(link) for link in client.links)
    others = {column.link.id: _other(client, column) for column in columns if column.is_read}
    owned = owned_fields.owners(client, {link.connection.app: ways_of(link.connection.app) for link in client.links})
    lines = tuple(_client_lines(client, columns, others, owned))
    return Table(columns, lines, tuple(_people(client, columns, others)))


def _column(link: ClientLink) -> Column:
    name = connections.label(link.connection)
    why = ""
    if link.state == LinkState.BROKEN:
        why = f"the link is broken: {link.broken_why}" if link.broken_why else "the link is broken"
    elif not link.connection.is_usable:
        why = f"{name} is not connected"
    elif not link.connection.ways.writes:
        why = f"the portal cannot change records in {name}"
    return Column(link, name, why)


def _other(client: Client, column: Column) -> _Other:
    link = column.link
    record = client_from_json(link.seen)
    ties = list(db.session.scalars(select(ContactLink).where(ContactLink.client_link_id == link.id)))
    staff = staff_of(link.connection)
    side = side_of(client, link, ties, record, staff, column.name)
    return _Other(column, link.connection.ways, record, ties, side, staff)


def _client_lines(
    client: Client, columns: tuple[Column, ...], others: Mapping[int, _Other], owned: Mapping[str, Ways]
) -> Iterable[Line]:
    travelling = {name for one in others.values() for name in one.ways.client_fields}
    for name, label in CLIENT_FIELDS.items():
        if name not in travelling:
            continue
        cells = tuple(_client_cell(name, others.get(column.link.id), owned) for column in columns)
        here = _here(client, name)
        if _says_something(here, cells):
            yield Line(name, name, label, here, client, cells)


def _says_something(here: Any, cells: tuple[Cell | None, ...]) -> bool:
    """A field that some record has, and that is not empty everywhere."""
    held = [cell.there for cell in cells if cell is not None]
    return bool(held) and not all(is_blank(plain(one)) for one in [here, *held])


def _here(client: Client, name: str) -> Any:
    if name == "groups":
        return [group.name for group in client.groups]
    held = getattr(client, name)
    return held.name if name in ("partner", "manager") and held is not None else held


def _client_cell(name: str, other: _Other | None, owned: Mapping[str, Ways]) -> Cell | None:
    if other is None or name not in other.ways.client_fields:
        return None
    theirs = values_of(other.record)
    if name not in theirs or name not in other.side.values:
        return None
    link, ours, flow = other.column.link, other.side.values[name], other.ways.client_fields[name]
    not_taken, takes = _taken(name, theirs[name], other, owned)
    held = link.held_fields.get(name, "") or other.side.holds.get(name, "")
    return Cell(
        there=whole(name, theirs[name]),
        is_same=_agree(ours, theirs[name], name, link.agreed),
        way=way_of(flow, link.connection, other.column.name, name),
        key=name,
        agreed=whole(name, link.agreed.get(name)),
        knows_agreed=name in link.agreed,
        held=link.held_fields.get(name, ""),
        not_taken=not_taken,
        not_sent=_not_sent(flow, other.column, held, is_nameless=name == "name" and is_blank(ours)),
        takes=takes,
        moved_here=not same(ours, link.agreed.get(name)),
    )


def _taken(name: str, theirs: Any, other: _Other, owned: Mapping[str, Ways]) -> tuple[str, Any]:
    """Why their value cannot stand here, and the value as `clients.edit` wants it."""
    if name in owned:
        return f"{owned[name].short_name} keeps it; it is read-only here", None
    if name in ("partner", "manager"):
        user_id = other.staff.user_of(theirs)
        if theirs and user_id is None:
            return f"{theirs['name']} is not linked to a user here (Settings, Team)", None
        return "", user_id
    if name not in EDITABLE:
        return "it is read-only here", None
    if name == "name" and is_blank(theirs):
        return NAMELESS, None
    return "", whole(name, theirs)


def _not_sent(flow: str, column: Column, held: str, *, of_contact: bool = False, is_nameless: bool = False) -> str:
    if column.why_idle:
        return column.why_idle
    if flow == PULL:
        return f"{column.name} keeps it; change it there"
    if of_contact and CONTACTS not in links.sendable(column.connection):
        return f"people of a record that is in {column.name} already are not written; change it there"
    if flow not in (TWO_WAY, AT_LINK):
        return f"it is never sent to {column.name}"
    return NAMELESS if is_nameless else held


def _people(client: Client, columns: tuple[Column, ...], others: Mapping[int, _Other]) -> Iterable[Person]:
    for contact in client.contacts:
        found = [_contact_cells(contact, others.get(column.link.id)) for column in columns]
        missing = tuple(
            column for column, cells in zip(columns, found, strict=True)
            if cells is None and column.link.id in others and column.connection.ways.contact_fields
        )  # fmt: skip
        yield Person(contact.name, contact, tuple(_contact_lines(contact, found)), missing=missing)
    yield from _only_there(client, others)


def _contact_lines(contact: Contact, found: list[dict[str, Cell] | None]) -> Iterable[Line]:
    for name, label in CONTACT_FIELDS.items():
        cells = tuple(cells.get(name) if cells else None for cells in found)
        here = getattr(contact, name)
        if _says_something(here, cells):
            yield Line(f"{contact.id}.{name}", name, label, here, contact, cells)


def _contact_cells(contact: Contact, other: _Other | None) -> dict[str, Cell] | None:
    """The contact's fields on one record; None when the record does not have it."""
    if other is None:
        return None
    tie = next((one for one in other.ties if one.contact_id == contact.id and not one.is_gone), None)
    there = next((one for one in other.record.contacts if tie is not None and one.remote_id == tie.remote_id), None)
    if tie is None or there is None:
        return None
    values, link = contact_values(there), other.column.link
    cells = {}
    for name, flow in other.ways.contact_fields.items():
        if name not in values or name not in CONTACT_EDITABLE:
            continue
        ours, key = getattr(contact, name), f"{there.remote_id}.{name}"
        held = link.held_fields.get(key, "")
        cells[name] = Cell(
            there=values[name],
            is_same=_agree(ours, values[name], name, tie.agreed),
            way=way_of(flow, link.connection, other.column.name, CONTACT),
            key=key,
            agreed=tie.agreed.get(name),
            knows_agreed=name in tie.agreed,
            held=held,
            not_taken=NAMELESS if name == "name" and not values[name] else "",
            not_sent=_not_sent(flow, other.column, held, of_contact=True),
            takes=values[name],
            moved_here=not same(ours, tie.agreed.get(name)),
        )
    return cells


def _only_there(client: Client, others: Mapping[int, _Other]) -> Iterable[Person]:
    here = {contact.id for contact in client.contacts}
    only: dict[str, list[Column]] = {}
    for other in others.values():
        tied = {one.remote_id for one in other.ties if one.contact_id in here}
        for there in other.record.contacts:
            if there.remote_id not in tied:
                only.setdefault(there.name, []).append(other.column)
    for name, columns in only.items():
        yield Person(name, None, only=tuple(columns))


def _agree(ours: Any, theirs: Any, name: str, agreed: Mapping[str, Any]) -> bool:
    """Whether both hold the same; also where the app writes what it was sent in its own way."""
    answered = agreed.get(ANSWERED, {})
    in_its_own_way = name in answered and same(theirs, answered[name]) and same(ours, agreed.get(name))
    return same(ours, theirs) or in_its_own_way


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


def way_of(flow: str, connection: Connection, app: str, field: str) -> Way:
    """Which way a field may go, as the field table and the connection's settings say (XPM-6 to XPM-8, XP-20).

    `app` is how sentences name the connection.
    """
    if flow == AT_LINK:
        asks = "" if field == CONTACT else ", or when somebody asks"
        return Way("link", f"Only when linked{asks}")
    if flow == PULL_ONCE:
        return Way("none", f"Read from {app} once, at the first import")
    if flow not in (TWO_WAY, PULL):
        return Way("none", "Never synced")
    if connection.level == "nothing" or (connection.level == "name" and field != "name"):
        return Way("none", "Not kept in step: the connection is set so")
    if flow == PULL:
        if connection.direction == "to_app":
            return Way("none", f"Not read: the connection only sends to {app}")
        return Way("from", f"From {app} only, read-only here")
    return {
        "from_app": Way("from", f"From {app} only: the connection is set so"),
        "to_app": Way("to", f"To {app} only: the connection is set so"),
    }.get(connection.direction, Way("both", "Both ways: the later change wins"))
