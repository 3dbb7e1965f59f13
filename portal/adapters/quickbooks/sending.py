"""Writes to QuickBooks on their way: one by one, or as a batch of items that succeed and fail each for itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from portal.adapters.base import Rejected, Session, Unknown
from portal.adapters.http import BATCH_WRITE, QUICK, Patience
from portal.adapters.quickbooks.exact import exact_json
from portal.adapters.quickbooks.replies import (
    NAME,
    VERSION,
    Answer,
    ItemsRefused,
    Plain,
    TooManyAtOnce,
    error_for,
    fault_in,
    url_of,
)

BATCHES_A_MINUTE = 38  # the vendor allows 40


@dataclass(frozen=True)
class Parcel:
    """One write. `request_id` is empty where a repetition is harmless."""

    operation: str  # create or update, as the vendor's batches call them
    entity: str
    body: Plain
    request_id: str = ""


def send(session: Session, parcels: Sequence[Parcel]) -> list[object]:
    """What each came to, in the order given: the entity as answered, or an `AdapterError`.

    Raises what concerns them all, and `Unknown` when the answer was lost.
    """
    if not parcels:
        return []
    return [_single(session, parcels[0])] if len(parcels) == 1 else _batch(session, parcels)


def _single(session: Session, one: Parcel) -> object:
    answer = Answer(one.entity, exact=True)
    try:
        _post(session, one.entity.lower(), one.body, one.request_id, answer)
    except Rejected as refusal:
        return refusal
    return answer.found


def _batch(session: Session, parcels: Sequence[Parcel]) -> list[object]:
    """A batch the vendor finds too long is sent in halves: nothing of it was done."""
    if len(parcels) == 1:
        return [_single(session, parcels[0])]
    session.pace("batch", BATCHES_A_MINUTE)
    bodies = [
        {"bId": str(number), "operation": one.operation, one.entity: one.body} for number, one in enumerate(parcels, 1)
    ]
    answer = Answer("BatchItemResponse", exact=True)
    try:
        _post(session, "batch", {"BatchItemRequest": bodies}, _id_of_all(parcels), answer, BATCH_WRITE)
        found = answer.found
    except ItemsRefused as refused:
        found = refused.items
    except TooManyAtOnce:
        half = len(parcels) // 2
        return _batch(session, parcels[:half]) + _batch(session, parcels[half:])
    there = {str(one.get("bId")): one for one in _entries(found)}
    return [_of_batch(one, there.get(str(number))) for number, one in enumerate(parcels, 1)]


def _of_batch(one: Parcel, answer: Plain | None) -> object:
    """One item's own success or fault; 200 for the whole says nothing about it."""
    if answer is None:
        return Unknown(f"{NAME} did not say what became of this one; it may or may not have done it.", status=200)
    fault = fault_in(answer)
    if fault is None:
        return answer.get(one.entity)
    if fault.is_failure:
        return Unknown(
            f"{NAME} had a fault of its own; it may or may not have done it.", status=200, vendor_text=fault.words
        )
    return error_for(fault, 200)


def _post(
    session: Session, what: str, body: Plain, request_id: str, answer: Answer, patience: Patience = QUICK
) -> None:
    params = {**VERSION, "requestid": request_id} if request_id else VERSION
    path = url_of(session.account_id, what)
    data = exact_json(body).encode()
    session.write("POST", path, data, "application/json", params=params, patience=patience, check=answer).close()


def _id_of_all(parcels: Sequence[Parcel]) -> str:
    """For the batch, the same when the same creations are sent again; 32 characters of the 36 it may have."""
    keys = [one.request_id for one in parcels]
    return hashlib.blake2b("\n".join(keys).encode(), digest_size=16).hexdigest() if all(keys) else ""


def _entries(found: object) -> list[Plain]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
