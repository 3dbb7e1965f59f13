"""What a vendor tells us, in our words: frozen values with no life of their own.

Adapters make them, everything else reads them. Texts are clean (see `portal.domain.text.clean`); an empty text means
the vendor holds nothing there; None means the vendor did not say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once, used for every record


class RecordState(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Address:
    street: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""

    def lines(self) -> tuple[str, ...]:
        """The filled parts, as one writes them on an envelope."""
        town = " ".join(part for part in (self.city, self.region, self.postcode) if part)
        return tuple(part for part in (self.street, town, self.country) if part)

    def parts(self) -> list[str]:
        return [self.street, self.city, self.region, self.postcode, self.country]


@dataclass(frozen=True, slots=True)
class StaffRef:
    """A person of the firm as a client record names them; the vendor's list may no longer hold them."""

    remote_id: str
    name: str


@dataclass(frozen=True, slots=True)
class GroupRef:
    remote_id: str
    name: str


def _slots(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


@dataclass(frozen=True, slots=True)
class ContactRecord:
    remote_id: str
    name: str
    email: str = ""
    phone: str = ""
    mobile: str = ""
    salutation: str = ""
    addressee: str = ""
    position: str = ""
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One client as an app holds it.

    `changed_at` is the vendor's own stamp, None where the vendor gives none (Xero Practice Manager).
    `groups` is None when this reply does not speak of groups. `kind` is what the vendor says it is (customer, supplier,
    sub-customer of …), empty where it does not say. `revision` goes back with a change where the vendor asks for it.
    """

    remote_id: str
    name: str
    state: RecordState = RecordState.ACTIVE
    address: Address = Address()
    postal_address: Address = Address()
    phone: str = ""
    fax: str = ""
    website: str = ""
    structure: str = ""
    tax_registered: bool | None = None
    partner: StaffRef | None = None
    manager: StaffRef | None = None
    contacts: tuple[ContactRecord, ...] = ()
    groups: tuple[GroupRef, ...] | None = None
    changed_at: datetime | None = None
    web_url: str = ""
    kind: str = ""
    revision: str = ""

    def as_json(self) -> dict[str, Any]:
        """A form `client_from_json` reads back; what previews and links keep."""
        return {  # written out: `asdict` copies deeply and takes five times as long on a first import
            "remote_id": self.remote_id,
            "name": self.name,
            "state": self.state.value,
            "address": _slots(self.address),
            "postal_address": _slots(self.postal_address),
            "phone": self.phone,
            "fax": self.fax,
            "website": self.website,
            "structure": self.structure,
            "tax_registered": self.tax_registered,
            "partner": self.partner and _slots(self.partner),
            "manager": self.manager and _slots(self.manager),
            "contacts": [_slots(contact) for contact in self.contacts],
            "groups": None if self.groups is None else [_slots(group) for group in self.groups],
            "changed_at": self.changed_at.isoformat() if self.changed_at else None,
            "web_url": self.web_url,
            "kind": self.kind,
            "revision": self.revision,
        }

    def digest(self) -> str:
        """The same for the same content, whatever order contacts and groups came in; 32 hexadecimal digits."""
        content = (
            self.name,
            self.state.value,
            self.address.parts(),
            self.postal_address.parts(),
            self.phone,
            self.fax,
            self.website,
            self.structure,
            self.tax_registered,
            self.partner and (self.partner.remote_id, self.partner.name),
            self.manager and (self.manager.remote_id, self.manager.name),
            sorted(
                (c.remote_id, c.name, c.email, c.phone, c.mobile, c.salutation, c.addressee, c.position, c.is_primary)
                for c in self.contacts
            ),
            None if self.groups is None else sorted((g.remote_id, g.name) for g in self.groups),
            self.revision,
        )
        return hashlib.blake2b(_encode(content).encode(), digest_size=16).hexdigest()


def client_from_json(data: dict[str, Any]) -> ClientRecord:
    """The record `as_json` wrote."""
    return ClientRecord(
        remote_id=data["remote_id"],
        name=data["name"],
        state=RecordState(data["state"]),
        address=Address(**data["address"]),
        postal_address=Address(**data["postal_address"]),
        phone=data["phone"],
        fax=data["fax"],
        website=data["website"],
        structure=data["structure"],
        tax_registered=data["tax_registered"],
        partner=StaffRef(**data["partner"]) if data["partner"] else None,
        manager=StaffRef(**data["manager"]) if data["manager"] else None,
        contacts=tuple(ContactRecord(**contact) for contact in data["contacts"]),
        groups=None if data["groups"] is None else tuple(GroupRef(**group) for group in data["groups"]),
        changed_at=datetime.fromisoformat(data["changed_at"]) if data["changed_at"] else None,
        web_url=data["web_url"],
        kind=data.get("kind", ""),
        revision=data.get("revision", ""),
    )


@dataclass(frozen=True, slots=True)
class StaffRecord:
    remote_id: str
    name: str
    email: str = ""
    phone: str = ""
    mobile: str = ""


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """An entry of a reference list: a job category, a job template."""

    remote_id: str
    name: str


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account a consent reaches: a practice, an organisation, a company file.

    `grant_id` is the vendor's id of this permission, used to give it back on disconnect; empty where there is none.
    """

    remote_id: str
    name: str
    kind: str
    grant_id: str = ""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that could not be understood: kept as it came, shown to a person, never dropped silently."""

    remote_id: str
    name: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class ClientChange:
    """What to write to one record of an app. Only the fields named are to change.

    `fields` maps our field name to its new value: text, bool, `Address`, or for people a `StaffRef` or None.
    `contacts` holds (record as it should be, whether it is new there). `linked_contacts` are the identifiers of the
    contacts there that are already somebody here: a new one of the same name is not mistaken for one of them.
    """

    fields: dict[str, Any]
    contacts: tuple[tuple[ContactRecord, bool], ...] = ()
    linked_contacts: frozenset[str] = frozenset()

    def is_empty(self) -> bool:
        return not self.fields and not self.contacts


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A change to one record: `record` as it was last read, and `key`, the same at every try of the same change."""

    record: ClientRecord
    change: ClientChange
    key: str


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to be created. `record` has no identifier yet; `key` (at most 36 letters) is the same at every try."""

    record: ClientRecord
    key: str


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """A list of the app of which each client may carry one entry on its invoices (CL-32: tracking categories)."""

    remote_id: str
    name: str
    options: tuple[NamedRecord, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """What an app tells besides its clients. `facts` are words for the panel, such as the account's legal name.

    `lists` maps what a list is called ("job categories") to its entries.
    """

    staff: tuple[StaffRecord, ...] = ()
    lists: Mapping[str, tuple[NamedRecord, ...]] = field(default_factory=dict)
    choices: tuple[ChoiceList, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
