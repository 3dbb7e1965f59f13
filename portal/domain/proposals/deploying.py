"""Jobs that an accepted proposal asks a practice app for: one for the whole proposal, or one for each service (XP-15,
XP-16). Put down in the transaction of the acceptance; sending them is `portal.deploying`.

`Proposal.jobs` holds the settings: connection (its id), per ("proposal" or "service"), name, description, category,
budget, partner, manager, template, starts_on, due_on, is_billing. Empty: no jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal.db import db
from portal.domain import schedule
from portal.domain.activity import Actor
from portal.domain.apps import Connection
from portal.domain.proposals.models import Proposal

if TYPE_CHECKING:
    from portal.domain.deliveries import Delivery  # it imports this package
    from portal.domain.schedule import ClientService

PER_PROPOSAL, PER_SERVICE = "proposal", "service"
_MARKS = uuid.UUID("7a0c1f0e-54b7-5d43-9d52-3a8b90a3e6d1")


def put_down(proposal: Proposal, services: Sequence[ClientService], *, by: Actor, now: datetime) -> list[Delivery]:
    """The jobs of this proposal and their way into the practice app begun; none when it asks for none."""
    from portal.domain import deliveries  # it imports this package

    connection = db.session.get(Connection, proposal.jobs.get("connection")) if proposal.jobs else None
    if connection is None:
        return []
    jobs = [
        deliveries.Job(
            mark=uuid.uuid5(_MARKS, f"{proposal.number} {part}").hex, client_id=proposal.client_id,
            proposal_id=proposal.id, client_service_id=service.id if service else None,
            name=_name(proposal, service), settings=_settings(proposal, service, services), created_at=now,
        )
        for part, service in _parts(proposal, services)
    ]  # fmt: skip
    db.session.add_all(jobs)
    db.session.flush()
    return [deliveries.ask_job(job, connection, by=by, now=now) for job in jobs]


def _parts(proposal: Proposal, services: Sequence[ClientService]) -> list[tuple[str, ClientService | None]]:
    if proposal.jobs.get("per") == PER_SERVICE:
        return [(service.mark, service) for service in services]
    return [("whole", None)]


def _name(proposal: Proposal, service: ClientService | None) -> str:
    """The proposal's name, unless its settings give another (XP-16)."""
    name = proposal.jobs.get("name") or proposal.name
    return f"{name}: {service.name}" if service else name


def _settings(proposal: Proposal, service: ClientService | None, services: Sequence[ClientService]) -> dict[str, Any]:
    """What the job is made with: the proposal's settings with what follows from them settled (XP-16, XP-17)."""
    chosen = {key: value for key, value in proposal.jobs.items() if key not in ("connection", "per", "name")}
    about = [service] if service else list(services)
    templates = [
        template
        for one in about
        for template in one.facts.get("templates", {}).get(str(proposal.jobs.get("connection")), [])
    ]
    return {
        **chosen,
        "description": chosen.get("description") or "\n".join(one.name for one in about),
        "templates": [chosen["template"]] if chosen.get("template") else list(dict.fromkeys(templates)),
        "order_number": schedule.reference_of(proposal) if chosen.get("is_billing", True) else "",
    }
