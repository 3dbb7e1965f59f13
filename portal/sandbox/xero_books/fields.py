"""What may be sent for a contact: names, lengths, allowed values, and what breaks a rule."""

from __future__ import annotations

import re
from typing import Any

from portal.sandbox.xero_books.records import ADDRESS_LINES, ADDRESS_TYPES, PHONE_TYPES, Fields
from portal.sandbox.xero_books.wire import NO_GUID, bad_data, clean

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+")
COUNTRY = re.compile(r"[A-Za-z ]*")
TEXTS = {
    "ContactNumber": 50,
    "AccountNumber": 50,
    "FirstName": 255,
    "LastName": 255,
    "EmailAddress": 255,
    "CompanyNumber": 50,
    "TaxNumber": 50,
    "BankAccountDetails": 255,
    "AccountsReceivableTaxType": 50,
    "AccountsPayableTaxType": 50,
    "DefaultCurrency": 3,
    "XeroNetworkKey": 255,
    "SalesDefaultAccountCode": 50,
    "PurchasesDefaultAccountCode": 50,
}
LINE_AMOUNTS = ("INCLUSIVE", "EXCLUSIVE", "NONE")
CHOICES = {
    "ContactStatus": ("ACTIVE", "ARCHIVED", "GDPRREQUEST"),
    "TaxNumberType": ("SSN", "EIN", "ITIN", "ATIN"),
    "SalesDefaultLineAmountType": LINE_AMOUNTS,
    "PurchasesDefaultLineAmountType": LINE_AMOUNTS,
}
TERM_TYPES = ("DAYSAFTERBILLDATE", "DAYSAFTERBILLMONTH", "OFCURRENTMONTH", "OFFOLLOWINGMONTH")
ADDRESS_PARTS = dict.fromkeys(ADDRESS_LINES, 500) | {
    "City": 255, "Region": 255, "PostalCode": 50, "Country": 50, "AttentionTo": 255,
}  # fmt: skip
PHONE_PARTS = {"PhoneNumber": 50, "PhoneAreaCode": 10, "PhoneCountryCode": 20}
PERSON_TEXTS = {"FirstName": 255, "LastName": 255, "EmailAddress": 255}
MOST_PEOPLE = 5
LONGEST_NAME = 255


def read(sent: dict[str, Any]) -> Fields:
    """What was sent, typed; what the API ignores is left out, and so is null. Raises ApiError for a wrong type.

    `ContactID` is there only when it is a real identifier; addresses and phones are by type.
    """
    found: Fields = {}
    contact = _text(sent, "ContactID")
    if contact and contact != NO_GUID:
        if not GUID.fullmatch(contact):
            raise bad_data(f"{contact!r} is not a ContactID.")
        found["ContactID"] = contact.lower()
    for key in ("Name", *TEXTS):
        if (text := _text(sent, key)) is not None:
            found[key] = text
    for key, choices in CHOICES.items():
        if value := _text(sent, key):
            found[key] = _chosen(key, value, choices)
    if (entries := _list(sent, "Addresses")) is not None:
        found["Addresses"] = _by_type(entries, "AddressType", (*ADDRESS_TYPES, "DELIVERY"), ADDRESS_PARTS)
        found["Addresses"].pop("DELIVERY", None)  # only an organisation has one; here it is silently dropped
    if (entries := _list(sent, "Phones")) is not None:
        found["Phones"] = _by_type(entries, "PhoneType", (*PHONE_TYPES, "OFFICE"), PHONE_PARTS)
    if (entries := _list(sent, "ContactPersons")) is not None:
        found["ContactPersons"] = [_person(entry) for entry in entries]
    for key in ("SalesTrackingCategories", "PurchasesTrackingCategories"):
        if (entries := _list(sent, key)) is not None:
            names = ("TrackingCategoryName", "TrackingOptionName")
            found[key] = [{name: _text(entry, name) or "" for name in names} for entry in entries]
    if isinstance(terms := sent.get("PaymentTerms"), dict):
        found["PaymentTerms"] = {side: _term(terms[side]) for side in ("Bills", "Sales") if terms.get(side)}
    return found


def odd_name(name: str) -> str | None:
    """Why the vendor quietly does not save a name; None when it does."""
    if len(name) > LONGEST_NAME:
        return f"The contact name must not be longer than {LONGEST_NAME} characters"
    if "<" in name or ">" in name:
        return "The contact name must not contain angle brackets"
    if name != name.strip() or "  " in name:
        return "The contact name must not contain doubled, leading or trailing spaces"
    return None


def complaints(sent: Fields) -> list[str]:
    """Rules broken by the values alone."""
    found = [_too_long(key, most) for key, most in TEXTS.items() if len(sent.get(key, "")) > most]
    emails = [sent.get("EmailAddress", ""), *(one.get("EmailAddress", "") for one in sent.get("ContactPersons", []))]
    if any(email and not EMAIL.fullmatch(email) for email in emails):
        found.append("Email address must be valid")
    for key, parts in (("Addresses", ADDRESS_PARTS), ("Phones", PHONE_PARTS)):
        for entry in sent.get(key, {}).values():
            found += [_too_long(part, most) for part, most in parts.items() if len(entry.get(part, "")) > most]
    if any(not COUNTRY.fullmatch(entry.get("Country", "")) for entry in sent.get("Addresses", {}).values()):
        found.append("Country must contain letters only")
    people = sent.get("ContactPersons", [])
    if len(people) > MOST_PEOPLE:
        found.append(f"A contact can have up to {MOST_PEOPLE} contact persons")
    for one in people:
        found += [_too_long(part, most) for part, most in PERSON_TEXTS.items() if len(one.get(part, "")) > most]
    return found


def merged(before: Fields, sent: Fields, *, empty_clears: bool, parts_are_whole: bool) -> Fields:
    """The contact after this request. What was left out stays; people and categories are replaced as a list."""
    after = dict(before)
    for key, value in sent.items():
        if key == "ContactID" or (value == "" and not empty_clears):
            continue
        if key in ("Addresses", "Phones"):
            after[key] = dict(before.get(key, {}))
            for kind, parts in value.items():
                kept = {} if parts_are_whole else after[key].get(kind, {})
                after[key][kind] = kept | {name: text for name, text in parts.items() if text or empty_clears}
        elif key == "PaymentTerms":
            after[key] = before.get(key, {}) | value
        else:
            after[key] = value
    return after


def _text(sent: dict[str, Any], key: str) -> str | None:
    """A number is taken for its text; None when absent or null."""
    value = sent.get(key)
    if isinstance(value, dict | list):
        raise bad_data(f"{key} is not a text.")
    if value is None or isinstance(value, str):
        return None if value is None else clean(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(sent: dict[str, Any], key: str) -> list[dict[str, Any]] | None:
    value = sent.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise bad_data(f"{key} is not a list of objects.")
    return value


def _chosen(key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise bad_data(f"{value!r} is not one of the values of {key}: {', '.join(choices)}.")
    return value


def _by_type(
    entries: list[dict[str, Any]], key: str, kinds: tuple[str, ...], parts: dict[str, int]
) -> dict[str, dict[str, str]]:
    found = {}
    for entry in entries:
        kind = _chosen(key, _text(entry, key) or "", kinds)
        found[kind] = {part: text for part in parts if (text := _text(entry, part)) is not None}
    return found


def _person(entry: dict[str, Any]) -> Fields:
    made: Fields = {key: text for key in PERSON_TEXTS if (text := _text(entry, key)) is not None}
    included = _text(entry, "IncludeInEmails") or "false"
    return made | {"IncludeInEmails": _chosen("IncludeInEmails", included.lower(), ("true", "false")) == "true"}


def _term(value: Any) -> Fields:
    if not isinstance(value, dict):
        raise bad_data("PaymentTerms are not objects.")
    day = _text(value, "Day") or "0"
    if not day.isdigit() or int(day) > 31:
        raise bad_data("Day of PaymentTerms is a number from 0 to 31.")
    return {"Day": int(day), "Type": _chosen("Type", _text(value, "Type") or "", TERM_TYPES)}


def _too_long(key: str, most: int) -> str:
    return f"{key} must not be longer than {most} characters"
