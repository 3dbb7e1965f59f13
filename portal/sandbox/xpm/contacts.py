"""client.api: contacts, their ties to clients, relationships, documents and custom field values."""

from __future__ import annotations

import sqlite3
import uuid as uuids
from xml.etree import ElementTree as ET

from flask import Response

from portal.sandbox.context import here, hint
from portal.sandbox.xpm import api, edits, records, wire
from portal.sandbox.xpm.api import blueprint
from portal.sandbox.xpm.clients import page_asked, page_links

RELATIONSHIPS = (
    "Director",
    "Shareholder",
    "Trustee",
    "Beneficiary",
    "Partner",
    "Settlor",
    "Associate",
    "Secretary",
    "Public Officer",
    "Husband",
    "Wife",
    "Spouse",
    "Parent Of",
    "Child Of",
    "Appointer",
    "Member",
    "Auditor",
    "Owner",
)


@blueprint.get("/client.api/contacts")
def contact_pages() -> Response:
    """All people who are not deleted, a page at a time; position and primary are not to be trusted here."""
    size, after = page_asked()
    with here().store.read() as db:
        rows = db.execute(
            "SELECT *, '' AS position, 0 AS is_primary FROM xpm_contact WHERE tenant = ? AND deleted = 0 AND n > ?"
            " ORDER BY n LIMIT ?",
            (api.tenant().id, after, size + 1),
        ).fetchall()
    rows = [] if hint("empty_list") else rows
    contacts = wire.element("Contacts", *(ET.fromstring(records.print_contact(row, link=True)) for row in rows[:size]))
    return wire.answer(contacts, page_links(size, after, rows[size - 1]["n"] if len(rows) > size else None))


@blueprint.get("/client.api/contact/<uuid>")
def contact_get(uuid: str) -> Response:
    """One person; as seen from a client when clientUuid is given."""
    with here().store.read() as db:
        return _contact(db, uuid, api.argument("clientuuid"))


@blueprint.post("/client.api/contact")
def contact_add() -> Response:
    """A new person at a client."""
    body = wire.body_element("Contact")
    with here().store.write() as db:
        client = api.client_row(db, wire.value(body, "Client/UUID") or "")
        uuid = edits.add_contact(db, api.tenant().id, client["uuid"], body)
        _clients_changed(db, [client["uuid"]])
        return _contact(db, uuid, client["uuid"])


@blueprint.put("/client.api/contact/<uuid>")
def contact_update(uuid: str) -> Response:
    """Change what was sent; position and primary only when the body names the client."""
    body = wire.body_element("Contact")
    with here().store.write() as db:
        row = _row(db, uuid)
        sent = {column: wire.value(body, tag) for tag, column in edits.CONTACT.items()}
        if sent["name"] == "":
            raise wire.BusinessError("Contact name is required")
        for column, text in sent.items():
            if text is not None:
                db.execute(f"UPDATE xpm_contact SET {column} = ? WHERE n = ?", (text, row["n"]))
        client = wire.value(body, "Client/UUID")
        if client:
            _change_tie(db, api.client_row(db, client)["uuid"], row["uuid"], body)
        _clients_changed(db, _clients_of(db, row["uuid"]))
        return _contact(db, uuid, client or api.argument("clientuuid"))


@blueprint.delete("/client.api/contact/<uuid>")
def contact_delete(uuid: str) -> Response:
    """Delete the person, or only the tie to clientUuid when the switch says so and other ties remain."""
    client = api.argument("clientuuid")
    with here().store.write() as db:
        row = _row(db, uuid)
        touched = _clients_of(db, row["uuid"])
        if client:
            api.client_row(db, client)
        only_untie = client and here().switches["contact_delete"] == "unlink" and len(touched) > 1
        if only_untie:
            db.execute(
                "DELETE FROM xpm_link WHERE tenant = ? AND client = ? AND contact = ?",
                (api.tenant().id, str(client).lower(), row["uuid"]),
            )
        else:
            db.execute("UPDATE xpm_contact SET deleted = 1 WHERE n = ?", (row["n"],))
        _clients_changed(db, touched)
        gone = db.execute("SELECT * FROM xpm_contact WHERE n = ?", (row["n"],)).fetchone()
    return wire.answer(ET.fromstring(records.print_contact(gone, link=False)))


@blueprint.post("/client.api/client/<uuid>/contacts")
def contact_link(uuid: str) -> Response:
    """Tie existing people to a client, ten at most."""
    body = wire.body_element("Client")
    sent = body.findall("Contacts/Contact")
    if len(sent) > 10:
        raise wire.BusinessError("No more than 10 contacts can be linked at once")
    with here().store.write() as db:
        client = api.client_row(db, uuid)["uuid"]
        for contact in sent:
            _change_tie(db, client, _row(db, wire.value(contact, "UUID") or "")["uuid"], contact)
        _clients_changed(db, [client])
        linked = wire.element(
            "Contacts",
            *(
                wire.leaves(
                    "Contact",
                    {
                        "UUID": row["uuid"],
                        "Position": row["position"],
                        "IsPrimary": records.yes(row["is_primary"]),
                    },
                )
                for row in records.contacts_of(db, api.tenant().id, client)
            ),
        )
    return wire.answer(wire.element("Client", wire.element("UUID", text=client), linked))


@blueprint.post("/client.api/addrelationship")
def relationship_add() -> Response:
    """One client is something to another."""
    body = wire.body_element("Relationship")
    kind = wire.value(body, "Type") or ""
    if kind not in RELATIONSHIPS:
        raise wire.BusinessError("Invalid relationship type")
    uuid = str(uuids.uuid4())
    with here().store.write() as db:
        client = api.client_row(db, wire.value(body, "ClientUUID") or "")["uuid"]
        related = api.client_row(db, wire.value(body, "RelatedClientUUID") or "")["uuid"]
        db.execute(
            "INSERT INTO xpm_relationship VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (api.tenant().id, uuid, client, related, kind, *_terms(body)),
        )
        _clients_changed(db, [client], by_group=True)
        return _relationship(db, uuid)


@blueprint.put("/client.api/updaterelationship")
def relationship_update() -> Response:
    """Shares, percentage and dates."""
    body = wire.body_element("Relationship")
    with here().store.write() as db:
        row = _relationship_row(db, wire.value(body, "UUID") or "")
        db.execute(
            "UPDATE xpm_relationship SET shares = coalesce(?, shares), percentage = coalesce(?, percentage),"
            " starts = coalesce(?, starts), ends = coalesce(?, ends) WHERE tenant = ? AND uuid = ?",
            (*_terms(body), api.tenant().id, row["uuid"]),
        )
        _clients_changed(db, [row["client"]], by_group=True)
        return _relationship(db, row["uuid"])


@blueprint.post("/client.api/deleterelationship")
def relationship_delete() -> Response:
    """The answer still shows it."""
    uuid = wire.value(wire.body_element("Relationship"), "UUID") or ""
    with here().store.write() as db:
        row = _relationship_row(db, uuid)
        answer = _relationship(db, row["uuid"])
        db.execute("DELETE FROM xpm_relationship WHERE tenant = ? AND uuid = ?", (api.tenant().id, row["uuid"]))
        _clients_changed(db, [row["client"]], by_group=True)
    return answer


@blueprint.get("/client.api/documents/<uuid>")
def documents(uuid: str) -> Response:
    """No client has any here."""
    with here().store.read() as db:
        api.client_row(db, uuid)
    return wire.answer(wire.element("Documents"))


@blueprint.get("/client.api/get/<uuid>/customfield")
@blueprint.get("/client.api/contact/<uuid>/customfield")
def custom_fields(uuid: str) -> Response:
    """This practice defines none."""
    return wire.answer(wire.element("CustomFields"))


@blueprint.get("/customfield.api/definition")
def custom_field_definitions() -> Response:
    """This practice defines none."""
    return wire.answer(wire.element("CustomFieldDefinitions"))


def _row(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_contact WHERE tenant = ? AND uuid = ? AND deleted = 0", (api.tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise api.NoSuch("Invalid contact identifier")
    return row


def _contact(db: sqlite3.Connection, uuid: str, client: str | None) -> Response:
    row = dict(_row(db, uuid))
    tie = db.execute(
        "SELECT position, is_primary FROM xpm_link WHERE tenant = ? AND contact = ? AND client = ?",
        (api.tenant().id, uuid.lower(), (client or "").lower()),
    ).fetchone()
    row |= dict(tie) if tie else {"position": "", "is_primary": 0}
    return wire.answer(ET.fromstring(records.print_contact(row, link=True)))


def _change_tie(db: sqlite3.Connection, client: str, contact: str, body: ET.Element) -> None:
    primary = wire.value(body, "IsPrimary")
    edits.link_contact(
        db,
        api.tenant().id,
        client,
        contact,
        wire.value(body, "Position"),
        None if primary is None else primary == "Yes",
    )


def _clients_of(db: sqlite3.Connection, contact: str) -> list[str]:
    rows = db.execute("SELECT client FROM xpm_link WHERE tenant = ? AND contact = ?", (api.tenant().id, contact))
    return [row["client"] for row in rows.fetchall()]


def _clients_changed(db: sqlite3.Connection, clients: list[str], *, by_group: bool = False) -> None:
    touch = here().switches["group_change_bumps_client" if by_group else "contact_change_bumps_client"]
    for client in clients:
        api.save(db, client, touch=touch)


def _terms(body: ET.Element) -> tuple[str | None, ...]:
    return tuple(wire.value(body, tag) for tag in ("NumberOfShares", "Percentage", "StartDate", "EndDate"))


def _relationship_row(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_relationship WHERE tenant = ? AND uuid = ?", (api.tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise wire.BusinessError("Invalid relationship identifier")
    return row


def _relationship(db: sqlite3.Connection, uuid: str) -> Response:
    row = _relationship_row(db, uuid)
    sides = [
        wire.leaves(tag, {"UUID": row[column], "Name": api.client_row(db, row[column])["name"]})
        for tag, column in (("Client", "client"), ("RelatedClient", "related"))
    ]
    kind = wire.leaves("RelationshipType", {"Name": row["type"]})
    terms = {"NumberOfShares": "shares", "Percentage": "percentage", "StartDate": "starts", "EndDate": "ends"}
    values = [wire.element(tag, text=row[column]) for tag, column in terms.items() if row[column]]
    return wire.answer(wire.element("ClientRelationship", wire.element("UUID", text=uuid), *sides, kind, *values))
