"""How many invoices a view holds, and what they come to.

Of views narrowed by nothing but how invoices stand, their ledger and source, that is kept (`kept`). Of the others
counts stop early, and only what was counted to its end is added up with the page: what a larger one comes to is read
from the indexes, by whoever asks for just this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, func, literal_column, select, type_coerce

from portal.db import db
from portal.domain.invoices import kept, narrowed
from portal.domain.invoices.kept import joined
from portal.domain.invoices.listed import Page, page_of
from portal.domain.invoices.narrowed import IS_OPEN, Asked, Shape, Statement, asked, conditions, invoice, sums_of
from portal.domain.invoices.view import Filters, Key


class Sum(NamedTuple):
    """What the invoices of a view come to in one currency; currencies are never added (fault row 86)."""

    currency: str
    total: Decimal
    left: Decimal
    overdue: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact, with `sums`. Without: `count` stopped at one more than `CAP`, "1,000+"."""

    count: int
    sums: tuple[Sum, ...] | None


def shown(view: Filters, after: Key | None = None, *, as_of: date) -> tuple[Page, Totals]:
    """One page of a view, and the totals that stand above it."""
    if is_kept(view):
        totals = _kept(view, as_of)
        found = asked(view, as_of)
        return page_of(view, found, after, as_of=as_of) if totals.count else Page([], None, None), totals
    found = asked(view, as_of)
    return page_of(view, found, after, as_of=as_of), _totals(found)


def count(view: Filters, *, as_of: date) -> int:
    """How many invoices a view holds; it stops at one more than `CAP`."""
    most = narrowed.CAP + 1
    if is_kept(view):
        return min(_kept(view, as_of).count, most)
    found = asked(view, as_of)
    return _count(found) if found.count is None else found.count


def totals(view: Filters, *, as_of: date) -> Totals:
    """How many invoices a view holds, and what they come to if that is kept or these are not very many."""
    return _kept(view, as_of) if is_kept(view) else _totals(asked(view, as_of))


def sums(view: Filters, *, as_of: date) -> tuple[Sum, ...]:
    """What a view comes to, however many invoices it holds: for an answer of its own, never on the way of a page."""
    if is_kept(view):
        return _kept(view, as_of).sums or ()
    found = asked(view, as_of)
    return _sums(found.sums if found.sums is not None else _rows(found, None))


def is_kept(view: Filters) -> bool:
    """Whether a view is narrowed by nothing else than what sums are kept by."""
    return not (view.words or view.deployment or view.client or view.since or view.until)


def _kept(view: Filters, as_of: date) -> Totals:
    given = tuple(name for name in ("app", "source") if getattr(view, name))
    values = {"as_of": as_of} | {name: getattr(view, name) for name in given}
    rows = db.session.execute(kept.summing(view.standing, view.with_voided, given), values).all()
    return Totals(sum(row[1] for row in rows), _sums(rows))


def _totals(found: Asked) -> Totals:
    counted = _count(found) if found.count is None else found.count
    if counted > narrowed.CAP or not counted:
        return Totals(counted, None if counted else ())
    return Totals(counted, _sums(found.sums if found.sums is not None else _rows(found, narrowed.CAP + 1)))


def _sums(rows: Sequence[Any]) -> tuple[Sum, ...]:
    """Of rows with a currency, how many there are of it, and three amounts in parts."""
    amounts = ((row[0], [joined(*row[at : at + 2]) for at in (2, 4, 6)]) for row in rows if row[1])
    return tuple(Sum(currency, *held) for currency, held in sorted(amounts))


def _count(found: Asked) -> int:
    return db.session.scalar(_count_statement(found.shape, narrowed.CAP + 1), found.values) or 0


@lru_cache(maxsize=512)
def _count_statement(shape: Shape, limit: int) -> Statement:
    chosen = select(invoice.id).where(*conditions(shape, walking=False)).limit(literal_column(str(limit), Integer))
    return select(func.count()).select_from(chosen.subquery())


def _rows(found: Asked, limit: int | None) -> Sequence[Any]:
    return db.session.execute(_sum_statement(found.shape, limit), found.values).all()


@lru_cache(maxsize=512)
def _sum_statement(shape: Shape, limit: int | None) -> Statement:
    """By currency, of everything that is walked or of so many at most."""
    total, paid = (type_coerce(one, BigInteger) for one in (invoice.total, invoice.paid))
    each = select(
        invoice.currency, total.label("total"), (total - paid).label("left"), IS_OPEN.label("is_open"), invoice.due_on
    ).where(*conditions(shape, walking=False))
    if limit is not None:
        each = each.limit(literal_column(str(limit), Integer))
    chosen = each.subquery("chosen").c
    return sums_of(chosen).group_by(chosen.currency)
