"""client.api: list, paged-list, search, get, add, update, archive, delete."""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
import uuid as uuids
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from flask import Response, request

from portal.sandbox.context import here, hint
from portal.sandbox.store import Store
from portal.sandbox.xpm import api, edits, records, wire
from portal.sandbox.xpm.api import blueprint

FULL = "head || contacts || tax || detail"
SHORT = "head || contacts || tax || '</Client>'"
BARE = "head || tax || '</Client>'"
AT_ONCE = 200


@blueprint.get("/client.api/list")
def client_list() -> Response:
    """Every client, archived and deleted ones too; not paged."""
    since = _moment(api.argument("modifiedsince"))
    if hint("empty_list"):
        return wire.streamed("Clients", iter(()))
    query, values = _source("1")
    if since is not None:
        query += " AND modified >= ?"
        values.append(since)
    columns = FULL if api.detailed() else SHORT
    return wire.streamed("Clients", _rows(here().store, f"SELECT {columns} {query} ORDER BY n", values))


@blueprint.get("/client.api/paged-list")
def client_pages() -> Response:
    """Active clients, bare, a page at a time."""
    size, after = page_asked()
    query, values = _source("archived = 0 AND deleted = 0")
    with here().store.read() as db:
        rows = db.execute(
            f"SELECT n, {BARE} AS xml {query} AND n > ? ORDER BY n LIMIT ?", [*values, after, size + 1]
        ).fetchall()
    rows = [] if hint("empty_list") else rows
    shown = rows[:size]
    clients = ET.fromstring(f"<Clients>{''.join(row['xml'] for row in shown)}</Clients>")
    return wire.answer(clients, page_links(size, after, shown[-1]["n"] if len(rows) > size else None))


@blueprint.get("/client.api/search")
def client_search() -> Response:
    """By the beginning of the name, or any part of it, as the switch says; deleted clients are left out."""
    wanted = (api.argument("query") or "").casefold()
    if hint("empty_list"):
        return wire.streamed("Clients", iter(()))
    query, values = _source("deleted = 0")
    if here().switches["search_matches"] == "contains":
        query += " AND instr(search, ?) > 0"
        values.append(wanted)
    else:
        query += " AND search >= ? AND search < ?"
        values += [wanted, wanted + "\U0010ffff"]
    columns = FULL if api.detailed() else SHORT
    return wire.streamed("Clients", _rows(here().store, f"SELECT {columns} {query} ORDER BY n", values))


@blueprint.get("/client.api/get/<uuid>")
def client_get(uuid: str) -> Response:
    """One client with everything; a merged or deleted one still answers, marked as deleted."""
    query, values = _source("uuid = ?")
    with here().store.read() as db:
        row = db.execute(f"SELECT {FULL} AS xml {query}", [*values, uuid.lower()]).fetchone()
    if row is None:
        raise api.NoSuch("Invalid client identifier")
    return _full(uuid, row["xml"])


@blueprint.post("/client.api/add")
def client_add() -> Response:
    """A new client; only the name is needed. Nothing here stops the same client from being added twice."""
    body = wire.body_element("Client")
    name = wire.value(body, "Name")
    if not name:
        raise wire.BusinessError("Client name is required")
    uuid = str(uuids.uuid4())
    with here().store.write() as db:
        fields = edits.apply({"Name": name}, body, db, api.tenant())
        records.insert(db, api.tenant().id, uuid, fields, here().clock.milliseconds())
        for contact in body.findall("Contacts/Contact"):
            edits.add_contact(db, api.tenant().id, uuid, contact)
        api.save(db, uuid)
        return _stored(db, uuid)


@blueprint.put("/client.api/update")
def client_update() -> Response:
    """Change what was sent. Whether the rest stays is a switch, for want of an official word."""
    body = wire.body_element("Client")
    with here().store.write() as db:
        row = api.client_row(db, wire.value(body, "UUID") or "")
        if row["deleted"]:
            raise wire.BusinessError("Invalid client identifier")
        before = json.loads(row["fields"])
        if here().switches["update_clears_omitted"]:
            kept = ("Name", "Type", "Notes", "Extra")
            before = {name: before[name] for name in kept if name in before}
        records.keep_fields(db, api.tenant().id, row["uuid"], edits.apply(before, body, db, api.tenant()))
        api.save(db, row["uuid"])
        edits.tell_relatives(db, api.tenant(), row["uuid"], here().clock.milliseconds())
        return _stored(db, row["uuid"])


@blueprint.put("/client.api/archive")
def client_archive() -> Response:
    """Put away; there is no way back through the API."""
    uuid = wire.value(wire.body_element("Client"), "UUID") or ""
    with here().store.write() as db:
        row = api.client_row(db, uuid)
        db.execute("UPDATE xpm_client SET archived = 1 WHERE n = ?", (row["n"],))
        api.save(db, row["uuid"])
        return _stored(db, row["uuid"])


@blueprint.post("/client.api/delete")
def client_delete() -> Response:
    """Marked as deleted and still in the list; refused while there are jobs, when the switch says so."""
    uuid = wire.value(wire.body_element("Client"), "UUID") or ""
    with here().store.write() as db:
        row = api.client_row(db, uuid)
        jobs = db.execute(
            "SELECT 1 FROM xpm_job WHERE tenant = ? AND client = ? AND deleted = 0", (api.tenant().id, row["uuid"])
        ).fetchone()
        if jobs and here().switches["delete_refuses_clients_with_jobs"]:
            raise wire.BusinessError("This client has jobs and cannot be deleted")
        db.execute("UPDATE xpm_client SET deleted = 1 WHERE n = ?", (row["n"],))
        api.save(db, row["uuid"])
    return wire.answer()


def page_asked() -> tuple[int, int]:
    """(size, row number after which to go on); raises BusinessError for a size or token that makes no sense."""
    try:
        size = int(api.argument("pagesize") or 50)
        after = int(base64.urlsafe_b64decode(api.argument("pagetoken") or "MA==").decode())
    except (ValueError, binascii.Error) as reason:
        raise wire.BusinessError("Invalid page token or page size") from reason
    if not 1 <= size <= 500:
        raise wire.BusinessError("Page size must be between 1 and 500")
    return size, after


def page_links(size: int, after: int, last: int | None) -> ET.Element:
    """First and next page as addresses. `last` is the last row shown, None on the last page."""
    first = f"{request.base_url}?{urlencode({'pageSize': size})}"
    target = after if hint("repeat_page") else last
    following: str | None = None
    if target is not None:
        token = base64.urlsafe_b64encode(str(target).encode()).decode()
        following = f"{first}&{urlencode({'pageToken': token})}"
    else:
        following = {"absent": None, "empty": "", "repeated": request.url}[here().switches["last_page_next"]]
    return wire.element("Pagination", wire.leaves("Links", {"First": first, "Next": following}))


def _source(condition: str) -> tuple[str, list[object]]:
    """FROM and WHERE: the clients, or what they were before the last seconds when reads are stale."""
    stale = hint("stale")
    if not stale:
        return f"FROM xpm_client WHERE tenant = ? AND {condition}", [api.tenant().id]
    moment = here().clock.milliseconds() - int(float(stale.get("seconds", 60)) * 1000)
    names = "tenant, uuid, n, search, archived, deleted, modified, head, contacts, tax, detail"
    past = (
        f"(SELECT {names} FROM xpm_client WHERE written <= {moment} UNION ALL"
        f" SELECT {names} FROM xpm_version WHERE written <= {moment} AND replaced > {moment})"
    )
    return f"FROM {past} WHERE tenant = ? AND {condition}", [api.tenant().id]


def _rows(store: Store, query: str, values: list[object]) -> Iterator[str]:
    """Printed clients in blocks, all from one moment, few in memory at a time."""
    with store.read() as db:
        cursor = db.execute(query, values)
        while rows := cursor.fetchmany(AT_ONCE):
            yield "".join([row[0] for row in rows])


def _moment(text: str | None) -> int | None:
    """modifiedsince as milliseconds; None when not sent."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as reason:
        raise wire.BusinessError("Invalid modifiedsince date") from reason
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * 1000


def _stored(db: sqlite3.Connection, uuid: str) -> Response:
    row = db.execute(
        f"SELECT {FULL} AS xml FROM xpm_client WHERE tenant = ? AND uuid = ?", (api.tenant().id, uuid)
    ).fetchone()
    return _full(uuid, row["xml"])


def _full(uuid: str, xml: str) -> Response:
    link = api.web_url("client", uuid)
    if wire.wants_json():
        return wire.answer(ET.fromstring(xml), link)
    return wire.xml_reply([xml, ET.tostring(link, encoding="unicode")])
