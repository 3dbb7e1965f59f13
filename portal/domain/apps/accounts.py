"""An account of an app: our connection to it, its sign-in, the calls made to it, its people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import EncryptedText, JsonValue, UtcDateTime, db
from portal.domain.apps.states import ConnectionState, IllegalMove
from portal.domain.apps.ways import Ways, ways_of
from portal.domain.planning import PULL, Policy, goes_out


class TokenSet(db.Model):
    """One consent at a vendor. Several connections may share it; its tokens rotate under a lease."""

    id: Mapped[int] = mapped_column(primary_key=True)
    vendor: Mapped[str]
    client_id: Mapped[str]
    access_token: Mapped[str | None] = mapped_column(EncryptedText)
    refresh_token: Mapped[str | None] = mapped_column(EncryptedText)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    scope: Mapped[str] = mapped_column(default="")
    subject: Mapped[str] = mapped_column(default="")
    grant_event: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    lease_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VendorCredentials(db.Model):
    """The portal's own registration with a vendor, when an admin typed it in instead of the environment."""

    vendor: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    client_secret: Mapped[str] = mapped_column(EncryptedText)
    webhook_key: Mapped[str | None] = mapped_column(EncryptedText)  # what signs its webhooks; None: none known yet
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConsentAttempt(db.Model):
    """A sign-in at a vendor that a person has started: single use, bound to that person, short-lived."""

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str]
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    verifier: Mapped[str] = mapped_column(EncryptedText)
    reconnects_id: Mapped[int | None]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Connection(db.Model):
    """Our row for one account of one app."""

    __table_args__ = (
        UniqueConstraint("app", "account_id"),
        Index("ix_connection_app_state", "app", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    app: Mapped[str]
    state: Mapped[ConnectionState] = mapped_column(default=ConnectionState.CHOOSING)
    account_id: Mapped[str]
    account_name: Mapped[str]
    grant_id: Mapped[str] = mapped_column(default="")
    token_set_id: Mapped[int | None] = mapped_column(ForeignKey("token_set.id"))
    settings: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    # The vendor-side start of the last whole look, minus nothing: the margin is taken when it is used.
    cursor: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_full_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    imported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the first import finished; None before
    enabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    enabled_by: Mapped[str] = mapped_column(default="")
    state_reason: Mapped[str] = mapped_column(default="")
    state_changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reference: Mapped[dict[str, Any]] = mapped_column(
        JsonValue, default=dict
    )  # staff, categories, templates as last read

    token_set: Mapped[TokenSet | None] = relationship()

    _MOVES = {
        ConnectionState.CHOOSING: {ConnectionState.CONNECTED, ConnectionState.DISCONNECTED},
        ConnectionState.CONNECTED: {ConnectionState.NEEDS_RECONNECT, ConnectionState.DISCONNECTED},
        ConnectionState.NEEDS_RECONNECT: {ConnectionState.CONNECTED, ConnectionState.DISCONNECTED},
        ConnectionState.DISCONNECTED: {ConnectionState.CHOOSING, ConnectionState.CONNECTED},
    }

    def move_to(self, state: ConnectionState, *, now: datetime, reason: str = "") -> None:
        """Raises `IllegalMove`. Moving to the present state changes only the reason."""
        if state != self.state and state not in self._MOVES[ConnectionState(self.state)]:
            raise IllegalMove(f"a connection cannot go from {self.state} to {state}")
        if state != self.state:
            self.state_changed_at = now
        self.state = state
        self.state_reason = reason

    @property
    def is_usable(self) -> bool:
        return self.state == ConnectionState.CONNECTED

    @property
    def ways(self) -> Ways:
        return ways_of(self.app)

    @property
    def direction(self) -> str:
        """'both', 'from_app' or 'to_app' (behaviour reference XP-20)."""
        return str(self.setting("direction"))

    @property
    def level(self) -> str:
        """'everything', 'name' or 'nothing'."""
        return str(self.setting("level"))

    @property
    def intake(self) -> str:
        """'all': unknown records come in as new clients; 'chosen': they wait under Import.

        A connection that only sends, or syncs nothing, brings nobody in unless an admin has said so (XP-20).
        """
        if "intake" not in self.settings and (self.direction == "to_app" or self.level == "nothing"):
            return "chosen"
        return str(self.setting("intake"))

    @property
    def new_clients(self) -> str:
        """When a client made here is created there: 'at_once', 'first_invoice' or 'acceptance'."""
        return str(self.setting("new_clients"))

    def sends(self, fields: Iterable[str], contact_fields: Iterable[str] = ()) -> bool:
        """Whether changes made here to any of these fields go out by themselves over this connection (XP-20)."""
        ways = self.ways
        policy = Policy(ways.short_name, self.direction, self.level, writes=ways.writes)
        return any(goes_out(one, ways.client_fields.get(one, ""), policy) for one in fields) or any(
            goes_out(one, ways.contact_fields.get(one, ""), policy, of_contact=True) for one in contact_fields
        )

    def owns(self, fields: Iterable[str]) -> bool:
        """Whether the app's word counts for any of these fields: a change made here is put right by it."""
        if self.direction == "to_app" or self.level != "everything":
            return False
        return any(self.ways.client_fields.get(one) == PULL for one in fields)

    def setting(self, key: str) -> object:
        """As an admin chose it, or the app's default."""
        return self.settings.get(key, self.ways.defaults[key])


class CallWindow(db.Model):
    """Calls made to one account of a vendor: this minute's and this day's, shared by every process."""

    account: Mapped[str] = mapped_column(primary_key=True)  # "<vendor>:<account id>"
    recent: Mapped[list[float]] = mapped_column(JsonValue, default=list)  # when the last minute's calls ended
    day_started: Mapped[datetime | None] = mapped_column(UtcDateTime)
    day_calls: Mapped[int] = mapped_column(default=0)
    day_left: Mapped[int | None]  # what the vendor last said is left, less the calls since
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_why: Mapped[str] = mapped_column(default="")
    failures: Mapped[int] = mapped_column(default=0)  # in a row; opens the circuit


class CallSlot(db.Model):
    """One call under way to an account; as many rows as the vendor allows at once."""

    account: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    held_by: Mapped[str | None]
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffLink(db.Model):
    """Which person in an app is which user here."""

    __table_args__ = (
        UniqueConstraint("connection_id", "remote_id"),
        UniqueConstraint("connection_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(ForeignKey("connection.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    remote_id: Mapped[str]
    remote_name: Mapped[str]
    remote_email: Mapped[str] = mapped_column(default="")
