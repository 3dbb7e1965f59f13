"""What Import and manual mapping ask of the records nobody is linked to: pages by key, counts, names."""

from __future__ import annotations

import pytest

from portal.db import db
from portal.domain import unlinked
from portal.domain.apps import Connection
from portal.domain.matching import Candidate, Index, Kind, Match
from portal.domain.records import ClientRecord, RecordState
from portal.domain.text import near_key
from portal.domain.unlinked import Change, Noted, listing
from tests.cast import make_client, make_connection, make_link, now

pytestmark = pytest.mark.usefixtures("database")
NAMES = ("Žižka Ltd", "acme corp", "Rimu Ltd", "Totara Ltd", "Acme Holdings", "Kauri & Sons")


@pytest.fixture
def connection() -> Connection:
    """Six records wait, Totara is a near match; Nikau and Pōhutukawa are linked."""
    made = make_connection()
    notes = [
        Noted(ClientRecord(f"r-{place}", name), "near_match" if name == "Totara Ltd" else "create", "why", None)
        for place, name in enumerate(NAMES)
    ]
    unlinked.note(made.id, notes, now())
    for name in ("Nikau Ltd", "Pōhutukawa Ltd"):
        make_link(make_client(name), made, f"l-{name}")
    db.session.flush()
    return made


def names(found: unlinked.Page) -> list[str]:
    return [line.record.name for line in found.lines]


def test_a_list_is_paged_by_name_both_ways_and_ends_with_those_that_are_linked(connection: Connection) -> None:
    """CL-50, CL-52."""
    first = unlinked.page(connection.id, limit=3)
    assert (names(first), first.before) == (["acme corp", "Acme Holdings", "Kauri & Sons"], "")
    second = unlinked.page(connection.id, after=first.after, limit=3)
    assert names(second) == ["Rimu Ltd", "Totara Ltd", "Žižka Ltd"]
    third = unlinked.page(connection.id, after=second.after, limit=3)
    assert (names(third), third.after) == (["Nikau Ltd", "Pōhutukawa Ltd"], "")
    assert [(line.verdict, line.client_name, line.id) for line in third.lines] == [
        ("linked", "Nikau Ltd", None), ("linked", "Pōhutukawa Ltd", None),
    ]  # fmt: skip
    back = unlinked.page(connection.id, before=third.before, limit=3)
    assert names(back) == names(second)
    assert names(unlinked.page(connection.id, before=back.before, limit=3)) == names(first)


def test_a_page_goes_on_after_a_record_that_has_come_in_meanwhile(connection: Connection) -> None:
    first = unlinked.page(connection.id, limit=3)
    unlinked.forget(connection.id, [first.lines[-1].remote_id])
    assert names(unlinked.page(connection.id, after=first.after, limit=3))[0] == "Rimu Ltd"


@pytest.mark.parametrize(
    ("words", "found"),
    [("ACME", ["acme corp", "Acme Holdings"]), ("zizka", ["Žižka Ltd"]), ("sons kauri", ["Kauri & Sons"]),
     ("%", []), ("nikau", ["Nikau Ltd"]), ("\ud800", 8)],
)  # fmt: skip
def test_names_are_found_whatever_their_case_and_accents(connection: Connection, words: str, found: object) -> None:
    page = unlinked.page(connection.id, words=words)
    assert (len(page.lines) if isinstance(found, int) else names(page)) == found


def test_a_list_of_one_kind_holds_only_that(connection: Connection) -> None:
    assert names(unlinked.page(connection.id, verdict="near_match")) == ["Totara Ltd"]
    assert names(unlinked.page(connection.id, verdict="linked")) == ["Nikau Ltd", "Pōhutukawa Ltd"]
    assert names(unlinked.page(connection.id, verdict="archived")) == []
    assert [one.name for portion in unlinked.every(connection.id, "create", "acme") for one in portion] == [
        "acme corp", "Acme Holdings",
    ]  # fmt: skip


def test_an_address_made_up_by_somebody_shows_the_beginning(connection: Connection) -> None:
    assert len(unlinked.page(connection.id, after="nonsense").lines) == 8
    assert len(unlinked.page(connection.id, after="u~x~").lines) == 8
    assert len(unlinked.page(connection.id, after="u~99999999999999999999~\ud800\x00").lines) == 8


def test_each_kind_is_counted_and_the_counts_stop(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = unlinked.verdicts(connection.id)
    assert (counts["create"], counts["near_match"], counts["linked"], counts["archived"]) == (5, 1, 2, 0)
    assert unlinked.waiting(connection.id) == 6
    monkeypatch.setattr(listing, "CAP", 3)
    assert unlinked.verdicts(connection.id)["create"] == 3


def test_a_verdict_is_written_anew_without_the_record(connection: Connection) -> None:
    acme = make_client("Acme Corp")
    unlinked.refresh(connection.id, [Change("r-1", "near_match", "capital letters", acme.id)])
    row = unlinked.get(connection.id, "r-1")
    assert row is not None
    assert (row.verdict, row.reason, row.client_id, row.name) == ("near_match", "capital letters", acme.id, "acme corp")
    assert unlinked.held(connection.id)["r-1"].client_id == acme.id


def test_a_record_noted_twice_is_one_row(connection: Connection) -> None:
    renamed = unlinked.note(connection.id, [Noted(ClientRecord("r-1", "Acme Limited"), "create", "", None)], now())
    assert renamed == {"r-1": unlinked.held(connection.id)["r-1"]}
    assert len(unlinked.held(connection.id)) == 6


def test_free_current_records_are_found_before_archived_ones(connection: Connection) -> None:
    """QB-09."""
    gone = ClientRecord("r-9", "Acme Ancient", state=RecordState.ARCHIVED)
    unlinked.note(connection.id, [Noted(gone, "archived", "", None)], now())
    assert [one.name for one in unlinked.search(connection.id, "acme")] == [
        "acme corp",
        "Acme Holdings",
        "Acme Ancient",
    ]
    assert len(unlinked.search(connection.id, "acme", limit=1)) == 1


def test_clients_that_may_be_meant_come_free_ones_first(connection: Connection) -> None:
    make_client("Nikau Zwei", address_city="Auckland")
    found = unlinked.who_may_be_meant(connection.id, "nikau")
    assert [(one.name, one.holds) for one in found] == [("Nikau Zwei", ""), ("Nikau Ltd", "Nikau Ltd")]
    assert found[0].address == "Auckland"
    assert unlinked.who_may_be_meant(connection.id, " ") == []


@pytest.mark.parametrize(
    ("state", "kind", "verdict"),
    [
        ("active", Kind.NEAR_MATCH, "near_match"),
        ("active", Kind.IGNORE, "left_out"),
        ("archived", Kind.IGNORE, "archived"),
    ],
)
def test_what_is_ignored_was_left_out_or_is_archived(state: str, kind: Kind, verdict: str) -> None:
    assert unlinked.verdict_of(state, Match(kind, "")) == verdict


def test_judging_by_the_few_facts_kept_says_the_same_as_by_the_record() -> None:
    index = Index("Ledger")
    for place, name in enumerate(("Acme Corp", "Rimu Ltd", "Rimu Ltd")):
        index.add(Candidate(place, name), near_key(name))
    for name in ("Acme Corp", "ACME corp.", "Rimu Ltd", "Somebody Else"):
        assert index.judge("r", name, "active", near_key(name)) == index.match(ClientRecord("r", name))
