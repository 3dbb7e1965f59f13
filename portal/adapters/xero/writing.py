"""Writing contacts to Xero, up to fifty in a call, each with its own outcome; and what a new one looks like.

Its answers may say yes and hold a refusal, or leave out what a contact holds; so little of them is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from portal.adapters.base import AdapterError, Rejected, Session, Unknown
from portal.adapters.http import BATCH_WRITE, QUICK
from portal.adapters.values import NotUnderstood, Raw, line
from portal.adapters.xero import reading
from portal.adapters.xero.reading import NAME, NO_ID, STREET_LINES
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT
from portal.domain.records import Address, ClientRecord, ContactRecord, NewRecord
from portal.domain.text import BadText, NameRules

LONGEST_NAME = 255
NAMES = NameRules(longest=LONGEST_NAME, without="<>", single_spaces=True)
MOST_PERSONS = 5
ADDRESS_PARTS = (*STREET_LINES, "City", "Region", "PostalCode", "Country")
ONE_BY_ONE = {"summarizeErrors": "false"}  # an outcome for each; without it one bad one sinks all

Item = dict[str, Any]
Outcome = ClientRecord | AdapterError


@dataclass(frozen=True)
class Wanted:
    """One write: what is sent, whom it is about, and what the answer to it makes of the record."""

    key: str
    name: str
    item: Item
    settle: Callable[[Raw], Outcome]


def checked_name(name: str) -> str:
    """The name, if Xero would take it. Raises `Rejected` with what to do: Xero may say yes and save nothing."""
    if not name.strip():
        raise Rejected(f"{NAME} does not take a contact without a name.")
    if "<" in name or ">" in name:
        raise Rejected(f"{NAME} takes no < or > in a name. Take them out of {name} and it goes out.")
    if "  " in name:
        raise Rejected(f"{NAME} takes no two spaces in a row in a name. Make them one in {name} and it goes out.")
    if len(name) > LONGEST_NAME:
        raise Rejected(f"{NAME} takes names of at most {LONGEST_NAME} characters; this one has {len(name)}.")
    return name


def creation(one: NewRecord) -> Wanted | Rejected:
    """A contact to create, or why it is not sent."""
    try:
        item = new_item(one.record)
    except Rejected as refusal:
        return refusal
    return Wanted(one.key, item["Name"], item, partial(after_creation, item))


def new_item(record: ClientRecord) -> Item:
    """What is empty stays out. Raises `Rejected`."""
    first = next((one for one in record.contacts if one.is_primary), next(iter(record.contacts), None))
    rest = [one for one in record.contacts if one is not first]
    phones = {"DEFAULT": record.phone, "FAX": record.fax}
    if first is not None:
        phones |= {"DDI": first.phone, "MOBILE": first.mobile}
    addresses = {"STREET": record.address, "POBOX": record.postal_address}
    item: Item = {
        "Name": checked_name(record.name),
        **(_person(first, record.name) if first is not None else {}),
        "Addresses": [{"AddressType": kind} | address_parts(one) for kind, one in addresses.items() if one.lines()],
        "Phones": [{"PhoneType": kind, "PhoneNumber": number} for kind, number in phones.items() if number],
        "ContactPersons": [_person(one, "") for one in rest[:MOST_PERSONS]],
    }
    return {name: value for name, value in item.items() if value}


def send(session: Session, method: str, asked: Sequence[Wanted | AdapterError]) -> list[Outcome]:
    """Write in one call what may be written; each in its place what came of it, or why it was not sent."""
    wanted = [one for one in asked if isinstance(one, Wanted)]
    answers = _answers(session, method, wanted) if wanted else []
    items = [one.item for one in wanted]
    settled = iter([_settled(one, _answer_to(place, items, answers)) for place, one in enumerate(wanted)])
    return [next(settled) if isinstance(one, Wanted) else one for one in asked]


def _answers(session: Session, method: str, wanted: Sequence[Wanted]) -> list[Any]:
    body = json.dumps({"Contacts": [one.item for one in wanted]}, ensure_ascii=False).encode()
    # The same try of the same things has the same key, and nothing else has: Xero refuses a key that comes back with
    # another body, and a batch may be put together anew.
    key = hashlib.blake2b("\n".join([method, *(one.key for one in wanted)]).encode() + body, digest_size=16).hexdigest()
    found = reading.Envelope("Contacts")
    session.write(
        method, f"{ROOT}/Contacts", body, "application/json", params=ONE_BY_ONE, headers={"Idempotency-Key": key},
        patience=BATCH_WRITE if len(wanted) > 1 else QUICK, check=found,
    ).close()  # fmt: skip
    return found.entries


def _settled(one: Wanted, answer: Raw | None) -> Outcome:
    name = one.name
    if answer is None:
        return Unknown(f"{NAME}'s answer says nothing about {name}; it may or may not have done it.")
    try:
        trouble = reading.complaints(answer)
        is_refused = line(answer, "StatusAttributeString").upper() == "ERROR"
        if is_refused or trouble or answer.get("HasValidationErrors") is True:
            reason = trouble or "it gave no reason"
            return Rejected(f"{NAME} refused {name}: {reason}", status=200, vendor_text=reason)
        if line(answer, "ContactID") in ("", NO_ID):
            return Unknown(f"{NAME} did not say which contact {name} is; it may or may not have done it.")
        return one.settle(answer)
    except (NotUnderstood, BadText) as error:
        return Unknown(f"{NAME} answered for {name} in a way that cannot be understood: {error}")


def _answer_to(place: int, sent: list[Item], answers: list[Any]) -> Raw | None:
    """What was answered to the item at this place: by place when all are there, else by identifier or name."""
    known = [one for one in answers if isinstance(one, dict)]
    if len(known) == len(sent) and _may_be(known[place], sent[place]):
        return known[place]
    fitting = [one for one in known if _is(one, sent[place])]
    return fitting[0] if len(fitting) == 1 else None


def _may_be(answer: Raw, item: Item) -> bool:
    """An item that failed may come back without its identifier."""
    return _is(answer, item) or str(answer.get("ContactID") or NO_ID) == NO_ID


def _is(answer: Raw, item: Item) -> bool:
    for name in ("ContactID", "Name"):
        if name in item:
            return str(answer.get(name) or "").casefold() == str(item[name]).casefold()
    return False


def after_creation(item: Item, answer: Raw) -> ClientRecord:
    """The record as it stands, with the people that were sent where the answer leaves them out."""
    return reading.client({**answer, "ContactPersons": answer.get("ContactPersons") or item.get("ContactPersons")})


def address_parts(address: Address) -> Item:
    """The parts that are filled. A street of more than four lines has the rest in the fourth."""
    street = [one.strip() for one in address.street.split("\n") if one.strip()]
    most = len(STREET_LINES)
    told = [*street[: most - 1], ", ".join(street[most - 1 :])]
    told += [""] * (most - len(told))
    texts = (*told, address.city, address.region, address.postcode, address.country)
    return {part: text for part, text in zip(ADDRESS_PARTS, texts, strict=True) if text}


def _person(contact: ContactRecord, client_name: str) -> Item:
    """First and further names; a person who only goes by the client's name has none of their own."""
    first, _space, last = ("" if contact.name == client_name else contact.name).partition(" ")
    parts = {"FirstName": first, "LastName": last, "EmailAddress": contact.email}
    return {name: text for name, text in parts.items() if text}
