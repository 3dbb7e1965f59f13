"""Changing and creating customers in QuickBooks: one by one, thirty at a time, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from portal.adapters.base import (
    Moved,
    NameTaken,
    NotThere,
    Rejected,
    Unknown,
)
from portal.domain.records import (
    ClientChange,
    ClientRecord,
    RecordChange,
)
from tests.adapters.conftest import Door
from tests.wire.contract import create, update
from tests.wire.quickbooks_company import (
    JSON,
    asked,
    door,
    everything,
    made,
    new,
    rename_all,
    somebody,
    spoil,
    switch,
    there,
    typed_in,
)

__all__ = ["door", "somebody"]  # fixtures of this file


def test_a_single_change_is_a_plain_write_of_the_named_field_alone(door: Door, somebody: str) -> None:
    there(door, "PATCH", f"/{somebody}", {"Balance": 120.5, "phone": "09 1", "notes": "Careful"})
    update(door, somebody, ClientChange({"name": "Other Name Ltd"}))
    (call,) = [call for call in door.calls() if call["method"] == "POST"]
    assert call["path"].endswith("/customer")
    assert "requestid" not in call["query"]
    after = there(door, "GET", f"/{somebody}")["fields"]
    assert (after["DisplayName"], after["Balance"], after["Notes"]) == ("Other Name Ltd", 120.5, "Careful")
    assert after["PrimaryPhone"] == {"FreeFormNumber": "09 1"}


def test_thirty_changes_are_one_call_and_each_has_its_own_outcome(door: Door) -> None:
    door.sandbox.control.load(40, vendor="quickbooks")
    records = [one for one in everything(door) if isinstance(one, ClientRecord)][:30]
    changes = rename_all(door, records, "Renamed")
    there(door, "PATCH", f"/{records[3].remote_id}", {"phone": "09 77"})
    there(door, "POST", f"/{records[5].remote_id}/delete", {})
    changes[7] = replace(changes[7], change=ClientChange({"name": "A: B"}))
    changes[9] = replace(changes[9], change=ClientChange({"name": "Renamed 8"}))
    session = door.session()
    outcomes = door.adapter.update_clients(session, changes)
    assert [type(outcomes[number]) for number in (3, 5, 7, 9)] == [Moved, NotThere, Rejected, NameTaken]
    for number in set(range(30)) - {3, 5, 7, 9}:
        assert (outcomes[number].remote_id, outcomes[number].name) == (records[number].remote_id, f"Renamed {number}")
    assert len(door.calls("/batch")) == 1


def test_a_stale_revision_writes_nothing_and_says_so(door: Door, somebody: str) -> None:
    """Fault row 90."""
    before = door.adapter.fetch_client(door.session(), somebody)
    there(door, "PATCH", f"/{somebody}", {"phone": "09 90"})
    change = RecordChange(before, ClientChange({"name": "Mine Ltd"}), "u1")
    assert [type(one) for one in door.adapter.update_clients(door.session(), [change])] == [Moved]
    again = replace(change, record=door.adapter.fetch_client(door.session(), somebody))
    (after,) = door.adapter.update_clients(door.session(), [again])
    assert (after.name, after.phone) == ("Mine Ltd", "09 90")


def test_a_record_without_its_revision_has_to_be_read_again_first(door: Door, somebody: str) -> None:
    change = RecordChange(ClientRecord(somebody, "As It Was"), ClientChange({"name": "Mine Ltd"}), "u1")
    assert [type(one) for one in door.adapter.update_clients(door.session(), [change])] == [Moved]
    assert not door.calls()


def test_an_inactive_customer_is_left_alone_and_not_called_gone(door: Door, somebody: str) -> None:
    """QB-09."""
    there(door, "POST", f"/{somebody}/archive", {})
    with pytest.raises(Rejected, match="inactive in QuickBooks") as caught:
        update(door, somebody, ClientChange({"name": "Other Name Ltd"}))
    assert not isinstance(caught.value, NotThere)


def test_batches_are_paced_below_the_forty_a_minute_the_vendor_allows(door: Door) -> None:
    door.sandbox.control.load(4, vendor="quickbooks")
    records = [one for one in everything(door) if isinstance(one, ClientRecord)][:2]
    stale = [replace(one, revision="999") for one in records]
    session = door.session(budget=door.budget)
    door.sandbox.control.limits(second=10_000, batch_minute=10_000)
    for _ in range(39):
        door.adapter.update_clients(session, rename_all(door, stale, "Never"))
    assert door.naps.total > 50
    assert len(door.calls("/batch")) == 39


def test_creating_carries_its_key_and_the_same_key_creates_once(door: Door) -> None:
    """Fault rows 11 and 12: the answer was lost, the next try with the same key brings what was made."""
    spoil(door, "accept_then_drop", method="POST", times=1)
    with pytest.raises(Unknown):
        door.adapter.create_clients(door.session(), [new("Once Only Ltd", "c-17")])
    (record,) = door.adapter.create_clients(door.session(), [new("Once Only Ltd", "c-17")])
    assert record.name == "Once Only Ltd"
    assert [call["requestid"] for call in asked(door, "/customer$")] == [["c-17"], ["c-17"]]
    assert len(door.sandbox.control.ask("GET", "quickbooks/customers?q=once+only")) == 1


def test_a_key_that_is_refused_as_used_leaves_open_whether_it_was_done(door: Door) -> None:
    """Fault row 14."""
    switch(door, requestid="refused")
    create(door, ClientRecord("", "Once Only Ltd"), "c-17")
    with pytest.raises(Unknown):
        door.adapter.create_clients(door.session(), [new("Once Only Ltd", "c-17")])


def test_many_are_created_in_one_call_under_one_key_made_of_theirs(door: Door) -> None:
    news = [new(f"Brand New {number} Ltd", f"key-{number}-{'x' * 27}") for number in range(30)]
    first = door.adapter.create_clients(door.session(), news)
    assert [one.name for one in first] == [one.record.name for one in news]
    again = door.adapter.create_clients(door.session(), news)
    assert [one.remote_id for one in again] == [one.remote_id for one in first]
    keys = {call["requestid"][0] for call in asked(door, "/batch")}
    assert len(keys) == 1 and all(len(key) <= 36 for key in keys)


@pytest.mark.parametrize("detail", ["null", "id", "sentence", "french"])
@pytest.mark.parametrize("in_200", [False, True])
def test_a_taken_name_names_the_customer_who_has_it(door: Door, somebody: str, detail: str, in_200: bool) -> None:
    """Fault row 13; the vendor does not look at capitals (QBO-5)."""
    switch(door, **{"6240_detail": detail, "faults_in_200": in_200})
    (outcome,) = door.adapter.create_clients(door.session(), [new("SOMEBODY special Ltd")])
    assert isinstance(outcome, NameTaken)
    assert outcome.holder_id == somebody
    assert outcome.message == "A customer in QuickBooks has the name Somebody Special Ltd already."


@pytest.mark.parametrize(("kind", "words"), [("vendors", "A supplier"), ("employees", "An employee")])
def test_a_name_that_a_supplier_or_employee_has_is_explained(door: Door, kind: str, words: str) -> None:
    switch(door, **{"6240_detail": "id"})
    typed_in(door, kind, "Shared O'Name")
    outcomes = door.adapter.create_clients(door.session(), [new("Shared O'Name", "c1"), new("Free Name", "c2")])
    assert isinstance(outcomes[0], NameTaken)
    assert outcomes[0].message.startswith(f"{words} in QuickBooks has the name Shared O'Name already.")
    assert outcomes[0].holder_id == "", "whoever has it is no customer, so there is nobody to link"
    assert outcomes[1].name == "Free Name"
    assert door.adapter.name_holder(door.session(), "shared o'name") == words.lower()
    assert door.adapter.name_holder(door.session(), "Nobody At All") == ""


def test_an_inactive_customer_that_keeps_the_name_is_named_as_such(door: Door, somebody: str) -> None:
    there(door, "POST", f"/{somebody}/archive", {})
    (outcome,) = door.adapter.create_clients(door.session(), [new("Somebody Special Ltd")])
    assert isinstance(outcome, NameTaken)
    assert outcome.message == "An inactive customer in QuickBooks has the name Somebody Special Ltd already."
    assert outcome.holder_id == somebody


def test_a_taken_name_stays_a_taken_name_when_nobody_can_say_whose(door: Door, somebody: str) -> None:
    spoil(door, "status", method="GET", status=400)
    (outcome,) = door.adapter.create_clients(door.session(), [new("Somebody Special Ltd")])
    assert isinstance(outcome, NameTaken)


def test_names_are_found_in_any_spelling_of_capitals_and_spaces_and_when_inactive(door: Door) -> None:
    quoted = made(door, 'Back\\slash & O\'Hara "Sons" {a|b}^')
    gone = made(door, "Closed Doors Ltd")
    there(door, "POST", f"/{gone}/archive", {})
    for name, wanted in (
        ("back\\slash & o'hara \"sons\" {a|b}^", quoted), ("Closed  Doors Ltd", gone), ("closed doors ltd", gone),
    ):  # fmt: skip
        session = door.session()
        assert [one.remote_id for one in door.adapter.find_clients(session, name)] == [wanted]
        assert session.calls_made == 1


@pytest.mark.parametrize("shape", ["usual", "lower"])
def test_refusals_in_a_200_create_nothing(door: Door, shape: str) -> None:
    """Fault row 13."""
    spoil(door, "business_error", method="POST", message="Business Validation Error: No", shape=shape)
    (single,) = door.adapter.create_clients(door.session(), [new("One Ltd")])
    assert isinstance(single, Rejected) and "No" in single.vendor_text
    with pytest.raises(Rejected):
        door.adapter.create_clients(door.session(), [new("One Ltd"), new("Two Ltd", "c2")])


@pytest.mark.parametrize(
    "answer",
    [
        {"BatchItemResponse": [], "time": "2026-08-16T10:00:00-07:00"},
        {"Customer": None},
        {"Customer": {"Id": "", "DisplayName": "No Identifier"}},
        {"Fault": {"Error": [{"Message": "m", "Detail": "d", "code": "10000"}], "type": "SystemFault"}},
    ],
)
def test_a_200_without_the_customer_in_it_is_no_success(door: Door, answer: dict[str, Any]) -> None:
    """Fault rows 12 and 13."""
    spoil(door, "status", method="POST", status=200, body=json.dumps(answer), headers=JSON)
    try:
        (outcome,) = door.adapter.create_clients(door.session(), [new("One Ltd")])
    except Unknown as error:
        outcome = error
    assert isinstance(outcome, Unknown)
    assert len(door.calls("/customer")) == 1


def test_an_answer_about_another_customer_is_no_success(door: Door, somebody: str) -> None:
    other = json.dumps({"Customer": {"Id": "4711", "DisplayName": "Else", "SyncToken": "0"}})
    spoil(door, "status", method="POST", status=200, body=other, headers=JSON)
    with pytest.raises(Unknown):
        update(door, somebody, ClientChange({"name": "Mine Ltd"}))


def batch_answer(*items: dict[str, Any]) -> str:
    return json.dumps({"BatchItemResponse": list(items)})


@pytest.mark.parametrize("status", [200, 400])
def test_each_item_of_a_batch_is_believed_only_for_what_its_own_answer_says(door: Door, status: int) -> None:
    """Fault row 12; the status of a batch of which every item failed is not documented."""
    taken = {"Error": [{"Message": "Duplicate Name Exists Error", "Detail": "in use", "code": "6240"}]}
    broken = {"Error": [{"Message": "m", "Detail": "d", "code": "10000"}], "type": "SystemFault"}
    body = batch_answer(
        {"bId": "4", "Customer": {"Id": "88", "DisplayName": "Four Ltd", "SyncToken": "0"}},
        {"bId": 1, "Fault": taken},
        {"bId": "3"},
        {"bId": "5", "fault": broken},
    )
    spoil(door, "status", path="/batch", status=status, body=body, headers=JSON)
    news = [new(f"{word} Ltd", word) for word in ("One", "Two", "Three", "Four", "Five")]
    outcomes = door.adapter.create_clients(door.session(), news)
    assert [type(one) for one in outcomes] == [NameTaken, Unknown, Unknown, ClientRecord, Unknown]


def test_a_batch_that_is_too_long_for_the_vendor_goes_out_in_halves(door: Door) -> None:
    body = json.dumps({"Fault": {"Error": [{"Message": "Batch too big", "Detail": "10", "code": "1040"}]}})
    spoil(door, "status", path="/batch", status=400, body=body, headers=JSON, times=1)
    news = [new(f"Half {number} Ltd", f"k{number}") for number in range(5)]
    outcomes = door.adapter.create_clients(door.session(), news)
    assert [one.name for one in outcomes] == [one.record.name for one in news]
    assert len(door.calls("/batch")) == 3


def test_a_partial_record_in_an_answer_is_read_in_full_before_it_is_believed(door: Door, somebody: str) -> None:
    partial = json.dumps({"Customer": {"Id": somebody, "DisplayName": "Mine", "SyncToken": "1", "sparse": True}})
    spoil(door, "status", method="POST", status=200, body=partial, headers=JSON)
    after = update(door, somebody, ClientChange({"name": "Mine"}))
    assert after.contacts[0].email == "sam@special.example"
