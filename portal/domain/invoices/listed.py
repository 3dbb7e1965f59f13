"""The list of invoices: found, sorted and paged so that two hundred thousand feel like fifty.

Nothing here loads an invoice as an object; how its invoices are found, `narrowed` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Text, and_, bindparam, literal_column, select, tuple_, type_coerce

from portal.db import db
from portal.domain.invoices import narrowed
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.narrowed import Asked, Shape, Statement, asked, collected, conditions, invoice
from portal.domain.invoices.standing import InvoiceStatus, status_of
from portal.domain.invoices.view import Filters, Key, Sort

PAGE = 50
PLACE: dict[Sort, ColumnElement[Any]] = {
    Sort.ISSUED: invoice.issued_on, Sort.DUE: invoice.due_on, Sort.NUMBER: invoice.number, Sort.AMOUNT: invoice.total,
}  # fmt: skip


class Row(NamedTuple):
    """One invoice as lists show it. `deployment` is the delivery's state, empty: Off; the rest as the ledger says."""

    id: int
    number: str
    client_id: int
    client_name: str
    issued_on: date
    due_on: date
    currency: str
    total: Decimal
    paid: Decimal
    source: str
    status: InvoiceStatus
    connection_id: int | None
    deployment: str
    remote_number: str
    web_url: str


@dataclass(frozen=True, slots=True)
class Page:
    """`previous` and `next` are what `before` and `after` of an address have to hold."""

    rows: list[Row]
    previous: str | None
    next: str | None


def listing(view: Filters, after: Key | None = None, *, as_of: date, limit: int = PAGE) -> Page:
    """One page of a view; `as_of` is today on the firm's calendar."""
    return page_of(view, asked(view, as_of), after, as_of=as_of, limit=limit)


def page_of(view: Filters, found: Asked, after: Key | None = None, *, as_of: date, limit: int = PAGE) -> Page:
    """`listing` for who has `asked` already."""
    if found.count == 0:
        return Page([], None, None)
    backwards = after is not None and after.backwards
    shape = replace(found.shape, has_key=after is not None, forwards=found.shape.forwards != backwards)
    values = found.values if after is None else {**found.values, "key": after.value, "key_id": after.id}
    statement = _page_statement(shape, limit + 1, narrowed.CAP + 1)
    rows: Sequence[Any] = db.session.execute(statement, values).all()
    is_short = backwards and len(rows) <= limit  # the beginning was reached: a full first page, not what was left over
    if after is not None and (is_short or not rows):
        return page_of(view, found, None, as_of=as_of, limit=limit)
    has_more = len(rows) > limit
    shown = [_row(one, as_of) for one in (rows[limit - 1 :: -1] if backwards else rows[:limit])]
    if not shown:
        return Page([], None, None)
    return Page(
        shown,
        previous=_key_text(shown[0], view.sort) if after is not None else None,
        next=_key_text(shown[-1], view.sort) if backwards or has_more else None,
    )


def pages(view: Filters, *, as_of: date, size: int) -> Iterator[list[Row]]:
    """A whole view, page after page."""
    key: Key | None = None
    while True:
        page = listing(view, key, as_of=as_of, limit=size)
        yield page.rows
        if page.next is None:
            return
        key = _key_of(page.rows[-1], view.sort)


@lru_cache(maxsize=512)
def _page_statement(shape: Shape, size: int, most: int) -> Statement:
    """`size` rows; `most` clients or deliveries are collected from. First their ids alone, then what is shown."""
    from portal.domain.deliveries.models import Delivery  # it imports this package

    delivery = Delivery.__table__.c
    place = PLACE[shape.sort]
    columns = (invoice.id, place.label("place"))
    query, here = select(*columns).where(*conditions(shape)), (place, invoice.id)
    if shape.few:
        few = collected(shape, columns, most).subquery("few")
        query, here = select(few), (few.c.place, few.c.id)
    if shape.has_key:
        last = tuple_(bindparam("key", type_=place.type), bindparam("key_id", type_=Integer))
        query = query.where(tuple_(*here) > last if shape.forwards else tuple_(*here) < last)
    query = query.order_by(*_directed(here, shape)).limit(literal_column(str(size), Integer))
    chosen = query.subquery("chosen")
    shown = (
        invoice.id, invoice.number, invoice.client_id, invoice.client_name, invoice.issued_on, invoice.due_on,
        invoice.currency, invoice.total, invoice.paid, type_coerce(invoice.source, Text).label("source"),
        invoice.paid_at.is_not(None).label("is_paid"), invoice.voided_at.is_not(None).label("is_voided"),
        invoice.connection_id, type_coerce(delivery.state, Text).label("deployment"), delivery.remote_number,
        delivery.web_url,
    )  # fmt: skip
    is_its = and_(delivery.invoice_id == invoice.id, delivery.connection_id == invoice.connection_id)
    joined = chosen.join(Invoice.__table__, invoice.id == chosen.c.id).outerjoin(Delivery.__table__, is_its)
    return select(*shown).select_from(joined).order_by(*_directed((chosen.c.place, chosen.c.id), shape))


def _directed(order: Sequence[ColumnElement[Any]], shape: Shape) -> list[ColumnElement[Any]]:
    return list(order) if shape.forwards else [one.desc() for one in order]


def _row(one: Any, as_of: date) -> Row:
    status = status_of(one.total, one.paid, one.due_on, one.is_paid, one.is_voided, as_of)
    return Row(
        one.id, one.number, one.client_id, one.client_name, one.issued_on, one.due_on, one.currency, one.total,
        one.paid, one.source, status, one.connection_id, one.deployment or "", one.remote_number or "",
        one.web_url or "",
    )  # fmt: skip


def _key_of(row: Row, sort: Sort) -> Key:
    places: dict[Sort, date | Decimal | str] = {
        Sort.ISSUED: row.issued_on, Sort.DUE: row.due_on, Sort.NUMBER: row.number, Sort.AMOUNT: row.total,
    }  # fmt: skip
    return Key(places[sort], row.id)


def _key_text(row: Row, sort: Sort) -> str:
    return _key_of(row, sort).text()
