"""Reading a backup, and putting what it holds into a database."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, bindparam, cast, column, func, insert, inspect, literal, select, table, text
from sqlalchemy.dialects.postgresql import JSONB

from portal.backup.contents import (
    BATCH,
    FORMAT,
    FROM_FILE,
    MANIFEST,
    TYPES,
    BackupProblem,
    Manifest,
    NotEmpty,
    Progress,
    TableEntry,
    lines,
)
from portal.db import db, reading
from portal.domain import client_search

SEARCH_TABLE = "client_search"  # follows from the clients: not backed up, written anew by a restore
NOT_ROWS = (SEARCH_TABLE, "alembic_version")


def read_manifest(source: Path) -> Manifest:
    """Raises `BackupProblem` when the file is no backup of this product or of a later one."""
    try:
        with zipfile.ZipFile(source) as archive:
            return _manifest(archive)
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError) as error:
        raise BackupProblem(f"{source.name} is not a backup that can be read: {error}.") from error


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    data = json.loads(archive.read(MANIFEST))
    if data["format"] != FORMAT:
        raise BackupProblem("This backup was made by a later version of the portal. Install that version first.")
    return Manifest(**{**data, "tables": [TableEntry(**entry) for entry in data["tables"]]})


def verify(source: Path) -> Manifest:
    """Read the whole file and hold it against its own counts and checksums. Raises `BackupProblem`."""
    manifest = read_manifest(source)
    with zipfile.ZipFile(source) as archive:
        for entry in manifest.tables:
            digest, rows = hashlib.sha256(), 0
            try:
                with archive.open(entry.path) as file:
                    for line in file:
                        digest.update(line)
                        rows += 1
            except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError) as error:
                raise _damaged(source, entry) from error
            if (rows, digest.hexdigest()) != (entry.rows, entry.sha256):
                raise _damaged(source, entry)
    return manifest


def _damaged(source: Path, entry: TableEntry) -> BackupProblem:
    return BackupProblem(
        f"{source.name} is damaged: its table {entry.name} is not what was written. "
        "Nothing was restored. Take another copy of the file, or an earlier backup."
    )


def restore(
    source: Path, *, replace: bool, migrate: Callable[[str], None], progress: Progress | None = None
) -> Manifest:
    """Fill the app's database from a backup, in one transaction, and read everything back before it is committed.

    `migrate` brings the schema to a revision. Raises `NotEmpty` unless `replace`, and `BackupProblem`; the database
    then stands as it stood. Runs inside an app context.
    """
    manifest = verify(source)
    revision, is_empty = _look_at(db.engine)
    if not is_empty and revision is None:
        raise NotEmpty("This database holds tables that are not the portal's. Restore into a database of its own.")
    if not is_empty and not replace:
        raise NotEmpty(
            "This database is not empty. To throw away what it holds and put the backup in its place, add --replace."
        )
    if revision != manifest.revision:
        if not is_empty:
            raise BackupProblem(
                "The database and the backup come from different versions of the portal. Restore into a new, empty "
                "database (for SQLite: move the old file away first); it is then brought up to date."
            )
        migrate(manifest.revision)
    try:
        _load(db.session.connection(), source, manifest, progress)
        _index_clients()
        db.session.commit()
    except BaseException:  # raised on: half a restored portal must not stay, also after Ctrl-C
        db.session.rollback()
        raise
    migrate("head")
    return manifest


def _look_at(engine: Engine) -> tuple[str | None, bool]:
    """The schema's revision (None: no portal here yet), and whether there are no rows."""
    with reading(), engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        names = [name for name in inspect(connection).get_table_names() if not name.startswith(NOT_ROWS)]
        if revision is None:
            return None, not names
        return revision, not any(
            connection.scalar(select(literal(1)).select_from(table(name)).limit(1)) for name in names
        )


def _load(connection: Connection, source: Path, manifest: Manifest, progress: Progress | None) -> None:
    with _references_checked_last(connection), zipfile.ZipFile(source) as archive:
        connection.execute(table(SEARCH_TABLE).delete())
        for entry in reversed(manifest.tables):
            connection.execute(table(entry.name).delete())
        for entry in manifest.tables:
            _load_table(connection, archive, entry, progress)
            _set_counter(connection, entry)
        for entry in manifest.tables:
            _compare(connection, entry, source)


def _load_table(connection: Connection, archive: zipfile.ZipFile, entry: TableEntry, progress: Progress | None) -> None:
    columns = {name: bindparam(name, type_=TYPES[kind]) for name, kind in entry.columns.items()}
    as_json = cast if connection.dialect.name == "postgresql" else (lambda value, _type: value)
    values = {
        name: as_json(value, JSONB) if entry.columns[name] == "json" else value for name, value in columns.items()
    }
    statement = insert(table(entry.name, *(column(name) for name in entry.columns))).values(values)
    readers = [FROM_FILE.get(kind) for kind in entry.columns.values()]
    done = 0
    with archive.open(entry.path) as file:
        for rows in _batches(TextIOWrapper(file, encoding="utf-8", newline="\n")):
            batch = [
                {
                    name: value if value is None or read is None else read(value)
                    for name, value, read in zip(entry.columns, row, readers, strict=True)
                }
                for row in rows
            ]
            connection.execute(statement, batch)
            done += len(batch)
            if progress:
                progress(f"Table {entry.name}", done, entry.rows)


def _batches(lines: Iterable[str]) -> Iterator[list[list[Any]]]:
    batch: list[list[Any]] = []
    for line in lines:
        batch.append(json.loads(line))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _set_counter(connection: Connection, entry: TableEntry) -> None:
    """The next row made here gets a number that no restored row has. SQLite sees to that by itself."""
    if entry.counts_by is None or connection.dialect.name != "postgresql":
        return
    name = connection.dialect.identifier_preparer.quote(entry.name)
    counter = connection.scalar(
        text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": name, "column": entry.counts_by}
    )
    if counter is not None:
        highest = connection.scalar(select(func.max(column(entry.counts_by))).select_from(table(entry.name)))
        connection.execute(
            text("SELECT setval(:counter, :value, :used)"),
            {"counter": counter, "value": highest or 1, "used": highest is not None},
        )


def _compare(connection: Connection, entry: TableEntry, source: Path) -> None:
    digest, rows = hashlib.sha256(), 0
    for line in lines(connection, entry):
        digest.update(line)
        rows += 1
    if (rows, digest.hexdigest()) != (entry.rows, entry.sha256):
        raise BackupProblem(
            f"What was written to the table {entry.name} does not read back as {source.name} has it. "
            "Nothing was restored; the database stands as it stood."
        )


@contextmanager
def _references_checked_last(connection: Connection) -> Iterator[None]:
    """Rows may come before those they point at; that every one points at something is checked at the end."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        yield
        broken = connection.execute(text("PRAGMA foreign_key_check")).first()
        if broken:
            raise BackupProblem(f"The backup's table {broken[0]} points at rows that are not in it.")
        return
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    found = connection.execute(
        text(
            "SELECT conrelid::regclass::text AS owner, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS rule "
            "FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        )
    ).all()
    for row in found:
        connection.execute(text(f"ALTER TABLE {row.owner} DROP CONSTRAINT {row.name}"))
    yield
    for row in found:
        connection.execute(text(f"ALTER TABLE {row.owner} ADD CONSTRAINT {row.name} {row.rule}"))


def _index_clients() -> None:
    last = 0
    next_ids = text("SELECT id FROM client WHERE id > :last ORDER BY id LIMIT 2000")
    while ids := list(db.session.scalars(next_ids, {"last": last})):
        client_search.index(ids)
        last = ids[-1]
