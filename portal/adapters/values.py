"""Values of a record that came as JSON, looked at before they are believed.

Null, a missing name and an empty text all mean that there is nothing; a number where text is meant is taken as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from portal.domain.records import Address, Quarantined
from portal.domain.text import clean, clean_line

RAW_KEPT = 20_000  # characters of a record that could not be understood
LONGEST_NAME = 300  # of a record that could not be understood
LARGEST = Decimal(10) ** 15  # more than any ledger keeps in one amount

Raw = Mapping[str, Any]


class NotUnderstood(Exception):
    """A record makes no sense; the text is the reason, for a person."""


def line(raw: Raw, name: str) -> str:
    """A text on one line. Raises `NotUnderstood` for what is no text, `BadText` for what cannot be stored."""
    value = raw.get(name)
    if isinstance(value, str):
        return clean_line(value) if value else ""  # most are empty, and there are half a million in a long list
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return str(value)
    raise NotUnderstood(f"Its {name} is not a text.")


def lines(raw: Raw, name: str) -> str:
    """A text that may have several lines. Raises as `line` does."""
    value = raw.get(name)
    if isinstance(value, str):
        return clean(value.replace("\r\n", "\n").replace("\r", "\n"))
    return line(raw, name)


def flag(raw: Raw, name: str) -> bool:
    """Yes or no, also as a text; what is missing is no. Raises `NotUnderstood` for anything else."""
    value = raw.get(name)
    if isinstance(value, bool):
        return value
    said = line(raw, name).lower()
    if said in ("true", "false", ""):
        return said == "true"
    raise NotUnderstood(f"Its {name} is {said[:40]!r}, which is neither true nor false.")


def amount(raw: Raw, name: str) -> Decimal | None:
    """A number with all its digits, also as a text; None where there is none. Raises `NotUnderstood` for anything else.

    Read the reply with `json(exact=True)`: a float is taken by the digits it shows.
    """
    value = raw.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise NotUnderstood(f"Its {name} is not a number.")
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        raise NotUnderstood(f"Its {name} is {str(value)[:40]!r}, which is not a number.") from None
    if not found.is_finite() or abs(found) >= LARGEST:
        raise NotUnderstood(f"Its {name} is {str(value)[:40]!r}, which no amount can be.")
    return found


def exact_json(value: object) -> bytes:
    """JSON in which decimals stand as numbers with exactly the digits they have, no exponent and no float between."""
    sign = uuid4().hex  # nobody's text begins with it
    text = json.dumps(value, ensure_ascii=False, default=lambda number: f"{sign}{_digits(number)}")
    return re.sub(f'"{sign}(-?[0-9.]+)"', r"\1", text).encode()


def _digits(number: object) -> str:
    if not isinstance(number, Decimal) or not number.is_finite():
        raise TypeError(f"{number!r} cannot be written")
    return f"{number:f}"


def items(raw: Raw, name: str) -> list[dict[str, Any]]:
    """The objects of a list. Raises `NotUnderstood` when it is no list of objects."""
    value = raw.get(name)
    if value is None or value == "":
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise NotUnderstood(f"Its {name} are not a list.")
    return value


def quarantined(raw: object, id_name: str, name_name: str, reason: str) -> Quarantined:
    """The record as it came, in a form every database can hold."""
    known = raw if isinstance(raw, dict) else {}
    return Quarantined(
        remote_id=_storable(known.get(id_name)),
        name=_storable(known.get(name_name)) or "(no name)",
        reason=reason,
        raw=json.dumps(raw, default=str)[:RAW_KEPT],
    )


def _storable(value: object) -> str:
    text = "" if value is None or isinstance(value, dict | list) else str(value)
    return clean_line(text.encode("utf-8", "replace").decode())[:LONGEST_NAME]


def address_stayed(was: Address, wanted: Address, there: Address) -> bool:
    """Whether something of an address stands there still that is not in the new one."""
    sent = {one.strip() for one in wanted.street.splitlines()}
    old = set(was.street.splitlines()) - sent
    parts = zip(was.parts()[1:], wanted.parts()[1:], there.parts()[1:], strict=True)
    return not old.isdisjoint(there.street.splitlines()) or any(
        now and now == before and not asked for before, asked, now in parts
    )
