"""Parties as Digits' documentation shows them, in every reading it leaves open, and the records they must become."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.adapters.base import Rejected, UnexpectedReply
from portal.adapters.digits import wire
from portal.adapters.http import Reply
from portal.domain.records import ClientRecord, ContactRecord, NewRecord, Quarantined

FOLDER = Path(__file__).parent / "golden" / "digits"
PAIRS = sorted(path.name.removesuffix(".records.json") for path in FOLDER.glob("*.records.json"))


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers or {"content-type": "application/json"}, io.BytesIO(data), len(data))


def parties(body: Any) -> list[ClientRecord | Quarantined]:
    page = wire.Page("parties")
    page(reply(body))
    return [wire.client_or_quarantine(one) for one in page.entries]


@pytest.mark.parametrize("name", PAIRS)
def test_a_reply_becomes_these_records(name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.records.json").read_text(encoding="utf-8"))
    made = parties((FOLDER / f"{name}.wire.json").read_bytes())
    assert all(isinstance(one, ClientRecord) for one in made)
    assert [one.as_json() for one in made] == expected  # type: ignore[union-attr]  # just checked


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"id": ""}, "no identifier"), ({"id": {"uuid": 1}}, "id is not a text"), ({"name": ""}, "no name"),
     ({"name": ["Acme"]}, "name is not a text"), ({"email": {"work": "x"}}, "email is not a text"),
     ({"name": "\ud800"}, "surrogate")],
)  # fmt: skip
def test_a_party_that_makes_no_sense_is_put_aside_and_the_rest_goes_on(wrong: dict[str, Any], reason: str) -> None:
    """Fault row 24."""
    good = {"id": "1", "name": "Good"}
    bad = {"id": "2", "name": "Bad", **wrong}
    first, odd, last = parties({"parties": [good, bad, good | {"id": "3"}], "next": {"more": False}})
    assert isinstance(first, ClientRecord)
    assert isinstance(last, ClientRecord)
    assert isinstance(odd, Quarantined)
    assert reason in odd.reason
    assert json.loads(odd.raw) == bad


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"parties": {}}', b'{"parties": [', b"", {"parties": [], "next": {"more": True, "cursor": ""}}],
)
def test_a_reply_that_is_no_list_of_parties_is_refused(body: Any) -> None:
    """Fault rows 20 to 23."""
    with pytest.raises(UnexpectedReply):
        parties(body)


def test_a_list_without_a_word_about_more_is_all_there_is() -> None:
    page = wire.Page("parties")
    page(reply({"parties": [{"id": "1", "name": "A"}]}))
    assert (page.has_more, page.cursor) == (False, "")


def test_an_error_inside_a_200_is_a_refusal() -> None:
    """Fault row 13."""
    with pytest.raises(Rejected, match="No such source"):
        parties({"error": {"code": "INVALID", "message": "No such source"}})


@pytest.mark.parametrize(
    ("body", "words"),
    [({"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "Rate limit exceeded."}}, "Rate limit exceeded."),
     ({"error": {"code": "FORBIDDEN"}}, "FORBIDDEN"), ({"code": 7, "message": "no scope", "details": []}, "no scope"),
     ({"error": "invalid_grant", "error_description": "The app is gone."}, "The app is gone."),
     ({"error": "invalid_grant"}, "invalid_grant"), ({}, "{}"),
     (b"upstream connect error\n", "upstream connect error")],
)  # fmt: skip
def test_all_ways_to_refuse_are_understood(body: Any, words: str) -> None:
    assert wire.words(reply(body, 400)) == words


NOON = "Tue, 03 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [({"error": {"details": {"retry_after": 42}}}, {}, 42), ({"error": {"details": {"retry_after": "7.5"}}}, {}, 7.5),
     ({}, {"x-ratelimit-reset": "1793707215", "date": NOON}, 15), (b"slow down", {}, None),
     ({"error": {"details": {"retry_after": "soon"}}}, {"x-ratelimit-reset": "?"}, None),
     ({"error": {"details": {"retry_after": -5}}}, {}, 0), ({"error": {"details": [1]}}, {}, None)],
)  # fmt: skip
def test_how_long_to_wait_is_said_inside_the_refusal(body: Any, headers: dict[str, str], seconds: float | None) -> None:
    assert wire.rest(reply(body, 429, headers)) == (None if seconds is None else timedelta(seconds=seconds))


NORTHWIND = ClientRecord(
    "", "Northwind Dental LLC", phone="555 0100",
    contacts=(
        ContactRecord("", "Lee", "lee@northwind.test"), ContactRecord("", "Ann", "ap@northwind.test", is_primary=True),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("form", "identifier"), [("object", {"issuer": "counterpart", "id": "c77-1"}), ("text", "c77-1")]
)
def test_a_new_party_goes_out_like_this(form: str, identifier: Any) -> None:
    sent = wire.new_parties([NewRecord(NORTHWIND, "c77-1")], form)
    party = {
        "externalId": identifier, "name": "Northwind Dental LLC", "email": "ap@northwind.test", "kind": "Business",
    }  # fmt: skip
    assert sent == {"parties": [party]}


def test_somebody_is_a_person_and_everybody_else_a_business() -> None:
    kinds = {
        structure: wire.new_parties([NewRecord(ClientRecord("", "A", structure=structure), "k")], "text")["parties"][0]
        for structure in ("Individual", "Sole Trader", "Company", "")
    }
    assert [one["kind"] for one in kinds.values()] == ["Person", "Person", "Business", "Business"]


def test_the_list_of_sources_is_never_empty_and_always_the_same() -> None:
    """Digits deletes a source that a later list leaves out."""
    assert [one["externalId"] for one in wire.sources()["sources"]] == [{"issuer": "counterpart", "id": "invoices"}]
    assert wire.sources() == wire.sources()
