"""Field by field: take theirs, send ours, conflict, or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from portal.domain.planning import (
    Action,
    ContactHere,
    ContactLinkHere,
    Plan,
    Policy,
    Side,
    Times,
    contact_values,
    plan,
    values_of,
)
from portal.domain.records import Address, ClientRecord, ContactRecord, StaffRef
from portal.domain.safety_catch import Danger

FIELDS = {
    "name": "two-way", "address": "two-way", "phone": "two-way", "partner": "two-way", "website": "pull",
    "structure": "first import only",
}  # fmt: skip
CONTACT_FIELDS = {"name": "two-way", "email": "two-way", "addressee": "first import only"}
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RECORD = ClientRecord("r1", "Acme", phone="1", website="w", structure="Company", address=Address("1 Quay St"))
AGREED = {name: values_of(RECORD)[name] for name in FIELDS}


def made(
    here: dict[str, Any] | None = None, there: dict[str, Any] | None = None, *, here_at: datetime | None = NOON,
    times: Times | None = None, agreed: dict[str, Any] | None = None, holds: dict[str, str] | None = None,
    **policy: Any,
) -> Plan:  # fmt: skip
    side = Side({**AGREED, **(here or {})}, dict.fromkeys(FIELDS, here_at), AGREED if agreed is None else agreed,
                holds=holds or {})  # fmt: skip
    record = replace(RECORD, **(there or {}))
    return plan(side, record, fields=FIELDS, contact_fields=CONTACT_FIELDS, times=times or Times(),
                policy=Policy("XPM", **policy))  # fmt: skip


def action(of: Plan, field: str = "phone") -> Action:
    return next(row.action for row in of.rows if row.field == field)


def test_nothing_changed_means_nothing_to_do() -> None:
    assert not made().has_work


def test_a_change_there_comes_here() -> None:
    assert action(made(there={"phone": "2"})) == Action.PULL


def test_a_change_here_goes_there() -> None:
    assert action(made(here={"phone": "2"})) == Action.PUSH


def test_the_same_change_on_both_sides_needs_nothing() -> None:
    assert action(made(here={"phone": "2"}, there={"phone": "2"})) == Action.KEEP


@pytest.mark.parametrize(
    ("times", "winner"),
    [
        (Times(there=NOON + timedelta(minutes=1)), Action.CONFLICT_THERE),
        (Times(there=NOON - timedelta(minutes=1)), Action.CONFLICT_HERE),
        (Times(there_after=NOON + timedelta(hours=1)), Action.CONFLICT_THERE),
        (Times(there_before=NOON - timedelta(hours=1)), Action.CONFLICT_HERE),
        (Times(later_there=True), Action.CONFLICT_THERE),
        (Times(later_there=False), Action.CONFLICT_HERE),
    ],
)
def test_of_two_changes_the_later_one_wins(times: Times, winner: Action) -> None:
    """XPM-14."""
    plan_made = made(here={"phone": "2"}, there={"phone": "3"}, times=times)
    assert action(plan_made) == winner
    assert not plan_made.uncertain


def test_when_nobody_can_tell_which_change_is_later_the_plan_says_so() -> None:
    plan_made = made(
        here={"phone": "2"}, there={"phone": "3"},
        times=Times(there_after=NOON - timedelta(hours=1), there_before=NOON + timedelta(hours=1)),
    )  # fmt: skip
    assert [row.field for row in plan_made.uncertain] == ["phone"]
    assert action(plan_made.pulls_only()) == Action.LATER


def test_a_field_kept_in_the_app_is_taken_and_never_sent() -> None:
    """XPM-7."""
    assert action(made(here={"website": "mine"}), "website") == Action.PULL


def test_company_structure_is_never_updated_after_the_first_import() -> None:
    """XPM-8."""
    assert action(made(there={"structure": "Trust"}), "structure") == Action.KEEP


def test_an_address_travels_as_a_whole() -> None:
    plan_made = made(there={"address": Address("2 Quay St", "Auckland")})
    assert action(plan_made, "address") == Action.PULL


def test_a_person_who_is_not_linked_holds_only_that_field() -> None:
    """XPM-13."""
    plan_made = made(
        there={"partner": StaffRef("s1", "Jo"), "phone": "2"}, holds={"partner": "Jo is not linked to a user here"}
    )
    assert action(plan_made, "partner") == Action.HOLD
    assert action(plan_made) == Action.PULL
    assert plan_made.holds == {"partner": "Jo is not linked to a user here"}


def test_the_first_import_sends_nothing_and_keeps_what_only_we_have() -> None:
    """XPM-1: one way, once."""
    plan_made = made(here={"phone": "9"}, there={"phone": ""}, agreed={}, is_first=True)
    assert action(plan_made) == Action.LATER
    assert not plan_made.pushes


def test_clients_that_differed_when_linked_take_the_apps_value_and_keep_ours() -> None:
    plan_made = made(here={"phone": "9"}, agreed={})
    assert action(plan_made) == Action.CONFLICT_THERE
    assert plan_made.conflicts[0].here == "9"


def test_blanks_are_filled_from_either_side_when_two_are_linked() -> None:
    assert action(made(here={"phone": ""}, agreed={})) == Action.PULL
    assert action(made(here={"phone": "9"}, there={"phone": ""}, agreed={})) == Action.PUSH


@pytest.mark.parametrize(
    ("direction", "change", "expected"),
    [
        ("from_app", {"here": {"phone": "2"}}, Action.KEEP),
        ("from_app", {"there": {"phone": "2"}}, Action.PULL),
        ("to_app", {"here": {"phone": "2"}}, Action.PUSH),
        ("to_app", {"there": {"phone": "2"}}, Action.KEEP),
    ],
)
def test_a_connection_may_be_set_to_one_direction(direction: str, change: dict[str, Any], expected: Action) -> None:
    """XP-20."""
    assert action(made(**change, direction=direction)) == expected


def test_a_connection_may_be_set_to_names_only() -> None:
    plan_made = made(there={"name": "Acme Ltd", "phone": "2"}, level="name")
    assert (action(plan_made, "name"), action(plan_made)) == (Action.PULL, Action.KEEP)


def test_a_row_left_out_neither_travels_nor_counts_as_agreed() -> None:
    plan_made = made(there={"phone": "2"}).without({"phone"})
    assert action(plan_made) == Action.HOLD
    assert not plan_made.pulls


def test_emptying_a_field_is_counted() -> None:
    assert [row.field for row in made(there={"phone": ""}).blanks] == ["phone"]
    assert not made(here={"phone": ""}, there={"phone": "2"}).blanks


SAM = ContactRecord("c1", "Sam Lee", email="sam@a.nz")


def with_contacts(here: list[ContactHere], links: list[ContactLinkHere], there: list[ContactRecord]) -> Plan:
    side = Side(AGREED, {}, AGREED, tuple(here), tuple(links))
    record = replace(RECORD, contacts=tuple(there))
    return plan(side, record, fields=FIELDS, contact_fields=CONTACT_FIELDS, times=Times(), policy=Policy("XPM"))


def person(number: int, **values: str) -> ContactHere:
    everything = dict.fromkeys(("name", "email", "phone", "mobile", "salutation", "addressee", "position"), "") | values
    return ContactHere(number, everything, {})


def test_a_contact_is_found_again_by_link_then_name_then_email() -> None:
    linked = ContactLinkHere("c1", 1, contact_values(SAM))
    renamed = replace(SAM, name="Samuel Lee")
    by_link = with_contacts([person(1, name="Sam Lee", email="sam@a.nz")], [linked], [renamed])
    assert [row.field for row in by_link.pulls] == ["name"]
    by_name = with_contacts([person(2, name="Sam Lee")], [], [SAM])
    assert by_name.pairings[0].here is not None
    assert by_name.pairings[0].is_new_pair
    by_email = with_contacts([person(3, name="S. Lee", email="SAM@a.nz")], [], [SAM])
    assert by_email.pairings[0].here is not None


def test_a_contact_removed_here_is_not_brought_back() -> None:
    plan_made = with_contacts([], [ContactLinkHere("c1", None, {})], [SAM])
    assert plan_made.pairings == ()


def test_a_contact_that_is_gone_there_stays_here() -> None:
    plan_made = with_contacts([person(1, name="Sam Lee")], [ContactLinkHere("c1", 1, {})], [])
    assert plan_made.gone == ("c1",)
    assert plan_made.pairings == ()


def test_the_safety_catch_holds_more_than_thirty_percent_of_ten_or_more() -> None:
    assert Danger(linked=10, blanked=2, orphaned=2).is_held
    assert not Danger(linked=10, blanked=3, orphaned=0).is_held
    assert not Danger(linked=9, blanked=9, orphaned=0).is_held
    assert "40 %" in Danger(10, 0, 4).sentence("XPM")


VALUES = ("", "1", "2", "3")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_whatever_the_three_values_a_plan_once_carried_out_leaves_nothing_more_to_do(first: bool, known: bool) -> None:
    for agreed, here, there in product(VALUES, repeat=3):
        before = {**AGREED, "phone": agreed}
        if not known:
            del before["phone"]
        planned = made({"phone": here}, {"phone": there}, agreed=before, is_first=first, times=Times(later_there=True))
        row = next(one for one in planned.rows if one.field == "phone")
        if row.action == Action.LATER:
            assert first
            continue
        value = there if row.action.takes_theirs else here if row.action.sends_ours else None
        if value is None:
            assert here == there
            continue
        after = made({"phone": value}, {"phone": value}, agreed={**AGREED, "phone": value})
        assert not after.has_work, (agreed, here, there)
        if here and there and here != there and row.is_conflict:
            assert {row.here, row.there} == {here, there}  # the loser is still known
