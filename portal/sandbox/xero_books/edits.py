"""What a write does: one request, many contacts, each saved or refused on its own."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from portal.sandbox.context import Sandbox, hint
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import api, fields, records, wire
from portal.sandbox.xero_books.records import Fields

NOT_IDENTIFIED = (
    "The Contact must contain at least 1 of the following elements to identify the contact: Name, ContactID,"
    " ContactNumber"
)
NAME_TAKEN = (
    "The contact name {} is already assigned to another contact. The contact name must be unique across all active"
    " contacts."
)
NUMBER_TAKEN = "Another contact has this contact number. Please enter a different contact number."
ACCOUNT_TAKEN = "The Account Number already exists. Please enter a different Account Number."


@dataclass
class Outcome:
    """What became of one element: its identifier when saved, else what was wrong. `quiet` refusals come with a 200."""

    sent: dict[str, Any]
    contact: str | None = None
    errors: list[str] = field(default_factory=list)
    quiet: bool = False


def save_many(
    box: Sandbox, tenant: Tenant, items: list[dict[str, Any]], *, summarize: bool, creates_only: bool = False
) -> Response:
    """Save every element; with `summarize` one bad element spoils the request, as a 400."""
    told = hint("business_error")
    read = [fields.read(item) for item in items]
    with box.store.write() as db:
        done = [
            Outcome(item, errors=[api.refusal(told)]) if told else _save_one(box, db, tenant, item, sent, creates_only)
            for item, sent in zip(items, read, strict=True)
        ]
        bad = [one for one in done if one.errors and not one.quiet]
        spoilt = bool(bad) and summarize
        if spoilt and not box.switches["xero_bad_batch_saves_the_good"]:
            raise wire.invalid([_echo(one) for one in bad])
        printed = [_printed(db, tenant, one, with_status=not summarize) for one in done]
    if spoilt:
        raise wire.invalid([_echo(one) for one in bad])
    return wire.answer("Contacts", printed)


def _save_one(
    box: Sandbox, db: sqlite3.Connection, tenant: Tenant, item: dict[str, Any], sent: Fields, creates_only: bool
) -> Outcome:
    done = Outcome(item, errors=fields.complaints(sent))
    if "Name" in sent and (why := fields.odd_name(sent["Name"])):
        done.errors.append(why)
        done.quiet = box.switches["xero_odd_names"] == "quiet" and len(done.errors) == 1
    if not any(sent.get(key) for key in ("ContactID", "Name", "ContactNumber")):
        done.errors.append(NOT_IDENTIFIED)
    if done.errors:
        return done
    row = None if creates_only else _matched(box, db, tenant, sent)
    if row is None and "ContactID" in sent and not creates_only:
        done.errors.append("The ContactID is not known in this organisation")
        return done
    before = records.load_fields(row) if row else {}
    after = fields.merged(
        before,
        sent,
        empty_clears=box.switches["xero_empty_text_clears"],
        parts_are_whole=box.switches["xero_parts_replace_address_and_phone"],
    )
    done.errors = _conflicts(box, db, tenant, row["id"] if row else None, before, after)
    if not done.errors:
        done.contact = _write(box, db, tenant, row, after)
    return done


def _matched(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, sent: Fields) -> sqlite3.Row | None:
    """The contact that is meant: by identifier, else by number or by the name of an active one."""
    if "ContactID" in sent:
        row: sqlite3.Row | None = db.execute(
            "SELECT * FROM books_contact WHERE tenant = ? AND id = ?", (tenant.id, sent["ContactID"])
        ).fetchone()
        return row
    ways = [("number", "ContactNumber"), ("name", "Name")]
    if box.switches["xero_match_order"] == "name_first":
        ways.reverse()
    for column, key in ways:
        if not sent.get(key):
            continue
        found = _named(box, db, tenant, sent[key]) if column == "name" else _numbered(db, tenant, sent[key])
        if found:
            return found[0]
    return None


def _conflicts(
    box: Sandbox, db: sqlite3.Connection, tenant: Tenant, contact: str | None, before: Fields, after: Fields
) -> list[str]:
    """Rules broken in the company of the other contacts."""
    found = []
    was, status = before.get("ContactStatus", "ACTIVE"), after.get("ContactStatus", "ACTIVE")
    if was == "ARCHIVED" and status == "ACTIVE" and not box.switches["xero_unarchive_by_api"]:
        found.append("An archived contact cannot be made active again through the API")
    if not after.get("Name"):
        found.append("A contact needs a Name")
    elif status == "ACTIVE" and any(row["id"] != contact for row in _named(box, db, tenant, after["Name"])):
        found.append(NAME_TAKEN.format(after["Name"]))
    number, account = after.get("ContactNumber"), after.get("AccountNumber")
    if number and any(row["id"] != contact for row in _numbered(db, tenant, number)):
        found.append(NUMBER_TAKEN)
    if account and account != before.get("AccountNumber"):
        rows = db.execute(
            "SELECT id FROM books_contact WHERE tenant = ? AND account_fold = ? AND archived = 0",
            (tenant.id, records.fold(account)),
        ).fetchall()
        if any(row["id"] != contact for row in rows):
            found.append(ACCOUNT_TAKEN)
    return found


def _named(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, name: str) -> list[sqlite3.Row]:
    rows = db.execute(
        "SELECT * FROM books_contact WHERE tenant = ? AND name_key = ? AND status = 'ACTIVE'",
        (tenant.id, name.casefold()),
    ).fetchall()
    any_case = box.switches["xero_names_unique_in_any_case"]
    return [row for row in rows if any_case or row["name"] == name]


def _numbered(db: sqlite3.Connection, tenant: Tenant, number: str) -> list[sqlite3.Row]:
    return db.execute(
        "SELECT * FROM books_contact WHERE tenant = ? AND number = ? ORDER BY archived, n", (tenant.id, number)
    ).fetchall()


def _write(box: Sandbox, db: sqlite3.Connection, tenant: Tenant, row: sqlite3.Row | None, after: Fields) -> str:
    now = box.clock.milliseconds()
    if row is not None:
        records.save(db, row, after, now)
        records.note(db, tenant.id, row["id"], now, "Edited", "")
        return str(row["id"])
    contact = str(uuid.uuid4())
    records.insert(db, [records.row_of(tenant.id, contact, after, None, now, now)])
    records.note(db, tenant.id, contact, now, "Created", "")
    return contact


def _printed(db: sqlite3.Connection, tenant: Tenant, done: Outcome, *, with_status: bool) -> str:
    if done.contact is None:
        return wire.render(_echo(done) | ({"StatusAttributeString": "ERROR"} if with_status else {}))
    text: str = db.execute(
        f"SELECT {records.FULL} FROM books_contact WHERE tenant = ? AND id = ?", (tenant.id, done.contact)
    ).fetchone()[0]
    return text[:-1] + ',"StatusAttributeString":"OK"}' if with_status else text


def _echo(done: Outcome) -> dict[str, Any]:
    """A refused element as it was sent, with what is wrong about it."""
    echoed = {key: value for key, value in done.sent.items() if value is not None}
    for key in ("Addresses", "Phones"):
        if isinstance(echoed.get(key), list):
            echoed[key] = [{**entry, "ValidationErrors": []} for entry in echoed[key]]
    return {
        "ContactID": wire.NO_GUID,
        **echoed,
        "ContactGroups": [],
        "ContactPersons": echoed.get("ContactPersons", []),
        "HasValidationErrors": True,
        "ValidationErrors": [{"Message": message} for message in done.errors],
    }
