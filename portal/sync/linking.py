"""Links by exact name, fifty to a transaction; when one of the fifty fails, each is tried on its own.

A firm that connects its second app has most of its clients there already, so thousands are linked in one run. Linking
each in a transaction of its own takes several times as long, most of it spent on the search index and on commits.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import selectinload

from portal.db import db, lost_a_race
from portal.domain import links
from portal.domain.apps import ClientLink, Connection, Outcome, RunItem
from portal.domain.clients import Client
from portal.domain.matching import Match
from portal.domain.records import ClientRecord

if TYPE_CHECKING:
    from portal.sync.applying import Applier

log = logging.getLogger(__name__)

BATCH = 50
_ITEM = insert(RunItem.__table__)
Pair = tuple[ClientRecord, Match]


class NewLinks:
    """Collects the records to link and links them."""

    def __init__(self, applier: Applier) -> None:
        self.applier = applier
        self._waiting: list[Pair] = []

    def add(self, record: ClientRecord, match: Match) -> None:
        """`record` is the client matching names. The transaction of the session must have ended."""
        assert match.client_id is not None  # a LINK names its client
        self.applier.index.take(match.client_id, match.candidates[0].name, record.remote_id)
        self._waiting.append((record, match))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Link what waits. Raises OperationalError when the database itself is at fault."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            self._link_all(batch)
            return
        except OperationalError as error:
            db.session.rollback()
            if not lost_a_race(error):
                raise
        except Exception:  # whatever it is, each record now gets its own try and its own reason
            db.session.rollback()
            log.warning("run %s: a batch of links failed, trying them one by one", self.applier.run_id, exc_info=True)
        for record, match in batch:
            self.applier.link_alone(record, match)

    def _link_all(self, batch: list[Pair]) -> None:
        """All of these or none; one commit."""
        applier, context = self.applier, self.applier.context
        connection = db.session.get_one(Connection, context.connection.id)
        found = _clients([match.client_id for _record, match in batch])
        pairs = [(found[match.client_id], record, match.reason) for record, match in batch]
        made = links.link_all(pairs, connection, by=context.by, now=context.now, app=context.app)
        items: list[dict[str, Any]] = []
        for (client, record, reason), link in zip(pairs, made, strict=True):
            items += applier.meet(client, link, record, reason)
        applier.unlinked.came_in([record.remote_id for record, _match in batch])
        db.session.execute(_ITEM, items)
        db.session.commit()
        for outcome in (Outcome.LINKED, Outcome.CONFLICT):
            many = sum(item["outcome"] == outcome for item in items)
            if many:
                applier.watch.count(outcome, many)


def _clients(ids: list[int | None]) -> dict[int | None, Client]:
    """With all a plan looks at, in a few queries; their rows held, in an order others hold them in as well."""
    query = (
        select(Client)
        .where(Client.id.in_(ids))
        .order_by(Client.id)
        .options(
            selectinload(Client.contacts), selectinload(Client.groups),
            selectinload(Client.links).selectinload(ClientLink.connection),
        )
        .with_for_update()
    )  # fmt: skip
    return {client.id: client for client in db.session.scalars(query)}
