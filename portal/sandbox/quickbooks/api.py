"""The accounting API: query, names, invoices, payments and lists, the company's preferences, changes, batches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any, NoReturn

from flask import Response, request

from portal.sandbox.context import here
from portal.sandbox.quickbooks import books, cdc, company, edits, faults, records, search, txn_writes, txns, wire
from portal.sandbox.quickbooks.gate import blueprint
from portal.sandbox.quickbooks.gate import company as this_company
from portal.sandbox.quickbooks.wire import Fault

Body = dict[str, Any]
Work = Callable[[sqlite3.Connection], Body]
LONGEST_REQUEST_ID, LONGEST_BATCH_ID, LONGEST_ITEM_ID = 50, 36, 10
MOST_IN_BATCH = 30
NAMED = {name.lower(): name for name in (*records.ENTITIES, *txns.ENTITIES, *books.ENTITIES)}
LISTS = f"<any({', '.join(name.lower() for name in books.ENTITIES)}):entity>"


@blueprint.get("/<realm>/query")
def query(realm: str) -> Response:
    """The statement in the address."""
    return _answer(request.args.get("query", ""))


@blueprint.post("/<realm>/query")
def query_in_body(realm: str) -> Response:
    """The statement as the body, as application/text."""
    if request.mimetype != "application/text":
        raise faults.unsupported(f"query with {request.mimetype or 'no content type'}")
    return _answer(_decoded(request.get_data()))


@blueprint.get("/<realm>/<any(customer, vendor, employee, invoice, payment):entity>/<identifier>")
def read(realm: str, entity: str, identifier: str) -> Response:
    """One, in whatever state; a merged-away one as the switch says."""
    box, name = here(), NAMED[entity]
    if not identifier.isascii() or not identifier.isdigit():
        raise faults.bad_id(identifier)
    query, values = search.source(box, name, realm, by_id=True)
    with box.store.read() as db:
        row = db.execute(f"SELECT body {query} AND active >= 0 AND id = ?", [*values, int(identifier[:18])]).fetchone()
    if row is None:
        raise faults.not_found()
    return _one(name, search.bodies(box, name, [row["body"]])[0])


@blueprint.post("/<realm>/<any(customer, vendor, employee):entity>")
def write(realm: str, entity: str) -> Response:
    """Create, full update or sparse update: the body decides."""
    box, name, body = here(), NAMED[entity], sent()
    operation = request.args.get("operation", "update")
    if operation not in ("update", "create"):
        raise faults.unsupported(operation)
    return once(lambda db: {name: edits.write(box, db, this_company(), name, body)}, LONGEST_REQUEST_ID)


@blueprint.get(f"/<realm>/{LISTS}/<identifier>")
def read_entry(realm: str, entity: str, identifier: str) -> Response:
    """One entry of a short list, inactive or not."""
    with here().store.read() as db:
        record = books.find(db, realm, NAMED[entity], identifier)
    if record is None:
        raise faults.not_found()
    return wire.reply({NAMED[entity]: record})


@blueprint.post("/<realm>/<any(invoice, payment):entity>")
def write_transaction(realm: str, entity: str) -> Response:
    """Create, update, void or delete: body and address decide."""
    box, name, body = here(), NAMED[entity], sent()
    operation, include = request.args.get("operation", "update"), request.args.get("include", "")
    return once(
        lambda db: {name: txn_writes.act(box, db, this_company(), name, body, operation, include)}, LONGEST_REQUEST_ID
    )


@blueprint.get("/<realm>/cdc")
def changes(realm: str) -> Response:
    """What changed since a moment, of some kinds."""
    box = here()
    asked = cdc.asked(box, request.args.get("entities", ""), request.args.get("changedSince", ""))
    with box.store.read() as db:
        found = cdc.found(box, db, realm, *asked)
    return wire.reply_text(f'{{"CDCResponse":[{{"QueryResponse":[{found}]}}],"time":"{wire.stamp_now(box)}"}}')


@blueprint.get("/<realm>/companyinfo/<identifier>")
def company_info(realm: str, identifier: str) -> Response:
    """The usual health check."""
    if identifier != realm:
        raise faults.not_found()
    return wire.reply({"CompanyInfo": company.company_info(this_company())})


@blueprint.get("/<realm>/preferences")
def preferences(realm: str) -> Response:
    """Where the home currency is."""
    return wire.reply({"Preferences": company.preferences(here(), this_company())})


@blueprint.post("/<realm>/batch")
def batch(realm: str) -> Response:
    """Up to thirty requests, each on its own: a refused one does not hold up the others."""
    items = sent().get("BatchItemRequest")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise faults.missing("BatchItemRequest")
    if len(items) > MOST_IN_BATCH:
        raise Fault("1040", "Too many items in the batch", f"Maximum {MOST_IN_BATCH} items are allowed in a batch")
    if request.args.get("requestid"):
        for item in items:
            if len(str(item.get("bId", ""))) > LONGEST_ITEM_ID:
                raise bad_request_id(str(item["bId"]))
    with here().store.read() as before:  # an item does not see what the others do
        answers = [_batch_query(before, item) if "Query" in item else None for item in items]

    def work(db: sqlite3.Connection) -> Body:
        pairs = zip(answers, items, strict=True)
        return {"BatchItemResponse": [known or _batch_item(db, item) for known, item in pairs]}

    return once(work, LONGEST_BATCH_ID)


def once(work: Work, longest: int) -> Response:
    """Do it, unless this requestid did it already: then answer what was answered then."""
    box, realm = here(), this_company().realm
    identifier = request.args.get("requestid", "")
    if len(identifier) > longest:
        raise bad_request_id(identifier)
    honoured = identifier if box.switches["quickbooks_requestid"] != "ignored" else ""
    with box.store.write() as db:
        earlier = _earlier(db, realm, honoured) if honoured else None
        if earlier is not None:
            return wire.reply_text(earlier["body"], earlier["status"])
        db.execute("SAVEPOINT asked")
        try:
            text, status = wire.dump({**work(db), "time": wire.stamp_now(box)}), 200
        except Fault as fault:
            db.execute("ROLLBACK TO asked")
            if not honoured or not box.switches["quickbooks_requestid_replays_faults"]:
                raise
            text, status = wire.dump({"Fault": fault.as_dict(), "time": wire.stamp_now(box)}), fault.status
        if honoured:
            row = (realm, honoured, box.clock.seconds(), status, text)
            db.execute("INSERT OR REPLACE INTO qbo_request VALUES (?, ?, ?, ?, ?)", row)
    return wire.reply_text(text, status)


def sent() -> Body:
    """The JSON object in the body; raises Fault."""
    text = _decoded(request.get_data())
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as reason:
        raise faults.bad_property("the body cannot be read as JSON") from reason
    if not isinstance(found, dict):
        raise faults.bad_property("the body is not an object")
    return found


def bad_request_id(text: str) -> Fault:
    """Too long."""
    return Fault("2130", "Invalid Request Id Format", f"The request id is not valid. Supplied value:{text}")


def _answer(text: str) -> Response:
    box, realm = here(), this_company().realm
    with box.store.read() as db:
        found = search.answer(box, db, realm, text)
    return wire.reply_text(f'{{"QueryResponse":{found},"time":"{wire.stamp_now(box)}"}}')


def _one(name: str, text: str) -> Response:
    return wire.reply_text(f'{{"{name}":{text},"time":"{wire.stamp_now(here())}"}}')


def _earlier(db: sqlite3.Connection, realm: str, identifier: str) -> sqlite3.Row | None:
    """The stored answer to this requestid, while it is kept. Raises Fault 600 when the switch refuses repeats."""
    box = here()
    oldest = box.clock.seconds() - int(box.switches["quickbooks_requestid_hours"]) * 3600
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM qbo_request WHERE tenant = ? AND requestid = ? AND at > ?", (realm, identifier, oldest)
    ).fetchone()
    if row is not None and box.switches["quickbooks_requestid"] == "refused":
        raise Fault("600", "Duplicate Request ID", f"The request id {identifier} was used already")
    return row


def _batch_query(db: sqlite3.Connection, item: Body) -> Body:
    head = {"bId": str(item.get("bId", ""))}
    try:
        found = search.answer(here(), db, this_company().realm, str(item["Query"]))
    except Fault as fault:
        return {**head, "Fault": fault.as_dict()}
    return {**head, "QueryResponse": json.loads(found)}


def _batch_item(db: sqlite3.Connection, item: Body) -> Body:
    """One create or update; its fault goes beside the others' answers."""
    head = {"bId": str(item.get("bId", ""))}
    db.execute("SAVEPOINT item")
    try:
        return {**head, **_batch_write(db, item)}
    except Fault as fault:
        db.execute("ROLLBACK TO item")
        return {**head, "Fault": fault.as_dict()}
    finally:
        db.execute("RELEASE item")


def _batch_write(db: sqlite3.Connection, item: Body) -> Body:
    box, operation = here(), item.get("operation")
    every = (*records.ENTITIES, *txns.ENTITIES)
    name = next((entity for entity in every if isinstance(item.get(entity), dict)), None)
    if name is None:
        raise faults.missing("the entity")
    if name in txns.ENTITIES:
        return {name: _transaction(db, name, dict(item[name]), str(operation), str(item.get("optionsData", "")))}
    if operation not in ("create", "update"):
        raise faults.unsupported(str(operation))
    body = dict(item[name])
    if operation == "create":
        body.pop("Id", None)
        return {name: edits.create(box, db, this_company(), name, body)}
    if body.get("Id") in (None, ""):
        raise faults.missing("Id")
    return {name: edits.write(box, db, this_company(), name, body)}


def _transaction(db: sqlite3.Connection, name: str, body: Body, operation: str, options: str) -> Body:
    """As by address; `optionsData` is what stands there behind include=, or void."""
    if operation == "create":
        body.pop("Id", None)
    elif body.get("Id") in (None, ""):
        raise faults.missing("Id")
    if options == "void" and name == "Invoice":
        operation = "void"
    return txn_writes.act(here(), db, this_company(), name, body, operation, options)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as reason:
        detail = "Operation is not supported: com.sun.org.apache.xerces.internal MalformedByteSequenceException"
        raise Fault("500", "Unsupported Operation", detail) from reason


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
