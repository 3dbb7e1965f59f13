"""Answers held against the vendor's own OpenAPI description of its Accounting API, where a copy of it is at hand.

XERO_SPECIFICATION names the file; without it, one beside the project is looked for. Its known oddities are treated with
tolerance: `$ref` has siblings (a validator of OpenAPI 3.0 ignores those, as it should), some booleans have a text as
default, dates are texts without a format, and timestamps of the examples are no texts once YAML has read them (the
examples are not used here). It describes no envelope around the lists, and less of an error's elements than comes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from portal.sandbox.server import create_app
from portal.sandbox.xero_books.api import ROOT
from tests.sandbox.books import Books

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: see requirements-dev.txt")
validators = pytest.importorskip("openapi_schema_validator", reason="openapi-schema-validator is not installed")
referencing = pytest.importorskip("referencing", reason="it comes with openapi-schema-validator")

NAME = "xero_accounting.yaml"
ENVELOPE = {"Id", "Status", "ProviderName", "DateTimeUTC"}  # around every list, and in none of the schemas
# In the vendor's documentation and its answers only.
UNDESCRIBED = {"HistoryRecord.DateUTCString", "Invoice.DateString", "Invoice.DueDateString"}
ALIASES = {"/Organisations": "/Organisation"}  # the sandbox takes both


def specification_file() -> Path | None:
    named = os.environ.get("XERO_SPECIFICATION")
    found = [Path(named)] if named else sorted(Path(__file__).parents[3].glob(f"*/vendors/specs/{NAME}"))
    return next((path for path in found if path.is_file()), None)


@cache
def read(path: Path) -> dict[str, Any]:
    """Nearly a megabyte: read once, with the quick reader where it was built in."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))


@pytest.fixture(scope="module")
def specification() -> dict[str, Any]:
    path = specification_file()
    if path is None:
        pytest.skip(f"no copy of {NAME}: set XERO_SPECIFICATION to it")
    return read(path)


def problems(specification: dict[str, Any], schema: str, value: Any) -> list[str]:
    """What is wrong with `value`, and what of it the description does not know."""
    resource = referencing.Resource.from_contents(specification, default_specification=referencing.jsonschema.DRAFT4)
    validator = validators.OAS30Validator(
        {"$ref": f"urn:xero#/components/schemas/{schema}"},
        registry=referencing.Registry().with_resource("urn:xero", resource),
        format_checker=validators.oas30_format_checker,
    )
    wrong = [f"{'.'.join(map(str, one.path))}: {one.message}" for one in validator.iter_errors(value)]
    return wrong + list(unknown(specification["components"]["schemas"], schema, value))


def unknown(schemas: dict[str, Any], name: str, value: Any) -> Iterator[str]:
    """Keys without a description; the schemas allow them, but the sandbox shall not make any up."""
    for key, inner in value.items():
        described = schemas[name].get("properties", {}).get(key)
        if described is None:
            if f"{name}.{key}" not in UNDESCRIBED and key not in ENVELOPE:
                yield f"{name}.{key} is not described"
            continue
        kind = (described.get("$ref") or described.get("items", {}).get("$ref") or "").rsplit("/", 1)[-1]
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, dict) and kind:
                yield from unknown(schemas, kind, one)


def furnish(books: Books) -> str:
    """A contact with everything that can be sent, and more that only Xero itself sets; its identifier."""
    made = books.create(
        Name="Furnished Ltd", FirstName="Ana", LastName="Leota", EmailAddress="ana@furnished.example",
        ContactNumber="F-1", AccountNumber="A-1", CompanyNumber="123", TaxNumber="1", TaxNumberType="SSN",
        BankAccountDetails="01-0001-0000001-00", AccountsReceivableTaxType="OUTPUT2", AccountsPayableTaxType="INPUT2",
        DefaultCurrency="NZD", XeroNetworkKey="KEY", SalesDefaultAccountCode="200", PurchasesDefaultAccountCode="400",
        SalesDefaultLineAmountType="INCLUSIVE", PurchasesDefaultLineAmountType="EXCLUSIVE",
        SalesTrackingCategories=[{"TrackingCategoryName": "Office", "TrackingOptionName": "Hamilton"}],
        PaymentTerms={"Bills": {"Day": 15, "Type": "OFCURRENTMONTH"}, "Sales": {"Day": 20, "Type": "OFFOLLOWINGMONTH"}},
        Addresses=[{"AddressType": "POBOX", "AddressLine1": "PO Box 1", "AttentionTo": "Ana", "City": "Hamilton"}],
        Phones=[{"PhoneType": "OFFICE", "PhoneNumber": "555 0100"}],
        ContactPersons=[{"FirstName": "Sam", "LastName": "Lee", "EmailAddress": "s@x.example"}],
    )  # fmt: skip
    books.other_side("PATCH", f"contacts/{made['ContactID']}", {
        "Website": "https://www.furnished.example", "Balances": {"owed": "118.90", "late": "40"},
        "BrandingTheme": {"BrandingThemeID": made["ContactID"], "Name": "Standard"},
    })  # fmt: skip
    line = {"Description": "Work", "Quantity": 2, "UnitAmount": 60, "DiscountRate": 10, "AccountCode": "200"}
    tracking = [{"Name": "Office", "Option": "Hamilton"}]
    invoice = {
        "Type": "ACCREC", "Contact": {"ContactID": made["ContactID"]}, "InvoiceNumber": "S-1", "Reference": "PO 1",
        "DueDate": "2026-12-20", "Status": "AUTHORISED", "Url": "https://portal.example.co.nz/1", "SentToContact": True,
        "LineItems": [{**line, "Tracking": tracking}, {"ItemCode": "ADVICE"}],
    }  # fmt: skip
    books.json("PUT", "Invoices?summarizeErrors=true", {"Invoices": [invoice]})
    books.other_side("POST", "invoices/S-1/credit", {"amount": "5"})
    books.other_side("POST", "invoices/S-1/pay", {"reference": "cheque"})
    return str(made["ContactID"])


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("Contacts", "Contacts"),
        ("Contacts?page=1&includeArchived=true&pageSize=1000", "Contacts"),
        ("Contacts?summaryOnly=true", "Contacts"),
        ("Contacts/{contact}", "Contacts"),
        ("Contacts/{contact}/History", "HistoryRecords"),
        ("Organisation", "Organisations"),
        ("Organisation/Actions", "Actions"),
        ("Accounts", "Accounts"),
        ("TaxRates", "TaxRates"),
        ("TrackingCategories", "TrackingCategories"),
        ("BrandingThemes", "BrandingThemes"),
        ("Currencies", "Currencies"),
        ("Users", "Users"),
        ("Items", "Items"),
        ("Invoices", "Invoices"),
        ("Invoices?page=1&unitdp=4", "Invoices"),
        ("Invoices?summaryOnly=true", "Invoices"),
        ("Invoices/S-1", "Invoices"),
        ("Invoices/S-1/History", "HistoryRecords"),
        ("Payments", "Payments"),
        ("Payments?page=1", "Payments"),
    ],
)
def test_what_is_read_is_as_described(books: Books, specification: dict[str, Any], path: str, schema: str) -> None:
    answer = books.json("GET", path.format(contact=furnish(books)))
    assert set(answer) >= ENVELOPE
    assert answer[schema], "nothing was read"
    assert problems(specification, schema, answer) == []


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_what_is_written_comes_back_as_described(books: Books, specification: dict[str, Any], method: str) -> None:
    books.create(Name="Taken Ltd")
    phones = [{"PhoneType": "MOBILE", "PhoneNumber": "1"}]
    batch = {"Contacts": [{"Name": "Fresh Ltd", "Phones": phones}, {"Name": "Bad Ltd", "EmailAddress": "x"}]}
    answer = books.json(method, "Contacts?summarizeErrors=false", batch)
    assert [one["StatusAttributeString"] for one in answer["Contacts"]] == ["OK", "ERROR"]
    assert problems(specification, "Contacts", answer) == []
    note = {"HistoryRecords": [{"Details": "Called them"}]}
    noted = books.json("PUT", f"Contacts/{answer['Contacts'][0]['ContactID']}/History", note)
    assert problems(specification, "HistoryRecords", noted) == []


@pytest.mark.parametrize("family", ["Invoices", "Payments"])
def test_what_is_billed_and_paid_comes_back_as_described(
    books: Books, specification: dict[str, Any], family: str
) -> None:
    furnish(books)
    contact = {"ContactID": books.contacts("?page=1")[0]["ContactID"]}
    line = {"Description": "Work", "Quantity": 1, "UnitAmount": 60, "AccountCode": "200", "TaxType": "OUTPUT2"}
    good = {"Type": "ACCREC", "Contact": contact, "DueDate": "2026-12-20", "Status": "AUTHORISED", "LineItems": [line]}
    sent = {"Invoices": [good, {**good, "CurrencyCode": "EUR"}, {**good, "Status": "DRAFT", "SentToContact": True}]}
    answer = books.json("PUT", "Invoices?summarizeErrors=false", sent)
    assert [one["StatusAttributeString"] for one in answer["Invoices"]] == ["OK", "ERROR", "WARNING"]
    if family == "Payments":
        paid = {"Invoice": {"InvoiceID": answer["Invoices"][0]["InvoiceID"]}, "Account": {"Code": "090"}, "Amount": 1}
        sent = {"Payments": [paid, {**paid, "Amount": 1000}]}
        answer = books.json("PUT", "Payments?summarizeErrors=false", sent)
        assert [one["StatusAttributeString"] for one in answer["Payments"]] == ["OK", "ERROR"]
    assert problems(specification, family, answer) == []


def test_refusals_are_as_described(books: Books, specification: dict[str, Any]) -> None:
    bad = books.ask("POST", "Contacts", {"Contacts": [{"Name": "Bad Ltd", "EmailAddress": "x"}]}).json()
    for element in bad["Elements"]:
        # The description has only identifiers and messages of an element; the element that was sent comes back whole.
        assert element["HasValidationErrors"] is True
        for sent in ("Name", "EmailAddress", "ContactGroups", "ContactPersons", "HasValidationErrors"):
            element.pop(sent)
    unreadable = books.ask("POST", "Contacts", {"Contacts": [{"Name": "X", "ContactStatus": "GONE"}]}).json()
    unclear = books.ask("GET", "Contacts?where=Name==").json()
    for body in (bad, unreadable, unclear):
        assert problems(specification, "Error", body) == []


def test_the_check_would_notice(specification: dict[str, Any]) -> None:
    wrong = {"Contacts": [{"ContactID": "1", "ContactStatus": "GONE", "Colour": "red", "IsSupplier": "yes"}]}
    found = "\n".join(problems(specification, "Contacts", wrong))
    for part in ("not a 'uuid'", "'GONE' is not one of", "Contact.Colour is not described", "not of type 'boolean'"):
        assert part in found


def test_no_path_of_the_sandbox_is_made_up(books: Books, specification: dict[str, Any]) -> None:
    described = {
        (re.sub(r"{\w+}", "{}", path), method.upper())
        for path, methods in specification["paths"].items()
        for method in methods
    }
    made_up = []
    for rule in create_app(books.sandbox.box).url_map.iter_rules():
        if not rule.rule.startswith(ROOT) or rule.endpoint.endswith("organisation_is_read_only"):
            continue
        plain = rule.rule.removeprefix(ROOT)
        names = re.findall(r"<any\(([^)]*)\):", plain)
        for name in names[0].split(", ") if names else [""]:
            path = re.sub(r"<[^>]*>", "{}", re.sub(r"<any\([^)]*\):\w+>", name, plain))
            path = ALIASES.get(path, path)
            made_up += [
                f"{method} {path}"
                for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
                if (path, method) not in described
            ]
    assert made_up == []
