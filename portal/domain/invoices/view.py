"""What the list of invoices can be narrowed to and sorted by, and how that reads in an address.

Everything in an address comes from outside: what means nothing is left out with a plain note, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from portal.domain.client_search import Terms, terms
from portal.domain.invoices.models import Source
from portal.domain.text import BadText, clean_line

T = TypeVar("T")
LONGEST_SEARCH = 200
STANDING_WORDS = {
    "": "All", "open": "Awaiting payment", "overdue": "Overdue", "part_paid": "Part paid", "paid": "Paid",
    "voided": "Voided",
}  # fmt: skip
DEPLOYMENT_WORDS = {
    "created": "Created", "waiting": "Waiting", "failed": "Failed", "needs_check": "Needs check", "off": "Off",
}  # fmt: skip
SOURCE_WORDS = {Source.PORTAL.value: "Portal", Source.LEDGER.value: "Ledger"}


class Sort(StrEnum):
    ISSUED = "issued"
    DUE = "due"
    NUMBER = "number"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Filters:
    """None, or an empty text, asks for nothing. `since` and `until` are days of issue, both included.

    `with_voided`: voided ones stand among the others; only admins may ask for them (IN-04), which the screen sees to.
    """

    words: str = ""
    standing: str = ""
    deployment: str = ""
    source: str = ""
    client: int | None = None
    app: int | None = None  # a connection's id
    since: date | None = None
    until: date | None = None
    with_voided: bool = False
    sort: Sort = Sort.ISSUED
    descending: bool = True

    @property
    def terms(self) -> Terms:
        return terms(self.words)

    @property
    def is_narrowed(self) -> bool:
        return any(getattr(self, name) not in ("", None) for name in NARROWING)

    def query(self, **changes: Any) -> str:
        """The address of this view, with changes, from the question mark on."""
        view = replace(self, **{key: value for key, value in changes.items() if key in _NAMES})
        pairs = view.pairs() + [(key, value) for key, value in changes.items() if key not in _NAMES and value]
        return "?" + urlencode(pairs) if pairs else "?"

    def pairs(self) -> list[tuple[str, str]]:
        """As parameters of an address or hidden fields of a form."""
        found = [("q", self.words), ("standing", self.standing), ("deployment", self.deployment)]
        found += [("source", self.source), ("client", str(self.client or "")), ("app", str(self.app or ""))]
        found += [("since", self.since.isoformat() if self.since else "")]
        found += [("until", self.until.isoformat() if self.until else "")]
        found += [("voided", "yes" if self.with_voided else "")]
        if self.sort is not Sort.ISSUED or not self.descending:
            found.append(("sort", ("-" if self.descending else "") + self.sort.value))
        return [(key, value) for key, value in found if value]


_NAMES = frozenset(field.name for field in fields(Filters))
NARROWING = ("words", "standing", "deployment", "source", "client", "app", "since", "until")


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page begins: behind, or when `backwards` before, the invoice with this sort value and id."""

    value: date | Decimal | str
    id: int
    backwards: bool = False

    def text(self) -> str:
        return f"{self.value}~{self.id}"


_READERS: dict[Sort, Callable[[str], date | Decimal | str]] = {
    Sort.ISSUED: date.fromisoformat, Sort.DUE: date.fromisoformat, Sort.NUMBER: str, Sort.AMOUNT: Decimal,
}  # fmt: skip


def filters_from(args: Mapping[str, str]) -> tuple[Filters, list[str]]:
    """The view an address asks for, and a sentence for everything in it that means nothing."""
    reader = _Reader(args)
    sort, descending = reader.sort()
    found = Filters(
        words=reader.words(), standing=reader.one_of("standing", STANDING_WORDS),
        deployment=reader.one_of("deployment", DEPLOYMENT_WORDS), source=reader.one_of("source", SOURCE_WORDS),
        client=reader.id("client"), app=reader.id("app"), since=reader.day("since"), until=reader.day("until"),
        with_voided=args.get("voided") == "yes", sort=sort, descending=descending,
    )  # fmt: skip
    return found, reader.notes


def key_from(args: Mapping[str, str], sort: Sort) -> tuple[Key | None, list[str]]:
    """The key an address holds in `after` or `before`; one that cannot be read means the first page, with a note."""
    for name in ("after", "before"):
        if held := args.get(name):
            found = _read_key(held, sort, backwards=name == "before")
            return found, [] if found else ["That page could not be found. This is the first one."]
    return None, []


def _read_key(held: str, sort: Sort, *, backwards: bool) -> Key | None:
    value, _, row = held.rpartition("~")
    row_id = _number(row)
    if row_id is None or len(held) > 300 or "\x00" in held:
        return None
    try:
        value.encode()
        found = _READERS[sort](value)
    except (ValueError, InvalidOperation):
        return None
    if isinstance(found, Decimal) and (not found.is_finite() or abs(found) >= 10**13 or found != round(found, 4)):
        return None
    return Key(found, row_id, backwards)


class _Reader:
    def __init__(self, args: Mapping[str, str]) -> None:
        self.args = args
        self.notes: list[str] = []

    def words(self) -> str:
        try:
            found = clean_line(self.args.get("q", ""))
        except BadText:
            self.notes.append("The search holds half a character, which no invoice has; all of them are shown.")
            return ""
        if len(found) > LONGEST_SEARCH:
            self.notes.append(f"Only the first {LONGEST_SEARCH} characters were searched for.")
        return found[:LONGEST_SEARCH].rstrip()

    def one_of(self, key: str, allowed: Mapping[str, str]) -> str:
        value = self.args.get(key, "")
        if not value or value in allowed:
            return value
        return self._unknown(key, "")

    def id(self, key: str) -> int | None:
        value = self.args.get(key, "")
        found = _number(value)
        return self._unknown(key, None) if value and found is None else found

    def day(self, key: str) -> date | None:
        value = self.args.get(key, "")
        try:
            return date.fromisoformat(value) if value else None
        except ValueError:
            self.notes.append(f"“{value[:40]}” is not a day; that filter was left out.")
            return None

    def sort(self) -> tuple[Sort, bool]:
        value = self.args.get("sort", "")
        word = value.removeprefix("-")
        if not value:
            return Sort.ISSUED, True
        if word not in list(Sort):
            self.notes.append("The list cannot be sorted by that; the newest invoices come first.")
            return Sort.ISSUED, True
        return Sort(word), value.startswith("-")

    def _unknown(self, what: str, instead: T) -> T:
        self.notes.append(f"There is no such {what}; that filter was left out.")
        return instead


def _number(text: str) -> int | None:
    """A row's id as an address may hold it; None for anything else, and for what no database column can hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0 else None
