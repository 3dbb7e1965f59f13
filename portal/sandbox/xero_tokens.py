"""Xero's consents, tokens and connections as stored rows. All times are seconds by the sandbox's clock.

A refresh token lives 60 days unused; using it makes a new pair, and the old one may be replayed for half an hour.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
import uuid
from dataclasses import dataclass
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.vendor import Tenant

CODE_LIFE, ACCESS_LIFE, GRACE, REFRESH_LIFE = 300, 1800, 1800, 60 * 86_400
DEFAULT_CLIENT, DEFAULT_SECRET = "counterpart-sandbox", "sandbox-secret"
USER_ID = "7d1c4f3e-52c8-4d0e-9a55-3a6b1f0c2e10"
USER = {"given_name": "Jo", "family_name": "Partner", "email": "jo@marlow.example"}

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS xero_app (
        client_id TEXT PRIMARY KEY, secret TEXT NOT NULL, redirects TEXT NOT NULL DEFAULT '[]',
        granted TEXT NOT NULL DEFAULT '')""",
    """CREATE TABLE IF NOT EXISTS xero_code (
        code TEXT PRIMARY KEY, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL, scope TEXT NOT NULL,
        challenge TEXT, event TEXT NOT NULL, issued REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS xero_refresh (
        token TEXT PRIMARY KEY, client_id TEXT NOT NULL, scope TEXT NOT NULL, event TEXT NOT NULL,
        issued REAL NOT NULL, replaced REAL)""",
    """CREATE TABLE IF NOT EXISTS xero_access (
        digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, scope TEXT NOT NULL, event TEXT NOT NULL,
        expires REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS xero_connection (
        id TEXT PRIMARY KEY, client_id TEXT NOT NULL, tenant TEXT NOT NULL, event TEXT NOT NULL,
        created REAL NOT NULL, updated REAL NOT NULL, live INTEGER NOT NULL DEFAULT 1, UNIQUE (client_id, tenant))""",
)


class GrantRefused(Exception):
    """An OAuth error code, as the token endpoint spells it."""


@dataclass(frozen=True)
class Access:
    """A presented access token that is known and has not run out."""

    client_id: str
    scopes: frozenset[str]
    event: str


@dataclass(frozen=True)
class Expired:
    """A known access token whose time is over, at `at` seconds."""

    at: float


def xero_tenants(box: Sandbox) -> list[Tenant]:
    """Everything the one user could connect."""
    return [tenant for tenant in box.tenants if tenant.issuer == "xero"]


def ensure_default_app(box: Sandbox) -> None:
    """The client id every test and the demo may use."""
    register(box, DEFAULT_CLIENT, DEFAULT_SECRET, [])


def register(box: Sandbox, client_id: str, secret: str, redirects: list[str]) -> None:
    """Add an app, or give an existing one a new secret and redirects."""
    with box.store.write() as db:
        db.execute(
            "INSERT INTO xero_app (client_id, secret, redirects) VALUES (?, ?, ?) "
            "ON CONFLICT (client_id) DO UPDATE SET secret = excluded.secret, redirects = excluded.redirects",
            (client_id, secret, json.dumps(redirects)),
        )


def app_named(box: Sandbox, client_id: str) -> sqlite3.Row | None:
    """The registered app, or None."""
    with box.store.read() as db:
        row: sqlite3.Row | None = db.execute("SELECT * FROM xero_app WHERE client_id = ?", (client_id,)).fetchone()
    return row


def consent(box: Sandbox, client_id: str, scopes: list[str], tenants: list[str]) -> tuple[str, str]:
    """Connect the ticked tenants; the consent's event id and the scopes now granted (earlier ones stay)."""
    event, now = str(uuid.uuid4()), box.clock.seconds()
    with box.store.write() as db:
        row = db.execute("SELECT granted FROM xero_app WHERE client_id = ?", (client_id,)).fetchone()
        granted = " ".join(dict.fromkeys([*row["granted"].split(), *scopes]))
        db.execute("UPDATE xero_app SET granted = ? WHERE client_id = ?", (granted, client_id))
        for tenant in tenants:
            db.execute(
                "INSERT INTO xero_connection (id, client_id, tenant, event, created, updated) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (client_id, tenant) DO UPDATE SET event = excluded.event, updated = excluded.updated,"
                " live = 1",
                (str(uuid.uuid4()), client_id, tenant, event, now, now),
            )
    return event, granted


def issue_code(box: Sandbox, client_id: str, redirect: str, scope: str, challenge: str | None, event: str) -> str:
    """A single-use code, good for five minutes."""
    code = secrets.token_urlsafe(32)
    with box.store.write() as db:
        db.execute(
            "INSERT INTO xero_code (code, client_id, redirect_uri, scope, challenge, event, issued) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (code, client_id, redirect, scope, challenge, event, box.clock.seconds()),
        )
    return code


def spend_code(box: Sandbox, client_id: str, code: str, redirect: str, verifier: str | None) -> dict[str, Any]:
    """Turn a code into tokens; raises GrantRefused."""
    with box.store.write() as db:
        row = db.execute("SELECT * FROM xero_code WHERE code = ? AND client_id = ?", (code, client_id)).fetchone()
        stale = row is None or row["used"] or box.clock.seconds() - row["issued"] > CODE_LIFE
        if stale or row["redirect_uri"] != redirect or not proves(row["challenge"], verifier):
            raise GrantRefused("invalid_grant")
        db.execute("UPDATE xero_code SET used = 1 WHERE code = ?", (code,))
        return issue_tokens(box, db, client_id, row["scope"], row["event"])


def proves(challenge: str | None, verifier: str | None) -> bool:
    """PKCE: without a challenge nothing is to prove."""
    if challenge is None:
        return True
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return secrets.compare_digest(_b64(digest), challenge)


def refresh(box: Sandbox, client_id: str, token: str) -> dict[str, Any]:
    """A new pair for a refresh token; raises GrantRefused when it is unknown, too old or replayed too late."""
    now = box.clock.seconds()
    with box.store.write() as db:
        row = db.execute("SELECT * FROM xero_refresh WHERE token = ? AND client_id = ?", (token, client_id)).fetchone()
        if row is None or now - row["issued"] > REFRESH_LIFE:
            raise GrantRefused("invalid_grant")
        if row["replaced"] is not None and now - row["replaced"] > GRACE:
            raise GrantRefused("invalid_grant")
        if row["replaced"] is None:
            db.execute("UPDATE xero_refresh SET replaced = ? WHERE token = ?", (now, token))
        return issue_tokens(box, db, client_id, row["scope"], row["event"])


def issue_tokens(box: Sandbox, db: sqlite3.Connection, client_id: str, scope: str, event: str) -> dict[str, Any]:
    """A token reply; the refresh token only with offline_access, the id token only with openid."""
    now = int(box.clock.seconds())
    access = _jwt(_access_claims(now, client_id, scope, event))
    db.execute(
        "INSERT INTO xero_access (digest, client_id, scope, event, expires) VALUES (?, ?, ?, ?, ?)",
        (_digest(access), client_id, scope, event, now + ACCESS_LIFE),
    )
    db.execute("DELETE FROM xero_access WHERE expires < ?", (now - 86_400,))
    reply: dict[str, Any] = {
        "access_token": access,
        "expires_in": ACCESS_LIFE,
        "token_type": "Bearer",
        "scope": scope,
    }
    if "offline_access" in scope.split():
        reply["refresh_token"] = secrets.token_urlsafe(32)
        db.execute(
            "INSERT INTO xero_refresh (token, client_id, scope, event, issued) VALUES (?, ?, ?, ?, ?)",
            (reply["refresh_token"], client_id, scope, event, box.clock.seconds()),
        )
    if "openid" in scope.split():
        reply["id_token"] = _jwt(_id_claims(now, client_id))
    return reply


def check_access(box: Sandbox, token: str) -> Access | Expired | None:
    """What a bearer token is worth; None when it was never issued here or was revoked."""
    with box.store.read() as db:
        row = db.execute("SELECT * FROM xero_access WHERE digest = ?", (_digest(token),)).fetchone()
    if row is None:
        return None
    if row["expires"] <= box.clock.seconds():
        return Expired(row["expires"])
    return Access(row["client_id"], frozenset(row["scope"].split()), row["event"])


def connections(box: Sandbox, client_id: str, event: str | None = None) -> list[sqlite3.Row]:
    """Live connections of an app, only those of one consent when given."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT * FROM xero_connection WHERE client_id = ? AND live = 1 AND (? IS NULL OR event = ?) "
            "ORDER BY created, id",
            (client_id, event, event),
        ).fetchall()
    return list(rows)


def is_connected(box: Sandbox, client_id: str, tenant: str) -> bool:
    """Whether the app may call this tenant."""
    with box.store.read() as db:
        row = db.execute(
            "SELECT 1 FROM xero_connection WHERE client_id = ? AND tenant = ? AND live = 1", (client_id, tenant)
        ).fetchone()
    return row is not None


def disconnect(box: Sandbox, client_id: str | None, tenant: str | None = None, connection: str | None = None) -> int:
    """End connections, of all apps when `client_id` is None; how many ended."""
    with box.store.write() as db:
        done = db.execute(
            "UPDATE xero_connection SET live = 0 WHERE live = 1 AND (? IS NULL OR client_id = ?) "
            "AND (? IS NULL OR tenant = ?) AND (? IS NULL OR id = ?)",
            (client_id, client_id, tenant, tenant, connection, connection),
        )
        return done.rowcount


def kill_tokens(box: Sandbox, client_id: str | None) -> None:
    """Every access and refresh token of an app (of all, when None) is worthless from now on."""
    with box.store.write() as db:
        for table in ("xero_refresh", "xero_access"):
            db.execute(f"DELETE FROM {table} WHERE ? IS NULL OR client_id = ?", (client_id, client_id))
        db.execute("UPDATE xero_app SET granted = '' WHERE ? IS NULL OR client_id = ?", (client_id, client_id))


def owner_of_refresh(box: Sandbox, token: str) -> str | None:
    """The app a refresh token was given to, or None."""
    with box.store.read() as db:
        row = db.execute("SELECT client_id FROM xero_refresh WHERE token = ?", (token,)).fetchone()
    return row["client_id"] if row else None


def _access_claims(now: int, client_id: str, scope: str, event: str) -> dict[str, Any]:
    return {
        "nbf": now,
        "exp": now + ACCESS_LIFE,
        "iss": "https://identity.xero.com",
        "aud": "https://identity.xero.com/resources",
        "client_id": client_id,
        "sub": USER_ID.replace("-", ""),
        "auth_time": now,
        "xero_userid": USER_ID,
        "global_session_id": secrets.token_hex(16),
        "jti": secrets.token_hex(16),
        "authentication_event_id": event,
        "scope": scope.split(),
    }


def _id_claims(now: int, client_id: str) -> dict[str, Any]:
    return {
        "nbf": now,
        "exp": now + 300,
        "iss": "https://identity.xero.com",
        "aud": client_id,
        "iat": now,
        "sub": USER_ID.replace("-", ""),
        "auth_time": now,
        "xero_userid": USER_ID,
        "preferred_username": USER["email"],
        **USER,
    }


def _jwt(claims: dict[str, Any]) -> str:
    """Three parts like a signed token; the signature is made up."""
    head = {"alg": "RS256", "kid": "SANDBOX", "typ": "JWT"}
    parts = [_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims)]
    return ".".join([*parts, _b64(secrets.token_bytes(256))])


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
