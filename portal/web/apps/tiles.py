"""/apps: one tile an app, connected or not, and whether it needs a person."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response

from portal import integrations
from portal.adapters.base import AppInfo
from portal.domain import connections, runs
from portal.domain.apps import Connection, ConnectionState, SyncRun
from portal.domain.people import May
from portal.web.apps import screen
from portal.web.guard import current_person, needs
from portal.web.render import render


@dataclass(frozen=True)
class Line:
    """One connection on its tile."""

    connection: Connection
    words: str
    tone: str
    needs_a_person: bool
    last: SyncRun | None


@screen.get("")
@needs(May.SEE_APPS)
def index() -> Response:
    tiles = [(app, [_line(one) for one in connections.of_app(app.slug)]) for app in integrations.all_apps()]
    return render("apps/index.html", tiles=tiles, purpose=purpose, may_manage=current_person().may(May.MANAGE_APPS))


def purpose(app: AppInfo) -> str:
    """What the app is good for here, from what can be done with it."""
    if not app.writes_clients:
        return f"Brings your clients and their contacts from {app.name} and keeps them up to date here."
    return (
        f"Brings your clients and their contacts from {app.name}, then keeps both sides in step: what is changed "
        "there arrives here, what is changed here is sent there."
    )


def _line(connection: Connection) -> Line:
    state = ConnectionState(connection.state)
    last = runs.latest_ended(connection)
    if state == ConnectionState.CHOOSING:
        return Line(connection, "signed in, not enabled yet", "warn", True, last)
    if state == ConnectionState.NEEDS_RECONNECT:
        return Line(connection, "access ended", "bad", True, last)
    if runs.held(connection) is not None:
        return Line(connection, "a sync waits for your decision", "warn", True, last)
    if runs.latest_open(connection) is not None:
        return Line(connection, "syncing now", "info", False, last)
    return Line(connection, "connected", "ok", False, last)
