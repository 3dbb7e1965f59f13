"""The decision about each field. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.planning.contacts import pair_contacts, travelling
from portal.domain.planning.plans import Action, Plan, Policy, Row, Side, Times
from portal.domain.planning.values import (
    ANSWERED,
    AT_LINK,
    CONTACTS,
    PULL,
    TWO_WAY,
    contact_values,
    is_blank,
    same,
    values_of,
)
from portal.domain.records import ClientRecord

TRAVELS = (TWO_WAY, PULL, AT_LINK)


def goes_out(field: str, flow: str, policy: Policy, *, of_contact: bool = False) -> bool:
    """Whether a change made here to this field is sent by itself (XP-20)."""
    is_level = policy.level == "everything" or (policy.level == "name" and field == "name" and not of_contact)
    return flow == TWO_WAY and not policy.reads_only and is_level


def plan(
    side: Side, record: ClientRecord, *, fields: Mapping[str, str], contact_fields: Mapping[str, str],
    times: Times, policy: Policy,
) -> Plan:  # fmt: skip
    """The plan for one linked client."""
    theirs = values_of(record)
    rows = [
        _decide(name, CLIENT_FIELDS[name], flow, side.agreed, side.values[name], theirs[name],
                side.changed_at.get(name), times, policy, side.holds.get(name, ""), name in side.asked,
                policy.level == "everything" or (policy.level == "name" and name == "name"),
                side.elsewhere.get(name, ""), side.is_chosen and name == "name")
        for name, flow in fields.items()
        if name in theirs and name in side.values
    ]  # fmt: skip
    pairings, gone = travelling(*pair_contacts(side, record), side, contact_fields.get("name", ""), policy)
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
                          pair.here.changed_at.get(name), times, policy, "",
                          CONTACTS in side.asked or f"{pair.there.remote_id}.{name}" in side.asked,
                          policy.level == "everything", side.elsewhere.get(f"contact.{name}", ""), False)  # fmt: skip
            rows.append(replace(row, contact=str(pair.here.values["name"]), contact_key=pair.there.remote_id))
    return Plan(tuple(rows), pairings, gone)


def _decide(
    name: str, label: str, flow: str, agreed_values: Mapping[str, Any], here: Any, there: Any,
    here_at: datetime | None, times: Times, policy: Policy, hold: str, is_asked: bool, is_level: bool,
    elsewhere: str, is_chosen: bool,
) -> Row:  # fmt: skip
    known = name in agreed_values
    agreed = agreed_values.get(name)
    answered = agreed_values.get(ANSWERED, {})
    row = Row(name, label, agreed, here, there, Action.KEEP, "", knows_agreed=known)
    if same(here, there):
        return replace(row, why="the same on both sides")
    if flow not in TRAVELS:
        return replace(row, why="read at the first import only" if flow == "first import only" else "never synced")
    is_asked = is_asked and flow != PULL and policy.writes
    if not is_level and flow != AT_LINK and not is_asked:
        return replace(row, why="the connection is set not to sync this")
    if hold:
        return replace(row, action=Action.HOLD, why=hold)
    changed_there = not known or not (same(there, agreed) or (name in answered and same(there, answered[name])))
    if is_asked:
        return _asked(row, changed_there, policy)
    if flow == AT_LINK:
        return _when_linked(row, policy)
    if flow == PULL:
        return _app_owned(row, policy)
    if not known:
        return _first_meeting(row, policy, elsewhere, is_chosen)
    return _three_way(row, changed_there, here_at, times, policy)


def _asked(row: Row, changed_there: bool, policy: Policy) -> Row:
    """A person's word: ours goes, and what it replaces is kept unless both had agreed on it (fault row 90)."""
    if changed_there and not is_blank(row.there):
        why = f"a person asked to send ours; {policy.app}'s is kept"
        return replace(row, action=Action.CONFLICT_HERE, why=why)
    return replace(row, action=Action.PUSH, why="a person asked to send it")


def _when_linked(row: Row, policy: Policy) -> Row:
    """Fills what is empty here when the two are linked; from then on each side has its own, whatever the settings."""
    if row.knows_agreed:
        return replace(row, why="travels only when the two are linked")
    if is_blank(row.here):
        return replace(row, action=Action.PULL, why=f"empty here, filled from {policy.app}")
    return replace(row, why=f"each side keeps its own: {policy.app}'s is taken only where we have none", settles=True)


def _app_owned(row: Row, policy: Policy) -> Row:
    if policy.direction == "to_app":
        return replace(row, why=f"the connection only sends to {policy.app}")
    if not row.knows_agreed and is_blank(row.there):
        return replace(row, why=f"{policy.app} has none yet; ours stays until it does")
    return replace(row, action=Action.PULL, why=f"kept in {policy.app}, read-only here")


def _first_meeting(row: Row, policy: Policy, elsewhere: str, is_chosen: bool) -> Row:
    """Linked just now: nothing was ever agreed. The app's word counts, ours fills its gaps; unless we only send.

    What another app keeps in step with this client already is not overturned by a link: the two would differ there
    next. Names that differ where a person linked the two are meant to (CL-33).
    """
    if policy.direction == "to_app" and is_blank(row.here):
        return replace(row, why=f"empty here, and the connection only sends to {policy.app}")
    if is_blank(row.here):
        return replace(row, action=Action.PULL, why=f"empty here, filled from {policy.app}")
    if is_blank(row.there):
        if policy.reads_only:
            return replace(row, why=f"{policy.app} has none, and the connection only reads from it")
        if policy.is_first:
            return replace(row, action=Action.LATER, why=f"{policy.app} has none; ours is sent with the next sync")
        return replace(row, action=Action.PUSH, why=f"{policy.app} has none, ours is sent")
    if is_chosen:
        why = "linked by a person under another name; each side keeps its own until one of them is changed"
        return replace(row, why=why, settles=True)
    if policy.direction == "to_app":
        why = f"the two differed when they were linked; the connection only sends, so {policy.app}'s is kept aside"
        return replace(row, action=Action.CONFLICT_HERE, why=why)
    if elsewhere:
        why = f"ours is in step with {elsewhere} and stays; each side keeps its own until one of them is changed"
        return replace(row, why=why, settles=True)
    why = f"the two differed when they were linked; {policy.app}'s is taken, ours is kept"
    return replace(row, action=Action.CONFLICT_THERE, why=why)


def _three_way(row: Row, changed_there: bool, here_at: datetime | None, times: Times, policy: Policy) -> Row:
    changed_here = not same(row.here, row.agreed)
    if not changed_here and not changed_there:
        return replace(row, why=f"{policy.app} writes it in its own way")
    if changed_here and changed_there:
        return _conflict(row, here_at, times, policy)
    if changed_there:
        if policy.direction == "to_app":
            return replace(row, why=f"changed in {policy.app} only, and the connection only sends")
        return replace(row, action=Action.PULL, why=f"changed in {policy.app}")
    if policy.reads_only:
        return replace(row, why=f"changed here only, and the connection only reads from {policy.app}")
    if policy.is_first:
        return replace(row, action=Action.LATER, why="changed here; sent with the next sync")
    return replace(row, action=Action.PUSH, why="changed here")


def _conflict(row: Row, here_at: datetime | None, times: Times, policy: Policy) -> Row:
    """Both changed. One direction decides by itself; nothing is lost either way: the loser is kept (fault row 90)."""
    if policy.reads_only:
        why = f"changed on both sides; the connection only reads from {policy.app}, so its value is taken"
        return replace(row, action=Action.CONFLICT_THERE, why=why)
    if policy.direction == "to_app":
        why = f"changed on both sides; the connection only sends to {policy.app}, so ours counts"
        return replace(row, action=Action.CONFLICT_HERE, why=why)
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
