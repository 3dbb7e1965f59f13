"""The look-ups matching needs, read from our tables once a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping

from sqlalchemy import select

from portal.db import db
from portal.domain import findings
from portal.domain.apps import ClientLink
from portal.domain.clients import Client
from portal.domain.matching import Candidate, Index
from portal.domain.records import RecordState
from portal.domain.unlinked import Held
from portal.sync.reading import Known


def build_index(
    connection_id: int, app: str, known: Mapping[str, Known], held: Mapping[str, Held],
    loose_names: Counter[str] | None = None, seen: Container[str] = frozenset(),
) -> Index:  # fmt: skip
    """Every client by name, who is linked to what, and what people have decided before.

    `loose_names` and `seen` come from the reading; the records of earlier runs that nobody is linked to (`held`) count
    as well, so that a second record of the same name is noticed whenever it turns up (M7).
    """
    index = Index(app, linked={remote_id: one.client_id for remote_id, one in known.items()})
    index.apart = findings.apart_pairs(connection_id)
    index.left_out = findings.left_out(connection_id)
    holds = ClientLink.__table__.alias()
    rows = db.session.execute(
        select(Client.id, Client.name, Client.near_key, holds.c.remote_id).outerjoin(
            holds, (holds.c.client_id == Client.id) & (holds.c.connection_id == connection_id)
        )
    )
    for client_id, name, near, remote_id in rows:
        index.add(Candidate(client_id, name, remote_id), near)
    index.add_loose_names((loose_names or Counter()).elements())
    index.add_loose_names(
        row.name for remote_id, row in held.items() if row.state == RecordState.ACTIVE and remote_id not in seen
    )
    return index
