"""The tables of the firm and its people, and which role may do what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import EncryptedText, JsonValue, UtcDateTime, db


class Role(StrEnum):
    ADMIN = "admin"
    MEMBER = "member"
    SUPPORT = "support"


class May(StrEnum):
    """What a person may be allowed to do. The table below is the only place that says who."""

    SEE_CLIENTS = "see clients"
    EDIT_CLIENTS = "edit clients"
    IMPORT_CLIENTS = "import clients"
    SEE_APPS = "see apps"
    RUN_SYNCS = "run syncs"
    SETTLE_MATCHES = "settle matches"
    MANAGE_APPS = "manage apps"
    MANAGE_SETTINGS = "manage settings"
    MANAGE_TEAM = "manage team"
    SEE_PROPOSALS = "see proposals"
    EDIT_PROPOSALS = "edit proposals"
    MANAGE_SERVICES = "manage the service library"
    SEE_INVOICES = "see invoices"
    INVOICE_CLIENTS = "invoice clients"
    SETTLE_INVOICES = "mark invoices as paid and void them"
    MEND_DELIVERIES = "mend what did not reach a ledger"


ALLOWED: dict[Role, frozenset[May]] = {
    Role.ADMIN: frozenset(May),
    Role.MEMBER: frozenset(
        {
            May.SEE_CLIENTS,
            May.EDIT_CLIENTS,
            May.IMPORT_CLIENTS,
            May.SEE_PROPOSALS,
            May.EDIT_PROPOSALS,
            May.SEE_INVOICES,
            May.INVOICE_CLIENTS,
            May.MEND_DELIVERIES,
        }
    ),
    Role.SUPPORT: frozenset(
        {
            May.SEE_CLIENTS,
            May.SEE_APPS,
            May.RUN_SYNCS,
            May.SETTLE_MATCHES,
            May.SEE_PROPOSALS,
            May.SEE_INVOICES,
            May.MEND_DELIVERIES,
        }
    ),
}


class Firm(db.Model):
    """The one firm this portal serves. `key_check` proves at start that the encryption keys fit."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    country: Mapped[str] = mapped_column(default="NZ")  # ISO 3166 two letters
    currency: Mapped[str] = mapped_column(default="NZD")  # ISO 4217
    time_zone: Mapped[str] = mapped_column(default="Pacific/Auckland")  # IANA name
    locale: Mapped[str] = mapped_column(default="en_NZ")
    key_check: Mapped[str | None] = mapped_column(EncryptedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)


class User(db.Model):
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]  # lower case
    role: Mapped[Role] = mapped_column(default=Role.MEMBER)
    is_active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None]  # None: signs in by single sign-on only, or has not set one yet
    password_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_secret: Mapped[str | None] = mapped_column(EncryptedText)
    totp_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: not confirmed, not asked for
    totp_last_step: Mapped[int | None]  # the last 30-second step whose code was used
    sso_subject: Mapped[str | None]
    preferences: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def may(self, what: May) -> bool:
        return self.is_active and what in ALLOWED[Role(self.role)]


class SignIn(db.Model):
    """One signed-in browser. The cookie holds a random token; here stands its hash."""

    __table_args__ = (UniqueConstraint("token_hash"), Index("ix_sign_in_user_id", "user_id", "ended_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    token_hash: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")
    browser: Mapped[str] = mapped_column(default="")
    way: Mapped[str] = mapped_column(default="password")  # password, password and code, single sign-on

    user: Mapped[User] = relationship()


class SignInAttempt(db.Model):
    """A failed try to sign in, kept for throttling by account and by address."""

    __table_args__ = (
        Index("ix_sign_in_attempt_email", "email", "at"),
        Index("ix_sign_in_attempt_address", "address", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ResetLink(db.Model):
    """A one-time link with which a person sets a password; made by an admin or on the command line."""

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()
