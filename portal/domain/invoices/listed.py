"""The list of invoices: found, sorted and paged so that two hundred thousand feel like fifty, and what they sum up to.

Nothing here loads an invoice as an object. Statements are built once for a kind of view and only filled in afterwards.
There are two ways to a page. Words that few invoices answer to: collect these by the search, then sort them. Otherwise:
walk an index that is already in the order wanted and test one invoice after another until the page is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
)
from sqlalchemy.exc import OperationalError

from portal.db import ExactDecimal, db
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


class Sum(NamedTuple):
    """What the invoices of a view come to in one currency; currencies are never added (fault row 86)."""

    currency: str
    total: Decimal
    left: Decimal
    overdue: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """`count` stops at one more than `CAP`: "1,000+". The sums are exact."""

    count: int
    sums: tuple[Sum, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A kind of view: what of it changes the text of a statement, and not the values filled in."""

    dialect: str
    words: tuple[int, int, int]
    is_few: bool  # words: few answer to them
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
    backwards = after is not None and after.backwards
    shape = replace(_shape(view), has_key=after is not None, size=limit)
    shape = replace(shape, forwards=shape.forwards != backwards)
    values = _values(view, as_of)
    if after is not None:
        values |= {"key": after.value, "key_id": after.id}
    found: Sequence[Any] = db.session.execute(_page_statement(shape), values).all()
    if backwards and len(found) <= limit:  # the beginning was reached: a full first page, not what was left over
        return listing(view, None, as_of=as_of, limit=limit)
    if not found and after is not None:
        return listing(view, None, as_of=as_of, limit=limit)
    has_more = len(found) > limit
    rows = [_row(one, as_of) for one in (found[limit - 1 :: -1] if backwards else found[:limit])]
    if not rows:
        return Page([], None, None)
    return Page(
        rows,
        previous=_key_text(rows[0], view.sort) if after is not None else None,
        next=_key_text(rows[-1], view.sort) if backwards or has_more else None,
    )


def count(view: Filters, *, as_of: date) -> int:
    """How many invoices a view holds; it stops at one more than `CAP`."""
    return db.session.scalar(_count_statement(_shape(view), CAP + 1), _values(view, as_of)) or 0


def totals(view: Filters, *, as_of: date) -> Totals:
    """How many invoices a view holds, and what they come to."""
    shape, values = _shape(view), _values(view, as_of)
    found = db.session.scalar(_count_statement(shape, CAP + 1), values) or 0
    if not found:
        return Totals(0, ())
    whole, left = _sums(shape, values, is_open=False), _sums(shape, values, is_open=True)
    if shape.standing == "paid":  # all that is not voided, without what is open: both have an index to add them up from
        without = {currency: sums[0] for currency, sums in left.items()}
        whole = {currency: [sums[0] - without.get(currency, Decimal(0))] for currency, sums in whole.items()}
        whole, left = {currency: sums for currency, sums in whole.items() if sums[0]}, {}
    none = [Decimal(0)] * 3
    return Totals(found, tuple(Sum(one, whole[one][0], *left.get(one, none)[1:]) for one in sorted(whole)))


def ids(view: Filters, *, as_of: date) -> list[int]:
    """Every invoice of a view, in its order: for acts on all that are shown."""
    shape = _shape(view)
    return list(
        db.session.scalars(_ordered(select(invoice.id).where(*_conditions(shape)), shape), _values(view, as_of))
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


def _shape(view: Filters) -> _Shape:
    sought = view.terms
    words = (len(sought.indexed), len(sought.short), len(sought.scanned))
    dialect = db.engine.dialect.name
    given = tuple(name for name in ("source", "client", "app", "since", "until") if getattr(view, name))
    shape = _Shape(
        dialect, words, True, view.standing, view.deployment, given, view.with_voided, view.sort, not view.descending
    )
    if not any(words):
        return replace(shape, is_few=False)
    clients, found, numbers = db.session.execute(_probe(words, dialect), _word_values(view)).one()
    return replace(shape, is_few=clients <= CAP and found <= CAP, is_number=numbers > 0)


def _values(view: Filters, as_of: date) -> dict[str, Any]:
    values: dict[str, Any] = {"as_of": as_of, "source": view.source, "client": view.client, "app": view.app}
    values |= {"since": view.since, "until": view.until}
    return values | _word_values(view) if view.words else values


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


def _hits(words: tuple[int, int, int], dialect: str) -> Any:
    """Ids of invoices of that number, and of those of clients who answer to the words."""
    clients = select(client_search.SEARCH.c.rowid).where(*client_search.hit_conditions(_terms_like(words), dialect))
    by_number = select(invoice.id).where(invoice.number.in_(bindparam("numbers", expanding=True)))
    return union(by_number, select(invoice.id).where(invoice.client_id.in_(clients)))


@lru_cache(maxsize=64)
def _probe(words: tuple[int, int, int], dialect: str) -> Statement:
    """How many clients answer to the words, how many invoices these have (each counted a little past the cap), and how
    many invoices are of that number."""
    search = client_search.hit_conditions(_terms_like(words), dialect)
    clients = select(client_search.SEARCH.c.rowid).where(*search).limit(CAP + 1).cte("clients")
    theirs = select(invoice.id).where(invoice.client_id.in_(select(clients.c.rowid))).limit(CAP + 1).subquery()
    counted = select(func.count()).select_from(clients).scalar_subquery()
    numbered = select(func.count()).where(invoice.number.in_(bindparam("numbers", expanding=True))).scalar_subquery()
    return select(counted, select(func.count()).select_from(theirs).scalar_subquery(), numbered)


def _conditions(shape: _Shape) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if shape.is_few:
        found.append(invoice.id.in_(_hits(shape.words, shape.dialect)))
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
    return found + _deployed(shape.deployment)


def _deployed(word: str) -> list[ColumnElement[bool]]:
    from portal.domain.deliveries.deployment import STANDINGS
    from portal.domain.deliveries.models import Delivery

    if not word:
        return []
    delivery = Delivery.__table__.c
    of_invoices = select(delivery.invoice_id).where(delivery.invoice_id.is_not(None))
    if word == "off":
        shown = [state for state, standing in STANDINGS.items() if standing != "off"]
        return [invoice.id.not_in(of_invoices.where(delivery.state.in_(shown)))]
    return [invoice.id.in_(of_invoices.where(delivery.state.in_([s for s, held in STANDINGS.items() if held == word])))]


@lru_cache(maxsize=512)
def _page_statement(shape: _Shape) -> Statement:
    from portal.domain.deliveries.models import Delivery  # it imports this package

    delivery = Delivery.__table__.c
    query = select(invoice.id, PLACE[shape.sort].label("place")).where(*_conditions(shape))
    if shape.has_key:
        place, last = PLACE[shape.sort], bindparam("key", type_=PLACE[shape.sort].type)
        here, there = tuple_(place, invoice.id), tuple_(last, bindparam("key_id", type_=Integer))
        query = query.where(here > there if shape.forwards else here < there)
    chosen = _ordered(query, shape).limit(shape.size + 1).subquery("chosen")
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


def _ordered(query: Select[Any], shape: _Shape) -> Select[Any]:
    order: list[ColumnElement[Any]] = [PLACE[shape.sort], invoice.id]
    return query.order_by(*(order if shape.forwards else [one.desc() for one in order]))


@lru_cache(maxsize=512)
def _count_statement(shape: _Shape, cap: int) -> Statement:
    return select(func.count()).select_from(select(invoice.id).where(*_conditions(shape)).limit(cap).subquery())


def _sums(shape: _Shape, values: dict[str, Any], *, is_open: bool) -> dict[str, list[Decimal]]:
    """By currency: of everything the total, of what is open its total, what is left and what of that is overdue."""
    try:
        with db.session.begin_nested():
            rows = db.session.execute(_sum_statement(shape, is_open, False), values).all()
    except OperationalError:  # SQLite adds whole amounts up to nine million million million
        rows = db.session.execute(_sum_statement(shape, is_open, True), values).all()
        return {row[0]: [_joined(*pair) for pair in zip(row[1::2], row[2::2], strict=True)] for row in rows}
    return {row[0]: [_joined(0, sum) for sum in row[1:]] for row in rows}


@lru_cache(maxsize=512)
def _sum_statement(shape: _Shape, is_open: bool, in_parts: bool) -> Statement:
    """`in_parts`: each amount in a high and a low part, for sums that no whole number of SQLite holds.

    Grouped by the bare column only where an index of sums serves the whole of it: else it would be walked in vain.
    """
    if shape.standing == "paid":
        shape = replace(shape, standing="", with_voided=False)
    total, paid = (type_coerce(one, BigInteger) for one in (invoice.total, invoice.paid))
    conditions = _summed(shape)
    added: list[tuple[ColumnElement[Any], ColumnElement[bool] | None]] = [(total, None)]
    if is_open:
        conditions.append(IS_OPEN)
        added += [(total - paid, None), (total - paid, invoice.due_on < bindparam("as_of", type_=Date))]
    columns: list[ColumnElement[Any]] = [invoice.currency]
    for amount, which in added:
        for part in (amount // PARTS, amount % PARTS) if in_parts else (amount,):
            columns.append(func.sum(part) if which is None else func.sum(part).filter(which))
    is_indexed = not (shape.is_few or shape.deployment or {"since", "until", "client"} & set(shape.given))
    currency = invoice.currency if is_indexed else func.coalesce(invoice.currency, "")
    return select(*columns).where(*conditions).group_by(currency, *([] if is_indexed else [invoice.currency]))


def _summed(shape: _Shape) -> list[ColumnElement[bool]]:
    """As `_conditions`; of words that very many answer to, the clients are looked up once instead of each by itself."""
    if not any(shape.words) or shape.is_few:
        return _conditions(shape)
    if shape.is_number:
        return _conditions(replace(shape, is_few=True))
    search = client_search.hit_conditions(_terms_like(shape.words), shape.dialect)
    clients = select(client_search.SEARCH.c.rowid).where(*search)
    scanned = invoice.client_id + literal_column("0")  # so that the index of sums is read through, not one per client
    return [scanned.in_(clients), *_conditions(replace(shape, words=(0, 0, 0)))]


PARTS = literal_column("100000000", BigInteger)


def _joined(high: Any, low: Any) -> Decimal:
    return Decimal(int(high or 0) * 100_000_000 + int(low or 0)) / ExactDecimal.SCALE


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
