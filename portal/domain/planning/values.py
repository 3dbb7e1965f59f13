"""Values as plans compare them: a record's fields, what counts as empty, what as the same. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from portal.domain.records import ClientRecord, ContactRecord

TWO_WAY, PULL, AT_LINK = "two-way", "pull", "when linked only"
CONTACTS = "contacts"  # in what a person asks to send: all contacts of the client
CONTACT_VALUES = ("name", "email", "phone", "mobile", "salutation", "addressee")
# Beside the fields in `agreed`: field -> what the app made of the value it was sent, where it writes it its own way.
ANSWERED = "answered"


def is_blank(value: Any) -> bool:
    return value in (None, "", []) or (isinstance(value, list) and not any(value))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) or isinstance(other, dict):
        return (one or {}).get("id") == (other or {}).get("id")
    if is_blank(one) and is_blank(other) and not isinstance(one, bool) and not isinstance(other, bool):
        return True
    return bool(one == other)


def values_of(record: ClientRecord) -> dict[str, Any]:
    """A record's fields in the form plans compare. Groups only when the record speaks of them."""
    values: dict[str, Any] = {
        "name": record.name,
        "address": record.address.parts(),
        "postal_address": record.postal_address.parts(),
        "phone": record.phone,
        "fax": record.fax,
        "website": record.website,
        "tax_registered": record.tax_registered,
        "structure": record.structure,
        "partner": {"id": record.partner.remote_id, "name": record.partner.name} if record.partner else None,
        "manager": {"id": record.manager.remote_id, "name": record.manager.name} if record.manager else None,
    }
    if record.groups is not None:
        values["groups"] = sorted(group.name for group in record.groups)
    return values


def contact_values(contact: ContactRecord) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in CONTACT_VALUES}


def agreed_of(record: ClientRecord, flows: Mapping[str, str]) -> dict[str, Any]:
    """What counts as agreed when everything of a record has just been taken over."""
    values = values_of(record)
    return {name: values[name] for name, flow in flows.items() if flow in (TWO_WAY, PULL, AT_LINK) and name in values}


def with_answers(agreed: Mapping[str, Any], sent: Iterable[str], answer: Mapping[str, Any]) -> dict[str, Any]:
    """`agreed`, with what the app made of the values just `sent`: a phone number it spaces out, a name it cuts.

    Without that its own spelling would come back as a change there, and go on from here to every other app.
    """
    sent = list(sent)
    others = {name: value for name, value in agreed.get(ANSWERED, {}).items() if name not in sent}
    new = {
        name: answer[name]
        for name in sent
        if name in answer and name in agreed and not same(answer[name], agreed[name])
    }
    kept = {name: value for name, value in agreed.items() if name != ANSWERED}
    return {**kept, ANSWERED: others | new} if others or new else kept
