"""What happened, to whom, by whom: facts stored once, prose made in one place.

An Activity is written in the same transaction as the change it tells of, and never edited or deleted (IN-21). Names are
kept as they were at the time, so history survives renames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from string import Formatter
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import JsonValue, UtcDateTime, db
from portal.domain.activity.sentences import SENTENCES
from portal.domain.activity.verbs import Verb
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


class Activity(db.Model):
    """One thing that happened. `facts` holds what its sentence needs, and `changes`: field, old, new."""

    __table_args__ = (
        Index("ix_activity_client", "client_id", "id"),
        Index("ix_activity_connection", "connection_id", "id"),
        Index("ix_activity_run", "run_id", "id"),
        Index("ix_activity_invoice", "invoice_id", "id"),
        Index("ix_activity_proposal", "proposal_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    verb: Mapped[Verb]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("connection.id"))
    about_user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
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
    invoice_id: int | None = None,
    proposal_id: int | None = None,
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
        invoice_id=invoice_id,
        proposal_id=proposal_id,
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


# Facts that hold amounts, as `money.said` writes them: whoever shows a line writes them in the reader's formats.
WITH_AMOUNTS = ("amount", "left", "how", "reason")


def parts(activity: Activity, amounts: Callable[[str], str] = str) -> list[tuple[str, bool]]:
    """The sentence in pieces, each with whether it is to be set in bold. `amounts` writes those in a text anew."""
    pieces: list[tuple[str, bool]] = []
    for literal, name, _spec, _conversion in Formatter().parse(SENTENCES[Verb(activity.verb)]):
        if literal:
            pieces.append((literal, False))
        if name:
            held = str(activity.facts.get(name, "?"))
            pieces.append((amounts(held) if name in WITH_AMOUNTS else held, True))
    return pieces


def sentence(activity: Activity) -> str:
    """What happened, as plain text."""
    return "".join(text for text, _bold in parts(activity))


PAGE = 50


def log(
    *,
    client_id: int | None = None,
    connection_id: int | None = None,
    invoice_id: int | None = None,
    proposal_id: int | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[Activity]:
    """Newest first; `before` is the id of the last one shown. Gives one more than `limit` when there are more."""
    query = select(Activity).order_by(Activity.id.desc()).limit(limit + 1)
    if client_id is not None:
        query = query.where(Activity.client_id == client_id)
    if connection_id is not None:
        query = query.where(Activity.connection_id == connection_id)
    if invoice_id is not None:
        query = query.where(Activity.invoice_id == invoice_id)
    if proposal_id is not None:
        query = query.where(Activity.proposal_id == proposal_id)
    if before is not None:
        query = query.where(Activity.id < before)
    return list(db.session.scalars(query))
