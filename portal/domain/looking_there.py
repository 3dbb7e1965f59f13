"""Before a client is created in an app: is it there already, perhaps under nearly this name? PURE.

The matching rules M2 to M8 seen from the other side: which of the app's records is this client here. Names that differ
only in capitals or spacing are never a second record (QBO-5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from portal.domain.records import ClientRecord, RecordState
from portal.domain.text import difference, near_key


class Answer(StrEnum):
    CREATE = "create"
    LINK = "link"  # M3: one free current record has exactly this name
    TAKEN = "taken"  # the record of this name is another client
    NEAR_MATCH = "near_match"  # M6
    AMBIGUOUS = "ambiguous"  # M7, M8
    SET_ASIDE = "set_aside"  # a person has said that this record stays out
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class There:
    """A record of the app that may be meant. `holder` is the client here linked to it, by name; empty: nobody.

    `is_apart`: a person has told it and this client apart, so it is not asked about again.
    """

    record: ClientRecord
    holder: str = ""
    is_set_aside: bool = False
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, the records it is about, and why in words."""

    answer: Answer
    reason: str
    records: tuple[ClientRecord, ...] = ()


def judge(name: str, found: Sequence[There], twins: int, app: str) -> Verdict:
    """`found` is what the app and our own list of it say; `twins` are other free clients here of exactly this name."""
    current = [one for one in found if one.record.state == RecordState.ACTIVE and not one.is_apart]
    exact = [one for one in current if one.record.name == name]
    free = _records(one for one in exact if not one.holder and not one.is_set_aside)
    if len(free) > 1:
        return Verdict(Answer.AMBIGUOUS, f"{len(free)} records in {app} have exactly this name", free)
    if free and twins:
        return Verdict(Answer.AMBIGUOUS, f"{twins + 1} clients here have exactly this name", free)
    if free:
        return Verdict(Answer.LINK, "exactly the same name", free)
    taken = next((one for one in exact if one.holder), None)
    if taken is not None:
        return _taken(name, taken, app)
    if exact:
        why = f"the record of this name in {app} was set aside by a person; link it, or give this client another name"
        return Verdict(Answer.SET_ASIDE, why, _records(exact))
    nobody = Verdict(Answer.CREATE, "nobody there is like it")
    return _nearly(name, current, app) or _archived(name, found, app) or nobody


def _nearly(name: str, current: list[There], app: str) -> Verdict | None:
    near = [one for one in current if near_key(one.record.name) == near_key(name)] if near_key(name) else []
    free = _records(one for one in near if not one.holder and not one.is_set_aside)
    if len(free) == 1:
        return Verdict(Answer.NEAR_MATCH, f"the names differ only in {difference(name, free[0].name)}", free)
    if free:
        return Verdict(Answer.NEAR_MATCH, f"{len(free)} records in {app} have nearly this name", free)
    for one in near:
        if one.holder and difference(name, one.record.name) in ("capital letters", "spacing"):
            return _taken(name, one, app)
    return None


def _archived(name: str, found: Sequence[There], app: str) -> Verdict | None:
    old = _records(one for one in found if one.record.state == RecordState.ARCHIVED and one.record.name == name)
    if not old:
        return None
    way_out = "make it active again there, or give this client another name"
    return Verdict(Answer.ARCHIVED, f"{app} has a record of this name that is archived: {way_out}", old)


def _taken(name: str, one: There, app: str) -> Verdict:
    spelled = "" if one.record.name == name else f", {one.record.name},"
    why = f"the record of this name in {app}{spelled} is linked to {one.holder} here"
    return Verdict(Answer.TAKEN, why, (one.record,))


def _records(found: Iterable[There]) -> tuple[ClientRecord, ...]:
    return tuple(one.record for one in found)
