"""A firm's clients and their contacts: what they hold, and the verbs that change them.

The one invariant: whoever changes a client goes through `edit` (or a verb beside it), which raises the version, notes
where each field's value came from, keeps the search text and the sort key, and asks for a push where a link wants one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import JsonValue, UtcDateTime, db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, ContactLink, LinkState, PushState
from portal.domain.people import User
from portal.domain.records import Address
from portal.domain.text import near_key, sort_key


class ClientStatus(StrEnum):
    LEAD = "lead"
    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class SyncState(StrEnum):
    """How a client stands with its apps, the worst first."""

    FAILED = "failed"
    CONFLICT = "conflict"
    PENDING = "pending"
    IN_STEP = "in_step"
    UNLINKED = "unlinked"


ADDRESS_PARTS = ("street", "city", "region", "postcode", "country")
NOT_ARCHIVED = text("archived_at IS NULL")


class StaleEdit(Exception):
    """The client was changed by somebody else since the form was opened; `client` is as it now stands."""

    def __init__(self, client: Client) -> None:
        super().__init__(f"{client.name} was changed meanwhile")
        self.client = client


class Client(db.Model):
    """One client of the firm.

    `origins` maps a field to where its value came from: {"from": "XPM" or a person, "at": ISO time, "run": id or None,
    "connection": id or None}; the key "*" speaks for every field not named. `sync_state` is kept at write time.
    """

    __table_args__ = (
        Index("ix_client_name", "name_key", "id", sqlite_where=NOT_ARCHIVED, postgresql_where=NOT_ARCHIVED),
        Index("ix_client_status_name", "status", "name_key", "id"),
        Index("ix_client_manager_name", "manager_id", "name_key", "id"),
        Index("ix_client_partner_name", "partner_id", "name_key", "id"),
        Index("ix_client_sync_name", "sync_state", "name_key", "id"),
        Index("ix_client_status_changed", "status", "changed_at", "id"),
        Index("ix_client_exact_name", "name"),
        Index("ix_client_near_key", "near_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(String(200).with_variant(String(200, collation="C"), "postgresql"))
    near_key: Mapped[str] = mapped_column(String(200))
    status: Mapped[ClientStatus] = mapped_column(default=ClientStatus.LEAD)
    structure: Mapped[str] = mapped_column(default="")
    address_street: Mapped[str] = mapped_column(default="")
    address_city: Mapped[str] = mapped_column(default="")
    address_region: Mapped[str] = mapped_column(default="")
    address_postcode: Mapped[str] = mapped_column(default="")
    address_country: Mapped[str] = mapped_column(default="")
    postal_street: Mapped[str] = mapped_column(default="")
    postal_city: Mapped[str] = mapped_column(default="")
    postal_region: Mapped[str] = mapped_column(default="")
    postal_postcode: Mapped[str] = mapped_column(default="")
    postal_country: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    fax: Mapped[str] = mapped_column(default="")
    website: Mapped[str] = mapped_column(default="")
    tax_registered: Mapped[bool | None]
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    # What the status follows from (behaviour reference 1.1); services and billing items raise and lower these.
    active_items: Mapped[int] = mapped_column(default=0)
    was_active: Mapped[bool] = mapped_column(default=False)
    archived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    origins: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    sync_state: Mapped[SyncState] = mapped_column(default=SyncState.UNLINKED)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)

    partner: Mapped[User | None] = relationship(foreign_keys=[partner_id])
    manager: Mapped[User | None] = relationship(foreign_keys=[manager_id])
    contacts: Mapped[list[Contact]] = relationship(back_populates="client", order_by="Contact.id")
    links: Mapped[list[ClientLink]] = relationship(order_by=ClientLink.connection_id)
    groups: Mapped[list[Group]] = relationship(secondary="client_group", order_by="Group.name", viewonly=True)

    @property
    def address(self) -> Address:
        return Address(*(getattr(self, f"address_{part}") for part in ADDRESS_PARTS))

    @address.setter
    def address(self, value: Address) -> None:
        for part in ADDRESS_PARTS:
            setattr(self, f"address_{part}", getattr(value, part))

    @property
    def postal_address(self) -> Address:
        return Address(*(getattr(self, f"postal_{part}") for part in ADDRESS_PARTS))

    @postal_address.setter
    def postal_address(self, value: Address) -> None:
        for part in ADDRESS_PARTS:
            setattr(self, f"postal_{part}", getattr(value, part))

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    @property
    def default_contact(self) -> Contact | None:
        return next((contact for contact in self.contacts if contact.is_default), None)

    def computed_status(self) -> ClientStatus:
        """What the rules of 1.1 say, leaving the archive aside (CL-08)."""
        if self.active_items > 0:
            return ClientStatus.ACTIVE
        return ClientStatus.INACTIVE if self.was_active else ClientStatus.LEAD

    def origin_of(self, field: str) -> dict[str, Any]:
        """Where the value of a field came from; empty when nobody knows."""
        return self.origins.get(field) or self.origins.get("*") or {}


class Contact(db.Model):
    """A person at a client. Exactly one contact of a client with any is its default (CL-38)."""

    __table_args__ = (
        Index("ix_contact_client_id", "client_id"),
        Index(
            "uq_contact_one_default", "client_id", unique=True,
            sqlite_where=text("is_default"), postgresql_where=text("is_default"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    mobile: Mapped[str] = mapped_column(default="")
    salutation: Mapped[str] = mapped_column(default="")
    addressee: Mapped[str] = mapped_column(default="")
    position: Mapped[str] = mapped_column(default="")
    is_default: Mapped[bool] = mapped_column(Boolean, default=False)
    origins: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)

    client: Mapped[Client] = relationship(back_populates="contacts")

    def origin_of(self, field: str) -> dict[str, Any]:
        return self.origins.get(field) or self.origins.get("*") or {}


class Group(db.Model):
    """A client group as an app has it; never made or filled here (CL-60). Its primary contact is chosen here (CL-61)."""

    __table_args__ = (UniqueConstraint("connection_id", "remote_id"), Index("ix_group_name", "name"))

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    remote_id: Mapped[str]
    name: Mapped[str]
    primary_contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id", ondelete="SET NULL"))

    primary_contact: Mapped[Contact | None] = relationship()


class ClientGroup(db.Model):
    """A client's place in a group, as the app says."""

    __table_args__ = (Index("ix_client_group_group_id", "group_id", "client_id"),)

    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("group.id", ondelete="CASCADE"), primary_key=True)


EDITABLE = ("name", "structure", "address", "postal_address", "phone", "fax", "website", "tax_registered",
            "partner_id", "manager_id")  # fmt: skip
CONTACT_EDITABLE = ("name", "email", "phone", "mobile", "salutation", "addressee", "position")


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


def create(name: str, *, by: Actor, now: datetime, **fields: Any) -> Client:
    """A new client, a Lead, linked to nothing. Fields as in `EDITABLE`."""
    client = Client(name=name, name_key=sort_key(name), near_key=near_key(name), created_at=now, changed_at=now)
    client.origins = {"*": source(by, now)}
    for field, value in fields.items():
        if field not in EDITABLE:
            raise ValueError(f"{field} is not a field of a client")
        setattr(client, field, value)
    db.session.add(client)
    db.session.flush()
    activity.record(Verb.CLIENT_CREATED, by=by, now=now, client_id=client.id, client=name)
    index_for_search([client.id])
    return client


def edit(client: Client, values: Mapping[str, Any], *, by: Actor, now: datetime, expected_version: int | None = None) -> bool:
    """Change fields here, record it, and ask for a push where the client is linked (CL-35). Says whether anything changed.

    Raises `StaleEdit` when `expected_version` is given and somebody else was quicker.
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
    client.origins = {**client.origins, **{field: mark for field in fields}}
    touched(client, now)
    activity.record(
        Verb.CLIENT_CHANGED, by=by, now=now, client_id=client.id, what=activity.field_names(changes), changes=changes
    )
    ask_for_push(client, now)
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


def ask_for_push(client: Client, now: datetime) -> list[ClientLink]:
    """Every linked record that can take changes is to be brought in step; gives back the links asked."""
    asked = []
    for link in client.links:
        if link.connection.direction != "from_app" and link.connection.level != "nothing":
            link.wants_push(now)
            asked.append(link)
    if asked:
        refresh_sync_state(client)
    return asked


def add_contact(client: Client, values: Mapping[str, Any], *, by: Actor, now: datetime) -> Contact:
    """The first contact of a client becomes its default."""
    contact = Contact(client_id=client.id, **{key: values.get(key, "") for key in CONTACT_EDITABLE})
    contact.origins = {"*": source(by, now)}
    contact.is_default = not client.contacts
    client.contacts.append(contact)
    db.session.flush()
    activity.record(Verb.CONTACT_ADDED, by=by, now=now, client_id=client.id, contact=contact.name)
    touched(client, now)
    ask_for_push(client, now)
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
        Verb.CONTACT_CHANGED, by=by, now=now, client_id=contact.client_id, contact=contact.name, what=what, changes=changes
    )
    touched(contact.client, now)
    ask_for_push(contact.client, now)
    return True


def remove_contact(contact: Contact, *, by: Actor, now: datetime) -> None:
    """Removed here only; linked apps keep theirs and it is not brought back. Another contact becomes the default."""
    client = contact.client
    was_default = contact.is_default
    facts = {field: getattr(contact, field) for field in CONTACT_EDITABLE}
    for link in db.session.scalars(select(ContactLink).where(ContactLink.contact_id == contact.id)):
        link.contact_id = None
    client.contacts.remove(contact)
    db.session.delete(contact)
    db.session.flush()
    activity.record(Verb.CONTACT_REMOVED, by=by, now=now, client_id=client.id, contact=facts["name"], was=facts)
    if was_default and client.contacts:
        choose_default_contact(client.contacts[0], by=by, now=now)
    touched(client, now)


def choose_default_contact(contact: Contact, *, by: Actor, now: datetime) -> None:
    if contact.is_default:
        return
    for other in contact.client.contacts:
        other.is_default = False
    db.session.flush()  # the unique index allows one default at any moment
    contact.is_default = True
    activity.record(
        Verb.DEFAULT_CONTACT_CHOSEN, by=by, now=now, client_id=contact.client_id, contact=contact.name
    )
    contact.client.version += 1
    contact.client.changed_at = now


def archive(client: Client, *, by: Actor, now: datetime) -> bool:
    """Here only; nothing is archived in any app (CL-06, XPM-9). False when it already was."""
    if client.is_archived:
        return False
    client.archived_at = now
    client.status = ClientStatus.ARCHIVED
    client.version += 1
    client.changed_at = now
    activity.record(Verb.CLIENT_ARCHIVED, by=by, now=now, client_id=client.id, client=client.name)
    return True


def unarchive(client: Client, *, by: Actor, now: datetime) -> bool:
    """The status is what the rules say today, not what it was (CL-08). False when it was not archived."""
    if not client.is_archived:
        return False
    client.archived_at = None
    client.status = client.computed_status()
    client.version += 1
    client.changed_at = now
    activity.record(
        Verb.CLIENT_UNARCHIVED, by=by, now=now, client_id=client.id, client=client.name, status=client.status.value
    )
    return True


def refresh_sync_state(client: Client) -> None:
    """Recompute the one word the list shows from the client's links: the worst of them."""
    client.sync_state = sync_state_of(client.links)


def sync_state_of(links: Iterable[ClientLink]) -> SyncState:
    found = SyncState.UNLINKED
    for link in links:
        if link.state == LinkState.BROKEN or link.push_state == PushState.FAILED:
            return SyncState.FAILED
        if link.open_conflicts:
            found = SyncState.CONFLICT
        elif link.push_state in (PushState.READY, PushState.SENDING) and found != SyncState.CONFLICT:
            found = SyncState.PENDING
        elif found == SyncState.UNLINKED:
            found = SyncState.IN_STEP
    return found


def index_for_search(client_ids: Iterable[int]) -> None:
    """Write the search text of these clients anew, in the caller's transaction."""
    from portal.domain import client_search  # it reads the tables above

    client_search.index(client_ids)
