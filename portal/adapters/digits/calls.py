"""Writing to Digits and asking it by POST: what an answer is believed to say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from portal.adapters.base import Session, Unavailable, UnexpectedReply, Unknown
from portal.adapters.digits import wire
from portal.adapters.digits.wire import NAME

JSON = "application/json"
MOST_PAGES = 10_000
TRIES = 2  # of a question, whose answer may be lost without harm


def write(session: Session, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
    """The answer as far as it is an object: what most of them hold is not documented. Raises `Rejected`.

    Raises `Unknown` for an answer that is no JSON: nobody can say what it means.
    """
    data = json.dumps(body, ensure_ascii=False).encode()
    found: Any = {}
    with session.write("POST", path, data, JSON) as reply:
        try:
            found = reply.json(exact=True)
        except UnexpectedReply as error:
            if reply.size:
                raise Unknown(
                    f"{NAME} gave an answer that cannot be understood; it may or may not have done it.",
                    status=reply.status, vendor_text=error.vendor_text,
                ) from error  # fmt: skip
        wire.refuse_error_inside(found, reply)
    return found if isinstance(found, dict) else {}


def rows(answer: Mapping[str, Any], many: str) -> list[dict[str, Any]]:
    """What an answer tells of the objects that were sent."""
    listed = answer.get(many)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def query(session: Session, filters: Mapping[str, object]) -> Iterator[Any]:
    """Entries of the ledger as they come. It may raise after some were given; nothing is changed by asking."""
    cursor = ""
    for _page in range(MOST_PAGES):
        page = _ask(session, {"filters": dict(filters), "limit": wire.MOST, **({"cursor": cursor} if cursor else {})})
        yield from page.entries
        if not page.has_more:
            return
        if page.cursor == cursor or not page.entries:
            raise UnexpectedReply(f"{NAME}'s list of entries repeats itself or breaks off.")
        cursor = page.cursor
    raise UnexpectedReply(f"{NAME}'s list of entries has no end.")


def _ask(session: Session, body: Mapping[str, object]) -> wire.Page:
    """A question goes out as a POST; a lost answer says nothing but that it has to be asked again."""
    tries = 0
    while True:
        tries += 1
        page = wire.Page("entryDetails")
        try:
            session.write("POST", wire.ENTRIES, json.dumps(body).encode(), JSON, check=page).close()
        except Unknown as lost:
            if tries == TRIES:
                raise Unavailable(
                    f"{NAME} does not answer properly at the moment.", status=lost.status, vendor_text=lost.vendor_text
                ) from lost
        else:
            return page
