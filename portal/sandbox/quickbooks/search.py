"""Answers a parsed query from the rows."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import Any

from portal.sandbox.context import Sandbox, hint
from portal.sandbox.quickbooks import faults, records, statement
from portal.sandbox.quickbooks.company import alpha_3
from portal.sandbox.quickbooks.fields import RULES
from portal.sandbox.quickbooks.shelves import EMPTY, KNOWN, shelf_of, table
from portal.sandbox.quickbooks.statement import Condition, Literal, Statement, Today
from portal.sandbox.quickbooks.wire import PACIFIC, dump, moment

FEW = ("number", "customer")  # columns that leave a handful of transactions


def source(box: Sandbox, entity: str, tenant: str, *, by_id: bool = False) -> tuple[str, list[Any]]:
    """FROM and the first conditions: what is there, or what was before the last seconds when reads are stale.

    The caller adds one on `active`, which is 1, 0 or, for what was deleted, less.
    """
    merged = " AND merged_into IS NULL" if box.switches["quickbooks_merged_shows"] == "gone" else ""
    return f"FROM {table(box, entity, by_id=by_id)} WHERE tenant = ? AND entity = ?{merged}", [tenant, entity]


def answer(box: Sandbox, db: sqlite3.Connection, tenant: str, text: str) -> str:
    """The QueryResponse as JSON; raises Fault."""
    asked = statement.read(text)
    entity = KNOWN.get(asked.entity.lower())
    if entity is None:
        raise faults.unreadable(f"Invalid context declaration: {asked.entity}")
    most = _size(box, asked)
    if entity in EMPTY:
        return dump({"totalCount": 0} if asked.count else {})
    query, values = source(box, entity, tenant)
    conditions, more = _conditions(box, entity, asked)
    query += "".join(f" AND {condition}" for condition in conditions)
    values += more
    if asked.count:
        (count,) = db.execute(f"SELECT count(*) {query}", values).fetchone()
        return dump({"totalCount": 0 if hint("empty_list") else count})
    start = 1 if asked.start is None or hint("repeat_page") else asked.start
    order = _order(box, entity, asked)
    name = table(box, entity)
    few = name == "qbo_txn" and any(_property(entity, one.property)[0] in FEW for one in asked.where)
    if few:  # found by their own index, then put in order
        query = query.replace(" AND active = 1", " AND +active = 1")
        order = ", ".join(f"+{part}" for part in order.split(", "))
    query += f" ORDER BY {order} LIMIT ? OFFSET ?"
    if name == shelf_of(entity).table and not few:  # skip by the index alone; only the rows of the page are read
        query = f"FROM {name} WHERE n IN (SELECT n {query}) ORDER BY {order}"
    rows = db.execute(f"SELECT body {query}", [*values, most, start - 1]).fetchall()
    return _page(box, entity, asked, [] if hint("empty_list") else [row["body"] for row in rows], start)


def bodies(box: Sandbox, entity: str, texts: list[str]) -> list[str]:
    """Records as they are sent: countries as they were typed, or as three letters when the switch says so."""
    if not box.switches["quickbooks_customer_country_alpha3"] or entity not in records.ENTITIES:
        return texts
    found = []
    for text in texts:
        record = json.loads(text)
        for name in ("BillAddr", "ShipAddr", "PrimaryAddr"):
            if record.get(name, {}).get("Country"):
                record[name]["Country"] = alpha_3(record[name]["Country"])
        found.append(dump(record))
    return found


def _page(box: Sandbox, entity: str, asked: Statement, texts: list[str], start: int) -> str:
    if not texts:
        return "{}"
    rows = bodies(box, entity, texts)
    if asked.columns is not None:
        rows = [dump(_some(entity, asked.columns, json.loads(text))) for text in rows]
    return f'{{"{entity}":[{",".join(rows)}],"startPosition":{start},"maxResults":{len(rows)}}}'


def _some(entity: str, columns: tuple[str, ...], record: dict[str, Any]) -> dict[str, Any]:
    """A projection: the asked columns and the Id, marked as sparse."""
    found: dict[str, Any] = {"domain": "QBO", "sparse": True, "Id": record["Id"]}
    known = {name.lower(): name for name in RULES.get(entity, record)}
    for column in columns:
        name = known.get(column.split(".")[0].lower())
        if name is None:
            raise faults.not_queryable(f"Property {column} not found for Entity {entity}")
        if name in record and name not in ("domain", "sparse"):
            found[name] = record[name]
    return found


def _size(box: Sandbox, asked: Statement) -> int:
    if asked.most is None:
        return statement.DEFAULT_SIZE
    if asked.most > statement.LARGEST_SIZE and box.switches["quickbooks_over_1000"] == "refuse":
        raise faults.not_queryable(f"value {asked.most} is too large. Max allowed value is {statement.LARGEST_SIZE}")
    return min(asked.most, statement.LARGEST_SIZE)


def _order(box: Sandbox, entity: str, asked: Statement) -> str:
    down = box.switches["quickbooks_default_order"] == "descending"
    parts = [f"{_property(entity, name)[0]} {'DESC' if desc else 'ASC'}" for name, desc in asked.order]
    if not any(part.startswith("id ") for part in parts):
        parts.append("id DESC" if down and not parts else "id")
    return ", ".join(parts)


def _property(entity: str, name: str) -> tuple[str, str]:
    found = shelf_of(entity).properties.get(name.lower())
    if found is None:
        raise faults.not_queryable(f"property '{name}' is not queryable")
    return found


def _conditions(box: Sandbox, entity: str, asked: Statement) -> tuple[list[str], list[Any]]:
    conditions, values, said_active = [], [], False
    for condition in asked.where:
        column, kind = _property(entity, condition.property)
        said_active = said_active or column == "active"
        _refuse_operator(condition, kind)
        sent = [_value(box, condition, kind, value) for value in condition.values]
        if kind == "bool" and {0, 1} <= {int(value) for value in sent}:
            conditions.append("+active >= 0")  # the plus: an index on `active` would be of no help
            continue
        if condition.operator == "LIKE":
            conditions.append(f"{column} LIKE ? ESCAPE '\\'")
        elif condition.operator == "IN":
            conditions.append(f"{column} IN ({', '.join('?' * len(sent))})")
        else:
            conditions.append(f"{column} {condition.operator} ?")
        values += sent
    if not said_active:
        conditions.append("active = 1")
    return conditions, values


def _refuse_operator(condition: Condition, kind: str) -> None:
    allowed = {
        "id": ("=", "IN"),
        "word": ("=", "IN"),
        "day": (*statement.OPERATORS, "IN"),
        "bool": ("=", "IN"),
        "number": (*statement.OPERATORS, "IN"),
        "time": (*statement.OPERATORS, "IN"),
        "text": (*statement.OPERATORS, "IN", "LIKE"),
    }[kind]
    if condition.operator not in allowed:
        raise faults.not_queryable(f"operator {condition.operator} is not supported for property {condition.property}")


def _value(box: Sandbox, condition: Condition, kind: str, value: Literal) -> Any:
    """The literal as it is compared: letters without case, moments in seconds."""
    wrong = faults.not_queryable(f"Invalid value for property {condition.property}")
    if kind == "time":
        return _seconds(box, value, wrong)
    if kind == "day" and isinstance(value, Today):
        return datetime.fromtimestamp(box.clock.seconds(), PACIFIC).date().isoformat()
    if kind == "bool":
        text = str(value).lower()
        if text not in ("true", "false"):
            raise wrong
        return int(text == "true")
    if not isinstance(value, str):
        raise wrong
    if kind in ("id", "number"):
        try:
            return int(value) if kind == "id" else float(value)
        except ValueError:
            raise wrong from None
    if kind == "word":
        return value
    text = "" if value == " " else value.casefold()  # a quoted space stands for nothing
    return text.replace("\\", "\\\\").replace("_", "\\_") if condition.operator == "LIKE" else text


def _seconds(box: Sandbox, value: Literal, wrong: faults.Fault) -> int:
    if isinstance(value, Today):
        today = datetime.fromtimestamp(box.clock.seconds(), PACIFIC)
        return int(today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    try:
        return moment(str(value))
    except ValueError:
        raise wrong from None
