"""A plan and what it is made from. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from portal.domain.planning.values import is_blank
from portal.domain.records import ContactRecord

LEFT_OUT = "left out of a preview"


class Action(StrEnum):
    KEEP = "keep"
    PULL = "pull"
    PUSH = "push"
    CONFLICT_HERE = "conflict_here"  # both changed; ours goes there
    CONFLICT_THERE = "conflict_there"  # both changed; theirs comes here
    LATER = "later"  # ours goes there with the next sync; the first import is one way
    HOLD = "hold"  # it would travel, but something stands in the way

    @property
    def takes_theirs(self) -> bool:
        return self in (Action.PULL, Action.CONFLICT_THERE)

    @property
    def sends_ours(self) -> bool:
        return self in (Action.PUSH, Action.CONFLICT_HERE)


@dataclass(frozen=True, slots=True)
class Times:
    """When each side changed, as far as anyone can know.

    `there` is the vendor's stamp, None where it gives none; then the change fell between `there_after` (when we last
    saw the old value; None: unknown) and `there_before` (when we saw the new one). `later_there` is the answer of a
    look-up, when one was made: True if the record was changed there after our change.
    """

    there: datetime | None = None
    there_after: datetime | None = None
    there_before: datetime | None = None
    later_there: bool | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How a connection is set: which way, how much, and whether this is the one-way first import (XPM-1, XP-20).

    `writes` is False where the app cannot change a record that exists; then no word of anybody sends anything.
    """

    app: str
    direction: str = "both"
    level: str = "everything"
    is_first: bool = False
    writes: bool = True

    @property
    def reads_only(self) -> bool:
        return self.direction == "from_app" or not self.writes


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the plan, as shown and as applied."""

    field: str
    label: str
    agreed: Any
    here: Any
    there: Any
    action: Action
    why: str
    contact: str = ""  # whose field, by name; empty for the client's own
    contact_key: str = ""  # the contact's remote id, or "here:<id>"
    uncertain: bool = False  # a conflict whose order nobody can tell without asking the vendor
    knows_agreed: bool = True
    settles: bool = False  # nothing travels: each side keeps its own until one of them changes

    @property
    def key(self) -> str:
        return f"{self.contact_key}.{self.field}" if self.contact_key else self.field

    @property
    def is_conflict(self) -> bool:
        return self.action in (Action.CONFLICT_HERE, Action.CONFLICT_THERE)

    @property
    def is_news(self) -> bool:
        """Whether taking theirs changes a value: it moved since both agreed on it, or it replaces one of ours.

        A value that fills what is empty here while nothing was agreed yet is none: a link or an import found it there.
        """
        return self.action.takes_theirs and (self.knows_agreed or not is_blank(self.here))

    def as_json(self) -> dict[str, Any]:
        return {
            "field": self.field, "label": self.label, "contact": self.contact or None, "key": self.key,
            "agreed": self.agreed if self.knows_agreed else None, "here": self.here, "there": self.there,
            "action": self.action.value, "why": self.why,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ContactHere:
    id: int
    values: Mapping[str, Any]
    changed_at: Mapping[str, datetime | None]


@dataclass(frozen=True, slots=True)
class ContactLinkHere:
    """What we know of one contact there. `contact_id` None: removed here, leave it be."""

    remote_id: str
    contact_id: int | None
    agreed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Side:
    """Our side of one client.

    `holds` names fields that cannot travel, with the reason; `asked` those a person wants sent whatever the settings
    say. `elsewhere` maps fields to the app that keeps them in step with this client already ("contact.email" for those
    of contacts). `is_new`: the two were linked just now and nothing was ever planned for them. `is_chosen`: a person
    said that the two are one, so that other names are meant (CL-33).
    """

    values: Mapping[str, Any]
    changed_at: Mapping[str, datetime | None]
    agreed: Mapping[str, Any]
    contacts: tuple[ContactHere, ...] = ()
    contact_links: tuple[ContactLinkHere, ...] = ()
    holds: Mapping[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    is_new: bool = False
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class ContactPairing:
    """One contact on both sides, or on one."""

    here: ContactHere | None
    there: ContactRecord | None
    is_new_pair: bool = False  # matched now, by name or email

    @property
    def key(self) -> str:
        return self.there.remote_id if self.there else f"here:{self.here.id}"  # type: ignore[union-attr]  # one is set


@dataclass(frozen=True, slots=True)
class Plan:
    """`pairings` holds the contacts that are tied, and of the others those that are to come or to go."""

    rows: tuple[Row, ...]
    pairings: tuple[ContactPairing, ...]
    gone: tuple[str, ...] = ()  # remote ids of contacts no longer on the record

    @property
    def pulls(self) -> list[Row]:
        return [row for row in self.rows if row.action.takes_theirs]

    @property
    def pushes(self) -> list[Row]:
        return [row for row in self.rows if row.action.sends_ours]

    @property
    def conflicts(self) -> list[Row]:
        return [row for row in self.rows if row.is_conflict]

    @property
    def waits(self) -> bool:
        """Whether something is to be sent with the next sync."""
        return any(row.action == Action.LATER for row in self.rows)

    @property
    def holds(self) -> dict[str, str]:
        return {row.key: row.why for row in self.rows if row.action == Action.HOLD}

    @property
    def blanks(self) -> list[Row]:
        """Fields that hold something here and would be emptied."""
        return [row for row in self.pulls if not is_blank(row.here) and is_blank(row.there)]

    @property
    def has_work(self) -> bool:
        return any(row.action not in (Action.KEEP, Action.HOLD, Action.LATER) for row in self.rows) or bool(
            self.gone or any(pair.here is None or pair.there is None or pair.is_new_pair for pair in self.pairings)
        )

    def without(self, keys: set[str]) -> Plan:
        """The plan with these rows left out: nothing travels and nothing is taken as agreed."""
        rows = tuple(
            replace(row, action=Action.HOLD, why=LEFT_OUT) if row.key in keys and row.action != Action.KEEP else row
            for row in self.rows
        )
        return replace(self, rows=rows)

    def pulls_only(self) -> Plan:
        """What can be done without calling the app: the rest waits to be sent."""
        rows = tuple(
            replace(row, action=Action.LATER) if row.action.sends_ours or row.uncertain else row for row in self.rows
        )
        return replace(self, rows=rows)

    @property
    def uncertain(self) -> list[Row]:
        """Conflicts whose order only a look-up at the vendor can tell."""
        return [row for row in self.rows if row.uncertain and row.is_conflict]
