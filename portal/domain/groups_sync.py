"""Groups as an app has them, copied here: made when first seen, renamed when renamed there (XPM-7, CL-60)."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from portal.db import db
from portal.domain.clients import ClientGroup, Group
from portal.domain.records import GroupRef


def group_id(connection_id: int, group: GroupRef) -> int:
    """The id of our copy; made or renamed as needed."""
    row = db.session.execute(
        select(Group.id, Group.name).where(Group.connection_id == connection_id, Group.remote_id == group.remote_id)
    ).first()
    if row is None:
        made = Group(connection_id=connection_id, remote_id=group.remote_id, name=group.name)
        db.session.add(made)
        db.session.flush()
        return made.id
    if row.name != group.name:
        db.session.get_one(Group, row.id).name = group.name
    return row.id


def set_groups(client_id: int, connection_id: int, groups: tuple[GroupRef, ...]) -> None:
    """Make the client a member of exactly these groups of this connection."""
    wanted = {group_id(connection_id, group) for group in groups}
    mine = select(Group.id).where(Group.connection_id == connection_id)
    present = set(
        db.session.scalars(
            select(ClientGroup.group_id).where(ClientGroup.client_id == client_id, ClientGroup.group_id.in_(mine))
        )
    )
    if present - wanted:
        db.session.execute(
            delete(ClientGroup).where(ClientGroup.client_id == client_id, ClientGroup.group_id.in_(present - wanted))
        )
    if wanted - present:
        db.session.execute(insert(ClientGroup), [{"client_id": client_id, "group_id": one} for one in wanted - present])
