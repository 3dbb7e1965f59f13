"""Consents and tokens of QuickBooks Online. One authorization is for one company. Times are seconds by the sandbox's
clock.

A refresh token lives 101 days from its last use. Its value changes (at every use, or about once a day), and the old
value is worthless at once unless the switch gives it some hours.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from portal.sandbox.context import Sandbox

CODE_LIFE, ACCESS_LIFE, REFRESH_LIFE, HARD_LIFE, A_DAY = 300, 3600, 8_726_400, 5 * 365 * 86_400, 86_400
DEFAULT_CLIENT, DEFAULT_SECRET = "counterpart-sandbox", "sandbox-secret"
ACCOUNTING = "com.intuit.quickbooks.accounting"
SCOPES = (ACCOUNTING, "com.intuit.quickbooks.payment", "openid", "profile", "email", "phone", "address")
USER = {
    "sub": "5d1c7a52-8f0e-4f0b-a1d3-2f7b9c3e1d64",
    "email": "jo@marlow.example",
    "emailVerified": True,
    "givenName": "Jo",
    "familyName": "Partner",
    "phoneNumber": "+64 7 555 0118",
    "phoneNumberVerified": False,
    "address": {
        "streetAddress": "18 Kauri Lane",
        "locality": "Hamilton",
        "region": "Waikato",
        "postalCode": "3204",
        "country": "NZ",
    },
}
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS qbo_app (client_id TEXT PRIMARY KEY, secret TEXT NOT NULL, redirects TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS qbo_grant (
        id INTEGER PRIMARY KEY, client_id TEXT NOT NULL, realm TEXT NOT NULL, scope TEXT NOT NULL, made REAL NOT NULL,
        live INTEGER NOT NULL DEFAULT 1)""",
    """CREATE TABLE IF NOT EXISTS qbo_code (
        code TEXT PRIMARY KEY, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL, scope TEXT NOT NULL,
        realm TEXT NOT NULL, issued REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS qbo_refresh (
        token TEXT PRIMARY KEY, "grant" INTEGER NOT NULL, born REAL NOT NULL, used REAL NOT NULL, replaced REAL)""",
    """CREATE TABLE IF NOT EXISTS qbo_access (
        digest TEXT PRIMARY KEY, "grant" INTEGER NOT NULL, expires REAL NOT NULL)""",
)
TABLES = ("app", "grant", "code", "refresh", "access")


class GrantRefused(Exception):
    """An OAuth error with its description."""

    def __init__(self, error: str = "invalid_grant", about: str = "Incorrect or invalid refresh token") -> None:
        super().__init__(error)
        self.error, self.about = error, about


@dataclass(frozen=True)
class Access:
    """A known access token. `expired` ones are told so; `live` says whether the company is still connected."""

    client_id: str
    realm: str
    scopes: frozenset[str]
    expired: bool
    live: bool


def register(box: Sandbox, client_id: str, secret: str, redirects: list[str]) -> None:
    """Add an app, or give an existing one a new secret and redirects."""
    with box.store.write() as db:
        db.execute("INSERT OR REPLACE INTO qbo_app VALUES (?, ?, ?)", (client_id, secret, json.dumps(redirects)))


def app_named(box: Sandbox, client_id: str) -> sqlite3.Row | None:
    """The registered app, or None."""
    with box.store.read() as db:
        row: sqlite3.Row | None = db.execute("SELECT * FROM qbo_app WHERE client_id = ?", (client_id,)).fetchone()
    return row


def issue_code(box: Sandbox, client_id: str, redirect: str, scope: str, realm: str) -> str:
    """A single-use code, good for five minutes."""
    code = f"XAB1{secrets.token_hex(20)}"
    with box.store.write() as db:
        db.execute(
            "INSERT INTO qbo_code (code, client_id, redirect_uri, scope, realm, issued) VALUES (?, ?, ?, ?, ?, ?)",
            (code, client_id, redirect, scope, realm, box.clock.seconds()),
        )
    return code


def spend_code(box: Sandbox, client_id: str, code: str, redirect: str) -> tuple[dict[str, Any], str, str]:
    """(token reply, realm, scope) for a code; raises GrantRefused."""
    with box.store.write() as db:
        row = db.execute("SELECT * FROM qbo_code WHERE code = ? AND client_id = ?", (code, client_id)).fetchone()
        stale = row is None or row["used"] or box.clock.seconds() - row["issued"] > CODE_LIFE
        if stale or row["redirect_uri"] != redirect:
            raise GrantRefused(about="Invalid authorization code")
        db.execute("UPDATE qbo_code SET used = 1 WHERE code = ?", (code,))
        return start_grant(box, db, client_id, row["realm"], row["scope"]), row["realm"], row["scope"]


def start_grant(box: Sandbox, db: sqlite3.Connection, client_id: str, realm: str, scope: str) -> dict[str, Any]:
    """A person has connected a company: the first tokens."""
    now = box.clock.seconds()
    made = db.execute(
        "INSERT INTO qbo_grant (client_id, realm, scope, made) VALUES (?, ?, ?, ?)", (client_id, realm, scope, now)
    )
    return _tokens(box, db, int(made.lastrowid or 0), _new_refresh(db, int(made.lastrowid or 0), now))


def refresh(box: Sandbox, client_id: str, token: str) -> tuple[dict[str, Any], float]:
    """(token reply, when the grant was made) for a refresh token; raises GrantRefused."""
    now = box.clock.seconds()
    with box.store.write() as db:
        row = db.execute(
            'SELECT r.*, g.made, g.live FROM qbo_refresh r JOIN qbo_grant g ON g.id = r."grant"'
            " WHERE r.token = ? AND g.client_id = ?",
            (token, client_id),
        ).fetchone()
        if row is None or not row["live"] or now - row["used"] > REFRESH_LIFE or now - row["made"] > HARD_LIFE:
            raise GrantRefused
        if row["replaced"] is not None:
            return _by_old_value(box, db, row, now), row["made"]
        value = token
        if box.switches["quickbooks_rotate_every_refresh"] or now - row["born"] >= A_DAY:
            db.execute("UPDATE qbo_refresh SET replaced = ? WHERE token = ?", (now, token))
            value = _new_refresh(db, row["grant"], now)
        else:
            db.execute("UPDATE qbo_refresh SET used = ? WHERE token = ?", (now, token))
        return _tokens(box, db, row["grant"], value), row["made"]


def check_access(box: Sandbox, token: str) -> Access | None:
    """What a bearer token is worth; None when it was never issued here or was revoked."""
    with box.store.read() as db:
        row = db.execute(
            'SELECT a.expires, g.* FROM qbo_access a JOIN qbo_grant g ON g.id = a."grant" WHERE a.digest = ?',
            (_digest(token),),
        ).fetchone()
    if row is None:
        return None
    expired = row["expires"] <= box.clock.seconds()
    return Access(row["client_id"], row["realm"], frozenset(row["scope"].split()), expired, bool(row["live"]))


def revoke(box: Sandbox, client_id: str, token: str) -> bool:
    """The app gives its access back, by either token; whether the token was one."""
    with box.store.write() as db:
        row = db.execute(
            'SELECT g.id FROM qbo_grant g WHERE g.client_id = ? AND g.live = 1 AND g.id IN (SELECT "grant" FROM'
            ' qbo_refresh WHERE token = ? AND replaced IS NULL UNION SELECT "grant" FROM qbo_access WHERE digest = ?)',
            (client_id, token, _digest(token)),
        ).fetchone()
        if row is None:
            return False
        _end(db, row["id"])
    return True


def disconnect(box: Sandbox, realm: str | None) -> int:
    """The customer disconnects the app from a company (from all, when None): refreshing fails, calls answer 403."""
    with box.store.write() as db:
        done = db.execute("UPDATE qbo_grant SET live = 0 WHERE live = 1 AND (? IS NULL OR realm = ?)", (realm, realm))
        return done.rowcount


def wipe(box: Sandbox) -> None:
    """Forget every consent, token and registered app but the standard one."""
    with box.store.write() as db:
        for table in TABLES:
            db.execute(f"DELETE FROM qbo_{table}")
    register(box, DEFAULT_CLIENT, DEFAULT_SECRET, [])


def _by_old_value(box: Sandbox, db: sqlite3.Connection, row: sqlite3.Row, now: float) -> dict[str, Any]:
    """An old value that still works gives the present one again."""
    hours = int(box.switches["quickbooks_old_refresh_hours"])
    if now - row["replaced"] >= hours * 3600:
        raise GrantRefused
    present = db.execute(
        'SELECT token FROM qbo_refresh WHERE "grant" = ? AND replaced IS NULL', (row["grant"],)
    ).fetchone()
    return _tokens(box, db, row["grant"], present["token"])


def _new_refresh(db: sqlite3.Connection, grant: int, now: float) -> str:
    value = f"RT1-{secrets.randbelow(400)}-H0-{int(now) + REFRESH_LIFE}{secrets.token_hex(10)}"
    db.execute('INSERT INTO qbo_refresh (token, "grant", born, used) VALUES (?, ?, ?, ?)', (value, grant, now, now))
    return value


def _tokens(box: Sandbox, db: sqlite3.Connection, grant: int, refresh_token: str) -> dict[str, Any]:
    now = box.clock.seconds()
    access = f"eyJhbGciOiJkaXIi..{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(360)}.{secrets.token_urlsafe(16)}"
    db.execute("DELETE FROM qbo_access WHERE expires < ?", (now - A_DAY,))
    db.execute("INSERT INTO qbo_access VALUES (?, ?, ?)", (_digest(access), grant, now + ACCESS_LIFE))
    return {
        "x_refresh_token_expires_in": REFRESH_LIFE,
        "refresh_token": refresh_token,
        "access_token": access,
        "token_type": "bearer",
        "expires_in": ACCESS_LIFE,
    }


def _end(db: sqlite3.Connection, grant: int) -> None:
    db.execute("UPDATE qbo_grant SET live = 0 WHERE id = ?", (grant,))
    for table in ("refresh", "access"):
        db.execute(f'DELETE FROM qbo_{table} WHERE "grant" = ?', (grant,))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
