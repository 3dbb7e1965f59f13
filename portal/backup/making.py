"""Making a backup while the portal goes on working."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, func, select, table, text

from portal.backup.contents import (
    BATCH,
    FORMAT,
    MANIFEST,
    BackupProblem,
    Manifest,
    Progress,
    TableEntry,
    entry_of,
    lines,
)
from portal.db import db, reading


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One unchanging view of the whole database; whoever writes meanwhile is not held up."""
    with reading(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            yield connection


def create(
    engine: Engine, target: Path, *, now: datetime, metadata: MetaData | None = None, progress: Progress | None = None
) -> Manifest:
    """Write a backup of the database to `target`, readable by its owner alone. It appears there only when complete."""
    part = target.with_name(target.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with snapshot(engine) as connection, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                manifest = _write(connection, archive, metadata or db.metadata, now, progress)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:  # raised on: half a backup must not lie about, also after Ctrl-C
        part.unlink(missing_ok=True)
        raise
    return manifest


def _write(
    connection: Connection, archive: zipfile.ZipFile, metadata: MetaData, now: datetime, progress: Progress | None
) -> Manifest:
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise BackupProblem("This database holds no portal yet, so there is nothing to back up.")
    entries = [_write_table(connection, archive, entry_of(one), progress) for one in metadata.sorted_tables]
    manifest = Manifest(FORMAT, now.astimezone(UTC).isoformat(), revision, connection.dialect.name, entries)
    archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
    return manifest


def _write_table(
    connection: Connection, archive: zipfile.ZipFile, entry: TableEntry, progress: Progress | None
) -> TableEntry:
    total = connection.scalar(select(func.count()).select_from(table(entry.name))) or 0
    digest, rows = hashlib.sha256(), 0
    with archive.open(entry.path, "w", force_zip64=True) as file:
        for line in lines(connection, entry):
            file.write(line)
            digest.update(line)
            rows += 1
            if progress and rows % BATCH == 0:
                progress(f"Table {entry.name}", rows, total)
    if progress and rows:
        progress(f"Table {entry.name}", rows, total)
    return replace(entry, rows=rows, sha256=digest.hexdigest())
