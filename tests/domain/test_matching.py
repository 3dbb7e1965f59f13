"""Who is who: rules M1 to M9 of the behaviour reference."""

from __future__ import annotations

import pytest

from portal.domain.matching import Candidate, Index, Kind
from portal.domain.records import ClientRecord, RecordState
from portal.domain.text import difference, near_key


def index_of(*names: str, loose: tuple[str, ...] = (), **held: str) -> Index:
    """Clients numbered from 1 in the order given; `held` maps a name to the record it is linked to."""
    index = Index("XPM")
    for number, name in enumerate(names, start=1):
        index.add(Candidate(number, name, held.get(name)), near_key(name))
        if name in held:
            index.linked[held[name]] = number
    index.add_loose_names(loose)
    return index


def record(name: str, remote_id: str = "r1", state: RecordState = RecordState.ACTIVE) -> ClientRecord:
    return ClientRecord(remote_id=remote_id, name=name, state=state)


def test_a_stored_link_wins_over_any_name() -> None:
    index = index_of("Harbour Cafe", "Another Name", **{"Harbour Cafe": "r1"})
    match = index.match(record("Another Name", "r1"))
    assert (match.kind, match.client_id) == (Kind.LINKED, 1)


def test_exactly_the_same_name_links_a_free_client() -> None:
    match = index_of("Acme Corp").match(record("Acme Corp"))
    assert (match.kind, match.client_id) == (Kind.LINK, 1)


def test_a_client_that_has_a_record_already_is_never_linked_again_by_name() -> None:
    match = index_of("Acme", Acme="r9").match(record("Acme", "r1"))
    assert match.kind == Kind.TAKEN
    assert "already linked" in match.reason


def test_nobody_like_it_means_a_new_client() -> None:
    assert index_of("Acme").match(record("Zebra")).kind == Kind.CREATE


@pytest.mark.parametrize(
    ("here", "there", "what"),
    [
        ("Acme Corp", "acme corp", "capital letters"),
        ("Acme  Corp", "Acme Corp", "spacing"),
        ("Acme Corp.", "Acme Corp", "punctuation"),
        ("Smith-Jones Ltd", "Smith Jones Ltd", "punctuation"),
        ("Acme Ltd", "Acme Limited", "suffix"),
        ("Acme Pty Ltd", "Acme", "suffix"),
    ],
)
def test_a_name_that_is_only_nearly_the_same_is_reported_and_not_linked(here: str, there: str, what: str) -> None:
    match = index_of(here).match(record(there))
    assert (match.kind, match.client_id) == (Kind.NEAR_MATCH, 1)
    assert what in difference(here, there)
    assert match.candidates[0].name == here


@pytest.mark.parametrize(("one", "other"), [("Acme North", "Acme South"), ("Lee Trust", "Lea Trust"), ("李", "王")])
def test_different_names_are_not_near(one: str, other: str) -> None:
    assert index_of(one).match(record(other)).kind == Kind.CREATE


def test_two_records_of_one_name_are_ambiguous_and_neither_is_linked() -> None:
    index = index_of("Acme", loose=("Acme", "Acme"))
    assert index.match(record("Acme", "r1")).kind == Kind.AMBIGUOUS
    assert index.match(record("Acme", "r2")).kind == Kind.AMBIGUOUS


def test_two_clients_of_one_name_are_ambiguous() -> None:
    match = index_of("Acme", "Acme").match(record("Acme"))
    assert match.kind == Kind.AMBIGUOUS
    assert {one.client_id for one in match.candidates} == {1, 2}


def test_a_pair_told_apart_is_never_offered_again() -> None:
    index = index_of("Acme Corp")
    index.apart.add(("r1", 1))
    assert index.match(record("acme corp")).kind == Kind.CREATE
    assert index.match(record("Acme Corp")).kind == Kind.CREATE


def test_a_record_that_is_not_current_does_not_come_in() -> None:
    assert index_of().match(record("Acme", state=RecordState.ARCHIVED)).kind == Kind.IGNORE


def test_a_record_somebody_left_out_stays_out_with_the_reason() -> None:
    index = index_of()
    index.left_out["r1"] = "left out by Priya"
    match = index.match(record("Acme"))
    assert (match.kind, match.reason) == (Kind.IGNORE, "left out by Priya")


def test_a_client_linked_a_moment_ago_is_taken_for_the_next_record() -> None:
    index = index_of("Acme Corp")
    index.take(1, "Acme Corp", "r1")
    assert index.match(record("Acme Corp", "r2")).kind == Kind.TAKEN
    assert index.match(record("acme corp", "r3")).kind == Kind.CREATE


def test_names_made_of_signs_alone_are_not_all_near_each_other() -> None:
    assert index_of("***").match(record("!!!")).kind == Kind.CREATE
