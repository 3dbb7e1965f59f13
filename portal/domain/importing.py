"""Bringing a record in as a new client (XPM-1): the one place written for tens of thousands at a time.

It says the same as `clients.create`, `links.link` and `carrying.apply_here` together, in plain inserts, because a first
import through mapped objects would take several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection as SqlConnection

from portal.db import db
from portal.domain import client_search, clients
from portal.domain.activity import Activity, Verb
from portal.domain.apps import ClientLink, ContactLink, Outcome, RunItem
from portal.domain.carrying import Context
from portal.domain.clients import Client, ClientGroup, Contact, SyncState
from portal.domain.planning import agreed_of, contact_values
from portal.domain.quick_insert import QuickInsert
from portal.domain.records import ClientRecord, GroupRef
from portal.domain.text import near_key, sort_key

TABLES = (Client, Contact, ClientLink, ContactLink, ClientGroup, Activity, RunItem)


@dataclass
class Importer:
    """Imports records of one connection; remembers groups between them."""

    context: Context
    run_id: int | None = None
    groups: dict[str, int] = field(default_factory=dict)
    to_index: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        dialect = db.engine.dialect
        self._into = {model: QuickInsert(model.__table__, dialect) for model in TABLES}
        mark = "?" if dialect.paramstyle == "qmark" else "%s"
        self._find_group = f'SELECT id, name FROM "group" WHERE connection_id = {mark} AND remote_id = {mark}'  # noqa: S608  # only the driver's placeholder goes in
        self._add_group = (
            f'INSERT INTO "group" (connection_id, remote_id, name) VALUES ({mark}, {mark}, {mark}) RETURNING id'  # noqa: S608  # only the driver's placeholder goes in
        )
        self._name_group = f'UPDATE "group" SET name = {mark} WHERE id = {mark}'  # noqa: S608  # only the driver's placeholder goes in

    def bring_in(self, record: ClientRecord, within: SqlConnection, reason: str = "") -> int:
        """A new client linked to this record, a Lead (CL-01), in the transaction of `within`. Gives the client's id.

        With a `run_id` it also leaves the run's row about this record, saying `reason`.
        """
        cursor = within.connection.cursor()
        into, now, context = self._into, self.context.now, self.context
        mark = clients.source(context.by, now, app=context.app, connection_id=context.connection.id)
        client_id = into[Client](cursor, self._client(record, mark))
        link_id = into[ClientLink](cursor, self._link(record, client_id))
        self._contacts(cursor, record, client_id, link_id, mark)
        for group in record.groups or ():
            into[ClientGroup](cursor, {"client_id": client_id, "group_id": self._group(cursor, group)})
        into[Activity](cursor, self._activity(record, client_id))
        self.to_index.append(client_id)
        if self.run_id is not None:
            into[RunItem](cursor, {
                "run_id": self.run_id, "outcome": Outcome.CREATED, "client_id": client_id,
                "remote_id": record.remote_id, "name": record.name, "reason": reason,
            })  # fmt: skip
        cursor.close()
        return client_id

    def index(self) -> None:
        """Write the search texts of what came in, in the session's transaction.

        Not with each client: a trigram index writes a segment a commit, which would double an import's time. What a
        kill leaves without one gets it from `client_search.index_missing`.
        """
        client_search.index(self.to_index)
        self.to_index.clear()

    def _client(self, record: ClientRecord, mark: dict[str, Any]) -> dict[str, Any]:
        now, staff = self.context.now, self.context.staff
        address, postal = record.address, record.postal_address
        return {
            "name": record.name, "name_key": sort_key(record.name), "near_key": near_key(record.name),
            "structure": record.structure,
            "address_street": address.street, "address_city": address.city, "address_region": address.region,
            "address_postcode": address.postcode, "address_country": address.country,
            "postal_street": postal.street, "postal_city": postal.city, "postal_region": postal.region,
            "postal_postcode": postal.postcode, "postal_country": postal.country,
            "phone": record.phone, "fax": record.fax, "website": record.website,
            "tax_registered": record.tax_registered,
            "partner_id": record.partner and staff.user_by_remote.get(record.partner.remote_id),
            "manager_id": record.manager and staff.user_by_remote.get(record.manager.remote_id),
            "origins": {"*": mark}, "sync_state": SyncState.IN_STEP, "created_at": now, "changed_at": now,
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
            "remote_name": record.name, "made_by": "import", "made_at": now,
            "agreed": {name: value for name, value in agreed.items() if name not in held}, "agreed_at": now,
            "seen": record.as_json(), "seen_digest": record.digest(), "seen_at": now, "held_fields": held,
        }  # fmt: skip

    def _contacts(self, cursor: Any, record: ClientRecord, client_id: int, link_id: int, mark: dict[str, Any]) -> None:
        if not record.contacts:
            return
        # The app's primary contact becomes the default; without one, the first (XPM-6, CL-38).
        primary = next((one for one in record.contacts if one.is_primary), record.contacts[0])
        for one in record.contacts:
            values = contact_values(one)
            row = {**values, "position": one.position, "client_id": client_id, "is_default": one is primary}
            contact_id = self._into[Contact](cursor, {**row, "origins": {"*": mark}})
            self._into[ContactLink](
                cursor,
                {"client_link_id": link_id, "contact_id": contact_id, "remote_id": one.remote_id, "agreed": values},
            )

    def _group(self, cursor: Any, group: GroupRef) -> int:
        """Our copy of the group. Remembered only once it is certain to exist: the transaction may yet be undone."""
        key = f"{group.remote_id}\n{group.name}"
        if key in self.groups:
            return self.groups[key]
        cursor.execute(self._find_group, (self.context.connection.id, group.remote_id))
        row = cursor.fetchone()
        if row is None:
            cursor.execute(self._add_group, (self.context.connection.id, group.remote_id, group.name))
            return int(cursor.fetchone()[0])
        if row[1] != group.name:
            cursor.execute(self._name_group, (group.name, row[0]))
        else:
            self.groups[key] = int(row[0])
        return int(row[0])

    def _activity(self, record: ClientRecord, client_id: int) -> dict[str, Any]:
        by = self.context.by
        return {
            "at": self.context.now, "verb": Verb.CLIENT_IMPORTED, "client_id": client_id,
            "connection_id": self.context.connection.id, "actor_id": by.user_id, "actor_name": by.name,
            "origin": by.origin, "run_id": by.run_id,
            "facts": {"client": record.name, "app": self.context.app, "remote_id": record.remote_id},
        }  # fmt: skip
