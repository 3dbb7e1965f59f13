"""QuickBooks keeps the contract, and what is special about reading its customers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from portal.adapters.base import (
    AdapterError,
    Flow,
    Intake,
    Moment,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.quickbooks import INFO, QuickBooks
from portal.domain.records import (
    Address,
    ClientChange,
    ClientRecord,
    ContactRecord,
    RecordChange,
    RecordState,
)
from tests.adapters.conftest import Door
from tests.wire.contract import NEW_STREET, AdapterContract, update
from tests.wire.quickbooks_company import (
    JSON,
    asked,
    door,
    everything,
    made,
    new,
    somebody,
    spoil,
    switch,
    there,
)

__all__ = ["door", "somebody"]  # fixtures of this file


class TestQuickBooks(AdapterContract):
    app = "quickbooks"
    CHANGE: ClassVar[dict[str, Any]] = {
        "name": "Ōtara & Sons <Ltd>", "address": NEW_STREET, "postal_address": Address("PO Box 9", "Nelson"),
        "phone": "09 555 0177", "fax": "09 555 0178", "website": "https://otara.example",
    }  # fmt: skip
    NEW = ClientRecord(
        "", "Ngaio & Daughters Ltd", address=Address("1 New Street\nLevel 3", "Nelson", "", "7010", "New Zealand"),
        postal_address=Address("PO Box 1", "Nelson"), phone="09 555 0177", fax="09 555 0178",
        website="https://ngaio.example", contacts=(
            ContactRecord("primary", "Ngaio Marsh", "n@ngaio.example", mobile="021 1", salutation="Dame",
                          is_primary=True),
        ),
    )  # fmt: skip

    @pytest.fixture
    def door(self, make_door: Callable[..., Door]) -> Door:
        self.made = make_door(QuickBooks)
        return self.made

    def created_fields(self) -> tuple[str, ...]:
        return ("name", "address", "postal_address", "phone", "fax", "website", "contacts")

    def rename(self, uuid: str, name: str) -> None:
        there(self.made, "PATCH", f"/{uuid}", {"name": name})

    def archive(self, uuid: str) -> None:
        there(self.made, "POST", f"/{uuid}/archive", {})

    def name_there(self, uuid: str) -> str:
        return str(there(self.made, "GET", f"/{uuid}")["name"])

    def spoil(self, kind: str) -> None:
        rule: dict[str, Any] = {
            "status": {"kind": "status", "status": 503},
            "hang_up": {"kind": "drop"},
            "rate_limited": {"kind": "rate_limited", "retry_after": 7200, "problem": "day"},
            "html": {"kind": "garbage", "garbage": "html"},
            "revoked": {"kind": "revoked", "status": 403},
        }[kind]
        spoil(self.made, rule.pop("kind"), **rule)


def test_only_the_name_is_kept_in_step_and_new_clients_go_out_at_once() -> None:
    """QBO-1, QB-04, QB-05."""
    assert [name for name, flow in INFO.client_fields.items() if flow == Flow.TWO_WAY] == ["name"]
    assert set(INFO.contact_fields.values()) == {Flow.AT_LINK}
    assert INFO.new_clients[0] == Moment.AT_ONCE
    assert INFO.intakes[0] == Intake.CHOSEN
    assert INFO.directions[0] == "to_app"


def test_advice_is_given_to_create_clients_here_first() -> None:
    """QBO-6."""
    assert any("here first" in tip for tip in INFO.tips)
    assert any("single source of truth" in tip for tip in INFO.tips)


@pytest.mark.parametrize("customers", [30, 1000, 2500])
def test_a_full_read_takes_a_count_and_pages_of_a_thousand(door: Door, customers: int) -> None:
    door.sandbox.control.load(customers, vendor="quickbooks")
    session = door.session()
    assert len(list(door.adapter.fetch_clients(session, None))) == customers
    assert session.calls_made == 1 + -(-customers // 1000)
    assert all(call["minorversion"] == ["75"] for call in asked(door, "query"))


def test_changes_take_one_call_with_the_time_in_utc(door: Door, somebody: str) -> None:
    since = datetime.now(UTC) - timedelta(minutes=5)
    found = [one.remote_id for one in everything(door, since)]
    assert somebody in found
    (call,) = asked(door, "cdc")
    assert call["entities"] == ["Customer"]
    assert call["changedSince"] == [(since - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")]


def test_changes_of_a_month_ago_are_a_full_read(door: Door) -> None:
    """The vendor remembers thirty days, and does not say what it does with older questions."""
    switch(door, cdc_too_old="refused")
    assert len(everything(door, datetime.now(UTC) - timedelta(days=29, minutes=5))) == len(everything(door))
    assert not door.calls("cdc")
    everything(door, datetime.now(UTC) - timedelta(days=28, hours=23))
    assert door.calls("cdc")


@pytest.mark.parametrize("shape", ["object", "stub"])
def test_a_customer_made_inactive_is_archived_under_its_own_name(door: Door, somebody: str, shape: str) -> None:
    switch(door, cdc_inactive=shape)
    there(door, "POST", f"/{somebody}/archive", {})
    assert there(door, "GET", f"/{somebody}")["name"] == "Somebody Special Ltd (deleted)"
    changed = everything(door, datetime.now(UTC) - timedelta(minutes=5))
    for records in (changed, everything(door), [door.adapter.fetch_client(door.session(), somebody)]):
        record = next(one for one in records if one.remote_id == somebody)
        assert (record.name, record.state) == ("Somebody Special Ltd", RecordState.ARCHIVED)


def test_a_customer_that_is_gone_is_told_by_the_changes_and_not_there_by_itself(door: Door, somebody: str) -> None:
    """Fault row 28."""
    record = door.adapter.fetch_client(door.session(), somebody)
    there(door, "POST", f"/{somebody}/delete", {})
    changed = everything(door, datetime.now(UTC) - timedelta(minutes=5))
    assert [one.state for one in changed if one.remote_id == somebody] == [RecordState.DELETED]
    with pytest.raises(NotThere):
        door.adapter.fetch_client(door.session(), somebody)
    change = RecordChange(record, ClientChange({"name": "Too Late Ltd"}), "u1")
    assert [type(one) for one in door.adapter.update_clients(door.session(), [change])] == [NotThere]


@pytest.mark.parametrize("shows", ["inactive", "gone"])
def test_a_customer_that_was_merged_away_is_inactive_or_gone_and_never_written_to(
    door: Door, somebody: str, shows: str
) -> None:
    """Fault row 28."""
    switch(door, merged_shows=shows)
    record = door.adapter.fetch_client(door.session(), somebody)
    there(door, "POST", f"/{somebody}/merge", {"into": made(door, "Survivor Ltd")})
    state = {one.remote_id: one.state for one in everything(door, datetime.now(UTC) - timedelta(minutes=5))}[somebody]
    assert state == {"inactive": RecordState.ARCHIVED, "gone": RecordState.DELETED}[shows]
    change = RecordChange(record, ClientChange({"name": "Too Late Ltd"}), "u1")
    (outcome,) = door.adapter.update_clients(door.session(), [change])
    assert isinstance(outcome, NotThere)


def test_sub_customers_and_projects_say_what_they_are(door: Door, somebody: str) -> None:
    kitchen = made(door, "Kitchen Remodel", Job=True, ParentRef={"value": somebody})
    project = made(door, "Aviary", Job=True, IsProject=True, ParentRef={"value": somebody})
    kinds = {one.remote_id: one.kind for one in everything(door)}
    assert kinds[kitchen] == "sub-customer of Somebody Special Ltd"
    assert kinds[project] == "project"
    assert kinds[somebody] == ""


@pytest.mark.parametrize("body", ["xml", "json"])
def test_being_told_to_slow_down_waits_the_minute_the_vendor_asks_for(door: Door, body: str) -> None:
    """Fault row 17."""
    switch(door, throttle_body=body)
    spoil(door, "rate_limited", times=1)
    assert everything(door)
    assert 59 < door.naps.total < 70


def test_the_old_way_of_saying_slow_down_is_no_lost_connection(door: Door) -> None:
    """Fault row 17."""
    text = (
        '<IntuitResponse xmlns="http://schema.intuit.com/finance/v3"><Fault type="SERVICE"><Error code="3001"><Message>'
        "message=ThrottleExceeded; errorCode=003001; statusCode=403</Message></Error></Fault></IntuitResponse>"
    )
    spoil(door, "status", status=403, body=text, headers={"Content-Type": "application/xml"})
    with pytest.raises(RateLimited):
        everything(door)


def test_whoever_lost_their_rights_is_told_so_and_no_token_is_spent_on_it(door: Door) -> None:
    """Fault row 35."""
    session = door.session()
    switch(door, company_state="no_access")
    with pytest.raises(NeedsReconnect, match="no longer an administrator"):
        list(door.adapter.fetch_clients(session, None))
    assert door.tokens is not None and door.tokens.renewals == 0


def test_a_company_whose_subscription_ended_can_be_read_but_not_written(door: Door, somebody: str) -> None:
    switch(door, company_state="suspended")
    with pytest.raises(Rejected, match="subscription has ended"):
        update(door, somebody, ClientChange({"name": "Mine Ltd"}))


def test_a_company_that_was_disconnected_there_needs_a_person(door: Door) -> None:
    """Fault row 35."""
    session = door.session()
    door.sandbox.control.revoke("Marlow & Co", vendor="quickbooks")
    with pytest.raises(NeedsReconnect, match="disconnected there"):
        list(door.adapter.fetch_clients(session, None))
    assert len(door.calls()) == 1


def test_a_token_that_runs_out_between_pages_is_renewed_and_nobody_comes_twice(door: Door) -> None:
    """Fault row 36."""
    door.sandbox.control.load(1500, vendor="quickbooks")
    session = door.session()
    assert door.tokens is not None
    door.tokens.held.append(door.token())
    spoil(door, "token_expired", after=2, times=1)
    found = [one.remote_id for one in door.adapter.fetch_clients(session, None)]
    assert len(found) == len(set(found)) == 1500
    assert door.tokens.renewals == 1


def test_a_page_that_is_always_the_first_one_ends_the_read(door: Door) -> None:
    """Fault row 26."""
    door.sandbox.control.load(1500, vendor="quickbooks")
    spoil(door, "repeat_page")
    with pytest.raises(AdapterError, match="same part"):
        everything(door)


@pytest.mark.parametrize(
    "garbage",
    ["html", "empty", "malformed_json", "nan_json", "duplicate_keys_json", "deep_json", "malformed_xml", "doctype",
     "billion_laughs_large", "external_entity", "deep_tags"],
)  # fmt: skip
def test_rubbish_is_asked_for_again_and_then_kept_as_evidence(door: Door, garbage: str) -> None:
    """Fault rows 21, 22 and 23."""
    spoil(door, "garbage", garbage=garbage)
    with pytest.raises(UnexpectedReply):
        everything(door)
    assert len(door.calls()) == 4
    assert not door.sandbox.control.calls(path="trap")


@pytest.mark.parametrize("garbage", ["html", "malformed_json", "truncated", "cut"])
def test_one_bad_page_is_made_good_by_the_next_try(door: Door, garbage: str) -> None:
    """Fault row 21."""
    there_are = len(everything(door))
    spoil(door, "garbage", garbage=garbage, nth=2)
    assert len(everything(door)) == there_are


def test_rubbish_in_answer_to_a_creation_leaves_open_whether_it_was_done(door: Door) -> None:
    """Fault row 12."""
    spoil(door, "garbage", garbage="html", method="POST")
    with pytest.raises(Unknown):
        door.adapter.create_clients(door.session(), [new("One Ltd")])
    assert len([call for call in door.calls() if call["method"] == "POST"]) == 1


def test_a_list_that_is_suddenly_empty_is_an_empty_list_and_no_error(door: Door) -> None:
    """Fault row 27."""
    spoil(door, "empty_list")
    assert everything(door) == []


def test_no_secret_gets_into_logs_or_errors(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """Fault row 40."""
    caplog.set_level(logging.DEBUG)
    session = door.session()
    assert door.tokens is not None
    token = door.tokens.current()
    body = json.dumps({"Fault": {"Error": [{"Message": f"Bearer {token}", "code": "2010"}]}})
    spoil(door, "status", status=400, body=body, headers=JSON)
    with pytest.raises(Rejected) as caught:
        list(door.adapter.fetch_clients(session, None))
    told = [caplog.text, caught.value.message, caught.value.vendor_text, repr(caught.value)]
    assert not [one for one in told if token in one]
    assert "intuit_tid" in caplog.text
