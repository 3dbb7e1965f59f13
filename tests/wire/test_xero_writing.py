"""Writing to Xero: only what may be written, as many as fit into a call, each with its own outcome, nobody twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from portal.adapters.base import NameTaken, Rejected, Unknown
from portal.adapters.xero import INFO, Xero
from portal.domain.records import (
    Address,
    ClientChange,
    ClientRecord,
    ContactRecord,
    NewRecord,
    RecordChange,
    RecordState,
)
from tests.adapters.conftest import Door
from tests.wire.contract import create, update
from tests.wire.test_xero import JSON, made, spoil, there


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def somebody(door: Door) -> str:
    return made(door, "Somebody Special Ltd")


def test_a_new_name_leaves_people_and_everything_else_alone(door: Door) -> None:
    uuid = made(
        door, "Old Name Ltd", FirstName="Sam", LastName="Lee", EmailAddress="sam@old.example",
        ContactPersons=[{"FirstName": "Kim", "LastName": "Park", "EmailAddress": "kim@old.example"}],
        phone="09 555 0100", address="1 Quay Street",
    )  # fmt: skip
    before = door.adapter.fetch_client(door.session(), uuid)
    after = update(door, uuid, ClientChange({"name": "New Name Ltd"}))
    again = door.adapter.fetch_client(door.session(), uuid)
    assert [one.name for one in before.contacts] == ["Sam Lee", "Kim Park"]
    assert replace(before, name="New Name Ltd").digest() == after.digest() == again.digest()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Smith <Holdings> Ltd", "no < or >"),
        ("Smith  & Sons", "two spaces"),
        ("x" * 256, "255"),
        (" ", "without a name"),
    ],
)
def test_a_name_xero_would_quietly_not_save_is_refused_before_it_is_sent(door: Door, name: str, why: str) -> None:
    good, bad = ClientRecord("", "Fine Ltd"), ClientRecord("", name)
    outcomes = door.adapter.create_clients(door.session(), [NewRecord(bad, "a"), NewRecord(good, "b")])
    assert isinstance(outcomes[0], Rejected)
    assert why in outcomes[0].message
    assert isinstance(outcomes[1], ClientRecord)
    assert outcomes[1].name == "Fine Ltd"


def test_a_call_is_not_made_when_there_is_nothing_to_send(door: Door) -> None:
    session = door.session()
    (outcome,) = door.adapter.create_clients(session, [NewRecord(ClientRecord("", "a <b>"), "a")])
    assert isinstance(outcome, Rejected)
    assert session.calls_made == 0


KERERU = ClientRecord(
    "", "Kererū Orchards Ltd", address=Address("2 Hill Road\nRD 3", "Nelson", "", "7073", "New Zealand"),
    postal_address=Address("PO Box 9", "Nelson"), phone="03 555 0166", fax="03 555 0167",
    contacts=(
        ContactRecord("", "Mere Te Awa Pene", "mere@kereru.example", "03 5", "021 5", is_primary=True),
        ContactRecord("", "Sam Lee", "sam@kereru.example"),
    ),
)  # fmt: skip


def test_a_new_contact_goes_out_whole_with_its_people(door: Door) -> None:
    after = create(door, KERERU)
    again = door.adapter.fetch_client(door.session(), after.remote_id)
    nameless = tuple(replace(one, remote_id="") for one in after.contacts)
    assert replace(after, remote_id="", contacts=nameless, changed_at=None) == KERERU
    assert again.digest() == after.digest()
    assert [call["method"] for call in door.calls() if call["method"] != "GET"] == ["PUT"]


def test_fifty_contacts_are_created_with_one_call(door: Door) -> None:
    session = door.session()
    news = [NewRecord(ClientRecord("", f"Newcomer {number} Ltd"), f"c{number}") for number in range(INFO.batch)]
    outcomes = door.adapter.create_clients(session, news)
    assert [one.name for one in outcomes if isinstance(one, ClientRecord)] == [one.record.name for one in news]
    assert session.calls_made == 1


def test_of_a_batch_each_contact_has_its_own_outcome(door: Door) -> None:
    holder = made(door, "Taken Ltd")
    names = ("First Ltd", "TAKEN LTD", "Third Ltd")
    news = [NewRecord(ClientRecord("", name), name) for name in names]
    first, taken, third = door.adapter.create_clients(door.session(), news)
    assert (first.name, third.name) == ("First Ltd", "Third Ltd")
    assert isinstance(taken, NameTaken)
    assert taken.holder_id == holder
    assert "Taken Ltd" in taken.message
    assert there(door, "GET", f"/{holder}")["name"] == "Taken Ltd"


def test_two_new_contacts_of_one_name_become_one(door: Door) -> None:
    news = [NewRecord(ClientRecord("", "Twins Ltd"), key) for key in ("a", "b")]
    first, second = door.adapter.create_clients(door.session(), news)
    assert first.name == "Twins Ltd"
    assert isinstance(second, NameTaken)
    assert second.holder_id == first.remote_id


def test_the_name_of_an_archived_contact_is_free_and_the_archived_one_is_found(door: Door) -> None:
    asleep = made(door, "Asleep Ltd")
    there(door, "POST", f"/{asleep}/archive", {})
    (found,) = door.adapter.find_clients(door.session(), "asleep ltd")
    assert (found.remote_id, found.state) == (asleep, RecordState.ARCHIVED)
    assert create(door, ClientRecord("", "Asleep Ltd")).remote_id != asleep


def test_a_refusal_is_told_with_xeros_words(door: Door) -> None:
    """Fault row 13: 200, the contact echoed with an identifier of zeros, and the reason beside it."""
    spoil(door, "business_error", method="PUT", message="Email address must be valid")
    with pytest.raises(Rejected, match="Email address must be valid") as caught:
        create(door, KERERU)
    assert not isinstance(caught.value, NameTaken)


@pytest.mark.parametrize(
    "echo",
    [{"ContactID": "00000000-0000-0000-0000-000000000000", "Name": "Acme", "StatusAttributeString": "OK"},
     {"Name": "Acme"}, {"ContactID": "7", "Name": "Somebody Else"}, None],
)  # fmt: skip
def test_an_answer_without_the_contact_is_unknown(door: Door, echo: dict[str, Any] | None) -> None:
    """Fault row 13: no identifier is believed that cannot be true."""
    body = json.dumps({"Status": "OK", "Contacts": [echo] if echo else []})
    spoil(door, "status", method="PUT", status=200, body=body, headers=JSON)
    (outcome,) = door.adapter.create_clients(door.session(), [NewRecord(ClientRecord("", "Acme"), "a")])
    assert isinstance(outcome, Unknown)


def test_a_contact_with_validation_errors_was_not_saved_whatever_else_is_said(door: Door) -> None:
    """Seen in the field: 200, OK, an identifier, and HasValidationErrors."""
    echo = {"ContactID": "7", "Name": "Acme", "StatusAttributeString": "OK", "HasValidationErrors": True}
    spoil(door, "status", method="PUT", status=200, body=json.dumps({"Contacts": [echo]}), headers=JSON)
    with pytest.raises(Rejected):
        create(door, ClientRecord("", "Acme"))


@pytest.mark.parametrize(
    ("fault", "is_there"),
    [({"kind": "accept_then_drop"}, True), ({"kind": "accept_then_status", "status": 500}, True),
     ({"kind": "drop"}, False), ({"kind": "garbage", "garbage": "html"}, None)],
)  # fmt: skip
def test_a_creation_whose_answer_was_lost_is_unknown_sent_once_and_found_by_looking(
    door: Door, fault: dict[str, Any], is_there: bool | None
) -> None:
    """Fault rows 11, 12, 14 and 15. The next try with the same key makes no second one either."""
    spoil(door, fault.pop("kind"), method="PUT", times=1, **fault)
    with pytest.raises(Unknown):
        create(door, KERERU)
    assert len([call for call in door.calls() if call["method"] == "PUT"]) == 1
    found = door.adapter.find_clients(door.session(), KERERU.name)
    assert len(found) <= 1
    if is_there is not None:
        assert len(found) == is_there
    again = create(door, KERERU)
    assert [one.remote_id for one in door.adapter.find_clients(door.session(), KERERU.name)] == [again.remote_id]


def test_a_batch_put_together_anew_does_not_clash_with_the_earlier_one(door: Door) -> None:
    """Xero refuses a key that comes back with another body."""
    one, other = (NewRecord(ClientRecord("", name), name) for name in ("One Ltd", "Other Ltd"))
    door.adapter.create_clients(door.session(), [one, other])
    (alone,) = door.adapter.create_clients(door.session(), [replace(one, record=ClientRecord("", "One & Co Ltd"))])
    assert alone.name == "One & Co Ltd"
    keys = [call["idempotency_key"] for call in door.calls() if call["method"] == "PUT"]
    assert len(set(keys)) == 2
    assert all(0 < len(key) <= 128 for key in keys)


def test_an_update_is_sent_under_its_key(door: Door, somebody: str) -> None:
    record = door.adapter.fetch_client(door.session(), somebody)
    change = RecordChange(record, ClientChange({"name": "Keyed Ltd"}), "u7-1")
    for _again in range(2):
        (after,) = door.adapter.update_clients(door.session(), [change])
        assert after.name == "Keyed Ltd"
    keys = {call["idempotency_key"] for call in door.calls() if call["method"] == "POST"}
    assert len(keys) == 1
