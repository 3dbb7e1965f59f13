"""Writing invoices and payments to QuickBooks, thirty at a time, each under its own request id.

Whether an id protects from a second writing is not certain, and numbers may stand there twice: whoever writes looks
first (`find_invoices`). What comes back is believed only when it carries our sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from portal.adapters.base import AdapterError, Rejected, Session, Unknown
from portal.adapters.quickbooks import invoice_bodies, invoice_reading, refusals, sending
from portal.adapters.quickbooks.company import Company
from portal.adapters.quickbooks.replies import NAME, Plain
from portal.adapters.quickbooks.sending import Parcel
from portal.adapters.values import NotUnderstood
from portal.domain.records import InvoiceOut, LedgerInvoice, LedgerPayment, PaymentOut
from portal.domain.text import BadText

Wanted = TypeVar("Wanted", InvoiceOut, PaymentOut)
Made = TypeVar("Made", LedgerInvoice, LedgerPayment)


@dataclass(frozen=True)
class _Kind(Generic[Wanted, Made]):
    """How one of the two is written and read."""

    entity: str
    body: Callable[[Wanted, Company], Plain]
    read: Callable[[Wanted, object, Company], Made]


def create_invoices(
    session: Session, company: Company, news: Sequence[InvoiceOut]
) -> list[LedgerInvoice | AdapterError]:
    return _create(_Kind("Invoice", invoice_bodies.new_invoice, _invoice), session, company, news)


def create_payments(
    session: Session, company: Company, news: Sequence[PaymentOut]
) -> list[LedgerPayment | AdapterError]:
    return _create(_Kind("Payment", invoice_bodies.new_payment, _payment), session, company, news)


def _create(
    kind: _Kind[Wanted, Made], session: Session, company: Company, news: Sequence[Wanted]
) -> list[Made | AdapterError]:
    """What was refused here already keeps its place; the rest goes out in one call."""
    outcomes: list[Made | AdapterError | None] = [None] * len(news)
    parcels: dict[int, Parcel] = {}
    for place, one in enumerate(news):
        try:
            parcels[place] = Parcel("create", kind.entity, kind.body(one, company), one.key)
        except Rejected as refusal:
            outcomes[place] = refusal
    came = dict(zip(parcels, sending.send(session, list(parcels.values())), strict=True))
    for place, found in came.items():
        outcomes[place] = found if isinstance(found, AdapterError) else _outcome(kind, news[place], found, company)
    refused = {place: found for place, found in came.items() if isinstance(found, Rejected)}
    asked: dict[int, Any] = {place: news[place] for place in refused}
    for place, why in refusals.explained(session, company, asked, refused).items():
        outcomes[place] = why
    return [one for one in outcomes if one is not None]


def _outcome(kind: _Kind[Wanted, Made], one: Wanted, raw: object, company: Company) -> Made | AdapterError:
    """An answer that cannot be read, or is about another one, is no success."""
    try:
        made = kind.read(one, raw, company)
    except (NotUnderstood, BadText) as error:
        return Unknown(
            f"{NAME} gave an answer that cannot be understood; it may or may not have done it.", status=200,
            vendor_text=str(error),
        )  # fmt: skip
    if made.mark != one.mark:
        return Unknown(
            f"{NAME} answered with another one than was asked for; it may or may not have done it.", status=200
        )
    return made


def _invoice(_one: InvoiceOut, raw: object, company: Company) -> LedgerInvoice:
    return invoice_reading.invoice(raw, company.home, ())


def _payment(one: PaymentOut, raw: object, company: Company) -> LedgerPayment:
    """The part that went to the invoice; what it came to as a whole where QuickBooks did not apply it."""
    parts = invoice_reading.payments_of(raw, company.home)
    return next((part for part in parts if part.invoice_id == one.invoice_id), parts[0])
