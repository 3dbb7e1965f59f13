"""What matching could not settle: kept until a person does, counted when it comes up again, closed when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import func, select, update

from portal.db import db
from portal.domain import activity, clients, connections, links, outgoing
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, Connection, Finding, ways_of
from portal.domain.carrying import Context, Terms
from portal.domain.clients import Client
from portal.domain.importing import Importer
from portal.domain.matching import Match
from portal.domain.records import ClientRecord, client_from_json
from portal.domain.staff import staff_of
from portal.domain.waiting import LEFT_OUT, close_for

AT_ONCE = 400  # rows of one statement


class NotOpen(Exception):
    """The finding was settled meanwhile; the text says how."""


def note(connection_id: int, record: ClientRecord, match: Match, now: datetime) -> Finding:
    """Put it on the list, or count it once more. A finding of another kind about the same record is replaced."""
    kind = match.kind.value
    known = list(
        db.session.scalars(
            select(Finding).where(Finding.connection_id == connection_id, Finding.remote_id == record.remote_id)
        )
    )
    found = next((one for one in known if one.kind == kind), None)
    for other in known:
        if other is not found and other.state == "open":
            other.state = "gone"
            other.settled_at = now
    if found is None:
        found = Finding(connection_id=connection_id, kind=kind, remote_id=record.remote_id, first_seen=now, times=0)
        db.session.add(found)
    found.state = "open"
    found.settled_at = None
    found.remote_name = record.name
    found.client_id = match.client_id
    found.client_name = match.candidates[0].name if match.candidates else ""
    found.candidates = [{"client_id": one.client_id, "name": one.name, "holds": one.holds} for one in match.candidates]
    found.reason = match.reason
    found.record = record.as_json()
    found.last_seen = now
    found.times += 1
    return found


def met_again(connection_id: int, met: Mapping[str, Match], now: datetime) -> set[str]:
    """Count those of these that are on the list already and say the same as before; gives their remote ids.

    The rest has to be noted one by one.
    """
    query = select(Finding.id, Finding.remote_id, Finding.kind, Finding.reason, Finding.candidates).where(
        Finding.connection_id == connection_id, Finding.state == "open"
    )
    same: dict[str, int] = {}
    for row in db.session.execute(query):
        match = met.get(row.remote_id)
        if match is None or (row.kind, row.reason) != (match.kind.value, match.reason):
            continue
        if [one["client_id"] for one in row.candidates] == [one.client_id for one in match.candidates]:
            same[row.remote_id] = row.id
    ids = list(same.values())
    for start in range(0, len(ids), AT_ONCE):
        db.session.execute(
            update(Finding)
            .where(Finding.id.in_(ids[start : start + AT_ONCE]))
            .values(times=Finding.times + 1, last_seen=now)
            .execution_options(synchronize_session=False)
        )
    return set(same)


def open_ids(connection_id: int) -> set[str]:
    """Remote ids about which something is open or was left out."""
    query = select(Finding.remote_id).where(
        Finding.connection_id == connection_id, Finding.state.in_(("open", LEFT_OUT))
    )
    return set(db.session.scalars(query))


def open_findings(
    connection_id: int | None = None, kind: str | None = None, after: int = 0, limit: int = 50, state: str = "open"
) -> list[Finding]:
    """By id; one more than `limit` when there are more."""
    query = select(Finding).where(Finding.state == state, Finding.id > after).order_by(Finding.id).limit(limit + 1)
    if connection_id is not None:
        query = query.where(Finding.connection_id == connection_id)
    if kind is not None:
        query = query.where(Finding.kind == kind)
    return list(db.session.scalars(query))


def open_count() -> int:
    return db.session.scalar(select(func.count()).select_from(Finding).where(Finding.state == "open")) or 0


def for_client(client_id: int) -> list[Finding]:
    return list(db.session.scalars(select(Finding).where(Finding.state == "open", Finding.client_id == client_id)))


def linked_records(connection_id: int, words: str, limit: int = 20) -> list[tuple[ClientLink, str]]:
    """Records already taken, with the name of the client that holds each."""
    query = (
        select(ClientLink, Client.name)
        .join(Client, Client.id == ClientLink.client_id)
        .where(ClientLink.connection_id == connection_id, ClientLink.remote_name.icontains(words, autoescape=True))
        .order_by(ClientLink.remote_name)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in db.session.execute(query)]


def _still_open(finding: Finding) -> None:
    if finding.state in ("linked", "imported", "gone"):
        how = {"linked": "linked", "imported": "imported", "gone": "closed, because it no longer holds"}[finding.state]
        by = f" by {finding.settled_by}" if finding.settled_by else ""
        raise NotOpen(f"{finding.remote_name} was already {how}{by}.")


def _still_free(finding: Finding) -> None:
    holder = db.session.scalar(
        select(Client.name)
        .join(ClientLink, ClientLink.client_id == Client.id)
        .where(ClientLink.connection_id == finding.connection_id, ClientLink.remote_id == finding.remote_id)
    )
    if holder is not None:
        raise NotOpen(f"{finding.remote_name} is here already: it is linked to {holder}.")


def link_to(finding: Finding, client: Client, *, by: Actor, now: datetime, app: str = "") -> ClientLink:
    """Link this record to that client. Raises `NotOpen`, `links.AlreadyLinked`. A push is asked for."""
    _still_open(finding)
    connection = db.session.get_one(Connection, finding.connection_id)
    record = client_from_json(finding.record)
    made = links.link(
        client, connection, record, by=by, now=now, reason=f"chosen by {by.name}", made_by="person", app=app
    )
    close_for(finding.connection_id, finding.remote_id, "linked", now, by.name)
    made.wants_push(now)
    clients.refresh_sync_state(client)
    return made


def align_and_link(finding: Finding, side: str, *, by: Actor, now: datetime, app: str = "") -> ClientLink:
    """One click (QBO-5): keep the spelling of `side` ("here" or "there") on both, and link.

    Raises `NotOpen`, `links.AlreadyLinked`, or ValueError when the finding names no single client.
    """
    _still_open(finding)
    if finding.client_id is None or len(finding.candidates) > 1:
        raise ValueError("this finding does not name one client")
    client = db.session.get_one(Client, finding.client_id)
    made = link_to(finding, client, by=by, now=now, app=app)
    old = client.name if side == "there" else finding.remote_name
    new = finding.remote_name if side == "there" else client.name
    if side == "there":
        clients.edit(client, {"name": finding.remote_name}, by=by, now=now)
        made.agreed = {**made.agreed, "name": finding.remote_name}
    else:
        made.agreed = {**made.agreed, "name": finding.remote_name}  # so that ours counts as the change to send
        made.asked = ["name"]  # also where the connection is set to send nothing by itself
    activity.record(
        Verb.NAMES_ALIGNED, by=by, now=now, client_id=client.id, connection_id=finding.connection_id,
        app=app or made.connection.app, old=old, new=new,
    )  # fmt: skip
    return made


def import_as_new(finding: Finding, *, by: Actor, now: datetime, context: Context | None = None) -> Client:
    """Bring the record in as a client of its own. Raises `NotOpen`."""
    _still_open(finding)
    _still_free(finding)
    if context is None:
        context = context_for(db.session.get_one(Connection, finding.connection_id), by=by, now=now)
    record = client_from_json(finding.record)
    importer = Importer(context)
    client_id = importer.bring_in(record, db.session.connection())
    importer.index()
    close_for(finding.connection_id, finding.remote_id, "imported", now, by.name)
    outgoing.look_again(finding.connection_id, _clients_of(finding), now)
    db.session.flush()
    return db.session.get_one(Client, client_id)


def tell_apart(finding: Finding, *, by: Actor, now: datetime, app: str = "") -> None:
    """They are different clients: never offered as a match again. The record comes in as its own client.

    Where the client here was to be created there, that is tried again.
    """
    _still_open(finding)
    finding.state = "apart"
    finding.settled_at = now
    finding.settled_by = by.name
    if finding.client_id is not None:
        activity.record(
            Verb.TOLD_APART, by=by, now=now, client_id=finding.client_id, connection_id=finding.connection_id,
            record=finding.remote_name, app=app or db.session.get_one(Connection, finding.connection_id).app,
        )  # fmt: skip
    outgoing.look_again(finding.connection_id, _clients_of(finding), now)


def _clients_of(finding: Finding) -> set[int]:
    """Whoever here may be meant."""
    named = {one["client_id"] for one in finding.candidates}
    return named if finding.client_id is None else named | {finding.client_id}


def import_all_as_new(found: Iterable[Finding], *, by: Actor, now: datetime) -> int:
    """Several at once; gives how many came in. Those settled meanwhile are passed over."""
    count = 0
    context: dict[int, Context] = {}
    for finding in found:
        if finding.state != "open":
            continue
        connection_id = finding.connection_id
        if connection_id not in context:
            context[connection_id] = context_for(db.session.get_one(Connection, connection_id), by=by, now=now)
        import_as_new(finding, by=by, now=now, context=context[connection_id])
        count += 1
    return count


def apart_pairs(connection_id: int) -> set[tuple[str, int]]:
    """(remote id, client id) of every pair a person has told apart."""
    rows = db.session.execute(
        select(Finding.remote_id, Finding.candidates).where(
            Finding.connection_id == connection_id, Finding.state == "apart"
        )
    )
    return {(row.remote_id, one["client_id"]) for row in rows for one in row.candidates}


def left_out(connection_id: int) -> dict[str, str]:
    """Remote id -> the reason it stays out."""
    rows = db.session.execute(
        select(Finding.remote_id, Finding.reason).where(
            Finding.connection_id == connection_id, Finding.state == LEFT_OUT
        )
    )
    return {row.remote_id: row.reason for row in rows}


def context_for(connection: Connection, *, by: Actor, now: datetime) -> Context:
    """The context for acting on this connection."""
    ways = ways_of(connection.app)
    name = connections.label(connection)
    return Context(Terms.of(connection), name, ways.client_fields, ways.contact_fields, staff_of(connection), by, now)
