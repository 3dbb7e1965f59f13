"""The list of invoices: found, sorted and paged so that two hundred thousand feel like fifty.

Nothing here loads an invoice as an object. Statements are built once for a kind of view and only filled in afterwards.
There are two ways to a page. Words, or a state in the ledger, that few invoices answer to: collect these, then sort
them. Otherwise: walk an index that is already in the order wanted and test one after another until the page is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
)

from portal.db import db
from portal.domain import client_search
from portal.domain.client_search import Terms
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.standing import InvoiceStatus, status_of
from portal.domain.invoices.view import Filters, Key, Sort

PAGE = 50
CAP = 1000  # counts stop here
Statement = Select[*tuple[Any, ...]]
invoice = Invoice.__table__.c
PLACE: dict[Sort, ColumnElement[Any]] = {
    Sort.ISSUED: invoice.issued_on, Sort.DUE: invoice.due_on, Sort.NUMBER: invoice.number, Sort.AMOUNT: invoice.total,
}  # fmt: skip
IS_OPEN = and_(invoice.paid_at.is_(None), invoice.voided_at.is_(None))
NOT_VOIDED = invoice.voided_at.is_(None)


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


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of view: what of it changes the text of a statement, and not the values filled in."""

    dialect: str
    words: tuple[int, int, int]
    is_few: bool  # words: few answer to them
    is_rare: bool  # deployment: few invoices stand like that in their ledger
    standing: str
    deployment: str
    given: tuple[str, ...]
    with_voided: bool
    sort: Sort
    forwards: bool
    is_number: bool = False  # words: there is an invoice of this number
    has_key: bool = False
    size: int = PAGE


def listing(view: Filters, after: Key | None = None, *, as_of: date, limit: int = PAGE) -> Page:
    """One page of a view; `as_of` is today on the firm's calendar."""
    return page_of(view, *asked(view, as_of), after, as_of=as_of, limit=limit)


def page_of(
    view: Filters, kind: Shape, given: Mapping[str, Any], after: Key | None = None, *, as_of: date, limit: int = PAGE
) -> Page:
    """`listing` for who has `asked` already."""
    backwards = after is not None and after.backwards
    shape = replace(kind, has_key=after is not None, size=limit)
    shape = replace(shape, forwards=shape.forwards != backwards)
    values = dict(given) if after is None else {**given, "key": after.value, "key_id": after.id}
    found: Sequence[Any] = db.session.execute(_page_statement(shape), values).all()
    if backwards and len(found) <= limit:  # the beginning was reached: a full first page, not what was left over
        return page_of(view, kind, given, None, as_of=as_of, limit=limit)
    if not found and after is not None:
        return page_of(view, kind, given, None, as_of=as_of, limit=limit)
    has_more = len(found) > limit
    rows = [_row(one, as_of) for one in (found[limit - 1 :: -1] if backwards else found[:limit])]
    if not rows:
        return Page([], None, None)
    return Page(
        rows,
        previous=_key_text(rows[0], view.sort) if after is not None else None,
        next=_key_text(rows[-1], view.sort) if backwards or has_more else None,
    )


def ids(view: Filters, *, as_of: date) -> list[int]:
    """Every invoice of a view, in its order: for acts on all that are shown."""
    shape, values = asked(view, as_of)
    return list(db.session.scalars(_ordered(select(invoice.id).where(*conditions(shape)), shape), values))


def pages(view: Filters, *, as_of: date, size: int) -> Iterator[list[Row]]:
    """A whole view, page after page."""
    key: Key | None = None
    while True:
        page = listing(view, key, as_of=as_of, limit=size)
        yield page.rows
        if page.next is None:
            return
        key = _key_of(page.rows[-1], view.sort)


def asked(view: Filters, as_of: date) -> tuple[Shape, dict[str, Any]]:
    """What kind of view it is, and the values to fill in. The words are searched for here and nowhere else again, as
    long as few clients answer to them."""
    sought = view.terms
    words = (len(sought.indexed), len(sought.short), len(sought.scanned))
    dialect = db.engine.dialect.name
    given = tuple(name for name in ("source", "client", "app", "since", "until") if getattr(view, name))
    shape = Shape(
        dialect, words, True, _is_rare(view.deployment), view.standing, view.deployment, given, view.with_voided,
        view.sort, not view.descending,
    )  # fmt: skip
    values: dict[str, Any] = {"as_of": as_of, "source": view.source, "client": view.client, "app": view.app}
    values |= {"since": view.since, "until": view.until}
    if not any(words):
        return replace(shape, is_few=False), values
    values |= _word_values(view)
    clients = db.session.scalars(clients_like(words, dialect, CAP + 1), values).all()
    values["clients"] = clients[:CAP]
    found, numbers = db.session.execute(_probe(CAP + 1), values).one()
    return replace(shape, is_few=len(clients) <= CAP and found <= CAP, is_number=numbers > 0), values


def _word_values(view: Filters) -> dict[str, Any]:
    numbers = {view.words, view.words.upper(), view.words.lower()}
    digits = view.words.removeprefix("#").strip()
    if digits.isascii() and digits.isdigit() and len(digits) <= 9:
        from portal.domain.invoices.numbering import INVOICE, written_like

        numbers.add(written_like(INVOICE, int(digits)))
    return {**_only_everywhere(view.terms).values(), "numbers": sorted(numbers)}


def _only_everywhere(sought: Terms) -> Terms:
    """Short words are looked for everywhere, too: the list of invoices has no index of names."""
    return Terms(sought.indexed, (), sought.short + sought.scanned)


def _terms_like(words: tuple[int, int, int]) -> Terms:
    indexed, short, scanned = words
    return Terms(("",) * indexed, (), ("",) * (short + scanned))


@lru_cache(maxsize=64)
def clients_like(words: tuple[int, int, int], dialect: str, limit: int | None = None) -> Select[Any]:
    """Ids of the clients who answer to the words."""
    search = client_search.hit_conditions(_terms_like(words), dialect)
    return select(client_search.SEARCH.c.rowid).where(*search).limit(limit)


def hits(clients: Any) -> ColumnElement[bool]:
    """Invoices of that number, and those of these clients."""
    by_number = select(invoice.id).where(invoice.number.in_(bindparam("numbers", expanding=True)))
    return invoice.id.in_(union(by_number, select(invoice.id).where(invoice.client_id.in_(clients))))


@lru_cache(maxsize=4)
def _probe(limit: int) -> Statement:
    """How many invoices the clients have, counted up to `limit`, and how many are of that number."""
    theirs = select(invoice.id).where(invoice.client_id.in_(bindparam("clients", expanding=True)))
    numbered = select(func.count()).where(invoice.number.in_(bindparam("numbers", expanding=True))).scalar_subquery()
    return select(select(func.count()).select_from(theirs.limit(limit).subquery()).scalar_subquery(), numbered)


def conditions(shape: Shape) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if shape.is_few:
        found.append(hits(bindparam("clients", expanding=True)))
    elif any(shape.words):
        by_number = invoice.number.in_(bindparam("numbers", expanding=True))
        by_name = client_search.holds(_terms_like(shape.words), invoice.client_id)
        found.append(or_(by_number, by_name) if shape.is_number else by_name)
    found += {
        "open": [IS_OPEN],
        "overdue": [IS_OPEN, invoice.due_on < bindparam("as_of", type_=Date)],
        "part_paid": [IS_OPEN, invoice.paid > literal_column("0")],
        "paid": [invoice.paid_at.is_not(None), NOT_VOIDED],
        "voided": [invoice.voided_at.is_not(None)],
    }.get(shape.standing, [] if shape.with_voided else [NOT_VOIDED])
    columns = {
        "source": invoice.source == bindparam("source", type_=Text), "client": invoice.client_id == bindparam("client"),
        "app": invoice.connection_id == bindparam("app"),
        "since": invoice.issued_on >= bindparam("since", type_=Date),
        "until": invoice.issued_on <= bindparam("until", type_=Date),
    }  # fmt: skip
    found += [columns[name] for name in shape.given]
    return found + _deployed(shape)


def _is_rare(deployment: str) -> bool:
    """Whether at most `CAP` invoices stand like that in their ledger. Those in it, or meant for none, never are."""
    if deployment in ("", "off", "created"):
        return False
    return (db.session.scalar(_standing_probe(deployment, CAP + 1)) or 0) <= CAP


@lru_cache(maxsize=8)
def _standing_probe(deployment: str, limit: int) -> Statement:
    return select(func.count()).select_from(_of_states(_states(deployment)).limit(limit).subquery())


def _states(deployment: str) -> list[str]:
    from portal.domain.deliveries.deployment import STANDINGS

    return [state for state, standing in STANDINGS.items() if (standing == deployment) is (deployment != "off")]


def _of_states(states: list[str]) -> Select[Any]:
    from portal.domain.deliveries.models import Delivery

    delivery = Delivery.__table__.c
    known = [literal_column(f"'{state}'", Text) for state in states]  # PostgreSQL has to see how rare they are
    return select(delivery.invoice_id).where(delivery.state.in_(known), delivery.invoice_id.is_not(None))


def _deployed(shape: Shape) -> list[ColumnElement[bool]]:
    if not shape.deployment:
        return []
    of_these = _of_states(_states(shape.deployment))
    if shape.is_rare:
        return [invoice.id.in_(of_these)]
    is_its = exists(of_these.where(of_these.selected_columns.invoice_id == invoice.id))
    return [~is_its if shape.deployment == "off" else is_its]


@lru_cache(maxsize=512)
def _page_statement(shape: Shape) -> Statement:
    from portal.domain.deliveries.models import Delivery  # it imports this package

    delivery = Delivery.__table__.c
    query = select(invoice.id, PLACE[shape.sort].label("place")).where(*conditions(shape))
    if shape.has_key:
        place, last = PLACE[shape.sort], bindparam("key", type_=PLACE[shape.sort].type)
        here, there = tuple_(place, invoice.id), tuple_(last, bindparam("key_id", type_=Integer))
        query = query.where(here > there if shape.forwards else here < there)
    chosen = _ordered(query, shape).limit(literal_column(str(shape.size + 1), Integer)).subquery("chosen")
    columns = (
        invoice.id, invoice.number, invoice.client_id, invoice.client_name, invoice.issued_on, invoice.due_on,
        invoice.currency, invoice.total, invoice.paid, type_coerce(invoice.source, Text).label("source"),
        invoice.paid_at.is_not(None).label("is_paid"), invoice.voided_at.is_not(None).label("is_voided"),
        invoice.connection_id, type_coerce(delivery.state, Text).label("deployment"), delivery.remote_number,
        delivery.web_url,
    )  # fmt: skip
    is_its = and_(delivery.invoice_id == invoice.id, delivery.connection_id == invoice.connection_id)
    joined = chosen.join(Invoice.__table__, invoice.id == chosen.c.id).outerjoin(Delivery.__table__, is_its)
    order = [chosen.c.place, chosen.c.id]
    return select(*columns).select_from(joined).order_by(*(order if shape.forwards else [one.desc() for one in order]))


def _ordered(query: Select[Any], shape: Shape) -> Select[Any]:
    order: list[ColumnElement[Any]] = [PLACE[shape.sort], invoice.id]
    return query.order_by(*(order if shape.forwards else [one.desc() for one in order]))


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
