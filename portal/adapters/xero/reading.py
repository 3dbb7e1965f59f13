"""What Xero's accounting API says, in our words: its envelope, its contacts, its organisation.

Invariant: a reply is either understood or refused with `UnexpectedReply`; one contact that cannot be understood comes
out as `Quarantined` and the rest goes on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from babel.core import get_global

from portal.adapters.base import AdapterError, Rejected, UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.oauth import object_of
from portal.adapters.values import NotUnderstood, Raw, flag, items, line, quarantined
from portal.adapters.xero_sign_in import error_words
from portal.domain.records import (
    Address,
    ChoiceList,
    ClientRecord,
    ContactRecord,
    NamedRecord,
    Quarantined,
    RecordState,
)
from portal.domain.text import BadText, fold

NAME = "Xero"
NO_ID = "00000000-0000-0000-0000-000000000000"  # what Xero calls a contact that it did not save
PRIMARY = "primary"  # our name for the person whose name and email stand on the contact itself
STATES = {
    "": RecordState.ACTIVE,
    "ACTIVE": RecordState.ACTIVE,
    "ARCHIVED": RecordState.ARCHIVED,
    "GDPRREQUEST": RecordState.ARCHIVED,
}
STREET_LINES = ("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4")
STAMP = re.compile(r"/?Date\((-?\d{1,15})(?:[-+]\d{4})?\)/?")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1900, 2200)  # a stamp beyond is none; at the very ends no zone can be reckoned with
ZONES = {re.sub(r"[ .]", "", name).upper(): zone for name, zone in get_global("windows_zone_mapping").items()}


class NothingChanged(AdapterError):
    """A 304: nothing was changed since. Documented is an empty list; both are understood."""


class Envelope:
    """The `check` of a call: understands the reply once, and keeps what it says. `many` is the list it must hold."""

    def __init__(self, many: str, *, exact: bool = False) -> None:
        self._many = many
        self._exact = exact  # fractions come as decimals
        self.entries: list[Any] = []
        self.pages: int | None = None  # how many there are; None where Xero does not say
        self.page: int | None = None
        self.total: int | None = None  # entries of all pages together

    def __call__(self, reply: Reply) -> None:
        found = reply.json(exact=self._exact)
        if not isinstance(found, dict):
            raise odd(reply, "It is not an object.")
        listed = found.get(self._many)
        if not isinstance(listed, list):
            if refusal := _words_of(found):
                raise Rejected(f"{NAME} refused: {refusal}", status=reply.status, vendor_text=refusal)
            raise odd(reply, f"It holds no {self._many}.")
        self.entries = listed
        told = found.get("pagination")
        self.pages = _count(told, "pageCount")
        self.page = _count(told, "page")
        self.total = _count(told, "itemCount")


def words(reply: Reply) -> str:
    """Xero's own words in a refusal, in any of its four ways to refuse."""
    if reply.media_type == "text/plain":
        return reply.start(300).strip()
    return _words_of(object_of(reply)) or error_words(reply)


def named(reply: Reply) -> AdapterError | None:
    return NothingChanged("Nothing was changed since.", status=304) if reply.status == 304 else None


def odd(reply: Reply, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{NAME} gave an answer that cannot be understood. {how}", status=reply.status, vendor_text=reply.start()
    )


def complaints(raw: Raw) -> str:
    """What is wrong with one element of a write; empty when nothing is."""
    found = raw.get("ValidationErrors")
    told = [one.get("Message") or one.get("Description") for one in found or [] if isinstance(one, dict)]
    return " ".join(str(one) for one in told if one)


def client_or_quarantine(raw: object) -> ClientRecord | Quarantined:
    try:
        if not isinstance(raw, dict):
            raise NotUnderstood("It is not an object.")
        return client(raw)
    except (NotUnderstood, BadText) as reason:
        return quarantined(raw, "ContactID", "Name", str(reason))


def client(raw: Raw) -> ClientRecord:
    """Raises `NotUnderstood` or `BadText`."""
    remote_id, name = line(raw, "ContactID"), line(raw, "Name")
    if remote_id in ("", NO_ID):
        raise NotUnderstood("It has no identifier.")
    if not name:
        raise NotUnderstood("It has no name.")
    addresses = {line(one, "AddressType"): one for one in items(raw, "Addresses")}
    phones = {line(one, "PhoneType"): _phone(one) for one in items(raw, "Phones")}
    return ClientRecord(
        remote_id=remote_id,
        name=name,
        state=_state(raw),
        address=_address(addresses.get("STREET", {})),
        postal_address=_address(addresses.get("POBOX", {})),
        phone=phones.get("DEFAULT", ""),
        fax=phones.get("FAX", ""),
        website=line(raw, "Website"),
        contacts=(*_primary(raw, name, phones), *_persons(items(raw, "ContactPersons"))),
        changed_at=stamp(raw.get("UpdatedDateUTC")),
        kind=_kind(raw),
    )


def choices(entries: Iterable[object]) -> tuple[ChoiceList, ...]:
    """The tracking categories in use, each with the options in use. Raises `UnexpectedReply`."""
    try:
        return tuple(
            ChoiceList(line(one, "TrackingCategoryID"), line(one, "Name"), _options(one))
            for one in entries
            if isinstance(one, dict) and _is_in_use(one) and line(one, "TrackingCategoryID") and line(one, "Name")
        )
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave tracking categories that cannot be understood: {error}") from error


def facts(entries: list[Any]) -> dict[str, str]:
    """What the panel tells of the organisation. Raises `UnexpectedReply`."""
    raw = entries[0] if entries and isinstance(entries[0], dict) else {}
    try:
        told = {
            "Legal name": line(raw, "LegalName") or line(raw, "Name"),
            "Country": line(raw, "CountryCode"),
            "Currency": line(raw, "BaseCurrency"),
            "Time zone": ZONES.get(line(raw, "Timezone").upper(), ""),
        }
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(
            f"{NAME} described the organisation in a way that cannot be understood: {error}"
        ) from error
    return {name: value for name, value in told.items() if value}


def _options(raw: Raw) -> tuple[NamedRecord, ...]:
    return tuple(
        NamedRecord(line(one, "TrackingOptionID"), line(one, "Name"))
        for one in items(raw, "Options")
        if _is_in_use(one) and line(one, "TrackingOptionID") and line(one, "Name")
    )


def _is_in_use(raw: Raw) -> bool:
    return line(raw, "Status").upper() in ("", "ACTIVE")


def _words_of(answer: Raw) -> str:
    """The message, and what is wrong with each element that was sent."""
    elements = answer.get("Elements")
    told = [complaints(one) for one in elements if isinstance(one, dict)] if isinstance(elements, list) else []
    return " ".join(one for one in told if one) or str(answer.get("Message") or "")


def _count(told: object, name: str) -> int | None:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _state(raw: Raw) -> RecordState:
    """One that was merged away is archived there and says into whom; here it counts as gone."""
    if line(raw, "MergedToContactID") not in ("", NO_ID):
        return RecordState.DELETED
    said = line(raw, "ContactStatus").upper()
    if said not in STATES:
        raise NotUnderstood(f"Its ContactStatus is {said[:40]!r}, which nobody has heard of.")
    return STATES[said]


def _kind(raw: Raw) -> str:
    told = ("customer" if flag(raw, "IsCustomer") else "", "supplier" if flag(raw, "IsSupplier") else "")
    return " and ".join(one for one in told if one)


def _address(raw: Raw) -> Address:
    street = [line(raw, name) for name in STREET_LINES]
    return Address(
        street="\n".join(one for one in street if one),
        city=line(raw, "City"),
        region=line(raw, "Region"),
        postcode=line(raw, "PostalCode"),
        country=line(raw, "Country"),
    )


def dialled_first(raw: Raw) -> str:
    """The codes before a number, in the order they are dialled; the country's with a plus, which Xero keeps without."""
    country = line(raw, "PhoneCountryCode")
    return " ".join(one for one in (f"+{country}" if country.isdigit() else country, line(raw, "PhoneAreaCode")) if one)


def _phone(raw: Raw) -> str:
    number = line(raw, "PhoneNumber")
    return f"{dialled_first(raw)} {number}".strip() if number else ""


def _primary(raw: Raw, client_name: str, phones: dict[str, str]) -> tuple[ContactRecord, ...]:
    """The person on the contact itself, if anything is said of one; without a name they go by the client's."""
    name = _person_name(raw)
    email, phone, mobile = line(raw, "EmailAddress"), phones.get("DDI", ""), phones.get("MOBILE", "")
    if not (name or email or phone or mobile):
        return ()
    return (ContactRecord(PRIMARY, name or client_name, email, phone, mobile, is_primary=True),)


def _persons(listed: list[dict[str, Any]]) -> tuple[ContactRecord, ...]:
    """The further people. Xero gives them no identifier: ours comes from the name, else from the email."""
    found: dict[str, ContactRecord] = {}
    for raw in listed:
        name, email = _person_name(raw), line(raw, "EmailAddress")
        if not (name or email):
            continue
        made = hashlib.blake2b(fold(name or email).encode(), digest_size=8).hexdigest()
        remote_id, number = made, 1
        while remote_id in found:
            number += 1
            remote_id = f"{made}-{number}"
        found[remote_id] = ContactRecord(remote_id, name or email, email)
    return tuple(found.values())


def _person_name(raw: Raw) -> str:
    return " ".join(part for part in (line(raw, "FirstName"), line(raw, "LastName")) if part)


def stamp(value: object) -> datetime | None:
    """An instant as Xero writes it. None for what is none: the sync then goes by when it saw a change itself."""
    moment = _moment(value.strip()) if isinstance(value, str) else None
    if moment is None or moment.year not in YEARS:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(text: str) -> datetime | None:
    try:
        if found := STAMP.fullmatch(text):
            return EPOCH + timedelta(milliseconds=int(found[1]))
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
