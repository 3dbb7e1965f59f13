"""The pages of the list of clients: everyone once, in order, both ways, and read by an index."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event

from portal.db import db
from portal.domain import client_list
from portal.domain.client_list import EVERYTHING, NEAR_MATCH, NOBODY, Filters, Key, Sort
from portal.domain.clients import Client, ClientStatus, SyncState, index_for_search
from portal.domain.text import near_key, sort_key
from tests.cast import make_client, make_user, now


def names(view: Filters = Filters(), **more: Any) -> list[str]:  # noqa: B008  # a frozen value
    page = client_list.listing(view, None, client_list.choices({"group": str(view.group or "")}), **more)
    return [row.name for row in page.rows]


def flat(pages: list[list[int]]) -> list[int]:
    return [one for page in pages for one in page]


def walk(view: Filters, size: int, *, backwards: bool = False) -> list[list[int]]:
    """The ids of every page, by pressing Next from the first, or Previous from the last."""
    chosen = client_list.choices()
    page = client_list.listing(view, None, chosen, size=size)
    pages = [page]
    while page.next is not None:
        key, notes = client_list.key_from({"after": page.next}, view.sort)
        assert not notes
        page = client_list.listing(view, key, chosen, size=size)
        pages.append(page)
    if backwards:
        pages = [page]
        while page.previous is not None:
            key, _notes = client_list.key_from({"before": page.previous}, view.sort)
            page = client_list.listing(view, key, chosen, size=size)
            pages.insert(0, page)
    return [[row.id for row in one.rows] for one in pages]


def people_and_clients(count: int = 57) -> None:
    """Clients whose names, statuses, managers, states and times repeat and mix; the same ones every time."""
    dice = random.Random(7)
    team = [None, *(make_user(f"{name} Person", f"{name}@x.example").id for name in ("zoe", "Ann", "bea"))]
    made = []
    for number in range(count):
        archived = dice.random() < 0.2
        status = ClientStatus.ARCHIVED if archived else dice.choice(list(ClientStatus)[:3])
        word = dice.choice(["Acme", "acme", "Ácme", "Beta", "beta trust", "Čapek", "Zed"])
        name = f"{word} {number % 5}" if number % 2 else word
        client = Client(
            name=name, name_key=sort_key(name), near_key=near_key(name), status=status, manager_id=dice.choice(team),
            archived_at=now() if archived else None, sync_state=dice.choice(list(SyncState)), created_at=now(),
            changed_at=now() - timedelta(minutes=dice.randint(0, 9)),
        )  # fmt: skip
        made.append(client)
    db.session.add_all(made)
    db.session.flush()
    index_for_search([client.id for client in made])


SORTS = [(sort, descending) for sort in Sort for descending in (False, True)]
VIEWS = [
    Filters(), Filters(status="active"), Filters(status="archived"), Filters(status=EVERYTHING), Filters("acme"),
    Filters(manager=NOBODY), Filters(sync="failed"), Filters("e", status=EVERYTHING),
    Filters(status="lead", sync="in_step"),
]  # fmt: skip


@pytest.mark.usefixtures("database")
class TestPaging:
    @pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.query())
    @pytest.mark.parametrize("cap", [1000, 3], ids=["few", "many"])
    def test_pages_hold_everyone_once_both_ways(self, view: Filters, cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
        people_and_clients()
        for sort, descending in SORTS:
            sorted_view = replace(view, sort=sort, descending=descending)
            monkeypatch.setattr(client_list, "CAP", 1000)
            everyone = walk(sorted_view, 1000)[0]
            assert sorted(everyone) == sorted(client_list.ids(view))
            assert client_list.count(view) == len(everyone)
            monkeypatch.setattr(client_list, "CAP", cap)
            forwards = walk(sorted_view, 5)
            assert flat(forwards) == everyone
            assert all(len(page) == 5 for page in forwards[:-1])
            backwards = walk(sorted_view, 5, backwards=True)
            assert backwards[0] == everyone[:5], "the way back ends on a full first page"
            rest = flat(backwards[1:])
            assert rest == everyone[len(everyone) - len(rest) :]

    def test_names_sort_without_capitals_and_accents(self) -> None:
        for name in ("Zed", "ábel", "Abel 2", "beta", "Čapek"):
            make_client(name)
        assert names() == ["ábel", "Abel 2", "beta", "Čapek", "Zed"]
        assert names(Filters(descending=True)) == ["Zed", "Čapek", "beta", "Abel 2", "ábel"]

    def test_managers_sort_by_name_and_nobody_comes_last(self) -> None:
        ann, zoe = make_user("Zoe", "z@x.example"), make_user("ann", "a@x.example")
        for user in (ann, None, zoe):
            make_client(user.name if user else "Nobody", manager_id=user.id if user else None)
        assert names(Filters(sort=Sort.MANAGER)) == ["ann", "Zoe", "Nobody"]

    def test_sync_states_sort_with_what_needs_a_person_first(self) -> None:
        for state in SyncState:
            make_client(state.value, sync_state=state)
        assert names(Filters(sort=Sort.SYNC)) == ["failed", "conflict", "pending", "in_step", "unlinked"]

    def test_a_count_stops_at_a_thousand(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_list, "CAP", 3)
        monkeypatch.setattr(client_list.statements, "CAP", 3)
        client_list.statements.many.cache_clear()
        for number in range(6):
            make_client(f"Acme {number}")
        assert client_list.listing(Filters(), None, client_list.choices()).total == 4
        client_list.statements.many.cache_clear()

    @pytest.mark.parametrize(
        "key",
        ["", "~", "acme", "acme~x", "acme~0", "acme~-1", "acme~9999999999", "a\x00~1", "\ud800~1", "x" * 700],
    )
    def test_a_key_that_means_nothing_is_the_first_page_with_a_note(self, key: str) -> None:
        make_client("Acme")
        found, notes = client_list.key_from({"after": key}, Sort.NAME)
        assert found is None
        assert notes == ([] if not key else ["That page could not be found. This is the first one."])

    @pytest.mark.parametrize(
        "key", ["yesterday~1", "2026-11-01T10:00:00~1", "0001-01-01T00:00:00+14:00~1", "9999-99-99~1"]
    )
    def test_a_moment_in_a_key_is_one_a_calendar_holds(self, key: str) -> None:
        assert client_list.key_from({"after": key}, Sort.CHANGED)[0] is None

    def test_a_key_beyond_the_end_is_the_first_page(self) -> None:
        make_client("Acme")
        for sort, value in ((Sort.NAME, "zzz"), (Sort.MANAGER, "zzz"), (Sort.STATUS, "zzz")):
            key = Key(value, 99, "no such bucket")
            page = client_list.listing(Filters(sort=sort), key, client_list.choices())
            assert [row.name for row in page.rows] == ["Acme"]

    def test_the_client_a_page_began_behind_may_be_gone(self) -> None:
        made = [make_client(f"Acme {number}") for number in range(6)]
        page = client_list.listing(Filters(), None, client_list.choices(), size=3)
        made[2].archived_at, made[2].status = now(), ClientStatus.ARCHIVED
        db.session.flush()
        key, _notes = client_list.key_from({"after": page.next or ""}, Sort.NAME)
        after = client_list.listing(Filters(), key, client_list.choices(), size=3)
        assert [row.name for row in after.rows] == ["Acme 3", "Acme 4", "Acme 5"]

    def test_a_word_very_many_hold_is_found_in_order_on_every_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(30):
            make_client(f"{chr(97 + number % 26)} {'Limited' if number % 3 else 'Partners'} {number}")
        expected = [name for name in names(size=100) if "Limited" in name]
        for cap in (1000, 5):  # collected and sorted, or walked in order
            for dense in (10_000, 0):
                monkeypatch.setattr(client_list, "CAP", cap)
                monkeypatch.setattr(client_list, "DENSE", dense)
                view = Filters("limited")
                assert names(view, size=100) == expected
                assert len(flat(walk(view, 7))) == len(expected)


class TestReadingIndexes:
    """Whatever is asked, the list walks an index in the order wanted or looks rows up by one."""

    @pytest.mark.usefixtures("database")
    @pytest.mark.parametrize("cap", [1000, 3], ids=["few", "many"])
    @pytest.mark.parametrize(
        "view",
        [*VIEWS, Filters(manager=1), Filters(partner=1), Filters(group=1), Filters(app=1), Filters(sync=NEAR_MATCH)],
        ids=lambda view: view.query(),
    )  # fmt: skip
    def test_no_page_reads_the_whole_table(self, view: Filters, cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client_list, "CAP", cap)
        people_and_clients(12)
        connection = db.session.connection()
        explain, reads_all = "EXPLAIN QUERY PLAN", re.compile(r"SCAN client$")
        if db.engine.dialect.name == "postgresql":
            explain, reads_all = "EXPLAIN", re.compile(r"Seq Scan on client\b(?!_)")
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # so small a table it would always read whole
        for sort, descending in SORTS:
            sorted_view = replace(view, sort=sort, descending=descending)
            for statement, values in _asked_of_the_database(partial(walk, sorted_view, 4)):
                plan = [row[-1] for row in connection.exec_driver_sql(f"{explain} {statement}", values)]
                assert not any(reads_all.search(line) for line in plan), f"{sorted_view.query()}: {statement}\n{plan}"

    @pytest.mark.usefixtures("database")
    def test_a_page_takes_three_statements_however_many_rows_it_has(self) -> None:
        people_and_clients(40)
        chosen = client_list.choices()
        assert len(_asked_of_the_database(client_list.choices)) == 1
        assert len(_asked_of_the_database(lambda: client_list.listing(Filters(), None, chosen))) == 1
        assert len(_asked_of_the_database(lambda: client_list.listing(Filters("acme"), None, chosen))) == 2


def _asked_of_the_database(act: Any) -> list[tuple[str, Any]]:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return asked
