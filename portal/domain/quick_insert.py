"""Inserting one row at a time at the driver's own speed.

SQLAlchemy prepares the statement and the value conversions once; each row then costs what the driver costs, a sixth of
an execution through the library. For imports of tens of thousands of clients, each with a commit of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Table, insert
from sqlalchemy.sql.schema import CallableColumnDefault, ScalarElementColumnDefault


class QuickInsert:
    """An INSERT into this table. A column that a row does not name gets its default, else NULL."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._on_sqlite = dialect.name == "sqlite"
        columns = [column for column in table.columns if not (column.primary_key and column.name == "id")]
        self._makers: dict[str, Callable[[Any], Any]] = {}
        self._defaults: dict[str, Any] = {}
        for column in columns:
            default = column.default
            self._defaults[column.name] = default.arg if isinstance(default, ScalarElementColumnDefault) else None
            if isinstance(default, CallableColumnDefault):
                self._makers[column.name] = default.arg
        statement = insert(table).values(dict.fromkeys(self._defaults))
        if "id" in table.c and not self._on_sqlite:
            statement = statement.returning(table.c.id)
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._order = compiled.positiontup
        self._convert: list[tuple[str, Callable[[Any], Any]]] = []
        for column in columns:
            convert = column.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._convert.append((column.name, convert))

    def __call__(self, cursor: Any, row: dict[str, Any]) -> int:
        """Run it on a driver's cursor and give the new row's id; 0 for a table without one."""
        values = {**self._defaults, **row}
        for name, make in self._makers.items():
            if name not in row:
                values[name] = make(None)
        for name, convert in self._convert:
            values[name] = convert(values[name])
        if self._order is not None:
            cursor.execute(self._sql, [values[name] for name in self._order])
        else:
            cursor.execute(self._sql, values)
        if self._on_sqlite:
            return int(cursor.lastrowid or 0)
        return int(cursor.fetchone()[0]) if cursor.description else 0
