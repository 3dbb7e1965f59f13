"""Telling of changes: what happened during a request is gathered, and said when it is committed. Two formats."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, g, has_request_context

from portal.sandbox.context import here
from portal.sandbox.webhooks import Delivery, Hook, tell

Event = dict[str, Any]
PAST = {"Create": "created", "Update": "updated", "Delete": "deleted", "Merge": "merged", "Void": "voided"}
SOURCE = "intuit.c3RhbmQtaW4tb2YtdGhlLXF1aWNrYm9va3MtYXBwLTE="


def note(realm: str, entity: str, identifier: str, verb: str, deleted_id: str = "") -> None:
    """Something changed in this request; said by `say` when the request ends well."""
    if not has_request_context():
        return  # filling a company is nothing that happens in it
    if "quickbooks_events" not in g:
        g.quickbooks_events = []
    g.quickbooks_events.append(
        {"realm": realm, "entity": entity, "id": str(identifier), "verb": verb, "deleted_id": deleted_id}
    )


def say(response: Response) -> Response:
    """After the request: everything is stored by now."""
    events: list[Event] = g.pop("quickbooks_events", [])
    if events and response.status_code < 400:
        box = here()
        style = str(box.switches["quickbooks_webhook_format"])
        at = box.clock.seconds()
        tell(box, "quickbooks", [{**one, "at": at, "style": style, "uid": str(uuid.uuid4())} for one in events])
    return response


def body(events: list[Event], _first: int) -> bytes:
    """One post for all of them, whichever companies they are of."""
    found = legacy(events) if events and events[0]["style"] == "legacy" else cloud(events)
    return json.dumps(found, separators=(",", ":")).encode()


def cloud(events: list[Event]) -> list[dict[str, Any]]:
    """An array, an element for each event."""
    return [
        {
            "specversion": "1.0", "id": one["uid"], "source": SOURCE,
            "type": f"qbo.{one['entity'].lower()}.{PAST[one['verb']]}.v1", "datacontenttype": "application/json",
            "time": datetime.fromtimestamp(one["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "intuitentityid": one["id"], "intuitaccountid": one["realm"],
            "data": {"deletedid": one["deleted_id"]} if one["deleted_id"] else {},
        }
        for one in events
    ]  # fmt: skip


def legacy(events: list[Event]) -> dict[str, Any]:
    """An object, an element for each company."""
    realms: dict[str, list[dict[str, str]]] = {}
    for one in events:
        entry = {
            "name": one["entity"], "id": one["id"], "operation": one["verb"],
            "lastUpdated": datetime.fromtimestamp(one["at"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }  # fmt: skip
        realms.setdefault(one["realm"], []).append(
            entry | ({"deletedId": one["deleted_id"]} if one["deleted_id"] else {})
        )
    return {
        "eventNotifications": [
            {"realmId": realm, "dataChangeEvent": {"entities": entities}} for realm, entities in realms.items()
        ]
    }


def headers(data: bytes, secret: str, _delivery: Delivery) -> Mapping[str, str]:
    """The signature over the bytes as they go out."""
    digest = hmac.new(secret.encode(), data, hashlib.sha256).digest()
    return {"intuit-signature": base64.b64encode(digest).decode()}


HOOK = Hook(body=body, headers=headers)
