"""Asking QuickBooks for invoices and payments: exact amounts, and pages that do not slip.

Positions in a list shift while it is read, so pages go by the time of the last change: whatever changes meanwhile
moves ahead of us, not behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from portal.adapters.base import NotThere, Session, UnexpectedReply
from portal.adapters.quickbooks import queries, reading
from portal.adapters.quickbooks.queries import ONE_PAGE, PAGE, PAGING
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

MOST_PAGES = 2000
STALE_PAGES = 5  # in a row that bring nothing new, where pages overlap
WORDS = {"Invoice": "invoice", "Payment": "payment", "Customer": "customer"}


def one(session: Session, entity: str, remote_id: str) -> Plain:
    """As it stands. Raises `NotThere`, also for what was deleted."""
    answer = Answer(entity, exact=True)
    path = url_of(session.account_id, f"{entity.lower()}/{quote(remote_id, safe='')}")
    try:
        session.get(path, VERSION, check=answer).close()
    except (BadIdentifier, NotThere) as refusal:
        raise NotThere(
            f"{NAME} has no such {WORDS[entity]}.", status=refusal.status, vendor_text=refusal.vendor_text
        ) from refusal
    if not isinstance(answer.found, dict):
        raise UnexpectedReply(f"{NAME} gave a {WORDS[entity]} that cannot be understood.", status=200)
    return answer.found


def some(session: Session, entity: str, where: str, *, order: str = "", start: int = 1) -> list[Any]:
    """One page of those that fit."""
    ordered = (f"ORDERBY {order}",) if order else ()
    return _ask(session, entity, where, *ordered, PAGING.format(start))


def named(session: Session, entity: str, field: str, values: list[str], *, more: str = "") -> list[Any]:
    """Those whose field is one of these, asked for as many at once as fit."""
    found: list[Any] = []
    for start in range(0, len(values), queries.NAMED_AT_ONCE):
        part = ", ".join(queries.quoted(value) for value in values[start : start + queries.NAMED_AT_ONCE])
        found += _ask(session, entity, f"{field} IN ({part}){more}", PAGING.format(1))
    return found


def whole(session: Session, entity: str, where: str) -> Iterator[Any]:
    """All that fit, by position: for short lists that hardly change. Repeated ones come again."""
    for number in range(MOST_PAGES):
        page = some(session, entity, where, order="Id", start=number * PAGE + 1)
        yield from page
        if len(page) < PAGE:
            return
    raise UnexpectedReply(f"{NAME}'s list of entries does not end.", status=200)


def by_change(session: Session, entity: str, where: str, since: datetime | None) -> Iterator[Any]:
    """All that fit and were changed since, oldest change first, each once. It ends when a page brings no more."""
    start, position, stale = since, 1, 0
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        page = _page(session, entity, where, start, position)
        fresh = [raw for raw in page if _state_of(raw) not in seen]
        seen.update(_state_of(raw) for raw in fresh)
        yield from fresh
        if len(page) < PAGE:
            return
        stale = 0 if fresh else stale + 1
        if stale > STALE_PAGES:
            raise UnexpectedReply(f"{NAME} gave the same part of a list again and again.", status=200)
        latest = reading.changed_at(page[-1]) if isinstance(page[-1], dict) else None
        if latest is not None and fresh and (start is None or latest > start):
            start, position = latest, 1
        else:
            position += len(page)
    raise UnexpectedReply(f"{NAME}'s list of changes does not end.", status=200)


def changes(session: Session, entity: str, since: datetime) -> list[Any]:
    """What the vendor says changed, deleted ones as stubs; cut off when it is `MOST_CHANGES` long."""
    answer = Answer("CDCResponse", exact=True)
    # Whether the moment itself is included is not said; stamps are whole seconds.
    params = {"entities": entity, "changedSince": queries.literal(since - timedelta(seconds=1)), **VERSION}
    session.get(url_of(session.account_id, "cdc"), params, patience=ONE_PAGE, check=answer).close()
    found: list[Any] = []
    for part in queries.objects(answer.found):
        if fault := fault_in(part):
            raise error_for(fault, 200)
        for entry in queries.objects(part.get("QueryResponse")):
            found += queries.rows(entry, entity)
    return found


def _page(session: Session, entity: str, where: str, start: datetime | None, position: int) -> list[Any]:
    parts = [where] if where else []
    if start is not None:
        parts.append(f"MetaData.LastUpdatedTime >= '{queries.literal(start)}'")
    order = "ORDERBY MetaData.LastUpdatedTime"
    return _ask(session, entity, " AND ".join(parts), order, PAGING.format(position))


def _ask(session: Session, entity: str, where: str, *rest: str) -> list[Any]:
    answer = Answer("QueryResponse", exact=True)
    condition = ("WHERE", where) if where else ()
    statement = " ".join(("SELECT", "*", "FROM", entity, *condition, *rest))
    params = {"query": statement, **VERSION}
    session.get(url_of(session.account_id, "query"), params, patience=ONE_PAGE, check=answer).close()
    return queries.rows(answer.found if isinstance(answer.found, dict) else {}, entity)


def _state_of(raw: Any) -> str:
    """One state of one entry: what changed while we read comes again, as it is now."""
    token = raw.get("SyncToken") if isinstance(raw, dict) else ""
    return f"{reading.key_of(raw)} {token}"
