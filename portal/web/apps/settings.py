"""/apps/<connection>/settings: what an admin chooses; what was read of the account beside its clients."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, request

from portal.db import db
from portal.domain import connections
from portal.domain.people import May
from portal.web.apps import screen
from portal.web.apps.client_settings import SettingsForm, by_itself, hints, travels
from portal.web.apps.lookups import here_or_404, now
from portal.web.guard import actor, needs
from portal.web.render import done, refused, render


@screen.route("/<int:connection_id>/settings", methods=["GET", "POST"])
@needs(May.MANAGE_APPS)
def settings(connection_id: int) -> Response:
    here = here_or_404(connection_id, lock=request.method == "POST")
    connection = here.connection
    form = SettingsForm.for_connection(connection)
    read_at = connection.reference.get("read_at")
    values: dict[str, Any] = {
        "here": here,
        "form": form,
        "hints": hints(connection),
        "by_itself": by_itself(here.app),
        "travels": travels(here.app, connection),
        "shared": connections.sharing_sign_in(connection),
        "name_of": connections.label,
        "staff": connections.staff(connection),
        "lists": [(name.capitalize(), entries) for name, entries in connection.reference.get("lists", {}).items()],
        "tracked": connection.reference.get("choices", []),
        "read_at": datetime.fromisoformat(read_at) if read_at else None,
    }
    if request.method == "GET":
        return render("apps/settings.html", blocks=("form",), **values)
    if not form.validate():
        return refused("apps/settings.html", "form", **values)
    changed = connections.change_settings(connection, form.data, app=here.app.name, by=actor(), now=now())
    db.session.commit()
    said = "Saved. It holds from the next sync and the next change on."
    if not changed:
        said = "Nothing was different, so nothing was changed."
    return done(said, "apps.settings", connection_id=connection.id)
