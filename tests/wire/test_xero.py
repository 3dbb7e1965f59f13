"""Xero keeps the contract, and what is special about its contacts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from portal.adapters.base import (
    AdapterError,
    Flow,
    NeedsReconnect,
    NotThere,
    Rejected,
    Unavailable,
    UnexpectedReply,
)
from portal.adapters.xero import INFO, Xero
from portal.domain.records import (
    Address,
    ClientRecord,
    Quarantined,
    RecordState,
)
from tests.adapters.conftest import Door
from tests.wire.contract import NEW_STREET, AdapterContract

JSON = {"Content-Type": "application/json; charset=utf-8"}


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Xero)


@pytest.fixture
def somebody(door: Door) -> str:
    return made(door, "Somebody Special Ltd", FirstName="Sam", LastName="Lee", email="sam@special.example")


def made(door: Door, name: str, **values: Any) -> str:
    """A contact that somebody typed into Xero; its identifier."""
    return str(there(door, "POST", values={"name": name, **values})["uuid"])


def there(door: Door, method: str, path: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(door.sandbox.control.ask(method, f"xero/contacts{path}", values))


def everything(door: Door, since: datetime | None = None) -> list[ClientRecord | Quarantined]:
    return list(door.adapter.fetch_clients(door.session(), since))


def spoil(door: Door, kind: str, **values: Any) -> None:
    door.sandbox.control.fault(kind, vendor="xero", **values)


class TestXero(AdapterContract):
    app = "xero"
    CHANGE: ClassVar[dict[str, Any]] = {
        "name": "Ōtara & Sons Ltd", "address": NEW_STREET, "postal_address": Address("PO Box 9", "Nelson"), "phone": "",
        "fax": "09 555 0178",
    }  # fmt: skip

    @pytest.fixture
    def door(self, make_door: Callable[..., Door]) -> Door:
        self.made = make_door(Xero)
        return self.made

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


def test_the_field_table_is_the_one_of_the_requirements() -> None:
    """XE-01: the name by setting, out only unless chosen otherwise; the rest with an import, a link or a creation."""
    assert {name for name, flow in INFO.client_fields.items() if flow == Flow.TWO_WAY} == {"name"}
    assert set(INFO.contact_fields.values()) == {Flow.AT_LINK}
    assert (INFO.directions[0], INFO.levels, INFO.sync_every) == ("to_app", ("name", "nothing"), timedelta(hours=1))


@pytest.mark.parametrize("ending", ["", "/", "/api.xro/2.0", "/api.xro/2.0/"])
def test_the_address_may_be_given_with_the_apis_root_or_without(make_door: Callable[..., Door], ending: str) -> None:
    plain = make_door(Xero)
    door = make_door(Xero, XERO_API_URL=f"{plain.sandbox.url}/xero{ending}")
    assert len(everything(door)) == len(everything(plain)) > 0
    given = door.sandbox.control.tokens(tenants=[door.account["id"]])
    (account,) = door.adapter.accounts(access_token=given["access_token"], answer={})
    assert account.remote_id == door.account["id"]


def test_reading_all_contacts_takes_a_call_for_every_thousand(door: Door) -> None:
    door.sandbox.control.load(2100, vendor="xero", tenant=door.account["id"])
    session = door.session()
    records = list(door.adapter.fetch_clients(session, None))
    assert len(records) == len({one.remote_id for one in records}) == 2100
    assert session.calls_made == len(door.calls()) == 3
    assert "includeArchived=true" in door.calls()[0]["query"]


def test_contacts_that_come_or_change_while_the_pages_are_turned_are_neither_lost_nor_doubled(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 26."""
    monkeypatch.setattr("portal.adapters.xero.paging.LARGEST_PAGE", 5)
    before = {one.remote_id for one in everything(door)}
    added, seen = [], []
    for number, record in enumerate(door.adapter.fetch_clients(door.session(), None)):
        seen.append(record.remote_id)
        if number % 5 == 0:
            there(door, "PATCH", f"/{min(before)}", {"phone": f"09 {number}"})
            added.append(made(door, f"Meanwhile {number} Ltd"))
    assert len(seen) == len(set(seen))
    assert before <= set(seen) <= before | set(added)


@pytest.mark.parametrize("page", [3, 5])
def test_a_list_that_repeats_itself_is_no_whole_look(door: Door, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """Fault row 25: also when it would end by itself."""
    monkeypatch.setattr("portal.adapters.xero.paging.LARGEST_PAGE", page)
    spoil(door, "repeat_page")
    with pytest.raises(UnexpectedReply):
        everything(door)
    assert len(door.calls()) <= 3


def test_a_list_that_breaks_off_is_no_whole_look(door: Door) -> None:
    body = {"pagination": {"page": 1, "pageCount": 4}, "Contacts": []}
    spoil(door, "status", status=200, body=json.dumps(body), headers=JSON)
    with pytest.raises(UnexpectedReply, match="breaks off"):
        everything(door)


def test_a_list_without_a_count_of_pages_is_read_until_a_page_is_empty(door: Door) -> None:
    """It is not confirmed that every list says how many pages there are."""
    for listed in ([{"ContactID": "1", "Name": "A"}], [{"ContactID": "2", "Name": "B"}], []):
        spoil(door, "status", status=200, body=json.dumps({"Contacts": listed}), headers=JSON, times=1)
    assert [one.name for one in everything(door)] == ["A", "B"]


def test_a_list_that_is_suddenly_empty_is_an_empty_list_and_no_error(door: Door) -> None:
    """Fault row 27: whether to believe it is decided by whoever knows what there was before."""
    spoil(door, "empty_list")
    assert everything(door) == []


def test_only_what_changed_comes_and_the_time_is_sent_in_utc_to_the_second(door: Door) -> None:
    uuid = made(door, "Fresh Ltd")
    record = door.adapter.fetch_client(door.session(), uuid)
    assert record.changed_at is not None
    assert [one.name for one in everything(door, record.changed_at)] == ["Fresh Ltd"]
    assert everything(door, record.changed_at + timedelta(seconds=2)) == []


def test_not_modified_is_an_empty_list_too(door: Door) -> None:
    """Nobody has confirmed whether Xero answers 304 or an empty list."""
    door.sandbox.control.state(xero_unchanged_answers_304=True)
    assert everything(door, datetime.now(UTC) + timedelta(hours=1)) == []


def test_a_contact_that_was_merged_away_counts_as_gone_and_one_put_away_as_archived(door: Door) -> None:
    loser, winner, asleep = made(door, "Loser Ltd"), made(door, "Winner Ltd"), made(door, "Asleep Ltd")
    there(door, "POST", f"/{loser}/merge", {"into": winner})
    there(door, "POST", f"/{asleep}/archive", {})
    states = {one.name: one.state for one in everything(door) if isinstance(one, ClientRecord)}
    assert states["Loser Ltd"] == RecordState.DELETED
    assert states["Winner Ltd"] == RecordState.ACTIVE
    assert states["Asleep Ltd"] == RecordState.ARCHIVED
    assert door.adapter.fetch_client(door.session(), loser).state == RecordState.DELETED


def test_a_contact_number_is_no_identifier(door: Door) -> None:
    """The address that finds a contact by its identifier finds one by its number as well."""
    made(door, "Numbered Ltd", ContactNumber="C-1")
    with pytest.raises(NotThere):
        door.adapter.fetch_client(door.session(), "C-1")


@pytest.mark.parametrize(
    "name", ["Māori & Sons (2026) Ltd", "O'Brien's", 'The "Old" Mill', "Back\\slash Ltd", "A, B OR C"]
)
def test_odd_names_are_found(door: Door, name: str) -> None:
    uuid = made(door, name)
    assert [one.remote_id for one in door.adapter.find_clients(door.session(), name)] == [uuid]


def test_a_namesake_that_cannot_be_understood_is_no_reason_to_create_another(door: Door) -> None:
    """Fault row 24."""
    odd = {"ContactID": "7", "Name": "Odd Ltd", "ContactStatus": "SLEEPING"}
    spoil(
        door, "status", status=200, body=json.dumps({"Contacts": [odd], "pagination": {"pageCount": 1}}), headers=JSON
    )
    with pytest.raises(UnexpectedReply, match="Odd Ltd"):
        door.adapter.find_clients(door.session(), "Odd Ltd")
    assert isinstance(everything(door)[0], Quarantined)


def test_the_organisation_and_its_tracking_categories_in_two_calls(door: Door) -> None:
    """CL-32."""
    session = door.session()
    found = door.adapter.fetch_reference(session)
    assert session.calls_made == 2
    assert found.facts["Legal name"]
    assert (found.facts["Country"], found.facts["Currency"]) == ("NZ", "NZD")
    assert found.facts["Time zone"] == "Pacific/Auckland"
    assert 0 < len(found.choices) <= 2
    assert all(one.options for one in found.choices)


def test_tracking_categories_that_are_kept_from_us_are_left_out_and_noted(door: Door) -> None:
    refusal = {"Type": None, "Title": "Unauthorized", "Status": 401, "Detail": "AuthorizationUnsuccessful"}
    spoil(door, "status", path="TrackingCategories", status=401, body=json.dumps(refusal), headers=JSON)
    session = door.session()
    assert door.adapter.fetch_reference(session).choices == ()
    assert session.not_granted == {"tracking categories"}
    assert door.tokens is not None
    assert door.tokens.renewals == 0


def test_a_missing_permission_is_not_mistaken_for_a_token_that_ran_out(door: Door) -> None:
    info = door.adapter.info
    scopes = [one for one in info.scopes if one != "accounting.contacts"]
    given = door.sandbox.control.tokens(scopes=scopes, tenants=[door.account["id"]])
    session = door.session()
    assert door.tokens is not None
    door.tokens.held = [given["access_token"]]
    with pytest.raises(NeedsReconnect):
        list(door.adapter.fetch_clients(session, None))
    assert door.tokens.renewals == 0
    assert len(door.calls()) == 1


def test_a_token_that_runs_out_is_renewed_once_and_the_same_call_repeated(door: Door) -> None:
    """Fault row 36."""
    session = door.session()
    assert door.tokens is not None
    door.tokens.held.append(door.token())
    spoil(door, "token_expired", times=1)
    assert list(door.adapter.fetch_clients(session, None))
    assert door.tokens.renewals == 1


def test_an_organisation_that_was_disconnected_there_needs_a_person(door: Door) -> None:
    """Fault row 35."""
    session = door.session()
    door.sandbox.control.revoke(door.account["id"])
    with pytest.raises(NeedsReconnect):
        list(door.adapter.fetch_clients(session, None))


def test_maintenance_told_in_plain_text_passes(door: Door) -> None:
    text = {"Content-Type": "text/plain; charset=utf-8"}
    spoil(door, "status", status=503, body="The Organisation is offline", headers=text)
    with pytest.raises(Unavailable) as caught:
        everything(door)
    assert caught.value.vendor_text == "The Organisation is offline"


def test_every_error_is_one_of_ours(door: Door) -> None:
    for body in ({"Type": "HighVolumeException", "ErrorNumber": 51, "Message": "Too many records"}, {}):
        spoil(door, "status", status=400, body=json.dumps(body), headers=JSON, times=1)
        with pytest.raises(AdapterError) as caught:
            everything(door)
        assert isinstance(caught.value, Rejected)
