"""Creating invoices and payments in Xero, many in a call, each with its own outcome.

Always PUT, which creates and nothing else: a POST would change the invoice that has the number. An answer is believed
for what it shows of each element; one it does not speak of is `Unknown`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portal.adapters.base import AdapterError, Rejected, Session, Unknown
from portal.adapters.http import BATCH_WRITE, QUICK
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.values import NotUnderstood, Raw, exact_json, line
from portal.adapters.xero import reading, refusals
from portal.adapters.xero.reading import NAME, NO_ID
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT
from portal.domain.text import BadText

ASKED = {"summarizeErrors": "false", "unitdp": "4"}  # an outcome for each; prices with four decimals
LARGEST_BODY = 3_000_000  # bytes; Xero asks for less than 3.5 million

Item = dict[str, Any]


@dataclass(frozen=True)
class Wanted[T]:
    """One thing to create: how it is told from others in the answer, and what the answer makes of it."""

    key: str
    name: str  # as a person knows it
    item: Item
    id_name: str
    told_by: tuple[str, str]  # the field of an answer that tells it from the others, and what it says
    read: Callable[[Raw], T]


def send[T](session: Session, many: str, asked: Sequence[Wanted[T] | AdapterError]) -> list[T | AdapterError]:
    """Create what may be created; each in its place what came of it, or why it was not sent.

    Raises what concerns them all, `Unknown` when the answer was lost.
    """
    wanted = [one for one in asked if isinstance(one, Wanted)]
    came = iter(_sent(session, many, wanted) if wanted else [])
    return [next(came) if isinstance(one, Wanted) else one for one in asked]
