"""What would keep coming invoices from their ledger: every client, ledger and kind of line is looked at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import select

from portal.db import db
from portal.domain import billing, invoices, money
from portal.domain.apps import ClientLink, Connection, Finding, LinkState, OutgoingClient
from portal.domain.billing import Group
from portal.domain.clients import Client
from portal.domain.ledgers import Chooser, Mapping, Problem
from portal.domain.outgoing import STUCK
from portal.domain.rehearsal.lines import MANY, Planned


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


class Inspector:
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
            why = (link.broken_why or "its record cannot be used").rstrip(".")
            yield Problem("customer_gone", f"The link of {who.name} to {app} is broken: {why}.", "client", who.id)
        elif link is not None and link.choices:
            for problem in books.mapping.options_gone(link.choices, who.name):
                yield replace(problem, id=who.id)
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
    query = select(
        ClientLink.client_id, ClientLink.connection_id, ClientLink.state, ClientLink.broken_why, ClientLink.choices
    )
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


def clients_of(ids: Collection[int]) -> dict[int, Who]:
    query = select(Client.id, Client.name, Client.created_at, Client.archived_at)
    if len(ids) <= MANY:
        query = query.where(Client.id.in_(ids))
    return {row[0]: Who(*row) for row in db.session.execute(query)}
