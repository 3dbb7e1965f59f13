"""Settings: General (the firm), Team (its people) and Integrations (its apps). For admins."""

from flask import Blueprint

screen = Blueprint("settings", __name__, url_prefix="/settings")

from portal.web.settings import general, integrations, team  # noqa: E402  # they add their routes to it

__all__ = ["general", "integrations", "screen", "team"]
