"""Digits' webhooks: is it theirs and of now, and what does it speak of. Open: every name in the body but `data`."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from portal.adapters.digits import wire
from portal.adapters.digits.wire import NAME
from portal.adapters.http.reply import finite, no_twins
from portal.adapters.ledger import WebhookRefused
from portal.adapters.values import NotUnderstood, line
from portal.domain.records import LedgerEvent
from portal.domain.text import BadText

TOLERANCE = timedelta(minutes=5)  # between their clock and ours, either way
MOST_BYTES = 1024 * 1024
TIMESTAMP, SIGNATURE, SCHEME = "webhook-timestamp", "webhook-signature", "v1"
EVENT_IDS, TYPES = ("id", "eventId", "event_id"), ("type", "eventType", "event_type")
TIMES = ("occurredAt", "timeOccurred", "occurred_at", "time", "createdAt")
BUSINESSES = ("businessId", "companyId", "entityId", "organizationId")
CLASSES = {"invoice": "invoice", "payment": "payment", "party": "client", "customer": "client"}


def read(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> list[LedgerEvent]:
    """Raises `WebhookRefused`. The account is empty where the event does not say it."""
    if len(body) > MOST_BYTES:
        raise WebhookRefused("It is far longer than an event.")
    known = {name.lower(): value for name, value in headers.items()}
    _check_signature(known.get(TIMESTAMP, ""), known.get(SIGNATURE, ""), body, secret, now)
    try:
        told = json.loads(body, parse_constant=_no_number, parse_float=finite, object_pairs_hook=no_twins)
        return [_event(told)]
    except (ValueError, RecursionError, NotUnderstood, BadText) as error:
        raise WebhookRefused(f"It is signed by {NAME} and cannot be understood.") from error


def _check_signature(stamp: str, signature: str, body: bytes, secret: str, now: datetime) -> None:
    if not secret:
        raise WebhookRefused("There is no signing secret to check it with.")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise WebhookRefused("It does not say when it was sent.")
    expected = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    offered = [part.strip().partition("=") for part in signature.split(",")]
    given = [value for scheme, _, value in offered if scheme == SCHEME]
    if not sum(hmac.compare_digest(expected.encode(), value.encode()) for value in given):  # all of them, in one time
        raise WebhookRefused("Its signature does not fit.")
    if abs(datetime.fromtimestamp(int(stamp), UTC) - now) > TOLERANCE:
        raise WebhookRefused("It was signed too long ago, or in the future.")


def _event(told: Any) -> LedgerEvent:
    """Raises `NotUnderstood` or `BadText`."""
    if not isinstance(told, dict):
        raise NotUnderstood("It is not an object.")
    event_id, what = wire.identifier(told, EVENT_IDS), wire.identifier(told, TYPES)
    if not event_id or not what:
        raise NotUnderstood("It has no identifier or no type.")
    data: Any = told.get("data")
    data = data if isinstance(data, dict) else {}
    kind, _, verb = what.partition(".")
    return LedgerEvent(
        event_id=event_id,
        account_id=wire.identifier(data, BUSINESSES) or wire.identifier(told, BUSINESSES),
        kind=CLASSES.get(kind.lower(), kind),
        remote_id=_told_id(data),
        what=verb,
        happened_at=_moment(wire.identifier(told, TIMES)),
    )


def _told_id(data: Mapping[str, Any]) -> str:
    """What we know it by: our own identifier where it has one, else theirs."""
    ours = wire.told_id(data)
    return ours if isinstance(ours, str) and ours else line(data, "id")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
