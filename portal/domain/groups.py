"""Client groups: they come from an app and are never made or filled here (CL-60); their primary contact is chosen here,
and the group's mail goes to that contact's address (CL-61).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, tuple_

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection
from portal.domain.client_list import number
from portal.domain.clients import Client, ClientGroup, ClientStatus, Contact, Group

PAGE = 50


class NotInGroup(ValueError):
    """The contact is of no client in the group."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """`app` is the slug of the app it comes from; `contact` the name of its primary contact, empty without one."""

    id: int
    name: str
    app: str
    account: str
    members: int
    contact: str


@dataclass(frozen=True, slots=True)
class Member:
    """One client of a group with its contacts, the default one first."""

    id: int
    name: str
    status: ClientStatus
    contacts: Sequence[Contact]


def page(words: str = "", after: str = "") -> tuple[list[GroupRow], str | None]:
    """Groups by name, and the key of the next page. `words` is any part of a name; a key without sense is left out."""
    members = select(func.count()).where(ClientGroup.group_id == Group.id).scalar_subquery()
    query = (
        select(Group.id, Group.name, Connection.app, Connection.account_name, members, func.coalesce(Contact.name, ""))
        .join(Connection, Connection.id == Group.connection_id)
        .outerjoin(Contact, Contact.id == Group.primary_contact_id)
        .order_by(Group.name, Group.id)
    )
    if words:
        query = query.where(Group.name.icontains(words, autoescape=True))
    name, _, last = after.rpartition("~")
    if (last_id := number(last)) is not None:
        query = query.where(tuple_(Group.name, Group.id) > (name, last_id))
    found = [GroupRow(*row) for row in db.session.execute(query.limit(PAGE + 1))]
    more = f"{found[PAGE - 1].name}~{found[PAGE - 1].id}" if len(found) > PAGE else None
    return found[:PAGE], more


def get(group_id: int, *, lock: bool = False) -> Group | None:
    return db.session.get(Group, group_id, with_for_update=lock or None)


def contact(contact_id: int) -> Contact | None:
    return db.session.get(Contact, contact_id)


def source(group: Group) -> Connection:
    """The account the group comes from."""
    return db.session.get_one(Connection, group.connection_id)


def members(group: Group, after: str = "") -> tuple[list[Member], str | None]:
    """A page of its clients by name, archived ones too, and the key of the next page."""
    query = (
        select(Client.id, Client.name, Client.status, Client.name_key)
        .join(ClientGroup, ClientGroup.client_id == Client.id)
        .where(ClientGroup.group_id == group.id)
        .order_by(Client.name_key, Client.id)
    )
    name_key, _, last = after.rpartition("~")
    if (last_id := number(last)) is not None:
        query = query.where(tuple_(Client.name_key, Client.id) > (name_key, last_id))
    rows = db.session.execute(query.limit(PAGE + 1)).all()
    more = f"{rows[PAGE - 1].name_key}~{rows[PAGE - 1].id}" if len(rows) > PAGE else None
    contacts: dict[int, list[Contact]] = defaultdict(list)
    of_rows = select(Contact).where(Contact.client_id.in_([row.id for row in rows[:PAGE]]))
    for contact in db.session.scalars(of_rows.order_by(Contact.is_default.desc(), Contact.id)):
        contacts[contact.client_id].append(contact)
    return [Member(row.id, row.name, row.status, contacts[row.id]) for row in rows[:PAGE]], more


def holds(group: Group, contact: Contact) -> bool:
    """Whether the contact is of a client in the group; a sync may have taken that client out since it was chosen."""
    return db.session.get(ClientGroup, (contact.client_id, group.id)) is not None


def choose_primary_contact(group: Group, contact: Contact | None, *, by: Actor, now: datetime) -> bool:
    """None takes the choice away. Says whether anything changed. Raises `NotInGroup`."""
    if contact is not None and not holds(group, contact):
        raise NotInGroup(f"{contact.name} is of no client in the group {group.name}")
    if group.primary_contact_id == (contact.id if contact else None):
        return False
    told = contact or group.primary_contact
    group.primary_contact_id = contact.id if contact else None
    activity.record(
        Verb.GROUP_CONTACT_CHOSEN, by=by, now=now, client_id=told.client_id if told else None,
        connection_id=group.connection_id, contact=contact.name if contact else "Nobody", group=group.name,
    )  # fmt: skip
    return True
