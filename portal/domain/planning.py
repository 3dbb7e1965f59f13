"""What is to happen to each field of one client and its record: take theirs, send ours, or nothing. PURE.

Three values decide: what both sides last agreed on, what stands here, what stands there. A change on one side travels
to the other; a change on both is a conflict, which the later change wins and of which the loser is kept (XPM-14).
Values are as JSON keeps them: text, bool or None, an address as its five parts, a person as {"id", "name"}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.records import ClientRecord, ContactRecord

TWO_WAY, PULL = "two-way", "pull"
LEFT_OUT = "left out of a preview"


class Action(StrEnum):
    KEEP = "keep"
    PULL = "pull"
    PUSH = "push"
    CONFLICT_HERE = "conflict_here"  # both changed; ours is later and goes there
    CONFLICT_THERE = "conflict_there"  # both changed; theirs is later and comes here
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
    """How a connection is set: which way, how much, and whether this is the one-way first import (XPM-1, XP-20)."""

    app: str
    direction: str = "both"
    level: str = "everything"
    is_first: bool = False


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

    @property
    def key(self) -> str:
        return f"{self.contact_key}.{self.field}" if self.contact_key else self.field

    @property
    def is_conflict(self) -> bool:
        return self.action in (Action.CONFLICT_HERE, Action.CONFLICT_THERE)

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
    """Our side of one client. `holds` names fields that cannot travel, with the reason."""

    values: Mapping[str, Any]
    changed_at: Mapping[str, datetime | None]
    agreed: Mapping[str, Any]
    contacts: tuple[ContactHere, ...] = ()
    contact_links: tuple[ContactLinkHere, ...] = ()
    holds: Mapping[str, str] = field(default_factory=dict)


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


def is_blank(value: Any) -> bool:
    return value in (None, "", []) or (isinstance(value, list) and not any(value))


def values_of(record: ClientRecord) -> dict[str, Any]:
    """A record's fields in the form plans compare. Groups only when the record speaks of them."""
    values: dict[str, Any] = {
        "name": record.name,
        "address": record.address.parts(),
        "postal_address": record.postal_address.parts(),
        "phone": record.phone,
        "fax": record.fax,
        "website": record.website,
        "tax_registered": record.tax_registered,
        "structure": record.structure,
        "partner": {"id": record.partner.remote_id, "name": record.partner.name} if record.partner else None,
        "manager": {"id": record.manager.remote_id, "name": record.manager.name} if record.manager else None,
    }
    if record.groups is not None:
        values["groups"] = sorted(group.name for group in record.groups)
    return values


CONTACT_VALUES = ("name", "email", "phone", "mobile", "salutation", "addressee")


def contact_values(contact: ContactRecord) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in CONTACT_VALUES}


def agreed_of(record: ClientRecord, flows: Mapping[str, str]) -> dict[str, Any]:
    """What counts as agreed when everything of a record has just been taken over."""
    values = values_of(record)
    return {name: values[name] for name, flow in flows.items() if flow in (TWO_WAY, PULL) and name in values}


def plan(
    side: Side, record: ClientRecord, *, fields: Mapping[str, str], contact_fields: Mapping[str, str],
    times: Times, policy: Policy,
) -> Plan:  # fmt: skip
    """The plan for one linked client."""
    theirs = values_of(record)
    rows = [
        _decide(name, CLIENT_FIELDS[name], flow, side.agreed, side.values[name], theirs[name],
                side.changed_at.get(name), times, policy, side.holds.get(name, ""))
        for name, flow in fields.items()
        if name in theirs and name in side.values
    ]  # fmt: skip
    pairings, gone = pair_contacts(side, record)
    if policy.level != "everything":
        return Plan(tuple(_leveled(row, policy) for row in rows), ())
    agreed_by_contact = {link.remote_id: link.agreed for link in side.contact_links}
    for pair in pairings:
        if pair.here is None or pair.there is None:
            continue
        agreed = {} if pair.is_new_pair else agreed_by_contact.get(pair.there.remote_id, {})
        values = contact_values(pair.there)
        for name, flow in contact_fields.items():
            if name not in values:
                continue
            row = _decide(name, CONTACT_FIELDS[name], flow, agreed, pair.here.values[name], values[name],
                          pair.here.changed_at.get(name), times, policy, "")  # fmt: skip
            rows.append(replace(row, contact=str(pair.here.values["name"]), contact_key=pair.there.remote_id))
    return Plan(tuple(rows), pairings, gone)


def _leveled(row: Row, policy: Policy) -> Row:
    if policy.level == "name" and row.field == "name":
        return row
    return replace(row, action=Action.KEEP, why="the connection is set not to sync this") if row.action else row


def _decide(
    name: str, label: str, flow: str, agreed_values: Mapping[str, Any], here: Any, there: Any,
    here_at: datetime | None, times: Times, policy: Policy, hold: str,
) -> Row:  # fmt: skip
    known = name in agreed_values
    agreed = agreed_values.get(name)
    row = Row(name, label, agreed, here, there, Action.KEEP, "", knows_agreed=known)
    if _same(here, there):
        return replace(row, why="the same on both sides")
    if flow not in (TWO_WAY, PULL):
        return replace(row, why="read at the first import only" if flow == "first import only" else "never synced")
    if hold:
        return replace(row, action=Action.HOLD, why=hold)
    if policy.direction == "to_app" and flow == PULL:
        return replace(row, why=f"the connection only sends to {policy.app}")
    if flow == PULL:
        return replace(row, action=Action.PULL, why=f"kept in {policy.app}, read-only here")
    if not known:
        return _first_meeting(row, policy)
    return _three_way(row, here_at, times, policy)


def _first_meeting(row: Row, policy: Policy) -> Row:
    """Linked just now: nothing was ever agreed. The app's word counts, ours fills its gaps."""
    if policy.direction == "to_app":
        return replace(row, action=Action.PUSH, why="ours counts: the connection only sends")
    if is_blank(row.here):
        return replace(row, action=Action.PULL, why=f"empty here, filled from {policy.app}")
    if is_blank(row.there):
        if policy.direction == "from_app":
            return replace(row, why=f"{policy.app} has none, and the connection only reads from it")
        if policy.is_first:
            return replace(row, action=Action.LATER, why=f"{policy.app} has none; ours is sent with the next sync")
        return replace(row, action=Action.PUSH, why=f"{policy.app} has none, ours is sent")
    why = f"the two differed when they were linked; {policy.app}'s is taken, ours is kept"
    return replace(row, action=Action.CONFLICT_THERE, why=why)


def _three_way(row: Row, here_at: datetime | None, times: Times, policy: Policy) -> Row:
    changed_here = not _same(row.here, row.agreed)
    changed_there = not _same(row.there, row.agreed)
    if policy.direction == "from_app":
        if changed_there:
            return replace(row, action=Action.PULL, why=f"changed in {policy.app}")
        return replace(row, why=f"changed here only, and the connection only reads from {policy.app}")
    if policy.direction == "to_app":
        if changed_here:
            return replace(row, action=Action.PUSH, why="changed here")
        return replace(row, why=f"changed in {policy.app} only, and the connection only sends")
    if changed_there and not changed_here:
        return replace(row, action=Action.PULL, why=f"changed in {policy.app}")
    if changed_here and not changed_there:
        if policy.is_first:
            return replace(row, action=Action.LATER, why="changed here; sent with the next sync")
        return replace(row, action=Action.PUSH, why="changed here")
    return _conflict(row, here_at, times, policy)


def _conflict(row: Row, here_at: datetime | None, times: Times, policy: Policy) -> Row:
    later_there = times.later_there
    why = f"changed on both sides; {policy.app} confirms a later change there" if later_there else ""
    if later_there is False:
        why = "changed on both sides; ours is later"
    if later_there is None and times.there is not None:
        later_there = here_at is None or times.there >= here_at
        why = f"changed on both sides; {'theirs' if later_there else 'ours'} is later"
    if later_there is None and here_at is None:
        later_there, why = True, f"changed on both sides; when ours changed is not known, so {policy.app}'s is taken"
    if later_there is None and times.there_after is not None and here_at is not None and here_at <= times.there_after:
        later_there, why = True, "changed on both sides; theirs is later"
    if later_there is None and times.there_before is not None and here_at is not None and here_at > times.there_before:
        later_there, why = False, "changed on both sides; ours is later"
    if later_there is None:
        why = f"changed on both sides; {policy.app} gives no time, so its value counts and ours is kept"
        return replace(row, action=Action.CONFLICT_THERE, why=why, uncertain=True)
    return replace(row, action=Action.CONFLICT_THERE if later_there else Action.CONFLICT_HERE, why=why)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) or isinstance(other, dict):
        return (one or {}).get("id") == (other or {}).get("id")
    if is_blank(one) and is_blank(other) and not isinstance(one, bool) and not isinstance(other, bool):
        return True
    return bool(one == other)


def pair_contacts(side: Side, record: ClientRecord) -> tuple[tuple[ContactPairing, ...], tuple[str, ...]]:
    """Which contact is which: by link, else by exact name, else by email. Also the linked ones that are gone there."""
    here_by_id = {contact.id: contact for contact in side.contacts}
    link_by_remote = {link.remote_id: link for link in side.contact_links}
    linked_here = {link.contact_id for link in side.contact_links if link.contact_id is not None}
    free = [contact for contact in side.contacts if contact.id not in linked_here]
    pairings: list[ContactPairing] = []
    for there in record.contacts:
        link = link_by_remote.get(there.remote_id)
        if link is not None:
            if link.contact_id is not None and link.contact_id in here_by_id:
                pairings.append(ContactPairing(here_by_id[link.contact_id], there))
            continue  # removed here: left alone there, not brought back
        found = next((one for one in free if one.values["name"] == there.name), None)
        if found is None and there.email:
            found = next((one for one in free if str(one.values["email"]).lower() == there.email.lower()), None)
        if found is not None:
            free.remove(found)
        pairings.append(ContactPairing(found, there, is_new_pair=found is not None))
    pairings += [ContactPairing(contact, None) for contact in free]
    present = {contact.remote_id for contact in record.contacts}
    gone = tuple(link.remote_id for link in side.contact_links if link.remote_id not in present)
    return tuple(pairings), gone
