"""The list of clients: who is on it, in which order, on which page."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from portal.db import db
from portal.domain import client_list, client_search
from portal.domain.apps import Finding, LinkState, PushState
from portal.domain.client_list import EVERYTHING, NEAR_MATCH, NOBODY, Filters, Sort
from portal.domain.clients import Client, ClientGroup, ClientStatus, Group, SyncState, index_for_search
from tests.cast import make_client, make_connection, make_link, now, person


def names(view: Filters = Filters(), **more: Any) -> list[str]:  # noqa: B008  # a frozen value
    page = client_list.listing(view, None, client_list.choices({"group": str(view.group or "")}), **more)
    return [row.name for row in page.rows]


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
