"""What follows an acceptance: committed first, then sent on its way at once."""

from __future__ import annotations

from portal import deliveries, deploying, sync
from portal.db import db
from portal.domain.deliveries import JOB
from portal.domain.proposals import Acceptance


def carry_on(done: Acceptance) -> None:
    """Commit, then let clients, invoices and jobs go out now. What is lost with this process a tick finds again."""
    creations = [row.id for row in done.outgoing]
    parcels = [row.id for row in done.deliveries if row.kind != JOB]
    jobs = [row.id for row in done.deliveries if row.kind == JOB]
    db.session.commit()
    if creations:
        sync.create_there_soon(creations)
    deliveries.deliver_soon(parcels)
    deploying.deploy_soon(jobs)
