"""Reading an app: its reference lists, and its clients as a stream of which only what changed is kept, on disk."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from portal.adapters.base import ClientAdapter, Session
from portal.db import db
from portal.domain import job_choices
from portal.domain.apps import ClientLink, Connection, LinkState, Outcome
from portal.domain.records import ChoiceList, ClientRecord, NamedRecord, Quarantined, RecordState, client_from_json
from portal.domain.unlinked import Held
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
    is_full: bool = False
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

    def lacks(self, remote_id: str) -> bool:
        """Whether a complete list no longer has this record."""
        return self.is_full and remote_id not in self.seen

    def close(self) -> None:
        self._file.close()


def read(
    adapter: ClientAdapter, session: Session, since: datetime | None, known: dict[str, Known],
    held: Mapping[str, Held], watch: Watch,
) -> Reading:  # fmt: skip
    """Read all records, or those changed since, keeping the ones that differ from what was seen last.

    `known` are the linked ones, `held` those nobody is linked to.
    """
    reading = Reading(is_full=since is None)
    pending = 0
    for item in adapter.fetch_clients(session, since):
        if isinstance(item, Quarantined):
            reading.quarantined.append(item)
            reading.seen.add(item.remote_id)  # whatever is wrong with it, it is there
            watch.count(Outcome.QUARANTINED)
        elif item.remote_id not in reading.seen:  # a list that repeats a record says nothing new
            reading.seen.add(item.remote_id)
            link = known.get(item.remote_id)
            if link is not None:
                _sort_out(reading, item, link)
            else:
                _sort_out_unlinked(reading, item, held.get(item.remote_id))
        pending += 1
        if pending == READ_STEP:
            watch.step(pending)
            pending = 0
    watch.step(pending)
    watch.count(Outcome.UNCHANGED, reading.unchanged)
    return reading


def _sort_out(reading: Reading, record: ClientRecord, link: Known) -> None:
    if record.state != RecordState.ACTIVE:
        is_as_it_was = link.is_broken
    else:
        is_as_it_was = link.digest == record.digest()  # a link that broke has none, until its record has been judged
    if is_as_it_was:
        reading.unchanged += 1
    else:
        reading.keep(record)


def _sort_out_unlinked(reading: Reading, record: ClientRecord, row: Held | None) -> None:
    """One that is as it was is matched again with the others that wait; it need not be read again for that."""
    if record.state == RecordState.ACTIVE:
        reading.loose_names[record.name] += 1
    if row is None or row.digest != record.digest() or row.kind != record.kind:
        reading.keep(record)


def read_reference(adapter: ClientAdapter, session: Session, connection_id: int, now: datetime) -> None:
    """The app's short lists and facts, kept on the connection (XPM-7, XE-08)."""
    told = adapter.fetch_reference(session)
    connection = db.session.get_one(Connection, connection_id)
    connection.reference = {
        "staff": [{"remote_id": one.remote_id, "name": one.name, "email": one.email} for one in told.staff],
        "lists": {name: [_entry(one) for one in entries] for name, entries in told.lists.items()},
        "choices": [{**_entry(one), "options": [_entry(option) for option in one.options]} for one in told.choices],
        "facts": dict(told.facts),
        "read_at": now.isoformat(timespec="seconds"),
    }
    job_choices.keep_listed(connection_id, told.lists)
    db.session.commit()


def _entry(one: NamedRecord | ChoiceList) -> dict[str, str]:
    return {"remote_id": one.remote_id, "name": one.name}
