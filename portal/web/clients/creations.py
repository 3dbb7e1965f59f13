"""Creating a client in an app by hand, and taking that back while it has not happened yet."""

from __future__ import annotations

from flask import Response, abort, request

from portal import sync
from portal.db import db
from portal.domain import connections, outgoing
from portal.domain.links import AlreadyLinked
from portal.domain.outgoing import CannotCreate, UnderWay
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.clients.lookups import locked_or_404, now
from portal.web.guard import actor, needs
from portal.web.render import done


@screen.post("/<int:client_id>/creations")
@needs(May.SETTLE_MATCHES)
def create_there(client_id: int) -> Response:
    """Create it in the app now, whatever the connection is set to. Pressed twice is asked once (fault row 70)."""
    client = locked_or_404(client_id)
    connection = connections.get(request.form.get("connection", 0, type=int)) or abort(404)
    try:
        row = outgoing.ask(client, connection, by=actor(), now=now())
    except (AlreadyLinked, CannotCreate) as told:
        db.session.rollback()
        return done(f"{str(told).rstrip('.')}. Nothing was created.", ".mappings", tone="info", client_id=client_id)
    row_id, app = row.id, connections.label(connection)
    db.session.commit()
    sync.create_there_soon([row_id])
    said = f"{client.name} is being created in {app}. If somebody there has this name, it asks before anything is made."
    return done(said, ".mappings", client_id=client_id)


@screen.post("/<int:client_id>/creations/<int:row_id>/removal")
@needs(May.SETTLE_MATCHES)
def take_back(client_id: int, row_id: int) -> Response:
    client = locked_or_404(client_id)
    row = outgoing.get(row_id)
    if row is None or row.client_id != client.id:
        return done("It is not on its way any more.", ".mappings", tone="info", client_id=client_id)
    app, may_be_there = connections.label(row.connection), outgoing.may_be_there(row)
    try:
        taken = outgoing.take_back(row, by=actor(), now=now())
    except UnderWay as told:
        db.session.rollback()
        return done(f"{told} Look again in a moment.", ".mappings", tone="info", client_id=client_id)
    db.session.commit()
    if not taken:
        return done(f"It has gone to {app} already.", ".mappings", tone="info", client_id=client_id)
    said = f"{client.name} is not created in {app} any more."
    if may_be_there:
        said += f" A try whose answer was lost may have created it all the same: look for it in {app}."
    return done(said, ".mappings", tone="warn" if may_be_there else "ok", client_id=client_id)
