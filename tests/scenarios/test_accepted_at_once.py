"""Two people press Accept at the same moment, and two proposals of one client are accepted at the same moment."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from portal.db import db
from portal.domain import proposals
from portal.domain.clients import Client
from portal.domain.invoices import Invoice
from portal.domain.proposals import Choice, Proposal, Signer
from portal.domain.schedule import ClientService
from tests.cast import COMMAND, make_client

AUCKLAND = "Pacific/Auckland"


def make_waiting(client: Client) -> int:
    at = datetime.now(UTC)
    proposal = proposals.draft(client, "Accounts 2027", by=COMMAND, now=at, currency="NZD")
    proposals.add_line(proposal, by=COMMAND, now=at, name="Annual accounts", price=Decimal(100))
    proposals.put_out(proposal, by=COMMAND, now=at, zone=AUCKLAND)
    return proposal.id


def accept_all(app: Flask, ids: list[int]) -> list[str]:
    """Each in a thread of its own, as near to each other as can be; what came of each."""
    together, came = threading.Barrier(len(ids)), []

    def accept(proposal_id: int, name: str) -> None:
        with app.app_context():
            proposal = db.session.get_one(Proposal, proposal_id)
            db.session.rollback()
            together.wait(20)
            try:
                proposals.accept(
                    proposal, Choice(), Signer(name), shown=None, by=COMMAND, now=datetime.now(UTC)
                )  # fmt: skip
                db.session.commit()
                came.append("accepted")
            except proposals.AlreadyAccepted:
                db.session.rollback()
                came.append("too late")

    threads = [threading.Thread(target=accept, args=(one, f"Person {n}")) for n, one in enumerate(ids)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    return sorted(came)


def test_two_people_accept_the_same_proposal_at_the_same_moment(app: Flask, story: Any) -> None:
    with story():
        proposal_id = make_waiting(make_client("Acme Corp"))
    assert accept_all(app, [proposal_id] * 4) == ["accepted", "too late", "too late", "too late"]
    with story():
        assert db.session.scalar(select(func.count()).select_from(Invoice)) == 1
        assert db.session.scalar(select(func.count()).select_from(ClientService)) == 1


def test_proposals_of_one_client_accepted_at_the_same_moment_all_count(app: Flask, story: Any) -> None:
    with story():
        client = make_client("Acme Corp")
        client_id, ids = client.id, [make_waiting(client) for _ in range(4)]
    assert accept_all(app, ids) == ["accepted"] * 4
    with story():
        assert db.session.get_one(Client, client_id).active_items == 4
        assert sorted(db.session.scalars(select(Invoice.number))) == [f"INV-000{n}" for n in range(1, 5)]
