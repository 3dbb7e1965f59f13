"""A change to a contact that exists, as Xero has to be told: the name alone, or with addresses and numbers.

What a call leaves out Xero keeps, but a list it names is replaced as a whole. So a change that names an address or a
number looks at the contact first and sends its list back with nothing replaced but the entry concerned; a change of
the name alone costs no look.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from portal.adapters.base import Moved, Rejected, Session, UnexpectedReply
from portal.adapters.values import Raw, address_stayed, items, line
from portal.adapters.xero import lookup, reading
from portal.adapters.xero.reading import NAME, PRIMARY
from portal.adapters.xero.writing import ADDRESS_PARTS, Item, Outcome, Wanted, address_parts, checked_name
from portal.domain.records import Address, ClientRecord, RecordChange

ADDRESSES = {"address": "STREET", "postal_address": "POBOX"}
PHONES = {"phone": "DEFAULT", "fax": "FAX"}
WRITTEN = frozenset({"name", *ADDRESSES, *PHONES})
CODES = ("PhoneCountryCode", "PhoneAreaCode")


def change(session: Session, one: RecordChange) -> Wanted | Rejected | UnexpectedReply:
    """A change to send, or why it is not sent. Raises what concerns all changes, such as an outage."""
    try:
        _check_fields(one)
        item: Item = {"ContactID": one.record.remote_id}
        name = one.record.name
        if "name" in one.change.fields:
            item["Name"] = name = checked_name(str(one.change.fields["name"]))
        before = one.record
        if set(one.change.fields) - {"name"}:
            raw, before = lookup.contact(session, one.record.remote_id)
            _check_unmoved(one, before)
            item |= lists(one.change.fields, raw)
    except (Rejected, UnexpectedReply) as refusal:
        return refusal
    return Wanted(one.key, name, item, partial(after_change, one, before))


def lists(fields: dict[str, Any], raw: Raw) -> Item:
    """The lists that these fields concern, whole: as they came but for what changes."""
    made: Item = {}
    addresses = {kind: fields[field] for field, kind in ADDRESSES.items() if field in fields}
    if addresses:
        made["Addresses"] = _with_addresses(items(raw, "Addresses"), addresses)
    phones = {kind: fields[field] for field, kind in PHONES.items() if field in fields}
    if phones:
        made["Phones"] = _with_phones(items(raw, "Phones"), phones)
    return made


def after_change(one: RecordChange, before: ClientRecord, answer: Raw) -> Outcome:
    """The record as it stands: an answer to a write leaves people and website out, or shows none where there are."""
    fresh = reading.client(answer)
    kept = tuple(person for person in before.contacts if person.remote_id != PRIMARY)
    primary = tuple(person for person in fresh.contacts if person.remote_id == PRIMARY)
    record = replace(fresh, contacts=(*primary, *kept), website=before.website)
    return _not_taken(one.change.fields, before, record) or record


def _check_fields(one: RecordChange) -> None:
    """Raises `Rejected` for what is not written."""
    if one.change.contacts:
        raise Rejected(
            f"The portal does not write the people of a contact that is in {NAME} already. Change them in {NAME}."
        )
    if "website" in one.change.fields:
        raise Rejected(
            f"{NAME} shows the website of a contact and lets nobody write it, so the portal does not either."
        )
    if left := sorted(set(one.change.fields) - WRITTEN):
        raise Rejected(f"The portal does not write the {_words(left)} of a contact to {NAME}.")


def _check_unmoved(one: RecordChange, now: ClientRecord) -> None:
    """Raises `Moved` when somebody changed there what this change replaces: it was decided on without knowing that."""
    moved = [field for field in one.change.fields if getattr(now, field) != getattr(one.record, field)]
    if moved or now.state != one.record.state:
        raise Moved(f"Somebody changed the {_words(sorted(moved)) or 'state'} of this contact in {NAME} meanwhile.")


def _with_addresses(listed: list[Item], wanted: dict[str, Address]) -> list[Item]:
    """Every part is named, also what is empty now; whose attention it is for stays."""
    made = {kind: dict.fromkeys(ADDRESS_PARTS, "") | address_parts(address) for kind, address in wanted.items()}
    kept = [entry | made.get(line(entry, "AddressType"), {}) for entry in listed]
    known = {line(entry, "AddressType") for entry in listed}
    return kept + [{"AddressType": kind} | parts for kind, parts in made.items() if kind not in known]


def _with_phones(listed: list[Item], wanted: dict[str, str]) -> list[Item]:
    kept = [
        entry | _number(wanted[kind], entry) if (kind := line(entry, "PhoneType")) in wanted else entry
        for entry in listed
    ]
    known = {line(entry, "PhoneType") for entry in listed}
    return kept + [{"PhoneType": kind} | _number(number, {}) for kind, number in wanted.items() if kind not in known]


def _number(number: str, entry: Raw) -> Item:
    """The parts that read as this number: behind the codes there are when it begins with them, else without codes."""
    codes = reading.dialled_first(entry)
    if codes and number.startswith(f"{codes} "):
        return {"PhoneNumber": number.removeprefix(codes).strip()}
    return dict.fromkeys(CODES, "") | {"PhoneNumber": number}


def _not_taken(fields: dict[str, Any], before: ClientRecord, now: ClientRecord) -> Rejected | None:
    """Whether an empty text empties is not documented: what stayed there all the same is said, not passed over."""
    for field, wanted in fields.items():
        was, there = getattr(before, field), getattr(now, field)
        if field in ADDRESSES:
            stayed, reads = address_stayed(was, wanted, there), ", ".join(there.lines()).replace("\n", ", ")
        else:
            stayed, reads = field in PHONES and _dialled(wanted) != _dialled(there), there
        if stayed:
            return Rejected(
                f"{NAME} did not take the {_words([field])} as it was sent: it reads {reads or 'nothing'} there now. "
                f"Correct it in {NAME}.", status=200,
            )  # fmt: skip
    return None


def _dialled(number: str) -> str:
    return "".join(character for character in number if character.isalnum())


def _words(fields: list[str]) -> str:
    return " and ".join(fields).replace("_", " ")
