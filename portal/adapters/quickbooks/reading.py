"""A QuickBooks customer in our words. One that cannot be understood comes out as `Quarantined` and the rest goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from portal.adapters.quickbooks.replies import Plain
from portal.adapters.values import NotUnderstood, flag, line, lines, quarantined
from portal.domain.records import Address, ClientRecord, ContactRecord, Quarantined, RecordState
from portal.domain.text import BadText

PRIMARY = "primary"  # QuickBooks has one contact a customer, and no identifier for it
MARK = " (deleted)"  # what the vendor puts behind the name of a customer that was made inactive
NO_NAME = "(deleted customer)"
LINES = ("Line1", "Line2", "Line3", "Line4", "Line5")
YEARS = range(1990, 2200)  # QuickBooks is no older, and a stamp beyond is none


def customer_or_quarantine(raw: object) -> ClientRecord | Quarantined:
    try:
        return customer(raw)
    except (NotUnderstood, BadText) as reason:
        return quarantined(raw, "Id", "DisplayName", str(reason))


def customer(raw: object) -> ClientRecord:
    """Raises `NotUnderstood` or `BadText`."""
    if not isinstance(raw, dict):
        raise NotUnderstood("It is not a record at all.")
    remote_id = line(raw, "Id")
    if not remote_id:
        raise NotUnderstood("It has no identifier.")
    state = _state(raw)
    name = line(raw, "DisplayName")
    if state is not RecordState.ACTIVE:
        name = name.removesuffix(MARK).rstrip()
    if state is RecordState.DELETED:
        return ClientRecord(remote_id, name or NO_NAME, state, changed_at=changed_at(raw))
    if not name:
        raise NotUnderstood("It has no name.")
    return ClientRecord(
        remote_id=remote_id,
        name=name,
        state=state,
        address=_address(raw, "ShipAddr"),
        postal_address=_address(raw, "BillAddr"),
        phone=_inner(raw, "PrimaryPhone", "FreeFormNumber"),
        fax=_inner(raw, "Fax", "FreeFormNumber"),
        website=_inner(raw, "WebAddr", "URI"),
        contacts=_contacts(raw, name),
        changed_at=changed_at(raw),
        kind=_kind(raw),
        revision=line(raw, "SyncToken"),
    )


def is_deleted(raw: object) -> bool:
    """A stub that stands for a customer that is no more."""
    return isinstance(raw, dict) and str(raw.get("status") or "").lower() == "deleted"


def key_of(raw: object) -> str:
    """What tells one entry of a list from another, also where it has no identifier."""
    found = raw.get("Id") if isinstance(raw, dict) else None
    return str(found) if found else json.dumps(raw, sort_keys=True, default=str)


def changed_at(raw: Plain) -> datetime | None:
    return stamp(_meta(raw).get("LastUpdatedTime"))


def created_at(raw: object) -> datetime | None:
    return stamp(_meta(raw).get("CreateTime")) if isinstance(raw, dict) else None


def stamp(text: object) -> datetime | None:
    """A moment in UTC; None for one that is doubtful: no zone, a year nobody can mean, no date at all."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None or moment.year not in YEARS:
        return None
    return moment.astimezone(UTC)


def _meta(raw: Plain) -> Plain:
    found = raw.get("MetaData")
    return found if isinstance(found, dict) else {}


def _state(raw: Plain) -> RecordState:
    if is_deleted(raw):
        return RecordState.DELETED
    return RecordState.ACTIVE if _is_active(raw) else RecordState.ARCHIVED


def _is_active(raw: Plain) -> bool:
    return raw.get("Active") in (None, "") or flag(raw, "Active")


def _kind(raw: Plain) -> str:
    """A project is a sub-customer too; the vendor lets nobody but itself make one."""
    if flag(raw, "IsProject"):
        return "project"
    parent = raw.get("ParentRef")
    if not parent and not flag(raw, "Job"):
        return ""
    name = line(parent, "name") if isinstance(parent, dict) else ""
    name = name or line(raw, "FullyQualifiedName").rpartition(":")[0]
    return f"sub-customer of {name}" if name else "sub-customer"


def _contacts(raw: Plain, name: str) -> tuple[ContactRecord, ...]:
    """The one person QuickBooks keeps with a customer; only an email or a mobile belongs to the client itself."""
    parts = [line(raw, part) for part in ("GivenName", "MiddleName", "FamilyName", "Suffix")]
    person = " ".join(part for part in parts if part)
    email, mobile = _inner(raw, "PrimaryEmailAddr", "Address"), _inner(raw, "Mobile", "FreeFormNumber")
    if not (person or email or mobile):
        return ()
    return (
        ContactRecord(
            remote_id=PRIMARY, name=person or name, email=email, mobile=mobile, salutation=line(raw, "Title"),
            is_primary=True,
        ),
    )  # fmt: skip


def _address(raw: Plain, name: str) -> Address:
    found = raw.get(name)
    if not found:
        return Address()
    if not isinstance(found, dict):
        raise NotUnderstood(f"Its {name} is not an address.")
    return Address(
        street="\n".join(text for text in (lines(found, part) for part in LINES) if text),
        city=line(found, "City"),
        region=line(found, "CountrySubDivisionCode"),
        postcode=line(found, "PostalCode"),
        country=line(found, "Country"),
    )


def _inner(raw: Plain, name: str, part: str) -> str:
    """The text inside one of the vendor's small objects, which a text or nothing may stand in for."""
    found = raw.get(name)
    return line(found, part) if isinstance(found, dict) else line(raw, name)
