"""The life of a connection."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.db import db
from portal.domain import activity, connections
from portal.domain.activity import SYSTEM, Actor, Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
    ConnectionState,
    IllegalMove,
    PushState,
    RunKind,
    RunState,
    RunTrigger,
    SyncRun,
    TokenSet,
)
from portal.domain.records import AccountRecord
from tests.cast import make_client, make_connection, make_link, make_staff_link, make_user, now, person

pytestmark = pytest.mark.usefixtures("database", "clock")

MARLOW = AccountRecord("practice-1", "Marlow & Co", "practice", "grant-1")
HARBOUR = AccountRecord("practice-2", "Harbour Partners", "practice", "grant-2")


def tokens() -> TokenSet:
    made = TokenSet(vendor="vendor", client_id="id", access_token="a", refresh_token="r", changed_at=now())
    db.session.add(made)
    db.session.flush()
    return made


def alice() -> Actor:
    return Actor.person(person())


def offered(account: AccountRecord = MARLOW) -> Connection:
    return connections.offer("xpm", account, tokens(), now=now())


def enabled(account: AccountRecord = MARLOW) -> Connection:
    connection = offered(account)
    connections.enable(connection, {}, app="XPM", by=alice(), now=now())
    return connection


def verbs(connection: Connection) -> list[Verb]:
    return [Verb(line.verb) for line in reversed(activity.log(connection_id=connection.id))]


def test_a_sign_in_alone_enables_nothing() -> None:
    """AP-04, AP-05."""
    connection = offered()
    assert connection.state == ConnectionState.CHOOSING
    assert not connection.is_usable
    assert (connections.offered("xpm"), verbs(connection)) == ([connection], [])


def test_enabling_keeps_who_when_and_how() -> None:
    connection = offered()
    wanted = {"direction": "from_app", "level": "name"}
    connections.enable(connection, wanted, app="XPM", by=alice(), now=now())
    assert (connection.state, connection.direction, connection.level) == (ConnectionState.CONNECTED, "from_app", "name")
    assert (connection.enabled_by, connection.enabled_at) == ("Alice Ngata", now())
    assert connections.runs_at_night(connection)
    assert verbs(connection) == [Verb.APP_CONNECTED]
    with pytest.raises(IllegalMove):
        connection.move_to(ConnectionState.CHOOSING, now=now())


def test_a_setting_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be set"):
        connections.enable(offered(), {"direction": "sideways"}, app="XPM", by=alice(), now=now())


def test_reconnecting_the_same_account_keeps_every_link_and_what_waits_to_be_sent() -> None:
    """AP-06; fault row 35."""
    connection = enabled()
    link = make_link(make_client(), connection, push_state=PushState.READY)
    connections.lost(connection, "The permission was withdrawn.", app="XPM", by=SYSTEM, now=now())
    assert connections.waiting_to_be_sent(connection) == 1
    old, new = connection.token_set, tokens()
    connections.reconnect(connection, MARLOW, new, app="XPM", by=alice(), now=now() + timedelta(hours=1))
    assert (connection.state, connection.token_set, connection.state_reason) == (ConnectionState.CONNECTED, new, "")
    assert db.session.get(ClientLink, link.id).push_state == PushState.READY
    assert old is not None
    assert db.session.get(TokenSet, old.id) is None
    assert verbs(connection) == [Verb.APP_CONNECTED, Verb.APP_LOST, Verb.APP_RECONNECTED]


def test_reconnecting_to_another_account_is_refused() -> None:
    """Fault row 38."""
    connection = enabled()
    connections.lost(connection, "gone", app="XPM", by=SYSTEM, now=now())
    with pytest.raises(connections.AnotherAccount):
        connections.reconnect(connection, HARBOUR, tokens(), app="XPM", by=alice(), now=now())
    assert (connection.account_id, connection.state) == ("practice-1", ConnectionState.NEEDS_RECONNECT)


def test_another_account_is_another_connection_and_gets_none_of_the_links() -> None:
    """AP-06; fault row 38."""
    first = enabled()
    make_link(make_client(), first)
    second = enabled(HARBOUR)
    assert second.id != first.id
    assert (connections.linked(first), connections.linked(second)) == (1, 0)
    assert connections.earlier(second) == [first]


def test_lost_access_is_told_once_however_often_it_is_met() -> None:
    """Fault row 35."""
    connection = enabled()
    met = [connections.lost(connection, "revoked", app="XPM", by=SYSTEM, now=now()) for _ in range(3)]
    assert met == [True, False, False]
    assert verbs(connection).count(Verb.APP_LOST) == 1


def test_disconnecting_deletes_the_sign_in_and_keeps_clients_links_and_history() -> None:
    """AP-08."""
    connection = enabled()
    held = connection.token_set
    make_link(make_client("Acme"), connection)
    run = SyncRun(
        connection_id=connection.id, kind=RunKind.SYNC, trigger=RunTrigger.NIGHT, state=RunState.RUNNING, asked_at=now()
    )
    db.session.add(run)
    db.session.flush()
    assert held is not None
    assert connections.disconnect(connection, app="XPM", by=alice(), now=now())
    assert (connection.state, connection.token_set_id) == (ConnectionState.DISCONNECTED, None)
    assert db.session.get(TokenSet, held.id) is None
    assert connections.linked(connection) == 1
    db.session.refresh(run)
    assert run.cancel_asked
    assert verbs(connection)[-1] == Verb.APP_DISCONNECTED
    assert not connections.disconnect(connection, app="XPM", by=alice(), now=now())


def test_a_sign_in_two_accounts_share_lives_until_both_are_disconnected() -> None:
    shared = tokens()
    one, two = (connections.offer("xpm", account, shared, now=now()) for account in (MARLOW, HARBOUR))
    connections.disconnect(one, app="XPM", by=alice(), now=now())
    assert db.session.get(TokenSet, shared.id) is not None
    connections.disconnect(two, app="XPM", by=alice(), now=now())
    assert db.session.get(TokenSet, shared.id) is None


def test_an_account_in_use_is_left_alone_when_a_new_sign_in_reaches_it_too() -> None:
    connection = enabled()
    held = connection.token_set
    assert connections.offer("xpm", MARLOW, tokens(), now=now()) is connection
    assert (connection.state, connection.token_set) == (ConnectionState.CONNECTED, held)


def test_an_account_disconnected_earlier_comes_back_with_its_links() -> None:
    """AP-06."""
    connection = enabled()
    make_link(make_client(), connection)
    connections.disconnect(connection, app="XPM", by=alice(), now=now())
    again = offered()
    assert (again, again.state) == (connection, ConnectionState.CHOOSING)
    connections.enable(again, {}, app="XPM", by=alice(), now=now())
    assert connections.linked(again) == 1
    assert verbs(connection)[-1] == Verb.APP_RECONNECTED


def test_changed_settings_are_on_record_in_words() -> None:
    connection = enabled()
    changed = {"direction": "from_app", "nightly": False}
    assert connections.change_settings(connection, changed, app="XPM", by=alice(), now=now())
    assert not connections.runs_at_night(connection)
    line = activity.log(connection_id=connection.id)[0]
    assert activity.sentence(line) == "Settings of XPM changed: Direction and sync by itself"
    assert [(one["old"], one["new"]) for one in line.changes] == [
        ("Both ways: the later change wins", "Only from the app to here"),
        ("on", "paused"),
    ]
    assert not connections.change_settings(connection, changed, app="XPM", by=alice(), now=now())


def test_the_staff_list_shows_who_is_linked() -> None:
    people = [{"remote_id": "s1", "name": "Priya Sharma", "email": "p@x.nz"}, {"remote_id": "s2", "name": "Tom"}]
    connection = make_connection(reference={"staff": people})
    priya = make_user("Priya S", "p@x.nz")
    make_staff_link(priya, connection, "s1")
    assert [(row.name, row.user) for row in connections.staff(connection)] == [("Priya Sharma", priya), ("Tom", None)]


def test_only_active_admins_are_named_to_be_asked() -> None:
    person("admin"), person("member")
    make_user("Zoe Old", "zoe@x.nz", "admin", is_active=False)
    assert connections.admins() == ["Alice Ngata"]
