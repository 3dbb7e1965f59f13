"""The tables of clients, their contacts and their groups."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import JsonValue, UtcDateTime, db
from portal.domain.apps import ClientLink
from portal.domain.people import User
from portal.domain.records import Address


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


def _listed(name: str, *columns: str) -> Index:
    """An index of what the list usually shows: everything but the archive. A query must say so to be served by it."""
    return Index(name, *columns, sqlite_where=NOT_ARCHIVED, postgresql_where=NOT_ARCHIVED)


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
        _listed("ix_client_name", "name_key", "id"),
        _listed("ix_client_changed", "changed_at", "id"),
        _listed("ix_client_manager_name", "manager_id", "name_key", "id"),
        _listed("ix_client_partner_name", "partner_id", "name_key", "id"),
        _listed("ix_client_sync_name", "sync_state", "name_key", "id"),
        Index("ix_client_status_name", "status", "name_key", "id"),
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
    """A group as an app has it: never made or filled here (CL-60). Its primary contact is chosen here (CL-61)."""

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
