"""JSON answers held against the vendor's own description of them, where a copy of it is at hand.

VENDOR_SPECS names the folder with `xero-practicemanager-v3-1.yaml`; without it, one beside the project is looked for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.practice import Practice

NAME = "xero-practicemanager-v3-1.yaml"
TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
}  # fmt: skip


@dataclass
class Schema:
    """One object of the description: whom it extends, and name -> (type, schema of it or of its entries)."""

    parents: list[str] = field(default_factory=list)
    properties: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def spec_file() -> Path | None:
    named = os.environ.get("VENDOR_SPECS")
    folders = [Path(named)] if named else sorted(Path(__file__).parents[3].glob("*/vendors/specs"))
    return next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)


def read_schemas(text: str) -> dict[str, Schema]:
    """The few shapes this file uses: objects, and lists of parents with one object."""
    found: dict[str, Schema] = {}
    for name, block in re.findall(r"^    (\w+):\n((?:      .*\n|\n)+)", text.split("\n  schemas:\n")[1], re.MULTILINE):
        schema = found[name] = Schema(parents=re.findall(r"^        - \$ref: '.*/(\w+)'", block, re.MULTILINE))
        start = re.search(r"^( +)properties:\n", block, re.MULTILINE)
        if not start:
            continue
        indent = len(start[1]) + 2
        entries = re.split(rf"^ {{{indent}}}(?=\S)", block[start.end() :], flags=re.MULTILINE)[1:]
        for entry in entries:
            kind, ref = re.search(r"type: (\w+)", entry), re.search(r"\$ref: '.*/(\w+)'", entry)
            key = entry.split(":", 1)[0].strip("'\"")
            schema.properties[key] = (kind[1] if kind else "object", ref[1] if ref else None)
    return found


def complaints(value: Any, name: str, schemas: dict[str, Schema], where: str = "") -> list[str]:
    """Every key or type the description does not have."""
    known: dict[str, tuple[str, str | None]] = {}
    waiting = [name]
    while waiting:
        schema = schemas[waiting.pop()]
        known |= schema.properties
        waiting += schema.parents
    found = [f"{where}.{key} is not described" for key in value if key not in known]
    for key, inner in value.items():
        kind, ref = known.get(key, ("object", None))
        if inner is None or key not in known:
            continue
        if not isinstance(inner, TYPES[kind]):
            found.append(f"{where}.{key} is {type(inner).__name__}, not {kind}")
        elif ref:
            for one in inner if isinstance(inner, list) else [inner]:
                found += complaints(one, ref, schemas, f"{where}.{key}")
    return found


@pytest.fixture(scope="module")
def schemas() -> dict[str, Schema]:
    path = spec_file()
    if path is None:
        pytest.skip(f"no copy of {NAME}: set VENDOR_SPECS to its folder")
    found = read_schemas(path.read_text(encoding="utf-8"))
    assert "opt-out" in found["AutoBasOptInCriteriaDto"].properties
    assert found["ClientDetailedDto"].properties["notes"] == ("array", "ClientNoteDto")
    return found


def furnish(practice: Practice) -> str:
    """A client with everything a client can have; its uuid."""
    one, two = (str(client.findtext("UUID")) for client in practice.clients()[:2])
    practice.sandbox.control.change(
        one, Title="Ms", ProvisionalTaxRatio="0.25", TaxAgent="1", GSTPeriod="Monthly", BillingClient=two,
        Type={"Name": "Standard", "CostMarkup": "10.0", "PaymentTerm": "DayOfMonth", "PaymentDay": "20"},
        Notes=[{"Title": "T", "Text": "x", "Date": "2026-01-01T00:00:00", "CreatedBy": "Jo"}],
    )  # fmt: skip
    body = (
        f"<Relationship><ClientUUID>{one}</ClientUUID><RelatedClientUUID>{two}</RelatedClientUUID><Type>Owner</Type>"
        "<NumberOfShares>5</NumberOfShares><Percentage>12.5</Percentage></Relationship>"
    )
    practice.xml("POST", "client.api/addrelationship", body)
    return one


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("client.api/list?detailed=true", "ClientListResponseDto"),
        ("client.api/list", "ClientListResponseDto"),
        ("client.api/get/{client}", "ClientResponseDto"),
        ("client.api/search?query=a", "ClientListResponseDto"),
        ("client.api/paged-list", "ClientPagedListResponseDto"),
        ("client.api/contacts", "ClientContactsResponseDto"),
        ("staff.api/list", "StaffListResponseDto"),
        ("staff.api/get/{staff}", "StaffResponseDto"),
        ("clientgroup.api/list", "ClientGroupListResponseDto"),
        ("category.api/list", "CategoryResponseDto"),
        ("template.api/list", "TemplateResponseDto"),
        ("jobstate.api/list", "JobStateListResponseDto"),
        ("task.api/list", "TaskListResponseDto"),
        ("job.api/current?detailed=true", "JobListResponseDto"),
        ("job.api/get/J000001", "JobResponseDto"),
        ("invoice.api/current", "InvoiceListResponseDto"),
        ("quote.api/current", "QuoteListResponseDto"),
    ],
)
def test_json_answers_have_only_what_the_vendor_describes(
    practice: Practice, schemas: dict[str, Schema], path: str, schema: str
) -> None:
    client = furnish(practice)
    staff = practice.xml("GET", "staff.api/list").findtext("StaffList/Staff/UUID")
    template = practice.xml("GET", "template.api/list").findtext("Templates/Template/UUID")
    job = f"<Name>J</Name><ClientUUID>{client}</ClientUUID><StartDate>20261101</StartDate><DueDate>20261130</DueDate>"
    practice.xml("POST", "job.api/add", f"<Job>{job}<TemplateUUID>{template}</TemplateUUID></Job>")
    answer = practice.json(path.format(client=client, staff=staff))
    assert answer["status"] == "OK"
    assert complaints(answer, schema, schemas) == []
