"""Creating invoices and payments in Xero, many in a call, each with its own outcome.

Always PUT, which creates and nothing else: a POST would change the invoice that has the number. An answer is believed
for what it shows of each element; one it does not speak of is `Unknown`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from portal.adapters.base import AdapterError, Rejected, Session, Unknown
from portal.adapters.http import BATCH_WRITE, QUICK
from portal.adapters.values import NotUnderstood, Raw, exact_json, line
from portal.adapters.xero import reading, refusals
from portal.adapters.xero.reading import NAME, NO_ID
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT
from portal.domain.text import BadText

ASKED = {"summarizeErrors": "false", "unitdp": "4"}  # an outcome for each; prices with four decimals
LARGEST_BODY = 3_000_000  # bytes; Xero asks for less than 3.5 million

Item = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Wanted(Generic[T]):
    """One thing to create: how it is told from others in the answer, and what the answer makes of it."""

    key: str
    name: str  # as a person knows it
    item: Item
    id_name: str
    told_by: tuple[str, str]  # the field of an answer that tells it from the others, and what it says
    read: Callable[[Raw], T]


def send(
    session: Session, many: str, asked: Sequence[Wanted[T] | AdapterError], *, once_only: bool
) -> list[T | AdapterError]:
    """Create what may be created; each in its place what came of it, or why it was not sent.

    `once_only`: nothing at Xero keeps a second one of these away, so a batch that was refused whole is not sent again.
    Raises what concerns them all, `Unknown` when the answer was lost.
    """
    wanted: list[Wanted[T]] = [one for one in asked if isinstance(one, Wanted)]
    outcomes = _sent(session, many, wanted, once_only) if wanted else []
    came = iter(outcomes)
    return [next(came) if isinstance(one, Wanted) else one for one in asked]


def _sent(session: Session, many: str, wanted: Sequence[Wanted[T]], once_only: bool) -> list[T | AdapterError]:
    body = exact_json({many: [one.item for one in wanted]})
    if len(wanted) > 1 and len(body) > LARGEST_BODY:
        return _halves(session, many, wanted, once_only)
    try:
        answers = _answers(session, many, wanted, body)
    except Rejected as refusal:
        if len(wanted) == 1:
            return [refusals.refusal(wanted[0].name, refusal.vendor_text, status=refusal.status)]
        if refusal.status != 400:
            raise
        if once_only:
            words = refusal.vendor_text or "no reason given"
            return [Unknown(f"{NAME} refused several at once, {one.name} among them: {words}") for one in wanted]
        # Something about one of them cannot be read there, and sinks all: it is found by halves, the others go.
        return _halves(session, many, wanted, once_only)
    outcomes: list[T | AdapterError] = []
    for place, one in enumerate(wanted):
        came: T | AdapterError = _settled(one, _answer_to(place, wanted, answers))
        outcomes.append(came)
    return outcomes


def _halves(session: Session, many: str, wanted: Sequence[Wanted[T]], once_only: bool) -> list[T | AdapterError]:
    middle = len(wanted) // 2
    first = _sent(session, many, wanted[:middle], once_only)
    try:
        return first + _sent(session, many, wanted[middle:], once_only)
    except AdapterError as trouble:  # what came of the first half must not be lost with it
        return [*first, *(trouble for _one in wanted[middle:])]


def _answers(session: Session, many: str, wanted: Sequence[Wanted[T]], body: bytes) -> list[Any]:
    # The same try of the same things has the same key, and nothing else has: Xero refuses a key that comes back with
    # another body, and a batch may be put together anew.
    key = hashlib.blake2b("\n".join(one.key for one in wanted).encode() + body, digest_size=16).hexdigest()
    found = reading.Envelope(many, exact=True)
    session.write(
        "PUT", f"{ROOT}/{many}", body, "application/json", params=ASKED, headers={"Idempotency-Key": key},
        patience=BATCH_WRITE if len(wanted) > 1 else QUICK, check=found,
    ).close()  # fmt: skip
    return found.entries


def _settled(one: Wanted[T], answer: Raw | None) -> T | AdapterError:
    if answer is None:
        return Unknown(f"{NAME}'s answer says nothing about {one.name}; it may or may not be there.")
    try:
        trouble = reading.complaints(answer)
        if trouble or line(answer, "StatusAttributeString").upper() == "ERROR":
            return refusals.refusal(one.name, trouble)
        if line(answer, one.id_name) in ("", NO_ID):
            return Unknown(f"{NAME} did not say which record {one.name} is; it may or may not be there.")
        return one.read(answer)
    except (NotUnderstood, BadText) as error:
        return Unknown(f"{NAME} answered for {one.name} in a way that cannot be understood: {error}")


def _answer_to(place: int, wanted: Sequence[Wanted[T]], answers: list[Any]) -> Raw | None:
    """What was answered to this one: by place when all are there, else by what tells it from the others."""
    known = [one for one in answers if isinstance(one, dict)]
    if len(known) == len(wanted) and (_is(known[place], wanted[place]) or _is_nameless(known[place], wanted[place])):
        return known[place]
    fitting = [one for one in known if _is(one, wanted[place])]
    return fitting[0] if len(fitting) == 1 else None


def _is(answer: Raw, one: Wanted[T]) -> bool:
    name, value = one.told_by
    return str(answer.get(name) or "").strip() == value


def _is_nameless(answer: Raw, one: Wanted[T]) -> bool:
    """One that failed may come back with nothing but what is wrong with it."""
    return not answer.get(one.told_by[0]) and str(answer.get(one.id_name) or NO_ID) == NO_ID
