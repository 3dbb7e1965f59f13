"""Telling the app that something changed, signed as Xero signs: over the bytes, with the key as it is written."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import string
from collections.abc import Sequence
from datetime import UTC, datetime

from portal.sandbox import webhooks
from portal.sandbox.context import Sandbox
from portal.sandbox.vendor import Tenant
from portal.sandbox.webhooks import Delivery, Event, Hook

REAL_ROOT = "https://api.xero.com/api.xro/2.0"
SIGNATURE = "x-xero-signature"
_dice = random.Random()


def sign(body: bytes, key: str) -> str:
    """base64(HMAC-SHA256); the key is not decoded, though it looks like base64."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def body_of(events: Sequence[Event], first: int) -> bytes:
    """Events as they travel."""
    return json.dumps(
        {
            "events": list(events),
            "firstEventSequence": first,
            "lastEventSequence": first + len(events) - 1,
            "entropy": entropy(),
        },
        separators=(",", ":"),
    ).encode()


def intent() -> bytes:
    """The question whether the listener means it: no events, and spaces in odd places."""
    return f'{{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "{entropy()}"}}'.encode()


def entropy() -> str:
    """Twenty letters nobody can guess, so that no two bodies are alike."""
    return "".join(_dice.choices(string.ascii_uppercase, k=20))


def tell(box: Sandbox, tenant: Tenant, changed: Sequence[tuple[str, bool]], *, family: str = "Invoices") -> None:
    """Some records (identifier, whether it is new) were written, and are committed."""
    category = {"Invoices": "INVOICE", "Contacts": "CONTACT"}[family]
    moment = datetime.fromtimestamp(box.clock.seconds(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    webhooks.tell(box, "xero", [
        {
            "resourceUrl": f"{REAL_ROOT}/{family}/{one}", "resourceId": one, "eventDateUtc": moment,
            "eventType": "CREATE" if is_new else "UPDATE", "eventCategory": category, "tenantId": tenant.id,
            "tenantType": "ORGANISATION",
        }
        for one, is_new in changed
    ])  # fmt: skip


def _headers(body: bytes, secret: str, delivery: Delivery) -> dict[str, str]:
    return {SIGNATURE: sign(body, secret)}


HOOK = Hook(body_of, _headers)
