"""Texts as cells of a CSV file that spreadsheets open: never taken for a formula, and read back unchanged. PURE."""

from __future__ import annotations

import re
from decimal import Decimal

# What makes a spreadsheet calculate instead of show, also in its full-width form and behind blanks. A text that begins
# with apostrophes before such a character gets one more, so that taking one away always gives the text itself.
_LOOKS_LIKE_FORMULA = re.compile(r"'*[ \u00a0]*[=+\-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20]")

Value = str | int | float | Decimal | bool | None


def safe_cell(value: Value) -> str:
    """The value as a cell. Numbers stay numbers, also negative ones; yes, no and nothing become Yes, No and empty.

    A text a spreadsheet would calculate gets an apostrophe in front, which `plain_cell` takes away again.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if not isinstance(value, str):
        return str(value)
    return "'" + value if _LOOKS_LIKE_FORMULA.match(value) else value


def plain_cell(cell: str) -> str:
    """The text `safe_cell` was given."""
    return cell[1:] if cell.startswith("'") and _LOOKS_LIKE_FORMULA.match(cell) else cell
