"""How many invoices a view holds, and what they come to.

Counts stop early, and only what was counted to its end is added up with the page. The sums of a larger view are read
from the indexes kept for them, by whoever asks for just these: no page waits for a walk over everything.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Date, Integer, bindparam, func, literal_column, select, type_coerce
from sqlalchemy.exc import OperationalError

from portal.db import ExactDecimal, db
from portal.domain.invoices.listed import (
    CAP,
    IS_OPEN,
    Page,
    Shape,
    Statement,
    asked,
    clients_like,
    conditions,
    hits,
    invoice,
    page_of,
)
from portal.domain.invoices.view import Filters, Key


class Sum(NamedTuple):
    """What the invoices of a view come to in one currency; currencies are never added (fault row 86)."""

    currency: str
    total: Decimal
    left: Decimal
    overdue: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """`count` stops at one more than `CAP`: "1,000+"; there are no sums then. Otherwise they are exact."""

    count: int
    sums: tuple[Sum, ...] | None


def shown(view: Filters, after: Key | None = None, *, as_of: date) -> tuple[Page, Totals]:
    """One page of a view, and the totals that stand above it."""
    shape, values = asked(view, as_of)
    return page_of(view, shape, values, after, as_of=as_of), _totals(shape, values)


def count(view: Filters, *, as_of: date) -> int:
    """How many invoices a view holds; it stops at one more than `CAP`."""
    return _count(*asked(view, as_of))


def totals(view: Filters, *, as_of: date) -> Totals:
    """How many invoices a view holds, and what they come to if these are not very many."""
    return _totals(*asked(view, as_of))


def sums(view: Filters, *, as_of: date) -> tuple[Sum, ...]:
    """What a view comes to, however many invoices it holds: for an answer of its own, never on the way of a page."""
    shape, values = asked(view, as_of)
    whole, left = _sums(shape, values, is_open=False), _sums(shape, values, is_open=True)
    if shape.standing == "paid":  # all that is not voided, without what is open: both have an index to add them up from
        without = {currency: held[0] for currency, held in left.items()}
        whole = {currency: [held[0] - without.get(currency, Decimal(0))] for currency, held in whole.items()}
        whole, left = {currency: held for currency, held in whole.items() if held[0]}, {}
    none = [Decimal(0)] * 3
    return tuple(Sum(one, whole[one][0], *left.get(one, none)[1:]) for one in sorted(whole))


def _totals(shape: Shape, values: dict[str, Any]) -> Totals:
    if not (shape.is_few or shape.is_rare):  # few of the others may be in a view, too; it takes no walk to know
        found = _count(shape, values)
        if found > CAP or not found:
            return Totals(found, None if found else ())
    rows = db.session.execute(_few_sums_statement(shape, CAP + 1), values).all()
    found = sum(row[1] for row in rows)
    if found > CAP:
        return Totals(found, None)
    joined = ((row[0], [_joined(*pair) for pair in zip(row[2::2], row[3::2], strict=True)]) for row in rows)
    return Totals(found, tuple(Sum(currency, *held) for currency, held in sorted(joined)))


def _count(shape: Shape, values: dict[str, Any]) -> int:
    return db.session.scalar(_count_statement(shape, CAP + 1), values) or 0


@lru_cache(maxsize=512)
def _count_statement(shape: Shape, limit: int) -> Statement:
    found = select(invoice.id).where(*_gathered(shape)).limit(literal_column(str(limit), Integer))
    return select(func.count()).select_from(found.subquery())


@lru_cache(maxsize=512)
def _few_sums_statement(shape: Shape, limit: int) -> Statement:
    """By currency, of so many at most: how many, the total, what is left, what of that is late; amounts in parts."""
    total, paid = (type_coerce(one, BigInteger) for one in (invoice.total, invoice.paid))
    chosen = (
        select(
            invoice.currency, total.label("total"), (total - paid).label("left"), IS_OPEN.label("is_open"),
            invoice.due_on,
        )
        .where(*_gathered(shape))
        .limit(literal_column(str(limit), Integer))
        .subquery()
        .c
    )  # fmt: skip
    is_late = chosen.is_open & (chosen.due_on < bindparam("as_of", type_=Date))
    columns: list[ColumnElement[Any]] = [chosen.currency, func.count()]
    for amount, which in ((chosen.total, None), (chosen.left, chosen.is_open), (chosen.left, is_late)):
        for part in (amount // PARTS, amount % PARTS):
            columns.append(func.sum(part) if which is None else func.sum(part).filter(which))
    return select(*columns).group_by(chosen.currency)


def _sums(shape: Shape, values: dict[str, Any], *, is_open: bool) -> dict[str, list[Decimal]]:
    """By currency: of everything the total, of what is open its total, what is left and what of that is overdue."""
    savepoint = db.session.begin_nested() if shape.dialect == "sqlite" else nullcontext()
    try:
        with savepoint:
            rows = db.session.execute(_sum_statement(shape, is_open, False), values).all()
    except OperationalError:  # SQLite adds whole amounts up to nine million million million
        rows = db.session.execute(_sum_statement(shape, is_open, True), values).all()
        return {row[0]: [_joined(*pair) for pair in zip(row[1::2], row[2::2], strict=True)] for row in rows}
    return {row[0]: [_joined(0, sum) for sum in row[1:]] for row in rows}


@lru_cache(maxsize=512)
def _sum_statement(shape: Shape, is_open: bool, in_parts: bool) -> Statement:
    """`in_parts`: each amount in a high and a low part, for sums that no whole number of SQLite holds.

    Grouped by the bare column only where an index of sums serves the whole of it: else it would be walked in vain.
    """
    if shape.standing == "paid":
        shape = replace(shape, standing="", with_voided=False)
    total, paid = (type_coerce(one, BigInteger) for one in (invoice.total, invoice.paid))
    where = _gathered(shape)
    added: list[tuple[ColumnElement[Any], ColumnElement[bool] | None]] = [(total, None)]
    if is_open:
        where.append(IS_OPEN)
        added += [(total - paid, None), (total - paid, invoice.due_on < bindparam("as_of", type_=Date))]
    columns: list[ColumnElement[Any]] = [invoice.currency]
    for amount, which in added:
        for part in (amount // PARTS, amount % PARTS) if in_parts else (amount,):
            columns.append(func.sum(part) if which is None else func.sum(part).filter(which))
    is_indexed = not (shape.is_few or shape.deployment or {"since", "until", "client"} & set(shape.given))
    currency = invoice.currency if is_indexed else func.coalesce(invoice.currency, "")
    return select(*columns).where(*where).group_by(currency, *([] if is_indexed else [invoice.currency]))


def _gathered(shape: Shape) -> list[ColumnElement[bool]]:
    """As `conditions`; of words that very many answer to, the clients are looked up once instead of each by itself."""
    if not any(shape.words) or shape.is_few:
        return conditions(shape)
    clients = clients_like(shape.words, shape.dialect)
    theirs = hits(clients) if shape.is_number else invoice.client_id.in_(clients)
    return [theirs, *conditions(replace(shape, words=(0, 0, 0)))]


PARTS = literal_column("100000000", BigInteger)


def _joined(high: Any, low: Any) -> Decimal:
    return Decimal(int(high or 0) * 100_000_000 + int(low or 0)) / ExactDecimal.SCALE
