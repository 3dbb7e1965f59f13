"""Invoices: lists, one, create, update, and their history."""

from __future__ import annotations

from flask import Response, g

from portal.sandbox.context import here
from portal.sandbox.xero_books import api, invoice_lists, invoice_records, invoice_writes, wire
from portal.sandbox.xero_books.api import blueprint
from portal.sandbox.xero_books.contacts import history_of, summarize


@blueprint.get("/Invoices")
def invoice_list() -> Response:
    """All, or those asked for; paged when wanted, or when the request forces it."""
    return invoice_lists.answer()


@blueprint.get("/Invoices/<invoice>")
def invoice_get(invoice: str) -> Response:
    """By identifier or number; voided and deleted ones answer too."""
    with here().store.read() as db:
        found = invoice_lists.seen(db, invoice, invoice_lists.places())
    return wire.answer("Invoices", [found])


@blueprint.put("/Invoices")
def invoice_create() -> Response:
    """Create many; a number that is used is refused."""
    return _save(wire.body_items("Invoices", exact=True), creates_only=True, summary=summarize())


@blueprint.post("/Invoices")
def invoice_save() -> Response:
    """Create or update many: one of a number that exists is updated."""
    return _save(wire.body_items("Invoices", exact=True), creates_only=False, summary=summarize())


@blueprint.post("/Invoices/<invoice>")
def invoice_update(invoice: str) -> Response:
    """Update one."""
    items = wire.body_items("Invoices", exact=True)
    with here().store.read() as db:
        row = invoice_records.find(db, api.tenant().id, invoice)
    if row is None:
        raise api.NoSuch
    return _save([items[0] | {"InvoiceID": row["id"]}], creates_only=False, summary=True)


@blueprint.get("/Invoices/<invoice>/History")
def invoice_history(invoice: str) -> Response:
    """What happened to it, newest first."""
    with here().store.read() as db:
        row = invoice_records.find(db, api.tenant().id, invoice)
        if row is None:
            raise api.NoSuch
        return history_of(db, row["id"])


def _save(items: list[wire.Item], *, creates_only: bool, summary: bool) -> Response:
    return invoice_writes.save_many(
        here(), api.tenant(), items, summarize=summary, creates_only=creates_only, places=invoice_lists.places(),
        app=g.access.client_id,
    )  # fmt: skip
