"""A rehearsal: the invoices that will come on some days, and what would keep them from their ledger. Writes nothing.

All of it is read with a handful of queries and put together in memory, however many services there are.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from sqlalchemy import select

from portal.db import db
from portal.domain import billing, claims, ledgers, money
from portal.domain.apps import Connection
from portal.domain.billing import Group
from portal.domain.ledgers import Problem
from portal.domain.library import TaxRate
from portal.domain.records import TaxMode
from portal.domain.rehearsal import lines as reading
from portal.domain.rehearsal.inspecting import Inspector, ToCome, Who, clients_of
from portal.domain.rehearsal.lines import Planned

__all__ = ["AHEAD", "Planned", "Rehearsal", "ToCome", "Who", "expected_problems", "preview", "rehearse"]

AHEAD = "billing-ahead"  # the job that rehearses the next day; its claim keeps what came of it


@dataclass
class Rehearsal:
    """What the billing of some days will be. `troubled` are those of `invoices` that have a problem."""

    day_from: date
    day_to: date
    invoices: list[ToCome] = field(default_factory=list)
    percents: dict[int, Decimal] = field(default_factory=dict)

    @cached_property
    def troubled(self) -> list[ToCome]:
        return [one for one in self.invoices if one.problems]

    @cached_property
    def sums(self) -> dict[str, Decimal]:
        """Currency -> all of it before tax."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for one in self.invoices:
            found[one.group.currency] += one.subtotal or Decimal(0)
        return dict(sorted(found.items()))

    @cached_property
    def problems(self) -> list[tuple[Problem, Connection | None, list[ToCome]]]:
        """Each problem once, with the ledger it is about and the invoices it keeps; the most troublesome first."""
        held: dict[tuple[int | None, Problem], list[ToCome]] = {}
        for one in self.troubled:
            for problem in one.problems:
                held.setdefault((one.ledger.id if one.ledger else None, problem), []).append(one)
        found = [(problem, kept[0].ledger, kept) for (_ledger, problem), kept in held.items()]
        return sorted(found, key=lambda each: -len(each[2]))

    def totals_of(self, one: ToCome) -> money.Totals | None:
        """With tax, as it will be issued; None where its lines cannot be added up."""
        lines = one.group.items
        try:
            return money.total_up(
                [self._line(line) for line in lines], mode=TaxMode.EXCLUSIVE,
                rounding=ledgers.rounding_of(one.ledger), currency=one.group.currency,
            )  # fmt: skip
        except money.NotAllowed:
            return None

    def _line(self, line: Planned) -> money.Line:
        off = money.discount_of(line.quantity, line.price, line.discount, line.discount_is_percent, line.currency)
        percent = self.percents.get(line.tax_rate_id or 0, Decimal(0))
        return money.Line(line.quantity, line.price, off, percent, str(line.tax_rate_id or ""))


def rehearse(
    day_from: date, day_to: date, clients: Collection[int] | None = None, *, today: date | None = None
) -> Rehearsal:
    """The billing of these days, both included, as it will be if nothing is changed. Of these clients; None: of all.

    What was due before `day_from` counts as billed by then, unless `day_from` is `today`: then it is still to come.
    """
    first = date.min if today is not None and day_from <= today else day_from
    with _without_tidying_up():
        lines = [*reading.periods(first, day_to, clients), *reading.items(first, day_to, clients)]
        return _rehearsed(Rehearsal(day_from, day_to), billing.group(lines))


def preview(lines: Iterable[Planned], on: date) -> Rehearsal:
    """What these lines become when they are invoiced together on one day."""
    return _rehearsed(Rehearsal(on, on), billing.group(line._replace(due_on=on) for line in lines))


def _rehearsed(found: Rehearsal, groups: list[Group[Planned]]) -> Rehearsal:
    inspector = Inspector(clients_of({group.client_id for group in groups}))
    found.percents = _percents()
    found.invoices = [inspector.look_at(group) for group in groups]
    return found


@contextmanager
def _without_tidying_up() -> Iterator[None]:
    """Everything made here is needed until the answer stands; looking it over for garbage again and again, as Python
    does when much is made at once, costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def expected_problems(day: date) -> int | None:
    """How many invoices of this day had a problem when it was last rehearsed by itself; None: it was not yet."""
    query = select(claims.JobClaim).where(claims.JobClaim.job == AHEAD, claims.JobClaim.due == day.isoformat())
    held = db.session.scalar(query)
    return None if held is None or held.ended_at is None else int(held.problem or 0)


def _percents() -> dict[int, Decimal]:
    return {row.id: row.percent for row in db.session.execute(select(TaxRate.id, TaxRate.percent))}
