"""Sending a field of a contact that exists to Xero, because a person asked: nothing else of the contact is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from portal.adapters.base import AdapterError, Moved, NotThere, Rejected, Unavailable
from portal.adapters.http import BATCH_WRITE, QUICK, Patience, Reply, VendorSession
from portal.adapters.xero import Xero, changing
from portal.domain.records import Address, ClientChange, ClientRecord, ContactRecord, RecordChange
from tests.adapters.conftest import Door
from tests.wire.contract import update
from tests.wire.test_xero import JSON, made, spoil, there

ADDRESSES = [
    {"AddressType": "STREET", "AddressLine1": "1 Quay Street", "AddressLine2": "Level 4", "City": "Auckland",
     "Region": "Auckland", "PostalCode": "1010", "Country": "New Zealand", "AttentionTo": "Sam Lee"},
    {"AddressType": "POBOX", "AddressLine1": "PO Box 12", "City": "Auckland", "PostalCode": "1140",
     "AttentionTo": "Accounts"},
]  # fmt: skip
PHONES = [
    {"PhoneType": "DEFAULT", "PhoneCountryCode": "64", "PhoneAreaCode": "9", "PhoneNumber": "555 0100"},
    {"PhoneType": "FAX", "PhoneAreaCode": "09", "PhoneNumber": "555 0101"},
    {"PhoneType": "MOBILE", "PhoneCountryCode": "64", "PhoneAreaCode": "21", "PhoneNumber": "555 0102"},
    {"PhoneType": "DDI", "PhoneNumber": "09 555 0103"},
]
HILL = Address("2 Hill Road", "Nelson", "", "7010", "")


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def somebody(door: Door) -> str:
    return made(
        door, "Somebody Special Ltd", FirstName="Sam", LastName="Lee", EmailAddress="sam@special.example",
        ContactPersons=[{"FirstName": "Kim", "LastName": "Park", "EmailAddress": "kim@special.example"}],
        Website="https://special.example", TaxNumber="12-345", Addresses=ADDRESSES, Phones=PHONES,
    )  # fmt: skip


def held(door: Door, uuid: str) -> dict[str, Any]:
    """All that Xero holds of a contact, its stamp aside."""
    return dict(there(door, "GET", f"/{uuid}")["fields"])


def change(door: Door, uuid: str, key: str = "u1", **fields: Any) -> RecordChange:
    return RecordChange(door.adapter.fetch_client(door.session(), uuid), ClientChange(fields), key)


def apply(door: Door, *changes: RecordChange) -> list[ClientRecord | AdapterError]:
    return list(door.adapter.update_clients(door.session(), changes))


@pytest.mark.parametrize("parts_replace", [False, True])
@pytest.mark.parametrize(
    "fields",
    [{"address": HILL}, {"postal_address": HILL}, {"phone": "03 555 0200"}, {"fax": "+64 3 555 0201"},
     {"phone": "", "fax": ""}, {"address": Address()}, {"phone": "+64 9 555 0299"}, {"fax": "09 555 0298"},
     {"name": "All New Ltd", "address": HILL, "postal_address": Address("PO Box 1"), "phone": "1", "fax": "2"}],
)  # fmt: skip
def test_what_is_named_reads_as_ours_and_nothing_else_is_lost(
    door: Door, somebody: str, fields: dict[str, Any], parts_replace: bool
) -> None:
    door.sandbox.control.state(xero_parts_replace_address_and_phone=parts_replace)
    before, all_before = door.adapter.fetch_client(door.session(), somebody), held(door, somebody)
    after = update(door, somebody, ClientChange(fields))
    assert after.digest() == replace(before, **fields).digest()
    assert door.adapter.fetch_client(door.session(), somebody).digest() == after.digest()
    now = held(door, somebody)
    for kind, field in (("STREET", "address"), ("POBOX", "postal_address")):
        assert now["Addresses"][kind]["AttentionTo"] == all_before["Addresses"][kind]["AttentionTo"]
        if field not in fields:
            assert filled(now["Addresses"][kind]) == filled(all_before["Addresses"][kind])
    changed = {kind for kind, field in (("DEFAULT", "phone"), ("FAX", "fax")) if field in fields}
    for kind in {"DEFAULT", "FAX", "MOBILE", "DDI"} - changed:
        assert filled(now["Phones"][kind]) == filled(all_before["Phones"][kind])
    rest = set(all_before) - {"Name", "Addresses", "Phones"}
    assert {name: now.get(name) for name in rest} == {name: all_before[name] for name in rest}


def filled(parts: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in parts.items() if text}


def test_the_list_goes_out_whole_with_only_the_entry_concerned_replaced() -> None:
    raw = {"Addresses": [*ADDRESSES, {"AddressType": "DELIVERY", "City": "Nelson"}], "Phones": PHONES}
    sent = changing.lists({"postal_address": HILL}, raw)
    assert sent == {"Addresses": [
        ADDRESSES[0],
        {"AddressType": "POBOX", "AddressLine1": "2 Hill Road", "AddressLine2": "", "AddressLine3": "",
         "AddressLine4": "", "City": "Nelson", "Region": "", "PostalCode": "7010", "Country": "",
         "AttentionTo": "Accounts"},
        {"AddressType": "DELIVERY", "City": "Nelson"},
    ]}  # fmt: skip
    assert raw["Addresses"][1]["AddressLine1"] == "PO Box 12", "what was read stays as it was read"


@pytest.mark.parametrize(
    ("number", "parts"),
    [("+64 9 555 0299", {"PhoneCountryCode": "64", "PhoneAreaCode": "9", "PhoneNumber": "555 0299"}),
     ("+64 95550299", {"PhoneCountryCode": "", "PhoneAreaCode": "", "PhoneNumber": "+64 95550299"}),
     ("09 555 0299", {"PhoneCountryCode": "", "PhoneAreaCode": "", "PhoneNumber": "09 555 0299"}),
     ("", {"PhoneCountryCode": "", "PhoneAreaCode": "", "PhoneNumber": ""})],
)  # fmt: skip
def test_a_number_keeps_the_codes_it_begins_with_and_no_others(number: str, parts: dict[str, str]) -> None:
    (sent, *others) = changing.lists({"phone": number}, {"Phones": PHONES})["Phones"]
    assert sent == {"PhoneType": "DEFAULT", **parts}
    assert others == PHONES[1:]


def test_an_entry_that_was_not_there_is_added() -> None:
    sent = changing.lists({"phone": "1", "fax": "2", "address": Address("3 Lane")}, {"Phones": PHONES[:1]})
    assert [one["PhoneType"] for one in sent["Phones"]] == ["DEFAULT", "FAX"]
    assert [(one["AddressType"], one["AddressLine1"]) for one in sent["Addresses"]] == [("STREET", "3 Lane")]


def test_a_batch_may_mix_and_only_what_names_a_list_is_read_first(door: Door, somebody: str) -> None:
    others = [made(door, f"Number {number} Ltd") for number in range(3)]
    nobody = ClientRecord("00000000-0000-4000-8000-000000000000", "Nobody Ltd")
    changes = [
        change(door, others[0], "u1", name="Renamed Ltd"),
        change(door, somebody, "u2", phone="03 555 0200"),
        change(door, others[1], "u3", website="https://new.example"),
        RecordChange(nobody, ClientChange({"phone": "09 4"}), "u4"),
        change(door, others[2], "u5", name="Also Renamed Ltd", fax="09 5"),
    ]
    session = door.session()
    first, second, third, fourth, fifth = door.adapter.update_clients(session, changes)
    assert (first.name, second.phone, fifth.name, fifth.fax) == (
        "Renamed Ltd",
        "03 555 0200",
        "Also Renamed Ltd",
        "09 5",
    )
    assert isinstance(third, Rejected)
    assert "lets nobody write" in third.message
    assert isinstance(fourth, NotThere)
    assert session.calls_made == 4, "three contacts to look at, and one write for all"


def test_fifty_new_names_are_one_call(door: Door) -> None:
    door.sandbox.control.load(60, vendor="xero", tenant=door.account["id"])
    records = list(door.adapter.fetch_clients(door.session(), None))[:50]
    changes = [RecordChange(one, ClientChange({"name": f"New {n} Ltd"}), f"u{n}") for n, one in enumerate(records)]
    session = door.session()
    assert [one.name for one in door.adapter.update_clients(session, changes)] == [f"New {n} Ltd" for n in range(50)]
    assert session.calls_made == 1


def test_what_somebody_changed_there_meanwhile_is_not_overwritten(door: Door, somebody: str) -> None:
    """Fault row 90."""
    ours = change(door, somebody, phone="03 555 0200")
    there(door, "PATCH", f"/{somebody}", {"phone": "07 555 0300"})
    (outcome,) = apply(door, ours)
    assert isinstance(outcome, Moved)
    assert "phone" in outcome.message
    assert not [call for call in door.calls() if call["method"] == "POST"]


def test_what_somebody_changed_elsewhere_in_the_list_meanwhile_is_kept(door: Door, somebody: str) -> None:
    """Fault row 90."""
    ours = change(door, somebody, phone="03 555 0200")
    there(door, "PATCH", f"/{somebody}", {"fax": "07 555 0300"})
    (after,) = apply(door, ours)
    assert isinstance(after, ClientRecord)
    assert (after.phone, after.fax) == ("03 555 0200", "07 555 0300")


@pytest.mark.parametrize(
    ("asked", "why"),
    [(ClientChange({}, ((ContactRecord("", "Kim"), True),)), "people"),
     (ClientChange({"name": "X"}, ((ContactRecord("primary", "Kim"), False),)), "people"),
     (ClientChange({"phone": "1", "website": "https://x.example"}), "website"),
     (ClientChange({"structure": "Trust"}), "structure")],
)  # fmt: skip
def test_people_and_what_xero_has_no_place_for_are_refused_before_anything_is_asked(
    door: Door, asked: ClientChange, why: str
) -> None:
    session = door.session()
    change = RecordChange(ClientRecord("7", "Acme"), asked, "u1")
    (outcome,) = door.adapter.update_clients(session, [change])
    assert isinstance(outcome, Rejected)
    assert why in outcome.message
    assert outcome.message.endswith(".")
    assert session.calls_made == 0


@pytest.mark.parametrize(
    ("fields", "reads"),
    [({"phone": ""}, "+64 9 555 0100"), ({"phone": "021 1"}, "+64 9 021 1"), ({"address": HILL}, "New Zealand"),
     ({"postal_address": Address()}, "PO Box 12")],
)  # fmt: skip
def test_what_xero_keeps_although_it_was_emptied_is_said(
    door: Door, somebody: str, fields: dict[str, Any], reads: str
) -> None:
    """Whether an empty text empties is not documented for addresses; here it does not."""
    door.sandbox.control.state(xero_empty_text_clears=False)
    with pytest.raises(Rejected, match="did not take") as caught:
        update(door, somebody, ClientChange(fields))
    assert reads in caught.value.message


def test_a_refusal_by_xero_is_that_contacts_alone(door: Door, somebody: str) -> None:
    other = made(door, "Other Ltd")
    bad, good = apply(
        door, change(door, somebody, "u1", address=Address("1", country="N3W")), change(door, other, "u2", phone="09 1")
    )
    assert isinstance(bad, Rejected)
    assert "letters only" in bad.vendor_text
    assert isinstance(good, ClientRecord)


def test_a_contact_that_cannot_be_read_is_not_written(door: Door, somebody: str) -> None:
    ours = change(door, somebody, phone="09 1")
    body = json.dumps({"Contacts": [{"ContactID": somebody, "Name": "A", "Phones": "09"}]})
    spoil(door, "status", method="GET", status=200, body=body, headers=JSON)
    (outcome,) = apply(door, ours)
    assert isinstance(outcome, AdapterError)
    assert "cannot be understood" in outcome.message
    assert not [call for call in door.calls() if call["method"] == "POST"]


def test_an_outage_while_looking_ends_it_before_anything_is_written(door: Door, somebody: str) -> None:
    changes = [change(door, somebody, phone="09 1"), change(door, made(door, "Other Ltd"), "u2", name="Else Ltd")]
    spoil(door, "status", method="GET", status=503)
    with pytest.raises(Unavailable):
        apply(door, *changes)
    assert not [call for call in door.calls() if call["method"] == "POST"]


def test_many_at_once_are_waited_for_longer(door: Door, somebody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Patience] = []
    write = VendorSession.write

    def watched(self: VendorSession, *args: Any, **values: Any) -> Reply:
        seen.append(values["patience"])
        return write(self, *args, **values)

    monkeypatch.setattr(VendorSession, "write", watched)
    one, two = change(door, somebody, phone="09 1"), change(door, made(door, "Other Ltd"), "u2", name="Else Ltd")
    apply(door, one, two)
    apply(door, replace(two, record=replace(two.record, name="Else Ltd"), change=ClientChange({"name": "More Ltd"})))
    assert seen == [BATCH_WRITE, QUICK]
