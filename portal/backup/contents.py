"""What is in a backup: its manifest, and how every value looks in the file and in each kind of database."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    Select,
    Table,
    Text,
    cast,
    column,
    select,
    table,
)
from sqlalchemy.sql.type_api import TypeEngine
from sqlalchemy.types import JSON, Enum, String, TypeDecorator

from portal.db import EncryptedText, UtcDateTime

FORMAT = 1
MANIFEST = "manifest.json"
BATCH = 1000

Progress = Callable[[str, int, int], None]  # a table's name, rows done, rows in all


class BackupProblem(Exception):
    """The backup cannot be made or used; the text says why and what to do."""


class NotEmpty(BackupProblem):
    """The database to restore into already holds something."""


@dataclass(frozen=True)
class TableEntry:
    """One table as the backup holds it. `columns` maps each column to the kind of its values."""

    name: str
    columns: dict[str, str]
    key: list[str]
    counts_by: str | None  # the column numbered by the database, whose counter a restore sets right
    rows: int
    sha256: str

    @property
    def path(self) -> str:
        return f"tables/{self.name}.jsonl"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. `revision` is the schema's; `made_at` an ISO moment in UTC."""

    format: int
    made_at: str
    revision: str
    database: str
    tables: list[TableEntry]

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.tables)


_BY_TYPE: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (UtcDateTime, "moment"),
    (EncryptedText, "text"),
    (JSON, "json"),
    (Boolean, "flag"),
    (Enum, "text"),
    (String, "text"),
    (Integer, "whole"),
    (Float, "number"),
    (Numeric, "decimal"),
    (Date, "day"),
    (LargeBinary, "bytes"),
)
TYPES: dict[str, TypeEngine[Any]] = {
    "moment": UtcDateTime(),
    "text": Text(),
    "json": Text(),
    "flag": Boolean(),
    "whole": Integer(),
    "number": Float(),
    "decimal": Numeric(asdecimal=True),
    "day": Date(),
    "bytes": LargeBinary(),
}
_TO_FILE: dict[str, Callable[[Any], Any]] = {
    "moment": lambda value: value.isoformat(),
    "json": lambda value: json.dumps(json.loads(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    "decimal": str,
    "day": lambda value: value.isoformat(),
    "bytes": lambda value: base64.b64encode(value).decode(),
}
FROM_FILE: dict[str, Callable[[Any], Any]] = {
    "moment": datetime.fromisoformat,
    "decimal": Decimal,
    "day": date.fromisoformat,
    "bytes": base64.b64decode,
}


def kind_of(type_: TypeEngine[Any]) -> str:
    """The kind of a column's values. Raises `TypeError` for a type that no backup can carry yet."""
    for known, kind in _BY_TYPE:
        if isinstance(type_, known):
            return kind
    if isinstance(type_, TypeDecorator):
        return kind_of(type_.impl_instance)
    if isinstance(type_, DateTime):
        raise TypeError("a plain DateTime column has no time zone: use UtcDateTime")
    raise TypeError(f"columns of type {type_!r} have no form in a backup yet: give them one in portal/backup.py")


def entry_of(of: Table) -> TableEntry:
    counter = of.autoincrement_column
    return TableEntry(
        name=of.name,
        columns={one.name: kind_of(one.type) for one in of.columns},
        key=[one.name for one in of.primary_key.columns],
        counts_by=counter.name if counter is not None else None,
        rows=0,
        sha256="",
    )


def _select(entry: TableEntry) -> Select[Any]:
    columns = [column(name, TYPES[kind]) for name, kind in entry.columns.items()]
    shown = [
        cast(one, Text).label(one.name) if kind == "json" else one
        for one, kind in zip(columns, entry.columns.values(), strict=True)
    ]
    source = table(entry.name, *columns)
    return select(*shown).select_from(source).order_by(*(source.c[name] for name in entry.key))


def lines(connection: Connection, entry: TableEntry) -> Iterator[bytes]:
    """The table's rows, each as one line of the file, in the order of its key."""
    writers = [_TO_FILE.get(kind) for kind in entry.columns.values()]
    rows = connection.execute(_select(entry), execution_options={"stream_results": True, "max_row_buffer": BATCH})
    for row in rows:
        values = [
            value if value is None or write is None else write(value) for value, write in zip(row, writers, strict=True)
        ]
        yield (json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
