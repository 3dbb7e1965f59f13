"""Answers as QuickBooks' documentation and recordings show them, and what they must become; and what goes out.

A pair is golden/quickbooks/<name>.wire.json and <name>.records.json; a record leaves out what is empty.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from portal.adapters.base import (
    AdapterError,
    Moved,
    NameTaken,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Unavailable,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.http import Reply
from portal.adapters.quickbooks import bodies, queries, reading, replies
from portal.domain.records import Address, ClientRecord, ContactRecord, Quarantined, client_from_json

FOLDER = Path(__file__).parent / "golden" / "quickbooks"
PAIRS = sorted(path.name.removesuffix(".wire.json") for path in FOLDER.glob("*.wire.json"))
XML = (
    '<IntuitResponse time="2017-07-30T22:45:22.933-07:00" xmlns="http://schema.intuit.com/finance/v3">'
    '<Fault type="SERVICE"><Error code="3001"><Message>message=ThrottleExceeded; errorCode=003001; statusCode={0}'
    "</Message><Detail>The request limit was reached.  Try again later</Detail></Error></Fault></IntuitResponse>"
)


def said(status: int, body: str | dict[str, Any], kind: str = "application/json") -> Reply:
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    return Reply(status, {"content-type": kind}, io.BytesIO(data), len(data))


def fault(code: str, message: str = "It failed", detail: str | None = "The reason", **more: str) -> dict[str, Any]:
    error = {"Message": message, "Detail": detail, "code": code, "element": ""}
    return {"Fault": {"Error": [error], "type": more.get("type", "ValidationFault")}, "time": "2026-01-01T00:00:00Z"}


def lower(code: str, message: str, detail: str | None) -> dict[str, Any]:
    error = {"message": message, "detail": detail, "code": code, "element": None}
    return {
        "warnings": None, "intuitObject": None, "fault": {"error": [error], "type": "AUTHENTICATION"},
        "batchItemResponse": [], "attachableResponse": [], "time": 1719142418269, "cdcresponse": [],
    }  # fmt: skip


def meant(reply: Reply) -> AdapterError:
    found = replies.named(reply)
    assert found is not None
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_an_answer_becomes_these_records(name: str) -> None:
    wire = json.loads((FOLDER / f"{name}.wire.json").read_text(encoding="utf-8"))
    expected = json.loads((FOLDER / f"{name}.records.json").read_text(encoding="utf-8"))
    blank = ClientRecord("", "").as_json()
    found = [reading.customer_or_quarantine(raw) for raw in wire["QueryResponse"]["Customer"]]
    assert found == [client_from_json(blank | one) for one in expected]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("not a record", "not a record at all"),
        ({"DisplayName": "No Identifier"}, "no identifier"),
        ({"Id": "1", "DisplayName": "  "}, "no name"),
        ({"Id": "1", "DisplayName": ["A", "B"]}, "DisplayName is not a text"),
        ({"Id": "1", "DisplayName": "A", "Active": "perhaps"}, "neither true nor false"),
        ({"Id": "1", "DisplayName": "A", "BillAddr": "1 Street"}, "not an address"),
        ({"Id": "1", "DisplayName": "Half \ud800"}, "half a character"),
    ],
)
def test_a_record_that_makes_no_sense_is_kept_aside_as_it_came(raw: object, reason: str) -> None:
    """Fault rows 22 and 24."""
    found = reading.customer_or_quarantine(raw)
    assert isinstance(found, Quarantined)
    assert reason in found.reason
    assert found.raw == json.dumps(raw)
    assert found.name.encode("utf-8")


@pytest.mark.parametrize(
    ("status", "code", "detail", "kind"),
    [
        (400, "5010", "Stale Object Error : You and X were working on this at the same time.", Moved),
        (400, "610", "Object Not Found : Something you're trying to use has been made inactive.", NotThere),
        (400, "6000", "Business Validation Error: You cannot modify a list element that has been deleted.", NotThere),
        (400, "6000", "Business Validation Error: Something else", replies.Coded),
        (400, "6240", "The name supplied already exists. : null", NameTaken),
        (400, "2040", "Invalid characters", replies.Coded),
        (400, "6190", "Subscription ended", Rejected),
        (400, "600", "Duplicate Request ID", Unknown),
        (401, "3200", "Token expired", NeedsReconnect),
        (403, "3100", None, NeedsReconnect),
        (401, "120", "-11014-You do not have access", NeedsReconnect),
        (400, "140", "Company locked", Unavailable),
    ],
)
@pytest.mark.parametrize("shape", [fault, lower])
def test_refusals_are_known_by_their_code_in_either_spelling(
    shape: Any, status: int, code: str, detail: str | None, kind: type[AdapterError]
) -> None:
    error = meant(said(status, shape(code, "A message", detail)))
    assert type(error) is kind
    assert error.message.endswith(".")
    assert error.status == status
    assert error.vendor_text == (detail or "A message")


@pytest.mark.parametrize(
    ("detail", "holder"),
    [
        ("The name supplied already exists. : null", ""),
        ("The name supplied already exists. : Id=1248", "1248"),
        ("Le nom fourni existe déjà. : Id=7", "7"),
        ("Another customer, vendor or employee is already using this name.", ""),
    ],
)
def test_a_taken_name_comes_with_whoever_the_vendor_hints_at(detail: str, holder: str) -> None:
    error = meant(said(400, fault("6240", "Duplicate Name Exists Error", detail)))
    assert isinstance(error, NameTaken)
    assert error.holder_id == holder


@pytest.mark.parametrize("status", [403, 400])
def test_being_told_to_slow_down_in_xml_with_an_old_status_is_a_limit(status: int) -> None:
    """Fault row 17: before late 2016 the vendor said so with 403, and in XML whatever was asked for."""
    error = meant(said(status, XML.format(status), "text/xml"))
    assert isinstance(error, RateLimited)
    assert "request limit" in error.vendor_text


def test_a_web_servers_page_is_quoted_by_its_heading() -> None:
    page = "<!doctype html><html><head><title>HTTP Status 400 &#8211; Bad Request</title></head></html>"
    assert replies.words(said(400, page, "text/html")) == "HTTP Status 400 – Bad Request"
    assert replies.named(said(400, page, "text/html")) is None


@pytest.mark.parametrize(
    "body",
    ['<!DOCTYPE a [<!ENTITY b "c">]><Fault type="x"><Error code="610"/></Fault>', "<a>" * 20_000, "<Fault", "\x00<"],
)
def test_hostile_markup_is_no_fault_and_no_trouble(body: str) -> None:
    """Fault row 23."""
    assert replies.fault_of(said(400, body, "text/xml")) is None


def test_a_wrong_address_is_not_taken_for_a_missing_record() -> None:
    error = meant(said(404, "", "text/html"))
    assert type(error) is Rejected
    assert "address" in error.message


def test_of_several_refusals_every_text_is_told_once() -> None:
    body = fault("2010")
    body["Fault"]["Error"] += [{"Message": "Other", "Detail": "", "code": 2050}, {"Message": "Other"}, "nonsense"]
    found = replies.fault_in(body)
    assert found is not None
    assert found.codes == {"2010", "2050"}
    assert found.words == "The reason; Other"


@pytest.mark.parametrize(
    "body", ["[]", "null", '{"time":"x"}', '{"Customer":{},"Customer":{}}', "", "NaN", "{" * 9_999]
)
def test_an_answer_without_what_was_asked_for_is_no_answer(body: str) -> None:
    """Fault row 22."""
    with pytest.raises(UnexpectedReply):
        replies.Answer("Customer")(said(200, body))


def test_a_fault_in_a_200_is_a_refusal_even_beside_a_record() -> None:
    """Fault row 13."""
    with pytest.raises(Moved):
        replies.Answer("Customer")(said(200, fault("5010") | {"Customer": {"Id": "1"}}))


def test_a_breakdown_in_a_200_leaves_open_what_happened() -> None:
    """Fault row 12: the session makes `Unknown` of it when it was a write, and asks again when it was not."""
    with pytest.raises(UnexpectedReply):
        replies.Answer("Customer")(said(200, fault("10000", type="SystemFault")))


def test_no_secret_of_a_refusal_is_kept() -> None:
    """Fault row 40."""
    error = meant(said(400, fault("2010", detail="Authorization: Bearer abc.def.ghi is bad")))
    assert "abc.def.ghi" not in error.vendor_text + error.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Adam's Candy Shop", r"'Adam\'s Candy Shop'"),
        ("Back\\slash", r"'Back\\slash'"),
        ("Ends with \\' both", r"'Ends with \\\' both'"),
        ("' OR Active = true --", r"'\' OR Active = true --'"),
    ],
)
def test_a_name_in_a_query_stays_a_name(text: str, expected: str) -> None:
    assert queries.quoted(text) == expected


STREET = Address("Level 4\n1 Quay Street", "Auckland", "Auckland", "1010", "New Zealand")
BOX = Address("PO Box 12", "Auckland", "", "1140", "")


def test_a_new_customer_is_sent_with_what_is_filled_and_nothing_else() -> None:
    jane = ContactRecord("9", "Jane van Dyke", "jane@quay.example", "09 1", "021 555 0100", "Ms", position="Owner")
    record = ClientRecord(
        "", "Quay Cafe Ltd", address=STREET, postal_address=BOX, phone="09 555 0100", website="quay.example",
        contacts=(ContactRecord("8", "Somebody Else"), ContactRecord(**_values(jane) | {"is_primary": True})),
        structure="Company", tax_registered=True,
    )  # fmt: skip
    assert bodies.new_customer(record) == {
        "DisplayName": "Quay Cafe Ltd",
        "BillAddr": {"Line1": "PO Box 12", "City": "Auckland", "PostalCode": "1140"},
        "ShipAddr": {
            "Line1": "Level 4", "Line2": "1 Quay Street", "City": "Auckland", "CountrySubDivisionCode": "Auckland",
            "PostalCode": "1010", "Country": "New Zealand",
        },
        "PrimaryPhone": {"FreeFormNumber": "09 555 0100"},
        "WebAddr": {"URI": "https://quay.example"},
        "GivenName": "Jane",
        "FamilyName": "van Dyke",
        "Title": "Ms",
        "PrimaryEmailAddr": {"Address": "jane@quay.example"},
        "Mobile": {"FreeFormNumber": "021 555 0100"},
    }  # fmt: skip


def test_the_only_address_goes_out_as_the_one_for_bills() -> None:
    for record in (ClientRecord("", "A", address=BOX), ClientRecord("", "A", postal_address=BOX)):
        assert bodies.new_customer(record).keys() == {"DisplayName", "BillAddr"}


def test_a_contact_that_only_repeats_the_client_or_is_greeted_oddly_sends_no_more_than_it_has() -> None:
    same = ContactRecord("1", "Quay Cafe Ltd", "office@quay.example")
    body = bodies.new_customer(ClientRecord("", "Quay Cafe Ltd", contacts=(same,)))
    assert body == {"DisplayName": "Quay Cafe Ltd", "PrimaryEmailAddr": {"Address": "office@quay.example"}}
    mary = ContactRecord("1", "Mary", salutation="Aunt Mary")
    assert bodies.new_customer(ClientRecord("", "A", contacts=(mary,))) == {"DisplayName": "A", "GivenName": "Mary"}


def test_a_long_street_keeps_every_line() -> None:
    address = Address("\n".join(f"Line {number}" for number in range(1, 8)))
    sent = bodies.new_customer(ClientRecord("", "A", postal_address=address))["BillAddr"]
    assert sent == {**{f"Line{n}": f"Line {n}" for n in range(1, 5)}, "Line5": "Line 5, Line 6, Line 7"}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (ClientRecord("", "x" * 101), "at most 100 characters, and this one has 101"),
        (ClientRecord("", "Parent: Child"), "a colon"),
        (ClientRecord("", "Tab\there"), "a tab"),
        (ClientRecord("", "Two\nlines"), "a line break"),
        (ClientRecord("", " "), "without a name"),
        (ClientRecord("", "A", phone="0" * 31), "phone"),
        (ClientRecord("", "A", postal_address=Address("x" * 501)), "address lines"),
        (ClientRecord("", "A", postal_address=Address("x", postcode="1" * 31)), "postcode"),
        (ClientRecord("", "A", contacts=(ContactRecord("1", "B", "nobody"),)), "email address"),
        (ClientRecord("", "A", contacts=(ContactRecord("1", "B: C"),)), "a colon"),
    ],
)
def test_what_quickbooks_would_refuse_is_said_before_anything_is_sent(record: ClientRecord, words: str) -> None:
    """Fault row 84."""
    with pytest.raises(Rejected, match=words) as caught:
        bodies.new_customer(record)
    assert caught.value.message.endswith(".")


def _values(contact: ContactRecord) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in contact.__slots__}
