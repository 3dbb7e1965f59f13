"""Sending a field of a customer that exists to QuickBooks, because a person asked: nothing else of it is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from portal.adapters.base import Moved, Rejected
from portal.adapters.http import BATCH_WRITE, QUICK, Patience, Reply, VendorSession
from portal.adapters.quickbooks import bodies
from portal.domain.records import Address, ClientChange, ClientRecord, ContactRecord, RecordChange
from tests.adapters.conftest import Door
from tests.wire.contract import update
from tests.wire.quickbooks_company import JSON, door, made, somebody, spoil, there

__all__ = ["door", "somebody"]  # fixtures of this file

QUAY = Address("Level 4\n1 Quay Street", "Auckland", "Auckland", "1010", "New Zealand")
HILL = Address("2 Hill Road", "Nelson", "", "7010", "")
FULL: dict[str, Any] = {
    "ShipAddr": {"Line1": "Level 4", "Line2": "1 Quay Street", "City": "Auckland", "CountrySubDivisionCode": "Auckland",
                 "PostalCode": "1010", "Country": "New Zealand"},
    "BillAddr": {"Line1": "PO Box 12", "City": "Auckland", "PostalCode": "1140"},
    "phone": "09 555 0100", "fax": "09 555 0101", "mobile": "021 555 0102", "website": "https://special.example",
    "Notes": "Careful", "Balance": 120.5,
}  # fmt: skip
ELEMENTS = {"name": "DisplayName", "address": "ShipAddr", "postal_address": "BillAddr", "phone": "PrimaryPhone",
            "fax": "Fax", "website": "WebAddr"}  # fmt: skip
READ_ONLY = {"SyncToken", "MetaData", "FullyQualifiedName", "PrintOnCheckName"}


@pytest.fixture
def full(door: Door, somebody: str) -> str:
    there(door, "PATCH", f"/{somebody}", FULL)
    return somebody


def change(door: Door, uuid: str, key: str = "u1", **fields: Any) -> RecordChange:
    return RecordChange(door.adapter.fetch_client(door.session(), uuid), ClientChange(fields), key)


@pytest.mark.parametrize(
    "fields",
    [{"address": HILL}, {"postal_address": HILL}, {"phone": "03 555 0200"}, {"fax": "03 555 0201"},
     {"website": "https://new.example/a?b=c"},
     {"name": "All New Ltd", "address": HILL, "postal_address": QUAY, "phone": "1", "fax": "2",
      "website": "https://all.example"}],
)  # fmt: skip
def test_what_is_named_is_as_ours_and_nothing_else_is_lost(door: Door, full: str, fields: dict[str, Any]) -> None:
    before, all_before = door.adapter.fetch_client(door.session(), full), there(door, "GET", f"/{full}")["fields"]
    after = update(door, full, ClientChange(fields))
    assert after.digest() == replace(before, revision=after.revision, **fields).digest()
    assert door.adapter.fetch_client(door.session(), full).digest() == after.digest()
    now = there(door, "GET", f"/{full}")["fields"]
    rest = set(all_before) - READ_ONLY - {ELEMENTS[field] for field in fields}
    assert {"Balance", "Notes", "Mobile", "GivenName"} <= rest
    assert {name: now.get(name) for name in rest} == {name: all_before[name] for name in rest}


def test_a_change_goes_out_sparse_with_every_part_of_an_address() -> None:
    record = ClientRecord("7", "A", address=QUAY, phone="09 1")
    fields = {"address": HILL, "phone": "09 2", "website": "quay.example", "fax": ""}
    assert bodies.changed_values(record, fields) == {
        "ShipAddr": {"Line1": "2 Hill Road", "Line2": "", "Line3": "", "Line4": "", "Line5": "", "City": "Nelson",
                     "CountrySubDivisionCode": "", "PostalCode": "7010", "Country": ""},
        "PrimaryPhone": {"FreeFormNumber": "09 2"},
        "WebAddr": {"URI": "https://quay.example"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [{"phone": ""}, {"fax": ""}, {"website": ""}, {"address": Address()}, {"name": "X", "postal_address": Address()}],
)
def test_nothing_is_emptied_because_nobody_says_how(door: Door, full: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="cannot empty") as caught:
        update(door, full, ClientChange(fields))
    assert [*fields][-1].replace("_", " ") in caught.value.message
    assert caught.value.message.endswith("Empty it there.")
    assert not [call for call in door.calls() if call["method"] != "GET"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [(ClientChange({}, ((ContactRecord("", "B"), True),)), "contacts"),
     (ClientChange({"name": "A"}, ((ContactRecord("primary", "B"), False),)), "contacts"),
     (ClientChange({"name": "A", "structure": "Trust"}), "structure"),
     (ClientChange({"phone": "0" * 31}), "at most 30"),
     (ClientChange({"address": Address("x" * 501)}), "address lines"),
     (ClientChange({"name": "A: B"}), "a colon")],
)  # fmt: skip
def test_people_and_what_quickbooks_would_refuse_are_refused_before_anything_is_sent(
    door: Door, asked: ClientChange, why: str
) -> None:
    session = door.session()
    record = ClientRecord("7", "A", revision="0")
    (outcome,) = door.adapter.update_clients(session, [RecordChange(record, asked, "u1")])
    assert isinstance(outcome, Rejected)
    assert why in outcome.message
    assert outcome.message.endswith(".")
    assert session.calls_made == 0


def test_a_batch_may_mix_and_each_has_its_own_outcome(door: Door, full: str) -> None:
    others = [made(door, f"Number {number} Ltd", phone="09 1") for number in range(4)]
    changes = [
        change(door, others[0], "u1", name="Renamed Ltd"),
        change(door, full, "u2", address=HILL, website="https://new.example"),
        change(door, others[1], "u3", phone=""),
        change(door, others[2], "u4", phone="09 2"),
        change(door, others[3], "u5", name="Also Renamed Ltd", fax="09 5"),
    ]
    there(door, "PATCH", f"/{others[2]}", {"notes": "Meanwhile"})
    session = door.session()
    first, second, third, fourth, fifth = door.adapter.update_clients(session, changes)
    assert (first.name, first.phone) == ("Renamed Ltd", "09 1")
    assert (second.address, second.website, second.postal_address.street) == (HILL, "https://new.example", "PO Box 12")
    assert isinstance(third, Rejected)
    assert isinstance(fourth, Moved)
    assert (fifth.name, fifth.fax, fifth.phone) == ("Also Renamed Ltd", "09 5", "09 1")
    assert session.calls_made == 1


@pytest.mark.parametrize(
    ("stayed", "reads"),
    [({"Country": "New Zealand"}, "2 Hill Road, Nelson 7010, New Zealand"), ({"Line2": "1 Quay Street"}, "1 Quay")],
)
def test_what_stays_of_an_old_address_is_said(door: Door, full: str, stayed: dict[str, str], reads: str) -> None:
    address = {"Line1": "2 Hill Road", "City": "Nelson", "PostalCode": "7010"} | stayed
    body = {"Customer": {"Id": full, "DisplayName": "Somebody Special Ltd", "SyncToken": "3", "ShipAddr": address}}
    spoil(door, "status", method="POST", status=200, body=json.dumps(body), headers=JSON)
    with pytest.raises(Rejected, match="did not take the address") as caught:
        update(door, full, ClientChange({"address": HILL}))
    assert reads in caught.value.message


def test_a_country_spelled_in_quickbooks_own_way_is_taken(door: Door, full: str) -> None:
    address = {"Line1": "2 Hill Road", "City": "Nelson", "PostalCode": "7010", "Country": "NZL"}
    body = {"Customer": {"Id": full, "DisplayName": "Somebody Special Ltd", "SyncToken": "3", "ShipAddr": address}}
    spoil(door, "status", method="POST", status=200, body=json.dumps(body), headers=JSON)
    after = update(door, full, ClientChange({"address": replace(HILL, country="New Zealand")}))
    assert after.address.country == "NZL"


def test_many_at_once_are_waited_for_longer(door: Door, full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Patience] = []
    write = VendorSession.write

    def watched(self: VendorSession, *args: Any, **values: Any) -> Reply:
        seen.append(values["patience"])
        return write(self, *args, **values)

    monkeypatch.setattr(VendorSession, "write", watched)
    other = made(door, "Other Ltd")
    door.adapter.update_clients(door.session(), [change(door, full, phone="1"), change(door, other, "u2", phone="2")])
    door.adapter.update_clients(door.session(), [change(door, full, phone="3")])
    assert seen == [BATCH_WRITE, QUICK]
