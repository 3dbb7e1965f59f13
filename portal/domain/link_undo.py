"""Unlinking that can be taken back exactly: what the two sides had agreed on comes back with the link."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import clients, links
from portal.domain.activity import Activity, Actor, Verb
from portal.domain.apps import ClientLink, Connection, ContactLink, LinkState
from portal.domain.clients import Client
from portal.domain.links import AlreadyLinked
from portal.domain.records import ClientRecord, client_from_json

KEPT = ("remote_id", "remote_name", "made_by", "agreed", "seen", "seen_digest", "held_fields", "broken_why")


def unlink(link: ClientLink, *, by: Actor, now: datetime, app: str) -> Activity:
    """As `links.unlink`; the Activity given back is what `relink` takes."""
    was: dict[str, Any] = {name: getattr(link, name) for name in KEPT}
    was["state"] = link.state.value
    was["agreed_at"] = link.agreed_at.isoformat() if link.agreed_at else None
    was["contacts"] = [
        {"contact_id": one.contact_id, "remote_id": one.remote_id, "agreed": one.agreed, "is_gone": one.is_gone}
        for one in db.session.scalars(select(ContactLink).where(ContactLink.client_link_id == link.id))
    ]
    client_id = link.client_id
    links.unlink(link, by=by, now=now, app=app)
    db.session.flush()
    query = select(Activity).where(Activity.client_id == client_id, Activity.verb == Verb.CLIENT_UNLINKED)
    noted = db.session.scalars(query.order_by(Activity.id.desc()).limit(1)).one()
    noted.facts = {**noted.facts, "was": was}  # still this transaction's own line
    return noted


def relink(client: Client, unlinked: Activity, *, by: Actor, now: datetime, app: str) -> ClientLink:
    """Put the link back as it was. Raises `AlreadyLinked` when the record or the client found a partner meanwhile."""
    was = unlinked.facts["was"]
    connection = db.session.get_one(Connection, unlinked.connection_id)
    if any(one.connection_id == connection.id for one in client.links):
        raise AlreadyLinked(client, f"{client.name} is linked to a record in {app} already")
    record = client_from_json(was["seen"]) if was["seen"] else ClientRecord(was["remote_id"], was["remote_name"])
    link = links.link(
        client, connection, record, by=by, now=now, reason="the link was put back", made_by=was["made_by"], app=app
    )
    for name in KEPT:
        setattr(link, name, was[name])
    link.state = LinkState(was["state"])
    link.agreed_at = datetime.fromisoformat(was["agreed_at"]) if was["agreed_at"] else None
    here = {contact.id for contact in client.contacts}
    for one in was["contacts"]:
        contact_id = one["contact_id"] if one["contact_id"] in here else None
        db.session.add(ContactLink(client_link_id=link.id, **{**one, "contact_id": contact_id}))
    clients.ask_for_push(client, now)
    clients.refresh_sync_state(client)
    return link
