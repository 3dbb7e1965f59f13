"""Numbers without gaps or doubles: taken in the transaction of what carries them, and given back when it is undone.

Whoever takes a number holds the series until the transaction ends, so others wait; that is what makes it gapless.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.invoices.models import Invoice, NumberSeries

INVOICE = "invoice"
FRESH = {"invoice": ("INV-", 4), "proposal": ("PROP-", 0)}  # prefix and digits of a series nobody has set up
LONGEST = 9  # digits


class NumberUsed(ValueError):
    """Another invoice here carries this number already."""


def take_number(kind: str) -> str:
    """The next number as it is written: INV-0001. Of an invoice, one that no invoice here carries.

    A number that an invoice brought along, from a ledger or by hand, is passed over: it is in use, not missing.
    """
    while True:
        found = _written(*_take(kind))
        if kind != INVOICE or not _is_used(found):
            return found


def take_next(kind: str) -> int:
    """As `take_number`, without prefix and zeros, for kinds that keep the bare number."""
    return _take(kind)[2]


def next_number(kind: str) -> str:
    """What the next one will be called, as far as can be told now; nothing is taken."""
    columns = (NumberSeries.prefix, NumberSeries.width, NumberSeries.next)
    row = db.session.execute(select(*columns).where(NumberSeries.kind == kind)).one_or_none()
    return _written(*row) if row else _written(*FRESH[kind], 1)


def written_like(kind: str, number: int) -> str:
    """The bare number as this series writes it today."""
    row = db.session.execute(
        select(NumberSeries.prefix, NumberSeries.width).where(NumberSeries.kind == kind)
    ).one_or_none()
    prefix, width = row or FRESH[kind]
    return _written(prefix, width, number)


def change_series(kind: str, *, prefix: str, width: int, following: int, by: Actor, now: datetime) -> None:
    """From now on numbers look like this and go on from `following`. Raises ValueError for what cannot be a number."""
    if not prefix.isascii() or not prefix.isprintable() or len(prefix) > 10:
        raise ValueError("A prefix has at most ten plain letters, digits and signs.")
    if not 0 <= width <= LONGEST or not 1 <= following < 10**LONGEST:
        raise ValueError(f"A number has at most {LONGEST} digits and begins with 1 or more.")
    _begin(kind)
    series = db.session.get(NumberSeries, kind, with_for_update=True, populate_existing=True)
    if series is None:
        raise ValueError(f"There is no series of numbers called {kind}.")
    old = _written(series.prefix, series.width, series.next)
    series.prefix, series.width, series.next = prefix, width, following
    new = _written(prefix, width, following)
    if new != old:
        label = f"Next {kind} number"
        changes = [{"field": f"{kind}_number", "label": label, "old": old, "new": new}]
        activity.record(Verb.FIRM_CHANGED, by=by, now=now, changes=changes, what=label)


def rename_number(invoice: Invoice, *, by: Actor, now: datetime, reason: str, number: str = "") -> str:
    """Give the invoice the next free number, or the one a person chose; gives the new one (fault row 94).

    For a number that the ledger has already given to somebody else's invoice: that one is left alone. Raises
    `NumberUsed` when an invoice here has the number, ValueError when ours stands in the ledger under its number.
    """
    from portal.domain.deliveries import Delivery, DeliveryState  # it imports this package

    of_this = select(Delivery.id).where(Delivery.invoice_id == invoice.id)
    if db.session.scalar(of_this.where(Delivery.state == DeliveryState.DELIVERED).limit(1)):
        raise ValueError(f"Invoice {invoice.number} is in the ledger under this number, so it keeps it.")
    # In somebody's hand it may go out under the old number at this very moment.
    under_way = or_(Delivery.state.in_((DeliveryState.SENDING, DeliveryState.UNKNOWN)), Delivery.lease_until >= now)
    if db.session.scalar(of_this.where(under_way).limit(1)):
        raise ValueError(f"Invoice {invoice.number} may have reached the ledger. Wait until that is known.")
    new = number.strip() or take_number(INVOICE)
    if new == invoice.number:
        return new
    if _is_used(new):
        raise NumberUsed(f"The number {new} belongs to another invoice here.")
    old = invoice.number
    try:
        with db.session.begin_nested():
            invoice.number = new
            invoice.version += 1
    except IntegrityError as clash:
        raise NumberUsed(f"The number {new} belongs to another invoice here.") from clash
    activity.record(
        Verb.INVOICE_RENUMBERED, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id,
        old=old, new=new, reason=reason,
    )  # fmt: skip
    return new


def _take(kind: str) -> tuple[str, int, int]:
    """Prefix, width and the number itself; the series is locked until the transaction ends."""
    statement = (
        update(NumberSeries)
        .where(NumberSeries.kind == kind)
        .values(next=NumberSeries.next + 1)
        .returning(NumberSeries.prefix, NumberSeries.width, NumberSeries.next)
        .execution_options(synchronize_session=False)
    )
    row = db.session.execute(statement).one_or_none()
    if row is None:
        _begin(kind)
        row = db.session.execute(statement).one()
    return row.prefix, row.width, row.next - 1


def _begin(kind: str) -> None:
    """Make the series if there is none; whoever does it at the same time makes the same one."""
    prefix, width = FRESH[kind]
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    values = {"kind": kind, "prefix": prefix, "width": width, "next": 1}
    db.session.execute(insert(NumberSeries).values(values).on_conflict_do_nothing())


def _written(prefix: str, width: int, number: int) -> str:
    return f"{prefix}{number:0{width}d}" if width else f"{prefix}{number}"


def _is_used(number: str) -> bool:
    return db.session.scalar(select(Invoice.id).where(Invoice.number == number).limit(1)) is not None
