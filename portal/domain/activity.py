"""What happened, to whom, by whom: facts stored once, prose made in one place.

An Activity is written in the same transaction as the change it tells of, and never edited or deleted (IN-21). Names are
kept as they were at the time, so history survives renames.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from string import Formatter
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import JsonValue, UtcDateTime, db
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS

if TYPE_CHECKING:
    from portal.domain.people import User


class Origin(StrEnum):
    SCREEN = "screen"
    CSV = "csv"
    APP = "app"
    SCHEDULE = "schedule"
    COMMAND = "command"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who or what is acting. `user_id` is None for everything that is not a person."""

    name: str
    origin: Origin
    user_id: int | None = None
    run_id: int | None = None

    @classmethod
    def person(cls, user: User, origin: Origin = Origin.SCREEN) -> Actor:
        return cls(user.name, origin, user.id)


SYSTEM = Actor("System", Origin.SYSTEM)


class Verb(StrEnum):
    CLIENT_CREATED = "client_created"
    CLIENT_IMPORTED = "client_imported"
    CLIENT_CHANGED = "client_changed"
    CLIENT_PULLED = "client_pulled"
    CLIENT_PUSHED = "client_pushed"
    CLIENT_PUSH_FAILED = "client_push_failed"
    SENDING_ASKED = "sending_asked"
    CREATION_ASKED = "creation_asked"
    CREATION_TAKEN_BACK = "creation_taken_back"
    CLIENT_CREATED_THERE = "client_created_there"
    CLIENT_NOT_CREATED = "client_not_created"
    CLIENT_ARCHIVED = "client_archived"
    CLIENT_UNARCHIVED = "client_unarchived"
    CONTACT_ADDED = "contact_added"
    CONTACT_CHANGED = "contact_changed"
    CONTACT_REMOVED = "contact_removed"
    DEFAULT_CONTACT_CHOSEN = "default_contact_chosen"
    CLIENT_LINKED = "client_linked"
    CLIENT_UNLINKED = "client_unlinked"
    LINK_BROKEN = "link_broken"
    LINK_MENDED = "link_mended"
    NAMES_ALIGNED = "names_aligned"
    TOLD_APART = "told_apart"
    CONFLICT_KEPT = "conflict_kept"
    CONFLICT_SWAPPED = "conflict_swapped"
    CONFLICT_DISMISSED = "conflict_dismissed"
    VALUE_CHOSEN = "value_chosen"
    OPTIONS_CHOSEN = "options_chosen"
    SENDING_TAKEN_BACK = "sending_taken_back"
    GROUP_CONTACT_CHOSEN = "group_contact_chosen"
    CSV_IMPORTED = "csv_imported"
    CSV_UNDONE = "csv_undone"
    APP_CONNECTED = "app_connected"
    APP_RECONNECTED = "app_reconnected"
    APP_DISCONNECTED = "app_disconnected"
    APP_LOST = "app_lost"
    APP_SETTINGS_CHANGED = "app_settings_changed"
    APP_CREDENTIALS_CHANGED = "app_credentials_changed"
    SYNC_ASKED = "sync_asked"
    SYNC_ENDED = "sync_ended"
    SYNC_HELD = "sync_held"
    SYNC_RELEASED = "sync_released"
    SYNC_CANCELLED = "sync_cancelled"
    SYNC_LONG = "sync_long"
    STAFF_LINKED = "staff_linked"
    STAFF_UNLINKED = "staff_unlinked"
    USER_CREATED = "user_created"
    USER_CHANGED = "user_changed"
    USER_DEACTIVATED = "user_deactivated"
    USER_REACTIVATED = "user_reactivated"
    PASSWORD_CHANGED = "password_changed"
    RESET_LINK_MADE = "reset_link_made"
    SECOND_FACTOR_ON = "second_factor_on"
    SECOND_FACTOR_OFF = "second_factor_off"
    SESSIONS_ENDED = "sessions_ended"
    FIRM_CHANGED = "firm_changed"
    KEYS_ROTATED = "keys_rotated"


# Facts named in braces are set in bold on screens. Every Verb has its sentence here and nowhere else.
SENTENCES: dict[Verb, str] = {
    Verb.CLIENT_CREATED: "{client} created",
    Verb.CLIENT_IMPORTED: "{client} imported from {app}",
    Verb.CLIENT_CHANGED: "{what} changed",
    Verb.CLIENT_PULLED: "{what} taken over from {app}",
    Verb.CLIENT_PUSHED: "{what} sent to {app}",
    Verb.CLIENT_PUSH_FAILED: "Changes could not be sent to {app}: {reason}",
    Verb.SENDING_ASKED: "{what} to be sent to {app}, whatever its settings say",
    Verb.CREATION_ASKED: "{client} is to be created in {app}",
    Verb.CREATION_TAKEN_BACK: "{client} is no longer to be created in {app}",
    Verb.CLIENT_CREATED_THERE: "{client} created in {app}",
    Verb.CLIENT_NOT_CREATED: "{client} was not created in {app}: {reason}",
    Verb.CLIENT_ARCHIVED: "{client} archived here; nothing was changed in connected apps",
    Verb.CLIENT_UNARCHIVED: "{client} brought back from the archive as {status}",
    Verb.CONTACT_ADDED: "Contact {contact} added",
    Verb.CONTACT_CHANGED: "Contact {contact}: {what} changed",
    Verb.CONTACT_REMOVED: "Contact {contact} removed here",
    Verb.DEFAULT_CONTACT_CHOSEN: "{contact} made the default contact",
    Verb.CLIENT_LINKED: "Linked to {record} in {app}: {reason}",
    Verb.CLIENT_UNLINKED: "Link to {record} in {app} removed",
    Verb.LINK_BROKEN: "Link to {record} in {app} is broken: {reason}",
    Verb.LINK_MENDED: "Link to {record} in {app} works again",
    Verb.NAMES_ALIGNED: "Name aligned with {app}: {old} became {new}",
    Verb.TOLD_APART: "{record} in {app} marked as a different client",
    Verb.CONFLICT_KEPT: "{field} was changed here and in {app}; {winner} won, the other value is kept",
    Verb.CONFLICT_SWAPPED: "{field} put back to {new} after a conflict with {app}",
    Verb.CONFLICT_DISMISSED: "Conflict over {field} with {app} settled as it stands",
    Verb.VALUE_CHOSEN: "{field}: {source} used {where}",
    Verb.SENDING_TAKEN_BACK: "{what} is not to be sent to {app} any more",
    Verb.OPTIONS_CHOSEN: "{what} of the client's invoices in {app} chosen",
    Verb.GROUP_CONTACT_CHOSEN: "{contact} chosen as primary contact of the group {group}",
    Verb.CSV_IMPORTED: "CSV file {file} imported: {created} created, {changed} changed",
    Verb.CSV_UNDONE: "Import of the CSV file {file} undone: {undone} of {rows} rows put back",
    Verb.APP_CONNECTED: "{app} connected to {account}",
    Verb.APP_RECONNECTED: "{app} connected again to {account}; every link was kept",
    Verb.APP_DISCONNECTED: "{app} disconnected from {account}; clients and history stay",
    Verb.APP_LOST: "Access to {account} in {app} ended: {reason}",
    Verb.APP_SETTINGS_CHANGED: "Settings of {app} changed: {what}",
    Verb.APP_CREDENTIALS_CHANGED: "App credentials for {app} changed",
    Verb.SYNC_ASKED: "{app}: {what} started",
    Verb.SYNC_ENDED: "{app} sync ended: {summary}",
    Verb.SYNC_HELD: "{app} sync held for a person: {reason}",
    Verb.SYNC_RELEASED: "{app} sync released although it was held: {reason}",
    Verb.SYNC_CANCELLED: "{app} sync stopped",
    Verb.SYNC_LONG: "{app} sync has been running for more than an hour",
    Verb.STAFF_LINKED: "{user} linked to {person} in {app}",
    Verb.STAFF_UNLINKED: "{user} no longer linked to {person} in {app}",
    Verb.USER_CREATED: "{user} added as {role}",
    Verb.USER_CHANGED: "{user}: {what} changed",
    Verb.USER_DEACTIVATED: "{user} switched off; all their sessions ended",
    Verb.USER_REACTIVATED: "{user} switched on again",
    Verb.PASSWORD_CHANGED: "Password of {user} changed",
    Verb.RESET_LINK_MADE: "Link to set a new password made for {user}",
    Verb.SECOND_FACTOR_ON: "Second factor switched on for {user}",
    Verb.SECOND_FACTOR_OFF: "Second factor switched off for {user}",
    Verb.SESSIONS_ENDED: "Sessions of {user} ended: {reason}",
    Verb.FIRM_CHANGED: "Firm settings changed: {what}",
    Verb.KEYS_ROTATED: "Encryption keys rotated; {count} secrets closed with the new key",
}


class Activity(db.Model):
    """One thing that happened. `facts` holds what its sentence needs, and `changes`: field, old, new."""

    __table_args__ = (
        Index("ix_activity_client", "client_id", "id"),
        Index("ix_activity_connection", "connection_id", "id"),
        Index("ix_activity_run", "run_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    verb: Mapped[Verb]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))
    about_user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    actor_name: Mapped[str]
    origin: Mapped[Origin]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("sync_run.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Each with `label`, `old` and `new`; empty when the verb has none."""
        return self.facts.get("changes", [])


def record(
    verb: Verb,
    *,
    by: Actor,
    now: datetime,
    client_id: int | None = None,
    connection_id: int | None = None,
    about_user_id: int | None = None,
    changes: list[dict[str, Any]] | None = None,
    **facts: Any,
) -> Activity:
    """Put one line on record, in the caller's transaction."""
    if changes:
        facts["changes"] = changes
    activity = Activity(
        at=now,
        verb=verb,
        client_id=client_id,
        connection_id=connection_id,
        about_user_id=about_user_id,
        actor_id=by.user_id,
        actor_name=by.name,
        origin=by.origin,
        run_id=by.run_id,
        facts=facts,
    )
    db.session.add(activity)
    return activity


def change(field: str, old: Any, new: Any, *, of_contact: bool = False) -> dict[str, Any]:
    """One changed field, as facts keep it."""
    label = (CONTACT_FIELDS if of_contact else CLIENT_FIELDS).get(field, field)
    return {"field": field, "label": label, "old": old, "new": new}


def field_names(changes: list[dict[str, Any]]) -> str:
    """'Phone', 'Phone and Fax', 'Phone, Fax and 2 more'."""
    labels = list(dict.fromkeys(one["label"] for one in changes))
    if len(labels) <= 1:
        return "".join(labels) or "Details"
    if len(labels) <= 3:
        return ", ".join(labels[:-1]) + " and " + labels[-1].lower()
    return ", ".join(labels[:2]) + f" and {len(labels) - 2} more"


def parts(activity: Activity) -> list[tuple[str, bool]]:
    """The sentence in pieces, each with whether it is to be set in bold."""
    pieces: list[tuple[str, bool]] = []
    for literal, name, _spec, _conversion in Formatter().parse(SENTENCES[Verb(activity.verb)]):
        if literal:
            pieces.append((literal, False))
        if name:
            pieces.append((str(activity.facts.get(name, "?")), True))
    return pieces


def sentence(activity: Activity) -> str:
    """What happened, as plain text."""
    return "".join(text for text, _bold in parts(activity))


PAGE = 50


def log(
    *, client_id: int | None = None, connection_id: int | None = None, before: int | None = None, limit: int = PAGE
) -> list[Activity]:
    """Newest first; `before` is the id of the last one shown. Gives one more than `limit` when there are more."""
    query = select(Activity).order_by(Activity.id.desc()).limit(limit + 1)
    if client_id is not None:
        query = query.where(Activity.client_id == client_id)
    if connection_id is not None:
        query = query.where(Activity.connection_id == connection_id)
    if before is not None:
        query = query.where(Activity.id < before)
    return list(db.session.scalars(query))
