"""What every answer and every request must keep to: headers, forgery checks, limits, addresses, error pages.

The policy is as strict as the portal allows itself to be: nothing from another host, no inline script or style.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import InternalError, OperationalError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix

from portal.config import Settings
from portal.db import db, reading
from portal.domain.people import Role
from portal.integrity import DatabaseDamaged
from portal.web import kept_form
from portal.web.guard import NotAllowed
from portal.web.render import is_fragment

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY = 2 * 1024 * 1024
MAX_FIELDS = 2000
YEAR = 365 * 24 * 3600
SAFE = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

log = logging.getLogger(__name__)
csrf = CSRFProtect()

# status -> (heading, what it means and what to do)
TEXTS: dict[int, tuple[str, str]] = {
    400: ("That request could not be understood", "Go back and try it from the page again."),
    404: ("There is nothing at this address", "It may have been moved, or the address was cut short. "
          "Searching for the client usually finds it."),
    405: ("This address only takes a form", "Go back to the page and use its button."),
    413: ("That was too much at once", "The file or form is larger than the portal takes. Send it in smaller parts."),
    414: ("That address is too long", "Use fewer filters at once."),
    429: ("Too many tries", "Wait a little, then try again."),
    503: ("The portal is busy", "Nothing was changed. Wait a few seconds and try again."),
    500: ("Something went wrong on our side", "What you were doing was not saved. Try again; if it happens again, "
          "give the reference below to whoever looks after the portal."),
}  # fmt: skip


class ReadingRequests:
    """Runs GET and HEAD inside `reading()`, so that a page which only shows things cannot change one."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            with reading(throughout=True):
                return self._inner(environ, start_response)
        return self._inner(environ, start_response)


def register(app: Flask, settings: Settings, consent_origins: Iterable[str] = ()) -> None:
    """`consent_origins`: sites a form of ours may lead on to, such as a vendor's sign-in page."""
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        MAX_FORM_PARTS=MAX_FIELDS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session itself
        WTF_CSRF_HEADERS=["X-CSRFToken"],
        # Pages whose address is a secret tell no referrer; where a form comes from, `_refuse_other_sites` asks instead.
        WTF_CSRF_SSL_STRICT=False,
        TRUSTED_HOSTS=sorted({urlsplit(settings.public_url).hostname or "localhost", *LOOPBACK}),
    )
    app.wsgi_app = ReadingRequests(app.wsgi_app)  # type: ignore[method-assign]  # how WSGI is wrapped
    if settings.proxies:
        count = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]  # how WSGI is wrapped
    app.before_request(_refuse_other_sites)
    app.before_request(_refuse_too_many_fields)
    csrf.init_app(app)
    app.after_request(_headers(settings, tuple(consent_origins)))
    app.register_error_handler(NotAllowed, _not_allowed)
    app.register_error_handler(CSRFError, _form_expired)
    app.register_error_handler(OperationalError, _database_busy)
    app.register_error_handler(InternalError, _database_busy)  # PostgreSQL after a failover: read only
    app.register_error_handler(DatabaseDamaged, _database_damaged)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)


def request_id() -> str:
    """Stands in the log, in the answer's headers and on every error page, so that one leads to the other."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(6)
    return g.request_id


def policy(consent_origins: Iterable[str] = ()) -> str:
    """The content security policy. `data:` images are the little arrows inside Tabler's style sheet."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            " ".join(("form-action 'self'", *consent_origins)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
        )
    )


def _headers(settings: Settings, consent_origins: tuple[str, ...]) -> Callable[[Response], Response]:
    always = {
        "Content-Security-Policy": policy(consent_origins),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if settings.is_https:
        always["Strict-Transport-Security"] = f"max-age={YEAR}; includeSubDomains"

    def add(response: Response) -> Response:
        said = {name for name, _value in response.headers}
        for name, value in always.items():
            if name not in said:
                response.headers.add(name, value)
        response.headers["X-Request-Id"] = request_id()
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        elif response.status_code in (200, 304) and "v" in request.args:
            response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return response

    return add


def _refuse_other_sites() -> None:
    """A form may only come from our own pages. The browser says so itself; older ones by `Origin` (ASVS 3.5.3)."""
    if request.method in SAFE:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or urlsplit(origin).netloc == request.host
    if not allowed:
        log.warning("a form from another site was refused at %s", request.path)
        abort(403, description="other-site")


def _refuse_too_many_fields() -> None:
    if request.method in SAFE or request.mimetype != "application/x-www-form-urlencoded":
        return
    if request.get_data(cache=True).count(b"&") >= MAX_FIELDS:
        raise RequestEntityTooLarge


def problem_page(status: int, title: str, text: str, **values: Any) -> Response:
    """An error page; inside a page that htmx keeps, the same as a notice at its top."""
    db.session.rollback()
    values |= {"title": title, "text": text, "request_id": request_id(), "status": status}
    if is_fragment():
        response = make_response(render_template("errors/notice.html", **values), status)
        response.headers["HX-Retarget"] = "#flashes"
        response.headers["HX-Reswap"] = "innerHTML"
    else:
        response = make_response(render_template("errors/problem.html", **values), status)
    response.headers["Cache-Control"] = "no-store"
    response.vary.update(("HX-Request", "HX-Target"))
    return response


def _not_allowed(problem: NotAllowed) -> Response:
    roles = {Role.ADMIN: "an admin", Role.MEMBER: "a member", Role.SUPPORT: "somebody in support"}
    who = " or ".join(roles[role] for role in problem.who_can)
    text = f"To {problem.may.value} one has to be {who}. Ask an admin if you need it: they change roles."
    return problem_page(403, "Your role does not reach here", text)


def _form_expired(_problem: CSRFError) -> Response:
    return kept_form.page(403) or problem_page(
        403,
        "This form has run out",
        "It was opened before you last signed in or out, or it did not come from the portal. Nothing was changed. "
        "Open the page again and repeat it.",
    )


def _database_busy(problem: OperationalError | InternalError) -> Response:
    """Locked, full, restarting: the request changed nothing and may be repeated (fault rows 75, 76, 78)."""
    log.error("[%s] the database did not take %s %s: %s", request_id(), request.method, request.path, problem.orig)
    _ask_nobody_who_is_here()
    response = problem_page(503, *TEXTS[503])
    response.headers["Retry-After"] = "5"
    return response


def _ask_nobody_who_is_here() -> None:
    """A page about a database that cannot be used must not need it: Flask-Login would look for the session."""
    g._login_user = current_app.login_manager.anonymous_user()  # type: ignore[attr-defined]  # set by Flask-Login


def _database_damaged(_problem: DatabaseDamaged) -> Response:
    _ask_nobody_who_is_here()
    return problem_page(
        503,
        "The portal cannot save anything at the moment",
        "Its database needs repair. Nothing was changed, and pages still show what there is. Whoever looks after the "
        "portal can see what to do in its log.",
    )


def _http_problem(problem: HTTPException) -> Response | HTTPException:
    status = problem.code or 500
    if status < 400:
        return problem
    if status == 403:
        return problem_page(403, "That is not allowed from here", "The request did not come from one of the portal's "
                            "own pages. Nothing was changed.")  # fmt: skip
    title, text = TEXTS.get(status, TEXTS[400] if status < 500 else TEXTS[500])
    response = problem_page(status, title, text)
    if status == 405 and (allowed := getattr(problem, "valid_methods", None)):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _unexpected(problem: Exception) -> Response:
    if current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise problem
    log.exception("[%s] %s %s failed", request_id(), request.method, request.path)
    return problem_page(500, *TEXTS[500])
