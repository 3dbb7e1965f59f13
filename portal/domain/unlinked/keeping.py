"""Keeping the table true: what a sync writes, in batches, and what it has to know beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.db import db
from portal.domain.apps import ClientLink, Finding, UnlinkedRecord
from portal.domain.matching import Kind, Match
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.domain.text import near_key, sort_key

ARCHIVED, LEFT_OUT = "archived", "left_out"
VERDICTS = (
    Kind.CREATE.value, Kind.LINK.value, Kind.NEAR_MATCH.value, Kind.AMBIGUOUS.value, Kind.TAKEN.value,
    LEFT_OUT, ARCHIVED,
)  # fmt: skip
AT_ONCE = 200  # rows of one statement
_table = UnlinkedRecord.__table__


class Held(NamedTuple):
    """What a run needs to know of a row: whether the record changed, and whom matching would find for it today."""

    name: str
    near_key: str
    state: str
    kind: str
    digest: str
    verdict: str
    reason: str
    client_id: int | None


class Noted(NamedTuple):
    """A record to be kept, with what matching says of it."""

    record: ClientRecord
    verdict: str
    reason: str
    client_id: int | None


class Change(NamedTuple):
    """Another verdict on a row whose record is as it was."""

    remote_id: str
    verdict: str
    reason: str
    client_id: int | None


def verdict_of(state: str, match: Match) -> str:
    """One of `VERDICTS`; a record that is ignored although it is current was left out by somebody."""
    if state != RecordState.ACTIVE:
        return ARCHIVED
    return LEFT_OUT if match.kind == Kind.IGNORE else match.kind.value


def held(connection_id: int) -> dict[str, Held]:
    """Every row of the connection by remote id, without the records themselves."""
    row = UnlinkedRecord
    query = select(
        row.remote_id, row.name, row.near_key, row.state, row.kind, row.digest, row.verdict, row.reason,
        row.client_id,
    ).where(row.connection_id == connection_id)  # fmt: skip
    kept: dict[str, Held] = {}
    once: dict[str, str] = {}  # most rows say the same few words: each is kept once
    for remote_id, name, near, state, kind, digest, verdict, reason, client_id in db.session.execute(query):
        state, kind = once.setdefault(state, state), once.setdefault(kind, kind)
        verdict, reason = once.setdefault(verdict, verdict), once.setdefault(reason, reason)
        kept[remote_id] = Held(name, near, state, kind, digest, verdict, reason, client_id)
    return kept


def note(connection_id: int, found: Sequence[Noted], now: datetime) -> dict[str, Held]:
    """Keep these records, over what was kept of them before. Gives the rows as `held` would."""
    rows = [_row(connection_id, one, now) for one in found]
    if not rows:
        return {}
    insert: Any = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    statement = insert(_table)
    changing = [name for name in rows[0] if name not in ("connection_id", "remote_id")]
    statement = statement.on_conflict_do_update(
        index_elements=["connection_id", "remote_id"], set_={name: statement.excluded[name] for name in changing}
    )
    for start in range(0, len(rows), AT_ONCE):
        db.session.connection().execute(statement, rows[start : start + AT_ONCE])
    return {row["remote_id"]: Held(*(row[name] for name in Held._fields)) for row in rows}


def _row(connection_id: int, one: Noted, now: datetime) -> dict[str, Any]:
    record = one.record
    return {
        "connection_id": connection_id, "remote_id": record.remote_id, "name": record.name,
        "name_key": sort_key(record.name), "near_key": near_key(record.name), "state": record.state.value,
        "kind": record.kind, "record": record.as_json(), "digest": record.digest(), "seen_at": now,
        "verdict": one.verdict, "reason": one.reason, "client_id": one.client_id,
    }  # fmt: skip


def refresh(connection_id: int, changes: Sequence[Change]) -> None:
    """Write down what matching says today of records that are as they were."""
    statement = (
        update(_table)
        .where(_table.c.connection_id == connection_id, _table.c.remote_id == bindparam("of"))
        .values(verdict=bindparam("says"), reason=bindparam("why"), client_id=bindparam("whom"))
    )
    rows = [{"of": one.remote_id, "says": one.verdict, "why": one.reason, "whom": one.client_id} for one in changes]
    for start in range(0, len(rows), AT_ONCE):
        db.session.connection().execute(statement, rows[start : start + AT_ONCE])


def forget(connection_id: int, remote_ids: Iterable[str]) -> None:
    """They are linked, or no longer there."""
    ids = list(remote_ids)
    for start in range(0, len(ids), AT_ONCE):
        db.session.execute(
            delete(UnlinkedRecord)
            .where(
                UnlinkedRecord.connection_id == connection_id,
                UnlinkedRecord.remote_id.in_(ids[start : start + AT_ONCE]),
            )
            .execution_options(synchronize_session=False)
        )


def records(connection_id: int, remote_ids: Sequence[str]) -> list[ClientRecord]:
    """These records as last read, in the order asked; those no longer kept are left away."""
    query = select(UnlinkedRecord.remote_id, UnlinkedRecord.record).where(
        UnlinkedRecord.connection_id == connection_id, UnlinkedRecord.remote_id.in_(remote_ids)
    )
    found = {row.remote_id: row.record for row in db.session.execute(query)}
    return [client_from_json(found[one]) for one in remote_ids if one in found]


def adopt_findings(connection_id: int, now: datetime) -> int:
    """Keep the records of findings nobody has settled and of pairs told apart, where they are not kept yet.

    So that what was found before this table was there is matched again as well. Gives how many that is.
    """
    is_kept = exists().where(
        UnlinkedRecord.connection_id == Finding.connection_id, UnlinkedRecord.remote_id == Finding.remote_id
    )
    query = select(Finding.kind, Finding.state, Finding.reason, Finding.client_id, Finding.record).where(
        Finding.connection_id == connection_id, Finding.state.in_(("open", "apart", LEFT_OUT)), ~is_kept
    )
    found = {}
    for row in db.session.execute(query):
        if row.record:
            record = client_from_json(row.record)
            verdict = row.kind if row.state != "apart" else Kind.CREATE.value
            found[record.remote_id] = Noted(record, verdict, row.reason, row.client_id)
    linked = _linked_of(connection_id, list(found))
    note(connection_id, [one for remote_id, one in found.items() if remote_id not in linked], now)
    return len(found) - len(linked)


def _linked_of(connection_id: int, remote_ids: list[str]) -> set[str]:
    query = select(ClientLink.remote_id).where(
        ClientLink.connection_id == connection_id, ClientLink.remote_id.in_(remote_ids)
    )
    return set(db.session.scalars(query)) if remote_ids else set()
