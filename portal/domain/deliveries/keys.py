"""The keys a delivery goes out under. PURE.

They follow from what is delivered and where, so that a portal restored from a backup sends today's invoices under the
keys they went out under the first time: a vendor that remembers them answers with what it made then (fault row 10).
"""

from __future__ import annotations

import uuid

_FAMILY = uuid.UUID("6a2f0b7e-93d5-4c1f-8c57-2d2f6f4b8a10")


def first_key(app: str, account_id: str, kind: str, mark: str) -> str:
    """32 hexadecimal digits."""
    return uuid.uuid5(_FAMILY, "\n".join((app, account_id, kind, mark))).hex


def next_key(key: str) -> str:
    """The key after this one, for when a look-up has proved that nothing came of it."""
    return uuid.uuid5(_FAMILY, key).hex
