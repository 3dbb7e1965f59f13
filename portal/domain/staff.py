"""Which people of an app are which users here, held ready for a whole run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain.apps import Connection, StaffLink
from portal.domain.people import User
from portal.domain.records import StaffRef


@dataclass(frozen=True)
class Staff:
    """The links of one connection. Only active users count: others are nobody's partner or manager any more."""

    user_by_remote: dict[str, int]
    remote_by_user: dict[int, StaffRef]
    names: dict[int, str]

    def value(self, user_id: int | None) -> dict[str, Any] | None:
        """A user as plans compare people; an unlinked one gets an id no app can have."""
        if user_id is None:
            return None
        remote = self.remote_by_user.get(user_id)
        return {"id": remote.remote_id if remote else f"user:{user_id}", "name": self.names.get(user_id, "?")}

    def user_of(self, value: dict[str, Any] | None) -> int | None:
        return self.user_by_remote.get(value["id"]) if value else None

    def hold(self, role: str, here: int | None, there: StaffRef | None, app: str) -> str:
        """Why this person cannot travel (XPM-13); empty when nothing stands in the way."""
        if there is not None and there.remote_id not in self.user_by_remote:
            return f"{there.name or 'The ' + role} in {app} is not linked to a user here (Settings, Team)"
        if here is not None and here not in self.remote_by_user:
            return f"{self.names.get(here, 'The ' + role)} is not linked to a person in {app} (Settings, Team)"
        return ""


def staff_of(connection: Connection) -> Staff:
    rows = db.session.execute(
        select(StaffLink.user_id, StaffLink.remote_id, StaffLink.remote_name)
        .join(User, User.id == StaffLink.user_id)
        .where(StaffLink.connection_id == connection.id, User.is_active)
    ).all()
    names = {row.id: row.name for row in db.session.execute(select(User.id, User.name))}
    return Staff(
        user_by_remote={row.remote_id: row.user_id for row in rows},
        remote_by_user={row.user_id: StaffRef(row.remote_id, row.remote_name) for row in rows},
        names=names,
    )
