"""The made-up clients: believable, the same every time, and awkward where it was planned."""

from __future__ import annotations

import time
from collections import Counter
from functools import cache

from portal.sandbox.names import PLANTED, generate_clients, name_key, portal_side
from portal.sandbox.names_practice import FORMER_STAFF, STAFF


@cache
def demo() -> list[dict[str, object]]:
    return list(generate_clients(1200, 7))


def test_the_same_seed_makes_the_same_clients() -> None:
    assert list(generate_clients(300, 7)) == list(generate_clients(300, 7))
    assert list(generate_clients(300, 7)) != list(generate_clients(300, 8))


def test_the_asked_number_is_made_and_identifiers_are_unique() -> None:
    for count in (0, 1, 80, 250, 1200):
        records = list(generate_clients(count, 3))
        assert len(records) == count
        assert len({record["uuid"] for record in records}) == count


def test_names_repeat_only_where_planted() -> None:
    names = Counter(record["Name"] for record in generate_clients(5000, 7))
    assert {name for name, many in names.items() if many > 1} == set(PLANTED["ambiguous"])
    keys = Counter(name_key(name) for name in names)
    assert {key for key, many in keys.items() if many > 1} == {name_key("Fonua Builders")}  # one of them merged away


def test_every_planted_case_is_there() -> None:
    found = {str(record["Name"]): record for record in demo()}
    wanted = [
        *(name for name, _ in PLANTED["near"]), *PLANTED["ambiguous"], *PLANTED["archived"], *PLANTED["non_ascii"],
        *PLANTED["very_long"], PLANTED["couple"], PLANTED["script"], PLANTED["formula"],
    ]  # fmt: skip
    assert [name for name in wanted if name not in found] == []
    assert all(found[name]["archived"] for name in PLANTED["archived"])
    for gone, survivor in PLANTED["merged"]:
        assert found[gone]["deleted"]
        assert found[gone]["merged_into"] == found[survivor]["uuid"]
    for name, manager in PLANTED["former_manager"]:
        assert found[name]["AccountManager"]["Name"] == manager  # type: ignore[index]  # planted with one
        assert manager not in {person.name for person in STAFF}
    assert {person.name for person in FORMER_STAFF} == {manager for _, manager in PLANTED["former_manager"]}


def test_the_planted_numbers_are_as_promised() -> None:
    assert (len(PLANTED["near"]), len(PLANTED["ambiguous"]), len(PLANTED["archived"])) == (12, 4, 25)
    assert (len(PLANTED["merged"]), len(PLANTED["only_here"]), len(STAFF)) == (3, 6, 12)
    assert all(len(name) >= 120 for name in PLANTED["very_long"])
    assert all(name_key(there) == name_key(here) and there != here for there, here in PLANTED["near"])


def test_clients_look_like_those_of_a_practice() -> None:
    records = list(generate_clients(1200, 7))
    structures = Counter(record.get("BusinessStructure") for record in records)
    assert {"Company", "Trust", "Individual", "Partnership", "Sole Trader"} <= set(structures)
    assert 0.05 < sum(record["Group"] is not None for record in records) / 1200 < 0.11
    assert all(1 <= len(record["Contacts"]) <= 3 for record in records)
    assert all(record["Email"].endswith(".example") for record in records if record["Email"])
    assert any(not record["Name"].isascii() for record in records)
    assert 0 < sum(bool(record["Notes"]) for record in records) < 200


def test_the_portals_side_holds_sixty_clients_of_four_kinds() -> None:
    held = portal_side(1200, 7)
    kinds = Counter(one["kind"] for one in held)
    assert kinds == {"exact": 40, "near": 12, "ambiguous": 2, "only_here": 6}
    names = {str(record["Name"]): record for record in demo()}
    for one in held:
        assert (one["name"] in names) == (one["kind"] in ("exact", "ambiguous"))
        assert (one["xpm_name"] is None) == (one["kind"] == "only_here")
        assert {"phone", "address", "city", "postcode", "country", "structure", "contacts"} <= set(one)
    same = [one for one in held if one["kind"] == "exact"]
    different = [one for one in same if one["phone"] != names[one["name"]]["Phone"]]
    assert 5 <= len(different) <= 15
    assert portal_side(1200, 7) == held


def test_many_clients_are_made_quickly() -> None:
    began = time.process_time()
    assert sum(1 for _ in generate_clients(5000, 7)) == 5000
    assert time.process_time() - began < 3
