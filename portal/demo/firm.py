"""The demo firm: Marlow & Co, its people, and the clients it held before it connected anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.db import db
from portal.demo import work
from portal.demo.facts import PASSWORD, PEOPLE, SANDBOX_CLIENTS, SEED
from portal.domain import clients, people
from portal.domain.activity import Actor, Origin
from portal.domain.clients import Client
from portal.domain.people import Role
from portal.domain.records import Address
from portal.sandbox import names

DEMO = Actor("Demo", Origin.SYSTEM)
CONTACT_FIELDS = ("name", "email", "phone", "mobile", "position")

Counted = Callable[[int, int], None]  # how many are done, of how many


def found(*, now: datetime) -> None:
    """Make the firm, its people and its clients. The caller commits."""
    people.found_firm(
        "Marlow & Co",
        now=now,
        email="office@example.com",
        country="NZ",
        currency="NZD",
        time_zone="Pacific/Auckland",
        locale="en_NZ",
    )
    for name, email, role in PEOPLE:
        user = people.create_user(name, email, Role(role), by=DEMO, now=now)
        user.password_hash = people.passwords.closed(PASSWORD)  # not asked whether it is a good one: it is no secret
        user.password_changed_at = now
    hold_clients(SANDBOX_CLIENTS, SEED, now=now)
    work.sell(now=now)


def hold_clients(count: int, seed: int, *, now: datetime, counted: Counted | None = None) -> int:
    """What the firm typed in before connecting, for a sandbox of `count` clients; those it has by name stay.

    Gives how many were added.
    """
    records = names.portal_side(count, seed)
    wanted = [record["name"] for record in records]
    present = set(db.session.scalars(select(Client.name).where(Client.name.in_(wanted))))
    added = 0
    for number, record in enumerate(records, start=1):
        if record["name"] not in present:
            _hold(record, now)
            added += 1
        if counted:
            counted(number, len(records))
    return added


def _hold(record: dict[str, Any], now: datetime) -> None:
    client = clients.create(
        record["name"],
        by=DEMO,
        now=now,
        phone=record["phone"],
        structure=record["structure"],
        address=Address(record["address"], record["city"], record["region"], record["postcode"], record["country"]),
    )
    for contact in sorted(record["contacts"], key=lambda one: not one["is_primary"]):
        clients.add_contact(client, {field: contact[field] for field in CONTACT_FIELDS}, by=DEMO, now=now)


def found_on_first_start(app: Flask) -> None:
    """Make the demo firm unless this portal serves a firm already, the demo's or another."""
    with app.app_context():
        if people.the_firm() is None:
            found(now=datetime.now(UTC))
        db.session.commit()
