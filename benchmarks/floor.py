"""The floor: the lists of clients and of invoices as bare Flask views, with hand-written SQL over the same indexes and
a little markup.

No sign-in, no frame, no menu, no forms: what the same rows would cost somebody who wrote nothing else. Started by
`benchmarks.list_pages` under the same server as the portal, with the address of the same database in FLOOR_DATABASE.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from flask import Flask, request

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Clients</title><h1>Clients</h1><p>{{ total }} clients
<table><tr><th>Name<th>Status<th>Manager<th>Apps<th>Sync<th>Changed
{% for id, name, key, status, manager, sync, changed, apps, groups in rows %}
<tr><td><a href="/clients/{{ id }}">{{ name }}</a> {{ groups or "" }}<td>{{ status }}<td>{{ manager or "" }}<td>{{ apps or "" }}<td>{{ sync }}<td>{{ changed }}
{% endfor %}
</table>{% if rows %}<a href="?{{ more }}">Next</a>{% endif %}"""  # noqa: E501  # one row, one line

COLUMNS = """c.id, c.name, c.name_key, c.status, u.name, c.sync_state, c.changed_at,
 (SELECT {join}(CAST(l.connection_id AS text), ' ') FROM client_link l WHERE l.client_id = c.id),
 (SELECT {join}(g.name, ', ') FROM client_group m JOIN "group" g ON g.id = m.group_id WHERE m.client_id = c.id)"""
HERE = "c.archived_at IS NULL"
# view -> (which clients, in which order, and how the count, which stops at 1,001, says which)
VIEWS: dict[str, tuple[str, str]] = {
    "first": (HERE, "c.name_key, c.id"),
    "deep": (f"{HERE} AND (c.name_key, c.id) > (:key, :id)", "c.name_key, c.id"),
    "name_down": (HERE, "c.name_key DESC, c.id DESC"),
    "lead": ("c.status = 'lead'", "c.name_key, c.id"),
    "archived": ("c.status = 'archived'", "c.name_key, c.id"),
    "manager": (f"{HERE} AND c.manager_id = :id", "c.name_key, c.id"),
    "partner": (f"{HERE} AND c.partner_id = :id", "c.name_key, c.id"),
    "group": (f"{HERE} AND c.id IN (SELECT client_id FROM client_group WHERE group_id = :id)", "c.name_key, c.id"),
    "linked": (
        f"{HERE} AND EXISTS (SELECT 1 FROM client_link l WHERE l.client_id = c.id AND l.connection_id = :id)",
        "c.name_key, c.id",
    ),
    "not_linked": (
        f"{HERE} AND NOT EXISTS (SELECT 1 FROM client_link l WHERE l.client_id = c.id AND l.connection_id = :id)",
        "c.name_key, c.id",
    ),
    "sync": (f"{HERE} AND c.sync_state = :key", "c.name_key, c.id"),
    "near": (
        f"{HERE} AND c.id IN (SELECT client_id FROM finding WHERE state = 'open' AND kind = 'near_match')",
        "c.name_key, c.id",
    ),
    "by_status": (HERE, "c.status, c.name_key, c.id"),
    "by_manager": (HERE, "c.manager_id, c.name_key, c.id"),
    "by_sync": (HERE, "c.sync_state, c.name_key, c.id"),
    "by_changed": (HERE, "c.changed_at DESC, c.id DESC"),
}
SEARCH = {
    "sqlite": f"{HERE} AND c.id IN (SELECT rowid FROM client_search WHERE client_search MATCH :key)",
    "postgresql": f"{HERE} AND c.id IN (SELECT rowid FROM client_search WHERE body LIKE :key)",
}

INVOICES = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Invoices</title><h1>Invoices</h1><p>{{ total }} invoices
<table><tr><th>Number<th>Client<th>Issued<th>Due<th>Amount<th>State<th>Ledger
{% for id, number, client_id, name, issued, due, currency, total, paid, paid_at, voided_at, state in rows %}
<tr><td><a href="/invoices/{{ id }}">{{ number }}</a><td><a href="/clients/{{ client_id }}">{{ name }}</a><td>{{ issued }}<td>{{ due }}<td>{{ currency }} {{ "%.2f"|format(total / 10000) }}<td>{{ "voided" if voided_at else "paid" if paid_at else "open" }}<td>{{ state or "" }}
{% endfor %}
</table>{% if rows %}<a href="?{{ more }}">Next</a>{% endif %}"""  # noqa: E501  # one row, one line
INVOICE_COLUMNS = """i.id, i.number, i.client_id, i.client_name, i.issued_on, i.due_on, i.currency, i.total, i.paid,
 i.paid_at, i.voided_at, d.state"""
VALID, OPEN = "i.voided_at IS NULL", "i.paid_at IS NULL AND i.voided_at IS NULL"
NEWEST = "i.issued_on DESC, i.id DESC"
STUCK = "SELECT invoice_id FROM delivery WHERE invoice_id IS NOT NULL AND state IN ('failed', 'asks')"
# As VIEWS.
INVOICE_VIEWS: dict[str, tuple[str, str]] = {
    "first": (VALID, NEWEST),
    "deep": (f"{VALID} AND (i.issued_on, i.id) < (:key, :id)", NEWEST),
    "open": (OPEN, "i.due_on, i.id"),
    "overdue": (f"{OPEN} AND i.due_on < :key", NEWEST),
    "failed": (f"{VALID} AND i.id IN ({STUCK})", NEWEST),
    "client": (f"{VALID} AND i.client_id = :id", NEWEST),
    "month": (f"{VALID} AND i.issued_on >= :key", NEWEST),
    "by_total": (VALID, "i.total DESC, i.id DESC"),
    "number": (f"{VALID} AND i.number = :key", NEWEST),
}
THEIRS = {
    "sqlite": "SELECT rowid FROM client_search WHERE client_search MATCH :key",
    "postgresql": "SELECT rowid FROM client_search WHERE body LIKE :key",
}
MANY = 1000  # invoices: if more answer to the words, the newest are walked and tested instead of all being sorted
HOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Home</title><h1>Home</h1><ul>
{% for figure in figures %}<li>{{ figure }}{% endfor %}</ul><table>
{% for id, name, app, state, seen, run, counts, message in apps %}<tr><td><a href="/apps/{{ id }}">{{ name }}</a>
<td>{{ app }}<td>{{ state }}<td>{{ seen or "" }}<td>{{ run or "" }} {{ counts or "" }} {{ message or "" }}{% endfor %}
</table>"""
CAPPED = "(SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1001) n{})"
STANDING = """delivery d JOIN invoice i ON i.id = d.invoice_id AND i.voided_at IS NULL WHERE d.invoice_id IS NOT NULL
 AND d.state IN ({})"""
FIGURES = [
    CAPPED.format(one, place)
    for place, one in enumerate(
        (
            "client WHERE archived_at IS NULL AND sync_state = 'failed'",
            "client WHERE archived_at IS NULL AND sync_state = 'conflict'", "finding WHERE state = 'open'",
            "outgoing_client WHERE state IN ('asks', 'failed')", STANDING.format("'failed', 'asks'"),
            STANDING.format("'unknown'"), "billing_item WHERE state = 'open' AND problem <> ''",
        )
    )
]  # fmt: skip
APPS = """SELECT c.id, c.account_name, c.app, c.state, c.last_synced_at, r.state, r.counts, r.message FROM connection c
 LEFT JOIN sync_run r ON r.id = (SELECT max(id) FROM sync_run s WHERE s.connection_id = c.id AND s.kind <> 'preview')
 WHERE c.state IN ('connected', 'needs_reconnect') ORDER BY c.app, c.account_name, c.id"""

app = Flask(__name__)
app.jinja_env.trim_blocks = True
app.jinja_env.autoescape = True
template = app.jinja_env.from_string(PAGE)
invoice_template = app.jinja_env.from_string(INVOICES)
home_template = app.jinja_env.from_string(HOME)
_held = threading.local()


@app.get("/empty")
def empty() -> str:
    return ""


@app.get("/home")
def home() -> str:
    """The figures and the apps of the portal's first page."""
    return home_template.render(figures=_read(f"SELECT {', '.join(FIGURES)}", {})[0], apps=_read(APPS, {}))


@app.get("/<view>")
def clients(view: str) -> str:
    values = {"key": request.args.get("key", ""), "id": request.args.get("id", 0, int)}
    where, order = VIEWS.get(view) or (_search(values), "c.name_key, c.id")
    columns = COLUMNS.format(join="group_concat" if _is_sqlite() else "string_agg")
    rows = _read(
        f'SELECT {columns} FROM client c LEFT JOIN "user" u ON u.id = c.manager_id'
        f" WHERE {where} ORDER BY {order} LIMIT 51",
        values,
    )
    uncounted = HERE if view == "deep" else where
    total = _read(f"SELECT count(*) FROM (SELECT 1 FROM client c WHERE {uncounted} LIMIT 1001) n", values)[0][0]
    more = f"key={rows[-1][2]}&id={rows[-1][0]}" if rows else ""
    return template.render(rows=rows[:50], total=total, more=more)


@app.get("/invoices/<view>")
def invoices(view: str) -> str:
    values = {"key": request.args.get("key", ""), "id": request.args.get("id", 0, int)}
    where, order = INVOICE_VIEWS.get(view) or (_of_clients_like(values), NEWEST)
    walked = where if view in INVOICE_VIEWS else _walked(where, values)
    rows = _read(
        f"SELECT {INVOICE_COLUMNS} FROM invoice i LEFT JOIN delivery d"
        " ON d.invoice_id = i.id AND d.connection_id = i.connection_id"
        f" WHERE {walked} ORDER BY {order} LIMIT 51",
        values,
    )
    uncounted = VALID if view == "deep" else where
    total = _read(f"SELECT count(*) FROM (SELECT 1 FROM invoice i WHERE {uncounted} LIMIT 1001) n", values)[0][0]
    more = f"key={rows[-1][4]}&id={rows[-1][0]}" if rows else ""
    return invoice_template.render(rows=rows[:50], total=total, more=more)


def _of_clients_like(values: dict[str, Any]) -> str:
    _search(values)
    return f"{VALID} AND i.client_id IN ({THEIRS['sqlite' if _is_sqlite() else 'postgresql']})"


def _walked(where: str, values: dict[str, Any]) -> str:
    """If many invoices answer to the words, SQLite has to be told to walk the newest instead of sorting all of them;
    PostgreSQL sees it by itself."""
    if not _is_sqlite():
        return where
    some = _read(f"SELECT count(*) FROM (SELECT 1 FROM invoice i WHERE {where} LIMIT {MANY + 1}) n", values)[0][0]
    return where.replace("i.client_id IN", "+i.client_id IN") if some > MANY else where


def _search(values: dict[str, Any]) -> str:
    if _is_sqlite():
        values["key"] = f'"{values["key"]}"'
        return SEARCH["sqlite"]
    values["key"] = f"%{values['key']}%"
    return SEARCH["postgresql"]


def _is_sqlite() -> bool:
    return os.environ["FLOOR_DATABASE"].startswith("sqlite")


def _read(sql: str, values: dict[str, Any]) -> Sequence[Any]:
    connection = getattr(_held, "connection", None) or _connect()
    if _is_sqlite():
        return connection.execute(sql, values).fetchall()
    for name in values:
        sql = sql.replace(f":{name}", f"%({name})s")
    return connection.execute(sql, values).fetchall()


def _connect() -> Any:
    url = os.environ["FLOOR_DATABASE"]
    if _is_sqlite():
        _held.connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        _held.connection.execute("PRAGMA cache_size = -32000")
    else:
        _held.connection = psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True)
    return _held.connection
