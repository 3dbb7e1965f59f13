"""Before a client is created in an app: who there may be it already."""

from __future__ import annotations

from typing import Any

import pytest

from portal.domain.looking_there import Answer, There, judge
from portal.domain.records import ClientRecord, RecordState


def there(name: str, *, holder: str = "", state: str = "active", **said: Any) -> There:
    return There(ClientRecord(f"r-{name}-{holder}-{state}", name, RecordState(state)), holder, **said)


def answer(*found: There, twins: int = 0) -> Answer:
    return judge("Acme Corp", found, twins, "Ledger").answer


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((), Answer.CREATE),
        ((there("Beta Ltd"),), Answer.CREATE),
        ((there("Acme Corp"),), Answer.LINK),
        ((there("Acme Corp"), there("acme corp")), Answer.LINK),
        ((there("Acme Corp"), there("Acme Corp", holder="Somebody")), Answer.LINK),
        ((there("Acme Corp"), there("Acme Corp", is_set_aside=False, state="archived")), Answer.LINK),
        ((there("Acme Corp", holder="Acme Corp"),), Answer.TAKEN),
        ((there("acme corp", holder="acme corp"),), Answer.TAKEN),
        ((there("Acme  Corp", holder="Acme  Corp"),), Answer.TAKEN),
        ((there("Acme Limited", holder="Acme Limited"),), Answer.CREATE),
        ((there("acme corp"),), Answer.NEAR_MATCH),
        ((there("Acme-Co"),), Answer.NEAR_MATCH),
        ((there("Acme Corp", is_set_aside=True),), Answer.SET_ASIDE),
        ((there("acme corp", is_set_aside=True),), Answer.CREATE),
        ((there("Acme Corp", state="archived"),), Answer.ARCHIVED),
        ((there("Acme Corp", state="deleted"),), Answer.CREATE),
        ((there("acme corp", state="archived"),), Answer.CREATE),
        ((there("Acme Corp", is_apart=True),), Answer.CREATE),
        ((there("acme corp", is_apart=True),), Answer.CREATE),
    ],
)
def test_who_there_may_be_the_client(found: tuple[There, ...], expected: Answer) -> None:
    """M2 to M6, QBO-5, DIG-7."""
    assert answer(*found) == expected


def test_two_of_exactly_this_name_on_either_side_are_for_a_person() -> None:
    """M7, M8."""
    two = (There(ClientRecord("r-1", "Acme Corp")), There(ClientRecord("r-2", "Acme Corp")))
    assert answer(*two) == Answer.AMBIGUOUS
    assert answer(there("Acme Corp"), twins=1) == Answer.AMBIGUOUS
    assert answer(twins=1) == Answer.CREATE


def test_every_answer_says_why_in_words() -> None:
    near = judge("Acme Corp", [there("acme corp")], 0, "Ledger")
    assert near.reason == "the names differ only in capital letters"
    taken = judge("Acme Corp", [there("ACME corp", holder="Big Acme")], 0, "Ledger")
    assert taken.reason == "the record of this name in Ledger, ACME corp, is linked to Big Acme here"
    old = judge("Acme Corp", [there("Acme Corp", state="archived")], 0, "Ledger")
    assert "make it active again there, or give this client another name" in old.reason
