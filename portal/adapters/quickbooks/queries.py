"""Asking QuickBooks for customers: all of them, those that changed, those of a name.

Queries page by position, and positions shift when a customer is merged away or added while we read. So what was given
once is not given again, the count decides whether a list was whole, and one that was not is read once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from portal.adapters.base import NotThere, Rejected, Session, UnexpectedReply
from portal.adapters.http import Patience
from portal.adapters.quickbooks import reading
from portal.adapters.quickbooks.replies import (
    NAME,
    VERSION,
    Answer,
    BadIdentifier,
    Plain,
    error_for,
    fault_in,
    url_of,
)
from portal.adapters.values import NotUnderstood
from portal.domain.records import ClientRecord, Quarantined
from portal.domain.text import BadText

PAGE = 1000  # the most the vendor gives in one answer
MOST_CHANGES = 1000  # an answer to "what changed" that is this long may have been cut off
PAGING = f"STARTPOSITION {{}} MAXRESULTS {PAGE}"
NAMED_AT_ONCE = 100  # identifiers in one question, which has to fit into an address
LOOKS = 3  # at a list that changes while it is read
STALE_PAGES = 5  # in a row that bring nothing new, where pages overlap
# The vendor cuts calls off after 120 seconds. A thousand customers are about 2 MB, ten times that with long notes.
ONE_PAGE = Patience(read=125, total=300, largest=128 * 1024 * 1024)
ANY_STATE = "Active IN (true, false)"  # without it the vendor leaves out the inactive ones and does not say so
HOLDERS = (("Employee", "an employee"), ("Vendor", "a supplier"))

Records = Iterator[ClientRecord | Quarantined]


def all_customers(session: Session) -> Records:
    """Every customer once, in any state. Raises `UnexpectedReply` when no whole list can be had."""
    given: set[str] = set()
    before: set[str] | None = None
    for _ in range(LOOKS):
        look = _Look(session)
        for raw in look.rows():
            key = reading.key_of(raw)
            if key not in given:
                given.add(key)
                yield reading.customer_or_quarantine(raw)
        # Twice the same list, and the count says otherwise: then it is the count that is wrong.
        if look.is_whole or look.seen == before:
            return
        before = look.seen
    raise UnexpectedReply(f"{NAME}'s list of customers kept changing while it was read.", status=200)


def changed_customers(session: Session, since: datetime) -> Records:
    """Those changed since, in one call; by queries where that call may have left some out."""
    changed = _change_capture(session, since)
    stubs = [raw for raw in changed if reading.is_deleted(raw)]
    is_cut = len(changed) >= MOST_CHANGES
    given: set[str] = set()
    for raw in [] if is_cut else changed:
        if not reading.is_deleted(raw) and reading.key_of(raw) not in given:
            given.add(reading.key_of(raw))
            yield reading.customer_or_quarantine(raw)
    for raw in _looked_up(session, stubs):
        if reading.key_of(raw) not in given:
            given.add(reading.key_of(raw))
            yield reading.customer_or_quarantine(raw)
    if is_cut:
        yield from _by_time(session, since, given)


def named_customers(session: Session, name: str) -> list[ClientRecord]:
    """Those called so, the inactive ones of that name included; the vendor does not look at capitals."""
    try:
        return [reading.customer(raw) for raw in rows(_ask(session, _select("*", "Customer", _called(name))))]
    except (NotUnderstood, BadText) as error:
        raise _not_understood(error) from error


def one_customer(session: Session, remote_id: str) -> ClientRecord:
    """Raises `NotThere`, which the vendor tells with 400; an identifier it cannot be is nobody's."""
    answer = Answer("Customer")
    path = url_of(session.account_id, f"customer/{quote(remote_id, safe='')}")
    try:
        session.get(path, VERSION, check=answer).close()
        return reading.customer(answer.found)
    except BadIdentifier as refusal:
        raise NotThere(f"{NAME} has no such customer.", status=refusal.status) from refusal
    except (NotUnderstood, BadText) as error:
        raise _not_understood(error) from error


def holder_of(session: Session, name: str) -> str:
    """Who else there has this name: 'an employee', 'a supplier', or '' for nobody we can find."""
    for entity, words in HOLDERS:
        try:
            if rows(_ask(session, _select("*", entity, _called(name))), entity):
                return words
        except Rejected:
            continue  # not every company has employees, or shows them to whoever connected it
    return ""


@dataclass
class _Look:
    """One walk through the list from its beginning."""

    session: Session
    seen: set[str] = field(default_factory=set)
    is_whole: bool = False
    _late: int = 0  # added after the count was taken, hence not in it

    def rows(self) -> Iterator[Any]:
        count, counted_at = _count(self.session, ANY_STATE)
        position, size = 1, 0
        for _ in range(_page_cap(count)):
            there = len(self.seen) - self._late
            # More than the count speaks of: then it means nothing, and only a short page is an end.
            if there == count or (there > count and size < PAGE):
                self.is_whole = True
                return
            page = _page(self.session, ANY_STATE, "Id", position)
            if not page:
                self.is_whole = there >= count
                return
            fresh = [raw for raw in page if reading.key_of(raw) not in self.seen]
            if not fresh:
                raise UnexpectedReply(f"{NAME} gave the same part of its list of customers twice.", status=200)
            self._note(fresh, counted_at)
            yield from fresh
            size = len(page)
            position += size
        raise UnexpectedReply(f"{NAME}'s list of customers does not end.", status=200)

    def _note(self, fresh: list[Any], counted_at: datetime | None) -> None:
        self.seen.update(reading.key_of(raw) for raw in fresh)
        if counted_at is not None:
            made = [reading.created_at(raw) for raw in fresh]
            # Stamps are whole seconds: one of the very second may have come after the count, and is better counted so.
            self._late += sum(1 for moment in made if moment is not None and moment >= counted_at)


def _by_time(session: Session, since: datetime, given: set[str]) -> Records:
    """By the time of the last change, oldest first: whatever changes while we read moves ahead of us, not behind.

    Each page begins where the last one's times end, so pages overlap by what shares that second.
    """
    start, position, stale = since, 1, 0
    count, _ = _count(session, _changed_since(start))
    seen: set[str] = set()
    for _ in range(_page_cap(count)):
        if len(seen) >= count:
            return
        page = _page(session, _changed_since(start), "MetaData.LastUpdatedTime", position)
        if not page:
            return
        fresh = [raw for raw in page if reading.key_of(raw) not in seen]
        seen.update(reading.key_of(raw) for raw in fresh)
        for raw in fresh:
            if reading.key_of(raw) not in given:
                yield reading.customer_or_quarantine(raw)
        stale = 0 if fresh else stale + 1
        if stale > STALE_PAGES:
            raise UnexpectedReply(f"{NAME} gave the same changed customers again and again.", status=200)
        latest = reading.changed_at(page[-1]) if isinstance(page[-1], dict) else None
        if latest is not None and latest > start and fresh:
            start, position = latest, 1
        else:
            position += len(page)
    raise UnexpectedReply(f"{NAME}'s list of changed customers does not end.", status=200)


def _change_capture(session: Session, since: datetime) -> list[Any]:
    answer = Answer("CDCResponse")
    # Whether the moment itself is included is not said; stamps are whole seconds.
    params = {"entities": "Customer", "changedSince": literal(since - timedelta(seconds=1)), **VERSION}
    session.get(url_of(session.account_id, "cdc"), params, patience=ONE_PAGE, check=answer).close()
    found: list[Any] = []
    for part in objects(answer.found):
        if fault := fault_in(part):
            raise error_for(fault, 200)
        for entry in objects(part.get("QueryResponse")):
            found += rows(entry)
    return found


def _looked_up(session: Session, stubs: list[Any]) -> Iterator[Any]:
    """What stands behind "Deleted": perhaps a customer that was only made inactive, which is still there to be read."""
    for start in range(0, len(stubs), NAMED_AT_ONCE):
        part = stubs[start : start + NAMED_AT_ONCE]
        names = ", ".join(quoted(str(raw.get("Id") or "")) for raw in part)
        found = _ask(session, _select("*", "Customer", f"Id IN ({names}) AND {ANY_STATE}", PAGING.format(1)))
        there = {reading.key_of(raw): raw for raw in rows(found)}
        yield from (there.get(reading.key_of(raw), raw) for raw in part)


def _count(session: Session, where: str) -> tuple[int, datetime | None]:
    """How many there are, and when by the vendor's clock, to the second as its stamps are; None where it is silent."""
    answer = Answer("QueryResponse")
    _query(session, _select("COUNT(*)", "Customer", where), answer)
    total = answer.found.get("totalCount") if isinstance(answer.found, dict) else None
    if isinstance(total, bool) or not str(total).isdecimal():
        raise UnexpectedReply(f"{NAME} did not say how many customers there are.", status=200)
    moment = reading.stamp(answer.body.get("time"))
    return int(str(total)), moment and moment.replace(microsecond=0)


def _page(session: Session, where: str, order: str, position: int) -> list[Any]:
    paging = PAGING.format(position)
    return rows(_ask(session, _select("*", "Customer", where, f"ORDERBY {order}", paging)))


def _ask(session: Session, statement: str) -> Plain:
    answer = Answer("QueryResponse")
    _query(session, statement, answer)
    return answer.found if isinstance(answer.found, dict) else {}


def _query(session: Session, statement: str, answer: Answer) -> None:
    params = {"query": statement, **VERSION}
    session.get(url_of(session.account_id, "query"), params, patience=ONE_PAGE, check=answer).close()


def rows(found: Plain, entity: str = "Customer") -> list[Any]:
    """The entries; none is told by leaving the list out. Raises `UnexpectedReply` for what is no list."""
    rows = found.get(entity) or []
    if not isinstance(rows, list):
        raise UnexpectedReply(f"{NAME} gave a list that is none.", status=200, vendor_text=str(rows)[:300])
    return rows


def _not_understood(error: Exception) -> UnexpectedReply:
    return UnexpectedReply(f"{NAME} gave a customer that cannot be understood: {error}", status=200)


def objects(value: object) -> list[Plain]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _changed_since(moment: datetime) -> str:
    return f"MetaData.LastUpdatedTime >= '{literal(moment)}' AND {ANY_STATE}"


def literal(moment: datetime) -> str:
    """With its zone, which the vendor would otherwise guess; whole seconds, rounded down, as its stamps are."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _select(what: str, entity: str, where: str, *paging: str) -> str:
    return " ".join(("SELECT", what, "FROM", entity, "WHERE", where, *paging))


def _called(name: str) -> str:
    """The name as it is, with single spaces, and as the vendor marks inactive ones."""
    plain = " ".join(name.split())
    names = dict.fromkeys((name.strip(), plain, name.strip() + reading.MARK, plain + reading.MARK))
    return f"DisplayName IN ({', '.join(quoted(one) for one in names)}) AND {ANY_STATE}"


def quoted(text: str) -> str:
    """A text inside a query; a backslash takes the meaning from what follows it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _page_cap(count: int) -> int:
    """Pages may come short; a list that never ends does not take us along."""
    return 20 + count // 50
