"""Asking for invoices: lists by page, filter, number or identifier; and what of them a reader sees already."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Response, request

from portal.sandbox.context import Sandbox, here, hint
from portal.sandbox.xero_books import api, invoice_records, query, wire
from portal.sandbox.xero_books.invoice_sums import cents
from portal.sandbox.xero_books.query import Column

AT_ONCE, MOST = 200, 1000
UNIT = re.compile(r'"UnitAmount":(-?\d+\.\d+)')
NAMES = ", ".join(invoice_records.COLUMNS)
COLUMNS: dict[str, Column] = {
    "invoiceid": Column("i.id", "i.id", lambda value: str(value).lower(), quick=True),
    "invoicenumber": Column("i.number", "i.number", quick=True),
    "reference": Column("i.reference", "i.reference", quick=True),
    "status": Column("i.status", "i.status", lambda value: str(value).upper(), quick=True),
    "type": Column("i.kind", "i.kind", lambda value: str(value).upper(), quick=True),
    "contact.contactid": Column("i.contact", "i.contact", lambda value: str(value).lower(), quick=True),
    "contact.name": Column("c.name", "c.name", quick=True),
    "contact.contactnumber": Column("c.number", "c.number", quick=True),
    "date": Column("i.day", "i.day", int, quick=True),
    "duedate": Column("i.due_day", "i.due_day", int, quick=True),
    "amountdue": Column("i.due", "i.due", float, quick=True),
    "amountpaid": Column("i.paid", "i.paid", float, quick=True),
    "total": Column("i.total", "i.total", float),
    "updateddateutc": Column("i.updated", "i.updated", int, quick=True),
    "currencycode": Column("i.currency", "i.currency"),
}
WANTED = (("IDs", "i.id", str.lower), ("InvoiceNumbers", "i.number", str), ("ContactIDs", "i.contact", str.lower),
          ("Statuses", "i.status", str.upper))  # fmt: skip


@dataclass
class Listing:
    """What a list was asked for, in SQL. `page` is None when it is not paged."""

    source: str
    values: list[Any]
    order: str
    columns: str
    page: int | None
    size: int
    places: int


def answer() -> Response:
    """The list this request asks for."""
    box, asked = here(), _asked(here())
    if hint("empty_list"):
        none = {"page": asked.page, "pageSize": asked.size, "pageCount": 0, "itemCount": 0} if asked.page else None
        return wire.answer("Invoices", [], none)
    with box.store.read() as db:
        needs_contact = "c." in asked.source.partition(" WHERE i.tenant")[2]
        counted = asked.source if needs_contact else asked.source.replace(invoice_records.JOINED, "")
        found: int = db.execute(f"SELECT count(*) {counted}", asked.values).fetchone()[0]
        if asked.page is None and found > box.switches["xero_high_volume_from"]:
            raise wire.ApiError(51, "HighVolumeException", "This organisation has too many records for this request.")
        items = _page_of(db, asked) if asked.page else None
    if not found and request.headers.get("If-Modified-Since") and box.switches["xero_unchanged_answers_304"]:
        return Response(status=304)
    if items is None:
        return wire.answer("Invoices", _everything(box, asked))
    pages = (asked.page or 1) + 1 if hint("repeat_page") else -(-found // asked.size)
    return wire.answer(
        "Invoices", items, {"page": asked.page, "pageSize": asked.size, "pageCount": pages, "itemCount": found}
    )


def one(db: sqlite3.Connection, tenant: str, invoice: str, places: int) -> str:
    """An invoice as it is printed alone."""
    text: str = db.execute(
        f"SELECT {invoice_records.FULL} FROM books_invoice AS i {invoice_records.JOINED}"
        " WHERE i.tenant = ? AND i.id = ?",
        (tenant, invoice),
    ).fetchone()[0]
    return rounded(text, places)


def seen(db: sqlite3.Connection, wanted: str, places: int) -> str:
    """The invoice of this identifier or number, as far as a reader sees it; raises NoSuch. One that is asked for by
    its identifier is there at once, whatever the lists lag."""
    by_number = not re.fullmatch(r"[0-9a-f-]{36}", wanted.lower())
    source, values = _source(by_index=by_number)
    row = db.execute(
        f"SELECT {invoice_records.FULL} AS json {source}"
        " AND (i.id = ? OR (i.number = ? AND i.kind = 'ACCREC')) LIMIT 1",
        [*values, wanted.lower(), wanted],
    ).fetchone()
    if row is None:
        raise api.NoSuch
    return rounded(row["json"], places)


def places() -> int:
    """Decimals of unit amounts, in this request."""
    return 4 if api.number("unitdp") == 4 else 2


def rounded(text: str, decimals: int) -> str:
    """Unit amounts are kept with four decimals and shown with two unless four are asked for."""
    if decimals == 4:
        return text
    return UNIT.sub(lambda found: f'"UnitAmount":{cents(Decimal(found[1])):f}', text)


def _asked(box: Sandbox) -> Listing:
    summary, page, size = bool(api.flag("summaryOnly")), api.number("page"), api.number("pageSize")
    source, values = _source(by_index=True)
    conditions: list[str] = []
    if (since := api.modified_since()) is not None:
        conditions.append("i.updated >= ?")
        values.append(since)
    forced = summary
    for name, column, clean in WANTED:
        if told := api.argument(name):
            wanted = [clean(one.strip()) for one in told.split(",") if one.strip()]
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values.extend(wanted)
            forced = forced or name == "Statuses" or bool(box.switches["xero_ids_force_paging"])
    if term := api.argument("searchTerm"):
        conditions.append("instr(i.search, ?) > 0")
        values.append(term.casefold())
    if api.flag("createdByMyApp"):
        conditions.append("i.app <> ''")
    if where := api.argument("where"):
        found = query.compile_where(where, COLUMNS, query.json_field("i.fields"))
        conditions.append(found.sql)
        values.extend(found.values)
    if size and box.switches["xero_page_size_pages_by_itself"]:
        forced = True
    by, way = "i.updated", "ASC"
    if order := api.argument("order"):
        by, way, _ = query.compile_order(order, COLUMNS, query.json_field("i.fields"))
    page = 1 if page is None and forced else page
    shown = invoice_records.FULL if page is not None else invoice_records.UNPAGED
    return Listing(
        " AND ".join([source, *conditions]), values, f"{by} {way}, i.id", invoice_records.SUMMARY if summary else shown,
        None if page is None else max(1, page), min(MOST, max(1, 100 if size is None else size)), places(),
    )  # fmt: skip


def _source(*, by_index: bool) -> tuple[str, list[Any]]:
    """FROM and the first condition. Lists lag behind creations by a switch; the fault `stale` shows the past."""
    box, tenant = here(), api.tenant().id
    now = box.clock.milliseconds()
    if stale := hint("stale"):
        moment = now - int(float(stale.get("seconds", 60)) * 1000)
        past = (
            f"(SELECT {NAMES} FROM books_invoice WHERE written <= {moment} UNION ALL SELECT {NAMES} FROM"
            f" books_invoice_past WHERE written <= {moment} AND replaced > {moment})"
        )
        return f"FROM {past} AS i {invoice_records.JOINED} WHERE i.tenant = ?", [tenant]
    source = f"FROM books_invoice AS i {invoice_records.JOINED} WHERE i.tenant = ?"
    lag = int(box.switches["xero_invoice_lag_seconds"])
    return (f"{source} AND i.created <= {now - lag * 1000}" if lag and by_index else source), [tenant]


def _page_of(db: sqlite3.Connection, asked: Listing) -> list[str]:
    page = 1 if hint("repeat_page") else asked.page or 1
    rows = db.execute(
        f"SELECT {asked.columns} AS json {asked.source} ORDER BY {asked.order} LIMIT ? OFFSET ?",
        [*asked.values, asked.size, (page - 1) * asked.size],
    ).fetchall()
    return [rounded(row["json"], asked.places) for row in rows]


def _everything(box: Sandbox, asked: Listing) -> Iterator[str]:
    with box.store.read() as db:
        cursor = db.execute(f"SELECT {asked.columns} {asked.source} ORDER BY {asked.order}", asked.values)
        while rows := cursor.fetchmany(AT_ONCE):
            yield rounded(",".join([row[0] for row in rows]), asked.places)
