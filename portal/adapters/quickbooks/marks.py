"""Our sign in an invoice's private note, where only the firm sees it, beside what else we keep there.

A note may be edited by people, and the vendor puts "Voided" in front: the sign is found wherever it stands.
"""

from __future__ import annotations

import re

LONGEST = 4000  # characters the vendor takes
SIGN = re.compile(r"\[counterpart ([^\]\n]+)\]")
REFERENCE = re.compile(r"^Reference: (.+)$", re.MULTILINE)
VOIDED = "voided"


def note(mark: str, *, reference: str = "", lines: tuple[str, ...] = ()) -> str:
    """The sign comes first, so that it is never what is cut off."""
    said = [f"[counterpart {mark}]", f"Reference: {reference}" if reference else "", *lines]
    return "\n".join(one for one in said if one)[:LONGEST]


def mark_in(text: str) -> str:
    """Ours, or empty."""
    found = SIGN.search(text)
    return found[1] if found else ""


def reference_in(text: str) -> str:
    """What we wrote as the reference; empty in a note that is not ours."""
    found = REFERENCE.search(text) if SIGN.search(text) else None
    return found[1].strip() if found else ""


def says_voided(text: str) -> bool:
    return text.lstrip().lower().startswith(VOIDED)
