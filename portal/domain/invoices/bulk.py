"""The same act on many invoices: each for itself, so that one that cannot does not stop the others (IN-32, CL-15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from portal.db import db
from portal.domain import connections
from portal.domain.activity import Actor
from portal.domain.invoices.finding import by_ids
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.paying import CannotSettle, mark_paid, set_unpaid
from portal.domain.invoices.voiding import CannotVoid, void


@dataclass
class Outcome:
    """What became of each: `done` in the order asked, `refused` with the reason, `there` the apps to void them in."""

    done: list[Invoice] = field(default_factory=list)
    refused: list[tuple[Invoice, str]] = field(default_factory=list)
    there: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Foreseen:
    """What an act would come to for one invoice. `why_not` empty: it can be done; `there` names the app it is in."""

    invoice: Invoice
    why_not: str = ""
    there: str = ""


def foresee(invoice_ids: Sequence[int], *, voiding: bool) -> list[Foreseen]:
    """For each what marking it as paid, or voiding it, would come to now; nothing is changed. Two queries."""
    from portal.domain import deliveries  # it imports this package

    found = by_ids(sorted(set(invoice_ids)))
    rows = deliveries.of_many([one.id for one in found])
    return [_foreseen(one, rows.get(one.id, []), voiding=voiding) for one in found]


def _foreseen(invoice: Invoice, rows: Sequence[Any], *, voiding: bool) -> Foreseen:
    from portal.domain.deliveries import DeliveryState  # it imports this package

    there = next((connections.label(row.connection) for row in rows if row.state == DeliveryState.DELIVERED), "")
    unsure = next((row for row in rows if row.state in (DeliveryState.SENDING, DeliveryState.UNKNOWN)), None)
    if invoice.voided_at is not None:
        return Foreseen(invoice, "it was voided already", there)
    if invoice.paid_at is not None:
        return Foreseen(invoice, "it is paid already", there)
    if voiding and invoice.paid > 0:
        return Foreseen(invoice, "something was paid on it; take the payment back first", there)
    if voiding and unsure is not None:
        app = connections.label(unsure.connection)
        return Foreseen(invoice, f"whether it has reached {app} is being found out; try again in a few minutes", there)
    return Foreseen(invoice, there=there)


def set_many_unpaid(invoice_ids: Sequence[int], *, by: Actor, now: datetime) -> Outcome:
    """Each as `set_unpaid`, in the caller's transaction."""

    def take_back(invoice: Invoice, _outcome: Outcome) -> None:
        set_unpaid(invoice, by=by, now=now)

    return _each(invoice_ids, take_back)


def mark_many_paid(
    invoice_ids: Sequence[int],
    *,
    paid_on: date,
    method: str,
    reference: str,
    by: Actor,
    now: datetime,
    write_to_ledger: bool,
) -> Outcome:
    """Each as `mark_paid`, in the caller's transaction."""

    def pay(invoice: Invoice, _outcome: Outcome) -> None:
        mark_paid(
            invoice, paid_on=paid_on, method=method, reference=reference, by=by, now=now,
            write_to_ledger=write_to_ledger,
        )  # fmt: skip

    return _each(invoice_ids, pay)


def void_many(invoice_ids: Sequence[int], reason: str, note: str, *, by: Actor, now: datetime) -> Outcome:
    """Each as `void`, in the caller's transaction (IN-33)."""

    def end(invoice: Invoice, outcome: Outcome) -> None:
        outcome.there.update(void(invoice, reason, note, by=by, now=now).there)

    return _each(invoice_ids, end)


def _each(invoice_ids: Sequence[int], act: Callable[[Invoice, Outcome], None]) -> Outcome:
    """Locked in the order of their ids, so that two such acts never wait for each other in a circle."""
    outcome = Outcome()
    for invoice in by_ids(sorted(set(invoice_ids))):
        try:
            with db.session.begin_nested():
                act(invoice, outcome)
        except (CannotSettle, CannotVoid) as reason:
            outcome.refused.append((invoice, str(reason)))
        else:
            outcome.done.append(invoice)
    return outcome
