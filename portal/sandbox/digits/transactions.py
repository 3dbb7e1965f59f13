"""What an app writes into the books: transactions in balance, with somebody, and perhaps an invoice or its payment."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid as uuids
from collections import Counter
from datetime import date
from typing import Any

from flask import Response

from portal.sandbox.context import here
from portal.sandbox.digits import api, books, events, records, sources
from portal.sandbox.digits.api import Trouble, blueprint, invalid
from portal.sandbox.digits.books import Annotation, Line
from portal.sandbox.digits.records import Origin

DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?")


@blueprint.post("/source/transactions")
def sync_transactions() -> Response:
    """Up to a hundred, made, changed or deleted by their external ids; all of them or none."""
    sent, now = api.sent("transactions", api.MOST), here().clock.milliseconds()
    answer, news = [], []
    with here().store.write() as db:
        declared = sources.declared(db)
        for one in sent:
            ext, source = sources.external_id(one), _source(one, declared)
            known = _known(db, source["n"], ext)
            if sources.is_deletion(one, "action"):
                if known is not None:
                    news.append(events.of_transaction(db, known["n"], "deleted"))
                    records.drop_transaction(db, known["n"], now)
                continue
            row = _put(db, source, ext, one, known, now)
            news.append(events.of_transaction(db, row["n"], "updated" if known else "created"))
            answer.append({"digitsId": row["digits_id"], "externalId": ext})
    events.tell(here(), news)
    return sources.synced("transactions", answer)


def _put(
    db: sqlite3.Connection, source: sqlite3.Row, ext: str, one: dict[str, Any], known: sqlite3.Row | None, now: int
) -> sqlite3.Row:
    tenant, client_id = sources.connection()
    entries, day = _entries(one), _day(one, "date")
    _check_labels(entries, source)
    _check_rules(books.rules(db, tenant), day, entries)
    lines = _lines(db, source, one, entries)
    body = json.dumps(one, ensure_ascii=False)
    db.execute(
        "INSERT INTO digits_transaction (tenant, client_id, source, ext, digits_id, body) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (tenant, client_id, source, ext) DO UPDATE SET body = excluded.body",
        (tenant, client_id, source["n"], ext, str(uuids.uuid4()), body),
    )
    row = _known(db, source["n"], ext)
    assert row is not None
    records.mention(db, tenant, row["n"], {line.party for line in lines if line.party is not None}, now)
    is_new = known is None or json.loads(known["body"]) != one
    try:
        books.enter(db, tenant, row["n"], day, lines, _annotation(one), now, is_new_content=is_new)
    except LookupError as reason:
        raise invalid(str(reason.args[0])) from reason
    return row


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
        if type(minor) is not int or not 0 < minor < 10**15 or not isinstance(code, str) or len(code) != 3:
            raise invalid("An amount is a positive whole number of minor units with a currency code.")
        if entry.get("type") not in ("Debit", "Credit"):
            raise invalid("The type of an entry is Debit or Credit.")
        balance[code] += minor if entry["type"] == "Debit" else -minor
    if any(balance.values()):
        raise invalid("Debits and credits must balance.")
    return entries


def _day(one: dict[str, Any], name: str) -> str:
    """The day of a date or date-time; raises Trouble."""
    found = DAY.fullmatch(str(one.get(name, "")))
    try:
        return date.fromisoformat(found.group(1)).isoformat() if found else _no_day(name)
    except ValueError:
        return _no_day(name)


def _no_day(name: str) -> str:
    raise invalid(f"A transaction needs a {name}.")


def _check_labels(entries: list[dict[str, Any]], source: sqlite3.Row) -> None:
    if not here().switches["digits_refuses_unknown_labels"]:
        return
    declared = books.declared_labels(source)
    for entry in entries:
        category = entry.get("category")
        label = category.get("label") if isinstance(category, dict) else None
        if label is not None and label not in declared:
            raise invalid(f"The source does not declare the label {label}.")


def _check_rules(decided: dict[str, str], day: str, entries: list[dict[str, Any]]) -> None:
    """Closed books and foreign money, as far as these books mind; raises Trouble."""
    if day <= decided.get("locked", ""):
        raise Trouble(400, "FAILED_PRECONDITION", f"The books are closed through {decided['locked']}.")
    only = here().switches["digits_currency"]
    codes = {entry["amount"]["code"] for entry in entries}
    if only and codes != {only}:
        raise invalid(f"The books are kept in the currency {only}, not {min(codes - {only})}.")


def _lines(
    db: sqlite3.Connection, source: sqlite3.Row, one: dict[str, Any], entries: list[dict[str, Any]]
) -> list[Line]:
    """The entries with categories and parties found; raises Trouble."""
    tenant, _ = sources.connection()
    known, labels = books.categories(db, tenant), books.declared_labels(source)
    overall = _party(db, source["n"], one["counterparty"]) if one.get("counterparty") is not None else None
    made = []
    for entry in entries:
        wanted = entry.get("category")
        label = labels.get(str(wanted.get("label"))) if isinstance(wanted, dict) else None
        category = books.category_of(label, known) if label else books.NOWHERE
        if not category["active"] and here().switches["digits_closed_categories"] == "refused":
            raise invalid(f"The category {category['name']} is not active.")
        own = entry.get("counterparty")
        party = overall if own is None else _party(db, source["n"], own)
        made.append(
            Line(
                entry["amount"]["amount"], entry["amount"]["code"], entry["type"] == "Debit",
                sources.text(entry, "description"), category["name"], category["type"],
                category["subtype"] == books.RECEIVABLE, party,
            )
        )  # fmt: skip
    return made


def _annotation(one: dict[str, Any]) -> Annotation | None:
    """What the transaction is said to be, in the form that counts; keys of other forms mean nothing. Raises Trouble."""
    form = here().switches["digits_invoice_form"]
    for key, ref, number, due in books.FORMS.values() if form == "any" else (books.FORMS[form],):
        if key in one:
            said = one[key]
            if not isinstance(said, dict):
                raise invalid(f"{key} is an object.")
            return Annotation(True, sources.text(said, number), _day(said, due) if said.get(due) else "")
        if ref in one:
            said = one[ref]
            if not isinstance(said, dict) or not isinstance(said.get("externalId"), dict):
                raise invalid(f"{ref} is an object with the externalId of an invoice, which is an object too.")
            return Annotation(False, of=sources.external_id(said, form="object"))
    return None


def _party(db: sqlite3.Connection, source: int, reference: Any) -> int | None:
    """The party a counterparty means: of this source, else of another of the connection; raises Trouble."""
    tenant, client_id = sources.connection()
    if isinstance(reference, dict) and "externalId" not in reference:
        return _by_ledger_id(db, tenant, reference)
    if not isinstance(reference, dict) or not isinstance(reference.get("externalId"), dict):
        raise invalid("A counterparty is an object with the externalId of a party, which is an object too.")
    ext = sources.external_id(reference, form="object")
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


def _by_ledger_id(db: sqlite3.Connection, tenant: str, reference: dict[str, Any]) -> int | None:
    """A party by the ledger's own identifier, where that is understood; None where it is passed over."""
    how, wanted = here().switches["digits_counterparty_ids"], reference.get("digitsId", reference.get("id"))
    if how == "ignored":
        return None
    if how == "refused" or not isinstance(wanted, str):
        raise invalid("A counterparty is an object with the externalId of a party, which is an object too.")
    row = db.execute(
        "SELECT p.n FROM digits_party p JOIN digits_ledger l ON l.n = p.ledger WHERE l.tenant = ? AND l.id = ?"
        " AND l.gone = 0 ORDER BY p.n",
        (tenant, wanted.lower()),
    ).fetchone()
    if row is None:
        raise invalid(f"There is no party {wanted}.")
    return int(row["n"])
