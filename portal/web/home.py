"""Home: what needs a person now, and how the apps are doing."""

from __future__ import annotations

from flask import Blueprint, Response

from portal.domain import home as overview
from portal.web.guard import needs
from portal.web.render import render

screen = Blueprint("home", __name__)


@screen.get("/")
@needs(None)
def index() -> Response:
    return render("home/index.html", waiting=overview.waiting())
