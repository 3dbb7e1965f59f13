"""Turning the pages of one of Xero's lists: every record once, and an end even where the list has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

from portal.adapters.base import Session, UnexpectedReply
from portal.adapters.http import Patience
from portal.adapters.xero.reading import NAME, Envelope
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT

LARGEST_PAGE = 1000
MOST_PAGES = 1000  # a million records; Xero itself stops at a hundred thousand
LARGE_PAGE = Patience(read=120, total=300, largest=64 * 1024 * 1024)


class Known(Protocol):
    @property
    def remote_id(self) -> str: ...


T = TypeVar("T", bound=Known)


def pages(
    session: Session, many: str, words: Mapping[str, str], headers: Mapping[str, str], read: Callable[[object], T], *,
    exact: bool = False,
) -> Iterator[T]:  # fmt: skip
    """What `read` makes of each record. Raises `UnexpectedReply` for a list that goes in circles or breaks off."""
    seen: set[str] = set()
    given = 0
    for number in range(1, MOST_PAGES + 1):
        found = Envelope(many, exact=exact)
        asked = {**words, "page": str(number), "pageSize": str(LARGEST_PAGE)}
        session.get(f"{ROOT}/{many}", asked, headers=headers, patience=LARGE_PAGE, check=found).close()
        if found.page not in (None, number):
            raise UnexpectedReply(f"{NAME} was asked for page {number} of its {many} and gave page {found.page}.")
        is_last = number >= found.pages if found.pages is not None else not found.entries
        fresh = [one for one in map(read, found.entries) if _is_new(one, seen)]
        if not fresh and (found.entries or not is_last):
            raise UnexpectedReply(f"{NAME}'s list of {many} repeats itself or breaks off.")
        yield from fresh
        given += len(fresh)
        # Fewer came than there are: then the number of pages is wrong, and an empty page is the end.
        if is_last and (not found.entries or found.total is None or found.total <= given):
            return
    raise UnexpectedReply(f"{NAME}'s list of {many} has no end.")


def _is_new(one: Known, seen: set[str]) -> bool:
    """A record that was added meanwhile pushes others on to the next page, where they come again."""
    if not one.remote_id:
        return True  # it cannot be told from others, and a person has to see it
    if one.remote_id in seen:
        return False
    seen.add(one.remote_id)
    return True
