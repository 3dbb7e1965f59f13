"""The demo firm's apps hold the same clients in part: that is what a firm has, and what matching must cope with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from portal.sandbox.client import Control
from portal.sandbox.names import name_key
from portal.sandbox.server import Running, running_sandbox
from portal.sandbox.vendor import discover

CLIENTS = 1200


@dataclass(frozen=True)
class Ledger:
    """Where a ledger's customers are read, and how much of the practice its books hold, in percent."""

    records: str
    percent: int


LEDGERS = {
    "digits": Ledger("digits/clients", 10),
    "quickbooks": Ledger("quickbooks/customers", 22),
    "xero": Ledger("xero/contacts", 55),
}
FOUND = [vendor.key for vendor in discover() if vendor.load is not None and vendor.key != "xpm"]


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    """As large as the demo is; nothing here changes it."""
    with running_sandbox(clients=CLIENTS) as running:
        yield running


def names_in(control: Control) -> list[str]:
    return [str(one["name"]) for one in control.clients(limit=10 * CLIENTS)]


def current_clients(demo: Running) -> set[str]:
    """The names of the practice's clients that are neither archived nor deleted."""
    every = demo.control.clients(limit=10 * CLIENTS)
    return {str(one["name"]) for one in every if not one["archived"] and not one["deleted"]}


def loose(name: str) -> str:
    """What two spellings of a name have in common."""
    return name_key(name.replace(" & ", " and "))


def test_every_ledger_of_the_sandbox_is_looked_at_here() -> None:
    assert set(FOUND) == set(LEDGERS)


@pytest.mark.parametrize("vendor", FOUND)
def test_a_ledger_holds_its_part_of_the_practice(demo: Running, vendor: str) -> None:
    practice, there = current_clients(demo), set(names_in(demo.control.at(LEDGERS[vendor].records)))
    part = 100 * len(practice & there) / len(practice)
    assert LEDGERS[vendor].percent * 0.8 <= part <= LEDGERS[vendor].percent * 1.2


@pytest.mark.parametrize("vendor", FOUND)
def test_some_names_are_spelled_otherwise_there(demo: Running, vendor: str) -> None:
    practice, there = current_clients(demo), set(names_in(demo.control.at(LEDGERS[vendor].records)))
    keys = {loose(name) for name in practice}
    near = {name for name in there - practice if loose(name) in keys}
    assert 1 <= len(near) < 0.1 * len(there), near


@pytest.mark.parametrize("vendor", FOUND)
def test_some_records_are_only_there(demo: Running, vendor: str) -> None:
    practice, there = current_clients(demo), set(names_in(demo.control.at(LEDGERS[vendor].records)))
    keys = {loose(name) for name in practice}
    alone = {name for name in there if loose(name) not in keys}
    assert 0.08 * len(there) < len(alone) < 0.35 * len(there)


@pytest.mark.parametrize("vendor", FOUND)
def test_a_ledger_has_hardly_a_name_twice(demo: Running, vendor: str) -> None:
    times = Counter(names_in(demo.control.at(LEDGERS[vendor].records)))
    assert sum(many - 1 for many in times.values()) <= 0.02 * len(times)


def test_each_ledger_draws_a_part_of_its_own(demo: Running) -> None:
    practice = current_clients(demo)
    parts = {vendor: practice & set(names_in(demo.control.at(LEDGERS[vendor].records))) for vendor in FOUND}
    for vendor, part in parts.items():
        others = set().union(*(other for key, other in parts.items() if key != vendor))
        assert part & others, f"{vendor} shares no client with another ledger"
        assert (practice - others) & part, f"{vendor} holds nobody but what the others hold"
    assert practice - set().union(*parts.values()), "some clients are in the practice alone"
    assert set.intersection(*parts.values()), "and some are everywhere"


def test_the_same_seed_makes_the_same_books(demo: Running) -> None:
    with running_sandbox(clients=200) as one, running_sandbox(clients=200) as two, running_sandbox(200, 8) as other:
        for vendor in FOUND:
            at = LEDGERS[vendor].records
            assert names_in(one.control.at(at)) == names_in(two.control.at(at)) != names_in(other.control.at(at))


def test_a_practice_without_clients_starts_too() -> None:
    with running_sandbox(clients=0) as empty:
        assert empty.control.clients() == []


def test_every_vendor_says_where_it_is_and_no_two_say_the_same(demo: Running) -> None:
    settings = [name for vendor in discover() for name in vendor.addresses]
    assert len(settings) == len(set(settings))
    for vendor in discover():
        for name, path in vendor.addresses.items():
            if name.endswith("_APP_URL"):  # where people are sent, not the portal
                continue
            assert any(prefix.startswith(path + "/") for prefix in vendor.prefixes), (vendor.key, path)


def test_switches_of_different_vendors_have_different_names() -> None:
    names = Counter(name for vendor in discover() for name in vendor.switches)
    assert [name for name, many in names.items() if many > 1] == []
