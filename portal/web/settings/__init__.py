"""Settings: General (the firm), Team (its people), Email (what it sends) and Integrations (its apps). For admins."""

from flask import Blueprint

screen = Blueprint("settings", __name__, url_prefix="/settings")

from portal.web.settings import email, general, integrations, team  # noqa: E402  # they add their routes to it

__all__ = ["email", "general", "integrations", "screen", "team"]
