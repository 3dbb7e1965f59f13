"""Contacts as Xero's documentation and recordings show them, and the records they must become.

A pair is golden/xero/<name>.wire.json and golden/xero/<name>.records.json. What goes out is here as well.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from portal.adapters.base import Rejected, UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.xero import reading, writing
from portal.domain.records import Address, ClientRecord, ContactRecord, Quarantined

FOLDER = Path(__file__).parent / "golden" / "xero"
PAIRS = sorted(path.name.removesuffix(".wire.json") for path in FOLDER.glob("*.wire.json"))


def reply(body: bytes | str | dict[str, Any], status: int = 200, kind: str = "application/json") -> Reply:
    data = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    return Reply(status, {"content-type": kind}, io.BytesIO(data), len(data))


def contacts(body: bytes | str | dict[str, Any]) -> list[ClientRecord | Quarantined]:
    found = reading.Envelope("Contacts")
    found(reply(body))
    return [reading.client_or_quarantine(one) for one in found.entries]


@pytest.mark.parametrize("name", PAIRS)
def test_a_reply_becomes_these_records(name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.records.json").read_text(encoding="utf-8"))
    made = contacts((FOLDER / f"{name}.wire.json").read_bytes())
    assert all(isinstance(one, ClientRecord) for one in made)
    assert [one.as_json() for one in made] == expected  # type: ignore[union-attr]  # just checked


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"ContactID": ""}, "no identifier"), ({"ContactID": "00000000-0000-0000-0000-000000000000"}, "no identifier"),
     ({"Name": None}, "no name"), ({"Name": ["Acme"]}, "Name is not a text"), ({"Name": True}, "Name is not a text"),
     ({"ContactStatus": "SLEEPING"}, "SLEEPING"), ({"Phones": "09 555"}, "Phones are not a list"),
     ({"Addresses": ["1 Quay Street"]}, "Addresses are not a list"), ({"IsCustomer": "perhaps"}, "neither true nor"),
     ({"EmailAddress": "\ud800"}, "surrogate")],
)  # fmt: skip
def test_a_contact_that_makes_no_sense_is_put_aside_and_the_rest_goes_on(wrong: dict[str, Any], reason: str) -> None:
    """Fault row 24."""
    good = {"ContactID": "1", "Name": "Good Ltd"}
    bad = {"ContactID": "2", "Name": "Bad Ltd", **wrong}
    first, odd, last = contacts({"Contacts": [good, bad, good | {"ContactID": "3"}]})
    assert isinstance(first, ClientRecord)
    assert isinstance(last, ClientRecord)
    assert isinstance(odd, Quarantined)
    assert reason in odd.reason
    assert json.loads(odd.raw) == bad


def test_what_is_not_even_an_object_is_put_aside_too() -> None:
    (odd,) = contacts({"Contacts": ["Acme"]})
    assert isinstance(odd, Quarantined)
    assert odd.raw == '"Acme"'


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"Contacts": {}}', b'{"Contacts": [', b"", b'{"Contacts": [NaN]}'])
def test_a_reply_that_is_no_list_of_contacts_is_refused(body: bytes) -> None:
    """Fault rows 20 to 23."""
    with pytest.raises(UnexpectedReply):
        contacts(body)


def test_an_error_inside_a_200_is_a_refusal() -> None:
    """Fault row 13."""
    with pytest.raises(Rejected, match="already taken"):
        contacts({"ErrorNumber": 10, "Type": "ValidationException", "Message": "already taken"})


GATEWAY = {
    "Type": None,
    "Title": "Unauthorized",
    "Status": 401,
    "Detail": "AuthorizationUnsuccessful",
    "Extensions": {},
}
ELEMENTS = {
    "ErrorNumber": 10, "Type": "ValidationException", "Message": "A validation exception occurred",
    "Elements": [{"Name": "A", "ValidationErrors": [{"Message": "First."}, {"Description": "Second."}]},
                 {"Name": "B", "ValidationErrors": [{"Message": "Third."}]}],
}  # fmt: skip
PARSE = {"ErrorNumber": 16, "Type": "QueryParseException", "Message": "No property of that name"}


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [(GATEWAY, "application/json", "Unauthorized: AuthorizationUnsuccessful"),
     (ELEMENTS, "application/json; charset=utf-8", "First. Second. Third."),
     (PARSE, "application/json", "No property of that name"),
     ("The Organisation is offline", "text/plain", "The Organisation is offline"),
     ("<html><body>Sorry</body></html>", "text/html", ""), ("", "", "")],
)  # fmt: skip
def test_all_ways_to_refuse_are_understood(body: Any, kind: str, words: str) -> None:
    assert reading.words(reply(body, 400, kind)) == words


def test_a_new_contact_goes_out_like_this() -> None:
    record = ClientRecord(
        "", "Kererū Orchards Ltd", address=Address("2 Hill Road\nRD 3", "Nelson", "", "7073", "New Zealand"),
        postal_address=Address("One\nTwo\nThree\nFour\nFive"), phone="03 555 0166", website="https://kereru.example",
        contacts=(
            ContactRecord("", "Sam Lee", "sam@kereru.example", "03 5", "027 5"),
            ContactRecord("", "Mere Te Awa Pene", "mere@kereru.example", "03 6", "021 6", "Mere", is_primary=True),
            *(ContactRecord("", f"Person {number}") for number in range(6)),
        ),
    )  # fmt: skip
    assert writing.new_item(record) == {
        "Name": "Kererū Orchards Ltd",
        "FirstName": "Mere",
        "LastName": "Te Awa Pene",
        "EmailAddress": "mere@kereru.example",
        "Addresses": [
            {"AddressType": "STREET", "AddressLine1": "2 Hill Road", "AddressLine2": "RD 3", "City": "Nelson",
             "PostalCode": "7073", "Country": "New Zealand"},
            {"AddressType": "POBOX", "AddressLine1": "One", "AddressLine2": "Two", "AddressLine3": "Three",
             "AddressLine4": "Four, Five"},
        ],
        "Phones": [
            {"PhoneType": "DEFAULT", "PhoneNumber": "03 555 0166"},
            {"PhoneType": "DDI", "PhoneNumber": "03 6"},
            {"PhoneType": "MOBILE", "PhoneNumber": "021 6"},
        ],
        "ContactPersons": [
            {"FirstName": "Sam", "LastName": "Lee", "EmailAddress": "sam@kereru.example"},
            {"FirstName": "Person", "LastName": "0"}, {"FirstName": "Person", "LastName": "1"},
            {"FirstName": "Person", "LastName": "2"}, {"FirstName": "Person", "LastName": "3"},
        ],
    }  # fmt: skip


def test_of_a_bare_client_only_the_name_goes_out() -> None:
    assert writing.new_item(ClientRecord("", "Acme")) == {"Name": "Acme"}


def test_a_person_who_goes_by_the_clients_name_has_none_of_their_own() -> None:
    record = ClientRecord("", "Acme", contacts=(ContactRecord("", "Acme", "hello@acme.example"),))
    assert writing.new_item(record) == {"Name": "Acme", "EmailAddress": "hello@acme.example"}


@pytest.mark.parametrize("token", ["NEWZEALANDSTANDARDTIME", "AUSEASTERNSTANDARDTIME", "GMTSTANDARDTIME", "UTC"])
def test_the_organisations_time_zone_is_told_by_a_name_people_know(token: str) -> None:
    zone = reading.facts([{"Timezone": token}])["Time zone"]
    assert zone in ("Pacific/Auckland", "Australia/Sydney", "Europe/London", "Etc/UTC")
    assert reading.facts([{"Timezone": "SOMEWHERE"}]) == {}
