"""Asking an app, and our own list of its records, whether a client that is to be created there is there already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select

from portal.adapters.base import ClientAdapter, NotThere, Session
from portal.db import db
from portal.domain import findings, looking_there, unlinked
from portal.domain.apps import ClientLink, Finding, UnlinkedRecord
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.looking_there import Answer, There, Verdict
from portal.domain.matching import Candidate, Kind, Match
from portal.domain.records import ClientRecord, client_from_json
from portal.domain.text import near_key
from portal.domain.unlinked import LEFT_OUT, Noted

MOST = 5  # records of our own list that are read once more for one name
KINDS = {Answer.NEAR_MATCH: Kind.NEAR_MATCH, Answer.AMBIGUOUS: Kind.AMBIGUOUS, Answer.TAKEN: Kind.TAKEN}


class Wanted(NamedTuple):
    """A client that is to be there, as plain values."""

    client_id: int
    name: str


def look(adapter: ClientAdapter, session: Session, wanted: Wanted, context: Context, hint: str = "") -> Verdict:
    """What the app says now. `hint` is the identifier of a record to be looked at as well, as the vendor gave it.

    What our own list has and the app did not name is read once more; an app that cannot be asked is known by our list
    alone. The transaction must have ended; it has again afterwards.
    """
    connection_id, can_ask = context.connection.id, adapter.info.finds_clients
    known = {one.remote_id: one for one in our_list(connection_id, [wanted.name])}
    db.session.commit()
    found = {one.remote_id: one for one in adapter.find_clients(session, wanted.name)} if can_ask else known
    for remote_id in dict.fromkeys([*list(known)[:MOST], *([hint] if hint else [])]):
        if remote_id in found:
            continue
        try:
            found[remote_id] = adapter.fetch_client(session, remote_id)
        except NotThere:
            unlinked.forget(connection_id, [remote_id])
            db.session.commit()
    verdict = judge(wanted, list(found.values()), context, with_links=not can_ask)
    db.session.commit()
    return verdict


def our_list(connection_id: int, names: Collection[str]) -> list[ClientRecord]:
    """Records nobody here is linked to that have one of these names, exactly or nearly, as last read."""
    keys = {near_key(name) for name in names} - {""}
    row = UnlinkedRecord
    query = select(row.record).where(
        row.connection_id == connection_id, or_(row.near_key.in_(keys), row.name.in_(set(names)))
    )
    return [client_from_json(record) for record in db.session.scalars(query.order_by(row.id))]


def judge(wanted: Wanted, found: Sequence[ClientRecord], context: Context, *, with_links: bool) -> Verdict:
    """The verdict on these records, with who holds them and what people have said about them.

    `with_links` for an app that cannot be asked: then what we last saw of linked records counts as found, too.
    """
    if not found and not with_links:
        return Verdict(Answer.CREATE, "nobody there is like it")
    connection_id, ids = context.connection.id, [one.remote_id for one in found]
    linked = _linked(connection_id, ids, wanted.name if with_links else None)
    aside, apart = _said(connection_id, ids, wanted.client_id)
    there = [There(one, linked.pop(one.remote_id, ""), one.remote_id in aside, one.remote_id in apart) for one in found]
    there += [There(ClientRecord(remote_id, wanted.name), holder) for remote_id, holder in linked.items()]
    return looking_there.judge(wanted.name, there, _twins(connection_id, wanted), context.app)


def put_on_the_list(wanted: Wanted, verdict: Verdict, context: Context) -> None:
    """The question for a person, under Matches, in the caller's transaction; none where a link is no answer."""
    kind = KINDS.get(verdict.answer)
    if kind is None:
        return
    connection_id = context.connection.id
    own = Candidate(wanted.client_id, wanted.name)
    others = () if kind == Kind.TAKEN else _alike(connection_id, wanted, exactly=kind == Kind.AMBIGUOUS)
    match = Match(kind, verdict.reason, wanted.client_id, (own, *others))
    for record in verdict.records:
        findings.note(connection_id, record, match, context.now)
    if kind != Kind.TAKEN:  # taken records are linked
        noted = [Noted(one, kind.value, verdict.reason, wanted.client_id) for one in verdict.records]
        unlinked.note(connection_id, noted, context.now)


def _linked(connection_id: int, ids: Sequence[str], name: str | None) -> dict[str, str]:
    """Remote id -> the client here that is linked to it, by name."""
    which: ColumnElement[bool] = ClientLink.remote_id.in_(ids)
    if name is not None:
        which = or_(which, ClientLink.remote_name == name)
    rows = db.session.execute(
        select(ClientLink.remote_id, Client.name)
        .join(Client, Client.id == ClientLink.client_id)
        .where(ClientLink.connection_id == connection_id, which)
    )
    return {row.remote_id: row.name for row in rows}


def _said(connection_id: int, ids: Sequence[str], client_id: int) -> tuple[set[str], set[str]]:
    """Of these records those set aside, and those told apart from this client."""
    rows = db.session.execute(
        select(Finding.remote_id, Finding.state, Finding.candidates).where(
            Finding.connection_id == connection_id, Finding.remote_id.in_(ids), Finding.state.in_((LEFT_OUT, "apart"))
        )
    ).all()
    aside = {row.remote_id for row in rows if row.state == LEFT_OUT}
    apart = {
        row.remote_id
        for row in rows
        if row.state == "apart" and any(one["client_id"] == client_id for one in row.candidates)
    }
    return aside, apart


def _twins(connection_id: int, wanted: Wanted) -> int:
    """How many other clients of exactly this name have no record there yet (M8)."""
    linked = select(ClientLink.client_id).where(ClientLink.connection_id == connection_id)
    query = select(func.count()).where(
        Client.name == wanted.name, Client.id != wanted.client_id, Client.id.not_in(linked)
    )
    return db.session.scalar(query) or 0


def _alike(connection_id: int, wanted: Wanted, *, exactly: bool) -> tuple[Candidate, ...]:
    """The other free clients here that may be meant as well, as matching would name them."""
    linked = select(ClientLink.client_id).where(ClientLink.connection_id == connection_id)
    same = Client.name == wanted.name if exactly else Client.near_key == near_key(wanted.name)
    query = select(Client.id, Client.name).where(same, Client.id != wanted.client_id, Client.id.not_in(linked))
    return tuple(Candidate(row.id, row.name) for row in db.session.execute(query.order_by(Client.id).limit(10)))
