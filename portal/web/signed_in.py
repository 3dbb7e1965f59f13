"""Who is signed in, as the browser and the database agree on it.

Flask-Login keeps one random token in the signed cookie; `portal.domain.people.sessions` knows what stands behind it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask, current_app, request, session
from flask_login import LoginManager, UserMixin, login_user, logout_user

from portal.config import Settings
from portal.db import db
from portal.domain.people import SignIn, User, sessions

SAFE = ("GET", "HEAD", "OPTIONS")
THEMES = ("light", "dark")


class SignedIn(UserMixin):
    """What `current_user` is: the person, and the session they came by."""

    def __init__(self, token: str, sign_in: SignIn) -> None:
        self.token = token
        self.sign_in = sign_in
        self.person: User = sign_in.user

    def get_id(self) -> str:
        return self.token


def register(app: Flask, settings: Settings) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="__Host-counterpart" if settings.is_https else "counterpart",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
    )
    logins = LoginManager(app)
    logins.session_protection = None  # an address that changes on the way home is no theft; the token is the proof
    logins.user_loader(_load)


def sign_in(user: User, *, now: datetime, way: str) -> None:
    """Begin a session in this browser. Nothing of the cookie from before survives (session fixation)."""
    token = sessions.begin(user, now=now, address=request.remote_addr or "", browser=request.user_agent.string, way=way)
    db.session.commit()
    session.clear()
    held = _find(token, now)
    if held is None:
        raise RuntimeError("a session that was just begun cannot be found")
    login_user(SignedIn(token, held))
    show_in(held.user.preferences.get("theme"))


def sign_out() -> None:
    """Forget the browser's cookie; ending the session itself is the caller's. Light or dark stays as it was."""
    theme = session.get("theme")
    logout_user()
    session.clear()
    show_in(theme)


def show_in(theme: str | None) -> None:
    """Light or dark in this browser, also on pages for nobody in particular; None: as the machine says."""
    if theme in THEMES:
        session["theme"] = theme
    else:
        session.pop("theme", None)


def _load(token: str) -> SignedIn | None:
    now = datetime.now(UTC)
    held = _find(token, now)
    if held is None:
        return None
    if sessions.is_due(held, now):
        if request.method in SAFE:
            sessions.note_seen(held.id, now)
        else:
            held.seen_at = now  # goes with whatever this request commits
    return SignedIn(token, held)


def _find(token: str, now: datetime) -> SignIn | None:
    settings: Settings = current_app.extensions["settings"]
    return sessions.find(token, now=now, idle_limit=settings.idle_limit, absolute_limit=settings.absolute_limit)
