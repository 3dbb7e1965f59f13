"""Which record of an app a client is: choosing it by hand, letting go of it, and taking that back (CL-30 to CL-34)."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, request, url_for

from portal import sync
from portal.adapters.base import AppInfo
from portal.db import db
from portal.domain import client_page, clients, connections, link_undo, links
from portal.domain.activity import Verb
from portal.domain.apps import Connection
from portal.domain.clients import Client
from portal.domain.links import AlreadyLinked
from portal.domain.people import May
from portal.domain.records import ClientRecord
from portal.web.clients import screen
from portal.web.clients.lookups import apps, client_or_404, locked_or_404, now
from portal.web.guard import actor, needs
from portal.web.render import done, render

LONGEST = 200  # characters of a search


@screen.get("/<int:client_id>/records/<int:connection_id>")
@needs(May.SETTLE_MATCHES)
def choose_record(client_id: int, connection_id: int) -> Response:
    """Search the app's records as of the last sync; one that is taken says by whom and cannot be chosen."""
    client = client_or_404(client_id)
    connection, app = _usable_or_404(connection_id)
    words = request.args.get("q", client.name)[:LONGEST].strip()
    return render(
        "clients/records.html",
        blocks=("records",),
        client=client,
        app=app,
        connection=connection,
        words=words,
        present=next((one for one in client.links if one.connection_id == connection.id), None),
        found=sync.search_records(connection, words) if words else [],
    )


@screen.post("/<int:client_id>/links")
@needs(May.SETTLE_MATCHES)
def link(client_id: int) -> Response:
    """This client is that record, says a person. A link there was is replaced."""
    client = locked_or_404(client_id)
    connection, app = _usable_or_404(request.form.get("connection", 0, type=int))
    remote_id, words = request.form.get("record", "")[:LONGEST], request.form.get("q", "")[:LONGEST]
    found = sync.search_records(connection, words)
    record = next((one for one, _holder in found if one.remote_id == remote_id), None)
    if record is None:
        said = "That record is not among the ones found any more. Nothing was linked; search again."
        again: dict[str, Any] = {"client_id": client_id, "connection_id": connection.id, "q": words}
        return done(said, ".choose_record", tone="bad", **again)
    try:
        made = _link(client, connection, record, app)
    except AlreadyLinked as taken:
        db.session.rollback()
        return done(f"{taken}. Nothing was linked.", ".mappings", tone="bad", client_id=client_id)
    db.session.commit()
    sync.send_soon([made])
    said = f"{client.name} is linked to {record.name} in {app.short_name}. The two are being brought in step."
    return done(said, ".mappings", client_id=client_id)


@screen.post("/<int:client_id>/links/<int:link_id>/removal")
@needs(May.SETTLE_MATCHES)
def unlink(client_id: int, link_id: int) -> Response:
    """Both keep their values and nothing travels any more; it can be taken back."""
    client = locked_or_404(client_id)
    held = next((one for one in client.links if one.id == link_id), None) or abort(404)
    record, app = held.remote_name, _short_name(held.connection)
    noted = link_undo.unlink(held, by=actor(), now=now(), app=app)
    db.session.commit()
    undo = ("Undo", url_for(".relink", client_id=client.id, activity_id=noted.id))
    said = f"{client.name} is no longer linked to {record} in {app}. Both keep their values."
    return done(said, ".mappings", undo=undo, client_id=client.id)


@screen.post("/<int:client_id>/unlinkings/<int:activity_id>/undo")
@needs(May.SETTLE_MATCHES)
def relink(client_id: int, activity_id: int) -> Response:
    client = locked_or_404(client_id)
    noted = client_page.happened(client, activity_id, Verb.CLIENT_UNLINKED)
    if noted is None or "was" not in noted.facts:
        abort(404)
    app = noted.facts["app"]
    try:
        made = link_undo.relink(client, noted, by=actor(), now=now(), app=app)
    except AlreadyLinked as taken:
        db.session.rollback()
        return done(f"{taken}. Nothing was changed.", ".mappings", tone="info", client_id=client_id)
    link_id = made.id
    db.session.commit()
    sync.send_soon([link_id])
    return done(f"{client.name} is linked again.", ".mappings", client_id=client.id)


def _link(client: Client, connection: Connection, record: ClientRecord, app: AppInfo) -> int:
    """Gives the link's id. Raises `AlreadyLinked` when the record is somebody else's."""
    present = next((one for one in client.links if one.connection_id == connection.id), None)
    if present is not None and present.remote_id != record.remote_id:
        link_undo.unlink(present, by=actor(), now=now(), app=app.short_name)
    made = links.link(
        client, connection, record, by=actor(), now=now(), reason="chosen by a person", made_by="person",
        app=app.short_name,
    )  # fmt: skip
    made.wants_push(now())
    clients.refresh_sync_state(client)
    db.session.flush()
    return made.id


def _usable_or_404(connection_id: int) -> tuple[Connection, AppInfo]:
    connection = connections.get(connection_id)
    known = apps()
    if connection is None or connection.app not in known or not connection.is_usable:
        abort(404)
    return connection, known[connection.app]


def _short_name(connection: Connection) -> str:
    app = apps().get(connection.app)
    return app.short_name if app else connection.app
