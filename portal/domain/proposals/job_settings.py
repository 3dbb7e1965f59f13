"""With what each job of a proposal is made, and where every setting comes from (XP-16, XP-17).

The same rules serve the page before the acceptance and the acceptance itself. What the proposal says holds for all of
its jobs; what it leaves open is as the services of the library name it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Protocol

from portal.db import db
from portal.domain import connections, schedule
from portal.domain.apps import Connection
from portal.domain.job_choices import KINDS, named
from portal.domain.people import User
from portal.domain.proposals.models import Proposal

PER_PROPOSAL, PER_SERVICE = "proposal", "service"
NONE = "-"  # as a template or category of a proposal: none, whatever the services name
DAYS = 30  # from a job's start to the day it is due, unless its settings say otherwise


class Source(StrEnum):
    """Where a setting comes from."""

    HERE = "here"  # said in the proposal's own settings
    SERVICES = "services"  # named by the library for the services it is about
    DIFFER = "differ"  # those services name different ones, so it has none
    FOLLOWS = "follows"  # from the proposal itself: its name, its services, its billing group
    NOBODY = "nobody"  # said nowhere


class About(Protocol):
    """A service a job is about: a line of the proposal, later the service that runs."""

    name: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    value: str
    source: Source


def name_of(proposal: Proposal, service: About | None) -> Setting:
    """The proposal's name, unless its settings give another (XP-16)."""
    own = proposal.jobs.get("name") or ""
    name = own or proposal.name
    return Setting(f"{name}: {service.name}" if service else name, Source.HERE if own else Source.FOLLOWS)


def description_of(proposal: Proposal, about: Sequence[About]) -> Setting:
    own = proposal.jobs.get("description") or ""
    return Setting(own or "\n".join(one.name for one in about), Source.HERE if own else Source.FOLLOWS)


def made_of(proposal: Proposal, about: Sequence[About], what: str) -> Setting:
    """Its 'template' or 'category', as the app's id; empty for none."""
    own = proposal.jobs.get(what) or ""
    if own:
        return Setting("" if own == NONE else own, Source.HERE)
    connection = str(proposal.jobs.get("connection"))
    named = {one for service in about if (one := service.facts.get("jobs", {}).get(connection, {}).get(what))}
    if len(named) > 1:
        return Setting("", Source.DIFFER)
    return Setting(named.pop(), Source.SERVICES) if named else Setting("", Source.NOBODY)


def order_number_of(proposal: Proposal) -> Setting:
    """The reference its invoices carry in the ledger, by which the app finds them (XP-17)."""
    if not proposal.jobs.get("is_billed", True):
        return Setting("", Source.HERE)
    return Setting(schedule.reference_of(proposal), Source.FOLLOWS)


def settled(proposal: Proposal, service: About | None, services: Sequence[About], today: date) -> dict[str, Any]:
    """What a job is made with, all settled; `service` None: it is about all of `services`."""
    chosen = {key: value for key, value in proposal.jobs.items() if key not in ("connection", "per", "name")}
    about = [service] if service else list(services)
    start = max(proposal.starts_on or today, today)
    return {
        **chosen,
        **{what: made_of(proposal, about, what).value for what in KINDS},
        "description": description_of(proposal, about).value,
        "start_on": start.isoformat(),
        "due_on": (start + timedelta(days=chosen.get("days") or DAYS)).isoformat(),
        "order_number": order_number_of(proposal).value,
    }


@dataclass(frozen=True, slots=True)
class Planned:
    """A job as it would be set up if the proposal were accepted as it is suggested."""

    name: Setting
    description: Setting
    template: Setting
    category: Setting
    order_number: Setting
    services: tuple[str, ...]


def planned(proposal: Proposal) -> list[Planned]:
    """The jobs an acceptance would set up, in order; none when the proposal asks for none."""
    if not proposal.jobs:
        return []
    lines = [line for line in proposal.lines if line.is_taken]
    each: list[About | None] = [*lines] if proposal.jobs.get("per") == PER_SERVICE else [None]
    return [_planned(proposal, one, [one] if one else lines) for one in each]


def _planned(proposal: Proposal, service: About | None, about: Sequence[About]) -> Planned:
    return Planned(
        name_of(proposal, service), description_of(proposal, about), made_of(proposal, about, "template"),
        made_of(proposal, about, "category"), order_number_of(proposal), tuple(one.name for one in about),
    )  # fmt: skip


def words(jobs: Mapping[str, Any]) -> str:
    """A proposal's settings as a log tells them; empty for no jobs."""
    connection = db.session.get(Connection, jobs.get("connection")) if jobs else None
    if connection is None:
        return ""
    said = [connections.label(connection), "one a service" if jobs.get("per") == PER_SERVICE else "one in all"]
    for what, kind in KINDS.items():
        own = jobs.get(what) or ""
        if own:
            said.append(f"no {what}" if own == NONE else f"{what} {named(connection.id, kind, own)[0] or 'unknown'}")
    said += [f"{what} {jobs[what]}" for what in ("name", "description", "budget") if jobs.get(what)]
    if jobs.get("days"):
        said.append(f"due after {jobs['days']} days")
    for role in ("partner", "manager", "staff"):
        if names := people_named(jobs.get(role)):
            said.append(f"{role} {names}")
    return ", ".join(said) + ("" if jobs.get("is_billed", True) else ", not billed")


def people_named(users: int | Sequence[int] | None) -> str:
    """The names behind one id or several."""
    ids = users if isinstance(users, Sequence) else [users] if users else []
    found = [db.session.get(User, one) for one in ids]
    return ", ".join(one.name for one in found if one is not None)
