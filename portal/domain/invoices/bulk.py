"""The same act on many invoices: each for itself, so that one that cannot does not stop the others (IN-32, CL-15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from portal.db import db
from portal.domain.activity import Actor
from portal.domain.invoices.finding import by_ids
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.paying import CannotSettle, mark_paid
from portal.domain.invoices.voiding import CannotVoid, void


@dataclass
class Outcome:
    """What became of each: `done` in the order asked, `refused` with the reason, `there` the apps to void them in."""

    done: list[Invoice] = field(default_factory=list)
    refused: list[tuple[Invoice, str]] = field(default_factory=list)
    there: set[str] = field(default_factory=set)


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
