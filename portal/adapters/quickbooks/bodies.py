"""A client as QuickBooks wants a new customer or a change to one, and what it would refuse, said before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.adapters.base import Rejected
from portal.adapters.quickbooks.reading import LINES
from portal.adapters.quickbooks.replies import NAME, Plain
from portal.domain.records import Address, ClientRecord, ContactRecord
from portal.domain.text import NameRules

NAME_LENGTH = 100  # some of the vendor's pages say 500, others 100
LENGTHS = {"phone": 30, "fax": 30, "website": 1000, "email": 100, "mobile": 30, "contact's name": 100}
LINE_LENGTH = 500
ADDRESS_LENGTHS = {"city": 255, "region": 255, "postcode": 30, "country": 255}
ADDRESS_PARTS = (*LINES, "City", "CountrySubDivisionCode", "PostalCode", "Country")
ADDRESSES = {"address": "ShipAddr", "postal_address": "BillAddr"}
TEXTS = {"phone": ("PrimaryPhone", "FreeFormNumber"), "fax": ("Fax", "FreeFormNumber"), "website": ("WebAddr", "URI")}
FORBIDDEN = {":": "a colon", "\t": "a tab", "\n": "a line break", "\r": "a line break"}
NAMES = NameRules(longest=NAME_LENGTH, without="".join(FORBIDDEN))
# Other words that a salutation may hold ("Aunt Mary") are no titles and stay here.
TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "dame", "rev", "hon"})


def check_name(name: str) -> None:
    """Raises `Rejected` with a sentence for a name the vendor would not take."""
    if not name.strip():
        raise Rejected(f"{NAME} takes no customer without a name.")
    if len(name) > NAME_LENGTH:
        raise Rejected(
            f"{NAME} takes names of at most {NAME_LENGTH} characters, and this one has {len(name)}. Shorten it here."
        )
    for character, words in FORBIDDEN.items():
        if character in name:
            raise Rejected(f"{NAME} takes no name with {words} in it. Change the client's name here.")


def new_customer(record: ClientRecord) -> Plain:
    """The body of a creation: what is empty is left out. Raises `Rejected`."""
    check_name(record.name)
    body: Plain = {"DisplayName": record.name, **_addresses(record)}
    for field in TEXTS:
        if value := getattr(record, field):
            body |= _text(field, value)
    contact = next((one for one in record.contacts if one.is_primary), None) or next(iter(record.contacts), None)
    return body | (_person(contact, record.name) if contact else {})


def changed_values(record: ClientRecord, fields: Mapping[str, Any]) -> Plain:
    """The elements of a sparse update of this record. Raises `Rejected`, also for what would have to be emptied.

    How a sparse update empties something is documented nowhere. An address is replaced as a whole; every part of it is
    named, so that none of the old one stays where the vendor should mix the two.
    """
    body: Plain = {}
    for field, value in fields.items():
        label = field.replace("_", " ")
        if field == "name":
            check_name(value)
            body["DisplayName"] = value
        elif field not in ADDRESSES and field not in TEXTS:
            raise Rejected(f"The portal does not write the {label} of a client to {NAME}.")
        elif _is_empty(value):
            if not _is_empty(getattr(record, field)):
                raise Rejected(
                    f"The portal cannot empty the {label} in {NAME}: {NAME} does not say how that is asked for. "
                    "Empty it there."
                )
        elif field in ADDRESSES:
            body[ADDRESSES[field]] = dict.fromkeys(ADDRESS_PARTS, "") | address_of(value)
        else:
            body |= _text(field, value)
    return body


def _is_empty(value: str | Address) -> bool:
    return not (any(value.parts()) if isinstance(value, Address) else value)


def _text(field: str, value: str) -> Plain:
    element, part = TEXTS[field]
    return {element: {part: _fitting(field, _with_scheme(value) if field == "website" else value)}}


def _addresses(record: ClientRecord) -> Plain:
    """The only address there is becomes the one for bills, which the vendor's own screens ask for first."""
    bill, ship = record.postal_address, record.address
    if not any(bill.parts()):
        bill, ship = ship, Address()
    made: Plain = {}
    for element, address in (("BillAddr", bill), ("ShipAddr", ship)):
        if any(address.parts()):
            made[element] = address_of(address)
    return made


def address_of(address: Address) -> Plain:
    lines = [line.strip() for line in address.street.splitlines() if line.strip()]
    most = len(LINES)
    if len(lines) > most:
        lines = [*lines[: most - 1], ", ".join(lines[most - 1 :])]
    if any(len(line) > LINE_LENGTH for line in lines):
        raise Rejected(f"{NAME} takes address lines of at most {LINE_LENGTH} characters. Shorten the address here.")
    for field, longest in ADDRESS_LENGTHS.items():
        if len(getattr(address, field)) > longest:
            raise Rejected(f"{NAME} takes at most {longest} characters for the {field} of an address. Shorten it here.")
    lines += [""] * (most - len(lines))
    texts = (*lines, address.city, address.region, address.postcode, address.country)
    return {part: text for part, text in zip(ADDRESS_PARTS, texts, strict=True) if text}


def _person(contact: ContactRecord, client_name: str) -> Plain:
    """The contact's name is sent unless it only repeats the client's."""
    made: Plain = {}
    if contact.name and contact.name != client_name:
        given, _, family = contact.name.partition(" ")
        for element, text in (("GivenName", given), ("FamilyName", family.strip())):
            if text:
                made[element] = _fitting("contact's name", _allowed(text))
        if contact.salutation.rstrip(".").lower() in TITLES:
            made["Title"] = contact.salutation
    if contact.email:
        made["PrimaryEmailAddr"] = {"Address": _email(contact.email)}
    if contact.mobile:
        made["Mobile"] = {"FreeFormNumber": _fitting("mobile", contact.mobile)}
    return made


def _email(text: str) -> str:
    if "@" not in text or "." not in text:
        raise Rejected(f"{NAME} does not take {text[:100]} as an email address. Correct it on the client's contact.")
    return _fitting("email", text)


def _allowed(text: str) -> str:
    for character, words in FORBIDDEN.items():
        if character in text:
            raise Rejected(f"{NAME} takes no contact with {words} in the name. Change it here.")
    return text


def _fitting(field: str, text: str) -> str:
    if len(text) > LENGTHS[field]:
        raise Rejected(f"{NAME} takes a {field} of at most {LENGTHS[field]} characters. Shorten it here.")
    return text


def _with_scheme(website: str) -> str:
    """The vendor refuses web addresses that are none; people write them without the beginning."""
    return website if not website or "://" in website else f"https://{website}"
