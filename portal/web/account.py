"""My profile."""

from __future__ import annotations

from flask import Blueprint, Response

from portal.web.guard import needs
from portal.web.render import render

screen = Blueprint("account", __name__, url_prefix="/account")


@screen.get("/")
@needs(None)
def index() -> Response:
    return render("home/index.html")
