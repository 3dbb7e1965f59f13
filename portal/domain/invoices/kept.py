"""How many invoices there are and what they come to, kept while they change, so that no page adds them up.

Every change of an invoice adds lines here that say what changed, in the same transaction; no line is ever altered, so
nobody who issues or settles waits for anybody else. The lines are put together now and then (`fold`), and can be made
anew from the invoices (`recount`). What the lines add up to is always what counting the invoices would give.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    Select,
    Text,
    bindparam,
    case,
    delete,
    event,
    func,
    insert,
    inspect,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import ExactDecimal, db
from portal.domain.invoices.models import Invoice

ISSUED, PART_PAID, PAID, VOIDED = "issued", "part_paid", "paid", "voided"
OPEN = (ISSUED, PART_PAID)
KEEPS_DAYS = timedelta(days=60)  # days due further back are put together: all of them are overdue
LONG_AGO = date(1, 1, 1)
MOST = 10**17  # of ten-thousandths that one line holds
PARTS = literal_column("100000000", BigInteger)


class InvoiceSum(db.Model):
    """By how much the invoices of one kind became more or fewer. `due_on` only of those that are open."""

    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str]
    standing: Mapped[str]
    source: Mapped[str]
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))
    due_on: Mapped[date | None] = mapped_column(Date)
    count: Mapped[int]
    total: Mapped[Decimal] = mapped_column(ExactDecimal)
    left: Mapped[Decimal] = mapped_column(ExactDecimal)


class Kind(NamedTuple):
    currency: str
    standing: str
    source: str
    connection_id: int | None
    due_on: date | None


class Amounts(NamedTuple):
    number: int
    total: Decimal
    left: Decimal


kept = InvoiceSum.__table__.c
_LINES = insert(InvoiceSum)
_WATCHED = ("currency", "source", "connection_id", "due_on", "total", "paid", "paid_at", "voided_at")
_invoice = Invoice.__table__.c


@event.listens_for(Invoice, "after_insert")
def _made(_mapper: Any, connection: Connection, invoice: Invoice) -> None:
    _note(connection, (), [_of({name: getattr(invoice, name) for name in _WATCHED})])


@event.listens_for(Invoice, "after_update")
def _changed(_mapper: Any, connection: Connection, invoice: Invoice) -> None:
    attributes: Any = inspect(invoice).attrs
    now = {name: getattr(invoice, name) for name in _WATCHED}
    old = {name: attributes[name].history.deleted for name in _WATCHED}
    if any(old.values()):
        before = {name: old[name][0] if old[name] else value for name, value in now.items()}
        _note(connection, [_of(before)], [_of(now)])


@event.listens_for(Invoice, "after_delete")
def _gone(_mapper: Any, connection: Connection, invoice: Invoice) -> None:
    _note(connection, [_of({name: getattr(invoice, name) for name in _WATCHED})], ())


def _of(facts: Mapping[str, Any]) -> tuple[Kind, Amounts]:
    total, paid = facts["total"], facts["paid"] or Decimal(0)
    if facts["voided_at"] is not None:
        standing = VOIDED
    elif facts["paid_at"] is not None:
        standing = PAID
    else:
        standing = PART_PAID if paid > 0 else ISSUED
    is_open = standing in OPEN
    kind = Kind(
        facts["currency"], standing, str(facts["source"]), facts["connection_id"], facts["due_on"] if is_open else None
    )
    return kind, Amounts(1, total, total - paid if is_open else Decimal(0))


def _note(
    connection: Connection, before: Iterable[tuple[Kind, Amounts]], after: Iterable[tuple[Kind, Amounts]]
) -> None:
    sums = _Sums()
    for kind, amounts in before:
        sums.add(kind, amounts, -1)
    for kind, amounts in after:
        sums.add(kind, amounts)
    if lines := list(sums.lines()):
        connection.execute(_LINES, lines)


class _Sums:
    """Amounts by kind; those that come to nothing are none."""

    def __init__(self) -> None:
        self.held: dict[Kind, list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])

    def add(self, kind: Kind, amounts: Amounts, sign: int = 1) -> None:
        held = self.held[kind]
        held[0] += sign * amounts.number
        held[1] += sign * amounts.total
        held[2] += sign * amounts.left

    def amounts(self) -> dict[Kind, Amounts]:
        return {kind: Amounts(*held) for kind, held in self.held.items() if any(held)}

    def lines(self) -> Iterator[dict[str, Any]]:
        """One for each kind, or several where the amounts are more than a line holds."""
        for kind, (count, total, left) in self.amounts().items():
            for whole, rest in _in_pieces(total, left):
                yield {**kind._asdict(), "count": count, "total": whole, "left": rest}
                count = 0


def _in_pieces(total: Decimal, left: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
    most = MOST / ExactDecimal.SCALE
    while True:
        whole, rest = (max(min(amount, most), -most) for amount in (total, left))
        yield whole, rest
        total, left = total - whole, left - rest
        if not (total or left):
            return


def fold(today: date) -> int:
    """Put the lines together, one for each kind; gives how many there were. `today` is a day of the firm's calendar.

    Exact whoever else adds lines meanwhile: what is put together is what this takes away.
    """
    _hold("SHARE UPDATE EXCLUSIVE")  # which those who add lines do not mind
    horizon, sums = today - KEEPS_DAYS, _Sums()
    taken = delete(InvoiceSum).returning(*_COLUMNS).execution_options(synchronize_session=False)
    rows = db.session.execute(taken).all()
    for row in rows:
        kind = Kind(*row[:5])
        if kind.due_on is not None and kind.due_on < horizon:
            kind = kind._replace(due_on=LONG_AGO)
        sums.add(kind, Amounts(*row[5:]))
    _write(sums)
    return len(rows)


def recount(today: date) -> bool:
    """Make the lines anew from the invoices. True when they were wrong. Whoever issues or settles waits meanwhile."""
    _hold("SHARE ROW EXCLUSIVE")
    before, after = _Sums(), _Sums()
    for row in db.session.execute(delete(InvoiceSum).returning(*_COLUMNS).execution_options(synchronize_session=False)):
        before.add(Kind(*row[:5]), Amounts(*row[5:]))
    for row in db.session.execute(_counting()):
        after.add(Kind(*row[:5]), Amounts(row[5], joined(*row[6:8]), joined(*row[8:10])))
    _write(after)
    return _as_of(before, today) != _as_of(after, today)


def _as_of(sums: _Sums, today: date) -> dict[Kind, Amounts]:
    """With all that are overdue as one, as `fold` may have left them."""
    found = _Sums()
    for kind, amounts in sums.amounts().items():
        is_overdue = kind.due_on is not None and kind.due_on < today
        found.add(kind._replace(due_on=LONG_AGO) if is_overdue else kind, amounts)
    return found.amounts()


_COLUMNS: tuple[Column[Any], ...] = (
    kept.currency, kept.standing, kept.source, kept.connection_id, kept.due_on, kept.count, kept.total, kept.left,
)  # fmt: skip


def _hold(mode: str) -> None:
    """Nobody folds or recounts at the same time. On SQLite, whoever writes is alone anyway."""
    db.session.flush()
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text(f"LOCK TABLE invoice_sum IN {mode} MODE"))


def _write(sums: _Sums) -> None:
    if lines := list(sums.lines()):
        db.session.execute(_LINES, lines)


def _counting() -> Select[Any]:
    """What there is by kind, counted in the table of invoices."""
    standing = case(
        (_invoice.voided_at.is_not(None), literal(VOIDED)), (_invoice.paid_at.is_not(None), literal(PAID)),
        (_invoice.paid > literal_column("0"), literal(PART_PAID)), else_=literal(ISSUED),
    )  # fmt: skip
    is_open = _invoice.paid_at.is_(None) & _invoice.voided_at.is_(None)
    total, paid = (type_coerce(one, BigInteger) for one in (_invoice.total, _invoice.paid))
    each = select(
        _invoice.currency, standing.label("standing"), type_coerce(_invoice.source, Text).label("source"),
        _invoice.connection_id, case((is_open, _invoice.due_on), else_=None).label("due_on"), total.label("total"),
        case((is_open, total - paid), else_=literal_column("0", BigInteger)).label("left"),
    ).subquery("each").c  # fmt: skip
    kind = (each.currency, each.standing, each.source, each.connection_id, each.due_on)
    return select(*kind, func.count(), *in_parts(each.total), *in_parts(each.left)).group_by(*kind)


@lru_cache(maxsize=64)
def summing(standing: str, with_voided: bool, given: tuple[str, ...]) -> Select[Any]:
    """By currency: how many, and the total, what is left and what of that is overdue, each in parts.

    For a view narrowed by nothing else; to be filled in: `as_of`, and `app` or `source` where they are `given`.
    """
    where: list[ColumnElement[bool]] = []
    is_late = kept.due_on < bindparam("as_of", type_=Date)
    if held := {"open": OPEN, "overdue": OPEN, "part_paid": (PART_PAID,), "paid": (PAID,), "voided": (VOIDED,)}.get(
        standing
    ):
        where.append(kept.standing.in_(held))
    elif not with_voided:
        where.append(kept.standing != VOIDED)
    where += [is_late] if standing == "overdue" else []
    where += [kept.connection_id == bindparam("app")] if "app" in given else []
    where += [kept.source == bindparam("source", type_=Text)] if "source" in given else []
    total, left = (type_coerce(one, BigInteger) for one in (kept.total, kept.left))
    sums = [*in_parts(total), *in_parts(left), *in_parts(left, is_late)]
    return select(kept.currency, func.sum(kept.count), *sums).where(*where).group_by(kept.currency)


def in_parts(amount: ColumnElement[Any], which: ColumnElement[bool] | None = None) -> list[ColumnElement[Any]]:
    """The sum of an amount, or of those of `which`, as its high and its low part: no sum is too large for a column."""
    sums = [func.sum(part) for part in (amount // PARTS, amount % PARTS)]
    return [one if which is None else one.filter(which) for one in sums]


def joined(high: Any, low: Any) -> Decimal:
    """An amount whose sum was read `in_parts`."""
    return Decimal(int(high or 0) * 100_000_000 + int(low or 0)) / ExactDecimal.SCALE
