"""What an app writes about itself and its clients: sources and parties. Also what writes have in common."""

from __future__ import annotations

import json
import sqlite3
import uuid as uuids
from typing import Any

from flask import Response, g

from portal.sandbox.context import here, hint
from portal.sandbox.digits import api, chart, records
from portal.sandbox.digits.api import blueprint, invalid
from portal.sandbox.digits.records import Origin

KINDS = ("Business", "Person")
PARTY_KEYS = {"externalId", "sourceId", "accountId", "name", "email", "kind", "description"}
DELETE_KEYS = {"action": ("Delete", "Upsert"), "deleted": (True, False), "delete": (True, False)}


@blueprint.post("/connection/sources")
def sync_sources() -> Response:
    """The complete set: what is left out goes, with its parties and transactions."""
    sent = {external_id(one): _source(one) for one in api.sent("sources", None)}
    if not sent and here().switches["digits_empty_sources"] == "refused":
        raise invalid("At least one source is needed.")
    now = here().clock.milliseconds()
    with here().store.write() as db:
        known = {row["ext"]: row for row in records.sources(db, *connection())}
        for ext, row in known.items():
            if ext not in sent:
                records.drop_source(db, row["n"], now)
        for ext, source in sent.items():
            db.execute(
                "INSERT INTO digits_source (tenant, client_id, ext, digits_id, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (tenant, client_id, ext) DO UPDATE SET body = excluded.body",
                (*connection(), ext, str(uuids.uuid4()), json.dumps(source, ensure_ascii=False)),
            )
        rows = {row["ext"]: row for row in records.sources(db, *connection())}
    return synced("sources", [_brief(rows[ext]) for ext in sent])


@blueprint.get("/<any(connection, connections):path>/sources")
def list_sources(path: str) -> Response:
    """What this connection declared. Nobody is sure of the path."""
    if here().switches["digits_sources_path"] not in (path, "both"):
        raise api.Trouble(404, "NOT_FOUND", "There is nothing at this address.")
    limit, after = api.page_asked()
    with here().store.read() as db:
        rows = [row for row in records.sources(db, *connection()) if row["n"] > after]
    return api.page("sources", rows, _full, limit, after)


@blueprint.post("/source/parties")
def sync_parties() -> Response:
    """Up to a hundred, made, changed or deleted by their external ids; all of them or none."""
    sent, now = api.sent("parties", api.MOST), here().clock.milliseconds()
    answer = []
    with here().store.write() as db:
        sources = declared(db)
        for one in sent:
            if here().switches["digits_refuses_unknown_fields"] and (odd := set(one) - PARTY_KEYS - _delete_keys()):
                raise invalid(f"Unknown field {min(odd)}.")
            ext = external_id(one, form=here().switches["digits_party_external_id"])
            row = _sync_party(db, Origin(*connection(), source_of(one, sources)), ext, one, now)
            if row is not None:
                answer.append(_party(db, row))
    return api.reply({"parties": answer})


@blueprint.get("/source/parties")
def list_parties() -> Response:
    """What this connection wrote, as it wrote it; whether this can be asked is a switch."""
    if not here().switches["digits_lists_source_parties"]:
        raise api.Trouble(404, "NOT_FOUND", "There is nothing at this address.")
    limit, after = api.page_asked()
    with here().store.read() as db:
        rows = db.execute(
            "SELECT p.*, l.id AS ledger_id FROM digits_party p JOIN digits_ledger l ON l.n = p.ledger"
            " WHERE p.tenant = ? AND p.client_id = ? AND p.n > ? AND p.written <= ? ORDER BY p.n LIMIT ?",
            (*connection(), after, _seen_until(), limit + 1),
        ).fetchall()
    return api.page("parties", rows, _written, limit, after)


def connection() -> tuple[str, str]:
    """The business and the app of this call."""
    return g.access.tenant, g.access.client_id


def declared(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """This connection's sources; raises Trouble when it has none."""
    found = records.sources(db, *connection())
    if not found:
        raise api.Trouble(400, "FAILED_PRECONDITION", "The connection has no sources. Sync sources first.")
    return found


def source_of(one: dict[str, Any], sources: list[sqlite3.Row]) -> int:
    """The source an object says it belongs to; the connection's first when it does not say."""
    sent = one.get("sourceId", one.get("accountId"))
    if sent is None:
        return int(sources[0]["n"])
    wanted = _identifier(sent, "any")
    for row in sources:
        if row["ext"] == wanted:
            return int(row["n"])
    raise invalid(f"There is no source {wanted}.")


def external_id(one: dict[str, Any], form: str = "both") -> str:
    """The app's own identifier of an object; raises Trouble."""
    found = _identifier(one.get("externalId"), form)
    if not found:
        raise invalid("externalId is required.")
    return found


def is_deletion(one: dict[str, Any], key: str) -> bool:
    """Whether an object of a sync is to go, by the key that counts; raises Trouble."""
    for name in DELETE_KEYS if key == "any" else (key,):
        if name in one:
            gone, kept = DELETE_KEYS[name]
            if one[name] not in (gone, kept):
                raise invalid(f"{name} is not valid.")
            return bool(one[name] == gone)
    return False


def synced(name: str, rows: list[dict[str, Any]]) -> Response:
    """The answer of a sync whose answer is not documented."""
    return api.reply({name: rows} if here().switches["digits_sync_answers"] == "rows" else {})


def text(one: dict[str, Any], name: str) -> str:
    """A field that may be missing; raises Trouble when it is no text."""
    found = one.get(name)
    if found is not None and not isinstance(found, str):
        raise invalid(f"{name} must be a string.")
    return (found or "").strip()


def _identifier(sent: Any, form: str) -> str:
    if isinstance(sent, dict) and form != "bare":
        sent = sent.get("id")
    elif isinstance(sent, dict) or form == "object":
        raise invalid(f"externalId must be {'a string' if form == 'bare' else 'an object with issuer and id'}.")
    if sent is not None and not isinstance(sent, str):
        raise invalid("An external id must be a string.")
    return sent or ""


def _sync_party(db: sqlite3.Connection, origin: Origin, ext: str, one: dict[str, Any], now: int) -> sqlite3.Row | None:
    known = records.party(db, origin, ext)
    if is_deletion(one, here().switches["digits_party_delete"]):
        if known is not None:
            records.drop_party(db, known, now)
        return None
    values = {name: text(one, name) for name in records.SHOWN}
    if known is not None and not here().switches["digits_upsert_clears_omitted"]:
        values |= {name: known[name] for name in records.SHOWN if one.get(name) is None}
    if not values["name"]:
        raise invalid("A party needs a name.")
    if values["kind"] not in ("", *KINDS):
        raise invalid(f"kind is one of {', '.join(KINDS)}.")
    return records.put_party(db, origin, ext, values, now)


def _party(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    ledger = db.execute("SELECT id FROM digits_ledger WHERE n = ?", (row["ledger"],)).fetchone()
    return {"digitsId": _digits_id(row, ledger["id"]), "externalId": row["ext"], "name": row["name"]}


def _written(row: sqlite3.Row) -> dict[str, Any]:
    details = {name: row[name] for name in records.SHOWN if row[name]}
    return {"digitsId": _digits_id(row, row["ledger_id"]), "externalId": row["ext"], **details}


def _digits_id(row: sqlite3.Row, ledger: str) -> str:
    return str(ledger if here().switches["digits_sync_tells_ledger_id"] else row["own_id"])


def _source(one: dict[str, Any]) -> dict[str, Any]:
    """A source as it is kept; raises Trouble for what cannot be one."""
    if not text(one, "name"):
        raise invalid("A source needs a name.")
    labels = one.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
        raise invalid("labels is a list of objects.")
    kinds = [one.get("type"), *(kind for label in labels for kind in label.get("constraint") or [])]
    if odd := [kind for kind in kinds if kind is not None and kind not in chart.TYPES]:
        raise invalid(f"{odd[0]} is not a type of category.")
    return one


def _brief(row: sqlite3.Row) -> dict[str, Any]:
    return {"digitsId": row["digits_id"], "externalId": row["ext"], "name": json.loads(row["body"])["name"]}


def _full(row: sqlite3.Row) -> dict[str, Any]:
    return {"digitsId": row["digits_id"], **json.loads(row["body"])}


def _delete_keys() -> set[str]:
    key = here().switches["digits_party_delete"]
    return set(DELETE_KEYS) if key == "any" else {key}


def _seen_until() -> int:
    """Reads that are stale do not see what was written after this."""
    stale, now = hint("stale"), here().clock.milliseconds()
    return now - int(float(stale.get("seconds", 60)) * 1000) if stale else now
