"""A form that came too late: its sender was signed out while they typed. What they typed stays on the page.

It is sent again only by a press of its sender, and only what came from a page of the portal is kept at all.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, make_response, render_template, request
from flask_login import current_user

from portal.web.render import is_fragment

SCREENS = {"clients", "groups", "invoices", "library", "proposals"}  # with long forms, and none with a secret in it
TOKEN = "csrf_token"
MOST = 500_000  # letters


def page(status: int) -> Response | None:
    """The page that holds what was typed; None where there is nothing to keep."""
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != TOKEN]
    if not fields or request.files or not _is_kept() or sum(len(value) for _name, value in fields) > MOST:
        return None
    values = {"fields": fields, "address": request.full_path.rstrip("?"), "is_back": current_user.is_authenticated}
    response = make_response(render_template("errors/kept_form.html", **values), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_kept() -> bool:
    return request.method == "POST" and request.blueprint in SCREENS and not is_fragment() and _is_of_ours()


def _is_of_ours() -> bool:
    """Whether the browser says that a page of this portal sent it."""
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return True
    origin = request.headers.get("Origin") or request.headers.get("Referer", "")
    return urlsplit(origin).netloc == request.host
