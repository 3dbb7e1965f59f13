"""Invoices, payments and short lists as a ledger tells them, and as we ask it to write them.

Amounts are exact decimals in the currency named beside them; a tax percentage is 15 for 15 %. Days are the ledger's own
calendar days. `mark` is our own sign on what we wrote: whoever finds it there again has found ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from portal.domain.records.clients import Address


class TaxMode(StrEnum):
    """Whether line prices hold the tax already."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"
    NONE = "none"


class ListKind(StrEnum):
    """The short lists of a ledger that something here is mapped to."""

    TAX = "tax"
    ACCOUNT = "account"  # what a line is booked to
    ITEM = "item"  # a product or service of the ledger
    PAY_INTO = "pay_into"  # accounts a payment can be booked to
    BRANDING = "branding"
    TERM = "term"


class InvoiceState(StrEnum):
    """How an invoice stands in the ledger. Part paid is OPEN with something paid on it."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOIDED = "voided"
    DELETED = "deleted"


class Cause(StrEnum):
    """Why a ledger refused, where it can be told (behaviour reference IN-13); each has its advice beside it."""

    TAX_NOT_ALLOWED = "tax_not_allowed"
    ACCOUNT_NOT_VALID = "account_not_valid"
    CUSTOMER_GONE = "customer_gone"
    NAME_TAKEN = "name_taken"
    TAX_MISSING = "tax_missing"
    PERIOD_LOCKED = "period_locked"
    AMOUNT_NOT_ALLOWED = "amount_not_allowed"
    NUMBER_USED = "number_used"
    CURRENCY = "currency"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry of a short list. `percent` is a tax rate's effective percentage, None for everything else.

    `fits` False: the ledger has it, but it cannot stand on a sales invoice (or take a payment); shown with `why_not`.
    """

    kind: ListKind
    remote_id: str  # what is sent back to mean this one
    name: str
    code: str = ""
    percent: Decimal | None = None
    is_active: bool = True
    fits: bool = True
    why_not: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LedgerLists:
    """`currency` is the account's own, empty where the ledger does not say. `facts` are words for the panel.

    `locked_until`: nothing can be written on or before this day; None when the ledger names none.
    """

    entries: tuple[ListEntry, ...]
    currency: str = ""
    locked_until: date | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InvoiceLineOut:
    """A line to be written. `price` is for one, before discount, with tax in it or not as the invoice's mode says.

    `discount` is the amount taken off the whole line; `net`, `tax` what the line comes to by the ledger's own rule.
    The ids name entries of the ledger's lists; empty where the ledger has no such list or nothing is mapped.
    """

    description: str
    quantity: Decimal
    price: Decimal
    discount: Decimal
    net: Decimal
    tax: Decimal
    tax_percent: Decimal
    tax_id: str = ""
    account_id: str = ""
    item_id: str = ""
    tracking: Mapping[str, str] = field(default_factory=dict)  # choice list -> option


@dataclass(frozen=True, slots=True)
class InvoiceOut:
    """An invoice to be written. `key` (at most 36 letters) is the same at every try until a look-up has proved that
    nothing is there; `mark` stays the same for ever and is put where the ledger keeps it for us.

    `customer_id` is the ledger's; `customer_key` what we created the customer under, for ledgers that want that back.
    `approved` False: to be written as a draft. `revised` counts corrections of one that is there already.
    """

    key: str
    mark: str
    number: str
    customer_id: str
    customer_key: str
    customer_name: str
    email: str
    address: Address
    issued_on: date
    due_on: date
    currency: str
    tax_mode: TaxMode
    lines: tuple[InvoiceLineOut, ...]
    net: Decimal
    tax: Decimal
    total: Decimal
    reference: str = ""
    memo: str = ""
    approved: bool = True
    sent: bool = False
    branding_id: str = ""
    term_id: str = ""
    url: str = ""  # where the invoice stands here, for the ledger's own screens


@dataclass(frozen=True, slots=True)
class LedgerLine:
    description: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    tax: Decimal | None = None
    tax_id: str = ""
    account_id: str = ""
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class LedgerPayment:
    """A payment as the ledger holds it, on one invoice. `mark` is empty when it is not ours or not kept there."""

    remote_id: str
    invoice_id: str
    amount: Decimal
    currency: str
    paid_on: date | None
    reference: str = ""
    mark: str = ""
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class LedgerInvoice:
    """A sales invoice as the ledger holds it. `credited` is what credit notes took off it.

    `payments` is None where this reply does not list them. `lines` is None where it does not show them.
    """

    remote_id: str
    number: str
    state: InvoiceState
    customer_id: str
    customer_name: str
    issued_on: date | None
    due_on: date | None
    currency: str
    net: Decimal | None
    tax: Decimal | None
    total: Decimal
    paid: Decimal
    due: Decimal
    credited: Decimal = Decimal(0)
    reference: str = ""
    mark: str = ""
    revision: str = ""
    changed_at: datetime | None = None
    web_url: str = ""
    lines: tuple[LedgerLine, ...] | None = None
    payments: tuple[LedgerPayment, ...] | None = None


@dataclass(frozen=True, slots=True)
class PaymentOut:
    """A payment to be written against one invoice of the ledger. `key` and `mark` as for an invoice.

    `into_id` is the account it goes to; empty: where the ledger puts payments by itself.
    """

    key: str
    mark: str
    invoice_id: str
    invoice_key: str  # the mark of the invoice, for ledgers that know it by our word
    customer_id: str
    customer_key: str
    amount: Decimal
    currency: str
    paid_on: date
    method: str = ""
    reference: str = ""
    into_id: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One thing a webhook tells: something of this account changed. What it is now has to be read.

    `event_id` is the same whenever the vendor sends it again. `kind` is "invoice", "payment", "client" or other words.
    """

    event_id: str
    account_id: str
    kind: str
    remote_id: str
    what: str
    happened_at: datetime | None
