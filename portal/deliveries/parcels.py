"""What goes out, put into the ledger's words: invoices and payments as adapters take them.

Reading for a whole batch at once: a handful of queries, whatever its size.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.db import db
from portal.domain import deliveries, ledgers, mail
from portal.domain.apps import ClientLink, Connection, LinkState
from portal.domain.clients import Client
from portal.domain.deliveries import Carried, Delivery, DeliveryState
from portal.domain.invoices import Invoice, Payment
from portal.domain.records import InvoiceLineOut, InvoiceOut, PaymentOut, TaxMode
from portal.domain.schedule.models import PayBy

Out = TypeVar("Out", InvoiceOut, PaymentOut)


@dataclass(frozen=True)
class Parcel(Generic[Out]):
    """One delivery ready to go, or to be looked for. `problem`: (cause, why) that keeps it from going.

    `is_uncertain`: an earlier call may have created it. `went`: a call was made at some time, whatever it came to.
    `earlier`: other numbers it may stand there under. `there`: its id, where reading the ledger has shown ours already.
    """

    id: int
    out: Out
    what: Carried
    by: str
    is_uncertain: bool
    went: bool
    problem: tuple[str, str] | None = None
    earlier: tuple[str, ...] = ()
    there: str = ""

    def under(self, key: str) -> Parcel[Out]:
        """The same under another key, nothing being uncertain any more."""
        return replace(self, out=replace(self.out, key=key), is_uncertain=False, went=False)


@dataclass
class Packer:
    """Reads once what all parcels of a connection need."""

    connection_id: int
    app: str
    public_url: str = ""

    def invoices(self, rows: Sequence[Delivery]) -> list[Parcel[InvoiceOut]]:
        """In the order of the rows."""
        connection = db.session.get_one(Connection, self.connection_id)
        mapping = ledgers.Mapping.read(connection)
        found = self._invoices({row.invoice_id for row in rows if row.invoice_id})
        links = self._links({row.client_id for row in rows})
        what = deliveries.carried(rows)
        mailed = _Mailed.read(rows)
        return [
            mailed.said_of(
                self._invoice(row, found[row.invoice_id or 0], links.get(row.client_id), mapping, what[row.id]), row
            )
            for row in rows
        ]

    def _invoice(
        self, row: Delivery, invoice: Invoice, link: ClientLink | None, mapping: ledgers.Mapping, what: Carried
    ) -> Parcel[InvoiceOut]:
        problem: tuple[str, str] | None = None
        lines: tuple[InvoiceLineOut, ...] = ()
        if invoice.voided_at is not None:
            problem = ("voided", "it was voided here before it was sent")
        elif link is None or link.state != LinkState.LINKED:
            why = deliveries.missing_customer(invoice.client, mapping.connection)
            problem = ("customer", why)
        else:
            try:
                tracking = {str(key): str(value) for key, value in (link.choices or {}).items()}
                lines = ledgers.lines_out(invoice, mapping.connection, mapping=mapping, tracking=tracking)
            except ledgers.NotMapped as missing:
                problem = ("mapping", str(missing))
        url = f"{self.public_url}/invoices/{invoice.id}" if self.public_url else ""
        out = replace(_invoice_out(row, invoice, link, mapping.settings, lines), url=url)
        return Parcel(row.id, out, what, row.asked_by, _is_uncertain(row), row.sent_at is not None, problem)

    def payments(self, rows: Sequence[Delivery]) -> list[Parcel[PaymentOut]]:
        """As `invoices`. One whose invoice is not there yet has a problem of the cause 'invoice'."""
        connection = db.session.get_one(Connection, self.connection_id)
        settings = ledgers.settings_of(connection)
        query = select(Payment).where(Payment.id.in_({row.payment_id for row in rows}))
        found = {one.id: one for one in db.session.scalars(query.options(joinedload(Payment.invoice)))}
        links = self._links({row.client_id for row in rows})
        what = deliveries.carried(rows)
        made = []
        for row in rows:
            payment, link = found[row.payment_id or 0], links.get(row.client_id)
            remote_id = deliveries.remote_invoice(payment.invoice_id, connection.id)
            problem = None if remote_id else ("invoice", f"Invoice {payment.invoice.number} is not in {self.app} yet.")
            if payment.reversed_at is not None:
                problem = ("voided", "it was taken back here before it was sent")
            if problem is None and connection.ways.ledger and connection.ways.ledger.pay_into_needed:
                missing = f"No account of {self.app} is chosen that payments go to."
                problem = None if settings.pay_into else ("mapping", missing)
            out = PaymentOut(
                key=row.key, mark=row.mark, invoice_id=remote_id or "", invoice_key=payment.invoice.mark,
                customer_id=link.remote_id if link else "", customer_key=_key_of(link), amount=payment.amount,
                currency=payment.currency, paid_on=payment.paid_on, method=payment.method,
                reference=payment.reference, into_id=settings.pay_into,
            )  # fmt: skip
            uncertain, went = _is_uncertain(row), row.sent_at is not None
            there = payment.remote_id if payment.connection_id == connection.id else None
            made.append(Parcel(row.id, out, what[row.id], row.asked_by, uncertain, went, problem, there=there or ""))
        return made

    def _invoices(self, ids: Collection[int]) -> dict[int, Invoice]:
        query = (
            select(Invoice)
            .where(Invoice.id.in_(ids))
            .options(selectinload(Invoice.lines), joinedload(Invoice.client).selectinload(Client.contacts))
        )
        return {one.id: one for one in db.session.scalars(query)}

    def _links(self, client_ids: Collection[int]) -> dict[int, ClientLink]:
        query = select(ClientLink).where(
            ClientLink.connection_id == self.connection_id, ClientLink.client_id.in_(client_ids)
        )
        return {one.client_id: one for one in db.session.scalars(query)}


@dataclass(frozen=True)
class _Mailed:
    """What mail means for invoices on their way: to whom it goes by itself, and about which it has gone."""

    wanting: frozenset[int]  # clients
    gone: frozenset[int]  # invoices

    @classmethod
    def read(cls, rows: Sequence[Delivery]) -> _Mailed:
        if not mail.is_on():
            return cls(frozenset(), frozenset())
        wanting = mail.wanting({row.client_id for row in rows}, mail.MailKind.INVOICE)
        return cls(frozenset(wanting), frozenset(mail.gone_out([row.invoice_id for row in rows if row.invoice_id])))

    def said_of(self, parcel: Parcel[InvoiceOut], row: Delivery) -> Parcel[InvoiceOut]:
        """What the client gets, or has got, from us is no draft in the ledger (XE-03), and was sent (XE-05)."""
        gone = row.invoice_id in self.gone
        approved = parcel.out.approved or gone or row.client_id in self.wanting
        return replace(parcel, out=replace(parcel.out, approved=approved, sent=gone))


def _is_uncertain(row: Delivery) -> bool:
    return row.state in (DeliveryState.UNKNOWN, DeliveryState.SENDING)


def _invoice_out(
    row: Delivery, invoice: Invoice, link: ClientLink | None, settings: Any, lines: tuple[InvoiceLineOut, ...]
) -> InvoiceOut:
    client, contact = invoice.client, invoice.client.default_contact
    automatic = invoice.pay_by == PayBy.AUTOMATIC
    return InvoiceOut(
        key=row.key, mark=row.mark, number=invoice.number, customer_id=link.remote_id if link else "",
        customer_key=_key_of(link), customer_name=client.name, email=contact.email if contact else "",
        address=client.postal_address if any(client.postal_address.parts()) else client.address,
        issued_on=invoice.issued_on, due_on=invoice.due_on, currency=invoice.currency,
        tax_mode=TaxMode(invoice.tax_mode), lines=lines, net=_plain(invoice.net), tax=_plain(invoice.tax),
        total=_plain(invoice.total), reference=invoice.reference, memo=invoice.memo,
        approved=not settings.as_drafts, branding_id=settings.branding_automatic if automatic
        else settings.branding_manual, term_id=settings.term,
    )  # fmt: skip


def _key_of(link: ClientLink | None) -> str:
    """What the customer was created under from here; empty when it was not."""
    return (link.created_as if link else None) or ""


def _plain(value: Decimal) -> Decimal:
    return value if value else Decimal(0)
