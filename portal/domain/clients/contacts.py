"""The contacts of a client: adding, changing, removing, and which one is the default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Activity, Actor, Verb
from portal.domain.apps import ContactLink
from portal.domain.clients.changing import ask_for_push, source, touched
from portal.domain.clients.models import CONTACT_EDITABLE, Client, Contact


def add_contact(client: Client, values: Mapping[str, Any], *, by: Actor, now: datetime, **facts: Any) -> Contact:
    """The first contact of a client becomes its default. `facts` go into the activity."""
    contact = Contact(client_id=client.id, **{key: values.get(key, "") for key in CONTACT_EDITABLE})
    contact.origins = {"*": source(by, now)}
    contact.is_default = not client.contacts
    client.contacts.append(contact)
    db.session.flush()
    activity.record(Verb.CONTACT_ADDED, by=by, now=now, client_id=client.id, contact=contact.name, **facts)
    touched(client, now)
    ask_for_push(client, now, (), ("name",))
    return contact


def edit_contact(contact: Contact, values: Mapping[str, Any], *, by: Actor, now: datetime) -> bool:
    """Says whether anything changed."""
    changes = [
        activity.change(field, getattr(contact, field), values[field], of_contact=True)
        for field in CONTACT_EDITABLE
        if field in values and getattr(contact, field) != values[field]
    ]
    if not changes:
        return False
    mark = source(by, now)
    for one in changes:
        setattr(contact, one["field"], one["new"])
    contact.origins = {**contact.origins, **{one["field"]: mark for one in changes}}
    what = activity.field_names(changes)
    activity.record(
        Verb.CONTACT_CHANGED, by=by, now=now, client_id=contact.client_id, contact=contact.name, what=what,
        changes=changes,
    )  # fmt: skip
    touched(contact.client, now)
    ask_for_push(contact.client, now, (), [one["field"] for one in changes])
    return True


def remove_contact(contact: Contact, *, by: Actor, now: datetime) -> Activity:
    """Removed here only; linked apps keep theirs and it is not brought back. Another contact becomes the default.

    The Activity given back is what `restore_contact` takes.
    """
    client = contact.client
    was_default = contact.is_default
    facts = {field: getattr(contact, field) for field in CONTACT_EDITABLE}
    links = list(db.session.scalars(select(ContactLink).where(ContactLink.contact_id == contact.id)))
    for link in links:
        link.contact_id = None
    client.contacts.remove(contact)
    db.session.delete(contact)
    db.session.flush()
    removed = activity.record(
        Verb.CONTACT_REMOVED, by=by, now=now, client_id=client.id, contact=facts["name"], was=facts,
        was_default=was_default, links=[link.id for link in links],
    )  # fmt: skip
    if was_default and client.contacts:
        choose_default_contact(client.contacts[0], by=by, now=now)
    touched(client, now)
    db.session.flush()
    return removed


def restore_contact(client: Client, removed: Activity, *, by: Actor, now: datetime) -> Contact | None:
    """Take a removal back: the contact as it was, tied again to the records it stood for. None when that was done."""
    later = select(Activity).where(
        Activity.client_id == client.id, Activity.id > removed.id, Activity.verb == Verb.CONTACT_ADDED
    )
    if any(one.facts.get("restores") == removed.id for one in db.session.scalars(later)):
        return None
    contact = add_contact(client, removed.facts["was"], by=by, now=now, restores=removed.id)
    for link in db.session.scalars(select(ContactLink).where(ContactLink.id.in_(removed.facts.get("links", [])))):
        if link.contact_id is None:
            link.contact_id = contact.id
    if removed.facts.get("was_default"):
        choose_default_contact(contact, by=by, now=now)
    return contact


def choose_default_contact(contact: Contact, *, by: Actor, now: datetime) -> None:
    if contact.is_default:
        return
    for other in contact.client.contacts:
        other.is_default = False
    db.session.flush()  # the unique index allows one default at any moment
    contact.is_default = True
    activity.record(Verb.DEFAULT_CONTACT_CHOSEN, by=by, now=now, client_id=contact.client_id, contact=contact.name)
    contact.client.version += 1
    contact.client.changed_at = now
