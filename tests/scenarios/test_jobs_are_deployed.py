"""An accepted proposal's jobs reach the practice app once each, whatever fails on the way (XP-15 to XP-18)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal import deploying
from portal.adapters.base import AdapterError, Rejected, Unavailable, Unknown
from portal.db import db
from portal.deliveries.holding import Leash
from portal.domain import activity, proposals
from portal.domain.apps import Connection
from portal.domain.deliveries import Delivery, DeliveryState, Job
from portal.domain.proposals import Choice, Proposal, Signer
from portal.domain.records import JobOut, JobRecord
from tests.cast import COMMAND, make_client, make_connection, make_firm, make_link, make_staff_link, now, person

SIGNER = Signer("Aroha Ngata")


@dataclass
class Practice:
    """A practice app that does as it is told. `fails`: errors to raise, each with whether the job was made before."""

    jobs: list[JobRecord] = field(default_factory=list)
    asked: list[JobOut] = field(default_factory=list)
    fails: list[tuple[AdapterError, bool]] = field(default_factory=list)

    def create_job(self, session: Any, job: JobOut) -> JobRecord:
        self.asked.append(job)
        made = JobRecord(f"uuid-{len(self.jobs)}", f"J{len(self.jobs) + 1:04}", job.name, job.client_id, mark=job.mark)
        error, is_made = self.fails.pop(0) if self.fails else (None, True)
        if is_made:
            self.jobs.append(made)
        if error is not None:
            raise error
        return made

    def find_jobs(self, session: Any, client_remote_id: str, *, mark: str = "", order_number: str = "") -> list[Any]:
        return [one for one in self.jobs if one.mark == mark]

    def finish_job(self, session: Any, found: JobRecord, job: JobOut) -> JobRecord:
        return replace(found, manager_id=job.manager_id)


@pytest.fixture(autouse=True)
def _firm(database: Any, clock: Any) -> None:
    make_firm()


@pytest.fixture
def practice(monkeypatch: pytest.MonkeyPatch) -> Practice:
    app = Practice()

    def trip(connection_id: int, session: Any, *, urgent: bool) -> deploying.Trip:
        return deploying.Trip(connection_id, "the practice app", app, session, Leash())  # type: ignore[arg-type]  # a stand-in for an adapter

    monkeypatch.setattr(deploying, "_trip", trip)
    return app


def accepted(connection: Connection, *, linked: bool = True, **jobs: Any) -> Proposal:
    """A proposal of two services, accepted, that asks for a job there."""
    client = make_client("Acme Corp")
    if linked:
        make_link(client, connection, "client-7")
    proposal = proposals.draft(
        client, "Accounts 2027", by=COMMAND, now=now(), currency="NZD", jobs={"connection": connection.id} | jobs
    )
    for name in ("Annual accounts", "Tax return"):
        proposals.add_line(proposal, by=COMMAND, now=now(), name=name, price=Decimal(100))
    proposals.put_out(proposal, by=COMMAND, now=now(), zone="Pacific/Auckland")
    proposals.accept(proposal, Choice(), SIGNER, shown=None, by=COMMAND, now=now())
    db.session.commit()
    return proposal


def the_delivery() -> Delivery:
    db.session.expire_all()
    return db.session.scalars(select(Delivery).where(Delivery.kind == "job")).one()


def log_of(proposal: Proposal) -> list[str]:
    return [activity.sentence(one) for one in activity.log(proposal_id=proposal.id)]


def test_one_job_for_the_proposal_with_what_its_settings_say(practice: Practice) -> None:
    """XP-16, XP-17."""
    connection = make_connection()
    alice = person()
    make_staff_link(alice, connection, "staff-1")
    proposal = accepted(connection, template="t-1", category="c-1", budget="250.50", manager=alice.id, days=14)
    assert deploying.deploy_due(now()) == 1
    (job,) = practice.asked
    assert (job.client_id, job.name, job.order_number) == ("client-7", "Accounts 2027", f"CLI-{proposal.client_id}")
    assert job.description == "Annual accounts\nTax return"
    assert (job.template_id, job.category_id, job.manager_id) == ("t-1", "c-1", "staff-1")
    assert job.budget == Decimal("250.50")
    assert (job.start_on, job.due_on) == (date(2026, 11, 3), date(2026, 11, 17))
    row = the_delivery()
    assert (row.state, row.remote_id, row.remote_number) == (DeliveryState.DELIVERED, "uuid-0", "J0001")
    assert any(one.startswith("Job Accounts 2027 created in ") for one in log_of(proposal))
    assert deploying.deploy_due(now()) == 0


def test_a_job_for_each_service_and_none_to_be_billed_carries_no_reference(practice: Practice) -> None:
    accepted(make_connection(), per="service", is_billed=False)
    assert deploying.deploy_due(now()) == 2
    assert [one.name for one in practice.asked] == ["Accounts 2027: Annual accounts", "Accounts 2027: Tax return"]
    assert {one.order_number for one in practice.asked} == {""}
    assert len({one.mark for one in practice.asked}) == 2


def test_a_lost_answer_is_looked_for_and_the_job_is_not_made_again(practice: Practice, clock: Any) -> None:
    practice.fails = [(Unknown("The answer was lost."), True)]
    accepted(make_connection())
    deploying.deploy_due(now())
    assert the_delivery().state == DeliveryState.UNKNOWN
    clock.shift(deploying.FIRST_LOOK)
    deploying.deploy_due(now())
    row = the_delivery()
    assert (row.state, row.adopted, len(practice.jobs), len(practice.asked)) == (DeliveryState.DELIVERED, True, 1, 1)


def test_it_is_made_again_only_after_two_looks_found_nothing(practice: Practice, clock: Any) -> None:
    practice.fails = [(Unknown("The answer was lost."), False)]
    accepted(make_connection())
    deploying.deploy_due(now())
    first = practice.asked[0].key
    clock.shift(deploying.FIRST_LOOK)
    deploying.deploy_due(now())
    assert len(practice.asked) == 1
    clock.shift(deploying.SETTLE_AFTER + timedelta(seconds=1))
    deploying.deploy_due(now())
    assert len(practice.asked) == 2
    assert practice.asked[1].key != first
    assert the_delivery().state == DeliveryState.DELIVERED


def test_a_process_killed_while_it_sent_leaves_one_job(practice: Practice, clock: Any) -> None:
    accepted(make_connection())
    row = the_delivery()
    row.state, row.sent_at, row.attempts = DeliveryState.SENDING, now(), 1
    row.lease_by, row.lease_until = "somebody who is gone", now() + deploying.LEASE
    job = db.session.scalars(select(Job)).one()
    practice.jobs = [JobRecord("uuid-9", "J0009", job.name, "client-7", mark=job.mark)]
    db.session.commit()
    assert deploying.deploy_due(now()) == 0
    clock.shift(deploying.LEASE + timedelta(seconds=1))
    assert deploying.deploy_due(now()) == 1
    assert practice.asked == []
    assert (the_delivery().state, the_delivery().remote_id) == (DeliveryState.DELIVERED, "uuid-9")


def test_whoever_is_nobody_there_keeps_the_job_waiting_for_a_person(practice: Practice) -> None:
    """XP-15."""
    proposal = accepted(make_connection(), partner=person("member").id)
    deploying.deploy_due(now())
    row = the_delivery()
    assert (row.state, row.cause) == (DeliveryState.ASKS, "staff")
    assert row.reason.startswith("Bob Tamihana is not linked to anybody there yet.")
    assert practice.asked == []
    assert any("was not created in" in one for one in log_of(proposal))


def test_a_refusal_is_told_in_the_apps_words_and_an_outage_only_waits(practice: Practice) -> None:
    practice.fails = [(Unavailable("The app is down."), False), (Rejected("No such template."), False)]
    proposal = accepted(make_connection())
    deploying.deploy_due(now())
    assert the_delivery().state == DeliveryState.WAITING
    deploying.deploy([the_delivery().id])
    row = the_delivery()
    assert (row.state, row.reason) == (DeliveryState.FAILED, "No such template.")
    assert any("No such template." in one for one in log_of(proposal))
    assert practice.jobs == []
