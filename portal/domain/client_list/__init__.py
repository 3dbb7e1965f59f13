"""The list of clients: what is shown of each, found, sorted and paged so that fifty thousand feel like fifty.

Nothing here reads a whole table or loads a client as an object. `filters_from` takes what an address says, `listing`
gives a page of it, `ids` everything that matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, bindparam, false, literal_column, select, union_all

from portal.db import db
from portal.domain.apps import Connection, ConnectionState
from portal.domain.client_list import statements
from portal.domain.client_list.filters import (
    EVERYTHING,
    NEAR_MATCH,
    NOBODY,
    STATUS_WORDS,
    SYNC_WORDS,
    Filters,
    Key,
    Known,
    Sort,
    filters_from,
    key_from,
    number,
)
from portal.domain.client_list.statements import CAP, Shape, shape_of, values_of
from portal.domain.clients import Client, ClientStatus, Group, SyncState
from portal.domain.people import User
from portal.domain.text import fold

__all__ = [
    "CAP", "EVERYTHING", "NEAR_MATCH", "NOBODY", "STATUS_WORDS", "SYNC_WORDS", "AppChoice", "Choices", "Filters", "Key",
    "Known", "Page", "Row", "Sort", "choices", "count", "filters_from", "has_any", "ids", "key_from", "listing",
]  # fmt: skip

PAGE = 50
# Words met a thousand times among the first so many clients are held by one in ten: reading on soon fills a page.
DENSE = 10_000
STATUS_ORDER = (ClientStatus.LEAD, ClientStatus.ACTIVE, ClientStatus.INACTIVE, ClientStatus.ARCHIVED)
COVERED_BY_NEAR = (SyncState.PENDING, SyncState.IN_STEP, SyncState.UNLINKED)
SYNC_ORDER = (SyncState.FAILED, SyncState.CONFLICT, SyncState.PENDING, SyncState.IN_STEP, SyncState.UNLINKED)


class Row(NamedTuple):
    """One client as the list shows it. `apps` holds (connection id, in_step | pending | conflict | failed | broken)."""

    id: int
    name: str
    status: str
    manager_id: int | None
    sync: str
    changed_at: datetime
    groups: tuple[str, ...]
    apps: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """`total` stops at one more than `CAP`: "1,000+". `previous` and `next` are the keys of `after` and `before`."""

    rows: list[Row]
    total: int
    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class AppChoice:
    connection_id: int
    app: str
    account: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What the list can be filtered by: people by name, those who manage or partner a client, apps, one group."""

    people: Mapping[int, str]
    managers: Sequence[tuple[int, str]]
    partners: Sequence[tuple[int, str]]
    apps: Sequence[AppChoice]
    groups: Mapping[int, str]

    def known(self) -> Known:
        return Known(self.people, {one.connection_id: one.account for one in self.apps}, self.groups)


_user, _client = User.__table__.c, Client.__table__.c
_connection, _group = Connection.__table__.c, Group.__table__.c


def _has_any(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a client has this user in the column. Sorted, because the index is then the only sensible way to look."""
    first = select(_client.id).where(column == _user.id, _client.archived_at.is_(None))
    return (
        first.order_by(_client.name_key, _client.id).limit(1).correlate(User.__table__).scalar_subquery().is_not(None)
    )


# All of it is asked for with every page: one statement, its parts told apart by their first column.
_CHOICES = union_all(
    select(
        literal_column("'person'").label("kind"),
        _user.id,
        _user.name,
        literal_column("''").label("app"),
        _has_any(_client.manager_id).label("manages"),
        _has_any(_client.partner_id).label("partners"),
    ),
    select(literal_column("'app'"), _connection.id, _connection.account_name, _connection.app, false(), false()).where(
        _connection.state != ConnectionState.CHOOSING
    ),
    select(literal_column("'group'"), _group.id, _group.name, literal_column("''"), false(), false()).where(
        _group.id == bindparam("the_group", type_=Integer)
    ),
)


def choices(args: Mapping[str, str] | None = None) -> Choices:
    """What there is to choose from, and the group that `args` names."""
    held: dict[str, list[Any]] = {"person": [], "app": [], "group": []}
    for row in db.session.execute(_CHOICES, {"the_group": number((args or {}).get("group", ""))}):
        held[row.kind].append(row)
    people = sorted(held["person"], key=lambda row: (fold(row.name), row.id))
    return Choices(
        {row.id: row.name for row in people},
        [(row.id, row.name) for row in people if row.manages],
        [(row.id, row.name) for row in people if row.partners],
        sorted((AppChoice(row.id, row.app, row.name) for row in held["app"]), key=lambda one: one.connection_id),
        {row.id: row.name for row in held["group"]},
    )


def has_any() -> bool:
    """Whether there is any client at all, archived or not."""
    return db.session.scalar(select(Client.id).limit(1)) is not None


def count(view: Filters, cap: int | None = None) -> int:
    """How many clients a view holds, all of them: for a question before an act, not for a page."""
    return db.session.scalar(statements.count(shape_of(view), cap), values_of(view)) or 0


def ids(view: Filters) -> list[int]:
    """Every client of a view, by id."""
    return list(db.session.scalars(statements.all_ids(shape_of(view)), values_of(view)))


def listing(view: Filters, key: Key | None, chosen: Choices, *, size: int = PAGE) -> Page:
    """One page of a view. Sorting by manager goes by the names in `chosen`."""
    managers = chosen.people if view.status in (EVERYTHING, ClientStatus.ARCHIVED) else dict(chosen.managers)
    reader = _Reader(view, tuple(managers), size)
    found, total = reader.page(key)
    if key is not None and key.backwards:
        if len(found) <= size:  # the beginning was reached: a full first page, not what happened to be left over
            return listing(view, None, chosen, size=size)
        found = found[size - 1 :: -1]
        is_first, is_last = False, False
    else:
        is_first, is_last = key is None, len(found) <= size
        found = found[:size]
    if not found:
        return Page([], total, None, None) if key is None else listing(view, None, chosen, size=size)
    previous = None if is_first else reader.key_of(found[0])
    return Page([_row(one) for one in found], total, previous, None if is_last else reader.key_of(found[-1]))


def everything(view: Filters, chosen: Choices, *, size: int) -> Iterator[list[int]]:
    """The ids of a whole view in its order, page after page."""
    key: Key | None = None
    while True:
        page = listing(view, key, chosen, size=size)
        yield [row.id for row in page.rows]
        if page.next is None:
            return
        key, _notes = key_from({"after": page.next}, view.sort)


class _Reader:
    """Reads one page: the few-clients way or the many-clients way, whichever suits the view."""

    def __init__(self, view: Filters, managers: tuple[int, ...], size: int) -> None:
        self.view = view
        self.size = size
        self.buckets = _buckets(view, managers)

    def page(self, key: Key | None) -> tuple[Sequence[Any], int]:
        """At most one row more than the page holds, in the direction of the key; and the count, capped."""
        backwards = key is not None and key.backwards
        kind = shape_of(self.view)
        shape = replace(kind, size=self.size, has_key=key is not None, forwards=kind.forwards != backwards)
        if not _may_be_few(kind):
            return self._many(shape, key, None)
        total, last_id = db.session.execute(statements.probe(kind), values_of(self.view)).one()
        if total <= CAP:
            return self._read(statements.few(replace(shape, ranks=self.buckets)), key) if total else [], total
        return self._many(replace(shape, is_dense=last_id < DENSE), key, total)

    def _many(self, shape: Shape, key: Key | None, total: int | None) -> tuple[Sequence[Any], int]:
        rows: Sequence[Any] = ()
        for bucket in self._buckets_from(key, shape.forwards):
            kind = "" if not self.buckets else "nothing" if bucket is None else "value"
            part = replace(shape, bucket=kind, has_key=key is not None, size=self.size - len(rows))
            found = self._read(statements.many(replace(part, counted=total is None)), key, bucket)
            if total is None and found:
                total = found[0].total
            rows = [*rows, *found] if rows else found
            key = None
            if len(rows) > self.size:
                break
        if total is None:  # nothing on this page, which says nothing about the others
            total = count(self.view, CAP + 1)
        return rows, total

    def _buckets_from(self, key: Key | None, forwards: bool) -> Sequence[Any]:
        if not self.buckets:
            return (None,)
        order = self.buckets if forwards else self.buckets[::-1]
        return order[order.index(self._bucket_of(key)) :] if key is not None else order

    def _read(self, statement: Any, key: Key | None, bucket: Any = None) -> Sequence[Any]:
        values = values_of(self.view)
        if bucket is not None:
            values["bucket"] = bucket
        if key is not None:
            values |= {"key": key.moment if self.view.sort is Sort.CHANGED else key.value, "key_id": key.id}
            if self.buckets:
                values["key_rank"] = self.buckets.index(self._bucket_of(key))
        return db.session.execute(statement, values).all()

    def _bucket_of(self, key: Key) -> Any:
        """The gathering a key speaks of; the first when the view has none of that name (any more)."""
        found = next((one for one in self.buckets if str(one or "none") == key.bucket), None)
        return found if found in self.buckets else self.buckets[0]

    def key_of(self, row: Any) -> str:
        sort = self.view.sort
        if sort is Sort.CHANGED:
            return Key(row.changed_at.astimezone(UTC).isoformat(), row.id).text(sort)
        bucket = str(getattr(row, statements.PLACE[sort].name) or "none") if self.buckets else ""
        return Key(row.name_key, row.id, bucket).text(sort)


def _buckets(view: Filters, managers: tuple[int, ...]) -> tuple[Any, ...]:
    """The gatherings of the view's sort in their order; none for names and moments."""
    if view.sort is Sort.STATUS:
        present = STATUS_ORDER if view.status == EVERYTHING else STATUS_ORDER[:3]
        return (ClientStatus(view.status),) if view.status in list(ClientStatus) else present
    if view.sort is Sort.SYNC:
        return (SyncState(view.sync),) if view.sync in list(SyncState) else SYNC_ORDER
    if view.sort is Sort.MANAGER:
        if view.manager is not None:
            return (view.manager or None,)
        return (*managers, None)
    return ()


def _may_be_few(shape: Shape) -> bool:
    """Whether no index holds the view in its order, so that it is worth seeing first how many clients there are."""
    if any(shape.words) or shape.in_group or shape.app or shape.overdue or shape.sync == NEAR_MATCH:
        return True
    by_status = shape.status not in ("", EVERYTHING)
    chosen = {Sort.STATUS: by_status, Sort.MANAGER: bool(shape.manager), Sort.SYNC: bool(shape.sync)}
    others = sum(chosen.values()) + bool(shape.partner)
    if shape.sort in chosen:  # the index of the sort holds the values of its own filter
        return others - chosen[shape.sort] > 0
    return others > 1 or (shape.sort is Sort.CHANGED and others > by_status)


def _row(row: Any) -> Row:
    client_id, name, _key, status, manager_id, sync, changed_at, *_total, apps, groups, is_near = row
    if is_near and sync in COVERED_BY_NEAR:
        sync = NEAR_MATCH
    held = tuple(sorted(groups.split("\n"))) if groups else ()
    return Row(client_id, name, status, manager_id, sync, changed_at, held, _apps(apps))


@lru_cache(maxsize=4096)
def _apps(held: str | None) -> tuple[tuple[int, str], ...]:
    """The marks of the apps; few clients differ in them."""
    pairs = (one.split(":") for one in held.split(",")) if held else ()
    return tuple(sorted((int(connection), state) for connection, state in pairs))
