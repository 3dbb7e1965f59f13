"""What every page of one client begins with: the client, the apps by name, and where a value came from in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import abort, url_for

from portal import integrations
from portal.adapters.base import AppInfo
from portal.domain import client_page, clients, connections
from portal.domain.apps import ClientLink, PushState, SyncRun
from portal.domain.clients import Client, Contact
from portal.domain.planning import is_blank
from portal.web import formats

HOW = {"screen": "Typed by", "csv": "From a CSV file, by", "command": "Command line, by", "system": "Set by"}


def now() -> datetime:
    return datetime.now(UTC)


def client_or_404(client_id: int) -> Client:
    return client_page.get(client_id) or abort(404)


def locked_or_404(client_id: int) -> Client:
    """The client, held until the transaction ends, for whoever is about to change it."""
    return clients.get(client_id, lock=True) or abort(404)


def apps() -> dict[str, AppInfo]:
    return {app.slug: app for app in integrations.all_apps()}


def waiting(client: Client) -> list[ClientLink]:
    """The links whose app is to be told something now."""
    return [link for link in client.links if link.push_state == PushState.READY]


def on_its_way(client: Client) -> str:
    """What a saved page adds about the apps: ' It is being sent to XPM.' or nothing."""
    names = [connections.label(link.connection) for link in waiting(client)]
    return f" It is being sent to {' and '.join(names)}." if names else ""


class Origins:
    """Where the values of one client came from, in words: “From XPM, tonight's run, 00:00”, “Typed by Priya, 3 Nov”."""

    def __init__(self, client: Client, owners: Mapping[str, AppInfo]) -> None:
        self._runs = client_page.runs_behind(client)
        self._owners = owners
        self._today = now().astimezone(formats.zone()).date()

    def of(self, thing: Client | Contact, field: str) -> dict[str, str]:
        """`text`, `exact` time, and the `run`'s address where there is one; empty when nobody knows."""
        entry = thing.origin_of(field)
        if not entry.get("at") or (field not in thing.origins and is_blank(clients.plain(getattr(thing, field, "")))):
            return {}  # who made the client says nothing of a value nobody gave
        at = datetime.fromisoformat(entry["at"])
        run = self._runs.get(entry.get("run") or 0)
        said = {"text": self._text(entry, at, run), "exact": formats.exact(at)}
        if run is not None:
            said["run"] = url_for("apps.run", connection_id=run.connection_id, run_id=run.id)
        return said

    def owner(self, field: str) -> str:
        """The app that keeps this field, empty when it can be changed here."""
        return self._owners[field].short_name if field in self._owners else ""

    def _text(self, entry: Mapping[str, Any], at: datetime, run: SyncRun | None) -> str:
        day = at.astimezone(formats.zone()).date()
        when = formats.clock(at) if day == self._today else formats.day(at)
        if "connection" in entry:
            if run is not None and run.trigger == "night":
                is_last_night = day == self._today
                night = f"tonight's run, {when}" if is_last_night else f"nightly run of {when}"
                return f"From {entry['from']}, {night}"
            return f"From {entry['from']}, {when}"
        return f"{HOW.get(entry.get('how', ''), 'From')} {entry['from']}, {when}"
