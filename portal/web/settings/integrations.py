"""Settings → Integrations: every app, connected or not, and the way to its panel (QBO-3)."""

from __future__ import annotations

from flask import Response

from portal.domain.people import May
from portal.web.apps.tiles import tiles
from portal.web.guard import needs
from portal.web.render import render
from portal.web.settings import screen


@screen.get("/integrations")
@needs(May.MANAGE_APPS)
def integrations() -> Response:
    return render("settings/integrations.html", tiles=tiles())
