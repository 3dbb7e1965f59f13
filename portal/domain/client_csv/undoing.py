"""Take a CSV import back: old values return where nobody changed them since, untouched new clients are archived.

Clients are archived and not deleted because what happened to them stays on record (IN-21). One commit a client, as when
it was imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, clients, outgoing
from portal.domain import client_csv_tracking as tracking
from portal.domain.activity import Actor, Verb
from portal.domain.client_csv.applying import Done, NotNow, Progress, count_done, for_clients, to_send
from portal.domain.client_csv.uploads import CsvRow, CsvUpload, Lease, RowResult, UploadState
from portal.domain.client_csv_columns import COLUMNS
from portal.domain.clients import Client, Contact
from portal.domain.fields import CLIENT_FIELDS

log = logging.getLogger(__name__)
WROTE = [result.value for result in RowResult if result.wrote]
CONTACT_HEADINGS = {column.field: column.heading for column in COLUMNS if column.of_contact}


def begin_undo(upload: CsvUpload, *, by: Actor, now: datetime) -> None:
    """Say that the import is to be taken back; `undo` does it. Raises `NotNow`."""
    if upload.state == UploadState.UNDOING:
        return
    if upload.state != UploadState.DONE:
        raise NotNow(f"{upload.file_name} is not an import that can be undone now.")
    upload.state = UploadState.UNDOING
    upload.undone_by, upload.undone_at = by.name, now
    upload.done, upload.total = 0, sum(upload.results.get(one, 0) for one in WROTE)


def undo(
    upload: CsvUpload, *, by: Actor, now: datetime, progress: Progress | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Done:  # fmt: skip
    """Take the import back, committing client by client; goes on where an earlier try stopped. Raises `NotNow`."""
    begin_undo(upload, by=by, now=now)
    db.session.commit()
    tell = clock or (lambda: now)
    done = Done()
    with Lease(upload.id) as lease:
        total, clients_left = upload.total, _client_ids(upload.id)
        for place, client_id in enumerate(clients_left, 1):
            if not lease.keep(tell()):
                done.finished = False
                return done
            done.link_ids += _undo_client(upload.id, client_id, by, tell())
            if progress is not None:
                progress(total - len(clients_left) + place, total)
        _finish(upload, by, tell())
    return done


def _client_ids(upload_id: int) -> list[int]:
    query = select(CsvRow.client_id).where(CsvRow.upload_id == upload_id, CsvRow.result.in_(WROTE), CsvRow.undone == "")
    found = [one for one in db.session.scalars(query.order_by(CsvRow.number)) if one is not None]
    db.session.commit()
    return list(dict.fromkeys(found))


def _rows(upload_id: int, client_id: int) -> list[CsvRow]:
    query = select(CsvRow).where(
        CsvRow.upload_id == upload_id, CsvRow.client_id == client_id, CsvRow.result.in_(WROTE), CsvRow.undone == ""
    )
    return list(db.session.scalars(query.order_by(CsvRow.number.desc()).with_for_update()))


def _undo_client(upload_id: int, client_id: int, by: Actor, now: datetime) -> list[int]:
    try:
        rows = _rows(upload_id, client_id)
        client = clients.get(client_id, lock=True)
        if client is None:
            _say(rows, "The client is no longer here.")
        elif any(row.result == RowResult.CREATED for row in rows):
            _archive_created(client, rows, by, now)
        else:
            for row in rows:
                row.undone = _put_back(client, row, by, now)
        count_done(rows)
        links = to_send(client) if client else []
        db.session.commit()
        return links
    except Exception:  # whatever it is, it is this client's own; it is logged and its rows say so
        db.session.rollback()
        log.exception("client %s of CSV upload %s could not be put back", client_id, upload_id)
        rows = _rows(upload_id, client_id)
        _say(rows, "This could not be undone. The log of the portal says why.")
        count_done(rows)
        db.session.commit()
    return []


def _say(rows: list[CsvRow], sentence: str) -> None:
    for row in rows:
        row.undone = sentence


def _archive_created(client: Client, rows: list[CsvRow], by: Actor, now: datetime) -> None:
    made = max(row.before.get("version", 0) for row in rows)
    if client.links:
        _say(rows, f"Left as it is: {client.name} has been linked to an app since.")
    elif client.version != made:
        _say(rows, f"Left as it is: {client.name} has been changed since.")
    elif not _stays_here(client, by, now):
        _say(rows, f"Left as it is: {client.name} is being created in an app at this moment.")
    else:
        clients.archive(client, by=by, now=now)
        _say(rows, "Archived.")


def _stays_here(client: Client, by: Actor, now: datetime) -> bool:
    """What was to be created in apps is taken back; False when that cannot be stopped any more."""
    try:
        taken = [outgoing.take_back(row, by=by, now=now) for row in outgoing.for_client(client)]
    except outgoing.UnderWay:
        return False
    return all(taken)


def _put_back(client: Client, row: CsvRow, by: Actor, now: datetime) -> str:
    """Undo one row of a client that was here before; says what came of it."""
    kept: list[str] = []
    _put_default_back(client, row, by, now)
    _put_contact_back(client, row, kept, by, now)
    values = {}
    for name, (old, new) in row.before.get("fields", {}).items():
        if clients.plain(getattr(client, name)) == new:
            values[name] = old
        else:
            kept.append(CLIENT_FIELDS[name.removesuffix("_id")])
    clients.edit(client, for_clients(values), by=by, now=now)
    kept += tracking.put_back(client, row.before.get("options", {}), by=by, now=now)
    if kept:
        return f"Put back, but for what was changed since: {', '.join(kept)}."
    return "Put back."


def _put_default_back(client: Client, row: CsvRow, by: Actor, now: datetime) -> None:
    before, after = row.before.get("default", [None, None])
    previous = next((one for one in client.contacts if one.id == before), None)
    present = client.default_contact
    if previous is not None and present is not None and present.id == after:
        clients.choose_default_contact(previous, by=by, now=now)


def _put_contact_back(client: Client, row: CsvRow, kept: list[str], by: Actor, now: datetime) -> None:
    contact = next((one for one in client.contacts if one.id == row.before.get("contact")), None)
    if contact is None:
        return
    added = row.before.get("contact_added")
    if added is not None:
        if _is_untouched(contact, added):
            clients.remove_contact(contact, by=by, now=now)
        else:
            kept.append(f"the contact {contact.name}")
        return
    values = {}
    for name, (old, new) in row.before.get("contact_fields", {}).items():
        if getattr(contact, name) == new:
            values[name] = old
        else:
            kept.append(CONTACT_HEADINGS[name])
    clients.edit_contact(contact, values, by=by, now=now)


def _is_untouched(contact: Contact, added: dict[str, str]) -> bool:
    return all(getattr(contact, name) == added.get(name, "") for name in clients.CONTACT_EDITABLE)


def _finish(upload: CsvUpload, by: Actor, now: datetime) -> None:
    db.session.refresh(upload, with_for_update=True)
    if upload.state != UploadState.UNDOING:
        db.session.rollback()
        return
    upload.state = UploadState.UNDONE
    upload.undone_at = now
    upload.lease_by = upload.lease_until = None
    rows = select(CsvRow.undone).where(CsvRow.upload_id == upload.id, CsvRow.undone != "")
    said = list(db.session.scalars(rows))
    activity.record(
        Verb.CSV_UNDONE, by=by, now=now, file=upload.file_name, upload=upload.id,
        undone=sum(1 for one in said if one in ("Archived.", "Put back.")), rows=len(said),
    )  # fmt: skip
    db.session.commit()
