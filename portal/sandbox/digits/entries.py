"""The ledger's entries as an app may read them: a list, and a query with filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, request

from portal.sandbox.context import here, hint
from portal.sandbox.digits import api, books, sources
from portal.sandbox.digits.api import blueprint, invalid

PROVEN = {"occurredAfter", "occurredBefore", "categoryTypes"}
FIELDS = {"Description": "e.description", "PartyName": "l.name", "CategoryName": "e.category"}
OTHER_FIELDS = {"Name", "ProductName", "InstitutionName", "AmountTerm"}
Filters = Mapping[str, Any]


@blueprint.get("/ledger/entries")
def list_entries() -> Response:
    """By when they occurred."""
    limit, after = api.page_asked()
    return _page({name: request.args[name] for name in PROVEN if name in request.args}, limit, after)


@blueprint.post("/ledger/entries/query")
def query_entries() -> Response:
    """By whatever filters understands."""
    sent = request.get_json(silent=True, force=True)
    if not isinstance(sent, dict) or not isinstance(sent.get("filters", {}), dict):
        raise invalid("Send a JSON object with filters, limit and cursor.")
    filters = dict(sent.get("filters", {}))
    how = here().switches["digits_entry_filters"]
    if how == "strict" and (odd := set(filters) - PROVEN):
        raise invalid(f"Unknown filter {min(odd)}.")
    if how == "proven":
        filters = {name: value for name, value in filters.items() if name in PROVEN}
    limit, after = api.page_wanted(sent.get("limit"), sent.get("cursor"))
    return _page(filters, limit, after)


def _page(filters: Filters, limit: int, after: int) -> Response:
    tenant, _ = sources.connection()
    conditions, values = ["e.tenant = ?", "e.n > ?"], [tenant, after]
    for name, value in filters.items():
        condition, given = _condition(name, value)
        conditions.append(condition)
        values += given
    if (lag := _lag()) > 0:
        conditions.append("e.written <= ?")
        values.append(here().clock.milliseconds() - lag)
    query = (
        "SELECT e.*, t.digits_id, l.id AS party_id, l.name AS party_name, i.number AS number, i.due AS due,"
        " i.deal AS invoice FROM digits_entry e JOIN digits_transaction t ON t.n = e.deal"
        " LEFT JOIN digits_party p ON p.n = e.party LEFT JOIN digits_ledger l ON l.n = p.ledger"
        f" LEFT JOIN digits_invoice i ON i.deal = e.deal WHERE {' AND '.join(conditions)} ORDER BY e.n LIMIT ?"
    )
    with here().store.read() as db:
        rows = db.execute(query, (*values, limit + 1)).fetchall()
    return api.page("entryDetails", rows, _row, limit, after)


def _condition(name: str, value: Any) -> tuple[str, list[Any]]:
    """A filter as SQL; raises Trouble for what makes no sense. The first bound is exclusive, the last inclusive."""
    made = CONDITIONS.get(name)
    if made is None:
        raise invalid(f"Unknown filter {name}.")
    return made(value)


def _after(value: Any) -> tuple[str, list[Any]]:
    return "e.day > ?", [_moment(value).date().isoformat()]


def _before(value: Any) -> tuple[str, list[Any]]:
    return "e.day <= ?", [_moment(value).date().isoformat()]


def _moment(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError as reason:
        raise invalid("A time is written like 2026-06-01T00:00:00Z.") from reason
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _listed(column: str) -> Callable[[Any], tuple[str, list[Any]]]:
    def made(value: Any) -> tuple[str, list[Any]]:
        wanted = value if isinstance(value, list) else [value]
        return f"{column} IN ({', '.join('?' * len(wanted))})", [str(one) for one in wanted]

    return made


def _found(value: Any) -> tuple[str, list[Any]]:
    if not isinstance(value, dict) or value.get("field") not in {*FIELDS, *OTHER_FIELDS}:
        raise invalid("fieldSearchTerm has a field and a term.")
    column = FIELDS.get(str(value["field"]))
    return (f"instr(lower({column}), ?) > 0" if column else "? IS NULL"), [str(value.get("term", "")).lower()]


def _anywhere(value: Any) -> tuple[str, list[Any]]:
    term = str(value).lower()
    return "(instr(lower(e.description), ?) > 0 OR instr(lower(coalesce(l.name, '')), ?) > 0)", [term, term]


def _linked(value: Any) -> tuple[str, list[Any]]:
    if value not in ("Bill", "Invoice"):
        raise invalid("linkedObjectType is Bill or Invoice.")
    return "e.linked = ?", [value]


CONDITIONS: dict[str, Callable[[Any], tuple[str, list[Any]]]] = {
    "occurredAfter": _after,
    "occurredBefore": _before,
    "categoryTypes": _listed("e.kind"),
    "partyIds": _listed("l.id"),
    "linkedObjectType": _linked,
    "fieldSearchTerm": _found,
    "filterTerm": _anywhere,
    "minimumAmount": lambda value: ("e.minor >= ?", [int(value)]),
    "maximumAmount": lambda value: ("e.minor <= ?", [int(value)]),
    "type": lambda value: ("e.debit = ?", [int(value == "Debit")]),
}


def _lag() -> int:
    """Milliseconds by which the ledger is behind what apps and people write."""
    stale = hint("stale")
    seconds = float(stale.get("seconds", 60)) if stale else here().switches["digits_ledger_lag_seconds"]
    return int(seconds * 1000)


def _row(row: Any) -> dict[str, Any]:
    how, minor = here().switches["digits_row_amounts"], row["minor"]
    if how == "signed" and not row["debit"]:
        minor = -minor
    entry: dict[str, Any] = {
        "amount": {"amount": str(minor) if how == "text" else minor, "code": row["code"]},
        "type": "Debit" if row["debit"] else "Credit",
        "description": row["description"],
        "category": {"name": row["category"], "type": row["kind"]},
    }
    if row["party_name"] is not None:
        entry["counterparty"] = {"id": row["party_id"], "name": row["party_name"]}
    found = {"transactionId": books.ledger_id(row["digits_id"]), "date": f"{row['day']}T00:00:00Z", "entry": entry}
    if here().switches["digits_row_invoice"] == "number" and row["invoice"] is not None:
        found["invoice"] = {"number": row["number"], "dueDate": row["due"]}
    return found
