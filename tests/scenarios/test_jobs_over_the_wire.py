"""From an accepted proposal to a job in Xero Practice Manager, over a real port: the client first, then the job, each
exactly once whatever becomes of the answers (PR-04, XPM-12, XP-15 to XP-17)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal import deliveries as shell
from portal import deploying, sync
from portal.db import db
from portal.domain.deliveries import DeliveryState, Job
from portal.domain.invoices import Invoice
from portal.domain.ledgers import LedgerSettings
from portal.domain.library import TaxRate
from portal.domain.people import User
from portal.domain.proposals.deployed import Standing, standings
from tests.cast import person
from tests.scenarios.practice import ADD, CLIENT_ADD, Practice
from tests.torture.ground import PLACES, Ground


@pytest.fixture
def practice(make_world: Any, flying: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Practice]:
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)
    with make_world(app="xpm", wide=True) as world:
        made = Practice(world)
        made.ready()
        yield made


def other(email: str = "rua@marlow.example") -> User:
    """One more person of the firm."""
    first = person("member")
    assert first.email != email
    return first


def test_an_acceptance_makes_the_client_and_the_job_with_all_it_asks_for(practice: Practice) -> None:
    """XPM-12, XP-15, XP-16, XP-17."""
    alice, bob = person("admin"), other()
    practice.staff(alice, 0)
    practice.staff(bob, 1)
    client = practice.new_client()
    proposal, done = practice.accepted(
        client, practice.service("GST returns"), partner=alice.id, manager=bob.id, staff=[alice.id, bob.id],
        budget="1250.50", days=20,
    )  # fmt: skip
    assert [row.client_id for row in done.outgoing] == [client.id]
    (delivery,) = [row for row in done.deliveries if row.kind == "job"]
    assert deploying.deploy([delivery.id]) == 1
    there = practice.is_once(delivery.id)
    staff = [one["remote_id"] for one in practice.world.connection().reference["staff"][:2]]
    assert (there["Name"], Decimal(there["Budget"])) == ("Year end 2027", Decimal("1250.50"))
    assert there["Description"].startswith("GST returns\n\nCounterpart job ")
    assert (there["Partner"]["UUID"], there["Manager"]["UUID"]) == tuple(staff)
    assert [one["UUID"] for one in there["Assigned"]] == staff
    assert len(there["Tasks"]) == 3, "the tasks of its template"
    job = db.session.scalars(select(Job)).one()
    assert there["CategoryUUID"] == job.settings["category"] != ""
    assert there["ClientOrderNumber"] == f"CLI-{client.id}"
    assert [one.standing for one in standings(proposal)] == [Standing.THERE]
    assert sum(line.startswith("Job Year end 2027 created in XPM") for line in practice.log(proposal)) == 1


def test_the_jobs_order_number_is_the_reference_its_invoice_carries_in_the_ledger(practice: Practice) -> None:
    """XP-17: they must be equal for the practice app to allocate the invoice."""
    ground = Ground(practice.world.also("xero"), PLACES["xero"])
    ground.ready()
    db.session.scalars(select(TaxRate)).one().is_default = True
    db.session.scalars(select(LedgerSettings)).one().creates_since = [["2020-01-01T00:00:00+00:00", True]]
    proposal, done = practice.accepted(practice.known_client(), practice.service("GST returns"))
    jobs = [row.id for row in done.deliveries if row.kind == "job"]
    invoices = [row.id for row in done.deliveries if row.kind == "invoice"]
    assert deploying.deploy(jobs) == 1
    ground.minute_is_over()
    shell.deliver(invoices)
    db.session.expire_all()
    invoice = db.session.scalars(select(Invoice).where(Invoice.proposal_id == proposal.id)).one()
    in_ledger = next(
        one
        for one in practice.world.control.ask("GET", f"xero/invoices?tenant={ground.world.tenant}&q={invoice.number}")
        if one["number"] == invoice.number
    )
    assert in_ledger["reference"] == practice.is_once(jobs[0])["ClientOrderNumber"] == f"CLI-{proposal.client_id}"


FAULTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("the job's answer is lost after it was made", ADD, {"kind": "accept_then_drop"}),
    ("the job's call is lost before it arrives", ADD, {"kind": "drop"}),
    ("the job is made and a 500 comes back", ADD, {"kind": "accept_then_status", "status": 500}),
    ("a 500 and nothing made", ADD, {"kind": "status", "status": 500}),
    ("too many calls", ADD, {"kind": "rate_limited", "retry_after": 3}),
    ("an answer that makes no sense", ADD, {"kind": "garbage", "garbage": "truncated"}),
    ("the client's answer is lost after it was made", CLIENT_ADD, {"kind": "accept_then_drop"}),
    ("the client is made and a 500 comes back", CLIENT_ADD, {"kind": "accept_then_status", "status": 500}),
    ("too many calls for the client", CLIENT_ADD, {"kind": "rate_limited", "retry_after": 3}),
)


def test_whatever_becomes_of_the_answers_there_is_one_client_and_one_job(practice: Practice) -> None:
    """Fault rows 3, 4, 11, 12, 13 and 21."""
    for said, path, fault in FAULTS:
        proposal, _done = practice.accepted(practice.new_client())
        delivery_id = practice.row(proposal).id
        practice.minute_is_over()
        practice.spoil(path=path, **fault)
        deploying.deploy([delivery_id])
        practice.world.control.clear_faults()
        practice.recovers(delivery_id)
        try:
            practice.is_once(delivery_id)
        except AssertionError as wrong:
            raise AssertionError(f"{said}: {wrong}") from wrong
        created = [line for line in practice.log(proposal) if "created in XPM" in line or "found in XPM" in line]
        assert len(created) == 1, (said, practice.log(proposal))


def test_a_job_waits_for_whoever_is_not_linked_says_for_whom_and_goes_on_by_itself(practice: Practice) -> None:
    """XP-15."""
    alice, bob = person("admin"), other()
    practice.staff(alice, 0)
    proposal, _done = practice.accepted(practice.known_client(), partner=alice.id, manager=bob.id)
    assert deploying.deploy_due(practice.world.now()) == 1
    (standing,) = standings(proposal)
    assert (standing.standing, standing.fix) == (Standing.ASKS, "team")
    assert standing.why.startswith(f"{bob.name} is not linked to anybody there yet.")
    practice.minutes_pass()
    assert deploying.deploy_due(practice.world.now()) == 0
    assert practice.jobs(practice.row(proposal).mark) == []
    practice.staff(bob, 1)
    assert deploying.deploy_due(practice.world.now()) == 1
    practice.is_once(practice.row(proposal).id)
    assert sum("was not created in XPM" in line for line in practice.log(proposal)) == 1


def test_a_client_of_nearly_that_name_keeps_the_job_waiting_until_a_person_says_who_it_is(practice: Practice) -> None:
    """XPM-12: nobody is made beside themselves, and the job follows the link."""
    from tests.cast import make_link

    client = practice.new_client()
    (there,) = practice.world.create_there(client.name.upper())
    proposal, _done = practice.accepted(client)
    deploying.deploy_due(practice.world.now())
    (standing,) = standings(proposal)
    assert (standing.standing, standing.fix) == (Standing.ASKS, "client")
    assert practice.called(client.name) == 0
    make_link(client, practice.world.connection(), there)
    db.session.commit()
    deploying.deploy_due(practice.world.now())
    assert practice.row(proposal).state == DeliveryState.DELIVERED
    assert len(practice.jobs(practice.row(proposal).mark)) == 1


def test_the_clients_own_way_and_the_jobs_meet_without_making_the_client_twice(practice: Practice) -> None:
    """XPM-12: both set out after the acceptance."""
    proposal, done = practice.accepted(practice.new_client())
    for row in done.outgoing:
        sync.create_there(row.id)
    deploying.deploy_due(practice.world.now())
    practice.is_once(practice.row(proposal).id)
