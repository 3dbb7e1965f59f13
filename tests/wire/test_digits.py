"""Digits keeps the contract in every reading of what is not documented, and what is special about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.adapters.base import (
    Flow,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Unavailable,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.digits import INFO, Digits
from portal.domain.records import ClientRecord, ContactRecord, NewRecord
from tests.adapters.conftest import Door
from tests.wire.contract import AdapterContract, create

READINGS: tuple[dict[str, Any], ...] = (
    {},
    {"digits_party_id_key": "partyId", "digits_party_path": "parties", "digits_last_cursor": "filled",
     "digits_error_form": "text", "digits_company_form": "flat", "digits_party_marker": "type"},
    {"digits_party_id_key": "digitsId", "digits_sync_answers": "empty", "digits_error_form": "grpc",
     "digits_party_details": False, "digits_party_marker": "roles", "digits_limit_above_100": "refuse"},
)  # fmt: skip


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(Digits)


@pytest.fixture
def somebody(door: Door) -> str:
    return made(door, "Somebody Special Ltd", email="sam@special.example")


def made(door: Door, name: str, **values: Any) -> str:
    """A party that somebody typed into Digits, with a transaction; its identifier."""
    return str(there(door, "POST", values={"name": name, **values})["uuid"])


def there(door: Door, method: str, path: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(door.sandbox.control.ask(method, f"digits/clients{path}", values))


def spoil(door: Door, kind: str, **values: Any) -> None:
    door.sandbox.control.fault(kind, vendor="digits", **values)


def everything(door: Door) -> list[Any]:
    return list(door.adapter.fetch_clients(door.session(), None))


class TestDigits(AdapterContract):
    app = "digits"
    NEW = ClientRecord("", "Ngaio & Daughters Ltd", contacts=(ContactRecord("", "Ngaio", "ngaio@example.com"),))

    @pytest.fixture(params=READINGS, ids=["documented", "other", "third"])
    def door(self, make_door: Callable[..., Door], request: pytest.FixtureRequest) -> Door:
        self.made = make_door(Digits)
        if request.param:
            self.made.sandbox.control.state(**request.param)
        return self.made

    def test_archived_clients_are_in_the_list_and_say_so(self, door: Door, somebody: str) -> None:
        """Digits has no archive: who has no transaction any more is not listed, and is not to be taken for gone."""
        there(door, "POST", f"/{somebody}/archive", {})
        assert somebody not in {one.remote_id for one in everything(door)}
        assert not door.adapter.info.lists_everything

    def test_a_created_client_is_there_with_what_it_was_given(self, door: Door) -> None:
        """It is in the portal's source at once, and in the ledger with its first transaction."""
        after = create(door, self.NEW)
        assert (after.name, after.contacts[0].email) == (self.NEW.name, "ngaio@example.com")
        with pytest.raises(NotThere):
            door.adapter.fetch_client(door.session(), after.remote_id)
        there(door, "POST", f"/{after.remote_id}/unarchive", {})
        listed = next(one for one in everything(door) if one.name == self.NEW.name)
        assert listed.remote_id == after.remote_id

    def rename(self, uuid: str, name: str) -> None:
        there(self.made, "POST", f"/{uuid}/rename", {"name": name})

    def name_there(self, uuid: str) -> str:
        return str(there(self.made, "GET", f"/{uuid}")["name"])

    def spoil(self, kind: str) -> None:
        rule: dict[str, Any] = {
            "status": {"kind": "status", "status": 503},
            "hang_up": {"kind": "drop"},
            "rate_limited": {"kind": "rate_limited", "retry_after": 7200},
            "html": {"kind": "garbage", "garbage": "html"},
            "revoked": {"kind": "revoked", "status": 401},
        }[kind]
        spoil(self.made, rule.pop("kind"), **rule)


def test_the_field_table_is_the_one_of_the_requirements() -> None:
    """DIG-3, DIG-7, DIG-9: details come from Digits; a client goes there with its first invoice."""
    assert dict(INFO.client_fields) == {"name": Flow.TWO_WAY}
    assert INFO.contact_fields["email"] == Flow.TWO_WAY
    assert (INFO.directions, INFO.levels) == (("from_app",), ("everything", "nothing"))
    assert INFO.new_clients == ("first_invoice",)
    assert INFO.sync_every is None
    assert [INFO.writes_clients, INFO.creates_clients, INFO.finds_clients, INFO.lists_everything] == [
        False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_address_may_be_given_with_the_apis_root_or_without(make_door: Callable[..., Door], ending: str) -> None:
    plain = make_door(Digits)
    assert everything(make_door(Digits, DIGITS_API_URL=f"{plain.sandbox.url}/digits{ending}")) == everything(plain)


def test_a_form_there_is_not_is_refused_at_start(make_door: Callable[..., Door]) -> None:
    with pytest.raises(ValueError, match="object or text"):
        make_door(Digits, DIGITS_EXTERNAL_ID_FORM="number")


# Reading


def test_reading_all_parties_takes_a_call_for_every_hundred(door: Door) -> None:
    door.sandbox.control.load(250, vendor="digits", tenant=door.account["id"])
    session = door.session()
    records = list(door.adapter.fetch_clients(session, datetime.now(UTC)))
    assert len(records) == len({one.remote_id for one in records}) == 250
    assert session.calls_made == len(door.calls()) == 3
    assert all("limit=100" in one["query"] for one in door.calls())


def test_a_cursor_beside_no_more_is_not_followed(door: Door) -> None:
    door.sandbox.control.state(digits_last_cursor="filled")
    everything(door)
    assert len(door.calls()) == 1


def test_a_list_that_repeats_itself_is_no_whole_look(door: Door) -> None:
    """Fault row 25."""
    spoil(door, "repeat_page")
    with pytest.raises(UnexpectedReply, match="repeats itself"):
        everything(door)
    assert len(door.calls()) == 2


def test_a_list_that_is_suddenly_empty_is_an_empty_list_and_no_error(door: Door) -> None:
    """Fault row 27: whether to believe it is decided by whoever knows what there was before."""
    spoil(door, "empty_list")
    assert everything(door) == []


@pytest.mark.parametrize("reading", ["gone", "survivor"])
def test_a_party_that_was_merged_away_is_not_there(door: Door, reading: str) -> None:
    door.sandbox.control.state(digits_merged_party=reading)
    loser, winner = made(door, "Loser Ltd"), made(door, "Winner Ltd")
    there(door, "POST", f"/{loser}/merge", {"into": winner})
    with pytest.raises(NotThere):
        door.adapter.fetch_client(door.session(), loser)
    assert door.adapter.fetch_client(door.session(), winner).name == "Winner Ltd"


@pytest.mark.parametrize(("marker", "kind"), [("absent", ""), ("type", "supplier"), ("roles", "supplier")])
def test_who_is_a_supplier_is_told_where_digits_says_so(door: Door, marker: str, kind: str) -> None:
    door.sandbox.control.state(digits_party_marker=marker)
    uuid = made(door, "Paper & Co", role="Vendor")
    assert door.adapter.fetch_client(door.session(), uuid).kind == kind


def test_the_business_is_told_by_its_name(door: Door) -> None:
    assert door.adapter.fetch_reference(door.session()).facts == {"Business name": "Marlow & Co"}


# Writing


NEWS = [NewRecord(ClientRecord("", f"Newcomer {number} LLC"), f"c{number}-1") for number in range(100)]


def test_a_hundred_parties_are_written_with_one_call_once_the_source_is_declared(door: Door) -> None:
    """The chart of accounts is read first, because a declaration is always whole, its labels included."""
    outcomes = door.adapter.create_clients(door.session(), NEWS)
    assert [one.name for one in outcomes] == [one.record.name for one in NEWS]
    assert len({one.remote_id for one in outcomes}) == 100
    door.adapter.create_clients(door.session(), NEWS)
    assert [urlsplit(one["path"]).path.rsplit("/", 2)[-2:] for one in door.calls()] == [
        ["ledger", "categories"], ["connection", "sources"], ["source", "parties"], ["source", "parties"],
    ]  # fmt: skip


def test_sources_that_digits_has_lost_are_declared_again(door: Door) -> None:
    door.adapter.create_clients(door.session(), NEWS[:1])
    door.sandbox.control.ask("POST", "digits/revoke", {"tenant": door.account["id"]})
    token = door.sandbox.control.tokens(vendor="digits", tenants=[door.account["id"]])["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{door.sandbox.url}/digits/v1/connection/sources"
    assert requests.post(url, json={"sources": []}, headers=headers, timeout=20).status_code == 200
    assert door.tokens is not None
    door.tokens.held = [token]
    (made,) = door.adapter.create_clients(door.session(), NEWS[1:2])
    assert made.name == NEWS[1].record.name


def test_writing_again_keeps_the_source_and_doubles_nobody(door: Door) -> None:
    """Digits deletes sources that a later list leaves out, and everything of theirs."""
    first = door.adapter.create_clients(door.session(), NEWS[:2])
    again = door.adapter.create_clients(door.session(), NEWS[1:3])
    assert again[0].remote_id == first[1].remote_id
    sources = door.sandbox.control.ask("GET", "digits/sources")
    assert [one["externalId"]["id"] for one in sources] == ["invoices"]
    assert len(door.sandbox.control.ask("GET", "digits/clients?q=newcomer")) == 3


@pytest.mark.parametrize(("form", "taken"), [("object", "object"), ("text", "bare"), ("object", "both")])
def test_the_form_of_an_identifier_follows_the_setting(make_door: Callable[..., Door], form: str, taken: str) -> None:
    door = make_door(Digits, DIGITS_EXTERNAL_ID_FORM=form)
    door.sandbox.control.state(digits_party_external_id=taken)
    assert create(door, NEWS[0].record).remote_id


def test_the_wrong_form_is_a_refusal(door: Door) -> None:
    door.sandbox.control.state(digits_party_external_id="bare")
    with pytest.raises(Rejected):
        create(door, NEWS[0].record)


@pytest.mark.parametrize("fault", [{"kind": "accept_then_drop"}, {"kind": "drop"}])
def test_parties_whose_answer_was_lost_are_unknown_and_there_once_after_the_next_try(
    door: Door, fault: dict[str, Any]
) -> None:
    """Fault rows 11, 12, 14 and 15: the same key is the same party."""
    spoil(door, fault.pop("kind"), method="POST", path="source/parties", times=1, **fault)
    with pytest.raises(Unknown):
        door.adapter.create_clients(door.session(), NEWS[:1])
    (after,) = door.adapter.create_clients(door.session(), NEWS[:1])
    (only,) = door.sandbox.control.ask("GET", "digits/clients?q=newcomer")
    assert only["uuid"] == after.remote_id


def test_a_lost_answer_about_the_source_leaves_no_party_in_doubt(door: Door) -> None:
    spoil(door, "accept_then_drop", method="POST", path="connection/sources")
    with pytest.raises(Unavailable):
        door.adapter.create_clients(door.session(), NEWS[:1])
    assert not door.calls("source/parties")


@pytest.mark.parametrize(
    "answer",
    [{}, {"parties": []}, {"parties": [{"externalId": "c9-9", "digitsId": "7", "name": "Another"}]},
     {"parties": [{"externalId": "c0-1", "name": "Newcomer 0 LLC"}]}, {"parties": ["c0-1"]}],
)  # fmt: skip
def test_an_answer_that_does_not_say_which_party_it_is_leaves_it_unknown(door: Door, answer: dict[str, Any]) -> None:
    """Fault row 13."""
    headers = {"Content-Type": "application/json"}
    spoil(door, "status", path="source/parties", status=200, body=json.dumps(answer), headers=headers)
    (outcome,) = door.adapter.create_clients(door.session(), NEWS[:1])
    assert isinstance(outcome, Unknown)


def test_a_refusal_is_told_with_digits_words(door: Door) -> None:
    """Fault row 13."""
    spoil(door, "business_error", method="POST", path="source/parties", message="This source is not yours")
    with pytest.raises(Rejected, match="This source is not yours"):
        door.adapter.create_clients(door.session(), NEWS[:1])


def test_its_books_cannot_be_searched(door: Door) -> None:
    with pytest.raises(Rejected, match="searched"):
        door.adapter.find_clients(door.session(), "Acme")


# Limits and losses


def test_the_rest_digits_asks_for_inside_its_refusal_is_kept(door: Door) -> None:
    """Fault row 17: there is no Retry-After."""
    spoil(door, "rate_limited", retry_after=42, times=1)
    assert everything(door)
    assert len(door.calls()) == 2
    assert 41 < door.naps.total < 43


def test_a_long_rest_ends_the_run_and_says_until_when(door: Door) -> None:
    spoil(door, "rate_limited", retry_after=600)
    with pytest.raises(RateLimited) as caught:
        everything(door)
    assert timedelta(seconds=590) < caught.value.retry_at - door.now() <= timedelta(seconds=600)


def test_a_token_that_runs_out_is_renewed_once_and_the_same_call_repeated(door: Door) -> None:
    """Fault row 36."""
    session = door.session()
    assert door.tokens is not None
    door.tokens.held.append(door.token())
    spoil(door, "token_expired", times=1)
    assert list(door.adapter.fetch_clients(session, None))
    assert door.tokens.renewals == 1


def test_a_missing_scope_needs_a_person(door: Door) -> None:
    given = door.sandbox.control.tokens(vendor="digits", scopes=["ledger:read"], tenants=[door.account["id"]])
    session = door.session()
    assert door.tokens is not None
    door.tokens.held = [given["access_token"]]
    with pytest.raises(NeedsReconnect) as caught:
        door.adapter.create_clients(session, NEWS[:1])
    assert caught.value.status == 403


def test_a_party_that_comes_again_because_the_list_moved_comes_once(door: Door) -> None:
    """Fault row 26."""
    pages: tuple[dict[str, Any], ...] = (
        {"parties": [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}], "next": {"cursor": "x", "more": True}},
        {"parties": [{"id": "2", "name": "B"}, {"id": "3", "name": "C"}], "next": {"cursor": "", "more": False}},
    )
    for page in pages:
        spoil(door, "status", status=200, body=json.dumps(page), headers={"Content-Type": "application/json"}, times=1)
    assert [one.name for one in everything(door)] == ["A", "B", "C"]
    assert [parse_qs(one["query"]).get("cursor") for one in door.calls()] == [None, ["x"]]
