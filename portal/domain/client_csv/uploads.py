"""Uploaded CSV files and their rows, from the preview to the result: the tables, and the questions screens ask.

The invariant: a row's `result` is written in the same transaction as what it did, so a row is never done twice,
whatever stops the work half way.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import JsonValue, UtcDateTime, db
from portal.domain import client_csv_tracking as tracking
from portal.domain.client_csv_columns import COLUMNS, HEADINGS, Column
from portal.domain.client_csv_file import FileRow
from portal.domain.client_csv_known import RowOutcome
from portal.domain.client_csv_rows import AskedRow, understand

PREVIEW_KEPT = timedelta(days=7)
RESULT_KEPT = timedelta(days=90)  # as long an import can be undone
PAGE = 100


class UploadState(StrEnum):
    READING = "reading"  # a large file is being compared with the clients, in the background
    PREVIEW = "preview"
    APPLYING = "applying"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"

    @property
    def is_working(self) -> bool:
        return self in (UploadState.READING, UploadState.APPLYING, UploadState.UNDOING)


class RowResult(StrEnum):
    """What became of a row. Empty in the table until it is known."""

    CREATED = "created"
    EDITED = "edited"
    CONTACT_ADDED = "contact_added"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    UNDECIDED = "undecided"  # it needed a choice and none was made
    REFUSED = "refused"
    HELD = "held"  # its client changed after the preview
    FAILED = "failed"

    @property
    def wrote(self) -> bool:
        return self in (RowResult.CREATED, RowResult.EDITED, RowResult.CONTACT_ADDED)


NOT_IMPORTED = (RowResult.REFUSED, RowResult.HELD, RowResult.FAILED, RowResult.UNDECIDED)


class CsvUpload(db.Model):
    """One file somebody uploaded. `done` and `total` count rows of the work under way."""

    __table_args__ = (Index("ix_csv_upload_digest", "digest"), Index("ix_csv_upload_expires_at", "expires_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    digest: Mapped[str]  # of the bytes, to know the same file again
    encoding: Mapped[str]
    delimiter: Mapped[str]
    rows: Mapped[int]
    clears: Mapped[bool] = mapped_column(default=False)  # empty cells of rows with ids empty the value
    state: Mapped[UploadState] = mapped_column(default=UploadState.PREVIEW)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    by_name: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    counts: Mapped[dict[str, int]] = mapped_column(JsonValue, default=dict)  # RowOutcome -> rows
    results: Mapped[dict[str, int]] = mapped_column(JsonValue, default=dict)  # RowResult -> rows
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    applied_by: Mapped[str] = mapped_column(default="")
    undone_by: Mapped[str] = mapped_column(default="")
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def writes(self) -> int:
        """Rows that would write something as things stand."""
        return sum(self.counts.get(outcome, 0) for outcome in RowOutcome if outcome.writes)

    def is_stopped(self, now: datetime) -> bool:
        """Work was begun and nobody does it any more: its process ended."""
        return self.state.is_working and (self.lease_until is None or self.lease_until < now)


class CsvRow(db.Model):
    """One row: its cells, what it would do, what it did. `before` is what undoing it needs."""

    __table_args__ = (
        UniqueConstraint("upload_id", "number"),
        Index("ix_csv_row_outcome", "upload_id", "outcome", "number"),
        Index("ix_csv_row_result", "upload_id", "result", "number"),
        Index("ix_csv_row_lead", "upload_id", "lead"),
        Index("ix_csv_row_client", "upload_id", "client_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    upload_id: Mapped[int] = mapped_column(ForeignKey("csv_upload.id", ondelete="CASCADE"))
    number: Mapped[int]  # as a spreadsheet counts; the header is row 1
    cells: Mapped[list[str]] = mapped_column(JsonValue)
    problems: Mapped[list[str]] = mapped_column(JsonValue, default=list)
    name: Mapped[str]
    lead: Mapped[int]  # the first row about the same client
    file_note: Mapped[str] = mapped_column(default="")
    choice: Mapped[str] = mapped_column(default="")  # on the lead row: create, skip, edit:<client id>
    outcome: Mapped[RowOutcome] = mapped_column(default=RowOutcome.REFUSED)
    reason: Mapped[str] = mapped_column(default="")
    notes: Mapped[list[str]] = mapped_column(JsonValue, default=list)
    client_id: Mapped[int | None]
    client_version: Mapped[int | None]
    client_values: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    contact_id: Mapped[int | None]
    contact_values: Mapped[dict[str, str]] = mapped_column(JsonValue, default=dict)
    makes_default: Mapped[bool] = mapped_column(default=False)
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list)
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list)
    result: Mapped[str] = mapped_column(default="")
    why: Mapped[str] = mapped_column(default="")
    before: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    undone: Mapped[str] = mapped_column(default="")  # what undoing it came to, as a sentence

    @property
    def is_lead(self) -> bool:
        return self.number == self.lead


def understood(number: int, cells: list[str], problems: list[str], more: Sequence[Column]) -> AskedRow:
    """What a kept row says, as it was understood when it was read; `more` as in `understand`.

    What it says of the last columns is understood anew, because their options may have changed since.
    """
    row = understand(FileRow(number, tuple(cells)), more)
    is_new = len(cells) > len(COLUMNS) and not problems
    return row if is_new else replace(row, problems=tuple(problems))


def find(upload_id: int, now: datetime) -> CsvUpload | None:
    """None when there is none, or when it has expired."""
    upload = db.session.get(CsvUpload, upload_id)
    return upload if upload is not None and upload.expires_at > now else None


def recent(now: datetime, limit: int = 20) -> list[CsvUpload]:
    """The last uploads that have not expired, newest first."""
    query = select(CsvUpload).where(CsvUpload.expires_at > now).order_by(CsvUpload.id.desc()).limit(limit)
    return list(db.session.scalars(query))


def same_file(upload: CsvUpload) -> CsvUpload | None:
    """An earlier upload of the very same bytes that was imported and not undone."""
    query = select(CsvUpload).where(CsvUpload.digest == upload.digest, CsvUpload.id < upload.id)
    query = query.where(CsvUpload.state.in_([UploadState.DONE, UploadState.APPLYING])).order_by(CsvUpload.id.desc())
    return db.session.scalars(query.limit(1)).first()


def rows(
    upload: CsvUpload, *, outcome: str = "", result: str = "", after: int = 0, before: int = 0, limit: int = PAGE
) -> list[CsvRow]:
    """Rows in the order of the file, after one row number or before another; one more than `limit` when there are more.

    With `before` the rows nearest to it are given, still in the order of the file.
    """
    query = select(CsvRow).where(CsvRow.upload_id == upload.id)
    if outcome:
        query = query.where(CsvRow.outcome == outcome)
    if result:
        query = query.where(CsvRow.result == result)
    if before:
        found = db.session.scalars(query.where(CsvRow.number < before).order_by(CsvRow.number.desc()).limit(limit + 1))
        return list(found)[::-1]
    return list(db.session.scalars(query.where(CsvRow.number > after).order_by(CsvRow.number).limit(limit + 1)))


def headings_of(upload: CsvUpload) -> list[str]:
    """Of the columns its rows have, with the last ones as they are called now."""
    first = rows(upload, limit=1)
    more = len(first[0].cells) - len(HEADINGS) if first else 0
    return [*HEADINGS, *[column.heading for column in tracking.columns()][: max(0, more)]]


def not_imported(upload: CsvUpload, after: int = 0, limit: int = 1000) -> list[CsvRow]:
    """Rows to mend and upload again: before the import the refused ones, afterwards all that were not taken."""
    query = select(CsvRow).where(CsvRow.upload_id == upload.id, CsvRow.number > after)
    if upload.state == UploadState.PREVIEW:
        query = query.where(CsvRow.outcome == RowOutcome.REFUSED)
    else:
        query = query.where(CsvRow.result.in_([one.value for one in NOT_IMPORTED]))
    return list(db.session.scalars(query.order_by(CsvRow.number).limit(limit)))


def row(upload: CsvUpload, number: int) -> CsvRow | None:
    return db.session.scalar(select(CsvRow).where(CsvRow.upload_id == upload.id, CsvRow.number == number))


def count(upload: CsvUpload) -> None:
    """Keep the figures of the upload true."""
    db.session.flush()
    upload.counts = _counted(upload.id, CsvRow.outcome)
    upload.results = {name: rows for name, rows in _counted(upload.id, CsvRow.result).items() if name}


def _counted(upload_id: int, column: Any) -> dict[str, int]:
    query = select(column, func.count()).where(CsvRow.upload_id == upload_id).group_by(column)
    return {str(getattr(name, "value", name)): rows for name, rows in db.session.execute(query)}


def created_clients(upload: CsvUpload) -> list[int]:
    """Ids of the clients this import made."""
    query = select(CsvRow.client_id).where(CsvRow.upload_id == upload.id, CsvRow.result == RowResult.CREATED)
    return [one for one in db.session.scalars(query.order_by(CsvRow.number)) if one is not None]


def drop(upload: CsvUpload) -> None:
    """Forget a file that was never imported."""
    db.session.execute(delete(CsvRow).where(CsvRow.upload_id == upload.id))
    db.session.delete(upload)


def forget_expired(now: datetime) -> int:
    """Delete uploads past their time, rows and all; what they did to clients stays on record. Says how many."""
    old = list(db.session.scalars(select(CsvUpload.id).where(CsvUpload.expires_at <= now)))
    for upload_id in old:
        db.session.execute(delete(CsvRow).where(CsvRow.upload_id == upload_id))
        db.session.execute(delete(CsvUpload).where(CsvUpload.id == upload_id))
    return len(old)


def stopped(now: datetime) -> list[int]:
    """Ids of uploads whose work was cut off, or never begun; it can go on."""
    query = select(CsvUpload.id).where(CsvUpload.state.in_([state for state in UploadState if state.is_working]))
    return list(db.session.scalars(query.where((CsvUpload.lease_until.is_(None)) | (CsvUpload.lease_until < now))))


class Lease:
    """The right to work on an upload: one process at a time has it, and loses it when it stops renewing."""

    LENGTH = timedelta(minutes=2)

    def __init__(self, upload_id: int) -> None:
        self._upload_id = upload_id
        self._holder = secrets.token_hex(8)
        self._until: datetime | None = None

    def __enter__(self) -> Lease:
        return self

    def keep(self, now: datetime) -> bool:
        """Take or renew it, committing. False while another process has it."""
        if self._until is not None and self._until - now > self.LENGTH / 2:
            return True
        free = CsvUpload.lease_until.is_(None) | (CsvUpload.lease_until < now) | (CsvUpload.lease_by == self._holder)
        query = update(CsvUpload).where(CsvUpload.id == self._upload_id, free)
        taken = db.session.execute(query.values(lease_by=self._holder, lease_until=now + self.LENGTH))
        db.session.commit()
        self._until = now + self.LENGTH if taken.rowcount else None  # type: ignore[attr-defined]  # an UPDATE counts
        return self._until is not None

    def __exit__(self, *_problem: object) -> None:
        """Give it back, so that whoever goes on need not wait for it to run out."""
        db.session.rollback()
        query = update(CsvUpload).where(CsvUpload.id == self._upload_id, CsvUpload.lease_by == self._holder)
        db.session.execute(query.values(lease_by=None, lease_until=None))
        db.session.commit()
