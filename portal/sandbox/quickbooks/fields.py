"""What may be written to a customer, vendor or employee, and how each value is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from portal.sandbox.quickbooks import faults

Value = Any
WEB = re.compile(r"^(https?://)?[^\s/.]+(\.[^\s/.]+)+([/?#:]\S*)?$", re.IGNORECASE)
ADDRESS_LINES = ("Line1", "Line2", "Line3", "Line4", "Line5")
ADDRESS = {
    **dict.fromkeys(ADDRESS_LINES, 500),
    "City": 255,
    "CountrySubDivisionCode": 255,
    "Country": 255,
    "PostalCode": 30,
    "Lat": 30,
    "Long": 30,
    "Note": 500,
}
NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")


@dataclass(frozen=True)
class Rule:
    """`kind` says how a value is checked; `most` is a length; `names` are the words allowed."""

    kind: str
    most: int = 0
    names: tuple[str, ...] = ()


TEXT_100, READ, REF, BOOL, NUMBER = Rule("text", 100), Rule("read"), Rule("ref"), Rule("bool"), Rule("number")
PHONE = Rule("phone", 30)
COMMON: dict[str, Rule] = {
    "Id": READ,
    "SyncToken": READ,
    "MetaData": READ,
    "domain": READ,
    "sparse": READ,
    "Title": Rule("name", 16),
    "GivenName": Rule("name", 100),
    "MiddleName": Rule("name", 100),
    "FamilyName": Rule("name", 100),
    "Suffix": Rule("name", 16),
    "DisplayName": Rule("name", 500),
    "PrintOnCheckName": Rule("text", 110),
    "Active": BOOL,
    "PrimaryPhone": PHONE,
    "AlternatePhone": PHONE,
    "Mobile": PHONE,
    "Fax": PHONE,
    "PrimaryEmailAddr": Rule("email", 100),
    "WebAddr": Rule("web", 1000),
    "Notes": Rule("text", 2000),
    "CustomField": Rule("free"),
    "ClientEntityId": READ,
    "V4IDPseudonym": READ,
}
CUSTOMER = COMMON | {
    "FullyQualifiedName": READ,
    "CompanyName": TEXT_100,
    "BillAddr": Rule("address"),
    "ShipAddr": Rule("address"),
    "Balance": NUMBER,
    "OpenBalanceDate": Rule("date"),
    "BalanceWithJobs": READ,
    "Job": BOOL,
    "ParentRef": REF,
    "BillWithParent": BOOL,
    "Level": READ,
    "IsProject": READ,
    "Taxable": BOOL,
    "DefaultTaxCodeRef": REF,
    "TaxExemptionReasonId": Rule("text", 2),
    "ResaleNum": Rule("text", 16),
    "CurrencyRef": REF,
    "SalesTermRef": REF,
    "PaymentMethodRef": REF,
    "CustomerTypeRef": REF,
    "ARAccountRef": REF,
    "PreferredDeliveryMethod": Rule("choice", names=("Print", "Email", "None")),
    "PrimaryTaxIdentifier": Rule("secret", 20),
    "SecondaryTaxIdentifier": Rule("secret", 20),
    "GSTIN": Rule("text", 15),
    "GSTRegistrationType": Rule("text", 15),
    "BusinessNumber": Rule("text", 10),
}
VENDOR = COMMON | {
    "CompanyName": TEXT_100,
    "BillAddr": Rule("address"),
    "Balance": READ,
    "OpenBalanceDate": Rule("date"),
    "AcctNum": TEXT_100,
    "Vendor1099": BOOL,
    "TaxIdentifier": Rule("secret", 20),
    "TermRef": REF,
    "APAccountRef": REF,
    "CurrencyRef": REF,
    "OtherContactInfo": Rule("free"),
    "BillRate": NUMBER,
    "CostRate": NUMBER,
    "VendorPaymentBankDetail": READ,
    "TaxReportingBasis": TEXT_100,
    "BusinessNumber": Rule("text", 10),
    "GSTIN": Rule("text", 15),
    "GSTRegistrationType": Rule("text", 15),
}
EMPLOYEE = COMMON | {
    "PrimaryAddr": Rule("address"),
    "SSN": Rule("secret", 20),
    "EmailAddress": READ,
    "EmployeeNumber": TEXT_100,
    "EmployeeType": TEXT_100,
    "BillableTime": BOOL,
    "BillRate": NUMBER,
    "CostRate": NUMBER,
    "BirthDate": Rule("date"),
    "HiredDate": Rule("date"),
    "ReleasedDate": Rule("date"),
    "Gender": Rule("choice", names=("Male", "Female")),
    "Organization": BOOL,
}
RULES: Mapping[str, Mapping[str, Rule]] = {"Customer": CUSTOMER, "Vendor": VENDOR, "Employee": EMPLOYEE}


def checked(entity: str, sent: Mapping[str, Any]) -> dict[str, Value]:
    """The writable values of a body; None for one that is to be emptied. Raises Fault."""
    return checked_by(RULES[entity], sent)


def checked_by(rules: Mapping[str, Rule], sent: Mapping[str, Any]) -> dict[str, Value]:
    """The same, by other rules."""
    found = {}
    for name, value in sent.items():
        rule = rules.get(name)
        if rule is None:
            raise faults.bad_property(name)
        if rule.kind != "read":
            found[name] = _value(name, rule, value)
    return found


def _value(name: str, rule: Rule, value: Any) -> Value:
    if value is None or value == "":
        return None
    if rule.kind in ("bool", "number"):
        return _plain(name, rule.kind, value)
    if rule.kind == "free":
        return value
    if rule.kind == "address":
        return _address(name, value)
    if rule.kind in ("phone", "email", "web", "ref"):
        return _wrapped(name, rule, value)
    text = _text(name, value, rule.most or 4000)
    if rule.kind == "name":
        if any(mark in text for mark in ":\t\n\r"):
            raise faults.bad_characters(name)
        return text.strip() or None
    if rule.kind == "choice" and text not in rule.names:
        raise faults.bad_choice(name, text)
    if rule.kind == "date":
        return _date(text)
    return f"XXXX{text[-5:]}" if rule.kind == "secret" else text


def _plain(name: str, kind: str, value: Any) -> bool | int | float:
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise faults.bad_property(name)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as reason:
        raise faults.bad_date(text) from reason


def _wrapped(name: str, rule: Rule, value: Any) -> dict[str, str] | None:
    inner = {"phone": "FreeFormNumber", "email": "Address", "web": "URI", "ref": "value"}[rule.kind]
    allowed = {inner, "name", "type"} if rule.kind == "ref" else {inner, "Id", "Default", "Tag"}
    parts = _parts(name, value, allowed)
    text = _text(f"{name}.{inner}", parts.get(inner) or "", rule.most or 100)
    if not text:
        return None
    if rule.kind == "email" and ("@" not in text or "." not in text):
        raise faults.bad_email(text)
    if rule.kind == "web" and not WEB.match(text):
        raise faults.bad_url(text)
    if rule.kind == "ref" and parts.get("name"):
        return {"value": text, "name": str(parts["name"])}
    return {inner: text}


def _address(name: str, value: Any) -> dict[str, str] | None:
    parts = _parts(name, value, {*ADDRESS, "Id"})
    found = {part: _text(f"{name}.{part}", parts[part], most) for part, most in ADDRESS.items() if parts.get(part)}
    whole = sum(len(found.get(line, "")) for line in ADDRESS_LINES)
    if whole > 2000:
        raise faults.wrong_length(2000, whole)
    return found or None


def _parts(name: str, value: Any, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise faults.bad_property(name)
    for part in value:
        if part not in allowed:
            raise faults.bad_property(f"{name}.{part}")
    return value


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str):
        raise faults.bad_property(name)
    if len(value) > most:
        raise faults.wrong_length(most, len(value))
    return value
