"""Client settings of a connection: what an admin may choose, in the words of the app, and what follows for each field.

Which choices there are is the app's own table (`Connection.ways`); a field it leaves no choice for is not in the form.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from wtforms import BooleanField, RadioField

from portal.adapters.base import AppInfo, Flow
from portal.domain import connections
from portal.domain.apps import Connection
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.web.forms import Form, choices

CHOSEN = ("intake", "new_clients", "direction", "level")

# What each way a field can travel is called when somebody decides about a connection.
TRAVELS = {
    Flow.TWO_WAY: "in step both ways",
    Flow.PULL: "from {app} only, read-only here",
    Flow.PULL_ONCE: "with the first import only",
    Flow.AT_LINK: "when a client is linked, imported or created there, not afterwards",
}
# How a field kept in step is called where the app or its settings let it go one way only.
ONE_WAY = {
    "both": "in step both ways", "from_app": "taken from {app} whenever it changes there",
    "to_app": "sent to {app} whenever it changes here",
}  # fmt: skip
HINTS = {
    "intake": "A client here of exactly the same name is linked either way, and nearly the same name is asked about "
    "under Matches.",
    "new_clients": "Who has to be there earlier is created with one press on the client’s Apps tab.",
    "direction": "A change on both sides is shown as a conflict either way; what lost is kept and can be put back.",
    "level": "What a person asks for by hand, an import, a link or one value to be sent, is done whatever is set here.",
}


class EnableForm(Form):
    """Client settings, as far as the app leaves a choice (see `for_connection`)."""

    intake = RadioField(connections.LABELS["intake"])
    new_clients = RadioField(connections.LABELS["new_clients"])
    direction = RadioField(connections.LABELS["direction"])
    level = RadioField(connections.LABELS["level"])

    @classmethod
    def for_connection(cls, connection: Connection) -> Self:
        """With the present settings, and without what this app does not let one choose."""
        form = cls(data={key: connection.setting(key) for key in connections.WORDS})
        for key in CHOSEN:
            allowed = connection.ways.allowed(key)
            if len(allowed) < 2:
                del form[key]
            else:
                form[key].choices = choices((str(one), setting_said(connection, key, one)) for one in allowed)
        return form


class SettingsForm(EnableForm):
    nightly = BooleanField(connections.LABELS["nightly"])


def setting_said(connection: Connection, key: str, value: object) -> str:
    """A setting in the words of this app: 'Only from Xero to here'."""
    return connections.setting_words(key, value).replace("the app", connection.ways.short_name)


def hints(connection: Connection) -> dict[str, str]:
    """What stands below each choice: what it means and what is usual for this app."""
    usual, app = connection.ways.defaults, connection.ways.short_name
    return {
        key: f"{HINTS[key]} Usual for {app}: {_lower(setting_said(connection, key, usual[key]))}." for key in CHOSEN
    }


def by_itself(app: AppInfo) -> str:
    """When it syncs by itself: 'every hour', 'at midnight by the firm’s clock'."""
    if app.sync_every is None:
        return "at midnight by the firm’s clock"
    hours = round(app.sync_every / timedelta(hours=1))
    return "every hour" if hours <= 1 else f"every {hours} hours"


def in_force(connection: Connection, app: AppInfo) -> list[tuple[str, str]]:
    """(what, how it is set) for everything the sync goes by, chosen or given by the app."""
    said = [(connections.LABELS[key], setting_said(connection, key, connection.setting(key))) for key in CHOSEN]
    if not app.creates_clients:
        said[1] = ("A client made here", f"is not created in {app.short_name} by the portal")
    own = by_itself(app) if connections.runs_at_night(connection) else "paused; only Sync now brings changes in"
    return [*said, ("Syncs by itself", own)]


def travels(app: AppInfo, connection: Connection | None = None) -> list[tuple[str, str]]:
    """(how, which fields), for what is kept in step: 'in step both ways' -> 'Client name, Address, …'.

    With a connection, what is in step goes the way its direction and level let it.
    """
    lines = []
    for flow, words in TRAVELS.items():
        fields = [name for name, way in app.client_fields.items() if way == flow]
        people = [name for name, way in app.contact_fields.items() if way == flow]
        if connection is not None and flow in (Flow.TWO_WAY, Flow.PULL):
            words = ONE_WAY[connection.direction] if flow == Flow.TWO_WAY else words
            fields, people = _let_through(connection, flow, fields, people)
        if fields or people:
            lines.append((words.format(app=app.short_name), _named(fields, people)))
    return lines


def _let_through(
    connection: Connection, flow: Flow, fields: list[str], people: list[str]
) -> tuple[list[str], list[str]]:
    """What of these the connection's direction and level leave in step."""
    if connection.level == "nothing" or (flow == Flow.PULL and connection.direction == "to_app"):
        return [], []
    if connection.level == "name":
        return [one for one in fields if one == "name"], []
    return fields, people


def _named(fields: list[str], people: list[str]) -> str:
    said = ", ".join(CLIENT_FIELDS[name] for name in fields)
    words = [CONTACT_FIELDS[name].lower().removeprefix("contact ") for name in people]
    return "; ".join(filter(None, (said, f"contacts’ {', '.join(words)}" if people else "")))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
