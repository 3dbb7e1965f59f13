"""What QuickBooks is like as a ledger, and what of it nobody has confirmed."""

from __future__ import annotations

from datetime import timedelta

from portal.adapters.ledger import LedgerInfo, Rounding
from portal.adapters.quickbooks.invoice_bodies import LINES_AT_MOST, NUMBER_LENGTH
from portal.domain.records import ListKind

BATCH = 30  # what the vendor recommends at most; a batch it finds too long is sent in halves
LOOK_UP = 100  # numbers in one question, which has to fit into an address

LEDGER = LedgerInfo(
    invoice_batch=BATCH,
    payment_batch=BATCH,
    look_up_batch=LOOK_UP,
    rounding=Rounding.EACH_RATE,
    lists=(ListKind.ITEM, ListKind.TAX, ListKind.TERM, ListKind.PAY_INTO),
    line_goes_to=ListKind.ITEM,
    target_word="product or service",
    number_length=NUMBER_LENGTH,
    lines_at_most=LINES_AT_MOST,
    refuses_used_numbers=False,
    writes_by_mark=False,
    takes_drafts=False,
    has_webhooks=True,
    cautions=(
        "QuickBooks keeps invoice numbers as they are sent only where Custom transaction numbers is on (Account and "
        "settings, Sales). Where it is off, QuickBooks numbers invoices itself: an invoice then has another number "
        "there than here, and is known by the sign in its private note.",
        "QuickBooks does not refuse a number that is used already, unless it is set to warn of it. The portal looks "
        "for each invoice there before it sends it.",
        "Leave the words in square brackets in an invoice's private note: the portal knows its own invoices by them.",
        "QuickBooks has no drafts: invoices are created there when they are final.",
        "Where prices have the tax in them or something is taken off, a line may stand in QuickBooks as one of the "
        "whole amount, with the quantity and the price in its text. How QuickBooks takes prices with tax needs a "
        "live check.",
        "Tax is added up for each rate and then rounded, as QuickBooks appears to do; a difference of a cent is shown "
        "on the invoice.",
        "In the United States an invoice has one sales tax, and where QuickBooks works out the tax itself, its total "
        "may differ from the one here.",
        "Payments go to Undeposited Funds unless you choose an account.",
        "What becomes of a payment when its invoice is voided in QuickBooks needs a live check.",
        "When more than 1,000 invoices or payments change between two looks, deleted ones among them are noticed with "
        "the next full look.",
    ),
    full_look_every=timedelta(days=7),
)
