"""Amounts into JSON and out of it without passing through a float, which holds no cents."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from portal.adapters.values import NotUnderstood, Raw

LARGEST = Decimal(10) ** 15  # beyond it no ledger counts


def exact_json(value: Any) -> str:
    """As `json.dumps`, with every `Decimal` as the number it is."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{exact_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(exact_json(one) for one in value) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, ensure_ascii=False)


def amount(raw: Raw, name: str) -> Decimal | None:
    """A number of a reply read with `exact`; None where there is none. Raises `NotUnderstood`."""
    value = raw.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise NotUnderstood(f"Its {name} is not a number.")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise NotUnderstood(f"Its {name} is not a number.") from None
    if not found.is_finite() or abs(found) >= LARGEST:
        raise NotUnderstood(f"Its {name} is not a number anybody counts with.")
    return found
