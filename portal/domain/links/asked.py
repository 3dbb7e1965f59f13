"""What a person asks to be sent over a link, whatever the settings say."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from portal.db import db
from portal.domain import activity, clients, connections
from portal.domain.activity import Actor, Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
)
from portal.domain.clients import Client
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.planning import AT_LINK, CONTACTS, TWO_WAY


class CannotSend(Exception):
    """Something asked for cannot be sent to this app; the text says what and why."""


def sendable(connection: Connection) -> tuple[str, ...]:
    """What a person may ask to be sent whatever the settings say: the fields this app takes from us, and contacts."""
    ways = connection.ways
    if not ways.writes:
        return ()
    fields = tuple(name for name, flow in ways.client_fields.items() if flow in (TWO_WAY, AT_LINK))
    # People who travel when two are linked only go out with a record that is created, and never into one there is.
    return (*fields, CONTACTS) if ways.contact_fields.get("name") == TWO_WAY else fields


def ask_to_send(link: ClientLink, fields: Collection[str], *, by: Actor, now: datetime) -> None:
    """A person's word: our values of these fields go to the app, whatever direction, level and field table say.

    A field of one contact is called "<its id there>.<field>", as in plans. What they replace there is kept as a
    conflict unless both sides had agreed on it. Raises `CannotSend`.
    """
    app = connections.label(link.connection)
    allowed = sendable(link.connection)
    for name in fields:
        if name not in allowed and not ("." in name and CONTACTS in allowed):
            label = CLIENT_FIELDS.get(name, name)
            raise CannotSend(f"{label} cannot be sent to {app}: it is kept there, or {app} does not take it.")
    if not fields:
        return
    link.asked = sorted({*(link.asked or ()), *fields})
    link.wants_push(now)
    client = db.session.get_one(Client, link.client_id)
    labels = [CLIENT_FIELDS.get(name, "Contacts") for name in allowed if name in fields]
    labels += [CONTACT_FIELDS.get(name.rpartition(".")[2], "Contacts") for name in fields if "." in name]
    activity.record(
        Verb.SENDING_ASKED, by=by, now=now, client_id=client.id, connection_id=link.connection_id, app=app,
        what=activity.field_names([{"label": label} for label in labels]),
    )  # fmt: skip
    clients.refresh_sync_state(client)


def take_back_asked(link: ClientLink, *, by: Actor, now: datetime) -> bool:
    """What a person asked to be sent is not to be sent any more; changes that go by themselves still do.

    False when nothing was asked, or it has gone already.
    """
    if not link.asked:
        return False
    app = connections.label(link.connection)
    labels = [
        CONTACT_FIELDS.get(name.rpartition(".")[2], "Contacts") if "." in name else CLIENT_FIELDS.get(name, "Contacts")
        for name in link.asked
    ]
    link.asked = []
    link.wants_push(now)
    activity.record(
        Verb.SENDING_TAKEN_BACK, by=by, now=now, client_id=link.client_id, connection_id=link.connection_id, app=app,
        what=activity.field_names([{"label": label} for label in labels]),
    )  # fmt: skip
    clients.refresh_sync_state(db.session.get_one(Client, link.client_id))
    return True
