"""What an app may read: the company, the ledger's parties, the chart of accounts."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, g

from portal.sandbox.context import here, hint
from portal.sandbox.digits import api, books, chart, records
from portal.sandbox.digits.api import blueprint


@blueprint.get("/company")
def company() -> Response:
    """The business this token is for."""
    tenant = here().tenant(g.access.tenant)
    facts: dict[str, Any] = {
        "id": tenant.id,
        "name": tenant.name,
        "fiscalYearStartMonth": "APR",
        "earliestTransactionDate": "2024-04-01T00:00:00Z",
    }
    if not here().switches["digits_company_has_id"]:
        del facts["id"]
    return api.reply(facts if here().switches["digits_company_form"] == "flat" else {"company": facts})


@blueprint.get("/ledger/parties")
def ledger_parties() -> Response:
    """A page of all parties, customers or not."""
    limit, after = api.page_asked()
    columns, values = _readable()
    with here().store.read() as db:
        rows = db.execute(f"SELECT {columns} AND n > ? ORDER BY n LIMIT ?", [*values, after, limit + 1]).fetchall()
    return api.page("parties", rows, _printer(), limit, after)


@blueprint.get("/ledger/<any(party, parties):path>/<party>")
def ledger_party(path: str, party: str) -> Response:
    """One of them; a party nobody has a transaction with is not in the ledger."""
    columns, values = _readable()
    with here().store.read() as db:
        row = db.execute(f"SELECT {columns} AND id = ?", [*values, party.lower()]).fetchone()
        if row is None and here().switches["digits_merged_party"] == "survivor":
            row = db.execute(
                f"SELECT {columns} AND n = (SELECT successor FROM digits_ledger WHERE tenant = ? AND id = ?)",
                [*values, g.access.tenant, party.lower()],
            ).fetchone()
    if row is None or path != here().switches["digits_party_path"]:
        raise api.Trouble(404, "NOT_FOUND", "There is no such party.")
    return api.reply({"party": _printer()(row)})


@blueprint.get("/ledger/categories")
def ledger_categories() -> Response:
    """The chart of accounts."""
    limit, after = api.page_asked()
    with here().store.read() as db:
        rows = [one for one in books.categories(db, g.access.tenant) if one["n"] > after]
    return api.page("categories", rows, chart.shown, limit, after)


@blueprint.get("/ledger/category/<category>")
def ledger_category(category: str) -> Response:
    """One account."""
    with here().store.read() as db:
        known = books.categories(db, g.access.tenant)
    for one in known:
        if one["categoryId"] == category.lower():
            return api.reply({"category": chart.shown(one)})
    raise api.Trouble(404, "NOT_FOUND", "There is no such category.")


def _readable() -> tuple[str, list[Any]]:
    """Columns, FROM and WHERE of the parties in the ledger; as they were a while ago when reads are stale."""
    listed = "gone = 0" if here().switches["digits_lists_unused_parties"] else "gone = 0 AND listed = 1"
    source, stale = "digits_ledger", hint("stale")
    if stale:
        moment = here().clock.milliseconds() - int(float(stale.get("seconds", 60)) * 1000)
        source = (
            f"(SELECT {records.LEDGER} FROM digits_ledger WHERE written <= {moment} UNION ALL"
            f" SELECT {records.LEDGER} FROM digits_ledger_was WHERE written <= {moment} AND replaced > {moment})"
        )
    return f"* FROM {source} WHERE tenant = ? AND {listed}", [g.access.tenant]


def _printer() -> Any:
    """How a party looks today: its fields beyond identifier and name are anybody's guess."""
    switches = here().switches
    key, details = switches["digits_party_id_key"], switches["digits_party_details"]
    marker = switches["digits_party_marker"]

    def printed(row: Any) -> dict[str, Any]:
        shown = {key: row["id"], "name": row["name"]}
        if details:
            shown |= {name: row[name] for name in ("email", "kind", "description") if row[name]}
        if marker != "absent":
            shown |= {"type": row["role"]} if marker == "type" else {"roles": [row["role"]]}
        return shown | json.loads(row["extra"])

    return printed
