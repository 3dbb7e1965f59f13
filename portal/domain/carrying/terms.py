"""What a plan is made and applied with: the connection's terms, our side of a client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.domain.activity import Actor
from portal.domain.apps import ClientLink, Connection, ContactLink, LinkState
from portal.domain.clients import CONTACT_EDITABLE, Client, Contact
from portal.domain.planning import TWO_WAY, ContactHere, ContactLinkHere, Policy, Side
from portal.domain.records import ClientRecord
from portal.domain.staff import Staff


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a connection a plan depends on, as plain values: a commit does not make them stale."""

    id: int
    app: str
    direction: str
    level: str
    is_first: bool
    intake: str = "all"
    writes: bool = True

    @classmethod
    def of(cls, connection: Connection) -> Terms:
        first = connection.imported_at is None
        return cls(
            connection.id, connection.app, connection.direction, connection.level, first, connection.intake,
            connection.ways.writes,
        )  # fmt: skip

    def policy(self, app: str) -> Policy:
        """As plans take it; `app` is how sentences name it."""
        return Policy(app, self.direction, self.level, self.is_first, self.writes)


@dataclass(frozen=True)
class Context:
    """What applying a plan needs beside the plan: of which app, with which people, by whom, when."""

    connection: Terms
    app: str  # the app's short name, as sentences say it
    fields: Mapping[str, str]
    contact_fields: Mapping[str, str]
    staff: Staff
    by: Actor
    now: datetime


def side_of(
    client: Client, link: ClientLink, contact_links: list[ContactLink], record: ClientRecord, staff: Staff, app: str
) -> Side:
    """Our side, as planning reads it."""
    values = {
        "name": client.name,
        "address": client.address.parts(),
        "postal_address": client.postal_address.parts(),
        "phone": client.phone,
        "fax": client.fax,
        "website": client.website,
        "tax_registered": client.tax_registered,
        "structure": client.structure,
        "partner": staff.value(client.partner_id),
        "manager": staff.value(client.manager_id),
        "groups": sorted(group.name for group in client.groups if group.connection_id == link.connection_id),
    }
    holds = {
        "partner": staff.hold("partner", client.partner_id, record.partner, app),
        "manager": staff.hold("manager", client.manager_id, record.manager, app),
    }
    contacts = tuple(
        ContactHere(one.id, {name: getattr(one, name) for name in CONTACT_EDITABLE}, _changed_at(one, CONTACT_EDITABLE))
        for one in client.contacts
    )
    known = tuple(ContactLinkHere(one.remote_id, one.contact_id, one.agreed) for one in contact_links)
    asked = frozenset(link.asked or ())
    return Side(
        values, _changed_at(client, values), link.agreed, contacts, known, holds, asked,
        is_new=link.agreed_at is None, elsewhere=_kept_elsewhere(client, link),
        is_chosen=link.made_by == "person",
    )  # fmt: skip


def _kept_elsewhere(client: Client, link: ClientLink) -> dict[str, str]:
    """Field -> the other app that keeps it in step both ways, as planning names them."""
    kept: dict[str, str] = {}
    for other in client.links:
        terms = other.connection
        if other is link or other.state != LinkState.LINKED or (terms.direction, terms.level) != ("both", "everything"):
            continue
        ways = terms.ways
        kept |= {name: ways.short_name for name, flow in ways.client_fields.items() if flow == TWO_WAY}
        kept |= {f"contact.{name}": ways.short_name for name, flow in ways.contact_fields.items() if flow == TWO_WAY}
    return kept


def _changed_at(thing: Client | Contact, fields: Mapping[str, Any] | tuple[str, ...]) -> dict[str, datetime | None]:
    times: dict[str, datetime | None] = {}
    for name in fields:
        at = thing.origin_of(name).get("at")
        times[name] = datetime.fromisoformat(at) if at else None
    return times
