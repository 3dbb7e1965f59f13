"""The screens. One file a screen: it holds a blueprint named `screen`, and being here is all it takes to be served.

`RAIL` is what the left rail shows, in order; an entry appears when its screen exists and the person may open it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from flask import Flask, current_app, request, session, url_for
from flask_compress import Compress
from flask_login import current_user
from werkzeug.routing import IntegerConverter

from portal.config import Settings
from portal.domain import home as overview
from portal.domain.people import May
from portal.web import formats, guard, render, security, signed_in

PRODUCT = "Counterpart"


@dataclass(frozen=True)
class RailItem:
    """`mark` gives the count, or for a dot True, that stands beside the label; 0 and False show nothing."""

    label: str
    endpoint: str
    icon: str
    may: May | None = None
    mark: Callable[[overview.Marks], int | bool] | None = None
    mark_means: str = ""


RAIL = (
    RailItem("Home", "home.index", "home"),
    RailItem("Clients", "clients.index", "users", May.SEE_CLIENTS),
    RailItem("Proposals", "proposals.index", "file-text", May.SEE_PROPOSALS),
    RailItem("Invoices", "invoices.index", "file-invoice", May.SEE_INVOICES),
    RailItem(
        "Matches", "matches.index", "git-merge", May.SETTLE_MATCHES, attrgetter("findings"), "waiting for a decision"
    ),
    RailItem("Apps", "apps.index", "apps", May.SEE_APPS, attrgetter("an_app_needs_a_person"), "an app needs a person"),
    RailItem("Library", "library.index", "books", May.SEE_PROPOSALS),
    RailItem("Settings", "settings.index", "settings", May.MANAGE_SETTINGS),
)


# Screens reached from another one's pages.
BELONGS_TO = {"groups": "clients", "rehearsal": "invoices", "certificates": "invoices"}


class NumberConverter(IntegerConverter):
    """A number in an address; one that no database holds is no address of ours."""

    regex = r"\d{1,18}"


def register(app: Flask, consent_origins: Iterable[str] = ()) -> None:
    """Everything the app needs to answer a browser."""
    settings: Settings = app.extensions["settings"]
    render.register(app)
    formats.register(app)
    signed_in.register(app, settings)
    security.register(app, settings, consent_origins)
    guard.register(app)
    app.config.update(COMPRESS_ALGORITHM=["gzip"], COMPRESS_MIN_SIZE=800)
    Compress(app)
    app.url_map.converters["int"] = NumberConverter
    for module in screens():
        app.register_blueprint(module.screen)
    app.context_processor(frame)


def screens() -> list[Any]:
    """Every module here that holds a screen, by name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [module for module in modules if hasattr(module, "screen")]


def frame() -> dict[str, Any]:
    """What base.html shows around every page. Functions, so that a block rendered alone asks for none of it."""
    return {
        "product": PRODUCT,
        "person": current_user.person if current_user.is_authenticated else None,
        "theme": session.get("theme"),
        "firm": formats.firm,
        "rail": rail,
        "searched": request.args.get("q", "") if request.endpoint == "clients.index" else "",
    }


def rail() -> list[tuple[RailItem, str, bool, int | bool]]:
    """The entries this person sees: item, its address, whether it is where they are, and its mark."""
    here = (request.endpoint or "").split(".")[0]
    here = BELONGS_TO.get(here, here)
    views = current_app.view_functions
    person = current_user.person if current_user.is_authenticated else None
    seen = [item for item in RAIL if item.endpoint in views and (item.may is None or (person and person.may(item.may)))]
    marks = formats.marks()
    return [
        (
            item,
            _address(item.endpoint),
            item.endpoint.split(".")[0] == here,
            item.mark(marks) if item.mark else 0,
        )
        for item in seen
    ]


@cache
def _address(endpoint: str) -> str:
    return url_for(endpoint)
