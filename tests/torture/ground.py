"""A ledger to torture: the portal connected to a stand-in, its lists read and mapped, and the counting there.

Everything that matters is counted at the stand-in: `ground.count(number)` never asks our tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select, update

from portal import deliveries as shell
from portal import receivables
from portal.db import db
from portal.domain import deliveries
from portal.domain.activity import Activity, sentence
from portal.domain.apps import CallSlot, CallWindow, OutgoingClient
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.invoices import Invoice
from portal.domain.ledgers import LedgerEntry, LedgerSettings, TaxMapping
from portal.domain.library import TaxRate
from tests.cast import make_client, make_link
from tests.cast_deliveries import SCHEDULE, make_issued
from tests.scenarios.conftest import World

LEDGERS = ("xero", "quickbooks", "digits")


@dataclass(frozen=True)
class Place:
    """How to reach one ledger's invoices at its stand-in. `writes`: calls that may create one, as paths of faults."""

    slug: str
    root: str
    writes: str
    currency: str
    pays: str


PLACES = {
    "xero": Place("xero", "xero/invoices", r"/Invoices", "NZD", r"/Payments"),
    "quickbooks": Place("quickbooks", "quickbooks/invoices", r"/(batch|invoice)$", "NZD", r"/(batch|payment)$"),
    "digits": Place("digits", "digits/invoices", r"/source/transactions", "USD", r"/source/transactions"),
}


@dataclass
class Ground:
    world: World
    place: Place
    made: int = 0

    def ready(self) -> None:
        """Read the ledger's lists and map what an invoice needs."""
        self.minute_is_over()
        assert receivables.read_lists(self.world.connection_id, datetime.now(UTC)) == ""
        connection = self.world.connection()
        connection.imported_at = connection.imported_at or datetime.now(UTC)
        ledger = connection.ways.ledger
        assert ledger is not None
        rate = TaxRate(name="GST 15 %", percent=Decimal(15), created_at=datetime.now(UTC))
        db.session.add(rate)
        db.session.flush()
        if "tax" in ledger.lists:
            tax = self._entry("tax", Decimal(15))
            db.session.add(TaxMapping(connection_id=connection.id, tax_rate_id=rate.id, remote_id=tax.remote_id))
        settings = db.session.get(LedgerSettings, connection.id)
        if settings is None:
            settings = LedgerSettings(connection_id=connection.id, creates_since=[])
            db.session.add(settings)
        settings.default_target = self._entry(ledger.target).remote_id
        settings.pay_into = self._entry("pay_into").remote_id
        settings.creates = settings.writes_payments = True
        db.session.commit()

    def _entry(self, kind: str, percent: Decimal | None = None) -> LedgerEntry:
        query = select(LedgerEntry).where(
            LedgerEntry.connection_id == self.world.connection_id, LedgerEntry.kind == kind,
            LedgerEntry.is_active, LedgerEntry.fits,
        )  # fmt: skip
        found = [one for one in db.session.scalars(query.order_by(LedgerEntry.id)) if percent in (None, one.percent)]
        assert found, f"{self.place.slug} has no {kind}"
        return found[0]

    def bill(self, client: Client) -> Delivery:
        """An invoice that nobody at the stand-in has heard of."""
        self.made += 1
        number = f"T-{self.made:05}"
        invoice = make_issued(client, self.world.connection(), "100", number=number, currency=self.place.currency)
        return deliveries.ask(invoice, self.world.connection(), by=SCHEDULE, now=datetime.now(UTC))

    def known_client(self) -> Client:
        """One that is linked to a customer there."""
        name = f"Known {self.made:05} Ltd"
        client = make_client(name)
        (remote_id,) = self.world.create_there(name)
        make_link(client, self.world.connection(), remote_id)
        db.session.commit()
        return client

    def new_client(self) -> Client:
        """One nobody there has heard of."""
        client = make_client(f"Brand New {self.made:05} Ltd")
        db.session.commit()
        return client

    # The other side

    def count(self, number: str) -> int:
        found = self._found(number)
        return len(found)

    def marks(self, number: str) -> list[str]:
        return [str(one.get("mark") or one.get("url") or one.get("note") or "") for one in self._found(number)]

    def _found(self, number: str) -> list[dict[str, Any]]:
        key = "q" if self.place.slug == "xero" else "number"
        query = f"{self.place.root}?tenant={self.world.tenant}&{key}={number}&limit=50"
        return [one for one in self.world.control.ask("GET", query) if one.get("number") == number]

    def paid(self, number: str) -> Decimal:
        """What payments on this invoice add up to there."""
        (one,) = self._found(number)
        if "paid" in one:
            return Decimal(str(one["paid"]))
        return Decimal(str(one["total"])) - Decimal(str(one["open"]))

    def spoil(self, kind: str, **values: Any) -> None:
        """The next call that writes an invoice goes wrong so."""
        self.world.control.fault(kind, vendor=self.world.side.vendor, path=self.place.writes, times=1, **values)

    def counts(self) -> dict[str, Any]:
        return dict(self.world.control.ask("GET", f"{self.place.root}/counts?tenant={self.world.tenant}&least=2"))

    def all_counts(self) -> dict[str, Any]:
        return dict(self.world.control.ask("GET", f"{self.place.root}/counts?tenant={self.world.tenant}"))

    def customers(self, name: str) -> int:
        """How many customers there have this name."""
        return sum(one == name for one in self.world.names_there())

    # Time

    def minute_is_over(self) -> None:
        """The limits of a minute begin anew, and calls that the dead had under way are over. Commits."""
        db.session.execute(delete(CallWindow))
        db.session.execute(update(CallSlot).values(held_by=None, held_until=None))
        db.session.commit()

    def minutes_pass(self) -> None:
        """Leases run out, what waits is due, and look-ups can be trusted."""
        db.session.rollback()
        past = datetime.now(UTC) - timedelta(minutes=10)
        open_rows = Delivery.state.in_(deliveries.OPEN)
        db.session.execute(update(Delivery).where(open_rows, Delivery.next_at.is_not(None)).values(next_at=past))
        db.session.execute(update(Delivery).where(Delivery.lease_by.is_not(None)).values(lease_until=past))
        db.session.execute(update(Delivery).where(open_rows, Delivery.sent_at.is_not(None)).values(sent_at=past))
        db.session.execute(update(OutgoingClient).values(next_at=past, lease_until=past))
        self.minute_is_over()

    def recovers(self, delivery_id: int, most: int = 8) -> Delivery:
        """What the portal does by itself in the minutes after, without the minutes."""
        for _round in range(most):
            self.minutes_pass()
            shell.deliver_due(datetime.now(UTC))
            db.session.expire_all()
            row = db.session.get_one(Delivery, delivery_id)
            if row.state == DeliveryState.DELIVERED:
                break
        return row


@contextmanager
def ground_of(make_world: Any, slug: str) -> Iterator[Ground]:
    with make_world(app=slug, wide=True) as world:
        ground = Ground(world, PLACES[slug])
        ground.ready()
        yield ground


def log_of(invoice: Invoice) -> list[str]:
    query = select(Activity).where(Activity.invoice_id == invoice.id).order_by(Activity.id)
    return [sentence(one) for one in db.session.scalars(query)]


def steps_of(delivery: Delivery) -> list[DeliveryAttempt]:
    query = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery.id).order_by(DeliveryAttempt.id)
    return list(db.session.scalars(query))


__all__ = ["LEDGERS", "PLACES", "Ground", "Place", "ground_of", "log_of", "steps_of"]
