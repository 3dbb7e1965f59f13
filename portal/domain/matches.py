"""The Matches screen's questions: what waits to be settled, of which kind, and who could be meant.

Settling itself is in `portal.domain.findings`; here is only the way back from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, exists, func, or_, select
from sqlalchemy.orm import selectinload

from portal.db import db
from portal.domain import links, outgoing, unlinked
from portal.domain.activity import Actor
from portal.domain.apps import ClientLink, Connection, Finding, OutgoingClient
from portal.domain.carrying import Terms
from portal.domain.clients import Client
from portal.domain.findings import LEFT_OUT
from portal.domain.import_choices import waits_because
from portal.domain.records import ClientRecord, client_from_json
from portal.domain.unlinked import Noted

KINDS = ("near_match", "ambiguous", "taken", LEFT_OUT)
BULK = 2000  # findings one press of a button may settle


@dataclass(frozen=True)
class Candidate:
    """A client here that may be meant. `holds` is the name of the record it is linked to in this app; None: free."""

    client: Client
    holds: str | None


@dataclass(frozen=True)
class Case:
    """One finding with everything a person needs to decide it.

    `twins` are other open records of exactly this name in the same app, the reason for an ambiguous one.
    """

    finding: Finding
    record: ClientRecord
    candidates: tuple[Candidate, ...]
    twins: tuple[Finding, ...]

    @property
    def only(self) -> Candidate | None:
        """The one client that can be meant, when there is just one and it still is there."""
        return self.candidates[0] if len(self.candidates) == 1 else None


def get(finding_id: int) -> Finding | None:
    return db.session.get(Finding, finding_id)


def link_made(link_id: int) -> ClientLink | None:
    return db.session.get(ClientLink, link_id)


def name_of(link: ClientLink) -> str:
    """The linked client's name as it stands."""
    return db.session.get_one(Client, link.client_id).name


def comes_in_by_itself(finding: Finding) -> bool:
    """Whether a sync brings this record in once it is like nobody here; otherwise it waits under Import."""
    return not waits_because(Terms.of(db.session.get_one(Connection, finding.connection_id)), "")


def take_back(link: ClientLink, *, by: Actor, now: datetime, app: str) -> None:
    """Unlink again, and put what the link had settled back on the list; the record is not set aside for that."""
    connection_id, remote_id, seen = link.connection_id, link.remote_id, link.seen
    links.unlink(link, by=by, now=now, app=app)
    query = select(Finding).where(Finding.connection_id == connection_id, Finding.remote_id == remote_id)
    about = list(db.session.scalars(query))
    asked = [one for one in about if one.state == "linked"]
    for finding in about:
        if finding in asked:
            finding.state = "open"
            finding.settled_at = None
            finding.settled_by = ""
        elif asked and finding.state == LEFT_OUT:
            finding.state = "gone"
    if asked and seen:
        back = asked[0]
        unlinked.note(connection_id, [Noted(client_from_json(seen), back.kind, back.reason, back.client_id)], now)


def page(
    connection_id: int | None, kind: str | None, client_id: int | None, after: int, limit: int, state: str = "open"
) -> list[Finding]:
    """By id; one more than `limit` when there are more. Each None: whatever."""
    query = select(Finding).where(Finding.state == state, Finding.id > after).order_by(Finding.id).limit(limit + 1)
    return list(db.session.scalars(_narrowed(query, kind, connection_id, client_id)))


def not_created(
    connection_id: int | None, client_id: int | None, limit: int, *, also_asked_about: bool
) -> list[tuple[OutgoingClient, Client]]:
    """Clients an app could not simply be given; one more than `limit` when there are more.

    `also_asked_about` False leaves out those about whom a finding asks: that stands in the list by itself, and settling
    it settles both.
    """
    query = (
        select(OutgoingClient, Client)
        .join(Client, Client.id == OutgoingClient.client_id)
        .where(OutgoingClient.state.in_(outgoing.STUCK))
        .order_by(OutgoingClient.id)
        .limit(limit + 1)
    )
    if not also_asked_about:
        asked = exists().where(
            Finding.connection_id == OutgoingClient.connection_id, Finding.client_id == OutgoingClient.client_id,
            Finding.state == "open",
        )  # fmt: skip
        query = query.where(~asked)
    if connection_id is not None:
        query = query.where(OutgoingClient.connection_id == connection_id)
    if client_id is not None:
        query = query.where(OutgoingClient.client_id == client_id)
    return [(row[0], row[1]) for row in db.session.execute(query)]


def waiting_for(found: Iterable[Finding]) -> dict[int, OutgoingClient]:
    """Finding -> the creation that waits until it is settled."""
    found = [one for one in found if one.client_id is not None]
    rows = db.session.scalars(
        select(OutgoingClient).where(
            OutgoingClient.client_id.in_({one.client_id for one in found}), OutgoingClient.state.in_(outgoing.STUCK)
        )
    )
    held = {(row.connection_id, row.client_id): row for row in rows}
    return {
        one.id: held[one.connection_id, one.client_id or 0]
        for one in found
        if (one.connection_id, one.client_id) in held
    }


def alike(found: Iterable[Finding]) -> dict[int, list[Finding]]:
    """Finding -> the others of these that ask about the same client in the same app."""
    found = list(found)
    return {
        one.id: [
            other for other in found
            if other is not one and one.client_id is not None
            and (other.connection_id, other.client_id) == (one.connection_id, one.client_id)
        ]
        for one in found
    }  # fmt: skip


def counts(client_id: int | None = None) -> dict[tuple[int, str], int]:
    """(connection, kind) -> how many wait."""
    query = (
        select(Finding.connection_id, Finding.kind, func.count())
        .where(Finding.state.in_(("open", LEFT_OUT)))
        .group_by(Finding.connection_id, Finding.kind)
    )
    rows = db.session.execute(_narrowed(query, None, None, client_id))
    return {(connection_id, kind): count for connection_id, kind, count in rows}


def _narrowed(query: Any, kind: str | None, connection_id: int | None, client_id: int | None) -> Any:
    """To what the filters of the screen say; each None: whatever."""
    if connection_id is not None:
        query = query.where(Finding.connection_id == connection_id)
    if kind is not None:
        query = query.where(Finding.kind == kind)
    if client_id is not None:
        text = func.replace(cast(Finding.candidates, Text), " ", "")  # it may be one of several that can be meant
        named = or_(text.contains(f'"client_id":{client_id},'), text.contains(f'"client_id":{client_id}}}'))
        query = query.where(or_(Finding.client_id == client_id, named))
    return query


def about(client_ids: Iterable[int]) -> dict[tuple[int, int], Finding]:
    """(connection, client) -> what is open about that client there, for clients a finding names first."""
    query = select(Finding).where(Finding.state == "open", Finding.client_id.in_(client_ids)).order_by(Finding.id)
    return {(one.connection_id, one.client_id): one for one in db.session.scalars(query) if one.client_id is not None}


def open_of(
    kind: str | None, connection_id: int | None, client_id: int | None = None, limit: int = BULK
) -> list[Finding]:
    """What a bulk act is about: the open ones a filter shows, all pages of it."""
    query = select(Finding).where(Finding.state == "open").order_by(Finding.id).limit(limit)
    return list(db.session.scalars(_narrowed(query, kind, connection_id, client_id)))


def cases(found: list[Finding]) -> list[Case]:
    """These findings with their candidates and twins, in a handful of queries whatever their number."""
    ids = {one["client_id"] for finding in found for one in finding.candidates}
    clients_by_id = {client.id: client for client in _clients(ids)}
    held = _held_records(ids)
    twins = _twins(found)
    return [
        Case(
            finding,
            client_from_json(finding.record),
            tuple(
                Candidate(clients_by_id[one["client_id"]], held.get((finding.connection_id, one["client_id"])))
                for one in finding.candidates
                if one["client_id"] in clients_by_id
            ),
            tuple(twin for twin in twins[finding.connection_id, finding.remote_name] if twin is not finding),
        )
        for finding in found
    ]


def _clients(ids: Iterable[int]) -> list[Client]:
    query = select(Client).where(Client.id.in_(ids)).options(selectinload(Client.contacts))
    return list(db.session.scalars(query))


def _held_records(client_ids: Iterable[int]) -> dict[tuple[int, int], str]:
    rows = db.session.execute(
        select(ClientLink.connection_id, ClientLink.client_id, ClientLink.remote_name).where(
            ClientLink.client_id.in_(client_ids)
        )
    )
    return {(connection_id, client_id): name for connection_id, client_id, name in rows}


def _twins(found: list[Finding]) -> dict[tuple[int, str], list[Finding]]:
    names = {one.remote_name for one in found if one.kind == "ambiguous"}
    twins: dict[tuple[int, str], list[Finding]] = defaultdict(list)
    if names:
        query = select(Finding).where(Finding.state == "open", Finding.remote_name.in_(names)).order_by(Finding.id)
        for one in db.session.scalars(query):
            twins[one.connection_id, one.remote_name].append(one)
    return twins
