"""Why Xero refused an invoice or a payment, told from its words.

Xero numbers its refusals no further than "a validation exception", so the kind of reason follows from the sentence.
The sentences below were seen or are documented; whatever is none of them is `OTHER` and is shown as Xero said it.
"""

from __future__ import annotations

import re

from portal.adapters.ledger import InvoiceRefused
from portal.adapters.xero.reading import NAME
from portal.domain.records import Cause

# In this order: of several reasons the one that has to be mended first. An account or a rate that cannot be used brings
# the sentence about rate and account along, and a number in use means that something may be there already.
WORDS: tuple[tuple[Cause, str], ...] = (
    (Cause.NUMBER_USED, r"invoice (?:#|number).*unique|invoice (?:#|number).*(?:already|in use)"),
    (Cause.CUSTOMER_GONE, r"contact.*(?:archived|un-?archive|not be found|does not exist|deleted|merged)"),
    (Cause.CUSTOMER_GONE, r"contact must contain at least 1"),
    (Cause.NAME_TAKEN, r"contact name .* already assigned"),
    (Cause.PERIOD_LOCKED, r"lock date|period is locked|locked period|end of year lock"),
    (Cause.CURRENCY, r"not subscribed to currency|currency.*(?:not|invalid)|currencycode"),
    (Cause.ACCOUNT_NOT_VALID, r"not a valid code|account (?:must be valid|could not be found|is not of type)"),
    (Cause.TAX_MISSING, r"taxtype code .* does not exist|taxtype field is mandatory|tax rate must be valid"),
    (Cause.TAX_NOT_ALLOWED, r"taxtype code .* cannot be used with account"),
    (Cause.ACCOUNT_NOT_VALID, r"account code|not enabled for payments"),
    (Cause.AMOUNT_NOT_ALLOWED, r"line (?:total|amount)|document total|quantity|unit ?amount|payment amount|discount"),
)  # fmt: skip
PATTERNS = tuple((cause, re.compile(words, re.IGNORECASE)) for cause, words in WORDS)
SENTENCES = {
    Cause.NUMBER_USED: "{name} has an invoice numbered {what} already.",
    Cause.CUSTOMER_GONE: "The contact {what} is for is archived in {name}, or no longer there.",
    Cause.NAME_TAKEN: "{name} has another contact of this name.",
    Cause.PERIOD_LOCKED: "The books in {name} are closed for the date of {what}.",
    Cause.CURRENCY: "The organisation in {name} does not use the currency of {what}.",
    Cause.TAX_MISSING: "A line of {what} has no tax rate that {name} can use.",
    Cause.TAX_NOT_ALLOWED: "{name} does not allow the tax rate of a line of {what} with its account.",
    Cause.ACCOUNT_NOT_VALID: "{name} does not take an account of {what}: it is archived, or not for sales invoices.",
    Cause.AMOUNT_NOT_ALLOWED: "{name} does not take an amount or a quantity of {what}.",
}


def cause_of(words: str) -> Cause:
    return next((cause for cause, pattern in PATTERNS if pattern.search(words)), Cause.OTHER)


def refusal(what: str, words: str, *, status: int | None = 200, cause: Cause | None = None) -> InvoiceRefused:
    """`what` was refused (an invoice's number, "the payment …"), with Xero's own `words`."""
    found = cause or cause_of(words)
    if sentence := SENTENCES.get(found):
        message = sentence.format(name=NAME, what=what)
    else:
        message = f"{NAME} did not take {what}: {words.rstrip('.') or 'it gave no reason'}."
    return InvoiceRefused(message, cause=found, status=status, vendor_text=words)


def unsent(message: str, cause: Cause) -> InvoiceRefused:
    """Refused by us, before anything was sent."""
    return InvoiceRefused(message, cause=cause)
