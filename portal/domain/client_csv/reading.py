"""From a file to its preview: keep its rows, plan them against the firm's clients, plan anew when a choice is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select
from sqlalchemy import insert as sql_insert
from sqlalchemy import update as sql_update

from portal.db import db, reading
from portal.domain import client_csv_tracking as tracking
from portal.domain.activity import Actor
from portal.domain.apps import ClientLink, Connection, ConnectionState, LinkState
from portal.domain.client_csv.uploads import PREVIEW_KEPT, CsvRow, CsvUpload, Lease, UploadState, count, understood
from portal.domain.client_csv_columns import COLUMNS, Column
from portal.domain.client_csv_file import MAX_BYTES, UnreadableFile, read
from portal.domain.client_csv_known import Known, KnownClient, KnownContact, RowOutcome, RowPlan
from portal.domain.client_csv_plan import leads, near_in_file, plan_rows
from portal.domain.client_csv_rows import AskedRow, understand
from portal.domain.clients import Client, Contact
from portal.domain.owned_fields import AppFields, owned_by
from portal.domain.people import User
from portal.domain.text import near_key

MANY = 400
ROWS_AT_ONCE = 1000
CLIENT_COLUMNS = tuple(column.field for column in COLUMNS if not column.of_contact and not column.is_read_only)
CONTACT_COLUMNS = tuple(
    column.field for column in COLUMNS if column.of_contact and column.field not in ("id", "is_default")
)
PLANNED = ("outcome", "reason", "notes", "client_id", "client_version", "client_values", "contact_id",
           "contact_values", "makes_default", "changes", "candidates")  # fmt: skip


def read_file(source: bytes | Path, name: str, *, by: Actor, now: datetime, clears: bool = False) -> CsvUpload:
    """Keep a file's rows for a preview; nothing is planned and no client touched. Raises `UnreadableFile`.

    `name` is what the person calls the file. `clears` as in `plan_rows`.
    """
    data = _bytes(source)
    more = tracking.columns()
    table = read(data, last=[column.heading for column in more])
    asked = [understand(row, more) for row in table.rows]
    lead_of, notes = leads(asked), near_in_file(asked)
    upload = CsvUpload(
        file_name=_file_name(name), digest=hashlib.sha256(data).hexdigest(), encoding=table.encoding,
        delimiter=table.delimiter, rows=len(asked), clears=clears, by_id=by.user_id, by_name=by.name, at=now,
        expires_at=now + PREVIEW_KEPT, total=len(asked),
    )  # fmt: skip
    db.session.add(upload)
    db.session.flush()
    kept = [
        {
            "upload_id": upload.id, "number": row.number, "cells": [_storable(cell) for cell in file_row.cells],
            "problems": list(row.problems), "name": _storable(row.name), "lead": lead_of[row.number],
            "file_note": notes.get(row.number, ""), "outcome": RowOutcome.REFUSED,
        }
        for file_row, row in zip(table.rows, asked, strict=True)
    ]  # fmt: skip
    for start in range(0, len(kept), ROWS_AT_ONCE):
        db.session.execute(sql_insert(CsvRow), kept[start : start + ROWS_AT_ONCE])
    return upload


def _bytes(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    if source.stat().st_size > MAX_BYTES:
        raise UnreadableFile(f"The file is larger than {MAX_BYTES // 1_000_000} MB. Split it and upload the parts.")
    return source.read_bytes()


def _file_name(name: str) -> str:
    """The last part of what a browser calls the file, fit to be shown and logged on one line."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(character for character in last if character.isprintable() and not "\ud800" <= character <= "\udfff")
    return kept.strip()[:200] or "unnamed file"


def _storable(cell: str) -> str:
    """Without the characters no database takes; a row that has them is refused, and is kept to be shown."""
    if cell.isascii() and cell.isprintable():
        return cell
    return "".join("\ufffd" if one == "\x00" or "\ud800" <= one <= "\udfff" else one for one in cell)


def plan(
    upload: CsvUpload,
    choices: Mapping[int, str] | None = None,
    *,
    apps: Mapping[str, AppFields],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Plan every row against the clients as they are now. `choices` as in `plan_rows`; earlier ones stay.

    `apps` maps an app's slug to what is known of it (`integrations.app_info`).
    """
    if choices:
        chosen = [{"of_upload": upload.id, "lead_row": lead, "chosen": choice} for lead, choice in choices.items()]
        row = CsvRow.__table__
        which = (row.c.upload_id == bindparam("of_upload")) & (row.c.number == bindparam("lead_row"))
        db.session.flush()
        db.session.connection().execute(sql_update(row).where(which).values(choice=bindparam("chosen")), chosen)
    _write(upload, _planned(upload, CsvRow.upload_id == upload.id, apps), progress)


def plan_in_steps(
    upload: CsvUpload, *, apps: Mapping[str, AppFields], progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], datetime],
) -> bool:  # fmt: skip
    """As `plan`, for a large file in the background: thinks without holding the database, and commits as it writes.

    Turns an upload that is being read into a preview. False when another process is at it.
    """
    with Lease(upload.id) as lease:
        if not lease.keep(clock()):
            return False
        with reading():
            values = _planned(upload, CsvRow.upload_id == upload.id, apps)
        db.session.rollback()
        for start in range(0, len(values), ROWS_AT_ONCE):
            if not lease.keep(clock()):
                return False
            db.session.execute(sql_update(CsvRow), values[start : start + ROWS_AT_ONCE])
            upload.done = min(start + ROWS_AT_ONCE, len(values))
            db.session.commit()
            if progress is not None:
                progress(min(start + ROWS_AT_ONCE, len(values)), len(values))
        count(upload)
        upload.state = UploadState.PREVIEW
        db.session.commit()
    return True


def choose(upload: CsvUpload, lead: int, choice: str, *, apps: Mapping[str, AppFields]) -> None:
    """Settle what the rows of one name mean: 'create', 'skip', 'edit:<client id>', or '' to take a choice back.

    Rows that come, or came, to the same client are planned again with them. Raises ValueError for any other choice.
    """
    group = list(db.session.scalars(select(CsvRow).where(CsvRow.upload_id == upload.id, CsvRow.lead == lead)))
    if not group or not _is_choice(choice, group):
        raise ValueError(f"row {lead} has no choice {choice!r}")
    clients = {row.client_id for row in group if row.client_id is not None}
    if choice.startswith("edit:"):
        clients.add(int(choice.removeprefix("edit:")))
    next(row for row in group if row.is_lead).choice = choice
    db.session.flush()
    condition: ColumnElement[bool] = CsvRow.lead == lead
    if clients:
        affected = select(CsvRow.lead).where(CsvRow.upload_id == upload.id, CsvRow.client_id.in_(clients))
        condition = or_(condition, CsvRow.lead.in_(affected))
    _write(upload, _planned(upload, and_(CsvRow.upload_id == upload.id, condition), apps))


def choose_all(upload: CsvUpload, choice: str, *, apps: Mapping[str, AppFields]) -> int:
    """Settle every row that still needs a choice: 'create', 'skip', or 'edit' where exactly one client has that very
    name. Says how many rows were settled. Raises ValueError for any other choice.
    """
    if choice not in ("create", "skip", "edit"):
        raise ValueError(f"{choice!r} cannot be chosen for all")
    waiting = db.session.scalars(
        select(CsvRow).where(CsvRow.upload_id == upload.id, CsvRow.outcome == RowOutcome.CHOICE).order_by(CsvRow.number)
    )
    choices: dict[int, str] = {}
    for row in waiting:
        exact = [one for one in row.candidates if one["exact"]]
        if choice != "edit":
            choices[row.lead] = choice
        elif len(exact) == 1:
            choices[row.lead] = f"edit:{exact[0]['id']}"
    if choices:
        before = upload.counts.get(RowOutcome.CHOICE, 0)
        plan(upload, choices, apps=apps)
        return before - upload.counts.get(RowOutcome.CHOICE, 0)
    return 0


def _is_choice(choice: str, group: Sequence[CsvRow]) -> bool:
    if choice in ("create", "skip", ""):
        return any(row.candidates for row in group)
    return any(choice == f"edit:{one['id']}" for row in group for one in row.candidates)


def _planned(upload: CsvUpload, which: ColumnElement[bool], apps: Mapping[str, AppFields]) -> list[dict[str, Any]]:
    """What is to be written to these rows, by their id."""
    columns = (CsvRow.id, CsvRow.number, CsvRow.cells, CsvRow.problems, CsvRow.lead, CsvRow.choice, CsvRow.file_note)
    rows = db.session.execute(select(*columns).where(which).order_by(CsvRow.number)).all()
    more = tracking.columns()
    asked = [understood(row.number, row.cells, row.problems, more) for row in rows]
    choices = {row.number: row.choice for row in rows if row.choice}
    known = load_known(asked, apps, more)
    plans = plan_rows(asked, {row.number: row.lead for row in rows}, choices, known, clears=upload.clears)
    return [_columns(one, row.file_note) | {"id": row.id} for row, one in zip(rows, plans, strict=True)]


def _columns(plan: RowPlan, file_note: str) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(plan, name) for name in PLANNED}
    return values | {"notes": [*plan.notes, file_note]} if file_note else values


def _write(upload: CsvUpload, values: list[dict[str, Any]], progress: Callable[[int, int], None] | None = None) -> None:
    db.session.flush()
    for start in range(0, len(values), ROWS_AT_ONCE):
        db.session.execute(sql_update(CsvRow), values[start : start + ROWS_AT_ONCE])
        if progress is not None:
            progress(min(start + ROWS_AT_ONCE, len(values)), len(values))
    for held in list(db.session.identity_map.values()):  # rows somebody looked at before
        if isinstance(held, CsvRow):
            db.session.expire(held)
    count(upload)


def load_known(rows: Iterable[AskedRow], apps: Mapping[str, AppFields], more: Sequence[Column] = ()) -> Known:
    """The clients these rows may mean, by id, by name and by near name, and the people and options they may name."""
    ids, names, nears = set(), set(), set()
    for row in rows:
        if row.client_id is not None:
            ids.add(row.client_id)
        if row.name:
            names.add(row.name)
            if row.client_id is None and near_key(row.name):
                nears.add(near_key(row.name))
    known = Known(options={column.field: column for column in more})
    emails: dict[int, str] = {}
    for user in db.session.scalars(select(User)):
        emails[user.id] = user.email
        if user.is_active:
            known.people[user.email] = user.id
    for column, wanted in ((Client.id, ids), (Client.name, names), (Client.near_key, nears)):
        listed = sorted(wanted)
        for start in range(0, len(listed), MANY):
            _load_some(known, column.in_(listed[start : start + MANY]), emails, apps)
    return known


def _load_some(
    known: Known, which: ColumnElement[bool], emails: Mapping[int, str], apps: Mapping[str, AppFields]
) -> None:
    wanted = [getattr(Client, name) for name in CLIENT_COLUMNS if not name.endswith("_email") and name != "id"]
    always = (Client.id, Client.version, Client.archived_at, Client.manager_id, Client.partner_id)
    found = db.session.execute(select(*always, *wanted).where(which)).all()
    fresh = [one for one in found if one.id not in known.clients]
    ids = [one.id for one in fresh]
    contacts = _contacts(ids)
    owners = _owners(ids, apps)
    options = tracking.held(ids, list(known.options.values()))
    for one in sorted(fresh, key=lambda found_row: found_row.id):
        values = {column.key: getattr(one, column.key) for column in wanted} | options.get(one.id, {})
        values["manager_email"] = emails.get(one.manager_id, "")
        values["partner_email"] = emails.get(one.partner_id, "")
        known.add(
            KnownClient(
                one.id, one.version, values, tuple(contacts.get(one.id, ())), one.archived_at is not None,
                owners.get(one.id, {}),
            )
        )  # fmt: skip


def _contacts(client_ids: list[int]) -> dict[int, list[KnownContact]]:
    columns = [getattr(Contact, name) for name in CONTACT_COLUMNS]
    query = select(Contact.id, Contact.client_id, Contact.is_default, *columns)
    found: dict[int, list[KnownContact]] = {}
    for one in db.session.execute(query.where(Contact.client_id.in_(client_ids)).order_by(Contact.id)):
        values = {name: getattr(one, name) for name in CONTACT_COLUMNS}
        found.setdefault(one.client_id, []).append(KnownContact(one.id, values, one.is_default))
    return found


def _owners(client_ids: list[int], apps: Mapping[str, AppFields]) -> dict[int, dict[str, str]]:
    query = (
        select(ClientLink.client_id, Connection)
        .join(Connection, Connection.id == ClientLink.connection_id)
        .where(ClientLink.client_id.in_(client_ids), ClientLink.state == LinkState.LINKED)
        .where(Connection.state == ConnectionState.CONNECTED)
    )
    found: dict[int, dict[str, str]] = {}
    for client_id, connection in db.session.execute(query):
        owned = {field: app.name for field, app in owned_by(connection, apps).items()}
        found.setdefault(client_id, {}).update(owned)
    return found
