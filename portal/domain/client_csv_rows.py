"""What the cells of one row say: which client and contact it names and which values it gives, or why it is refused.

Nothing here looks at the firm's clients; that is the plan's work (`portal.domain.client_csv_plan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portal.domain.client_csv_columns import COLUMNS, OPTION, Column
from portal.domain.client_csv_file import FileRow
from portal.domain.client_values import BadValue, refuse_unstorable, tidy
from portal.domain.csv_cells import plain_cell

YES = frozenset({"yes", "y", "true", "1"})
NO = frozenset({"no", "n", "false", "0"})
FEWER = "The ledger whose options the last columns name is not connected any more. Upload the file again without them."
PEOPLE = {"manager_email": "Manager", "partner_email": "Partner"}


@dataclass(frozen=True, slots=True)
class AskedRow:
    """One row as understood. An empty text in `client` or `contact` is an empty cell; read-only columns are left out.

    `manager_email` and `partner_email` are in lower case; `tax_registered` is True, False or "" for an empty cell.
    """

    number: int
    client_id: int | None
    contact_id: int | None
    client: dict[str, Any]
    contact: dict[str, str]
    is_default: bool | None
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.client["name"])

    @property
    def has_contact(self) -> bool:
        return self.contact_id is not None or any(self.contact.values())


def understand(row: FileRow, more: Sequence[Column] = ()) -> AskedRow:
    """Every cell read as its column wants it; what does not fit is a problem of the row, naming the column.

    `more`: the columns that may follow the usual ones; a file that ends before them says nothing of them.
    """
    problems = [row.problem] if row.problem else []
    if len(row.cells) > len(COLUMNS) + len(more):
        problems.append(FEWER)
    client: dict[str, Any] = {}
    contact: dict[str, Any] = {}
    for column, cell in zip((*COLUMNS, *more), row.cells, strict=False):
        if column.is_read_only:
            continue
        values = contact if column.of_contact else client
        if not cell:
            values[column.field] = None if column.field == "id" else ""
            continue
        try:
            values[column.field] = _value(column, plain_cell(cell))
        except BadValue as problem:
            values[column.field] = None if column.field == "id" else ""
            if not row.problem:  # when the cells have slipped, every one of them is wrong
                problems.append(f"{column.heading}: {_decapital(str(problem))}")
    client_id, contact_id = client.pop("id"), contact.pop("id")
    is_default = contact.pop("is_default")
    return AskedRow(
        row.number, client_id, contact_id, client, contact, None if is_default == "" else is_default, tuple(problems)
    )


def _value(column: Column, cell: str) -> Any:
    if column.field == "id":
        return _id(cell)
    if column.field in ("tax_registered", "is_default"):
        return _yes_or_no(cell)
    if column.field in PEOPLE:
        refuse_unstorable(cell)
        return cell.strip().lower()
    if column.field.startswith(OPTION):
        return _option(column, cell)
    return tidy(column.field, cell)


def _option(column: Column, cell: str) -> str:
    text = cell.strip()
    found = column.option_named(text) if text else ""
    if found is None:
        raise BadValue(f"“{text[:40]}” is no option in {column.app}. It has {column.offered or 'none'}.")
    return found


def _id(cell: str) -> int | None:
    text = cell.strip()
    if not text:
        return None
    text = text.removesuffix(".0")  # what spreadsheets make of a number in a column of decimals
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise BadValue(f"“{text[:40]}” is not an id. Keep the one from the export, or leave the cell empty to create.")
    return int(text)


def _yes_or_no(cell: str) -> bool | str:
    text = cell.strip().lower()
    if not text:
        return ""
    if text in YES:
        return True
    if text in NO:
        return False
    raise BadValue(f"“{cell.strip()[:40]}” is neither Yes nor No.")


def _decapital(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
