"""What may travel at all: fields that travel when linked only, one-way connections, levels, and a person's word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from portal.domain.planning import (
    ANSWERED,
    Action,
    ContactHere,
    ContactLinkHere,
    Plan,
    Policy,
    Side,
    Times,
    agreed_of,
    contact_values,
    goes_out,
    plan,
    values_of,
    with_answers,
)
from portal.domain.records import Address, ClientRecord, ContactRecord

AT_LINK, TWO_WAY, PULL = "when linked only", "two-way", "pull"
FIELDS = {"name": TWO_WAY, "address": AT_LINK, "phone": AT_LINK, "website": PULL, "structure": "first import only"}
CONTACT_FIELDS = {"name": AT_LINK, "email": AT_LINK}
RECORD = ClientRecord("r1", "Acme", phone="1", website="w", address=Address("1 Quay St"))
VALUES = {name: values_of(RECORD)[name] for name in FIELDS}
SAM = ContactRecord("c1", "Sam Lee", email="sam@a.nz")


def made(
    here: dict[str, Any] | None = None, there: dict[str, Any] | None = None, *, agreed: dict[str, Any] | None = None,
    fields: dict[str, str] | None = None, contact_fields: dict[str, str] | None = None,
    contacts: tuple[ContactHere, ...] = (), ties: tuple[ContactLinkHere, ...] = (), asked: tuple[str, ...] = (),
    is_new: bool = False, **policy: Any,
) -> Plan:  # fmt: skip
    side = Side({**VALUES, **(here or {})}, {}, VALUES if agreed is None else agreed, contacts, ties,
                asked=frozenset(asked), is_new=is_new)  # fmt: skip
    return plan(side, replace(RECORD, **(there or {})), fields=fields or FIELDS,
                contact_fields=contact_fields or CONTACT_FIELDS, times=Times(),
                policy=Policy("Ledger", **policy))  # fmt: skip


def action(of: Plan, field: str = "phone") -> Action:
    return next(row.action for row in of.rows if row.field == field and not row.contact_key)


def person(number: int, **values: str) -> ContactHere:
    everything = dict.fromkeys(("name", "email", "phone", "mobile", "salutation", "addressee", "position"), "") | values
    return ContactHere(number, everything, {})


EVERY_WAY = [
    {"direction": direction, "level": level}
    for direction in ("both", "from_app", "to_app")
    for level in ("everything", "name", "nothing")
]


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: " ".join(way.values()))
def test_what_travels_when_linked_fills_only_what_is_empty_here_whatever_the_settings(way: dict[str, str]) -> None:
    """Behaviour reference 3.6: addresses and phones come by import or link."""
    filled = made(here={"phone": "", "address": ["", "", "", "", ""]}, agreed={}, is_new=True, **way)
    assert (action(filled), action(filled, "address")) == (Action.PULL, Action.PULL)
    differs = made(here={"phone": "9"}, agreed={}, is_new=True, **way)
    assert action(differs) == Action.KEEP
    assert not differs.conflicts
    only_here = made(here={"phone": "9"}, there={"phone": ""}, agreed={}, is_new=True, **way)
    assert action(only_here) == Action.KEEP


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: " ".join(way.values()))
def test_once_linked_each_side_keeps_its_own(way: dict[str, str]) -> None:
    for change in ({"here": {"phone": "9"}}, {"there": {"phone": "8"}}, {"here": {"phone": ""}}):
        assert action(made(**change, **way)) == Action.KEEP


def test_what_differed_when_the_two_were_linked_counts_as_settled() -> None:
    row = next(one for one in made(here={"phone": "9"}, agreed={}, is_new=True).rows if one.field == "phone")
    assert row.settles
    assert agreed_of(RECORD, FIELDS) == {name: VALUES[name] for name in ("name", "address", "phone", "website")}


@pytest.mark.parametrize(
    ("direction", "expected", "said"),
    [
        ("from_app", Action.CONFLICT_THERE, "only reads from Ledger"),
        ("to_app", Action.CONFLICT_HERE, "only sends to Ledger"),
    ],
)
def test_one_direction_decides_a_conflict_and_nothing_is_overwritten_silently(
    direction: str, expected: Action, said: str
) -> None:
    """Fault row 90."""
    changed = made(here={"name": "Acme Ltd"}, there={"name": "ACME"}, direction=direction)
    (row,) = changed.conflicts
    assert (row.action, row.here, row.there) == (expected, "Acme Ltd", "ACME")
    assert said in row.why


def test_a_connection_that_only_sends_keeps_aside_what_it_replaces_when_two_are_linked() -> None:
    two_way = {"name": TWO_WAY, "phone": TWO_WAY}
    differs = made(here={"phone": "9"}, agreed={}, fields=two_way, direction="to_app")
    assert action(differs) == Action.CONFLICT_HERE
    assert action(made(here={"phone": ""}, agreed={}, fields=two_way, direction="to_app")) == Action.KEEP
    fills = made(here={"phone": "9"}, there={"phone": ""}, agreed={}, fields=two_way, direction="to_app")
    assert action(fills) == Action.PUSH


def test_what_an_app_owns_and_does_not_hold_yet_empties_nothing_here() -> None:
    assert action(made(there={"website": ""}, agreed={}), "website") == Action.KEEP
    assert action(made(there={"website": ""}), "website") == Action.PULL


@pytest.mark.parametrize("way", EVERY_WAY, ids=lambda way: " ".join(way.values()))
@pytest.mark.parametrize("field", ["name", "phone"])
def test_a_persons_word_sends_a_field_whatever_the_settings_say(way: dict[str, str], field: str) -> None:
    assert action(made(here={field: "9"}, asked=(field,), **way), field) == Action.PUSH
    both = made(here={field: "9"}, there={field: "8"}, asked=(field,), **way)
    assert action(both, field) == Action.CONFLICT_HERE
    assert [(row.here, row.there) for row in both.conflicts] == [("9", "8")]


@pytest.mark.parametrize("field", ["website", "structure"])
def test_no_word_sends_what_the_app_does_not_take(field: str) -> None:
    """XPM-7, XPM-8."""
    assert not made(here={field: "9"}, asked=(field,)).pushes
    assert not made(here={"name": "9"}, asked=("name",), writes=False).pushes


def test_what_the_app_made_of_our_value_is_not_taken_for_a_change_there() -> None:
    """So that two apps that write a number each in its own way do not chase each other."""
    two_way = {"name": TWO_WAY, "phone": TWO_WAY}
    agreed = with_answers({"name": "Acme", "phone": "095550101"}, ["phone"], {"phone": "09 555 0101"})
    spaced = {"here": {"phone": "095550101"}, "there": {"phone": "09 555 0101"}}
    assert action(made(**spaced, agreed=agreed, fields=two_way)) == Action.KEEP
    ours = made(here={"phone": "2"}, there={"phone": "09 555 0101"}, agreed=agreed, fields=two_way)
    assert action(ours) == Action.PUSH
    theirs = made(here={"phone": "095550101"}, there={"phone": "3"}, agreed=agreed, fields=two_way)
    assert action(theirs) == Action.PULL
    assert ANSWERED not in with_answers(agreed, ["phone"], {"phone": "095550101"})


@pytest.mark.parametrize(
    ("flow", "field", "policy", "expected"),
    [
        (TWO_WAY, "name", {"level": "name"}, True),
        (TWO_WAY, "phone", {"level": "name"}, False),
        (TWO_WAY, "name", {"level": "nothing"}, False),
        (TWO_WAY, "name", {"direction": "from_app"}, False),
        (TWO_WAY, "name", {"writes": False}, False),
        (TWO_WAY, "phone", {"direction": "to_app"}, True),
        (AT_LINK, "phone", {}, False),
        (PULL, "website", {}, False),
    ],
)
def test_which_changes_go_out_by_themselves(flow: str, field: str, policy: dict[str, Any], expected: bool) -> None:
    """XP-20."""
    assert goes_out(field, flow, Policy("Ledger", **policy)) is expected


def test_contacts_come_with_a_link_only_to_a_client_that_has_none() -> None:
    there = {"contacts": (SAM,)}
    assert [pair.there for pair in made(there=there, agreed={}, is_new=True).pairings] == [SAM]
    assert made(there=there, agreed={}, is_new=True, contacts=(person(1, name="Ana"),)).pairings == ()
    assert made(there=there).pairings == ()
    assert made(contacts=(person(1, name="Ana"),)).pairings == ()  # and none goes there by itself


def test_a_contact_on_both_sides_is_filled_once_and_left_alone_then() -> None:
    sam = person(1, name="Sam Lee")
    filled = made(there={"contacts": (SAM,)}, agreed={}, is_new=True, contacts=(sam,))
    assert [(row.field, row.action) for row in filled.rows if row.contact_key and row.action != Action.KEEP] == [
        ("email", Action.PULL)
    ]
    tie = ContactLinkHere("c1", 1, contact_values(SAM))
    later = made(
        there={"contacts": (replace(SAM, email="new@a.nz"),)}, contacts=(person(1, name="Sam Lee", email="sam@a.nz"),),
        ties=(tie,),
    )  # fmt: skip
    assert all(row.action == Action.KEEP for row in later.rows if row.contact_key)


def test_contacts_go_when_a_person_asks_for_it() -> None:
    ana = person(2, name="Ana")
    sam = person(1, name="Sam Lee", email="other@a.nz")
    asked = made(
        there={"contacts": (SAM,)}, contacts=(sam, ana), ties=(ContactLinkHere("c1", 1, contact_values(SAM)),),
        asked=("contacts",), level="name",
    )  # fmt: skip
    assert [(row.field, row.action) for row in asked.pushes] == [("email", Action.PUSH)]
    assert [pair.here.id for pair in asked.pairings if pair.there is None and pair.here] == [2]


@pytest.mark.parametrize(
    ("policy", "comes", "goes"),
    [
        ({}, True, True),
        ({"direction": "from_app"}, True, False),
        ({"direction": "to_app"}, False, True),
        ({"level": "name"}, False, False),
        ({"level": "nothing"}, False, False),
    ],
)
def test_contacts_respect_direction_and_level(policy: dict[str, str], comes: bool, goes: bool) -> None:
    """XP-20."""
    two_way = {"name": TWO_WAY, "email": TWO_WAY}
    pairs = made(
        there={"contacts": (SAM,)}, contacts=(person(2, name="Ana"),), contact_fields=two_way, **policy
    ).pairings
    assert any(pair.here is None for pair in pairs) is comes
    assert any(pair.there is None for pair in pairs) is goes
