"""What QuickBooks tells by webhook, in the two forms it has had, one post perhaps about several companies.

Only that something changed is told; what it is now has to be read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from portal.adapters.http.reply import no_twins
from portal.adapters.ledger import WebhookRefused
from portal.adapters.quickbooks import reading
from portal.adapters.quickbooks.replies import NAME, Plain
from portal.domain.records import LedgerEvent
from portal.domain.text import BadText, clean_line

SIGNATURE = "intuit-signature"
LARGEST = 1024 * 1024  # bytes
MOST = 5000  # events in one post
LONGEST = 200  # characters of an identifier
KINDS = {"invoice": "invoice", "payment": "payment", "customer": "client"}
WHATS = {"create": "created", "update": "updated", "delete": "deleted", "merge": "merged", "void": "voided"}


def read(headers: Mapping[str, str], body: bytes, secret: str) -> list[LedgerEvent]:
    """Raises `WebhookRefused`. Events of any company and any kind come out; whoever asked picks."""
    if len(body) > LARGEST:
        raise WebhookRefused("The body is larger than anything this vendor sends.")
    given = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
    if not secret or not hmac.compare_digest(signature(body, secret).encode(), given.strip().encode()):
        raise WebhookRefused("The signature does not fit.")
    try:
        told = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=no_twins)
    except (ValueError, RecursionError) as error:
        raise WebhookRefused("The body is no JSON.") from error
    if isinstance(told, list):
        found = [event for one in _objects(told) for event in _cloud(one)]
    elif isinstance(told, dict) and isinstance(told.get("eventNotifications"), list):
        found = [event for one in _objects(told["eventNotifications"]) for event in _legacy(one)]
    else:
        raise WebhookRefused(f"The body is in neither of the forms {NAME} has.")
    if len(found) > MOST:
        raise WebhookRefused("The body holds more than this vendor ever tells at once.")
    return found


def signature(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _cloud(one: Plain) -> list[LedgerEvent]:
    """A CloudEvent: qbo.<entity>.<verb>.v1, whatever its capitals."""
    parts = _text(one, "type").lower().split(".")
    entity, what = (parts[1], parts[2]) if len(parts) > 2 else (_text(one, "type").lower(), "")
    realm, remote_id = _text(one, "intuitaccountid"), _text(one, "intuitentityid")
    told = _text(one, "id") or _id_of(realm, entity, remote_id, what, _text(one, "time"))
    data = one.get("data")
    gone = _text(data, "deletedid") if isinstance(data, dict) else ""
    return _events(told, realm, entity, remote_id, what, _text(one, "time"), gone)


def _legacy(one: Plain) -> list[LedgerEvent]:
    """A company with its entities. They have no identifier of their own: the same facts are the same event."""
    realm, change = _text(one, "realmId"), one.get("dataChangeEvent")
    entities = _objects(change.get("entities")) if isinstance(change, dict) else []
    found: list[LedgerEvent] = []
    for entity in entities:
        name, remote_id, when = _text(entity, "name").lower(), _text(entity, "id"), _text(entity, "lastUpdated")
        operation = _text(entity, "operation").lower()
        told = _id_of(realm, name, remote_id, operation, when)
        what = WHATS.get(operation, operation)
        found += _events(told, realm, name, remote_id, what, when, _text(entity, "deletedId"))
    return found


def _events(told: str, realm: str, entity: str, remote_id: str, what: str, when: str, gone: str) -> list[LedgerEvent]:
    """A merge is news about both; an event without company or record is news about nothing."""
    if not realm or not remote_id:
        return []
    kind, happened_at = KINDS.get(entity, entity), _moment(when)
    found = [LedgerEvent(told, realm, kind, remote_id, what, happened_at)]
    if gone:
        found.append(LedgerEvent(f"{told[: LONGEST - 8]}-{gone[:7]}", realm, kind, gone, "deleted", happened_at))
    return found


def _id_of(*facts: str) -> str:
    return hashlib.blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()


def _moment(text: str) -> datetime | None:
    return reading.stamp(text)


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    try:
        return clean_line(str(value))[:LONGEST]
    except BadText:
        return ""


def _objects(value: object) -> list[Plain]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
