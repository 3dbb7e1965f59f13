"""What Xero's webhooks tell: that something of an organisation changed, and which; never what it is now.

The signature is over the bytes as they came. Xero asks whether we mean it by sending bodies without events, some badly
signed on purpose: those are refused, the others are valid and tell nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from portal.adapters.http.reply import no_twins
from portal.adapters.ledger import WebhookRefused
from portal.adapters.values import NotUnderstood, line
from portal.domain.records import LedgerEvent
from portal.domain.text import BadText

SIGNATURE = "x-xero-signature"
LARGEST = 1024 * 1024  # bytes; Xero sends a few kilobytes
KINDS = {"INVOICE": "invoice", "CONTACT": "client", "CREDITNOTE": "credit note"}


def read(headers: Mapping[str, str], body: bytes, secret: str) -> list[LedgerEvent]:
    """Raises `WebhookRefused`."""
    if len(body) > LARGEST:
        raise WebhookRefused("The body is larger than anything Xero sends.")
    told = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
    if not secret:  # everybody knows the signature of no key
        raise WebhookRefused("There is no signing key to check the signature with.")
    if not hmac.compare_digest(signature(body, secret).encode(), told.strip().encode("utf-8", "replace")):
        raise WebhookRefused("The signature does not fit the body.")
    try:
        found = json.loads(body.decode("utf-8-sig"), object_pairs_hook=no_twins)
        listed = found["events"]
        if not isinstance(listed, list):
            raise NotUnderstood("Its events are no list.")
        return [_event(one) for one in listed]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, NotUnderstood, BadText) as reason:
        raise WebhookRefused("The body is not what Xero sends.") from reason


def signature(body: bytes, secret: str) -> str:
    """The key is used as it is written: it looks like base64 and is not decoded."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _event(raw: dict[str, Any]) -> LedgerEvent:
    account, record = line(raw, "tenantId"), line(raw, "resourceId")
    category, what, when = line(raw, "eventCategory"), line(raw, "eventType"), line(raw, "eventDateUtc")
    if not account or not record or not category:
        raise NotUnderstood("It does not say what changed.")
    # Xero numbers deliveries and not events: the same one is the same change of the same record at the same moment.
    told = "\n".join((account, record, category.upper(), what.upper(), when))
    return LedgerEvent(
        event_id=hashlib.blake2b(told.encode(), digest_size=16).hexdigest(),
        account_id=account,
        kind=KINDS.get(category.upper(), category.lower()),
        remote_id=record,
        what=what.lower(),
        happened_at=_moment(when),
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
