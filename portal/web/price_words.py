"""How services are told and chosen on screens: kinds of price, ways of billing, cadences."""

from __future__ import annotations

from typing import Any

from portal.domain.library import BillingType, PriceType, Service
from portal.web import formats
from portal.web.offers import cadence

PRICE_WORDS = {
    PriceType.FIXED: "Fixed price",
    PriceType.UNIT: "Price per unit",
    PriceType.MINIMUM: "Minimum price",
    PriceType.RANGE: "Price range",
    PriceType.INCLUDED: "Included, no price",
}
BILLING_WORDS = {
    BillingType.ON_ACCEPTANCE: "On acceptance",
    BillingType.RECURRING: "Recurring",
    BillingType.DEPOSIT: "Deposit, then the balance",
    BillingType.ON_COMPLETION: "On completion",
    BillingType.ESTIMATE: "By estimate",
}
BILLING_MEANS = {
    BillingType.ON_ACCEPTANCE: "invoiced at once when a proposal is accepted",
    BillingType.RECURRING: "invoiced by itself on its cadence",
    BillingType.DEPOSIT: "the deposit at once, the balance when you say so",
    BillingType.ON_COMPLETION: "invoiced when you say so",
    BillingType.ESTIMATE: "invoiced when you say so, by what it came to",
}
# How a form says what the chosen way of billing means.
MEANS = {kind.value: (words, f"{BILLING_MEANS[kind]}.".capitalize()) for kind, words in BILLING_WORDS.items()}
CADENCE_WORDS = (("day", "days"), ("week", "weeks"), ("month", "months"))


def price_of(service: Service | Any, currency: str) -> str:
    """'$1,200.00', '$40.00 per employee', 'from $300.00', '$100.00 to $200.00', 'Included'."""
    amount = formats.price(service.price, currency)
    if service.price_type == PriceType.INCLUDED:
        return "Included"
    if service.price_type == PriceType.RANGE:
        return f"{amount} to {formats.price(service.price_to, currency)}"
    said = f"from {amount}" if service.price_type == PriceType.MINIMUM else amount
    return f"{said} per {service.unit}" if service.unit else said


def billing_of(service: Service | Any) -> str:
    """'Every month', 'On acceptance'."""
    if service.billing_type == BillingType.RECURRING:
        return cadence(service.every, service.cadence).capitalize()
    return BILLING_WORDS[service.billing_type]
