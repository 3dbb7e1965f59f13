"""Which person in a connected app is which user here (XPM-4): what lets partner and manager travel (XPM-13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection, ConnectionState, StaffLink
from portal.domain.people.models import User


class StaffTaken(Exception):
    """That person in the app is already linked to somebody else here; `holder` is who."""

    def __init__(self, holder: User) -> None:
        super().__init__(f"{holder.name} is already linked to this person")
        self.holder = holder


@dataclass(frozen=True)
class Choice:
    """A person of the app as the dropdown offers them. `holder` is the name of the other user who has them."""

    remote_id: str
    name: str
    email: str
    holder: str = ""


@dataclass(frozen=True)
class StaffLinking:
    """One connection's dropdown for one user: what is chosen, and what an equal email suggests."""

    connection: Connection
    choices: tuple[Choice, ...]
    chosen: str
    suggested: Choice | None


def linkings(user: User) -> list[StaffLinking]:
    """One for each connected account whose list of people we hold."""
    query = (
        select(Connection)
        .where(Connection.state.in_((ConnectionState.CONNECTED, ConnectionState.NEEDS_RECONNECT)))
        .order_by(Connection.app, Connection.account_name, Connection.id)
    )
    return [_linking(connection, user) for connection in db.session.scalars(query) if connection.reference.get("staff")]


def link_staff(
    user: User, connection: Connection, remote: Mapping[str, str], *, app: str, by: Actor, now: datetime
) -> StaffLink:
    """`remote` has remote_id, name and email; `app` is what the app is called. Raises `StaffTaken`.

    A user is one person per connection; an earlier one is let go.
    """
    taken = db.session.execute(
        select(StaffLink, User)
        .join(User, User.id == StaffLink.user_id)
        .where(StaffLink.connection_id == connection.id, StaffLink.remote_id == remote["remote_id"])
    ).first()
    if taken is not None and taken[0].user_id == user.id:
        return taken[0]
    if taken is not None:
        raise StaffTaken(taken[1])
    unlink_staff(user, connection, app=app, by=by, now=now)
    link = StaffLink(
        connection_id=connection.id,
        user_id=user.id,
        remote_id=remote["remote_id"],
        remote_name=remote["name"],
        remote_email=remote.get("email", ""),
    )
    db.session.add(link)
    db.session.flush()
    _record(Verb.STAFF_LINKED, user, link, app, by, now)
    return link


def unlink_staff(user: User, connection: Connection, *, app: str, by: Actor, now: datetime) -> bool:
    """Says whether there was a link."""
    link = db.session.scalar(
        select(StaffLink).where(StaffLink.connection_id == connection.id, StaffLink.user_id == user.id)
    )
    if link is None:
        return False
    db.session.delete(link)
    db.session.flush()
    _record(Verb.STAFF_UNLINKED, user, link, app, by, now)
    return True


def staff_of(connection: Connection) -> list[Choice]:
    """The people of the app as last read."""
    return [
        Choice(str(one["remote_id"]), one.get("name", ""), one.get("email", ""))
        for one in connection.reference.get("staff", [])
    ]


def linked_names(users: list[User]) -> dict[int, list[tuple[str, str]]]:
    """For the team list: user id -> (app, the person's name there)."""
    rows = db.session.execute(
        select(StaffLink.user_id, Connection.app, StaffLink.remote_name)
        .join(Connection, Connection.id == StaffLink.connection_id)
        .where(StaffLink.user_id.in_([user.id for user in users]))
        .order_by(Connection.app, Connection.id)
    )
    names: dict[int, list[tuple[str, str]]] = {}
    for user_id, app, name in rows:
        names.setdefault(user_id, []).append((app, name))
    return names


def _linking(connection: Connection, user: User) -> StaffLinking:
    held = db.session.execute(
        select(StaffLink.remote_id, StaffLink.remote_name, StaffLink.remote_email, User.id, User.name)
        .join(User, User.id == StaffLink.user_id)
        .where(StaffLink.connection_id == connection.id)
    ).all()
    holders = {row.remote_id: row.name for row in held if row.id != user.id}
    mine = next((row for row in held if row.id == user.id), None)
    choices = [
        Choice(one.remote_id, one.name, one.email, holders.get(one.remote_id, "")) for one in staff_of(connection)
    ]
    if mine is not None and all(one.remote_id != mine.remote_id for one in choices):
        choices.append(Choice(mine.remote_id, mine.remote_name, mine.remote_email))  # gone there, still linked here
    suggested = None
    if mine is None:
        suggested = next(
            (one for one in choices if one.email and one.email.strip().lower() == user.email and not one.holder), None
        )
    return StaffLinking(connection, tuple(choices), mine.remote_id if mine else "", suggested)


def _record(verb: Verb, user: User, link: StaffLink, app: str, by: Actor, now: datetime) -> None:
    activity.record(
        verb,
        by=by,
        now=now,
        connection_id=link.connection_id,
        about_user_id=user.id,
        user=user.name,
        person=link.remote_name,
        app=app,
    )
