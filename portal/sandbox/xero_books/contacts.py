"""Contacts: lists, one, create, update, and their history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.xero_books import api, edits, query, records, wire
from portal.sandbox.xero_books.api import blueprint

AT_ONCE = 200
MOST = 1000
DROPPED_BY_SUMMARY = frozenset({"addresses", "balances", "contactgroups", "contactpersons", "iscustomer", "issupplier"})
ROOMY = 2500  # characters of one history note


@dataclass
class Listing:
    """What a list was asked for, in SQL. `page` is None when it is not paged."""

    source: str
    values: list[Any]
    order: str
    columns: str
    page: int | None
    size: int
    quick: bool


@blueprint.get("/Contacts")
def contact_list() -> Response:
    """All, or those asked for; paged when wanted, or when the request forces it."""
    box, asked = here(), _asked(here())
    if hint("empty_list"):
        paged = {"page": asked.page, "pageSize": asked.size, "pageCount": 0, "itemCount": 0} if asked.page else None
        return wire.answer("Contacts", [], paged)
    with box.store.read() as db:
        found: int = db.execute(f"SELECT count(*) {asked.source}", asked.values).fetchone()[0]
        _refuse_high_volume(box, db, asked, found)
        items = _page_of(db, asked, found) if asked.page else None
    if not found and request.headers.get("If-Modified-Since") and box.switches["xero_unchanged_answers_304"]:
        return Response(status=304)
    if items is None:
        whole = {"page": 1, "pageSize": found, "pageCount": 1, "itemCount": found}
        shown = whole if box.switches["xero_pagination_on_unpaged_lists"] else None
        return wire.answer("Contacts", _everything(box, asked), shown)
    pages = (asked.page or 1) + 1 if hint("repeat_page") else -(-found // asked.size)
    return wire.answer(
        "Contacts", items, {"page": asked.page, "pageSize": asked.size, "pageCount": pages, "itemCount": found}
    )


@blueprint.get("/Contacts/<contact>")
def contact_get(contact: str) -> Response:
    """By identifier or contact number; archived and merged ones answer too."""
    with here().store.read() as db:
        row = _seen_row(db, contact)
    return wire.answer("Contacts", [row["json"]])


@blueprint.post("/Contacts")
def contact_save() -> Response:
    """Create or update many."""
    return edits.save_many(here(), api.tenant(), wire.body_items("Contacts"), summarize=summarize())


@blueprint.put("/Contacts")
def contact_create() -> Response:
    """Create many; an existing name or number is refused."""
    items = wire.body_items("Contacts")
    return edits.save_many(here(), api.tenant(), items, summarize=summarize(), creates_only=True)


@blueprint.post("/Contacts/<contact>")
def contact_update(contact: str) -> Response:
    """Update one."""
    box, items = here(), wire.body_items("Contacts")
    with box.store.read() as db:
        row = records.find(db, api.tenant().id, contact)
    if row is None:
        raise api.NoSuch
    return edits.save_many(box, api.tenant(), [items[0] | {"ContactID": row["id"]}], summarize=True)


@blueprint.get("/Contacts/<contact>/History")
def contact_history(contact: str) -> Response:
    """What happened to it, newest first."""
    with here().store.read() as db:
        row = records.find(db, api.tenant().id, contact)
        if row is None:
            raise api.NoSuch
        return history_of(db, row["id"])


def history_of(db: sqlite3.Connection, record: str) -> Response:
    """What happened to one record, newest first."""
    found = db.execute(
        "SELECT * FROM books_history WHERE tenant = ? AND contact = ? ORDER BY n DESC", (api.tenant().id, record)
    ).fetchall()
    return wire.answer("HistoryRecords", [wire.render(_history(line)) for line in found])


@blueprint.put("/Contacts/<contact>/History")
def contact_note(contact: str) -> Response:
    """Notes to keep for good."""
    box, details = here(), [str(item.get("Details") or "") for item in wire.body_items("HistoryRecords")]
    if not all(details) or any(len(one) > ROOMY for one in details):
        raise wire.invalid([{"ValidationErrors": [{"Message": f"Details must have 1 to {ROOMY} characters"}]}])
    now = box.clock.milliseconds()
    with box.store.write() as db:
        row = records.find(db, api.tenant().id, contact)
        if row is None:
            raise api.NoSuch
        for one in details:
            records.note(db, api.tenant().id, row["id"], now, "Note", wire.clean(one))
    made = [{"Changes": "Note", "User": "System Generated", "Details": one, **_when(now)} for one in details]
    return wire.answer("HistoryRecords", [wire.render(line) for line in made])


def _asked(box: Sandbox) -> Listing:
    summary, page, size = bool(api.flag("summaryOnly")), api.number("page"), api.number("pageSize")
    ids, switches = api.argument("IDs"), box.switches
    forced = (
        summary or (ids and switches["xero_ids_force_paging"]) or (size and switches["xero_page_size_pages_by_itself"])
    )
    if page is None and forced:
        page = 1
    source, values = _source(api.tenant().id)
    conditions, quick = _conditions(values, ids, summary)
    if not api.flag("includeArchived") and not (ids and switches["xero_ids_find_archived"]):
        conditions.insert(0, "archived = 0")
    order = api.argument("order")
    by, way, optimised = "updated", "ASC", True
    if order:
        by, way, optimised = query.compile_order(order, query.CONTACT_COLUMNS, query.json_field("fields"))
    return Listing(
        source=" AND ".join([source, *conditions]),
        values=values,
        order=f"{by} {way}, id",
        columns=records.SUMMARY if summary else records.FULL if page is not None else records.UNPAGED,
        page=None if page is None else max(1, page),
        size=min(MOST, max(1, 100 if size is None else size)),
        quick=quick and optimised,
    )


def _conditions(values: list[Any], ids: str | None, summary: bool) -> tuple[list[str], bool]:
    """SQL conditions, whose values are added to `values`; and whether the vendor calls them optimised."""
    made, quick = [], True
    if (since := api.modified_since()) is not None:
        made.append("updated >= ?")
        values.append(since)
    if ids:
        wanted = [one.strip().lower() for one in ids.split(",") if one.strip()]
        made.append(f"id IN ({', '.join('?' * len(wanted))})")
        values.extend(wanted)
    if term := api.argument("searchTerm"):
        made.append("instr(search, ?) > 0")
        values.append(term.casefold())
    if where := api.argument("where"):
        found = query.compile_where(where, query.CONTACT_COLUMNS, query.json_field("fields"))
        if summary and (dropped := found.fields & DROPPED_BY_SUMMARY):
            raise wire.bad_query(f"A summary cannot be filtered by {', '.join(sorted(dropped))}.")
        made.append(found.sql)
        values.extend(found.values)
        quick = found.quick
    return made, quick


def _source(tenant: str) -> tuple[str, list[Any]]:
    """FROM and the first condition: the contacts, or what they were before the last seconds when reads are stale."""
    stale = hint("stale")
    if not stale:
        return "FROM books_contact WHERE tenant = ?", [tenant]
    moment = here().clock.milliseconds() - int(float(stale.get("seconds", 60)) * 1000)
    names = ", ".join(records.COLUMNS)
    past = (
        f"(SELECT {names} FROM books_contact WHERE written <= {moment} UNION ALL"
        f" SELECT {names} FROM books_version WHERE written <= {moment} AND replaced > {moment})"
    )
    return f"FROM {past} WHERE tenant = ?", [tenant]


def _page_of(db: sqlite3.Connection, asked: Listing, found: int) -> list[str]:
    """One page. A few contacts are found by whatever index suits the filter (the plus) and sorted then."""
    page = 1 if hint("repeat_page") else asked.page or 1
    rows = db.execute(
        f"SELECT {asked.columns} AS json {asked.source} ORDER BY {'+' if found <= MOST else ''}{asked.order}"
        " LIMIT ? OFFSET ?",
        [*asked.values, asked.size, (page - 1) * asked.size],
    ).fetchall()
    return [row["json"] for row in rows]


def _everything(box: Sandbox, asked: Listing) -> Iterator[str]:
    """All of it in blocks, from one moment, few in memory at a time."""
    with box.store.read() as db:
        cursor = db.execute(f"SELECT {asked.columns} {asked.source} ORDER BY {asked.order}", asked.values)
        while rows := cursor.fetchmany(AT_ONCE):
            yield ",".join([row[0] for row in rows])


def _refuse_high_volume(box: Sandbox, db: sqlite3.Connection, asked: Listing, found: int) -> None:
    """Too many to list at once, or to search through in a way the vendor has not optimised."""
    most: int = box.switches["xero_high_volume_from"]
    held = found
    if not asked.quick:
        held = db.execute("SELECT count(*) FROM books_contact WHERE tenant = ?", (api.tenant().id,)).fetchone()[0]
    if (asked.page is None and found > most) or (not asked.quick and held > most):
        raise wire.ApiError(51, "HighVolumeException", "This organisation has too many records for this request.")


def _seen_row(db: sqlite3.Connection, contact: str) -> sqlite3.Row:
    source, values = _source(api.tenant().id)
    row: sqlite3.Row | None = db.execute(
        f"SELECT {records.FULL} AS json {source} AND (id = ? OR number = ?) ORDER BY id <> ?, archived LIMIT 1",
        [*values, contact.lower(), contact, contact.lower()],
    ).fetchone()
    if row is None:
        raise api.NoSuch
    return row


def summarize() -> bool:
    """Whether one bad element spoils this request."""
    wanted = api.flag("summarizeErrors")
    return bool(here().switches["xero_summarize_errors_when_omitted"]) if wanted is None else wanted


def _history(line: sqlite3.Row) -> dict[str, Any]:
    return {"Changes": line["changes"], "User": line["who"], "Details": line["details"], **_when(line["at"])}


def _when(milliseconds: int) -> dict[str, str]:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return {"DateUTCString": f"{moment:%Y-%m-%dT%H:%M:%S}", "DateUTC": wire.stamp(milliseconds)}
