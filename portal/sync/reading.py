"""Reading an app: its reference lists, and its clients as a stream of which only what changed is kept, on disk."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from portal.adapters.base import ClientAdapter, Session
from portal.db import db
from portal.domain.apps import ClientLink, Connection, LinkState, Outcome
from portal.domain.records import ClientRecord, Quarantined, RecordState, client_from_json
from portal.sync.runs import Watch

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
READ_STEP = 250  # records between two looks at the clock


class Known(NamedTuple):
    """What a run needs to know of a link to tell whether its record changed."""

    link_id: int
    client_id: int
    digest: str
    is_broken: bool


def known_links(connection_id: int) -> dict[str, Known]:
    rows = db.session.execute(
        select(
            ClientLink.remote_id, ClientLink.id, ClientLink.client_id, ClientLink.seen_digest, ClientLink.state
        ).where(ClientLink.connection_id == connection_id)
    )
    return {row[0]: Known(row[1], row[2], row[3], row[4] == LinkState.BROKEN) for row in rows}


@dataclass
class Reading:
    """What came of one look at the app. Changed records wait in a temporary file, whatever their number."""

    seen: set[str] = field(default_factory=set)
    loose_names: Counter[str] = field(default_factory=Counter)  # of current records nobody is linked to
    quarantined: list[Quarantined] = field(default_factory=list)
    kept: int = 0
    unchanged: int = 0
    _file: Any = field(default_factory=lambda: tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115  # see close()

    def keep(self, record: ClientRecord) -> None:
        self._file.write(_encode(record.as_json()))
        self._file.write("\n")
        self.kept += 1

    def records(self) -> Iterator[ClientRecord]:
        """The kept records, from the start each time."""
        self._file.seek(0)
        for line in self._file:
            yield client_from_json(json.loads(line))

    def close(self) -> None:
        self._file.close()


def read(
    adapter: ClientAdapter, session: Session, since: datetime | None, known: dict[str, Known], watch: Watch
) -> Reading:
    """Read all records, or those changed since, keeping the ones that differ from what was seen last."""
    reading = Reading()
    pending = 0
    for item in adapter.fetch_clients(session, since):
        if isinstance(item, Quarantined):
            reading.quarantined.append(item)
            watch.count(Outcome.QUARANTINED)
        elif item.remote_id not in reading.seen:  # a list that repeats a record says nothing new
            reading.seen.add(item.remote_id)
            _sort_out(reading, item, known.get(item.remote_id))
        pending += 1
        if pending == READ_STEP:
            watch.step(pending)
            pending = 0
    watch.step(pending)
    watch.count(Outcome.UNCHANGED, reading.unchanged)
    return reading


def _sort_out(reading: Reading, record: ClientRecord, link: Known | None) -> None:
    is_current = record.state == RecordState.ACTIVE
    if (link is not None and is_current and not link.is_broken and link.digest == record.digest()) or (
        link is not None and not is_current and link.is_broken
    ):
        reading.unchanged += 1
    else:
        reading.keep(record)
        if link is None and is_current:
            reading.loose_names[record.name] += 1


def read_reference(adapter: ClientAdapter, session: Session, connection_id: int, now: datetime) -> None:
    """One read each of staff, categories and templates (XPM-7), kept on the connection."""
    staff = adapter.fetch_staff(session)
    categories = adapter.fetch_categories(session)
    templates = adapter.fetch_templates(session)
    connection = db.session.get_one(Connection, connection_id)
    connection.reference = {
        "staff": [{"remote_id": one.remote_id, "name": one.name, "email": one.email} for one in staff],
        "categories": [{"remote_id": one.remote_id, "name": one.name} for one in categories],
        "templates": [{"remote_id": one.remote_id, "name": one.name} for one in templates],
        "read_at": now.isoformat(timespec="seconds"),
    }
    db.session.commit()
