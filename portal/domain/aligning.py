"""One value, chosen by a person, for one field of one client: written here, sent to the apps they name, and on record.

Choosing is explicit: it is done whatever direction and level a connection is set to. Taking it back is the same act
with the value that stood there before, which the record of this one keeps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, clients, connections, links
from portal.domain.activity import Activity, Actor, Verb
from portal.domain.apps import ClientLink
from portal.domain.clients import Client, Contact
from portal.domain.side_by_side import Cell, Column, Line, Table, same, whole

HERE = "here"
LATELY = 5


class NotPossible(Exception):
    """The value cannot be used so, or what was shown has moved meanwhile. The text is for the person."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the value comes from: here, a record, or a value that was replaced earlier."""

    id: str  # 'here', a link's id, or '<activity>.<place>'
    said: str  # 'our value', 'Xero’s value', 'what stood in Xero before'
    value: Any  # as a person reads it
    takes: Any  # as the verbs that edit a client want it
    not_taken: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere the value could be written. `why_not` says why it cannot; `by_itself`: it goes there unasked, once
    the value stands here."""

    id: str
    said: str
    now: Any
    is_same: bool
    why_not: str
    by_itself: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A value and everywhere it could go. `mark` changes when any value shown does."""

    line: Line
    source: Source
    places: tuple[Place, ...]
    mark: str


def choice(client: Client, table: Table, line_id: str, source_id: str) -> Choice | None:
    """The value named and where it could go; None when there is no such line or value."""
    line = table.line(line_id)
    source = None if line is None else _source(client, line, table, source_id)
    if line is None or source is None:
        return None
    is_ours = source.id == HERE
    stands = is_ours or _alike(line.here, source.value)
    places = [Place(HERE, HERE, line.here, stands, "" if stands else source.not_taken, by_itself=False)]
    for column, cell in zip(table.columns, line.cells, strict=True):
        if cell is not None and str(column.link.id) != source.id:
            places.append(_place(column, cell, source, places[0]))
    return Choice(line, source, tuple(places), _mark(line, source))


def _source(client: Client, line: Line, table: Table, source_id: str) -> Source | None:
    if source_id == HERE:
        return Source(HERE, "our value", line.here, None)
    for column, cell in zip(table.columns, line.cells, strict=True):
        if cell is not None and str(column.link.id) == source_id:
            return Source(source_id, f"{column.name}’s value", cell.there, cell.takes, cell.not_taken)
    return _earlier_value(client, line, source_id)


def _place(column: Column, cell: Cell, source: Source, here: Place) -> Place:
    """Ours is what an app is sent: a value that cannot stand here cannot go there either."""
    why_not = cell.not_sent or (f"it cannot stand here first: {here.why_not}" if here.why_not else "")
    is_same = cell.is_same if source.id == HERE else _alike(cell.there, source.value)
    return Place(str(column.link.id), column.name, cell.there, is_same, why_not, cell.goes_by_itself)


def _earlier_value(client: Client, line: Line, source_id: str) -> Source | None:
    """A value an earlier act replaced: '<activity>.<which of its changes>'."""
    act_id, _, which = source_id.partition(".")
    found = db.session.get(Activity, int(act_id)) if act_id.isdecimal() and which.isdecimal() else None
    if found is None or found.client_id != client.id or found.verb != Verb.VALUE_CHOSEN:
        return None
    if found.facts.get("line") != line.id or int(which) >= len(found.changes):
        return None
    change = found.changes[int(which)]
    said = f"what stood {change['place']} before"
    return Source(source_id, said, whole(line.field, change["old"]), whole(line.field, change["takes"]))


def _alike(one: Any, other: Any) -> bool:
    """Whether two values read alike; people of two apps by their names."""
    return same(_read(one), _read(other))


def _read(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) else clients.plain(value)


def _mark(line: Line, source: Source) -> str:
    there = [None if cell is None else _read(cell.there) for cell in line.cells]
    shown = json.dumps([_read(line.here), _read(source.value), there])
    return hashlib.blake2b(shown.encode(), digest_size=8).hexdigest()


def choose(
    client: Client, chosen: Choice, places: Collection[str], *, mark: str, by: Actor, now: datetime
) -> Activity | None:
    """Write the chosen value to these places. Raises `NotPossible`; then nothing was changed.

    Here it is written now; an app gets it with the push this asks for. None when it stands everywhere already.
    """
    if chosen.mark != mark:
        raise NotPossible(f"{chosen.line.title} was changed meanwhile, so nothing was written. This is how it stands.")
    wanted = [one for one in chosen.places if one.id in places and not one.is_same]
    for one in wanted:
        if one.why_not:
            raise NotPossible(f"Nothing was written {_in(one.said)}: {one.why_not}.")
    here, apart = chosen.places[0], [one for one in wanted if one.id != HERE]
    if apart and here not in wanted and not here.is_same:
        raise NotPossible("Nothing was written: an app is sent what stands here, so the value has to be used here too.")
    if not wanted:
        return None
    cells = _cells(client, chosen)
    noted = _note(client, chosen, wanted, cells, by, now)
    if here in wanted:
        _write_here(client, chosen, by, now)
    for link in client.links:
        if any(one.id == str(link.id) for one in apart):
            _ask_to_send(link, cells[str(link.id)].key, by, now)
    _settle_conflicts(client, chosen, {chosen.source.id, *(one.id for one in wanted)}, by, now)
    return noted


def _ask_to_send(link: ClientLink, key: str, by: Actor, now: datetime) -> None:
    try:
        links.ask_to_send(link, [key], by=by, now=now)
    except links.CannotSend as told:
        raise NotPossible(f"Nothing was written. {told}") from told


def _cells(client: Client, chosen: Choice) -> dict[str, Cell]:
    pairs = zip(client.links, chosen.line.cells, strict=True)
    return {str(link.id): cell for link, cell in pairs if cell is not None}


def _note(
    client: Client, chosen: Choice, wanted: list[Place], cells: dict[str, Cell], by: Actor, now: datetime
) -> Activity:
    line = chosen.line
    changes = [
        {
            "field": line.field, "label": f"{line.title} {_in(one.said)}", "place": _in(one.said),
            "old": clients.plain(one.now), "new": clients.plain(chosen.source.value),
            "takes": clients.plain(_as_edited(line) if one.id == HERE else cells[one.id].takes),
        }
        for one in wanted
    ]  # fmt: skip
    return activity.record(
        Verb.VALUE_CHOSEN, by=by, now=now, client_id=client.id, field=line.title, line=line.id,
        source=chosen.source.said, where=" and ".join(_in(one.said) for one in wanted), changes=changes,
    )  # fmt: skip


def _as_edited(line: Line) -> Any:
    """What stands here, as the verbs that edit a client want it."""
    return getattr(line.thing, f"{line.field}_id") if line.field in ("partner", "manager") else line.here


def _in(said: str) -> str:
    return said if said == HERE else f"in {said}"


def _write_here(client: Client, chosen: Choice, by: Actor, now: datetime) -> None:
    line, value = chosen.line, chosen.source.takes
    if isinstance(line.thing, Contact):
        clients.edit_contact(line.thing, {line.field: value}, by=by, now=now)
    else:
        name = f"{line.field}_id" if line.field in ("partner", "manager") else line.field
        clients.edit(client, {name: value}, by=by, now=now)


def _settle_conflicts(client: Client, chosen: Choice, places: set[str], by: Actor, now: datetime) -> None:
    """A person has decided about this field: what was open between the places it touches is settled."""
    contact_id = chosen.line.thing.id if isinstance(chosen.line.thing, Contact) else None
    for held in links.open_conflicts(client):
        if str(held.link_id) in places and held.field == chosen.line.field and held.contact_id == contact_id:
            app = connections.label(db.session.get_one(ClientLink, held.link_id).connection)
            links.dismiss_conflict(held, by=by, now=now, app=app)


def lately(client: Client) -> list[Activity]:
    """The last values a person has chosen for this client, newest first."""
    query = select(Activity).where(Activity.client_id == client.id, Activity.verb == Verb.VALUE_CHOSEN)
    return list(db.session.scalars(query.order_by(Activity.id.desc()).limit(LATELY)))
