"""Which invoices a view holds, as conditions for the database, and the quickest way to them.

There are two ways. Words, a number, or a state in the ledger that few invoices answer to: collect these. Otherwise walk
an index that is already in the order wanted, and test one after another until the page is full. Which of the two it is,
one small question tells (`asked`), and with that come the sums of what was collected.

Statements are built once for a kind of view (`Shape`) and only filled in afterwards. What they walk and test stands in
the indexes; both databases find them with and without statistics.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    CompoundSelect,
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
    type_coerce,
    union,
    union_all,
)

from portal.db import db
from portal.domain import client_search
from portal.domain.client_search import Terms
from portal.domain.invoices.kept import in_parts
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.view import Filters, Sort

CAP = 1000  # counts stop here
Statement = Select[*tuple[Any, ...]]
invoice = Invoice.__table__.c
IS_OPEN = and_(invoice.paid_at.is_(None), invoice.voided_at.is_(None))
NOT_VOIDED = invoice.voided_at.is_(None)
NUMBER = re.compile(r"(?=.*[^\d])\S*\d")  # letters and digits in one: nothing but a number looks like that
CLIENTS, NUMBERS, DELIVERIES = "clients", "numbers", "deliveries"


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of view: what of it changes the text of a statement, and not the values filled in.

    `few`: by what its invoices are collected, because few answer to it; empty: they are walked.
    """

    dialect: str
    words: tuple[int, int, int]
    has_number: bool  # words: they may be a number
    standing: str
    deployment: str
    given: tuple[str, ...]
    with_voided: bool
    sort: Sort
    forwards: bool
    few: str = ""
    has_key: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A view made ready: its kind and the values to fill in. `count` None: not counted yet; else it is, up to one more
    than `CAP`, and `sums` are the rows of what was collected, if it was all of it."""

    shape: Shape
    values: dict[str, Any]
    count: int | None = None
    sums: Sequence[Any] | None = None


def asked(view: Filters, as_of: date) -> Asked:
    """What kind of view it is. `as_of` is today on the firm's calendar."""
    plain = Asked(_plain_shape(view), _values(view, as_of))
    if _may_be_rare(view.deployment):
        found = _collected(plain, DELIVERIES)
        if found.shape.few:
            return found
    if any(plain.shape.words):
        if NUMBER.fullmatch(view.words) and (found := _collected(plain, NUMBERS)).count:
            return found
        return _collected(plain, CLIENTS)
    return plain


def _plain_shape(view: Filters) -> Shape:
    sought = view.terms
    return Shape(
        db.engine.dialect.name, (len(sought.indexed), len(sought.short), len(sought.scanned)),
        any(one.isdigit() for one in view.words), view.standing, view.deployment,
        tuple(name for name in ("source", "client", "app", "since", "until") if getattr(view, name)),
        view.with_voided, view.sort, not view.descending,
    )  # fmt: skip


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


def _collected(plain: Asked, few: str) -> Asked:
    """The view by what few may answer to. If very many do, it is walked instead; how many, may be known then."""
    shape = replace(plain.shape, few=few)
    *rows, source = db.session.execute(_collecting(shape, CAP + 1), plain.values).all()
    count = sum(row[1] for row in rows)
    if source[1] <= CAP and count <= CAP:
        return Asked(shape, plain.values, count, rows)
    return replace(plain, count=CAP + 1 if count > CAP else None)


@lru_cache(maxsize=512)
def _collecting(shape: Shape, limit: int) -> CompoundSelect[Any]:
    """By currency, of so many at most: how many, the total, what is left, what of that is late; amounts in parts.

    The last row says how many clients or deliveries it comes from.
    """
    amounts = [type_coerce(one, BigInteger) for one in (invoice.total, invoice.paid)]
    columns = (
        invoice.id, invoice.currency, amounts[0].label("total"), (amounts[0] - amounts[1]).label("left"),
        IS_OPEN.label("is_open"), invoice.due_on,
    )  # fmt: skip
    source = _source(shape, limit)
    chosen = candidates(shape, columns, source, limit).subquery("chosen")
    sums = sums_of(chosen.c).add_columns(literal_column("0", Integer).label("place")).group_by(chosen.c.currency)
    zero = [literal_column("0", BigInteger)] * 6
    count = (
        literal_column("0", Integer) if source is None else select(func.count()).select_from(source).scalar_subquery()
    )
    last = select(literal_column("''", Text), count, *zero, literal_column("1", Integer).label("place"))
    return union_all(sums, last).order_by("place")


def sums_of(rows: Any) -> Statement:
    """Of rows with their currency, total, what is left, whether they are open and the day they are due."""
    late = and_(rows.is_open, rows.due_on < bindparam("as_of", type_=Date))
    parts = [*in_parts(rows.total), *in_parts(rows.left, rows.is_open), *in_parts(rows.left, late)]
    return select(rows.currency, func.count(), *parts)


def _source(shape: Shape, limit: int) -> CTE | None:
    """The clients, or the invoices by their deliveries, that are collected from; `limit` of them at most."""
    if shape.few == NUMBERS:
        return None
    found = clients_like(shape) if shape.few == CLIENTS else _of_states(_states(shape.deployment))
    return found.limit(literal_column(str(limit), Integer)).cte("found")


def candidates(shape: Shape, columns: Sequence[Any], source: CTE | None, limit: int | None = None) -> Any:
    """These columns of everything that is collected, each invoice once; of clients with very many, `limit` rows."""
    where = conditions(shape)
    numbered = select(*columns).where(invoice.number.in_(bindparam("numbers", expanding=True)), *where)
    if source is None:
        return numbered
    if shape.few == DELIVERIES:
        return select(*columns).where(invoice.id.in_(select(source.c[0])), *where)
    theirs = select(*columns).join_from(source, Invoice.__table__, invoice.client_id == source.c[0]).where(*where)
    if limit is not None:
        theirs = theirs.limit(literal_column(str(limit), Integer))
    return union(numbered, select(theirs.subquery("theirs"))) if shape.has_number else theirs


def collected(shape: Shape, columns: Sequence[Any], limit: int) -> Any:
    """As `candidates`, from the source the view was `asked` by."""
    return candidates(shape, columns, _source(shape, limit))


def conditions(shape: Shape, *, walking: bool = True) -> list[ColumnElement[bool]]:
    """What an invoice of the view is like, but for what it was collected by. `walking`: an index is walked, in order,
    and these are tested one after another."""
    found: list[ColumnElement[bool]] = []
    if any(shape.words) and shape.few not in (CLIENTS, NUMBERS):
        found.append(_answers(shape, walking))
    found += {
        "open": [IS_OPEN],
        "overdue": [IS_OPEN, _is_late(shape, walking)],
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
    return found if shape.few == DELIVERIES else found + _deployed(shape)


def _is_late(shape: Shape, walking: bool) -> ColumnElement[bool]:
    today = bindparam("as_of", type_=Date)
    if walking and shape.dialect == "sqlite" and shape.sort is not Sort.DUE:  # else it collects all, and sorts
        return func.coalesce(invoice.due_on, today, type_=Date) < today
    return invoice.due_on < today


def _answers(shape: Shape, walking: bool) -> ColumnElement[bool]:
    """To words that very many answer to: the clients are looked up once."""
    theirs = invoice.client_id.in_(clients_like(shape))
    if walking and shape.dialect == "sqlite":  # else it collects all invoices of all of them, and sorts
        theirs = func.coalesce(theirs, literal_column("0"), type_=Boolean)
    return or_(invoice.number.in_(bindparam("numbers", expanding=True)), theirs) if shape.has_number else theirs


def clients_like(shape: Shape) -> Select[Any]:
    """Ids of the clients who answer to the words."""
    indexed, short, scanned = shape.words
    sought = Terms(("",) * indexed, (), ("",) * (short + scanned))
    return select(client_search.SEARCH.c.rowid).where(*client_search.hit_conditions(sought, shape.dialect))


def _may_be_rare(deployment: str) -> bool:
    """Those that are in their ledger, or meant for none, are never few."""
    return deployment not in ("", "off", "created")


def _states(deployment: str) -> list[str]:
    from portal.domain.deliveries.deployment import STANDINGS

    return [state for state, standing in STANDINGS.items() if (standing == deployment) is (deployment != "off")]


def _of_states(states: list[str]) -> Select[Any]:
    from portal.domain.deliveries.models import Delivery

    delivery = Delivery.__table__.c
    known = [literal_column(f"'{state}'", Text) for state in states]  # PostgreSQL has to see how rare they are
    return select(delivery.invoice_id).where(delivery.state.in_(known), delivery.invoice_id.is_not(None))


def standing_there(deployment: str) -> tuple[ColumnElement[bool], ...]:
    """Conditions for the invoices, not voided, that stand like this in their ledger, whoever asks."""
    return invoice.id.in_(_of_states(_states(deployment))), NOT_VOIDED


def _deployed(shape: Shape) -> list[ColumnElement[bool]]:
    if not shape.deployment:
        return []
    of_these = _of_states(_states(shape.deployment))
    is_its = exists(of_these.where(of_these.selected_columns.invoice_id == invoice.id))
    return [~is_its if shape.deployment == "off" else is_its]
