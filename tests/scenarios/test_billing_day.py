"""The day's billing: every missed day caught up, one poisoned group left behind, nothing twice, in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from jobs import schedule as clockwork
from portal import billing
from portal.billing import raising
from portal.db import db
from portal.domain import activity, claims, invoices, schedule
from portal.domain.activity import Verb
from portal.domain.clients import Client, ClientStatus
from portal.domain.invoices import Invoice
from portal.domain.library import CadenceUnit
from portal.domain.nights import local_date, start_of
from portal.domain.schedule import BillingItem, Cadence, ItemState, PayBy
from tests.cast import COMMAND, make_client, make_firm, now
from tests.cast_invoices import TODAY, make_item

pytestmark = pytest.mark.usefixtures("database", "clock")


def serve(client: Client, first_on: date = TODAY, **more: Any) -> Any:
    values = {"name": more.pop("name", "Bookkeeping"), "price": Decimal(300)}
    cadence = Cadence(periods=more.pop("periods", None))
    made = schedule.add_service(client, values, cadence, first_on=first_on, by=COMMAND, now=now(), **more)
    db.session.commit()
    return made


def issued() -> list[tuple[str, date, str]]:
    """(number, day, client) of every invoice."""
    query = select(Invoice.number, Invoice.issued_on, Invoice.client_name).order_by(Invoice.number)
    return [(row[0], row[1], row[2]) for row in db.session.execute(query)]


def test_what_is_due_is_billed_and_a_second_run_of_the_day_bills_nothing() -> None:
    client = make_client()
    serve(client)
    serve(client, name="Payroll")
    serve(client, TODAY + timedelta(days=1), name="Not yet")
    first = billing.bill_due(now())
    assert issued() == [("INV-0001", TODAY, "Acme Corp")]
    (made,) = db.session.scalars(select(Invoice))
    assert first.invoice_ids == [made.id]
    assert [line.name for line in made.lines] == ["Bookkeeping", "Payroll"]
    assert (
        made.is_automatic and activity.sentence(activity.log(invoice_id=made.id)[-1]) == "Invoice created automatically"
    )
    assert billing.bill_due(now()).invoice_ids == []
    assert len(issued()) == 1


def test_missed_days_are_caught_up_each_dated_the_day_it_was_due(clock: Any) -> None:
    """Fault row 67."""
    client = make_client()
    values = {"name": "Weekly books", "price": Decimal(50)}
    schedule.add_service(
        client,
        values,
        Cadence(unit=CadenceUnit.WEEK),
        first_on=TODAY,
        by=COMMAND,
        now=now(),
    )
    db.session.commit()
    clock.shift(timedelta(days=15))
    billing.bill_due(now())
    assert [day for _, day, _ in issued()] == [TODAY, TODAY + timedelta(days=7), TODAY + timedelta(days=14)]


def test_what_must_be_paid_differently_becomes_two_invoices() -> None:
    client = make_client()
    serve(client)
    serve(client, name="Payroll", pay_by=PayBy.AUTOMATIC)
    billing.bill_due(now())
    assert len(issued()) == 2


def test_one_group_that_cannot_be_billed_is_put_down_and_the_others_go_on() -> None:
    poisoned, fine = make_client("Poisoned"), make_client("Fine")
    item = make_item(poisoned, price="-5", due_on=TODAY, is_automatic=True)
    make_item(poisoned, price="10", due_on=TODAY, is_automatic=True, reference="PROP-1")
    serve(fine)
    found = billing.bill_due(now())
    assert found.problems == 1
    assert sorted(name for _, _, name in issued()) == ["Fine", "Poisoned"]
    assert item.state == ItemState.OPEN and item.problem.startswith("The invoice would come to")
    told = [one for one in activity.log(client_id=poisoned.id) if one.verb == Verb.INVOICE_NOT_CREATED]
    assert len(told) == 1 and told[0].facts["day"] == "3 November 2026"


def test_a_poisoned_group_is_tried_again_later_says_so_once_and_goes_when_it_is_mended(clock: Any) -> None:
    client = make_client()
    item = make_item(client, price="-5", due_on=TODAY, is_automatic=True)
    db.session.commit()
    assert billing.bill_due(now()).problems == 1
    assert billing.bill_due(now()).problems == 0  # left alone for a while
    clock.shift(timedelta(hours=2))
    assert billing.bill_due(now()).problems == 1
    told = [one for one in activity.log(client_id=client.id) if one.verb == Verb.INVOICE_NOT_CREATED]
    assert len(told) == 1
    schedule.edit_item(item, {"price": Decimal(5)}, by=COMMAND, now=now())
    db.session.commit()
    billing.bill_due(now())
    assert [(number, day) for number, day, _ in issued()] == [("INV-0001", TODAY)]
    assert item.problem == ""


def test_something_unexpected_costs_one_group_and_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = make_client("Broken"), make_client("Fine")
    serve(broken)
    serve(fine)
    whole = invoices.issue

    def issue(client: Client, *args: Any, **more: Any) -> Invoice:
        if client.name == "Broken":
            raise RuntimeError("a mistake of ours")
        return whole(client, *args, **more)

    monkeypatch.setattr(invoices, "issue", issue)
    assert billing.bill_due(now()).problems == 1
    assert [name for _, _, name in issued()] == ["Fine"]
    (item,) = db.session.scalars(select(BillingItem).where(BillingItem.client_id == broken.id))
    assert item.problem == raising.UNEXPECTED and "mistake" not in item.problem


def test_an_archived_client_is_not_billed_until_somebody_brings_them_back(clock: Any) -> None:
    """Fault row 93."""
    client = make_client(archived_at=now(), status=ClientStatus.ARCHIVED)
    item = make_item(client, due_on=TODAY, is_automatic=True)
    db.session.commit()
    billing.bill_due(now())
    assert issued() == [] and "archived" in item.problem
    client.archived_at = None
    db.session.commit()
    clock.shift(timedelta(hours=2))
    billing.bill_due(now())
    assert [day for _, day, _ in issued()] == [TODAY] and item.problem == ""


def test_the_date_is_put_down_once_and_marked_as_done() -> None:
    serve(make_client())
    for _ in range(3):
        billing.bill_due(now())
    (claim,) = db.session.scalars(select(claims.JobClaim).where(claims.JobClaim.job == raising.JOB))
    assert (claim.due, claim.ended_at) == (TODAY.isoformat(), now())


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", date(2026, 3, 8)), ("America/New_York", date(2026, 3, 9)),
        ("Australia/Sydney", date(2026, 10, 5)), ("Europe/Berlin", date(2026, 3, 30)),  # row 62
        ("America/Santiago", date(2026, 9, 6)), ("Africa/Cairo", date(2026, 4, 24)),
        ("Asia/Beirut", date(2026, 3, 29)), ("America/Havana", date(2026, 3, 8)),  # row 63
        ("America/Havana", date(2026, 11, 1)), ("Atlantic/Azores", date(2026, 10, 25)),  # row 64
        ("Pacific/Apia", date(2011, 12, 30)),  # row 65: this date does not exist
        ("Pacific/Auckland", date(2028, 2, 29)), ("Pacific/Kiritimati", date(2026, 12, 31)),
    ],
)  # fmt: skip
def test_ticks_through_a_day_bill_it_once_from_its_first_moment_on(clock: Any, zone: str, day: date) -> None:
    """Fault rows 62 to 65, and 74."""
    firm = make_firm()
    firm.time_zone = zone
    clock.move_to(start_of(day, zone) - timedelta(hours=3))
    client = make_client()
    serve(client, day)
    begins = start_of(day, zone)
    at = begins - timedelta(hours=3)
    while at < begins + timedelta(hours=27):
        clock.move_to(at)
        billing.bill_due(at)
        is_due = local_date(at, zone) >= day
        assert len(issued()) == is_due, (at, zone)
        at += timedelta(minutes=30)
    (made,) = db.session.scalars(select(Invoice))
    assert made.issued_on == day
    assert local_date(made.created_at, zone) in (day, day + timedelta(days=1))


def test_a_zone_changed_at_the_last_minute_neither_doubles_nor_skips_a_day(clock: Any) -> None:
    """Fault row 66."""
    firm = make_firm()
    firm.time_zone = "Pacific/Auckland"
    client = make_client()
    values = {"name": "Daily", "price": Decimal(1)}
    clock.move_to(datetime(2026, 11, 2, 12, tzinfo=UTC))
    schedule.add_service(
        client,
        values,
        Cadence(unit=CadenceUnit.DAY),
        first_on=TODAY,
        by=COMMAND,
        now=now(),
    )
    db.session.commit()
    for zone, at in (
        ("Pacific/Auckland", datetime(2026, 11, 3, 10, 59, tzinfo=UTC)),  # 23:59 on the 3rd
        ("Pacific/Pago_Pago", datetime(2026, 11, 3, 10, 59, tzinfo=UTC)),  # 23:59 on the 2nd
        ("Pacific/Pago_Pago", datetime(2026, 11, 3, 12, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 11, 3, 12, tzinfo=UTC)),  # 02:00 on the 4th
        ("Pacific/Auckland", datetime(2026, 11, 4, 12, tzinfo=UTC)),  # 01:00 on the 5th
    ):
        firm.time_zone = zone
        db.session.commit()
        clock.move_to(at)
        billing.bill_due(at)
    assert [day.day for _, day, _ in issued()] == [3, 4, 5]


def test_billing_is_among_the_jobs_that_run_by_themselves() -> None:
    serve(make_client())
    job = next(one for one in clockwork.JOBS if one.name == "billing")
    assert job.every is None
    job.run(now())
    assert len(issued()) == 1
