"""The people and things of the tests. All of it needs an app context (`database`, or `with story():`).

Alice runs the firm and is an admin, Bob is a member, Sue is support. `person("admin")` gives Alice, made on first use.
Builders write rows directly, so that a test says only what it is about: `make_client("Acme", phone="09 555 0101")`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain.activity import Actor, Origin
from portal.domain.apps import ClientLink, Connection, ConnectionState, Finding, StaffLink
from portal.domain.clients import Client, Contact, index_for_search
from portal.domain.people import Firm, Role, User, found_firm, the_firm
from portal.domain.records import ClientRecord
from portal.domain.text import near_key, sort_key

PASSWORD = "violet harbour tractor"  # of everybody who has one
# argon2 with the least work, as tests/conftest.py sets it for all tests.
PASSWORD_HASH = "$argon2id$v=19$m=8,t=1,p=1$nePqNqlQd8aaDhTC6+ksig$i/zaH3DZ3hekM9XT0TMGksE9bPfjRzwMpgMoe3Zy6UY"
NAMES = {
    Role.ADMIN: ("Alice Ngata", "alice@marlow.example"),
    Role.MEMBER: ("Bob Tamihana", "bob@marlow.example"),
    Role.SUPPORT: ("Sue Sharma", "sue@marlow.example"),
}
COMMAND = Actor("a test", Origin.COMMAND)


def make_firm(name: str = "Marlow & Co", **details: Any) -> Firm:
    """The firm, made on first use."""
    at_hand = (one for one in db.session.identity_map.values() if isinstance(one, Firm))
    return next(at_hand, None) or the_firm() or found_firm(name, now=now(), **details)


def person(role: Role | str = Role.ADMIN) -> User:
    """Alice, Bob or Sue."""
    name, email = NAMES[Role(role)]
    return db.session.scalar(select(User).where(User.email == email)) or make_user(name, email, role)


def make_user(name: str, email: str, role: Role | str = Role.MEMBER, **details: Any) -> User:
    make_firm()
    user = User(name=name, email=email, role=Role(role), created_at=now(), **details)
    db.session.add(user)
    db.session.flush()
    return user


def make_client(name: str = "Acme Corp", **details: Any) -> Client:
    """A lead unless `details` say otherwise; `contacts` may be given as a list of dicts, the first is the default."""
    make_firm()
    contacts = details.pop("contacts", [])
    client = Client(name=name, name_key=sort_key(name), near_key=near_key(name), created_at=now(), changed_at=now())
    for field, value in details.items():
        setattr(client, field, value)
    db.session.add(client)
    db.session.flush()
    for place, contact in enumerate(contacts):
        db.session.add(Contact(client_id=client.id, is_default=place == 0, **contact))
    db.session.flush()
    index_for_search([client.id])
    return client


def make_connection(app: str = "xpm", account_name: str = "Marlow & Co", **details: Any) -> Connection:
    """Connected unless `details` say otherwise."""
    make_firm()
    details = {"account_id": f"account-{account_name}", "state": ConnectionState.CONNECTED} | details
    connection = Connection(app=app, account_name=account_name, state_changed_at=now(), **details)
    db.session.add(connection)
    db.session.flush()
    return connection


def make_link(client: Client, connection: Connection, remote_id: str = "", **details: Any) -> ClientLink:
    """The client is the record `remote_id` there, by default one of the same name."""
    details = {"remote_name": client.name, "made_at": now()} | details
    link = ClientLink(
        client_id=client.id, connection_id=connection.id, remote_id=remote_id or f"record-{client.id}", **details
    )
    db.session.add(link)
    db.session.flush()
    db.session.refresh(client)
    return link


def make_staff_link(user: User, connection: Connection, remote_id: str, remote_name: str = "") -> StaffLink:
    link = StaffLink(
        user_id=user.id, connection_id=connection.id, remote_id=remote_id, remote_name=remote_name or user.name
    )
    db.session.add(link)
    db.session.flush()
    return link


def make_finding(connection: Connection, remote_name: str, **details: Any) -> Finding:
    """A near match nobody has settled, unless `details` say otherwise."""
    remote_id = details.pop("remote_id", f"record-{remote_name}")
    details = {
        "kind": "near_match",
        "reason": "the names differ only in capital letters",
        "record": ClientRecord(remote_id, remote_name).as_json(),
        "first_seen": now(),
        "last_seen": now(),
    } | details
    finding = Finding(connection_id=connection.id, remote_id=remote_id, remote_name=remote_name, **details)
    db.session.add(finding)
    db.session.flush()
    return finding


def now() -> datetime:
    """The time by the test's clock."""
    return datetime.now(UTC)
