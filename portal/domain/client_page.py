"""What one client's page asks: the client, how it stands with each app, what is being sent, and what happened.

Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.db import db
from portal.domain import activity, connections, findings, links, mappings, runs
from portal.domain.activity import Activity, Verb
from portal.domain.apps import (
    ClientLink,
    Conflict,
    Connection,
    Finding,
    LinkState,
    OutgoingClient,
    OutgoingState,
    PushState,
    SyncRun,
)
from portal.domain.clients import Client
from portal.domain.links import Check
from portal.domain.mappings import Mapped
from portal.domain.people import User

RECENT = 5  # activities on the summary
LOOK_BACK = 50  # activities searched for the last one that was sent
SOON = timedelta(seconds=20)
NEWS = timedelta(minutes=2)  # so long a creation is told on the client's page
PULL_ONCE = "first import only"


@dataclass(frozen=True, slots=True)
class Standing:
    """How this client stands with one connection, linked there or not."""

    mapped: Mapped
    checks: tuple[Check, ...]
    outgoing: OutgoingClient | None  # it is to be created there
    finding: Finding | None  # what matching asks about the two
    web_url: str


@dataclass(frozen=True, slots=True)
class Sending:
    """How a client stands on its way to one app.

    `state` is pending, waiting, failed, kept, sent or calm; or creating, while `link` is None, and created.
    """

    link: ClientLink | None
    name: str  # the connection as sentences name it
    state: str
    reason: str = ""
    at: datetime | None = None

    @property
    def is_moving(self) -> bool:
        return self.state in ("pending", "creating")


def get(client_id: int) -> Client | None:
    """The client with all its page shows, in a handful of queries."""
    query = select(Client).where(Client.id == client_id)
    query = query.options(
        joinedload(Client.manager), joinedload(Client.partner), selectinload(Client.contacts),
        selectinload(Client.groups), selectinload(Client.links).joinedload(ClientLink.connection),
    )  # fmt: skip
    return db.session.scalar(query)


def runs_behind(client: Client) -> dict[int, SyncRun]:
    """The runs that set values of this client, by id."""
    things: list[Any] = [client, *client.contacts]
    ids = {entry["run"] for thing in things for entry in thing.origins.values() if entry.get("run") is not None}
    if not ids:
        return {}
    return {run.id: run for run in db.session.scalars(select(SyncRun).where(SyncRun.id.in_(ids)))}


def standings(client: Client) -> list[Standing]:
    """How this client stands with every connection in use, and those it is still linked in."""
    out = {row.connection_id: row for row in outgoing_of(client)}
    asked = {one.connection_id: one for one in findings.for_client(client.id)}
    return [
        _standing(client, one, out.get(one.connection.id), asked.get(one.connection.id)) for one in mappings.of(client)
    ]


def outgoing_of(client: Client) -> list[OutgoingClient]:
    """Where this client is to be created."""
    return list(db.session.scalars(select(OutgoingClient).where(OutgoingClient.client_id == client.id)))


def _standing(client: Client, mapped: Mapped, out: OutgoingClient | None, finding: Finding | None) -> Standing:
    run = runs.latest_open(mapped.connection)
    checks = links.checklist(
        client, mapped.link, app=mapped.name, run_since=(run.started_at or run.asked_at) if run else None,
        finding=finding.reason if finding else "",
    )  # fmt: skip
    seen = mapped.link.seen if mapped.link is not None else {}
    return Standing(mapped, tuple(checks), out, finding, seen.get("web_url", ""))


def sending(client: Client, now: datetime) -> list[Sending]:
    """How each link's changes stand on their way out, and where the client is being created now."""
    last = _last_sent(client)
    on_their_way = [
        Sending(None, connections.label(row.connection), "creating")
        for row in outgoing_of(client)
        if row.state in (OutgoingState.READY, OutgoingState.SENDING)
        and (row.next_at is None or row.next_at <= now + SOON)
    ]
    return [_sending(link, last.get(link.connection_id), now) for link in client.links] + on_their_way


def _sending(link: ClientLink, sent: Activity | None, now: datetime) -> Sending:
    name = connections.label(link.connection)
    if link.push_state == PushState.FAILED:
        return Sending(link, name, "failed", link.push_error)
    if link.push_state == PushState.NONE and link.made_by == "created" and now - link.made_at < NEWS:
        return Sending(link, name, "created", at=link.made_at)
    if link.push_state == PushState.NONE:
        at = sent.at if sent is not None and (link.agreed_at is None or sent.at >= link.agreed_at) else None
        return Sending(link, name, "sent", at=at) if at else Sending(link, name, "calm", at=link.agreed_at)
    if link.state == LinkState.BROKEN or not link.connection.is_usable:
        return Sending(link, name, "kept")
    is_later = link.push_next_at is not None and link.push_next_at > now + SOON
    if link.push_state == PushState.READY and is_later:
        return Sending(link, name, "waiting", link.push_error, link.push_next_at)
    return Sending(link, name, "pending")


def _last_sent(client: Client) -> dict[int, Activity]:
    found: dict[int, Activity] = {}
    for one in activity.log(client_id=client.id, limit=LOOK_BACK):
        if one.verb == Verb.CLIENT_PUSHED and one.connection_id is not None:
            found.setdefault(one.connection_id, one)
    return found


def conflict(client: Client, conflict_id: int) -> Conflict | None:
    """An open conflict of this very client."""
    query = select(Conflict).where(
        Conflict.id == conflict_id, Conflict.client_id == client.id, Conflict.state == "open"
    )
    return db.session.scalar(query)


def connection_of(held: Conflict) -> Connection:
    return db.session.get_one(ClientLink, held.link_id).connection


def happened(client: Client, activity_id: int, verb: Verb) -> Activity | None:
    """One line of this very client's log."""
    found = db.session.get(Activity, activity_id)
    return found if found is not None and found.client_id == client.id and found.verb == verb else None


def whole_log(client_id: int) -> Iterator[Activity]:
    """Everything on record about a client, newest first."""
    before = None
    while True:
        page = activity.log(client_id=client_id, before=before, limit=500)
        yield from page[:500]
        if len(page) <= 500:
            return
        before = page[499].id


def team(*also: int | None) -> list[User]:
    """Who may be a manager or partner: active people, and whoever is it now."""
    wanted = [one for one in also if one is not None]
    query = select(User).where(User.is_active | User.id.in_(wanted)).order_by(User.name)
    return list(db.session.scalars(query))


def connections_of_runs(run_ids: set[int]) -> dict[int, int]:
    """Which connection each of these runs was of."""
    if not run_ids:
        return {}
    rows = db.session.execute(select(SyncRun.id, SyncRun.connection_id).where(SyncRun.id.in_(run_ids)))
    return {row.id: row.connection_id for row in rows}
