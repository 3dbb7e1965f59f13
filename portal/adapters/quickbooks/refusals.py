"""Why QuickBooks refused an invoice or a payment, in words and as one of the causes there is advice for.

Codes tell most. That something it names is gone or inactive it says without saying what, so that is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from portal.adapters.base import AdapterError, NameTaken, NotThere, Rejected, Session
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.quickbooks import asking
from portal.adapters.quickbooks.company import Company
from portal.adapters.quickbooks.queries import ANY_STATE
from portal.adapters.quickbooks.replies import BUSINESS, NAME, BadIdentifier, Coded, Plain
from portal.domain.records import Cause, InvoiceOut, PaymentOut

REFERENCE, LINK = "2500", "620"
CAUSES = {
    "6070": Cause.AMOUNT_NOT_ALLOWED,
    "2090": Cause.AMOUNT_NOT_ALLOWED,
    "2100": Cause.AMOUNT_NOT_ALLOWED,
    "2110": Cause.AMOUNT_NOT_ALLOWED,
    "6100": Cause.TAX_NOT_ALLOWED,
    "6140": Cause.NUMBER_USED,
    "6200": Cause.PERIOD_LOCKED,
    "6210": Cause.PERIOD_LOCKED,
    "6250": Cause.CUSTOMER_GONE,
}
# The catch-all is told apart by its English words, where it is English: nothing is done by them, they choose advice.
HINTS = (
    ("currenc", Cause.CURRENCY),
    ("tax", Cause.TAX_MISSING),
    ("vat rate", Cause.TAX_MISSING),
    ("amount", Cause.AMOUNT_NOT_ALLOWED),
)
SENTENCES = {
    Cause.AMOUNT_NOT_ALLOWED: f"{NAME} does not take these amounts",
    Cause.TAX_NOT_ALLOWED: f"{NAME} does not take this tax rate on a sale",
    Cause.TAX_MISSING: f"{NAME} misses a tax rate on a line",
    Cause.NUMBER_USED: f"Another invoice in {NAME} has this number already",
    Cause.PERIOD_LOCKED: f"The books in {NAME} are closed for this date",
    Cause.CUSTOMER_GONE: f"The customer in {NAME} was deleted or made inactive",
    Cause.ACCOUNT_NOT_VALID: f"A product or service, or its account, was deleted or made inactive in {NAME}",
    Cause.CURRENCY: f"The currency is not the customer's in {NAME}",
    Cause.NAME_TAKEN: f"Somebody in {NAME} has this name already",
    Cause.OTHER: f"{NAME} refused",
}
HOLDER = re.compile(r"TxnId\s*=\s*(\d+)")
Asked = InvoiceOut | PaymentOut


def explained(
    session: Session, company: Company, asked: Mapping[int, Asked], refused: Mapping[int, Rejected]
) -> dict[int, InvoiceRefused]:
    """Each refusal with its cause. A look-up that fails leaves the cause open, and no outcome is lost for it."""
    found = {place: _by_code(refusal) for place, refusal in refused.items()}
    open_ones = {place: asked[place] for place, cause in found.items() if cause is None}
    why = _looked_up(session, company, open_ones) if open_ones else {}
    return {
        place: _refusal(refused[place], asked[place], cause or why.get(place) or _by_words(refused[place]))
        for place, cause in found.items()
    }


def _by_code(refusal: Rejected) -> Cause | None:
    """None: something it names is the matter, or nobody knows yet."""
    if isinstance(refusal, NameTaken):
        return Cause.NAME_TAKEN
    if isinstance(refusal, NotThere | BadIdentifier):
        return None
    codes = refusal.codes if isinstance(refusal, Coded) else frozenset()
    if codes & {REFERENCE, BUSINESS, LINK}:
        return None
    return next((cause for code, cause in CAUSES.items() if code in codes), Cause.OTHER)


def _by_words(refusal: Rejected) -> Cause:
    words = refusal.vendor_text.lower()
    if not (isinstance(refusal, Coded) and BUSINESS in refusal.codes):
        return Cause.OTHER
    return next((cause for hint, cause in HINTS if hint in words), Cause.OTHER)


def _looked_up(session: Session, company: Company, asked: Mapping[int, Asked]) -> dict[int, Cause]:
    """Which of the things they name are no longer there, in at most three questions."""
    try:
        customers = _there(session, "Customer", (one.customer_id for one in asked.values()))
        lines = [line for one in asked.values() if isinstance(one, InvoiceOut) for line in one.lines]
        items = _there(session, "Item", (line.item_id for line in lines))
        named = (line.tax_id for line in lines if line.tax_id not in ("TAX", "NON"))
        codes = _there(session, "TaxCode", named)
    except AdapterError:
        return {}
    causes: dict[int, Cause] = {}
    for place, one in asked.items():
        customer = customers.get(one.customer_id)
        if customer is None or customer.get("Active") is False:
            causes[place] = Cause.CUSTOMER_GONE
        elif _currency(customer) not in ("", one.currency) and company.has_currencies:
            causes[place] = Cause.CURRENCY
        elif isinstance(one, InvoiceOut) and (cause := _of_lines(one, items, codes)):
            causes[place] = cause
    return causes


def _of_lines(one: InvoiceOut, items: Mapping[str, Plain], codes: Mapping[str, Plain]) -> Cause | None:
    if any(items.get(line.item_id, {}).get("Active") is not True for line in one.lines):
        return Cause.ACCOUNT_NOT_VALID
    wanted = {line.tax_id for line in one.lines} - {"", "TAX", "NON"}
    if any(code not in codes or codes[code].get("Active") is False for code in wanted):
        return Cause.TAX_NOT_ALLOWED
    return None


def _there(session: Session, entity: str, wanted: Iterable[str]) -> dict[str, Plain]:
    ids = [one for one in dict.fromkeys(wanted) if one]
    rows = asking.named(session, entity, "Id", ids, more=f" AND {ANY_STATE}") if ids else []
    return {str(row.get("Id")): row for row in rows if isinstance(row, dict)}


def _currency(customer: Plain) -> str:
    found = customer.get("CurrencyRef")
    return str(found.get("value") or "") if isinstance(found, dict) else ""


def _refusal(refusal: Rejected, one: Asked, cause: Cause) -> InvoiceRefused:
    told: dict[str, Any] = {"status": refusal.status, "vendor_text": refusal.vendor_text}
    holder = HOLDER.search(refusal.vendor_text) if cause is Cause.NUMBER_USED else None
    if cause is Cause.OTHER and isinstance(one, PaymentOut) and isinstance(refusal, NotThere):
        return InvoiceRefused(f"The invoice this payment is for is no longer in {NAME}.", cause=cause, **told)
    if cause is Cause.OTHER and not isinstance(refusal, NotThere):
        return InvoiceRefused(refusal.message, cause=cause, **told)
    words = refusal.vendor_text.rstrip(".")
    message = f"{SENTENCES[cause]}: {words}." if words else f"{SENTENCES[cause]}."
    return InvoiceRefused(message, cause=cause, holder_id=holder[1] if holder else "", **told)
