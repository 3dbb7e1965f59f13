"""Settings: General (the firm) and Team (its people). For admins."""

from flask import Blueprint

screen = Blueprint("settings", __name__, url_prefix="/settings")

from portal.web.settings import general, team  # noqa: E402  # they add their routes to it

__all__ = ["general", "screen", "team"]
