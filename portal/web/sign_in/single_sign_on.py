"""OpenID Connect, when the settings name an issuer: it says who somebody is, the team list says whether they may in.

Only people who are on the team get in, the first time by their verified email and from then on by the issuer's own
name for them (its subject), so that an email given to somebody else there opens nothing here.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import cast

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask, abort, current_app, request, session, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError

from portal.config import Settings
from portal.domain.people import entrance
from portal.domain.people.entrance import WrongSignIn
from portal.web import signed_in
from portal.web.guard import open_to_all, own_path, writes_on_get
from portal.web.render import absolute, go_to, render
from portal.web.sign_in import screen

NEXT = "sso_next"
PATIENCE = 10  # seconds for each answer of the issuer

log = logging.getLogger(__name__)


@screen.record
def _connect(state: BlueprintSetupState) -> None:
    app = cast(Flask, state.app)
    settings: Settings = app.extensions["settings"]
    if not settings.sso.is_on:
        return
    oauth = OAuth(app)
    oauth.register(
        "sso",
        client_id=settings.sso.client_id,
        client_secret=settings.sso.client_secret,
        server_metadata_url=settings.sso.issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": PATIENCE,
        },
    )


@screen.get("/sign-in/single-sign-on")
@open_to_all(reason="it leads to the issuer, who asks who one is")
def leave() -> ResponseReturnValue:
    client = _client()
    session[NEXT] = own_path(request.args.get("next"))
    try:
        return client.authorize_redirect(absolute("sign_in.come_back"))
    except (AuthlibBaseError, OSError, ValueError) as problem:
        return _came_to_nothing(problem)


@screen.get("/sign-in/single-sign-on/return")
@open_to_all(reason="the issuer sends people here; its answer is checked")
@writes_on_get(reason="the protocol brings people back with a GET, and signing in writes")
def come_back() -> ResponseReturnValue:
    client, settings = _client(), current_app.extensions["settings"]
    wanted = {
        "iss": {"essential": True, "values": [settings.sso.issuer, settings.sso.issuer.rstrip("/") + "/"]},
        "aud": {"essential": True, "value": settings.sso.client_id},
    }
    try:
        who = client.authorize_access_token(claims_options=wanted).get("userinfo")
        if who is None:
            raise ValueError("the issuer sent no identity")
    except (AuthlibBaseError, JoseError, OSError, ValueError, RuntimeError) as problem:
        return _came_to_nothing(problem)
    target = session.get(NEXT)
    subject, email = str(who.get("sub", "")), str(who.get("email", ""))
    try:
        user = entrance.check_identity(subject, email, is_verified=who.get("email_verified") is True)
    except WrongSignIn:
        return render("sign_in/unknown.html", status=403, email=email, label=settings.sso.label)
    signed_in.sign_in(user, now=datetime.now(UTC), way="single sign-on")
    return go_to(own_path(target) or url_for("home.index"))


def _client() -> OAuth:
    oauth = current_app.extensions.get("authlib.integrations.flask_client")
    if oauth is None:
        abort(404)
    return oauth.sso


def _came_to_nothing(problem: Exception) -> ResponseReturnValue:
    """Refused there, answered twice, or the issuer cannot be reached: nothing was stored, one may try again."""
    log.warning("single sign-on came to nothing: %s", problem)
    settings: Settings = current_app.extensions["settings"]
    if isinstance(problem, OSError):
        why = f"{settings.sso.label.capitalize()} could not be reached. Try again in a moment, or use your password."
    else:
        why = "The sign-in did not come to an end. Start it again; if it fails again, tell an admin of the portal."
    response = render("sign_in/no_single_sign_on.html", status=502 if isinstance(problem, OSError) else 400, why=why)
    session.pop(NEXT, None)
    return response
