"""Which fields of a linked client an app owns, so that they are read-only here (XPM-7, CL-36)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from portal.domain.apps import Connection, LinkState
from portal.domain.clients import Client

PULL = "pull"


class AppFields(Protocol):
    """What is asked of an app here; `adapters.base.AppInfo` answers it."""

    @property
    def name(self) -> str: ...
    @property
    def short_name(self) -> str: ...
    @property
    def client_fields(self) -> Mapping[str, str]: ...


App = TypeVar("App", bound=AppFields)


def owned_by(connection: Connection, apps: Mapping[str, App]) -> dict[str, App]:
    """Field → the app, for the fields this connection keeps. None while it cannot read or only sends."""
    app = apps.get(connection.app)
    if app is None or not connection.is_usable or connection.direction == "to_app" or connection.level != "everything":
        return {}
    return {field: app for field, flow in app.client_fields.items() if flow == PULL}


def owners(client: Client, apps: Mapping[str, App]) -> dict[str, App]:
    """Field → the app that owns it, over all working links of the client."""
    found: dict[str, App] = {}
    for link in client.links:
        if link.state == LinkState.LINKED:
            found.update(owned_by(link.connection, apps))
    return found
