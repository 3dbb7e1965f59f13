"""What a client is shown and agrees to, as plain values: what is digested, what is kept to the letter (PR-04).

The public page, the preview and the record of an acceptance are made of the same content, so that what was agreed can
be shown again as it was, whatever became of services, tax rates or names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.domain.proposals.models import Proposal, ProposalLine

Content = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """What the client took: the package, counted from 1 (None: there are none), and of the optional lines these."""

    option: int | None = None
    taken: frozenset[int] = frozenset()


class BadChoice(ValueError):
    """A package or line that is not on offer, or nothing at all."""


def content_of(proposal: Proposal, firm: str) -> Content:
    """The offer as it stands. `firm`: the firm's name."""
    return {
        "firm": firm,
        "client": proposal.client.name,
        "number": proposal.number,
        "name": proposal.name,
        "message": proposal.message,
        "terms": proposal.terms,
        "currency": proposal.currency,
        "discount": text_of(proposal.discount),
        "starts_on": _day(proposal.starts_on),
        "expires_on": _day(proposal.expires_on),
        "options": list(proposal.options),
        "lines": [_line(line) for line in proposal.lines],
    }


def default_choice(proposal: Proposal) -> Choice:
    """What is ticked when nobody has chosen: the first package, and the optional lines the firm suggests."""
    suggested = frozenset(line.id for line in proposal.lines if line.is_optional and line.is_taken)
    return settled(content_of(proposal, ""), 1 if proposal.options else None, suggested)


def settled(content: Content, option: int | None, taken: Iterable[int]) -> Choice:
    """A choice as it counts: optional lines of packages not taken fall away. Raises `BadChoice`."""
    options = content["options"]
    if options and (option is None or not 1 <= option <= len(options)):
        raise BadChoice("Choose one of the packages.")
    option = option if options else None
    on_offer = {line["id"] for line in content["lines"] if line["is_optional"] and line["option"] in (None, option)}
    return Choice(option, frozenset(taken) & on_offer)


def taken_lines(content: Content, choice: Choice) -> list[dict[str, Any]]:
    """The lines that would be agreed to."""
    return [line for line in content["lines"] if is_taken(line, choice)]


def is_taken(line: dict[str, Any], choice: Choice) -> bool:
    if line["option"] not in (None, choice.option):
        return False
    return not line["is_optional"] or line["id"] in choice.taken


def digest_of(content: Content, choice: Choice) -> str:
    """A fingerprint of the offer together with a choice: equal exactly when the client would agree to the same."""
    whole = {"content": content, "option": choice.option, "taken": sorted(choice.taken)}
    written = json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def mark_of(line: ProposalLine) -> str:
    """Equal exactly while the line offers the same: by it a form knows whether somebody else changed it meanwhile."""
    return hashlib.sha256(json.dumps(_line(line), sort_keys=True).encode()).hexdigest()[:16]


def text_of(value: Decimal) -> str:
    """An exact decimal as text, without zeros nobody needs: '15', '12.5'."""
    plain = format(value.normalize(), "f")
    return "0" if plain in ("-0", "0") else plain


def _line(line: ProposalLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "option": line.option,
        "is_optional": line.is_optional,
        "name": line.name,
        "description": line.description,
        "quantity": text_of(line.quantity),
        "unit": line.unit,
        "price_type": line.price_type.value,
        "price": text_of(line.price),
        "price_to": text_of(line.price_to) if line.price_to is not None else None,
        "discount": text_of(line.discount),
        "discount_is_percent": line.discount_is_percent,
        "tax": line.tax_rate.name if line.tax_rate else "",
        "tax_percent": text_of(line.tax_rate.percent) if line.tax_rate else "0",
        "billing_type": line.billing_type.value,
        "deposit": text_of(line.deposit) if line.deposit is not None else None,
        "every": line.every,
        "cadence": line.cadence.value,
        "starts": line.starts.value,
        "starts_on": _day(line.starts_on),
        "delay": line.delay,
        "periods": line.periods,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
