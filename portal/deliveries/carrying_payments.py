"""Payments on their way to the ledger's invoice, each recorded there once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.adapters.base import AdapterError
from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.deliveries.courier import Courier
from portal.deliveries.parcels import Parcel
from portal.deliveries.trips import Arrived, Seen
from portal.domain import deliveries
from portal.domain.deliveries import Delivery
from portal.domain.invoices import Payment
from portal.domain.records import LedgerPayment, PaymentOut


class Payments(Courier[PaymentOut]):
    kind = deliveries.PAYMENT

    @property
    def batch(self) -> int:
        return self.trip.adapter.ledger.payment_batch

    def pack(self, rows: Sequence[Delivery]) -> list[Parcel[PaymentOut]]:
        return self.packer.payments(rows)

    def known(self, one: Parcel[PaymentOut]) -> Seen | None:
        """Reading the ledger has shown it, and it was matched with ours."""
        return Seen(Arrived(one.there))

    @property
    def is_protected(self) -> bool:
        """No number keeps a second payment away."""
        return self.trip.adapter.ledger.writes_by_mark

    def may_be_ours(self, error: AdapterError) -> bool:
        """Nothing left to pay, says the ledger: perhaps because ours is there (a portal restored from a backup)."""
        return isinstance(error, InvoiceRefused)

    def find(
        self, parcels: Sequence[Parcel[PaymentOut]]
    ) -> Iterator[tuple[list[Parcel[PaymentOut]], Callable[[Parcel[PaymentOut]], Seen]]]:
        """No number protects a payment, so each is looked for by the invoice it is on."""
        for one in parcels:
            if one.problem is not None and not one.out.invoice_id:
                continue
            found = self.trip.adapter.find_payments(self.trip.session, one.out)
            yield [one], lambda asked, found=found: self._seen(asked, found)  # type: ignore[misc]  # bound now

    def _seen(self, one: Parcel[PaymentOut], found: Sequence[LedgerPayment]) -> Seen:
        ids = [there.remote_id for there in found]
        known = set(
            db.session.scalars(
                select(Payment.remote_id).where(
                    Payment.connection_id == self.trip.connection_id, Payment.remote_id.in_(ids),
                    Payment.mark != one.out.mark,
                )
            )
        )  # fmt: skip
        known |= set(
            db.session.scalars(
                select(Delivery.remote_id).where(
                    Delivery.connection_id == self.trip.connection_id, Delivery.kind == self.kind,
                    Delivery.remote_id.in_(ids), Delivery.id != one.id,
                )
            )
        )  # fmt: skip
        ours = deliveries.recognise_payment(one.out, found, {str(one) for one in known})
        return Seen(Arrived(ours.remote_id)) if ours is not None else Seen()

    def create(self, outs: Sequence[PaymentOut]) -> Sequence[Any]:
        return self.trip.adapter.create_payments(self.trip.session, outs)

    def arrived(self, parcel: Parcel[PaymentOut], answer: LedgerPayment) -> Arrived:
        return Arrived(answer.remote_id)

    def after(self, parcels: Sequence[tuple[Parcel[PaymentOut], Arrived]], now: datetime) -> None:
        """Reading the ledger back then knows each of them by its id (fault row 61)."""
        by_mark = {one.out.mark: there.remote_id for one, there in parcels}
        if not by_mark:
            return
        taken = set(
            db.session.scalars(
                select(Payment.remote_id).where(
                    Payment.connection_id == self.trip.connection_id, Payment.remote_id.in_(by_mark.values())
                )
            )
        )
        for payment in db.session.scalars(select(Payment).where(Payment.mark.in_(by_mark))):
            if payment.remote_id is None and by_mark[payment.mark] not in taken:
                payment.connection_id = self.trip.connection_id
                payment.remote_id = by_mark[payment.mark]
