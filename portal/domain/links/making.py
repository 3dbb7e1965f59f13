"""Making, breaking and mending a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, select, update

from portal.db import db
from portal.domain import activity, clients, waiting
from portal.domain.activity import Actor, Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
    Finding,
    LinkState,
    OutgoingClient,
)
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.records import ClientRecord, RecordState, client_from_json
from portal.domain.text import near_key


class AlreadyLinked(Exception):
    """The record or the client already has a partner in this app. `client` is who holds it."""

    def __init__(self, client: Client, sentence: str) -> None:
        super().__init__(sentence)
        self.client = client


def link(
    client: Client, connection: Connection, record: ClientRecord, *, by: Actor, now: datetime, reason: str,
    made_by: str = "name", app: str = "",
) -> ClientLink:  # fmt: skip
    """Say that this client is that record. Raises `AlreadyLinked` (CL-34). Values travel with the next plan."""
    holder = db.session.scalar(
        select(ClientLink).where(ClientLink.connection_id == connection.id, ClientLink.remote_id == record.remote_id)
    )
    if holder is not None and holder.client_id == client.id:
        return holder
    if holder is not None:
        owner = db.session.get_one(Client, holder.client_id)
        raise AlreadyLinked(owner, f"{record.name} is already linked to {owner.name}")
    own = next((one for one in client.links if one.connection_id == connection.id), None)
    if own is not None:
        raise AlreadyLinked(client, f"{client.name} is already linked to {own.remote_name}")
    made = _made(client, connection, record, now, made_by)
    db.session.flush()
    _tell_linked(client, made, record, reason, by=by, now=now, app=app or connection.app)
    waiting.close_for(connection.id, record.remote_id, "linked", now, by.name)
    _is_on_its_way_no_more(connection.id, client.id, now)
    clients.refresh_sync_state(client)
    clients.index_for_search([client.id])
    return made


def link_all(
    pairs: Sequence[tuple[Client, ClientRecord, str]], connection: Connection, *, by: Actor, now: datetime, app: str
) -> list[ClientLink]:
    """As `link` for each (client, record, reason), in few statements. The caller knows that the records are free.

    Raises `AlreadyLinked` for a client that is not; IntegrityError for a record that was taken meanwhile.
    """
    for client, _record, _reason in pairs:
        own = next((one for one in client.links if one.connection_id == connection.id), None)
        if own is not None:
            raise AlreadyLinked(client, f"{client.name} is already linked to {own.remote_name}")
    made = [_made(client, connection, record, now, "name") for client, record, _reason in pairs]
    db.session.flush()
    for (client, record, reason), link in zip(pairs, made, strict=True):
        _tell_linked(client, link, record, reason, by=by, now=now, app=app)
    waiting.close_all([record.remote_id for _client, record, _reason in pairs], connection.id, "linked", now, by.name)
    ids = [client.id for client, _record, _reason in pairs]
    on_their_way = select(OutgoingClient.client_id).where(
        OutgoingClient.connection_id == connection.id, OutgoingClient.client_id.in_(ids)
    )
    for client_id in db.session.scalars(on_their_way).all():
        _is_on_its_way_no_more(connection.id, client_id, now)
    for client, _record, _reason in pairs:
        clients.refresh_sync_state(client)
    clients.index_for_search(ids)
    return made


def _made(client: Client, connection: Connection, record: ClientRecord, now: datetime, made_by: str) -> ClientLink:
    made = ClientLink(
        connection_id=connection.id, client_id=client.id, remote_id=record.remote_id, remote_name=record.name,
        made_by=made_by, made_at=now, seen=record.as_json(), seen_at=now, agreed={}, held_fields={},
        open_conflicts=0, push_attempts=0, push_version=0,
    )  # fmt: skip
    made.connection = connection
    client.links.append(made)
    return made


def _tell_linked(
    client: Client, link: ClientLink, record: ClientRecord, reason: str, *, by: Actor, now: datetime, app: str
) -> None:
    activity.record(
        Verb.CLIENT_LINKED, by=by, now=now, client_id=client.id, connection_id=link.connection_id, record=record.name,
        remote_id=record.remote_id, app=app, reason=reason,
    )  # fmt: skip


def _is_on_its_way_no_more(connection_id: int, client_id: int, now: datetime) -> None:
    """Whoever was to be created there is there."""
    gone = db.session.execute(
        delete(OutgoingClient).where(
            OutgoingClient.connection_id == connection_id, OutgoingClient.client_id == client_id
        )
    )
    if gone.rowcount:  # type: ignore[attr-defined]  # a DELETE's result has a rowcount
        no_longer_asks(connection_id, client_id, now)


def no_longer_asks(connection_id: int, client_id: int, now: datetime) -> None:
    """Close the questions that stood only because this client wanted a name: about records somebody else is."""
    held = select(ClientLink.remote_id).where(ClientLink.connection_id == connection_id)
    db.session.execute(
        update(Finding)
        .where(
            Finding.connection_id == connection_id, Finding.client_id == client_id, Finding.state == "open",
            Finding.remote_id.in_(held),
        )
        .values(state="gone", settled_at=now, settled_by="System")
    )  # fmt: skip


def unlink(link: ClientLink, *, by: Actor, now: datetime, app: str = "") -> None:
    """Forget that the two are one. Both keep their values; nothing is sent any more.

    When a person says so, the record is set aside: the same name must not link the two again with the next sync.
    """
    client = db.session.get_one(Client, link.client_id)
    activity.record(
        Verb.CLIENT_UNLINKED, by=by, now=now, client_id=client.id, connection_id=link.connection_id,
        record=link.remote_name, remote_id=link.remote_id, app=app or link.connection.app,
    )  # fmt: skip
    if by.user_id is not None and link.seen:
        reason = f"unlinked from {client.name} by {by.name}"
        waiting.leave_out(link.connection_id, client_from_json(link.seen), reason=reason, by=by, now=now)
    client.links.remove(link)
    db.session.delete(link)
    db.session.flush()
    clients.refresh_sync_state(client)
    clients.index_for_search([client.id])


def broken_because(record: ClientRecord | None, app: str) -> str:
    """Why a link to this record cannot be used (M9); empty when it can. None: the record is nowhere to be found."""
    if record is None:
        return f"it is no longer in {app}; it may have been deleted or merged into another record"
    if record.state == RecordState.ARCHIVED:
        return f"it was archived in {app}"
    if record.state == RecordState.DELETED:
        return f"it was deleted in {app}, or merged into another record"
    return ""


def mark_broken(client: Client, link: ClientLink, why: str, context: Context) -> bool:
    """False when it was broken for the same reason already."""
    if link.state == LinkState.BROKEN and link.broken_why == why:
        return False
    link.state = LinkState.BROKEN
    link.broken_why = why
    link.seen_digest = ""  # should it come back as it was, that is a change
    activity.record(
        Verb.LINK_BROKEN, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
        record=link.remote_name, app=context.app, reason=why,
    )  # fmt: skip
    clients.refresh_sync_state(client)
    return True


def mend(client: Client, link: ClientLink, record: ClientRecord, context: Context) -> bool:
    """The record is current again. False when it may be somebody else by now, and the link stays broken.

    A record that was gone and comes back under quite another name may be another client that got its identifier (fault
    row 28). One that was only archived is the same whatever it is called.
    """
    if link.state == LinkState.LINKED:
        return True
    was_archived = link.broken_why == broken_because(replace(record, state=RecordState.ARCHIVED), context.app)
    if not was_archived and near_key(record.name) not in {near_key(link.remote_name), near_key(client.name)}:
        why = f"its identifier belongs to {record.name} in {context.app} now; link this client to the right record"
        mark_broken(client, link, why, context)
        return False
    link.state = LinkState.LINKED
    link.broken_why = ""
    activity.record(
        Verb.LINK_MENDED, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
        record=link.remote_name, app=context.app,
    )  # fmt: skip
    clients.refresh_sync_state(client)
    return True
