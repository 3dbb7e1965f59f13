"""A view of the list as a CSV file, read in parts and never held whole. UTF-8 with a byte order mark, as RFC 4180 says.

Numbers stay numbers; what a spreadsheet would calculate is kept from it (`csv_cells`).
"""

from __future__ import annotations

import csv as files
import io
from collections.abc import Iterable, Iterator
from datetime import date

from portal.db import db
from portal.domain import connections
from portal.domain.csv_cells import safe_cell
from portal.domain.invoices.listed import Row, pages
from portal.domain.invoices.view import Filters

BYTE_ORDER_MARK = "\ufeff"
PART = 500
HEADINGS = (
    "Number", "Client", "Issued", "Due", "Status", "Currency", "Total", "Paid", "Left to pay", "Days overdue", "Source",
    "App", "Deployment", "Number there", "Link there",
)  # fmt: skip
STATUS = {"issued": "Issued", "part_paid": "Part paid", "overdue": "Overdue", "paid": "Paid", "voided": "Voided"}


def csv(view: Filters, *, as_of: date) -> Iterator[str]:
    """The file's text, the headings first. Between two parts no transaction is open: a slow reader holds up nobody.

    Voided ones are in it only where the view asks for them (IN-36).
    """
    from portal.domain.deliveries.deployment import STANDINGS, WORDS  # it imports this package

    words = {"": "Off"} | {state.value: WORDS[standing] for state, standing in STANDINGS.items()}
    yield BYTE_ORDER_MARK + _text([HEADINGS])
    apps: dict[int, str] = {}
    for rows in pages(view, as_of=as_of, size=PART):
        for connection_id in {row.connection_id for row in rows} - set(apps):
            connection = connections.get(connection_id) if connection_id else None
            apps |= {connection_id: connections.label(connection)} if connection_id and connection else {}
        part = _text(_line(row, apps, words) for row in rows)
        db.session.rollback()
        yield part


def _line(row: Row, apps: dict[int, str], words: dict[str, str]) -> list[str]:
    status = row.status
    cells = (
        row.number, row.client_name, row.issued_on.isoformat(), row.due_on.isoformat(), STATUS[status.word],
        row.currency, row.total, row.paid, status.left, status.days_overdue, row.source.capitalize(),
        apps.get(row.connection_id or 0, ""), words[row.deployment], row.remote_number, row.web_url,
    )  # fmt: skip
    return [safe_cell(cell) for cell in cells]


def _text(lines: Iterable[Iterable[str]]) -> str:
    buffer = io.StringIO()
    files.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue()
