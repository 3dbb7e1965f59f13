"""Transactions as far as parties need them: kept as sent, in balance, and with somebody."""

from __future__ import annotations

import json
import sqlite3
import uuid as uuids
from collections import Counter
from typing import Any

from flask import Response

from portal.sandbox.context import here
from portal.sandbox.digits import api, records, sources
from portal.sandbox.digits.api import blueprint, invalid
from portal.sandbox.digits.records import Origin


@blueprint.post("/source/transactions")
def sync_transactions() -> Response:
    """Up to a hundred, made, changed or deleted by their external ids; all of them or none."""
    sent, now = api.sent("transactions", api.MOST), here().clock.milliseconds()
    answer = []
    with here().store.write() as db:
        declared = sources.declared(db)
        for one in sent:
            ext, source = sources.external_id(one), _source(one, declared)
            if sources.is_deletion(one, "action"):
                known = _known(db, source["n"], ext)
                if known is not None:
                    records.drop_transaction(db, known["n"], now)
                continue
            answer.append(_put(db, source, ext, one, now))
    return sources.synced("transactions", answer)


def _put(db: sqlite3.Connection, source: sqlite3.Row, ext: str, one: dict[str, Any], now: int) -> dict[str, Any]:
    entries = _entries(one)
    _check_labels(entries, source)
    wanted = [one.get("counterparty"), *(entry.get("counterparty") for entry in entries)]
    parties = {_party(db, source["n"], reference) for reference in wanted if reference is not None}
    tenant, client_id = sources.connection()
    db.execute(
        "INSERT INTO digits_transaction (tenant, client_id, source, ext, digits_id, body) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (tenant, client_id, source, ext) DO UPDATE SET body = excluded.body",
        (tenant, client_id, source["n"], ext, str(uuids.uuid4()), json.dumps(one, ensure_ascii=False)),
    )
    row = _known(db, source["n"], ext)
    assert row is not None
    records.mention(db, tenant, row["n"], parties, now)
    return {"digitsId": row["digits_id"], "externalId": ext}


def _known(db: sqlite3.Connection, source: int, ext: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM digits_transaction WHERE tenant = ? AND client_id = ? AND source = ? AND ext = ?",
        (*sources.connection(), source, ext),
    ).fetchone()
    return row


def _source(one: dict[str, Any], declared: list[sqlite3.Row]) -> sqlite3.Row:
    """Where a transaction belongs, under the name that counts; raises Trouble."""
    form = here().switches["digits_transaction_source"]
    names = ("sourceId", "accountId") if form == "both" else (form,)
    if not any(name in one for name in names):
        raise invalid(f"A transaction needs {' or '.join(names)}.")
    wanted = sources.source_of({name: one[name] for name in names if name in one}, declared)
    return next(row for row in declared if row["n"] == wanted)


def _entries(one: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines, which are in balance currency by currency; raises Trouble."""
    entries = one.get("entries")
    if not isinstance(entries, list) or len(entries) < 2 or not all(isinstance(entry, dict) for entry in entries):
        raise invalid("A transaction needs at least two entries.")
    balance: Counter[str] = Counter()
    for entry in entries:
        amount = entry.get("amount")
        minor, code = (amount.get("amount"), amount.get("code")) if isinstance(amount, dict) else (None, None)
        if type(minor) is not int or minor <= 0 or not isinstance(code, str) or len(code) != 3:
            raise invalid("An amount is a positive whole number of minor units with a currency code.")
        if entry.get("type") not in ("Debit", "Credit"):
            raise invalid("The type of an entry is Debit or Credit.")
        balance[code] += minor if entry["type"] == "Debit" else -minor
    if any(balance.values()):
        raise invalid("Debits and credits must balance.")
    if not isinstance(one.get("date"), str):
        raise invalid("A transaction needs a date.")
    return entries


def _check_labels(entries: list[dict[str, Any]], source: sqlite3.Row) -> None:
    if not here().switches["digits_refuses_unknown_labels"]:
        return
    declared = [label.get("label") for label in json.loads(source["body"]).get("labels") or []]
    for entry in entries:
        category = entry.get("category")
        label = category.get("label") if isinstance(category, dict) else None
        if label is not None and label not in declared:
            raise invalid(f"The source does not declare the label {label}.")


def _party(db: sqlite3.Connection, source: int, reference: Any) -> int:
    """The party a counterparty means: of this source, else of another of the connection; raises Trouble."""
    if not isinstance(reference, dict) or not isinstance(reference.get("externalId"), dict):
        raise invalid("A counterparty is an object with the externalId of a party, which is an object too.")
    ext = sources.external_id(reference, form="object")
    tenant, client_id = sources.connection()
    row = (
        records.party(db, Origin(tenant, client_id, source), ext)
        or db.execute(
            "SELECT * FROM digits_party WHERE tenant = ? AND client_id = ? AND ext = ? ORDER BY n",
            (tenant, client_id, ext),
        ).fetchone()
    )
    if row is None:
        raise invalid(f"There is no party {ext}.")
    return int(row["n"])
