"""/apps: one tile an app, connected or not, and whether it needs a person."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response

from portal import integrations
from portal.adapters.base import AppInfo, Intake
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
    shares: list[str]  # what other connections live by the same sign-in, by name


@screen.get("")
@needs(May.SEE_APPS)
def index() -> Response:
    found = tiles()
    return render(
        "apps/index.html", tiles=found, purpose=purpose, face=face, siblings=lambda app: siblings(app, found),
        may_manage=current_person().may(May.MANAGE_APPS),
    )  # fmt: skip


def tiles() -> list[tuple[AppInfo, list[Line]]]:
    """Every app with its connections, those that are in use or wait to be."""
    return [(app, [_line(one) for one in connections.of_app(app.slug)]) for app in integrations.all_apps()]


def siblings(app: AppInfo, found: list[tuple[AppInfo, list[Line]]]) -> list[str]:
    """Connected apps of the same vendor: one person's sign-in there serves them all."""
    return [other.name for other, lines in found if other.vendor == app.vendor and other.slug != app.slug and lines]


def face(app: AppInfo) -> str:
    """What stands in for a picture: the capital letters of its name."""
    return "".join(letter for letter in app.short_name if letter.isupper())[:3]


def purpose(app: AppInfo) -> str:
    """What the app is good for here, from what can be done with it."""
    by_choice = app.intakes[0] == Intake.CHOSEN
    brings = "Nothing comes in by itself: you choose which of its clients to import." if by_choice else ""
    if not app.writes_clients or app.directions[0] == "from_app":
        said = f"Keeps your clients and their contacts up to date from {app.name}."
    elif app.directions[0] == "to_app":
        said = f"Links your clients with those in {app.name} and sends there what is made and changed here."
    else:
        said = (
            f"Brings your clients and their contacts from {app.name}, then keeps both sides in step: what is changed "
            "there arrives here, what is changed here is sent there."
        )
    return f"{said} {brings}".strip()


def _line(connection: Connection) -> Line:
    words, tone, needs_a_person = _standing(connection)
    shares = [connections.label(one) for one in connections.sharing_sign_in(connection)]
    return Line(connection, words, tone, needs_a_person, runs.latest_ended(connection), shares)


def _standing(connection: Connection) -> tuple[str, str, bool]:
    """How it is, in words; the tone of that; whether a person is needed."""
    state = ConnectionState(connection.state)
    if state == ConnectionState.CHOOSING:
        return "signed in, not enabled yet", "warn", True
    if state == ConnectionState.NEEDS_RECONNECT:
        return "access ended", "bad", True
    if runs.held(connection) is not None:
        return "a sync waits for your decision", "warn", True
    if runs.latest_open(connection) is not None:
        return "syncing now", "info", False
    return "connected", "ok", False
