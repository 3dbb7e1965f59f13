"""Xero Practice Manager keeps the contract in both of its wire formats, and what is special about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.adapters.base import AdapterError, Flow, NeedsReconnect, NotThere, Rejected, UnexpectedReply, Unknown
from portal.adapters.xpm import INFO, Xpm
from portal.domain.records import (
    Address,
    ClientChange,
    ClientRecord,
    ContactRecord,
    RecordChange,
    Reference,
    StaffRef,
)
from portal.sandbox.server import Running
from tests.adapters.conftest import Door
from tests.wire.contract import AdapterContract, create


@pytest.fixture
def somebody(sandbox: Running) -> str:
    return next(one["uuid"] for one in sandbox.control.clients() if len(one["contacts"]) > 1)


def update(door: Door, uuid: str, change: ClientChange) -> ClientRecord:
    """XPM reads the record anew itself, so what was read before does not matter."""
    (after,) = door.adapter.update_clients(
        door.session(), [RecordChange(ClientRecord(uuid, "as it was"), change, "u1")]
    )
    if isinstance(after, AdapterError):
        raise after
    return after


def reference(door: Door) -> Reference:
    return door.adapter.fetch_reference(door.session())


class TestXpm(AdapterContract):
    app = "xpm"

    @pytest.fixture(params=["xml", "json"])
    def door(self, make_door: Callable[..., Door], request: pytest.FixtureRequest) -> Door:
        self.made = make_door(Xpm, XPM_WIRE_FORMAT=request.param)
        return self.made

    def rename(self, uuid: str, name: str) -> None:
        self.made.sandbox.control.rename(uuid, name)

    def archive(self, uuid: str) -> None:
        self.made.sandbox.control.archive(uuid)

    def name_there(self, uuid: str) -> str:
        return str(self.made.sandbox.control.client(uuid)["name"])

    def spoil(self, kind: str) -> None:
        rule: dict[str, Any] = {
            "status": {"kind": "status", "status": 503},
            "hang_up": {"kind": "drop"},
            "rate_limited": {"kind": "rate_limited", "retry_after": 7200, "problem": "day"},
            "html": {"kind": "garbage", "garbage": "html"},
            "revoked": {"kind": "revoked", "status": 403},
        }[kind]
        self.made.sandbox.control.fault(rule.pop("kind"), vendor="xpm", **rule)


def test_the_field_table_is_the_one_of_the_requirements() -> None:
    """XPM-3, XPM-6, XPM-7, XPM-8."""
    assert {name for name, flow in INFO.client_fields.items() if flow == Flow.TWO_WAY} == {
        "name", "address", "postal_address", "phone", "fax", "partner", "manager",
    }  # fmt: skip
    assert {name for name, flow in INFO.client_fields.items() if flow == Flow.PULL} == {
        "groups", "website", "tax_registered",
    }  # fmt: skip
    assert INFO.client_fields["structure"] == INFO.contact_fields["addressee"] == Flow.PULL_ONCE
    assert set(INFO.contact_fields) == {"name", "email", "phone", "mobile", "salutation", "addressee"}


def test_reading_all_clients_takes_one_call(door: Door) -> None:
    session = door.session()
    assert len(list(door.adapter.fetch_clients(session, None))) == 20
    assert session.calls_made == len(door.calls()) == 1


def test_the_time_since_is_sent_in_utc_without_zone(door: Door) -> None:
    from zoneinfo import ZoneInfo

    since = datetime(2026, 11, 3, 9, 30, 15, 999, tzinfo=ZoneInfo("Pacific/Auckland"))
    list(door.adapter.fetch_clients(door.session(), since))
    assert "modifiedsince=2026-11-02T20%3A30%3A15" in door.calls("client.api/list")[0]["query"]


def test_our_people_fields_are_xpms_account_and_job_manager(door: Door, somebody: str) -> None:
    there = door.sandbox.control.client(somebody)["fields"]
    record = door.adapter.fetch_client(door.session(), somebody)
    assert record.partner == StaffRef(there["AccountManager"]["UUID"], there["AccountManager"]["Name"])
    assert record.manager == StaffRef(there["JobManager"]["UUID"], there["JobManager"]["Name"])


def test_a_manager_can_be_changed_and_taken_away(door: Door, somebody: str) -> None:
    staff = reference(door).staff
    change = ClientChange({"partner": StaffRef(staff[3].remote_id, staff[3].name), "manager": None})
    after = update(door, somebody, change)
    assert after.partner == StaffRef(staff[3].remote_id, staff[3].name)
    assert after.manager is None


def test_an_update_writes_the_rest_of_the_record_back_as_it_was(door: Door, somebody: str) -> None:
    """Whether XPM clears what an update leaves out is not documented; the tax number must never go back masked."""
    door.sandbox.control.change(
        somebody, Website="https://old.example", GSTPeriod="2 Monthly", BalanceMonth="Mar", TaxNumber="123456789",
        DateOfBirth="1980-02-03",
    )  # fmt: skip
    door.sandbox.control.state(update_clears_omitted=True)
    before = door.sandbox.control.client(somebody)["fields"]
    update(door, somebody, ClientChange({"phone": "09 999"}))
    after = door.sandbox.control.client(somebody)["fields"]
    assert after.pop("Phone") == "09 999"
    before.pop("Phone", None)
    tax_before, tax_after = before.pop("TaxNumber"), after.pop("TaxNumber", None)
    assert tax_before == "123456789"
    assert tax_after in (None, "", "123456789")
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


def test_a_field_that_is_only_read_there_cannot_be_written(door: Door, somebody: str) -> None:
    with pytest.raises(Rejected, match="does not write the website"):
        update(door, somebody, ClientChange({"website": "https://x.example"}))
    assert not [call for call in door.calls() if call["method"] != "GET"]


@pytest.mark.parametrize("is_404", [True, False])
def test_an_unknown_client_is_not_there_whichever_way_xpm_says_it(door: Door, is_404: bool) -> None:
    door.sandbox.control.state(unknown_uuid_is_404=is_404)
    with pytest.raises(NotThere):
        door.adapter.fetch_client(door.session(), "00000000-0000-4000-8000-000000000000")


def test_a_refusal_inside_a_200_is_a_refusal_with_the_vendors_words(door: Door, somebody: str) -> None:
    """Fault row 13."""
    door.sandbox.control.fault("business_error", vendor="xpm", method="PUT", message="Client name is required")
    with pytest.raises(Rejected) as caught:
        update(door, somebody, ClientChange({"name": ""}))
    assert caught.value.vendor_text == "Client name is required"
    assert not isinstance(caught.value, NotThere)


def test_a_clash_is_read_again_and_tried_once_more(door: Door, somebody: str) -> None:
    door.sandbox.control.fault("status", vendor="xpm", method="PUT", path="update", status=409, times=1)
    after = update(door, somebody, ClientChange({"phone": "09 409"}))
    assert after.phone == "09 409"
    assert [call["method"] for call in door.calls()] == ["GET", "PUT", "GET", "PUT"]


def test_a_second_clash_is_told(door: Door, somebody: str) -> None:
    door.sandbox.control.fault("status", vendor="xpm", method="PUT", path="update", status=409)
    with pytest.raises(Rejected) as caught:
        update(door, somebody, ClientChange({"phone": "09 409"}))
    assert caught.value.status == 409
    assert len([call for call in door.calls() if call["method"] == "PUT"]) == 2


@pytest.mark.parametrize(
    "fault", [{"kind": "accept_then_drop"}, {"kind": "accept_then_status", "status": 500}, {"kind": "drop"}]
)
def test_a_lost_answer_to_an_update_is_unknown_and_not_repeated(door: Door, somebody: str, fault: dict) -> None:
    """Fault rows 11 and 12."""
    door.sandbox.control.fault(fault.pop("kind"), vendor="xpm", method="PUT", **fault)
    with pytest.raises(Unknown):
        update(door, somebody, ClientChange({"phone": "09 11"}))
    assert len([call for call in door.calls() if call["method"] == "PUT"]) == 1


def test_a_contact_whose_answer_was_lost_is_found_and_not_made_twice(door: Door, somebody: str) -> None:
    """Fault rows 11, 14 and 15: XPM has no idempotency key, so it looks."""
    door.sandbox.control.fault("accept_then_drop", vendor="xpm", method="POST", path="contact")
    change = ClientChange({}, contacts=((ContactRecord("", "Only Once", "once@example.com"), True),))
    after = update(door, somebody, change)
    assert [one.name for one in after.contacts].count("Only Once") == 1
    assert len([call for call in door.calls() if call["method"] == "POST"]) == 1


def test_a_contact_that_was_not_made_is_unknown_and_made_once_by_the_next_try(door: Door, somebody: str) -> None:
    door.sandbox.control.fault("drop", vendor="xpm", method="POST", path="contact", times=1)
    change = ClientChange({}, contacts=((ContactRecord("", "Only Once", "once@example.com"), True),))
    with pytest.raises(Unknown):
        update(door, somebody, change)
    for _again in range(2):
        after = update(door, somebody, change)
    assert [one.name for one in after.contacts].count("Only Once") == 1


def test_a_namesake_who_is_somebody_elses_already_is_left_alone(door: Door, somebody: str) -> None:
    before = door.adapter.fetch_client(door.session(), somebody)
    taken = before.contacts[0]
    new = ContactRecord("", taken.name, "another@example.com")
    linked = frozenset({taken.remote_id})
    after = update(door, somebody, ClientChange({}, ((new, True),), linked))
    assert sorted(one.email for one in after.contacts if one.name == taken.name) == sorted(
        [taken.email, "another@example.com"]
    )


def test_two_new_people_of_one_name_are_two_people(door: Door, somebody: str) -> None:
    door.sandbox.control.add_contact(somebody, name="Same Name", email="there@example.com")
    both = tuple((ContactRecord("", "Same Name", f"{n}@example.com"), True) for n in ("first", "second"))
    after = update(door, somebody, ClientChange({}, both))
    assert sorted(one.email for one in after.contacts if one.name == "Same Name") == [
        "first@example.com", "second@example.com",
    ]  # fmt: skip


def test_an_answer_to_a_write_that_makes_no_sense_is_unknown(door: Door, somebody: str) -> None:
    """Fault row 12."""
    body, headers = "<Response><Status>OK</Stat></Response>", {"Content-Type": "text/xml"}
    door.sandbox.control.fault("status", vendor="xpm", method="PUT", status=200, body=body, headers=headers)
    with pytest.raises(Unknown):
        update(door, somebody, ClientChange({"phone": "09 12"}))


def test_a_text_that_xml_cannot_carry_is_refused_before_anything_is_sent(door: Door, somebody: str) -> None:
    with pytest.raises(Rejected, match="cannot be sent"):
        update(door, somebody, ClientChange({"phone": "09\ufffe12"}))
    assert [call["method"] for call in door.calls()] == ["GET"]


def test_the_addressee_of_a_contact_is_never_changed_there(door: Door, somebody: str) -> None:
    before = door.adapter.fetch_client(door.session(), somebody).contacts[0]
    change = ClientChange({}, ((replace(before, addressee="Local Habit", phone="09 7"), False),))
    after = update(door, somebody, change).contacts[0]
    assert (after.addressee, after.phone) == (before.addressee, "09 7")


def test_lists_the_vendor_keeps_from_us_are_empty_and_noted(door: Door) -> None:
    door.sandbox.control.state(granular_reaches_lists=False)
    session = door.session()
    found = door.adapter.fetch_reference(session)
    assert found.lists == {"job categories": (), "job templates": ()}
    assert found.staff
    assert session.not_granted == {"job categories", "job templates"}
    assert len(list(door.adapter.fetch_clients(session, None))) == 20


def test_a_practice_that_was_disconnected_there_needs_a_person(door: Door) -> None:
    """Fault row 35."""
    session = door.session()
    door.sandbox.control.revoke("Marlow & Co")
    with pytest.raises(NeedsReconnect) as caught:
        list(door.adapter.fetch_clients(session, None))
    assert caught.value.status == 403
    assert len(door.calls()) == 1


def test_a_token_that_runs_out_is_renewed_once_and_the_same_call_repeated(door: Door) -> None:
    """Fault row 36."""
    session = door.session()
    door.tokens.held.append(door.token())
    door.sandbox.control.fault("token_expired", vendor="xpm", times=1)
    assert len(list(door.adapter.fetch_clients(session, None))) == 20
    assert door.tokens.renewals == 1
    assert len(door.calls()) == 2


def test_a_token_that_is_refused_twice_needs_a_person(door: Door) -> None:
    session = door.session()
    door.sandbox.control.fault("revoked", vendor="xpm", status=401)
    with pytest.raises(NeedsReconnect):
        list(door.adapter.fetch_clients(session, None))
    assert len(door.calls()) == 2


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_vendor_whose_clock_is_off_is_asked_by_its_own_clock(door: Door, minutes: int, somebody: str) -> None:
    """Fault row 29."""
    door.sandbox.control.clock(skew_seconds=minutes * 60)
    session = door.session()
    door.adapter.fetch_reference(session)
    start = datetime.now(UTC)
    theirs = session.by_vendor_clock(start)
    assert abs(theirs - start - timedelta(minutes=minutes)) < timedelta(seconds=3)
    door.sandbox.control.rename(somebody, "Changed By Their Clock")
    names = [one.name for one in door.adapter.fetch_clients(session, theirs - timedelta(seconds=5))]
    assert "Changed By Their Clock" in names


def test_a_list_that_is_suddenly_empty_is_an_empty_list_and_no_error(door: Door) -> None:
    """Fault row 27: whether to believe it is decided by whoever knows what there was before."""
    door.sandbox.control.fault("empty_list", vendor="xpm")
    assert list(door.adapter.fetch_clients(door.session(), None)) == []


def test_no_secret_gets_into_logs_or_errors(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """Fault row 40."""
    caplog.set_level(logging.DEBUG)
    session = door.session()
    token = door.tokens.current()
    door.sandbox.control.fault("status", vendor="xpm", status=400, body=f'{{"errorDescription": "Bearer {token}"}}',
                               headers={"Content-Type": "application/json"})  # fmt: skip
    with pytest.raises(Rejected) as caught:
        list(door.adapter.fetch_clients(session, None))
    told = [caplog.text, caught.value.message, caught.value.vendor_text, repr(caught.value), repr(session)]
    assert not [one for one in told if token in one]
    assert "[hidden]" in caught.value.vendor_text


KERERU = ClientRecord(
    "", "Kererū Orchards Ltd", address=Address("2 Hill Road\nRD 3", "Nelson", "", "7073", "New Zealand"),
    phone="03 555 0166", website="https://kereru.example", structure="Something the practice has no word for",
    tax_registered=True,
    contacts=(
        ContactRecord("", "Mere Pene", "mere@kereru.example", mobile="021 5", salutation="Mere", is_primary=True),
        ContactRecord("", "Sam Lee", "sam@kereru.example", addressee="Mr S Lee", position="Grower"),
    ),
)  # fmt: skip


@pytest.mark.parametrize("wire_format", ["xml", "json"])
def test_a_new_client_goes_out_whole_with_its_contacts(make_door: Callable[..., Door], wire_format: str) -> None:
    """XPM-12. What is empty stays out; the company structure does too, since XPM takes only words of its own list."""
    door = make_door(Xpm, XPM_WIRE_FORMAT=wire_format)
    staff = reference(door).staff[2]
    made = create(door, replace(KERERU, partner=StaffRef(staff.remote_id, staff.name)))
    assert (made.name, made.address, made.phone) == (KERERU.name, KERERU.address, KERERU.phone)
    assert (made.website, made.tax_registered, made.structure) == (KERERU.website, True, "")
    assert made.partner == StaffRef(staff.remote_id, staff.name)
    assert made.manager is None
    nameless = {replace(one, remote_id="") for one in made.contacts}
    assert nameless == set(KERERU.contacts)
    assert len([call for call in door.calls() if call["method"] == "POST"]) == 1


@pytest.mark.parametrize(
    ("fault", "is_there"),
    [({"kind": "accept_then_drop"}, True), ({"kind": "accept_then_status", "status": 500}, True),
     ({"kind": "accept_then_hang", "seconds": 1}, True), ({"kind": "drop"}, False)],
)  # fmt: skip
def test_a_creation_whose_answer_was_lost_is_unknown_sent_once_and_found_by_looking(
    door: Door, fault: dict[str, Any], is_there: bool
) -> None:
    """Fault rows 11, 12, 14 and 15: XPM takes no idempotency key, so whoever asks looks before another try."""
    door.sandbox.control.fault(fault.pop("kind"), vendor="xpm", method="POST", path="client.api/add", **fault)
    with pytest.raises(Unknown):
        create(door, KERERU)
    assert len(door.calls("client.api/add")) == 1
    found = door.adapter.find_clients(door.session(), KERERU.name)
    assert [one.name for one in found] == [KERERU.name] * is_there


def test_a_creation_that_xpm_refuses_is_told_with_its_words(door: Door) -> None:
    """Fault row 13: no identifier is believed."""
    door.sandbox.control.fault(
        "business_error", vendor="xpm", path="client.api/add", message="Invalid staff identifier"
    )
    with pytest.raises(Rejected, match="Invalid staff identifier"):
        create(door, KERERU)


def test_a_creation_answered_without_an_identifier_is_unknown(door: Door) -> None:
    body = "<Response><Status>OK</Status><Client><Name>Kererū Orchards Ltd</Name></Client></Response>"
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    door.sandbox.control.fault("status", vendor="xpm", path="client.api/add", status=200, body=body, headers=headers)
    with pytest.raises(Unknown):
        create(door, KERERU)


def test_several_clients_of_one_name_are_all_found(door: Door) -> None:
    for name in ("Twin Ltd", "Twin Ltd", "TWIN LTD (old)", "Another Twin Ltd"):
        door.sandbox.control.create(name)
    found = door.adapter.find_clients(door.session(), "Twin Ltd")
    assert sorted(one.name for one in found) == ["TWIN LTD (old)", "Twin Ltd", "Twin Ltd"]


def test_a_namesake_that_cannot_be_understood_is_no_reason_to_create_another(door: Door) -> None:
    """Fault row 24."""
    body = (
        "<Response><Status>OK</Status><Clients><Client><UUID>1</UUID><Name>{}</Name><IsArchived>Perhaps</IsArchived>"
        "</Client></Clients></Response>"
    )
    headers = {"Content-Type": "text/xml"}
    search = {"vendor": "xpm", "path": "client.api/search", "status": 200, "headers": headers, "times": 1}
    door.sandbox.control.fault("status", body=body.format("ODD Limited"), **search)
    with pytest.raises(UnexpectedReply, match="cannot be understood"):
        door.adapter.find_clients(door.session(), "Odd Ltd")
    door.sandbox.control.fault("status", body=body.format("Odd Fellows Lodge"), **search)
    assert door.adapter.find_clients(door.session(), "Odd Ltd") == []
