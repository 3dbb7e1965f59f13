"""Who may open a page: every route says so with `needs` or `open_to_all`, and a house test reads the marks.

The invariant: a view without a mark answers nobody (see `check_marked`), so a forgotten decorator closes a page rather
than opening it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, make_response, redirect, request, url_for
from flask_login import current_user

from portal.db import writing
from portal.domain.activity import Actor, Origin
from portal.domain.people import ALLOWED, May, Role, User
from portal.web import kept_form
from portal.web.render import is_fragment

View = TypeVar("View", bound=Callable[..., Any])


class NotAllowed(Exception):
    """The person is signed in and their role does not reach here."""

    def __init__(self, may: May) -> None:
        super().__init__(may.value)
        self.may = may

    @property
    def who_can(self) -> list[Role]:
        return [role for role in Role if self.may in ALLOWED[role]]


def needs(may: May | None) -> Callable[[View], View]:
    """Only for signed-in people whose role allows `may`; None: everyone who is signed in."""

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not current_user.is_authenticated:
                return ask_to_sign_in()
            if may is not None and not current_person().may(may):
                raise NotAllowed(may)
            return current_app.ensure_sync(view)(*args, **kwargs)

        guarded.needs = may  # type: ignore[attr-defined]  # a mark on the function
        guarded.is_marked = True  # type: ignore[attr-defined]  # a mark on the function
        return cast(View, guarded)

    return mark


def open_to_all(*, reason: str) -> Callable[[View], View]:
    """For the few pages without sign-in; the reason is read by the next person and by a test."""

    def mark(view: View) -> View:
        view.open_reason = reason  # type: ignore[attr-defined]  # a mark on the function
        view.is_marked = True  # type: ignore[attr-defined]  # a mark on the function
        return view

    return mark


def writes_on_get(*, reason: str) -> Callable[[View], View]:
    """For the rare page whose GET has to write; the reason is read by the next person and by a test."""

    def mark(view: View) -> View:
        @wraps(view)
        def writing_view(*args: Any, **kwargs: Any) -> Any:
            with writing():
                return view(*args, **kwargs)

        writing_view.write_reason = reason  # type: ignore[attr-defined]  # a mark on the function
        return cast(View, writing_view)

    return mark


def current_person() -> User:
    """Who is signed in. Only within `needs`."""
    if not current_user.is_authenticated:
        abort(401)
    return current_user.person


def actor(origin: str = "screen") -> Actor:
    """The signed-in person as the one who acts."""
    return Actor.person(current_person(), Origin(origin))


def ask_to_sign_in() -> Response:
    """To the sign-in page, and from there back here; htmx is told to leave the page it is on. Typed texts are kept."""
    kept = kept_form.page(401)
    if kept is not None:
        return kept
    if is_fragment():
        response = make_response("", 401)
        response.headers["HX-Redirect"] = url_for("sign_in.index", next=_page_behind_fragment())
    else:
        back = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else None
        response = make_response(redirect(url_for("sign_in.index", next=None if back == "/" else back), 303))
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(("HX-Request", "HX-Target"))
    return response


def register(app: Flask) -> None:
    app.before_request(check_marked)


def check_marked() -> None:
    """Close a view that nobody marked. Flask's own static files are the one exception."""
    if request.endpoint in (None, "static"):
        return
    view = current_app.view_functions[request.endpoint]
    if not getattr(view, "is_marked", False):
        current_app.logger.error("%s has neither @needs nor @open_to_all", request.endpoint)
        abort(404)


def own_path(target: str | None) -> str | None:
    """`target` if it is a path on this portal, else None: a link must not lead a person to another site."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return None
    if "\\" in target or any(character.isspace() or ord(character) < 32 for character in target):
        return None
    return target


def _page_behind_fragment() -> str | None:
    shown = urlsplit(request.headers.get("HX-Current-URL", ""))
    path = shown.path + (f"?{shown.query}" if shown.query else "")
    return own_path(path)
