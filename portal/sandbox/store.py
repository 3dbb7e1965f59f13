"""All that must survive a restart, in one SQLite file.

Every write goes through `write()`, one at a time; reads get their own connection and a stable snapshot, so a long
list never waits for a write nor sees half of one. A killed process loses nothing; a power cut may cost the file, which
is a fair price for a sandbox.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

PATIENCE_MS = 10_000
SETTINGS_TABLE = "CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL)"


class Store:
    """A small pool of SQLite connections over one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._writing = threading.RLock()
        self.install([SETTINGS_TABLE])

    def install(self, statements: Iterable[str]) -> None:
        """Create what is missing; each statement says IF NOT EXISTS."""
        with self.write() as db:
            for statement in statements:
                db.execute(statement)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment of the data."""
        db = self._take()
        try:
            db.execute("BEGIN")
            yield db
        finally:
            db.rollback()
            self._idle.put(db)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection in a writing transaction; committed at the end, undone when the block raises."""
        with self._writing:
            db = self._take()
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.commit()
            except BaseException:  # raised on: whatever ended the block, half of it must not stay
                db.rollback()
                raise
            finally:
                self._idle.put(db)

    def setting(self, key: str, default: Any = None) -> Any:
        """A stored JSON value, or `default`."""
        with self.read() as db:
            row = db.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def keep_setting(self, key: str, value: Any) -> None:
        """Store a JSON value."""
        with self.write() as db:
            db.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", (key, json.dumps(value)))

    def tidy(self) -> None:
        """Fold the write-ahead log back into the file, as far as nobody is reading."""
        with self._writing:
            db = self._take()
            try:
                db.execute("PRAGMA busy_timeout=0")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                db.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
            finally:
                self._idle.put(db)

    def copy(self) -> sqlite3.Connection:
        """All of it as it is now, in memory."""
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        with self.read() as db:
            db.backup(kept)
        return kept

    def put_back(self, kept: sqlite3.Connection) -> None:
        """Everything as it was when it was copied; a few milliseconds for a small one."""
        with self._writing:
            db = self._take()
            try:
                kept.backup(db)
            finally:
                self._idle.put(db)

    def close(self) -> None:
        """Close the idle connections; a reader still streaming keeps its own until it ends."""
        self.tidy()
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=PATIENCE_MS / 1000, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-32000", "temp_store=MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        return db
