"""The rows of lists of invoices, as markup, put together here for the same reason as those of the clients are.

Every text of a person passes `escape` here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from html import escape

from markupsafe import Markup

from portal.domain.deliveries.deployment import STANDINGS
from portal.domain.deliveries.models import DeliveryState
from portal.domain.invoices import Page, Row
from portal.domain.invoices.view import DEPLOYMENT_WORDS
from portal.web import formats
from portal.web.clients.rows import direction

WORDS = {"issued": "Issued", "part_paid": "Part paid", "overdue": "Overdue", "paid": "Paid", "voided": "Voided"}
TONES = {"issued": "info", "part_paid": "info", "overdue": "bad", "paid": "", "voided": "muted"}
PLAIN = re.compile(r"[\w.#/-]+", re.ASCII)  # needs no quotes as the value of an attribute
DEPLOYMENT_TONES = {"waiting": "info", "created": "", "failed": "bad", "needs_check": "warn", "off": "muted"}


def rows(page: Page, *, can_tick: bool, with_client: bool = True) -> Markup:
    """The page's rows; with a box to tick for those who may settle invoices."""
    amounts: dict[str, Callable[[Decimal], str]] = {}
    issued, due = formats.days(row.issued_on for row in page.rows), formats.days(row.due_on for row in page.rows)
    made = []
    for row, issued_on, due_on in zip(page.rows, issued, due, strict=True):
        if row.currency not in amounts:
            amounts[row.currency] = formats.money_in(row.currency)
        id = row.id
        number = escape(row.number)
        label = number if PLAIN.fullmatch(row.number) else f'"{number}"'
        tick = f"<input type=checkbox name=id value={id} aria-label={label}>" if can_tick else ""
        client = _client(row) if with_client else ""
        made.append(
            f"<tr><td>{tick}<td><a href=/invoices/{id}>{number}</a>{client}"
            f"<td>{issued_on}<td>{due_on}<td>{escape(amounts[row.currency](row.total))}"
            f"{_states(row.status.word, row.deployment)}\n"
        )
    return Markup("".join(made))  # noqa: S704  # every text in it is a date of ours or was escaped


def _client(row: Row) -> str:
    return f"<td><a href=/clients/{row.client_id}/invoices{direction(row.client_name)}>{escape(row.client_name)}</a>"


@lru_cache(maxsize=64)
def _states(word: str, delivery: str) -> str:
    """How it stands with the client and in its ledger; `delivery` is the delivery's state, empty: none."""
    held = STANDINGS[DeliveryState(delivery)].value if delivery else "off"
    return f"<td><b{_class(TONES[word])}>{WORDS[word]}</b><td{_class(DEPLOYMENT_TONES[held])}>{DEPLOYMENT_WORDS[held]}"


def _class(tone: str) -> str:
    """Most rows are as they should be, and need no word for it."""
    return f" class={tone}" if tone else ""
