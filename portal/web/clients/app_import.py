"""/clients/import/app: the other door to importing from an app: which of the connected accounts (DIG-9, CL-50)."""

from __future__ import annotations

from flask import Response

from portal import integrations
from portal.domain import connections, unlinked
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.guard import needs
from portal.web.render import render


@screen.get("/import/app")
@needs(May.SEE_APPS)
def from_app() -> Response:
    accounts = [
        (app, one, unlinked.waiting(one.id))
        for app in integrations.all_apps()
        for one in connections.of_app(app.slug)
        if one.is_usable
    ]
    return render("clients/from_app.html", accounts=accounts)
