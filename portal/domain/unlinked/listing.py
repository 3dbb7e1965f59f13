"""What Import and manual mapping ask: a page of an app's records, how many of each kind, one by its name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_

from portal.db import db
from portal.domain import client_search
from portal.domain.apps import ClientLink, UnlinkedRecord
from portal.domain.clients import Client
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.domain.text import BadText, clean_line, fold
from portal.domain.unlinked.keeping import VERDICTS

LINKED = "linked"  # beside the verdicts: records somebody here is
CAP = 1001  # counts stop here; beyond, screens say "1,000+"
PORTION = 500  # rows read at a time where all are wanted


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the app. `id` None: it is linked, to `client_id`; else that is whom the verdict names, if anybody.

    `key` says where the line stands, for the page after or before it.
    """

    id: int | None
    remote_id: str
    verdict: str
    reason: str
    record: ClientRecord
    client_id: int | None
    client_name: str
    key: str


@dataclass(frozen=True, slots=True)
class Page:
    """`before` and `after` are the keys to go on from; empty: there is no such page."""

    lines: list[Line]
    before: str
    after: str


class Slim(NamedTuple):
    """A row without its record, as matching needs it."""

    id: int
    remote_id: str
    name: str
    near_key: str
    state: str


@dataclass(frozen=True, slots=True)
class Whom:
    """A client here that a record may be linked to; `holds` is the record it is linked to already, empty when free."""

    id: int
    name: str
    status: str
    address: str
    holds: str


class _Stretch(NamedTuple):
    """A part of the list with an order of its own: the unlinked ones, or those of one verdict; the linked ones."""

    is_linked: bool
    verdict: str = ""


def get(connection_id: int, remote_id: str) -> UnlinkedRecord | None:
    return db.session.scalar(
        select(UnlinkedRecord).where(
            UnlinkedRecord.connection_id == connection_id, UnlinkedRecord.remote_id == remote_id
        )
    )


def some(connection_id: int, ids: Iterable[int]) -> list[UnlinkedRecord]:
    """Those of these rows that are this connection's and still there, by id."""
    wanted = sorted(set(ids))
    found: list[UnlinkedRecord] = []
    for start in range(0, len(wanted), PORTION):
        query = select(UnlinkedRecord).where(
            UnlinkedRecord.connection_id == connection_id, UnlinkedRecord.id.in_(wanted[start : start + PORTION])
        )
        found += db.session.scalars(query.order_by(UnlinkedRecord.id))
    return found


def every(connection_id: int, verdict: str = "", words: str = "") -> Iterator[list[Slim]]:
    """All of a list, in portions, without the records themselves."""
    row, last = UnlinkedRecord, 0
    query = select(row.id, row.remote_id, row.name, row.near_key, row.state).where(_of(connection_id, verdict, words))
    while portion := db.session.execute(query.where(row.id > last).order_by(row.id).limit(PORTION)).all():
        last = portion[-1].id
        yield [Slim(*one) for one in portion]


def verdicts(connection_id: int) -> dict[str, int]:
    """How many records there are of each verdict, and of the linked ones; each counted up to `CAP`."""
    counts = [
        _capped(select(literal(1)).where(UnlinkedRecord.connection_id == connection_id, UnlinkedRecord.verdict == one))
        for one in VERDICTS
    ]
    counts.append(_capped(select(literal(1)).where(ClientLink.connection_id == connection_id)))
    return dict(zip((*VERDICTS, LINKED), db.session.execute(select(*counts)).one(), strict=True))


def waiting(connection_id: int) -> int:
    """How many records wait to be chosen or settled, counted up to `CAP`: all but archived ones and those left out."""
    of_these = VERDICTS[:-2]
    query = select(literal(1)).where(
        UnlinkedRecord.connection_id == connection_id, UnlinkedRecord.verdict.in_(of_these)
    )
    return db.session.scalar(select(_capped(query))) or 0


def _capped(query: Select[Any]) -> Any:
    return select(func.count()).select_from(query.limit(CAP).subquery()).scalar_subquery()


def search(connection_id: int, words: str, limit: int = 20) -> list[UnlinkedRecord]:
    """Records whose name holds every word, current ones first; for whoever maps by hand (CL-30)."""
    conditions = [UnlinkedRecord.connection_id == connection_id, *_named(words)]
    found: list[UnlinkedRecord] = []
    for is_current in (UnlinkedRecord.state == RecordState.ACTIVE, UnlinkedRecord.state != RecordState.ACTIVE):
        ids = select(UnlinkedRecord.id).where(*conditions, is_current)
        ids = ids.order_by(UnlinkedRecord.name_key, UnlinkedRecord.id).limit(limit - len(found))
        found += _rows(list(db.session.scalars(ids)))
        if len(found) >= limit:
            break
    return found


def page(
    connection_id: int, *, verdict: str = "", words: str = "", after: str = "", before: str = "", limit: int = 50
) -> Page:
    """A page of the app's records: one verdict's by name, `LINKED`, or all, those nobody is linked to first."""
    if verdict == LINKED:
        stretches = [_Stretch(True)]
    elif verdict:
        stretches = [_Stretch(False, verdict)]
    else:
        stretches = [_Stretch(False), _Stretch(True)]
    is_back = bool(before)
    lines = _lines(connection_id, stretches[::-1] if is_back else stretches, words, before or after, limit + 1, is_back)
    more, lines = len(lines) > limit, lines[:limit]
    if is_back:
        lines.reverse()
    if not lines:
        return Page([], "", "")
    has_before, has_after = (more, True) if is_back else (bool(after), more)
    return Page(lines, lines[0].key if has_before else "", lines[-1].key if has_after else "")


def _lines(
    connection_id: int, stretches: list[_Stretch], words: str, start: str, limit: int, is_back: bool
) -> list[Line]:
    """So many lines from a key on, over the stretches; backwards, the nearest first."""
    from_linked, from_id, from_name = _place(start)
    found: list[Line] = []
    is_reached = not start
    for stretch in stretches:
        is_here = bool(start) and stretch.is_linked == from_linked
        if not (is_reached or is_here):
            continue
        is_reached = True
        place = (from_name, from_id) if is_here else None
        read = _linked_lines if stretch.is_linked else _unlinked_lines
        found += read(connection_id, stretch, words, place, limit - len(found), is_back)
        if len(found) >= limit:
            break
    return found


def _unlinked_lines(
    connection_id: int, stretch: _Stretch, words: str, place: tuple[str, int] | None, limit: int, is_back: bool
) -> list[Line]:
    """The ids come from an index that holds all this looks at; only the rows shown are read themselves."""
    key = (UnlinkedRecord.name_key, UnlinkedRecord.id)
    query = select(UnlinkedRecord.id).where(_of(connection_id, stretch.verdict, words)).limit(limit)
    query = query.order_by(*(one.desc() if is_back else one for one in key))
    if place is not None:
        query = query.where(tuple_(*key) < place if is_back else tuple_(*key) > place)
    rows = _rows(list(db.session.scalars(query)))
    names = names_of({row.client_id for row in rows if row.client_id is not None})
    return [
        Line(
            row.id, row.remote_id, row.verdict, row.reason, client_from_json(row.record), row.client_id,
            names.get(row.client_id or 0, ""), f"u~{row.id}~{row.name_key}",
        )
        for row in rows
    ]  # fmt: skip


def _linked_lines(
    connection_id: int, _stretch: _Stretch, words: str, place: tuple[str, int] | None, limit: int, is_back: bool
) -> list[Line]:
    link = ClientLink
    query = (
        select(link.remote_id, link.remote_name, link.seen, link.client_id, Client.name)
        .join(Client, Client.id == link.client_id)
        .where(link.connection_id == connection_id)
        .order_by(link.client_id.desc() if is_back else link.client_id)
        .limit(limit)
    )
    if place is not None:
        query = query.where(link.client_id < place[1] if is_back else link.client_id > place[1])
    if words and (sought := client_search.matching(words, ClientLink.__table__.c.client_id)) is not None:
        query = query.where(sought)
    return [
        Line(
            None, remote_id, LINKED, "", client_from_json(seen) if seen else ClientRecord(remote_id, remote_name),
            client_id, name, f"l~{client_id}~",
        )
        for remote_id, remote_name, seen, client_id, name in db.session.execute(query)
    ]  # fmt: skip


def _place(key: str) -> tuple[bool, int, str]:
    """A line's key taken apart; what is none stands before everything."""
    which, _, rest = key.partition("~")
    number, _, name = rest.partition("~")
    is_number = number.isascii() and number.isdecimal() and len(number) < 16
    return which == "l", int(number) if is_number else 0, " ".join(_typed(name))


def _of(connection_id: int, verdict: str, words: str) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [UnlinkedRecord.connection_id == connection_id]
    if verdict:
        conditions.append(UnlinkedRecord.verdict == verdict)
    return and_(*conditions, *_named(words))


def _named(words: str) -> list[ColumnElement[bool]]:
    """Conditions for names that hold every word, without regard to case and accents."""
    place_of = func.instr if db.engine.dialect.name == "sqlite" else func.strpos
    return [place_of(UnlinkedRecord.name_key, fold(word)) > 0 for word in _typed(words) if fold(word)]


def _typed(words: str) -> list[str]:
    try:
        return clean_line(words).split()
    except BadText:  # half a character is in no name
        return []


def _rows(ids: list[int]) -> list[UnlinkedRecord]:
    """In the order of the ids."""
    found = {row.id: row for row in db.session.scalars(select(UnlinkedRecord).where(UnlinkedRecord.id.in_(ids)))}
    return [found[one] for one in ids if one in found]


def names_of(client_ids: Iterable[int]) -> dict[int, str]:
    """The present names of these clients."""
    rows = db.session.execute(select(Client.id, Client.name).where(Client.id.in_(client_ids)))
    return {row.id: row.name for row in rows}


def who_may_be_meant(connection_id: int, words: str, limit: int = 20) -> list[Whom]:
    """Clients here found by these words, free ones first; those that have a record in this app say which."""
    sought = client_search.matching(words, Client.__table__.c.id)
    if sought is None:
        return []
    held = ClientLink.__table__.alias()
    query = (
        select(Client, held.c.remote_name)
        .outerjoin(held, (held.c.client_id == Client.id) & (held.c.connection_id == connection_id))
        .where(sought, or_(Client.archived_at.is_(None), held.c.remote_name.is_not(None)))
        .order_by(held.c.id.is_not(None), Client.name_key, Client.id)
        .limit(limit)
    )
    return [
        Whom(one.id, one.name, str(one.status), ", ".join(one.address.lines()), holds or "")
        for one, holds in db.session.execute(query)
    ]
