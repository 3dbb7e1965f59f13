"""Invoices on their way to a ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.adapters.base import NotThere
from portal.db import db
from portal.deliveries.courier import Courier
from portal.deliveries.parcels import Parcel
from portal.deliveries.trips import Arrived, Seen
from portal.domain import deliveries
from portal.domain.activity import Activity, Verb
from portal.domain.deliveries import Delivery
from portal.domain.ledgers import LedgerRecord
from portal.domain.records import InvoiceOut, LedgerInvoice

UNMARKED = "Another invoice in {app} has the number {number}: {customer}, {total} {currency}, of {day}."


class Invoices(Courier[InvoiceOut]):
    kind = deliveries.INVOICE

    @property
    def batch(self) -> int:
        return self.trip.adapter.ledger.invoice_batch

    def pack(self, rows: Sequence[Delivery]) -> list[Parcel[InvoiceOut]]:
        parcels = self.packer.invoices(rows)
        signs = self._signs_met({one.out.mark for one in parcels})
        earlier = _earlier_numbers([row.invoice_id for row in rows if row.sent_at is not None or row.attempts])
        return [
            replace(one, there=signs.get(one.out.mark, ""), earlier=earlier.get(one.what.invoice_id or 0, ()))
            for one in parcels
        ]

    def _signs_met(self, marks: Collection[str]) -> dict[str, str]:
        """Of these signs, those that reading the ledger has met on a record nobody here knows: its id there."""
        query = select(LedgerRecord.mark, LedgerRecord.remote_id).where(
            LedgerRecord.connection_id == self.trip.connection_id, LedgerRecord.invoice_id.is_(None),
            LedgerRecord.mark.in_(marks),
        )  # fmt: skip
        return {row.mark: row.remote_id for row in db.session.execute(query)}

    def known(self, one: Parcel[InvoiceOut]) -> Seen | None:
        """It bears our sign, whatever its number is: sent before a backup was restored (fault row 10)."""
        try:
            return self._seen(one, [self.trip.adapter.fetch_invoice(self.trip.session, one.there)])
        except NotThere:
            return None

    def find(
        self, parcels: Sequence[Parcel[InvoiceOut]]
    ) -> Iterator[tuple[list[Parcel[InvoiceOut]], Callable[[Parcel[InvoiceOut]], Seen]]]:
        for asked in _by_numbers(parcels, self.trip.adapter.ledger.look_up_batch):
            found = self.trip.adapter.find_invoices(
                self.trip.session, [number for one in asked for number in (one.out.number, *one.earlier)],
                [one.out.mark for one in asked],
            )  # fmt: skip
            yield asked, lambda one, found=found: self._seen(one, found)  # type: ignore[misc]  # bound now, on purpose

    def _seen(self, one: Parcel[InvoiceOut], found: Sequence[LedgerInvoice]) -> Seen:
        known = deliveries.recognise(one.out, found, one.earlier)
        if known.ours is not None:
            if (holder := self._holder(known.ours.remote_id, one.id)) is not None:
                return Seen(clash=f"The record {known.ours.remote_id} is another invoice of ours: {holder}.")
            there = self.arrived(one, known.ours)
            more = f"{len(known.extra) + 1} invoices there carry its sign" if known.extra else ""
            return Seen(there._replace(differs="; ".join(filter(None, (there.differs, more)))))
        if known.other is None:
            return Seen()
        other = known.other
        return Seen(
            clash=UNMARKED.format(
                app=self.trip.app, number=other.number, customer=other.customer_name or "a customer it does not name",
                total=other.total, currency=other.currency, day=other.issued_on or "a day it does not name",
            )
        )  # fmt: skip

    def _holder(self, remote_id: str, delivery_id: int) -> int | None:
        """Another delivery that came to this record."""
        return db.session.scalar(
            select(Delivery.invoice_id).where(
                Delivery.connection_id == self.trip.connection_id, Delivery.kind == self.kind,
                Delivery.remote_id == remote_id, Delivery.id != delivery_id,
            )
        )  # fmt: skip

    def create(self, outs: Sequence[InvoiceOut]) -> Sequence[Any]:
        return self.trip.adapter.create_invoices(self.trip.session, outs)

    def arrived(self, parcel: Parcel[InvoiceOut], answer: LedgerInvoice) -> Arrived:
        differs = deliveries.differences(parcel.out, answer)
        return Arrived(answer.remote_id, answer.number or parcel.out.number, answer.web_url, differs)

    def after(self, parcels: Sequence[tuple[Parcel[InvoiceOut], Arrived]], now: datetime) -> None:
        trip = self.trip
        rows = {}
        if any(there.differs for _one, there in parcels):
            rows = {one.id: one for one in db.session.scalars(
                select(Delivery).where(Delivery.id.in_([one.id for one, there in parcels if there.differs]))
            )}  # fmt: skip
        for one, there in parcels:
            if there.differs:
                one.what.record(
                    Verb.INVOICE_DIFFERS_THERE, rows[one.id], by=trip.by, now=now, app=trip.app, how=there.differs
                )
        arrived = [one.what.invoice_id for one, _there in parcels if one.what.invoice_id is not None]
        deliveries.wake_payments(trip.connection_id, arrived, now)


def _earlier_numbers(invoice_ids: Collection[int | None]) -> dict[int, tuple[str, ...]]:
    """Numbers these invoices had before: a call whose answer was lost may have gone out under one of them."""
    if not invoice_ids:
        return {}
    query = select(Activity.invoice_id, Activity.facts).where(
        Activity.verb == Verb.INVOICE_RENUMBERED, Activity.invoice_id.in_(invoice_ids)
    )
    found: dict[int, tuple[str, ...]] = {}
    for row in db.session.execute(query.order_by(Activity.id)):
        found[row.invoice_id] = (*found.get(row.invoice_id, ()), str(row.facts["old"]))
    return found


def _by_numbers(parcels: Sequence[Parcel[InvoiceOut]], size: int) -> Iterator[list[Parcel[InvoiceOut]]]:
    """In turns of at most so many numbers."""
    turn: list[Parcel[InvoiceOut]] = []
    many = 0
    for one in parcels:
        if turn and many + 1 + len(one.earlier) > size:
            yield turn
            turn, many = [], 0
        turn.append(one)
        many += 1 + len(one.earlier)
    if turn:
        yield turn
