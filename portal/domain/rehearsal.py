"""A rehearsal: the invoices that will come on some days, and what would keep them from their ledger. Writes nothing.

All of it is read with a handful of queries and put together in memory, however many services there are.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Text, select, type_coerce

from portal.db import db
from portal.domain import billing, claims, invoices, ledgers, money, schedule
from portal.domain.apps import ClientLink, Connection, Finding, LinkState, OutgoingClient
from portal.domain.billing import Group
from portal.domain.clients import Client
from portal.domain.ledgers import Chooser, Mapping, Problem
from portal.domain.library import TaxRate
from portal.domain.outgoing import STUCK
from portal.domain.records import TaxMode
from portal.domain.schedule import BillingItem, ClientService

AHEAD = "billing-ahead"  # the job that rehearses the next day; its claim keeps what came of it
MANY = 500  # more ids than this are not named in a query; everything is read instead


class Planned(NamedTuple):
    """One line that will be billed."""

    client_id: int
    due_on: date
    pay_by: str
    reference: str
    currency: str
    name: str
    quantity: Decimal
    price: Decimal
    discount: Decimal
    discount_is_percent: bool
    tax_rate_id: int | None
    service_id: int | None


class Who(NamedTuple):
    """A client as a rehearsal needs it."""

    id: int
    name: str
    created_at: datetime
    archived_at: datetime | None


@dataclass(slots=True)
class ToCome:
    """One invoice to come. `subtotal` is before tax; None where its lines cannot be added up."""

    group: Group[Planned]
    client: Who
    ledger: Connection | None  # where it will be created; None: nowhere
    subtotal: Decimal | None
    problems: tuple[Problem, ...] = ()


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
        lines = [*_periods(first, day_to, clients), *_items(first, day_to, clients)]
        return _rehearsed(Rehearsal(day_from, day_to), billing.group(lines))


def preview(lines: Iterable[Planned], on: date) -> Rehearsal:
    """What these lines become when they are invoiced together on one day."""
    return _rehearsed(Rehearsal(on, on), billing.group(line._replace(due_on=on) for line in lines))


def _rehearsed(found: Rehearsal, groups: list[Group[Planned]]) -> Rehearsal:
    inspector = _Inspector(_clients({group.client_id for group in groups}))
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


_service = ClientService.__table__.c
_item = BillingItem.__table__.c
_LINE = ("name", "quantity", "price", "discount", "discount_is_percent", "tax_rate_id", "service_id")


def _columns(table: Any) -> list[Any]:
    front = [table.client_id, type_coerce(table.pay_by, Text), table.reference, table.currency]
    return [*front, *(table[name] for name in _LINE)]


def _periods(day_from: date, day_to: date, clients: Collection[int] | None) -> Iterator[Planned]:
    cadence = (_service.id, _service.first_on, _service.every, type_coerce(_service.cadence, Text), _service.periods,
               _service.billed_to, _service.month_day)  # fmt: skip
    query = select(*cadence, *_columns(_service)).where(_service.next_on <= day_to)
    taken_query = (
        select(_item.client_service_id, _item.period)
        .join(ClientService, _item.client_service_id == _service.id)
        .where(_service.next_on <= day_to, _item.period >= _service.billed_to)
    )
    if clients is not None:
        query = query.where(_service.client_id.in_(clients))
        taken_query = taken_query.where(_service.client_id.in_(clients))
    taken = {(row[0], row[1]) for row in db.session.execute(taken_query)}
    currency = schedule.firm_currency()
    for (
        service_id,
        *rhythm,
        client_id,
        pay_by,
        reference,
        held,
        name,
        quantity,
        price,
        off,
        in_percent,
        tax,
        entry,
    ) in db.session.execute(query):
        for n, day in _days(day_from, day_to, *rhythm):
            if (service_id, n) not in taken:
                yield Planned(client_id, day, pay_by, reference, held or currency, name, quantity, price, off,
                              in_percent, tax, entry)  # fmt: skip


@lru_cache(maxsize=4096)
def _days(
    day_from: date, day_to: date, first_on: date, every: int, unit: str, periods: int | None, start: int,
    month_day: int | None,
) -> tuple[tuple[int, date], ...]:  # fmt: skip
    """Many services share their days, because many begin on the first of a month."""
    return tuple(
        billing.periods_between(
            first_on, every, unit, day_from, day_to, periods=periods, start=start, month_day=month_day
        )
    )


def _items(day_from: date, day_to: date, clients: Collection[int] | None) -> Iterator[Planned]:
    paused = select(_service.id).where(_service.paused_at.is_not(None))
    query = select(_item.due_on, *_columns(_item)).where(
        schedule.IS_OPEN, _item.is_automatic, _item.due_on >= day_from, _item.due_on <= day_to,
        _item.client_service_id.is_(None) | _item.client_service_id.not_in(paused),
    )  # fmt: skip
    if clients is not None:
        query = query.where(_item.client_id.in_(clients))
    currency = schedule.firm_currency()
    for due_on, client_id, pay_by, reference, held, *line in db.session.execute(query):
        yield Planned(client_id, due_on, pay_by, reference, held or currency, *line)


def _clients(ids: Collection[int]) -> dict[int, Who]:
    query = select(Client.id, Client.name, Client.created_at, Client.archived_at)
    if len(ids) <= MANY:
        query = query.where(Client.id.in_(ids))
    return {row[0]: Who(*row) for row in db.session.execute(query)}


def _percents() -> dict[int, Decimal]:
    return {row.id: row.percent for row in db.session.execute(select(TaxRate.id, TaxRate.percent))}


@dataclass
class _Books:
    """A ledger as it was read once: what concerns every invoice for it, and which kinds of line it takes."""

    connection: Connection
    mapping: Mapping
    always: list[Problem]  # what stands in the way of everything
    currency: str
    lines_at_most: int
    locked_until: date | None
    fine: set[tuple[int | None, int | None]] = field(default_factory=set)  # (service, tax rate) known to be mapped

    def takes_all(self, lines: Sequence[Planned]) -> bool:
        for line in lines:
            if (line.service_id, line.tax_rate_id) not in self.fine and not self.takes(line):
                return False
        return True

    def takes(self, line: Planned) -> bool:
        key = (line.service_id, line.tax_rate_id)
        if key in self.fine:
            return True
        one = _as_billed([line])[0]
        if self.mapping.tax_of(one)[1] is None and self.mapping.target_of(one)[1] is None:
            self.fine.add(key)
            return True
        return False


class _Inspector:
    """Finds what would go wrong; looks at every client, every ledger and every kind of line once."""

    def __init__(self, who: dict[int, Who]) -> None:
        self._who = who
        self._chooser = Chooser(list(who))
        self._links = _links(who)
        self._asked = _asked(who)
        self._books: dict[int, _Books] = {}
        self._standing: dict[int, tuple[_Books | None, list[Problem]]] = {}
        self._number = len(invoices.next_number("invoice"))

    def look_at(self, group: Group[Planned]) -> ToCome:
        who = self._who[group.client_id]
        standing = self._standing.get(who.id)
        if standing is None:
            standing = self._standing[who.id] = self._stands(who)
        books, problems = standing
        subtotal, wrong = _added_up(group)
        if wrong is not None:
            problems = [*problems, wrong]
        if books is None:
            return ToCome(group, who, None, subtotal, tuple(problems))
        if not books.takes_all(group.items) or self._is_odd(group, books):
            problems = [*problems, *self._of_ledger(group, books)]
        elif books.always:
            problems = [*problems, *books.always]
        return ToCome(group, who, books.connection, subtotal, tuple(dict.fromkeys(problems)) if problems else ())

    def _stands(self, who: Who) -> tuple[_Books | None, list[Problem]]:
        """Where the client's invoices go, and what is wrong with the client."""
        ledger = self._chooser.of(who.id, who.created_at).target
        books = self._read(ledger) if ledger is not None else None
        return books, list(self._of_client(who, books))

    def _of_client(self, who: Who, books: _Books | None) -> Iterator[Problem]:
        if who.archived_at is not None:
            text = f"{who.name} is archived, and archived clients are not billed."
            yield Problem("archived", text, "client", who.id)
        if books is None:
            return
        place, app = (who.id, books.connection.id), books.mapping.app
        link = self._links.get(place)
        if link is not None and link.state == LinkState.BROKEN:
            why = link.broken_why or "its record cannot be used"
            yield Problem("customer_gone", f"The link of {who.name} to {app} is broken: {why}.", "client", who.id)
        elif link is None and (reason := self._asked.get(place)):
            text = f"It is not settled which customer of {app} {who.name} is: {reason.rstrip('.')}."
            yield Problem("customer", text, "client", who.id)

    def _is_odd(self, group: Group[Planned], books: _Books) -> bool:
        """Whether something beside its lines may keep this one invoice from the ledger."""
        if books.currency and group.currency != books.currency:
            return True
        if len(group.items) > books.lines_at_most:
            return True
        return books.locked_until is not None and group.on is not None and group.on <= books.locked_until

    def _of_ledger(self, group: Group[Planned], books: _Books) -> list[Problem]:
        lines = [line for line in group.items if not books.takes(line)]
        found = books.mapping.problems(_as_billed(lines), "", group.currency) + books.always
        app, locked = books.mapping.app, books.locked_until
        if len(group.items) > books.lines_at_most:
            text = f"{app} takes at most {books.lines_at_most} lines; this invoice will have more."
            found.append(Problem("amount_not_allowed", text, "invoice", group.client_id))
        if locked is not None and group.on is not None and group.on <= locked:
            text = f"{app} takes nothing dated {locked.isoformat()} or before: its books are locked."
            found.append(Problem("period_locked", text, "connection"))
        return found

    def _read(self, ledger: Connection) -> _Books:
        if ledger.id not in self._books:
            mapping, ways = Mapping.read(ledger), ledger.ways.ledger
            assert ways is not None  # reading its mapping has raised before
            always = mapping.problems((), "", "")
            if self._number > ways.number_length:
                text = (
                    f"{mapping.app} takes invoice numbers of at most {ways.number_length} characters; "
                    f"the next ones here have {self._number}."
                )
                always.append(Problem("number_used", text, "numbers"))
            settings = mapping.settings
            self._books[ledger.id] = _Books(
                ledger, mapping, always, settings.currency, ways.lines_at_most, settings.locked_until
            )
        return self._books[ledger.id]


def _added_up(group: Group[Planned]) -> tuple[Decimal | None, Problem | None]:
    """What it comes to before tax, and what is wrong with that."""
    try:
        subtotal = _net(group.items[0])
        for line in group.items[1:]:
            subtotal += _net(line)
    except money.NotAllowed as problem:
        return None, Problem("amount_not_allowed", str(problem), "invoice", group.client_id)
    if subtotal < 0:
        text = f"It would come to less than nothing: {money.said(subtotal, group.currency)}."
        return subtotal, Problem("amount_not_allowed", text, "invoice", group.client_id)
    return subtotal, None


@dataclass
class _Line:
    """A planned line as mappings look at one."""

    name: str
    service_id: int | None
    tax_rate_id: int | None


def _as_billed(lines: Sequence[Planned]) -> list[_Line]:
    return [_Line(line.name, line.service_id, line.tax_rate_id) for line in lines]


def _net(line: Planned) -> Decimal:
    return billing.net_of(line.quantity, line.price, line.discount, line.discount_is_percent, line.currency)


def _links(who: Collection[int]) -> dict[tuple[int, int], Any]:
    query = select(ClientLink.client_id, ClientLink.connection_id, ClientLink.state, ClientLink.broken_why)
    if len(who) <= MANY:
        query = query.where(ClientLink.client_id.in_(list(who)))
    return {(row.client_id, row.connection_id): row for row in db.session.execute(query)}


def _asked(who: Collection[int]) -> dict[tuple[int, int], str]:
    """(client, connection) -> why it is not known which record there the client is."""
    found: dict[tuple[int, int], str] = {}
    open_ones = select(Finding.connection_id, Finding.client_id, Finding.candidates, Finding.reason)
    for row in db.session.execute(open_ones.where(Finding.state == "open")):
        named = {one["client_id"] for one in row.candidates} | {row.client_id}
        found |= {(client_id, row.connection_id): row.reason for client_id in named if client_id in who}
    stuck = select(OutgoingClient.client_id, OutgoingClient.connection_id, OutgoingClient.reason)
    for row in db.session.execute(stuck.where(OutgoingClient.state.in_(STUCK))):
        if row.client_id in who:
            found[row.client_id, row.connection_id] = row.reason
    return found
