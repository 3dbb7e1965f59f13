"""Carry out a previewed CSV import, client by client, so that it can be stopped anywhere and goes on from there.

This is one of the few places in the domain that commits: one transaction a client, with the row's result inside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from portal.db import db
from portal.domain import activity, clients, outgoing
from portal.domain import client_csv_tracking as tracking
from portal.domain.activity import Actor, Verb
from portal.domain.apps import PushState
from portal.domain.client_csv.reading import plan
from portal.domain.client_csv.uploads import (
    RESULT_KEPT,
    CsvRow,
    CsvUpload,
    Lease,
    RowResult,
    UploadState,
    count,
)
from portal.domain.client_csv_known import RowOutcome
from portal.domain.clients import Client
from portal.domain.owned_fields import AppFields
from portal.domain.records import Address

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
BY_OUTCOME = {
    RowOutcome.UNCHANGED: RowResult.UNCHANGED,
    RowOutcome.SKIP: RowResult.SKIPPED,
    RowOutcome.CHOICE: RowResult.UNDECIDED,
    RowOutcome.REFUSED: RowResult.REFUSED,
}
WRITING = [outcome for outcome in RowOutcome if outcome.writes]


class NotNow(Exception):
    """The import cannot be begun or taken back in the state it is in; the text says why."""


class Held(Exception):
    """The client is not as the preview saw it; the text says how."""


@dataclass
class Done:
    """What was done. `link_ids`: links whose apps are now to be told; `outgoing_ids`: clients to be created in apps."""

    link_ids: list[int] = field(default_factory=list)
    outgoing_ids: list[int] = field(default_factory=list)
    results: dict[str, int] = field(default_factory=dict)
    finished: bool = True


def begin(upload: CsvUpload, *, by: Actor, now: datetime) -> None:
    """Say that the import is to be carried out; `apply` does it. Raises `NotNow`."""
    if upload.state == UploadState.APPLYING:
        return
    if upload.state != UploadState.PREVIEW:
        raise NotNow(f"{upload.file_name} has been imported already.")
    if not upload.writes:
        raise NotNow(f"Nothing in {upload.file_name} would change anything.")
    upload.state = UploadState.APPLYING
    upload.started_at = now
    upload.applied_by = by.name
    upload.by_id = by.user_id or upload.by_id
    upload.expires_at = now + RESULT_KEPT
    upload.done, upload.total = 0, upload.writes


def apply(
    upload: CsvUpload, choices: Mapping[int, str] | None = None, *, by: Actor, now: datetime,
    progress: Progress | None = None, apps: Mapping[str, AppFields] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Done:  # fmt: skip
    """Import what the preview showed, committing client by client. Goes on where an earlier try stopped.

    `choices` as in `plan_rows`, for a caller that has not planned with them. `clock` gives the time of each commit
    in long runs. `progress` is called after each commit with rows done and in all; what it raises stops the work there.
    `Done.finished` is False when somebody else is at it. Raises `NotNow`.
    """
    if choices:
        plan(upload, choices, apps=apps or {})
    begin(upload, by=by, now=now)
    db.session.commit()
    tell = clock or (lambda: now)
    done = Done()
    with Lease(upload.id) as lease:
        so_far, total = upload.done, upload.total
        for row_ids in _units(upload.id):
            if not lease.keep(tell()):
                done.finished = False
                return done
            _apply_unit(row_ids, by, tell(), done)
            so_far += len(row_ids)
            if progress is not None:
                progress(so_far, total)
        _finish(upload, by, tell())
    done.results = upload.results
    return done


def _units(upload_id: int) -> list[list[int]]:
    """Ids of the rows still to be done, those of one client together, in the order of the file."""
    query = (
        select(CsvRow.id, CsvRow.lead, CsvRow.client_id)
        .where(CsvRow.upload_id == upload_id, CsvRow.outcome.in_(WRITING), CsvRow.result == "")
        .order_by(CsvRow.number)
    )
    units: dict[tuple[str, int], list[int]] = {}
    for row_id, lead, client_id in db.session.execute(query):
        key = ("row", lead) if client_id is None else ("client", client_id)
        units.setdefault(key, []).append(row_id)
    db.session.commit()
    return list(units.values())


def _apply_unit(row_ids: list[int], by: Actor, now: datetime, done: Done) -> None:
    """All rows of one client in one transaction."""
    try:
        rows = _still_to_do(row_ids)
        if not rows:
            db.session.rollback()
            return
        is_new = rows[0].client_id is None
        client = _write(rows, by, now)
        links = to_send(client)
        going = [row.id for row in outgoing.note_new(client, by=by, now=now)] if is_new else []
        count_done(rows)
        db.session.commit()
        done.link_ids += links
        done.outgoing_ids += going
    except Held as held:
        db.session.rollback()
        _give_up(row_ids, RowResult.HELD, str(held))
    except Exception:  # whatever it is, it is these rows' own; it is logged and they say so
        db.session.rollback()
        log.exception("rows %s of a CSV import could not be written", row_ids)
        _give_up(row_ids, RowResult.FAILED, "The portal could not save this client. The log of the portal says why.")


def to_send(client: Client) -> list[int]:
    """Links of this client that now have something for their app."""
    return [link.id for link in client.links if link.push_state == PushState.READY]


def _still_to_do(row_ids: list[int]) -> list[CsvRow]:
    query = select(CsvRow).where(CsvRow.id.in_(row_ids), CsvRow.result == "").order_by(CsvRow.number)
    return list(db.session.scalars(query.with_for_update()))


def _give_up(row_ids: list[int], result: RowResult, why: str) -> None:
    rows = _still_to_do(row_ids)
    for row in rows:
        row.result, row.why = result, why
    count_done(rows)
    db.session.commit()


def count_done(rows: Iterable[CsvRow]) -> None:
    """In SQL, so that two processes at the same upload never lose a step."""
    rows = list(rows)
    if rows:
        query = update(CsvUpload).where(CsvUpload.id == rows[0].upload_id).values(done=CsvUpload.done + len(rows))
        db.session.execute(query)


def _write(rows: list[CsvRow], by: Actor, now: datetime) -> Client:
    lead = rows[0]
    if lead.client_id is None:
        client = _create(rows, by, now)
    else:
        client = _as_previewed(lead)
        values, _options = tracking.apart({name: value for row in rows for name, value in row.client_values.items()})
        _edit(client, rows, for_clients(values), by, now)
        _choose_options(client, rows, by, now)
        for row in rows:
            _write_contact(client, row, by, now)
    for row in rows:
        _choose_default(client, row, by, now)
    for row in rows:
        row.client_id = client.id
        row.before = {**row.before, "version": client.version}
        row.result = _result(row)
    return client


def _result(row: CsvRow) -> RowResult:
    if row.outcome == RowOutcome.CREATE:
        return RowResult.CREATED
    return RowResult.CONTACT_ADDED if row.outcome == RowOutcome.ADD_CONTACT else RowResult.EDITED


def _as_previewed(row: CsvRow) -> Client:
    assert row.client_id is not None
    client = clients.get(row.client_id, lock=True)
    if client is None:
        raise Held(f"{row.name} is no longer here.")
    if client.version != row.client_version:
        raise Held(f"{client.name} was changed after the preview{_by_whom(client.id)}. Upload the row again.")
    return client


def _by_whom(client_id: int) -> str:
    last = activity.log(client_id=client_id, limit=1)
    return f", by {last[0].actor_name}" if last else ""


def _create(rows: list[CsvRow], by: Actor, now: datetime) -> Client:
    lead = rows[0]
    values = for_clients({name: value for row in rows for name, value in row.client_values.items()})
    name = values.pop("name")
    seen = {one["id"] for one in lead.candidates}
    query = select(Client.id).where(Client.name == name)
    if any(one not in seen for one in db.session.scalars(query)):
        raise Held(f"A client named {name} was made after the preview. Upload the row again to choose.")
    people = [row for row in rows if row.contact_values]
    client = clients.create(name, by=by, now=now, contacts=[row.contact_values for row in people], **values)
    for row, contact in zip(people, client.contacts, strict=True):
        row.contact_id = contact.id
    return client


def for_clients(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Address(*value) if isinstance(value, list) else value for name, value in values.items()}


def _edit(client: Client, rows: list[CsvRow], values: dict[str, Any], by: Actor, now: datetime) -> None:
    for row in rows:
        own, _options = tracking.apart(row.client_values)
        old = {name: [clients.plain(getattr(client, name)), value] for name, value in own.items()}
        if old:
            row.before = {**row.before, "fields": old}
    clients.edit(client, values, by=by, now=now)


def _choose_options(client: Client, rows: list[CsvRow], by: Actor, now: datetime) -> None:
    for row in rows:
        _own, options = tracking.apart(row.client_values)
        try:
            done = tracking.choose(client, options, by=by, now=now)
        except tracking.NoOption as problem:
            raise Held(f"{problem} Upload the row again.") from problem
        if done:
            row.before = {**row.before, "options": done}


def _write_contact(client: Client, row: CsvRow, by: Actor, now: datetime) -> None:
    contact = next((one for one in client.contacts if one.id == row.contact_id), None)
    if row.contact_id is not None and contact is None:
        raise Held(f"A contact of {client.name} was removed after the preview.")
    if contact is not None and row.contact_values:
        old = {name: [getattr(contact, name), value] for name, value in row.contact_values.items()}
        row.before = {**row.before, "contact": contact.id, "contact_fields": old}
        clients.edit_contact(contact, row.contact_values, by=by, now=now)
    elif contact is None and row.contact_values:
        contact = clients.add_contact(client, row.contact_values, by=by, now=now)
        row.contact_id = contact.id
        row.before = {**row.before, "contact": contact.id, "contact_added": dict(row.contact_values)}


def _choose_default(client: Client, row: CsvRow, by: Actor, now: datetime) -> None:
    contact = next((one for one in client.contacts if one.id == row.contact_id), None)
    default = client.default_contact
    if row.makes_default and contact is not None and not contact.is_default:
        clients.choose_default_contact(contact, by=by, now=now)
        row.before = {**row.before, "default": [default.id if default else None, contact.id]}


def _finish(upload: CsvUpload, by: Actor, now: datetime) -> None:
    """Settle the rows that wrote nothing, and put the import on record. Once, whoever comes last."""
    db.session.refresh(upload, with_for_update=True)
    if upload.state != UploadState.APPLYING:
        db.session.rollback()
        return
    for outcome, result in BY_OUTCOME.items():
        which = (CsvRow.upload_id == upload.id, CsvRow.outcome == outcome, CsvRow.result == "")
        db.session.execute(update(CsvRow).where(*which).values(result=result.value, why=CsvRow.reason))
    count(upload)
    upload.state = UploadState.DONE
    upload.ended_at = now
    upload.lease_by = upload.lease_until = None
    activity.record(
        Verb.CSV_IMPORTED, by=by, now=now, file=upload.file_name, upload=upload.id,
        created=upload.results.get(RowResult.CREATED, 0),
        changed=upload.results.get(RowResult.EDITED, 0) + upload.results.get(RowResult.CONTACT_ADDED, 0),
    )  # fmt: skip
    db.session.commit()
