"""The life of a connection: offered after a sign-in at the vendor, enabled by a person, lost, mended, disconnected.

The one invariant: a connection stands for one account of one app for ever. Signing in to another account makes another
connection; links are never carried over between the two (AP-06).

`app` is the app's name as screens say it; this layer knows only its slug.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal, select, update

from portal.db import db
from portal.domain import activity, nights
from portal.domain.activity import Actor, Verb
from portal.domain.apps import (
    ClientLink,
    Connection,
    ConnectionState,
    LinkState,
    OutgoingClient,
    OutgoingState,
    PushState,
    RunState,
    StaffLink,
    SyncRun,
    TokenSet,
    VendorCredentials,
    ways_of,
)
from portal.domain.people import Role, User, the_firm
from portal.domain.records import AccountRecord

CAP = 1001  # counts of links stop here; beyond, screens say "1,000+"

DIRECTIONS = {
    "both": "Both ways: the later change wins",
    "from_app": "Only from the app to here",
    "to_app": "Only from here to the app",
}
LEVELS = {
    "everything": "All fields",
    "name": "Only the client's name",
    "nothing": "Nothing: links stay, no field travels",
}
INTAKES = {
    "all": "Every current client comes in by itself",
    "chosen": "Only those chosen under Import",
}
NEW_CLIENTS = {
    "at_once": "At once, when it is made here",
    "first_invoice": "With its first invoice",
    "acceptance": "When its first proposal is accepted",
}
WORDS: dict[str, dict[Any, str]] = {
    "direction": DIRECTIONS, "level": LEVELS, "intake": INTAKES, "new_clients": NEW_CLIENTS,
    "nightly": {True: "on", False: "paused"},
}  # fmt: skip
LABELS = {
    "direction": "Direction", "level": "What is kept in step", "intake": "Clients nobody here is linked to",
    "new_clients": "When a new client goes out", "nightly": "Sync by itself",
}  # fmt: skip


class AnotherAccount(Exception):
    """A sign-in meant to mend one connection reached other accounts only; nothing was changed."""

    def __init__(self, connection: Connection, reached: list[AccountRecord]) -> None:
        super().__init__(f"the sign-in did not reach {connection.account_name}")
        self.connection = connection
        self.reached = reached


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A person as the app lists them, and who that is here; None: nobody yet."""

    remote_id: str
    name: str
    email: str
    user: User | None


def get(connection_id: int, *, lock: bool = False) -> Connection | None:
    query = select(Connection).where(Connection.id == connection_id)
    return db.session.scalar(query.with_for_update() if lock else query)


def of_app(slug: str) -> list[Connection]:
    """Every connection of an app that is in use or waits to be, by the name of its account."""
    return list(
        db.session.scalars(
            select(Connection)
            .where(Connection.app == slug, Connection.state != ConnectionState.DISCONNECTED)
            .order_by(Connection.account_name, Connection.id)
        )
    )


def label(connection: Connection) -> str:
    """How sentences name it: the app, and which account where the app has several (fault row 38)."""
    short = ways_of(connection.app).short_name
    others = exists().where(
        Connection.app == connection.app, Connection.id != connection.id, Connection.enabled_at.is_not(None)
    )
    return f"{short} ({connection.account_name})" if db.session.scalar(select(others)) else short


def sharing_sign_in(connection: Connection) -> list[Connection]:
    """Other connections that live by the same sign-in: apps of one vendor, accounts of one app."""
    if connection.token_set_id is None:
        return []
    query = select(Connection).where(
        Connection.token_set_id == connection.token_set_id, Connection.id != connection.id, in_use()
    )
    return list(db.session.scalars(query.order_by(Connection.app, Connection.account_name)))


def in_use() -> ColumnElement[bool]:
    """The condition that a connection was enabled and not given up since."""
    return Connection.state.in_((ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT))


def offered(slug: str) -> list[Connection]:
    """Accounts a sign-in reached that nobody has enabled yet."""
    return [one for one in of_app(slug) if one.state == ConnectionState.CHOOSING]


def earlier(connection: Connection) -> list[Connection]:
    """Other accounts of this app that are or were connected: their links stay theirs (AP-06)."""
    return list(
        db.session.scalars(
            select(Connection)
            .where(Connection.app == connection.app, Connection.id != connection.id, Connection.enabled_at.is_not(None))
            .order_by(Connection.account_name)
        )
    )


def linked(connection: Connection) -> int:
    """How many clients are linked, counted up to `CAP`."""
    return _capped(ClientLink.connection_id == connection.id)


def waiting_to_be_sent(connection: Connection) -> int:
    """How many records wait for their changes to be sent, counted up to `CAP`."""
    return _capped(
        ClientLink.connection_id == connection.id,
        ClientLink.push_state.in_((PushState.READY, PushState.SENDING, PushState.FAILED)),
        ClientLink.state == LinkState.LINKED,
    )


def staff(connection: Connection) -> list[StaffRow]:
    """The app's people as last read, each with the user here they are linked to."""
    query = (
        select(StaffLink.remote_id, User)
        .join(User, User.id == StaffLink.user_id)
        .where(StaffLink.connection_id == connection.id)
    )
    linked_users = {row.remote_id: row.User for row in db.session.execute(query)}
    return [
        StaffRow(one["remote_id"], one["name"], one.get("email", ""), linked_users.get(one["remote_id"]))
        for one in connection.reference.get("staff", [])
    ]


def admins() -> list[str]:
    """Whom to ask: the names of those who may manage apps."""
    return list(
        db.session.scalars(select(User.name).where(User.role == Role.ADMIN, User.is_active).order_by(User.name))
    )


def credentials_kept(vendor: str) -> VendorCredentials | None:
    """What an admin typed in, if anybody did."""
    return db.session.get(VendorCredentials, vendor)


def keep_credentials(vendor: str, client_id: str, secret: str, *, app: str, by: Actor, now: datetime) -> None:
    """The portal's own registration with a vendor. An empty secret keeps the one there is."""
    kept = credentials_kept(vendor)
    if kept is None:
        kept = VendorCredentials(vendor=vendor)
        db.session.add(kept)
    kept.client_id = client_id
    if secret:
        kept.client_secret = secret
    kept.changed_at = now
    activity.record(Verb.APP_CREDENTIALS_CHANGED, by=by, now=now, app=app)


def offer(app_slug: str, account: AccountRecord, tokens: TokenSet, *, now: datetime) -> Connection:
    """Show an account a sign-in has reached. One in use is left as it is, one disconnected earlier may come back.

    Nothing is synced before a person enables it, so this alone leaves no Activity.
    """
    connection = db.session.scalar(
        select(Connection).where(Connection.app == app_slug, Connection.account_id == account.remote_id)
    )
    if connection is None:
        connection = Connection(
            app=app_slug, account_id=account.remote_id, account_name=account.name, state_changed_at=now, settings={}
        )
        connection.state = ConnectionState.CHOOSING
        db.session.add(connection)
    elif connection.state == ConnectionState.DISCONNECTED:
        connection.move_to(ConnectionState.CHOOSING, now=now)
    elif connection.state != ConnectionState.CHOOSING:
        return connection
    connection.account_name = account.name
    connection.grant_id = account.grant_id
    connection.token_set = tokens
    db.session.flush()
    return connection


def enable(connection: Connection, settings: Mapping[str, Any], *, app: str, by: Actor, now: datetime) -> None:
    """A person has seen which account it is and how it is to be kept in step (AP-04, AP-05).

    Raises `IllegalMove` when it is not waiting for that.
    """
    came_back = connection.enabled_at is not None
    connection.move_to(ConnectionState.CONNECTED, now=now)
    connection.settings = _settled(connection, settings)
    connection.enabled_at = now
    connection.enabled_by = by.name
    verb = Verb.APP_RECONNECTED if came_back else Verb.APP_CONNECTED
    activity.record(verb, by=by, now=now, connection_id=connection.id, app=app, account=connection.account_name)


def reconnect(
    connection: Connection, account: AccountRecord, tokens: TokenSet, *, app: str, by: Actor, now: datetime
) -> None:
    """The same account signed in to again: every link, agreed value and waiting change is kept (AP-06).

    Raises `AnotherAccount` when it is not the same, `IllegalMove` when the connection was disconnected.
    """
    if account.remote_id != connection.account_id:
        raise AnotherAccount(connection, [account])
    old = connection.token_set
    connection.move_to(ConnectionState.CONNECTED, now=now)
    connection.account_name = account.name
    connection.grant_id = account.grant_id
    connection.token_set = tokens
    db.session.flush()
    if old is not None and old is not tokens:
        drop_tokens(old)
    db.session.execute(  # what waited for this goes out now, not when its last wait would have ended
        update(ClientLink)
        .where(ClientLink.connection_id == connection.id, ClientLink.push_state == PushState.READY)
        .values(push_next_at=now)
    )
    db.session.execute(
        update(OutgoingClient)
        .where(OutgoingClient.connection_id == connection.id, OutgoingClient.state == OutgoingState.READY)
        .values(next_at=now)
    )
    activity.record(
        Verb.APP_RECONNECTED, by=by, now=now, connection_id=connection.id, app=app, account=connection.account_name
    )


def lost(connection: Connection, reason: str, *, app: str, by: Actor, now: datetime) -> bool:
    """Access has ended; only a person can mend it. What waits to be sent goes on waiting.

    Says whether this is news: the same loss, met by several calls at once, is told once (fault row 35).
    """
    if connection.state != ConnectionState.CONNECTED:
        return False
    connection.move_to(ConnectionState.NEEDS_RECONNECT, now=now, reason=reason)
    activity.record(
        Verb.APP_LOST, by=by, now=now, connection_id=connection.id,
        app=app, account=connection.account_name, reason=reason,
    )  # fmt: skip
    return True


def disconnect(connection: Connection, *, app: str, by: Actor, now: datetime) -> bool:
    """Syncs and sending stop, the sign-in is deleted; clients, links and history stay (AP-08).

    False when it was disconnected before. An open run is asked to stop.
    """
    if connection.state == ConnectionState.DISCONNECTED:
        return False
    was_in_use = connection.state != ConnectionState.CHOOSING
    tokens = connection.token_set
    connection.move_to(ConnectionState.DISCONNECTED, now=now)
    connection.token_set = None
    connection.grant_id = ""
    db.session.flush()
    if tokens is not None:
        drop_tokens(tokens)
    db.session.execute(
        update(SyncRun)
        .where(SyncRun.connection_id == connection.id, SyncRun.state.in_((RunState.QUEUED, RunState.RUNNING)))
        .values(cancel_asked=True)
    )
    if was_in_use:
        activity.record(
            Verb.APP_DISCONNECTED, by=by, now=now, connection_id=connection.id, app=app, account=connection.account_name
        )
    return True


def change_settings(connection: Connection, wanted: Mapping[str, Any], *, app: str, by: Actor, now: datetime) -> bool:
    """What an admin may choose of this app (see `LABELS`; XP-20). Says whether anything changed.

    Raises ValueError for a value the app does not offer.
    """
    before = {key: connection.setting(key) for key in WORDS}
    settled = _settled(connection, wanted)
    after = {**connection.ways.defaults, **settled}
    changes = [_changed(key, before[key], after[key]) for key in WORDS if before[key] != after[key]]
    if not changes:
        return False
    connection.settings = settled
    activity.record(
        Verb.APP_SETTINGS_CHANGED, by=by, now=now, connection_id=connection.id,
        app=app, account=connection.account_name, what=activity.field_names(changes), changes=changes,
    )  # fmt: skip
    return True


def _changed(key: str, old: Any, new: Any) -> dict[str, Any]:
    return {"field": key, "label": LABELS[key], "old": setting_words(key, old), "new": setting_words(key, new)}


def setting_words(key: str, value: Any) -> str:
    """A setting as a person reads it."""
    return WORDS[key][value]


def runs_at_night(connection: Connection) -> bool:
    return bool(connection.setting("nightly"))


def next_sync(connection: Connection, now: datetime) -> datetime | None:
    """When it is next synced by itself, in UTC; None while it is paused or has no access."""
    if not connection.is_usable or not runs_at_night(connection):
        return None
    every = connection.ways.sync_every
    if every is not None:
        return nights.slot_start(now, every) + every
    firm = the_firm()
    return nights.next_start(now, firm.time_zone) if firm is not None else None


def _settled(connection: Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the wanted ones in; raises ValueError for one this app does not offer."""
    ways = connection.ways
    settings = dict(connection.settings)
    for key in WORDS:
        if key in wanted and wanted[key] is not None:
            if wanted[key] not in ways.allowed(key):
                raise ValueError("a connection was to be set to something it cannot be set to")
            settings[key] = wanted[key]
    return settings


def drop_tokens(tokens: TokenSet) -> None:
    """Delete a sign-in, unless another connection lives by it."""
    if not db.session.scalar(select(exists().where(Connection.token_set_id == tokens.id))):
        db.session.delete(tokens)
        db.session.flush()


def _capped(*conditions: ColumnElement[bool]) -> int:
    rows = select(literal(1)).select_from(ClientLink).where(*conditions).limit(CAP).subquery()
    return db.session.scalar(select(func.count()).select_from(rows)) or 0


def keep_webhook_key(vendor: str, key: str, *, app: str, by: Actor, now: datetime) -> None:
    """What the vendor signs its webhooks with, kept encrypted beside the portal's registration."""
    kept = credentials_kept(vendor)
    if kept is None:
        kept = VendorCredentials(vendor=vendor, client_id="", client_secret="", changed_at=now)
        db.session.add(kept)
    kept.webhook_key = key
    activity.record(Verb.WEBHOOK_KEY_CHANGED, by=by, now=now, app=app)
