"""What the adapter of a ledger offers besides its clients: invoices and payments out, and what became of them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from portal.adapters.base import AdapterError, ClientAdapter, Rejected, Session
from portal.domain.records import (
    Cause,
    InvoiceOut,
    LedgerEvent,
    LedgerInvoice,
    LedgerLists,
    LedgerPayment,
    ListKind,
    PaymentOut,
    Quarantined,
)


class Rounding(StrEnum):
    """How a ledger rounds tax. The arithmetic of each is in `portal.domain.money`."""

    EACH_LINE = "each_line"  # tax of every line to the cent, then added
    EACH_RATE = "each_rate"  # lines of one rate added, then its tax to the cent


class InvoiceRefused(Rejected):
    """An invoice or payment was refused, nothing was written. `cause` says which kind of reason, where it can be told.

    `holder_id`: for a number in use, the ledger's hint which invoice has it; often empty.
    """

    def __init__(self, message: str, *, cause: Cause = Cause.OTHER, holder_id: str = "", **kwargs: object) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]  # status and vendor_text go through as they came
        self.cause = cause
        self.holder_id = holder_id


@dataclass(frozen=True)
class LedgerInfo:
    """What differs between ledgers, and all that deliveries, mapping and screens need to know of it."""

    invoice_batch: int  # invoices one call may create
    payment_batch: int
    look_up_batch: int  # numbers one look-up may ask for
    rounding: Rounding
    lists: tuple[ListKind, ...]  # what can be mapped, in the order of the panel
    line_goes_to: ListKind  # ACCOUNT or ITEM: the target of a service
    target_word: str  # "sales account", "product or service"
    number_length: int = 255
    lines_at_most: int = 500
    # Whether the ledger itself refuses a second invoice of the same number, or takes a second writing of the same mark
    # as the same invoice. Where neither holds, it is asked for the number before every first try too.
    refuses_used_numbers: bool = False
    writes_by_mark: bool = False
    look_ups_settle_after: timedelta = timedelta(seconds=90)  # a look-up that finds nothing is trusted only after this
    takes_drafts: bool = True
    takes_payments: bool = True
    pay_into_needed: bool = False  # a payment cannot be written before an account for it is chosen
    tells_payments: bool = True  # whether paid, voided and deleted can be read back
    has_webhooks: bool = False
    poll_every: timedelta = timedelta(minutes=15)
    full_look_every: timedelta = timedelta(days=7)
    cautions: tuple[str, ...] = field(default_factory=tuple)  # said on the panel: what is unconfirmed, what to do there


class WebhookRefused(Exception):
    """The signature does not fit, or the body is not what this vendor sends. Nothing is to be believed or kept."""


class Ledger(ClientAdapter, Protocol):
    """An app that holds invoices. Every method may raise the errors of `base` and nothing else (but `read_events`)."""

    ledger: LedgerInfo

    def fetch_lists(self, session: Session) -> LedgerLists:
        """Every short list in `ledger.lists`, inactive entries included where the vendor shows them."""

    def create_invoices(self, session: Session, invoices: Sequence[InvoiceOut]) -> list[LedgerInvoice | AdapterError]:
        """Create at most `ledger.invoice_batch` invoices in one call; in the order asked, what each came to.

        Never changes one that exists (where the vendor upserts by mark, the same mark is the same invoice). An invoice
        the answer does not speak of is `Unknown`. Raises what concerns them all; `Unknown` when the answer was lost.
        """

    def find_invoices(self, session: Session, numbers: Sequence[str], marks: Sequence[str]) -> list[LedgerInvoice]:
        """Invoices of these numbers, or with these of our marks, in any state, as far as the vendor can search.

        At most `ledger.look_up_batch` numbers. Asked before an invoice is written again, so its answer has to be fresh.
        """

    def fetch_invoice(self, session: Session, remote_id: str) -> LedgerInvoice:
        """As it stands, with its payments where the vendor tells them. Raises `NotThere`."""

    def fetch_invoices(self, session: Session, since: datetime | None) -> Iterator[LedgerInvoice | Quarantined]:
        """Sales invoices changed since, deleted and voided ones included where the vendor tells; None: all that are
        open. Streamed."""

    def create_payments(self, session: Session, payments: Sequence[PaymentOut]) -> list[LedgerPayment | AdapterError]:
        """As `create_invoices`."""

    def find_payments(self, session: Session, payment: PaymentOut) -> list[LedgerPayment]:
        """Payments on that invoice, ours and others'. Fresh."""

    def read_events(self, headers: Mapping[str, str], body: bytes, secret: str) -> list[LedgerEvent]:
        """Check the signature over the body as it came, then read it. Raises `WebhookRefused`.

        `secret` is the vendor's signing key. An empty list is a valid answer (Xero's intent to receive).
        """
