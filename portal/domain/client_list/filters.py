"""What the list of clients can be narrowed to and sorted by, and how that reads in an address.

Everything in the address comes from outside: a value that means nothing is left out with a plain note, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from portal.domain.client_search import Terms, terms
from portal.domain.clients import ClientStatus, SyncState
from portal.domain.text import BadText, clean_line

EVERYTHING = "everything"  # archived clients as well (CL-10)
NEAR_MATCH = "near_match"
NOBODY = 0  # as a manager or partner: the client has none
LONGEST_SEARCH = 200

STATUS_WORDS = {
    "": "All",
    ClientStatus.LEAD.value: "Lead",
    ClientStatus.ACTIVE.value: "Active",
    ClientStatus.INACTIVE.value: "Inactive",
    ClientStatus.ARCHIVED.value: "Archived",
    EVERYTHING: "Archived too",
}
SYNC_WORDS = {
    SyncState.FAILED.value: "not synced",
    SyncState.CONFLICT.value: "conflict",
    NEAR_MATCH: "near match",
    SyncState.PENDING.value: "on its way",
    SyncState.IN_STEP.value: "in step",
    SyncState.UNLINKED.value: "not linked",
}


class Sort(StrEnum):
    NAME = "name"
    STATUS = "status"
    MANAGER = "manager"
    SYNC = "sync"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Filters:
    """None, or an empty text, asks for nothing. Without a status archived clients are left out."""

    words: str = ""
    status: str = ""
    manager: int | None = None
    partner: int | None = None
    group: int | None = None
    app: int | None = None  # a connection's id
    is_linked: bool = True  # to `app`, or not
    sync: str = ""
    sort: Sort = Sort.NAME
    descending: bool = False
    overdue: date | None = None  # something to be billed by hand was planned for a day before this one (BS-03)

    @property
    def terms(self) -> Terms:
        return terms(self.words)

    @property
    def is_narrowed(self) -> bool:
        return any(getattr(self, name) not in ("", None) for name in NARROWING)

    def query(self, **changes: Any) -> str:
        """The address of this view, with changes, from the question mark on; empty for the plain list."""
        view = replace(self, **{key: value for key, value in changes.items() if key in _NAMES})
        pairs = view.pairs() + [(key, value) for key, value in changes.items() if key not in _NAMES and value]
        return "?" + urlencode(pairs) if pairs else "?"

    def pairs(self) -> list[tuple[str, str]]:
        """As parameters of an address or hidden fields of a form."""
        found = [("q", self.words), ("status", self.status)]
        found += [("manager", _person(self.manager)), ("partner", _person(self.partner))]
        found += [("group", str(self.group or "")), ("app", self.app_word), ("sync", self.sync)]
        found.append(("overdue", self.overdue.isoformat() if self.overdue else ""))
        if self.descending or self.sort is not Sort.NAME:
            found.append(("sort", ("-" if self.descending else "") + self.sort.value))
        return [(key, value) for key, value in found if value]

    @property
    def app_word(self) -> str:
        if self.app is None:
            return ""
        return str(self.app) if self.is_linked else f"not-{self.app}"


_NAMES = frozenset(field.name for field in fields(Filters))
NARROWING = ("words", "status", "manager", "partner", "group", "app", "sync", "overdue")


def _person(user_id: int | None) -> str:
    return "" if user_id is None else "none" if user_id == NOBODY else str(user_id)


def filters_from(args: Mapping[str, str], known: Known | None = None) -> tuple[Filters, list[str]]:
    """The view an address asks for, and a sentence for everything in it that means nothing.

    With `known` given, a person, an app or a group that does not exist is such a thing, too.
    """
    reader = _Reader(args, known)
    words = reader.words()
    status = reader.one_of("status", STATUS_WORDS, "status")
    manager, partner = reader.person("manager"), reader.person("partner")
    group = reader.group()
    app, is_linked = reader.app()
    sync = reader.one_of("sync", SYNC_WORDS, "sync state")
    sort, descending = reader.sort()
    overdue = reader.day("overdue")
    found = Filters(words, status, manager, partner, group, app, is_linked, sync, sort, descending, overdue)
    return found, reader.notes


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to filter by: ids and names of people, apps and the one group asked for."""

    people: Mapping[int, str]
    apps: Mapping[int, str]
    groups: Mapping[int, str]


class _Reader:
    def __init__(self, args: Mapping[str, str], known: Known | None) -> None:
        self.args = args
        self.known = known
        self.notes: list[str] = []

    def words(self) -> str:
        typed = self.args.get("q", "")
        try:
            found = clean_line(typed)
        except BadText:
            self.notes.append("The search holds half a character, which no client has; all clients are shown.")
            return ""
        if len(found) > LONGEST_SEARCH:
            self.notes.append(f"Only the first {LONGEST_SEARCH} characters were searched for.")
        return found[:LONGEST_SEARCH].rstrip()

    def one_of(self, key: str, allowed: Mapping[str, str], what: str) -> str:
        value = self.args.get(key, "")
        if not value or value in allowed:
            return value
        self._unknown(what)
        return ""

    def person(self, key: str) -> int | None:
        value = self.args.get(key, "")
        if not value:
            return None
        if value == "none":
            return NOBODY
        return self._id(value, None if self.known is None else self.known.people, key)

    def group(self) -> int | None:
        value = self.args.get("group", "")
        return self._id(value, None if self.known is None else self.known.groups, "group") if value else None

    def app(self) -> tuple[int | None, bool]:
        value = self.args.get("app", "")
        if not value:
            return None, True
        found = self._id(value.removeprefix("not-"), None if self.known is None else self.known.apps, "app")
        return found, found is None or not value.startswith("not-")

    def day(self, key: str) -> date | None:
        value = self.args.get(key, "")
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            self._unknown("day")
            return None

    def sort(self) -> tuple[Sort, bool]:
        value = self.args.get("sort", "")
        word = value.removeprefix("-")
        if not value:
            return Sort.NAME, False
        if word not in list(Sort):
            self.notes.append("The list cannot be sorted by that; it is sorted by name.")
            return Sort.NAME, False
        return Sort(word), value.startswith("-")

    def _id(self, value: str, known: Mapping[int, str] | None, what: str) -> int | None:
        found = number(value)
        if found is None or (known is not None and found not in known):
            self._unknown(what)
            return None
        return found

    def _unknown(self, what: str) -> None:
        self.notes.append(f"There is no such {what}; that filter was left out.")


def number(text: str) -> int | None:
    """A row's id as an address may hold it; None for anything else, and for what no database column can hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0 else None


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page begins: behind, or when `backwards` before, the row with this sort value and id.

    `bucket` is the value the rows are gathered by when the list is sorted by one of few values (a status, a manager).
    """

    value: str
    id: int
    bucket: str = ""
    backwards: bool = False

    def text(self, sort: Sort) -> str:
        front = f"{self.bucket}~" if sort not in (Sort.NAME, Sort.CHANGED) else ""
        return f"{front}{self.value}~{self.id}"

    @property
    def moment(self) -> datetime:
        """Raises ValueError when the value is none."""
        found = datetime.fromisoformat(self.value)
        try:
            return found.astimezone(UTC) if found.tzinfo else found
        except OverflowError as problem:
            raise ValueError("no moment a calendar holds") from problem


def key_from(args: Mapping[str, str], sort: Sort) -> tuple[Key | None, list[str]]:
    """The key an address holds in `after` or `before`. One that cannot be read means the first page, with a note."""
    for name in ("after", "before"):
        if held := args.get(name):
            found = _read_key(held, sort, backwards=name == "before")
            return found, [] if found else ["That page could not be found. This is the first one."]
    return None, []


def _read_key(held: str, sort: Sort, *, backwards: bool) -> Key | None:
    bucket, rest = "", held
    if sort not in (Sort.NAME, Sort.CHANGED):
        bucket, _, rest = held.partition("~")
    value, _, row = rest.rpartition("~")
    row_id = number(row)
    if row_id is None or len(held) > 600 or "\x00" in held:
        return None
    key = Key(value, row_id, bucket, backwards)
    try:
        value.encode()
        return key if sort is not Sort.CHANGED or key.moment.tzinfo is not None else None
    except ValueError:  # no text a database takes, or no moment
        return None
