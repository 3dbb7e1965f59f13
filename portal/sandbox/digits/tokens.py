"""Installs, codes and tokens of the Digits stand-in. Seconds by the sandbox's clock.

An access token is good for an hour and for the one business that allowed it; a refresh token until the app is
uninstalled there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from portal.sandbox.context import Sandbox

CODE_LIFE, ACCESS_LIFE = 600, 3600
DEFAULT_CLIENT, DEFAULT_SECRET = "counterpart-sandbox", "sandbox-secret"
SCOPES = ("source:sync", "ledger:read", "documents:write")
GATED = ("organization:sync", "bills:manage")

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS digits_app (
        client_id TEXT PRIMARY KEY, secret TEXT NOT NULL, redirects TEXT NOT NULL DEFAULT '[]')""",
    """CREATE TABLE IF NOT EXISTS digits_install (
        client_id TEXT NOT NULL, tenant TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (client_id, tenant))""",
    """CREATE TABLE IF NOT EXISTS digits_code (
        code TEXT PRIMARY KEY, client_id TEXT NOT NULL, tenant TEXT NOT NULL, redirect_uri TEXT NOT NULL,
        scope TEXT NOT NULL, issued REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS digits_token (
        digest TEXT PRIMARY KEY, kind TEXT NOT NULL, client_id TEXT NOT NULL, tenant TEXT NOT NULL,
        scope TEXT NOT NULL, expires REAL)""",
)
TABLES = ("app", "install", "code", "token")


class GrantRefused(Exception):
    """An OAuth error code, and what it is about."""

    def __init__(self, code: str, about: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.about, self.status = code, about, status


@dataclass(frozen=True)
class Access:
    """A presented access token: whose it is, and what for. `expired` when its hour is over."""

    digest: str
    client_id: str
    tenant: str
    scopes: frozenset[str]
    expired: bool


def register(box: Sandbox, client_id: str, secret: str, redirects: list[str]) -> None:
    """Add an app, or give an existing one a new secret and return addresses."""
    with box.store.write() as db:
        db.execute(
            "INSERT INTO digits_app (client_id, secret, redirects) VALUES (?, ?, ?) ON CONFLICT (client_id)"
            " DO UPDATE SET secret = excluded.secret, redirects = excluded.redirects",
            (client_id, secret, json.dumps(redirects)),
        )


def app_named(box: Sandbox, client_id: str) -> sqlite3.Row | None:
    """The registered app, or None."""
    with box.store.read() as db:
        row: sqlite3.Row | None = db.execute("SELECT * FROM digits_app WHERE client_id = ?", (client_id,)).fetchone()
    return row


def install(box: Sandbox, client_id: str, tenant: str) -> None:
    """A person of the business allowed the app."""
    with box.store.write() as db:
        db.execute(
            "INSERT OR REPLACE INTO digits_install (client_id, tenant, since) VALUES (?, ?, ?)",
            (client_id, tenant, box.clock.seconds()),
        )


def issue_code(box: Sandbox, client_id: str, tenant: str, redirect: str, scope: str) -> str:
    """A single-use code in base64, with all that may stand in base64."""
    code = base64.b64encode(secrets.token_bytes(31)).decode()  # 31 bytes end in =
    with box.store.write() as db:
        db.execute(
            "INSERT INTO digits_code (code, client_id, tenant, redirect_uri, scope, issued) VALUES (?, ?, ?, ?, ?, ?)",
            (code, client_id, tenant, redirect, scope, box.clock.seconds()),
        )
    return code


def spend_code(box: Sandbox, client_id: str, code: str, redirect: str) -> dict[str, Any]:
    """Turn a code into tokens; raises GrantRefused."""
    with box.store.write() as db:
        row = db.execute("SELECT * FROM digits_code WHERE code = ? AND client_id = ?", (code, client_id)).fetchone()
        if row is None or row["used"] or box.clock.seconds() - row["issued"] > CODE_LIFE:
            raise GrantRefused("invalid_grant", "The authorization code is unknown, used or too old.")
        if row["redirect_uri"] != redirect:
            raise GrantRefused("invalid_grant", "The redirect URI is not the one of the authorization.")
        db.execute("UPDATE digits_code SET used = 1 WHERE code = ?", (code,))
        return issue(box, db, client_id, row["tenant"], row["scope"], refresh="new")


def refresh(box: Sandbox, client_id: str, token: str) -> dict[str, Any]:
    """A new access token; raises GrantRefused when the refresh token is unknown, or its app was uninstalled."""
    with box.store.write() as db:
        row = db.execute(
            "SELECT * FROM digits_token WHERE digest = ? AND kind = 'refresh' AND client_id = ?",
            (_digest(token), client_id),
        ).fetchone()
        if row is None:
            raise GrantRefused("invalid_grant", "The refresh token is not valid.")
        how = str(box.switches["digits_refresh_returns"])
        if how == "new" and box.switches["digits_refresh_ends_old"]:
            db.execute("DELETE FROM digits_token WHERE digest = ?", (row["digest"],))
        reply = issue(box, db, client_id, row["tenant"], row["scope"], refresh=how)
        return reply | ({"refresh_token": token} if how == "same" else {})


def issue(
    box: Sandbox, db: sqlite3.Connection, client_id: str, tenant: str, scope: str, *, refresh: str
) -> dict[str, Any]:
    """A token reply; with a refresh token when `refresh` is new."""
    now = box.clock.seconds()
    access = _keep(db, "access", client_id, tenant, scope, now + ACCESS_LIFE)
    db.execute("DELETE FROM digits_token WHERE kind = 'access' AND expires < ?", (now - 86_400,))
    reply: dict[str, Any] = {"access_token": access}
    if refresh == "new":
        reply["refresh_token"] = _keep(db, "refresh", client_id, tenant, scope, None)
    return reply | {"expires_in": ACCESS_LIFE, "token_type": "Bearer", "scope": scope}


def check(box: Sandbox, token: str) -> Access | None:
    """What a bearer token is worth; None when it was never issued here, or its app was uninstalled."""
    with box.store.read() as db:
        row = db.execute(
            "SELECT t.* FROM digits_token t JOIN digits_install i ON i.client_id = t.client_id"
            " AND i.tenant = t.tenant WHERE t.digest = ? AND t.kind = 'access'",
            (_digest(token),),
        ).fetchone()
    if row is None:
        return None
    scopes = frozenset(row["scope"].split())
    return Access(row["digest"], row["client_id"], row["tenant"], scopes, row["expires"] <= box.clock.seconds())


def uninstall(box: Sandbox, tenant: str | None) -> int:
    """One business takes every app out, or all do; their tokens die. How many installs ended."""
    with box.store.write() as db:
        db.execute("DELETE FROM digits_token WHERE ? IS NULL OR tenant = ?", (tenant, tenant))
        return db.execute("DELETE FROM digits_install WHERE ? IS NULL OR tenant = ?", (tenant, tenant)).rowcount


def bearer(header: str) -> str:
    """The token of an Authorization header, or nothing."""
    kind, _, token = header.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _keep(db: sqlite3.Connection, kind: str, client_id: str, tenant: str, scope: str, expires: float | None) -> str:
    token = secrets.token_urlsafe(40)
    db.execute(
        "INSERT INTO digits_token (digest, kind, client_id, tenant, scope, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (_digest(token), kind, client_id, tenant, scope, expires),
    )
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
