"""Finding a record of an app by part of its name, for a person who maps by hand (CL-30, CL-34).

Every record is known here once a sync has run: it is linked, or it is kept among those nobody is linked to. So nothing
is asked of the vendor, and the answer is there at once.
"""

from __future__ import annotations

from portal.db import db
from portal.domain import findings, unlinked
from portal.domain.apps import Connection
from portal.domain.clients import Client
from portal.domain.records import ClientRecord, client_from_json

MOST = 20


def search_records(connection: Connection, words: str) -> list[tuple[ClientRecord, Client | None]]:
    """Records whose name holds `words`, each with the client that has it, or None; at most 40.

    Free ones come first, then archived ones, which say so and cannot be chosen (QB-09), then those that are taken.
    """
    free = [client_from_json(one.record) for one in unlinked.search(connection.id, words, MOST)]
    found: list[tuple[ClientRecord, Client | None]] = [(one, None) for one in free]
    for link, _name in findings.linked_records(connection.id, words, MOST):
        if link.seen:
            found.append((client_from_json(link.seen), db.session.get_one(Client, link.client_id)))
    return found
