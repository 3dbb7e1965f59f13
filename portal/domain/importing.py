"""Bringing a record in as a new client (XPM-1): the one place written for tens of thousands at a time.

It says the same as `clients.create`, `links.link` and `carrying.apply_here` together, in plain inserts, because a first
import through mapped objects would take several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import insert, text

from portal.db import db
from portal.domain import client_search, clients
from portal.domain.activity import Activity, Verb
from portal.domain.apps import ClientLink, ContactLink, LinkState, PushState
from portal.domain.carrying import Context
from portal.domain.clients import Client, ClientGroup, ClientStatus, Contact, SyncState
from portal.domain.groups_sync import group_id
from portal.domain.planning import agreed_of, contact_values
from portal.domain.records import ClientRecord
from portal.domain.text import near_key, sort_key

_CLIENT = insert(Client.__table__).returning(Client.__table__.c.id)
_CONTACT = insert(Contact.__table__).returning(Contact.__table__.c.id)
_LINK = insert(ClientLink.__table__).returning(ClientLink.__table__.c.id)
_CONTACT_LINK = insert(ContactLink.__table__)
_MEMBER = insert(ClientGroup.__table__)
_ACTIVITY = insert(Activity.__table__)
_SEARCH = text("INSERT INTO client_search (rowid, body) VALUES (:id, :body)")


@dataclass
class Importer:
    """Imports records of one connection; remembers groups between them."""

    context: Context
    reason: str = "imported"
    groups: dict[str, int] = field(default_factory=dict)

    def bring_in(self, record: ClientRecord) -> int:
        """A new client linked to this record, a Lead (CL-01), in the present transaction. Gives the client's id."""
        connection = db.session.connection()
        mark = clients.source(
            self.context.by, self.context.now, app=self.context.app, connection_id=self.context.connection.id
        )
        client_id = connection.execute(_CLIENT, self._client(record, mark)).scalar_one()
        link_id = connection.execute(_LINK, self._link(record, client_id)).scalar_one()
        self._contacts(connection, record, client_id, link_id, mark)
        if record.groups:
            members = [{"client_id": client_id, "group_id": self._group(one)} for one in record.groups]
            connection.execute(_MEMBER, members)
        connection.execute(_ACTIVITY, self._activity(record, client_id))
        people = " ".join(f"{one.name} {one.email} {one.phone} {one.mobile}" for one in record.contacts)
        ids = f"{record.remote_id} {record.name}"
        body = client_search.body(record.name, record.phone, people, ids)
        connection.execute(_SEARCH, {"id": client_id, "body": body})
        return client_id

    def _client(self, record: ClientRecord, mark: dict[str, Any]) -> dict[str, Any]:
        now, staff = self.context.now, self.context.staff
        address, postal = record.address, record.postal_address
        return {
            "name": record.name, "name_key": sort_key(record.name), "near_key": near_key(record.name),
            "status": ClientStatus.LEAD, "structure": record.structure,
            "address_street": address.street, "address_city": address.city, "address_region": address.region,
            "address_postcode": address.postcode, "address_country": address.country,
            "postal_street": postal.street, "postal_city": postal.city, "postal_region": postal.region,
            "postal_postcode": postal.postcode, "postal_country": postal.country,
            "phone": record.phone, "fax": record.fax, "website": record.website,
            "tax_registered": record.tax_registered,
            "partner_id": record.partner and staff.user_by_remote.get(record.partner.remote_id),
            "manager_id": record.manager and staff.user_by_remote.get(record.manager.remote_id),
            "active_items": 0, "was_active": False, "origins": {"*": mark}, "sync_state": SyncState.IN_STEP,
            "created_at": now, "changed_at": now, "version": 1,
        }  # fmt: skip

    def _link(self, record: ClientRecord, client_id: int) -> dict[str, Any]:
        now, context = self.context.now, self.context
        holds = {
            "partner": context.staff.hold("partner", None, record.partner, context.app),
            "manager": context.staff.hold("manager", None, record.manager, context.app),
        }
        held = {name: why for name, why in holds.items() if why}
        agreed = agreed_of(record, context.fields)
        return {
            "connection_id": context.connection.id, "client_id": client_id, "remote_id": record.remote_id,
            "remote_name": record.name, "state": LinkState.LINKED, "broken_why": "", "made_by": "import", "made_at": now,
            "agreed": {name: value for name, value in agreed.items() if name not in held}, "agreed_at": now,
            "seen": record.as_json(), "seen_digest": record.digest(), "seen_at": now, "held_fields": held,
            "open_conflicts": 0, "push_state": PushState.NONE, "push_version": 0, "push_attempts": 0, "push_error": "",
        }  # fmt: skip

    def _contacts(
        self, connection: SqlConnection, record: ClientRecord, client_id: int, link_id: int, mark: dict[str, Any]
    ) -> None:
        if not record.contacts:
            return
        # The app's primary contact becomes the default; without one, the first (XPM-6, CL-38).
        primary = next((one for one in record.contacts if one.is_primary), record.contacts[0])
        links = []
        for one in record.contacts:
            values = contact_values(one)
            row = {**values, "position": one.position, "client_id": client_id, "is_default": one is primary}
            contact_id = connection.execute(_CONTACT, {**row, "origins": {"*": mark}}).scalar_one()
            links.append(
                {"client_link_id": link_id, "contact_id": contact_id, "remote_id": one.remote_id, "agreed": values,
                 "is_gone": False}
            )  # fmt: skip
        connection.execute(_CONTACT_LINK, links)

    def _group(self, group: Any) -> int:
        key = f"{group.remote_id}\n{group.name}"
        if key not in self.groups:
            self.groups[key] = group_id(self.context.connection.id, group)
        return self.groups[key]

    def _activity(self, record: ClientRecord, client_id: int) -> dict[str, Any]:
        by = self.context.by
        return {
            "at": self.context.now, "verb": Verb.CLIENT_IMPORTED, "client_id": client_id,
            "connection_id": self.context.connection.id, "about_user_id": None, "actor_id": by.user_id,
            "actor_name": by.name, "origin": by.origin, "run_id": by.run_id,
            "facts": {"client": record.name, "app": self.context.app, "remote_id": record.remote_id},
        }  # fmt: skip
