"""A client made here, on its way into the pretend ledger: acts and looks that several stories share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from portal import sync
from portal.db import db
from portal.domain import clients, outgoing
from portal.domain.activity import Activity, sentence
from portal.domain.apps import (
    ClientLink,
    Outcome,
    OutgoingClient,
)
from portal.domain.clients import Client
from tests.pretend_app import PRIYA, Books
from tests.strict_ledger import Ledger


def app_of(made: Books) -> Ledger:
    assert isinstance(made.app, Ledger)
    return made.app


def now() -> datetime:
    return datetime.now(UTC)


def make(name: str = "Acme Corp", **fields: Any) -> Client:
    """As the form for a new client does it."""
    contacts = fields.pop("contacts", [])
    client = clients.create(name, by=PRIYA, now=now(), contacts=contacts, **fields)
    outgoing.note_new(client, by=PRIYA, now=now())
    db.session.commit()
    return client


def row_of(client: Client) -> OutgoingClient | None:
    db.session.expire_all()
    return db.session.scalar(select(OutgoingClient).where(OutgoingClient.client_id == client.id))


def create(client: Client) -> Outcome | None:
    row = row_of(client)
    assert row is not None
    row_id = row.id
    db.session.commit()
    outcome = sync.create_there(row_id)
    db.session.expire_all()
    return outcome


def link_of(client: Client) -> ClientLink:
    return db.session.scalars(select(ClientLink).where(ClientLink.client_id == client.id)).one()


def told(client: Client) -> list[str]:
    lines = db.session.scalars(select(Activity).where(Activity.client_id == client.id).order_by(Activity.id))
    return [sentence(one) for one in lines]
