"""The list of clients: who is on it, in which order, on which page."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, select, text
from werkzeug.datastructures import MultiDict

from portal.db import db
from portal.domain import client_list, client_search
from portal.domain.apps import Finding, LinkState, PushState
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.client_list import EVERYTHING, NEAR_MATCH, NOBODY, Filters, Key, Sort
from portal.domain.client_list.export import csv_parts
from portal.domain.clients import Client, ClientGroup, ClientStatus, Group, SyncState, index_for_search
from portal.domain.csv_cells import plain_cell, safe_cell
from portal.domain.people import Role
from portal.domain.text import near_key, sort_key
from tests.cast import make_client, make_connection, make_link, make_user, now, person


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


@pytest.mark.usefixtures("database")
class TestFiltering:
    def test_archived_clients_are_only_under_archived_and_in_a_search_of_everything(self) -> None:
        """CL-10."""
        make_client("Acme")
        make_client("Acme Gone", archived_at=now(), status=ClientStatus.ARCHIVED)
        assert names() == ["Acme"]
        assert names(Filters("acme")) == ["Acme"]
        assert names(Filters(status="archived")) == ["Acme Gone"]
        assert names(Filters("acme", status=EVERYTHING)) == ["Acme", "Acme Gone"]
        assert names(Filters(status=EVERYTHING)) == ["Acme", "Acme Gone"]

    def test_a_status_shows_its_own(self) -> None:
        for status in (ClientStatus.LEAD, ClientStatus.ACTIVE, ClientStatus.INACTIVE):
            make_client(status.value.capitalize(), status=status)
        assert names(Filters(status="active")) == ["Active"]
        assert names() == ["Active", "Inactive", "Lead"]

    def test_people_can_be_asked_for_and_their_absence_too(self) -> None:
        bob = person("member")
        make_client("His", manager_id=bob.id)
        make_client("Theirs", partner_id=bob.id)
        assert names(Filters(manager=bob.id)) == ["His"]
        assert names(Filters(partner=bob.id)) == ["Theirs"]
        assert names(Filters(manager=NOBODY)) == ["Theirs"]

    def test_an_app_can_be_asked_for_and_its_absence_too(self) -> None:
        xpm, other = make_connection(), make_connection(account_name="Other")
        make_link(make_client("Both"), xpm)
        make_link(make_client("Elsewhere"), other)
        make_client("None")
        assert names(Filters(app=xpm.id)) == ["Both"]
        assert names(Filters(app=xpm.id, is_linked=False)) == ["Elsewhere", "None"]

    def test_a_group_shows_its_members_and_stands_beside_their_names(self) -> None:
        """CL-16."""
        group = Group(connection_id=make_connection().id, remote_id="g", name="Ngata family")
        db.session.add(group)
        db.session.flush()
        db.session.add(ClientGroup(client_id=make_client("Inside").id, group_id=group.id))
        make_client("Outside")
        db.session.flush()
        assert names(Filters(group=group.id)) == ["Inside"]
        page = client_list.listing(Filters(), None, client_list.choices())
        assert [row.groups for row in page.rows] == [("Ngata family",), ()]

    def test_the_sync_state_of_a_client_is_the_worst_of_its_links(self) -> None:
        xpm, other = make_connection(), make_connection(account_name="Other")
        client = make_client("Acme", sync_state=SyncState.FAILED)
        make_link(client, xpm, push_state=PushState.FAILED)
        make_link(client, other, open_conflicts=1)
        broken = make_client("Broken", sync_state=SyncState.FAILED)
        make_link(broken, xpm, state=LinkState.BROKEN)
        make_client("New")
        page = client_list.listing(Filters(), None, client_list.choices())
        assert [(row.sync, row.apps) for row in page.rows] == [
            ("failed", ((xpm.id, "failed"), (other.id, "conflict"))),
            ("failed", ((xpm.id, "broken"),)),
            ("unlinked", ()),
        ]
        assert names(Filters(sync="failed")) == ["Acme", "Broken"]

    def test_a_near_match_is_named_until_somebody_settles_it(self) -> None:
        client = make_client("Acme")
        finding = Finding(
            connection_id=make_connection().id, kind="near_match", remote_id="1", remote_name="ACME",
            client_id=client.id, client_name="Acme", reason="capital letters", first_seen=now(), last_seen=now(),
        )  # fmt: skip
        db.session.add(finding)
        db.session.flush()
        assert names(Filters(sync=NEAR_MATCH)) == ["Acme"]
        assert client_list.listing(Filters(), None, client_list.choices()).rows[0].sync == NEAR_MATCH
        finding.state = "apart"
        db.session.flush()
        assert names(Filters(sync=NEAR_MATCH)) == []


@pytest.mark.usefixtures("database")
class TestSearching:
    @pytest.mark.parametrize(
        "words",
        ["harbour", "HARB", "zoe", "Zoë", "O’Neil", "zoe@mail", "(09) 555-0101", "095550101", "555 0101", "26142053",
         "harb neil", "ha", "Kaikōura kai"],
    )  # fmt: skip
    def test_a_client_is_found_by_any_part_of_what_is_known_of_it(self, words: str) -> None:
        contacts = [{"name": "Zoë O’Neill", "email": "zoe@mail.example", "phone": "021 555 7777"}]
        client = make_client("Harbour Cafés of Kaikōura", phone="09 555 0101", contacts=contacts)
        make_link(client, make_connection(), "26142053")
        index_for_search([client.id])
        make_client("Somebody Else", phone="03 111 2222")
        assert names(Filters(words)) == ["Harbour Cafés of Kaikōura"]

    def test_every_word_has_to_be_there(self) -> None:
        make_client("Harbour Cafés")
        assert names(Filters("harbour plumbing")) == []

    @pytest.mark.parametrize(
        "words", ['"', "'", "%", "_", "\\", "a OR b", "acme*", "NEAR(acme)", "-acme", "ac%me", "acme\x00"]
    )
    def test_signs_that_mean_something_to_a_database_are_only_signs(self, words: str) -> None:
        """Fault row 84."""
        make_client("Acme")
        found = names(Filters(words))
        assert found == (["Acme"] if words == "acme\x00" else [])

    def test_two_letters_look_at_names_and_two_characters_of_a_dense_script_everywhere(self) -> None:
        make_client("Ox & Co", contacts=[{"name": "Zq Smith"}])
        make_client("East Trading", contacts=[{"name": "王伟"}])
        assert names(Filters("ox")) == ["Ox & Co"]
        assert names(Filters("zq")) == []
        assert names(Filters("王伟")) == ["East Trading"]

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

    def test_a_search_text_follows_the_contacts(self) -> None:
        client = make_client("Acme", contacts=[{"name": "Old Name"}])
        client.contacts[0].name = "Fresh Name"
        index_for_search([client.id])
        assert names(Filters("fresh")) == ["Acme"]
        assert names(Filters("old name")) == []

    def test_other_pages_can_search_with_the_same_words(self) -> None:
        client = make_client("Acme Plumbing")
        condition = client_search.matching("acme pl", Client.id)
        assert condition is not None
        assert list(db.session.scalars(select(Client.id).where(condition))) == [client.id]
        assert client_search.matching("  ", Client.id) is None


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
    def test_pages_hold_everyone_once_both_ways(
        self, view: Filters, cap: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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


class TestAddresses:
    def test_a_view_reads_the_same_from_its_own_address(self) -> None:
        view = Filters("a&b", "lead", 3, NOBODY, 4, 5, False, "failed", Sort.CHANGED, True)
        assert client_list.filters_from(dict(view.pairs())) == (view, [])
        assert view.query() == (
            "?q=a%26b&status=lead&manager=3&partner=none&group=4&app=not-5&sync=failed&sort=-changed"
        )
        assert view.query(words="", app=None) == "?status=lead&manager=3&partner=none&group=4&sync=failed&sort=-changed"
        assert Filters().query() == "?"

    @pytest.mark.parametrize(
        "args",
        [{"status": "prospect"}, {"manager": "x"}, {"partner": "-1"}, {"group": "1e9"}, {"app": "not-"}, {"app": "xpm"},
         {"sync": "ok"}, {"sort": "phone"}, {"manager": "99999999999999999999"}, {"group": "٣"}, {"q": "\ud800"}],
    )  # fmt: skip
    def test_what_means_nothing_is_left_out_with_a_sentence(self, args: dict[str, str]) -> None:
        view, notes = client_list.filters_from(MultiDict(args))
        assert view == Filters()
        assert len(notes) == 1
        assert notes[0].endswith(".")

    def test_what_does_not_exist_is_left_out_too(self) -> None:
        known = client_list.Known(people={1: "Bob"}, apps={}, groups={})
        view, notes = client_list.filters_from({"manager": "1", "partner": "2", "app": "3", "group": "4"}, known)
        assert view == Filters(manager=1)
        assert notes == [
            "There is no such partner; that filter was left out.",
            "There is no such group; that filter was left out.",
            "There is no such app; that filter was left out.",
        ]

    def test_a_very_long_search_is_cut_and_says_so(self) -> None:
        view, notes = client_list.filters_from({"q": "x" * 300})
        assert len(view.words) == 200
        assert notes == ["Only the first 200 characters were searched for."]


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


class TestCells:
    @pytest.mark.parametrize(
        "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠", " =", "\u00a0@"]
    )
    def test_a_cell_a_spreadsheet_would_calculate_becomes_text_and_comes_back(self, start: str) -> None:
        """Fault row 95."""
        for held in (start + "cmd()", "'" + start, "''" + start + "1"):
            assert safe_cell(held) == "'" + held
            assert plain_cell(safe_cell(held)) == held

    @pytest.mark.parametrize("held", ["Acme", "", "'tis", "O’Neil", "1-2", "a=b", "'", "''"])
    def test_other_texts_stay_as_they_are(self, held: str) -> None:
        assert safe_cell(held) == held
        assert plain_cell(held) == held

    def test_numbers_stay_numbers(self) -> None:
        assert [safe_cell(one) for one in (-5, -1.5, 0, None, True, False)] == ["-5", "-1.5", "0", "", "Yes", "No"]


@pytest.mark.usefixtures("database")
class TestExporting:
    def test_the_file_has_a_row_for_every_contact_and_one_for_a_client_without(self) -> None:
        bob = person(Role.MEMBER)
        contacts = [{"name": "Zoë", "email": "z@x.example", "position": "=Boss"}, {"name": "Tom"}]
        acme = make_client("Acme, “Ltd”", manager_id=bob.id, phone="+64 9", tax_registered=True, contacts=contacts)
        beta = make_client("Beta\nTrust")
        body = "".join(csv_parts(Filters(), client_list.choices()))
        lines = body.split("\r\n")
        assert lines[0] == "\ufeff" + ",".join(HEADINGS)
        assert lines[1].startswith(f'{acme.id},"Acme, “Ltd”",lead,')
        assert ",'+64 9,,,Yes,bob@marlow.example,," in lines[1]
        assert lines[1].endswith(",Zoë,z@x.example,,,,,'=Boss,Yes")
        assert lines[2].endswith(",Tom,,,,,,,No")
        assert lines[3].startswith(f'{beta.id},"Beta\nTrust",lead')
        assert lines[4:] == [""]

    def test_only_what_the_view_shows_is_exported_in_its_order_and_all_of_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("portal.domain.client_list.export.PART", 3)
        for number in range(8):
            make_client(f"Acme {number}")
        make_client("Beta")
        db.session.commit()  # between two parts the export lets go of its transaction
        lines = "".join(csv_parts(Filters("acme", descending=True), client_list.choices())).split("\r\n")[1:-1]
        assert [line.split(",")[1] for line in lines] == [f"Acme {number}" for number in range(7, -1, -1)]

    def test_nobody_matching_is_a_file_of_headings(self) -> None:
        person()
        assert "".join(csv_parts(Filters("nobody"), client_list.choices())).count("\r\n") == 1


@pytest.mark.usefixtures("database")
def test_the_search_table_is_the_one_the_migration_makes() -> None:
    client = make_client("Acme")
    assert db.session.scalar(text("SELECT count(*) FROM client_search WHERE rowid = :id"), {"id": client.id}) == 1
