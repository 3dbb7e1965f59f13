"""Invoices on their way to a ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.deliveries.courier import Arrived, Courier, Seen
from portal.deliveries.parcels import Parcel
from portal.domain import deliveries
from portal.domain.activity import Verb
from portal.domain.deliveries import Delivery
from portal.domain.records import InvoiceOut, LedgerInvoice

MARKED = "its number there is used by an invoice that carries another sign: {number}, {total} {currency}"
UNMARKED = "Another invoice in {app} has the number {number}: {customer}, {total} {currency}, of {day}."


class Invoices(Courier[InvoiceOut]):
    kind = deliveries.INVOICE

    @property
    def batch(self) -> int:
        return self.trip.adapter.ledger.invoice_batch

    def pack(self, rows: Sequence[Delivery]) -> list[Parcel[InvoiceOut]]:
        return self.packer.invoices(rows)

    def find(
        self, parcels: Sequence[Parcel[InvoiceOut]]
    ) -> Iterator[tuple[list[Parcel[InvoiceOut]], Callable[[Parcel[InvoiceOut]], Seen]]]:
        size = self.trip.adapter.ledger.look_up_batch
        for start in range(0, len(parcels), size):
            asked = list(parcels[start : start + size])
            found = self.trip.adapter.find_invoices(
                self.trip.session, [one.out.number for one in asked], [one.out.mark for one in asked]
            )
            yield asked, lambda one, found=found: self._seen(one, found)  # type: ignore[misc]  # bound now, on purpose

    def _seen(self, one: Parcel[InvoiceOut], found: Sequence[LedgerInvoice]) -> Seen:
        known = deliveries.recognise(one.out, found)
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
