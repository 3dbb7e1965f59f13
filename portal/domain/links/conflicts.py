"""What both sides changed: shown, swapped, or settled as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, clients
from portal.domain.activity import Actor, Verb
from portal.domain.apps import (
    ClientLink,
    Conflict,
    ContactLink,
    StaffLink,
)
from portal.domain.clients import Client, Contact
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.planning import is_blank
from portal.domain.records import Address


def open_conflicts(client: Client) -> list[Conflict]:
    """Oldest first."""
    query = select(Conflict).where(Conflict.client_id == client.id, Conflict.state == "open").order_by(Conflict.id)
    return list(db.session.scalars(query))


def swap_conflict(conflict: Conflict, *, by: Actor, now: datetime, app: str = "") -> None:
    """Put the value that lost back here; the app gets it with the push this asks for (XPM-14)."""
    client = db.session.get_one(Client, conflict.client_id)
    loser = conflict.here if conflict.winner == "there" else conflict.there
    contact = db.session.get(Contact, conflict.contact_id) if conflict.contact_id else None
    if contact is not None:
        clients.edit_contact(contact, {conflict.field: loser}, by=by, now=now)
    elif conflict.field in ("partner", "manager"):
        clients.edit(client, {f"{conflict.field}_id": _user_behind(conflict, loser)}, by=by, now=now)
    elif conflict.field in ("address", "postal_address"):
        clients.edit(client, {conflict.field: Address(*loser)}, by=by, now=now)
    else:
        clients.edit(client, {conflict.field: loser}, by=by, now=now)
    if conflict.winner == "here":
        _give_back(conflict, now)
    _settle(conflict, client, "swapped", by, now)
    labels = CONTACT_FIELDS if conflict.contact_id else CLIENT_FIELDS
    activity.record(
        Verb.CONFLICT_SWAPPED, by=by, now=now, client_id=client.id, field=labels[conflict.field],
        new=_said(loser), app=app or _link_of(conflict).connection.app,
    )  # fmt: skip


def _give_back(conflict: Conflict, now: datetime) -> None:
    """The app gets its own value back, also over a connection that sends nothing by itself."""
    link = _link_of(conflict)
    key = conflict.field
    if conflict.contact_id is not None:
        there = db.session.scalar(
            select(ContactLink.remote_id).where(
                ContactLink.client_link_id == link.id, ContactLink.contact_id == conflict.contact_id
            )
        )
        key = f"{there}.{conflict.field}"
    link.asked = sorted({*(link.asked or ()), key})
    link.wants_push(now)


def dismiss_conflict(conflict: Conflict, *, by: Actor, now: datetime, app: str = "") -> None:
    """Keep it as it stands."""
    client = db.session.get_one(Client, conflict.client_id)
    _settle(conflict, client, "kept", by, now)
    labels = CONTACT_FIELDS if conflict.contact_id else CLIENT_FIELDS
    activity.record(
        Verb.CONFLICT_DISMISSED, by=by, now=now, client_id=client.id, field=labels[conflict.field],
        app=app or _link_of(conflict).connection.app,
    )  # fmt: skip


def _link_of(conflict: Conflict) -> ClientLink:
    return db.session.get_one(ClientLink, conflict.link_id)


def _settle(conflict: Conflict, client: Client, state: str, by: Actor, now: datetime) -> None:
    conflict.state = state
    conflict.settled_at = now
    conflict.settled_by = by.name
    link = _link_of(conflict)
    link.open_conflicts = max(0, link.open_conflicts - 1)
    clients.refresh_sync_state(client)


def _user_behind(conflict: Conflict, value: dict[str, Any] | None) -> int | None:
    """The user a plan's person value stands for."""
    if not value:
        return None
    if value["id"].startswith("user:"):
        return int(value["id"].removeprefix("user:"))
    connection_id = _link_of(conflict).connection_id
    return db.session.scalar(
        select(StaffLink.user_id).where(StaffLink.connection_id == connection_id, StaffLink.remote_id == value["id"])
    )


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["name"])
    if isinstance(value, list):
        return ", ".join(part for part in value if part)
    return "nothing" if is_blank(value) else str(value)
