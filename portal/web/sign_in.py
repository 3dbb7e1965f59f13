"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, Response

from portal.web.guard import needs, open_to_all
from portal.web.render import go_to, render

screen = Blueprint("sign_in", __name__)


@screen.get("/sign-in")
@open_to_all(reason="it is where one signs in")
def index() -> Response:
    return render("sign_in/index.html")


@screen.post("/sign-out")
@needs(None)
def out() -> Response:
    return go_to("/sign-in")
