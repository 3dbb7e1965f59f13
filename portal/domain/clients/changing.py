"""Making a client and changing its own fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, Connection, OutgoingClient, OutgoingState
from portal.domain.clients.models import CONTACT_EDITABLE, EDITABLE, Client, Contact, StaleEdit
from portal.domain.clients.standing import index_for_search, refresh_sync_state
from portal.domain.people import User
from portal.domain.records import Address
from portal.domain.text import near_key, sort_key


def get(client_id: int, *, lock: bool = False) -> Client | None:
    """The client, or None. `lock` holds its row until the transaction ends (PostgreSQL; SQLite locks the file)."""
    query = select(Client).where(Client.id == client_id)
    return db.session.scalar(query.with_for_update() if lock else query)


def plain(value: Any) -> Any:
    """A field's value as JSON keeps it: an address is its five parts."""
    return value.parts() if isinstance(value, Address) else value


def source(by: Actor, now: datetime, *, app: str = "", connection_id: int | None = None) -> dict[str, Any]:
    """The entry `origins` keeps for a value set now."""
    entry: dict[str, Any] = {"from": app or by.name, "at": now.isoformat(timespec="seconds"), "how": by.origin.value}
    if by.run_id is not None:
        entry["run"] = by.run_id
    if connection_id is not None:
        entry["connection"] = connection_id
    return entry


def same_or_near(name: str, *, limit: int = 10) -> list[Client]:
    """Clients of exactly this name, then of nearly this name, the archived ones among them."""
    near = near_key(name)
    alike = (Client.name == name) if not near else or_(Client.name == name, Client.near_key == near)
    found = list(db.session.scalars(select(Client).where(alike).order_by(Client.id).limit(limit)))
    return sorted(found, key=lambda client: (client.name != name, client.is_archived, client.id))


def create(name: str, *, by: Actor, now: datetime, contacts: Sequence[Mapping[str, Any]] = (), **fields: Any) -> Client:
    """A new client, a Lead, linked to nothing. Fields as in `EDITABLE`; the first contact becomes the default."""
    client = Client(name=name, name_key=sort_key(name), near_key=near_key(name), created_at=now, changed_at=now)
    client.origins = {"*": source(by, now)}
    for field, value in fields.items():
        if field not in EDITABLE:
            raise ValueError(f"{field} is not a field of a client")
        setattr(client, field, value)
    client.contacts = [_contact(values, client.origins, is_default=not place) for place, values in enumerate(contacts)]
    client.links = []
    db.session.add(client)
    db.session.flush()
    activity.record(Verb.CLIENT_CREATED, by=by, now=now, client_id=client.id, client=name)
    for contact in client.contacts:
        activity.record(Verb.CONTACT_ADDED, by=by, now=now, client_id=client.id, contact=contact.name)
    index_for_search([client.id])
    return client


def _contact(values: Mapping[str, Any], origins: Mapping[str, Any], *, is_default: bool) -> Contact:
    given = {key: values.get(key, "") for key in CONTACT_EDITABLE}
    return Contact(**given, is_default=is_default, origins=dict(origins))


def edit(
    client: Client, values: Mapping[str, Any], *, by: Actor, now: datetime, expected_version: int | None = None
) -> bool:
    """Change fields here, record it, and ask for a push where the client is linked (CL-35).

    Says whether anything changed. Raises `StaleEdit` when `expected_version` is given and somebody else was quicker.
    """
    if expected_version is not None and client.version != expected_version:
        raise StaleEdit(client)
    changes, fields = [], []
    for field, value in values.items():
        if field not in EDITABLE:
            raise ValueError(f"{field} is not a field of a client")
        old = getattr(client, field)
        if old != value:
            changes.append(_change(field, old, value))
            setattr(client, field, value)
            fields.append(field.removesuffix("_id"))
    if not changes:
        return False
    mark = source(by, now)
    client.origins = {**client.origins, **dict.fromkeys(fields, mark)}
    touched(client, now)
    activity.record(
        Verb.CLIENT_CHANGED, by=by, now=now, client_id=client.id, what=activity.field_names(changes), changes=changes
    )
    ask_for_push(client, now, fields)
    if "name" in fields:
        _look_there_again(client, now)
    return True


def _change(field: str, old: Any, new: Any) -> dict[str, Any]:
    if field in ("partner_id", "manager_id"):
        return activity.change(field.removesuffix("_id"), _name_of(old), _name_of(new))
    return activity.change(field, plain(old), plain(new))


def _name_of(user_id: int | None) -> str | None:
    user = db.session.get(User, user_id) if user_id else None
    return user.name if user else None


def touched(client: Client, now: datetime) -> None:
    """Keep what follows from a client's own fields."""
    client.name_key = sort_key(client.name)
    client.near_key = near_key(client.name)
    client.version += 1
    client.changed_at = now
    index_for_search([client.id])


def ask_for_push(
    client: Client, now: datetime, fields: Collection[str] | None = None, contact_fields: Collection[str] = ()
) -> list[ClientLink]:
    """The linked records this change concerns are to be brought in step; gives back the links asked.

    `fields` None: a person wants them all looked at, whatever changed. A connection that is set to carry none of what
    changed is not called: a phone number is no news where only names travel (XP-20).
    """
    asked = []
    for link in client.links:
        if _concerns(link.connection, fields, contact_fields):
            link.wants_push(now)
            asked.append(link)
    if asked:
        refresh_sync_state(client)
    return asked


def _concerns(connection: Connection, fields: Collection[str] | None, contact_fields: Collection[str]) -> bool:
    if fields is None:
        return connection.level != "nothing"
    return connection.sends(fields, contact_fields) or connection.owns(fields)


def _look_there_again(client: Client, now: datetime) -> None:
    """It has another name: what kept it from being created in an app may be over."""
    db.session.execute(
        update(OutgoingClient)
        .where(
            OutgoingClient.client_id == client.id,
            OutgoingClient.state.in_((OutgoingState.ASKS, OutgoingState.FAILED)),
        )
        .values(state=OutgoingState.READY, next_at=now, reason="")
    )
