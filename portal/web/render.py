"""How a view answers: a whole page, one block of it for htmx, or the way back after a POST.

The only module that knows htmx. A view says which blocks of its template may be asked for; everything a browser has
not asked for as a block it gets as a whole page, so every screen works with scripts off.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from htmx_flask import Htmx
from jinja2 import StrictUndefined
from jinja2_fragments.flask import render_block

from portal.config import Settings

COMPONENTS = "components.html"
ALWAYS_THE_SAME = ("icon", "mark")  # macros whose output follows from their arguments alone: made once


class Components:
    """The macros of components.html, reachable as `ui` from any block, also one that is rendered alone.

    Each is looked up once: a page uses dozens. While developing, at every use, so that a change shows.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        macro = getattr(self._app.jinja_env.get_template(COMPONENTS).module, name)
        if not self._app.debug:
            setattr(self, name, cache(macro) if name in ALWAYS_THE_SAME else macro)
        return macro


def register(app: Flask) -> None:
    Htmx(app)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["asset"] = _addresses_of_assets(app)
    app.jinja_env.globals["ui"] = Components(app)


def render(
    template: str, *, blocks: Sequence[str] = (), status: int = 200, address: str | None = None, **values: Any
) -> Response:
    """The page, or the one block of it that htmx names in `HX-Target` (element `run-progress` is block `run_progress`).

    Boosted requests and history restores always get the page. With `address` the browser's address bar follows a block,
    so that reload and back show what is on the screen.
    """
    block = _asked_block()
    if block is not None and block in blocks:
        response = _answer(render_block(template, block, **values), status)
        if address is not None:
            response.headers["HX-Replace-Url"] = address
        return response
    return _answer(render_template(template, **values), status)


def refused(template: str, block: str, *, status: int = 422, **values: Any) -> Response:
    """A form that did not pass: its block for htmx, the whole page for everyone else."""
    if is_fragment():
        response = _answer(render_block(template, block, **values), status)
        response.headers["HX-Retarget"] = f"#{block.replace('_', '-')}"
        response.headers["HX-Reswap"] = "outerHTML"
        return response
    return _answer(render_template(template, **values), status)


def done(
    message: str,
    endpoint: str,
    *,
    undo: tuple[str, str] | None = None,
    tone: str = "ok",
    trigger: str | None = None,
    **values: Any,
) -> Response:
    """After an act: say what happened and show `endpoint` again.

    `undo` is (words on the button, URL it posts to). `trigger` is an event other blocks may listen for. `message` may
    be empty when the page itself says enough.
    """
    if message:
        flash({"text": message, "undo": undo}, tone)  # type: ignore[arg-type]  # the session keeps any JSON value
    url = url_for(endpoint, **values)
    if not is_fragment():
        return _private(redirect(url, 303))
    response = _answer("", 200)
    where = {"path": url, "target": "#main", "select": "#main", "swap": "outerHTML"}
    response.headers["HX-Location"] = json.dumps(where)
    if trigger:
        response.headers["HX-Trigger"] = trigger
    return response


def go_to(url: str) -> Response:
    """Leave for `url`, which may be another site: a vendor's consent page, a fresh sign-in."""
    if not is_fragment():
        return _private(redirect(url, 303))
    response = _answer("", 200)
    response.headers["HX-Redirect"] = url
    return response


def is_fragment() -> bool:
    """Whether htmx asks for a part of a page, rather than a browser (or a boosted link) for a whole one."""
    htmx = request.htmx  # type: ignore[attr-defined]  # set by htmx-flask
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def absolute(endpoint: str, **values: Any) -> str:
    """A link that works from outside, built on the configured address and never on what the browser claims."""
    settings: Settings = current_app.extensions["settings"]
    return settings.public_url + url_for(endpoint, **values)


def _addresses_of_assets(app: Flask) -> Callable[[str], str]:
    """`asset(name)`: the address of a static file. It changes when the file does, so browsers keep it for a year."""
    folder, prefix = Path(app.static_folder or "static"), app.static_url_path or "/static"

    def asset(name: str) -> str:
        path = folder / name
        mark = blake2b(path.read_bytes(), digest_size=4).hexdigest() if path.exists() else "0"
        return f"{prefix}/{name}?v={mark}"

    return asset if app.debug else cache(asset)


def _asked_block() -> str | None:
    if not is_fragment():
        return None
    target = request.htmx.target  # type: ignore[attr-defined]  # set by htmx-flask
    return target.replace("-", "_") if target else None


def _answer(text: str, status: int) -> Response:
    return _private(make_response(text, status))


def _private(response: Any) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(("HX-Request", "HX-Target"))
    return response
