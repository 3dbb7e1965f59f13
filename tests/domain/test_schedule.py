"""The billing schedule: what starts with an acceptance, what a person may change, and what ends with a service."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import activity, billing, invoices, schedule
from portal.domain.activity import Verb
from portal.domain.billing import Split
from portal.domain.clients import Client, ClientStatus
from portal.domain.library import BillingType, CadenceUnit, PriceType
from portal.domain.proposals import Grouping, Proposal, ProposalLine, ProposalState, Starts
from portal.domain.schedule import BillingItem, Cadence, ClientService, ItemState, NotOpen, NotRunning, PastDay, PayBy
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import TODAY, make_item

pytestmark = pytest.mark.usefixtures("database", "clock")
ACT: dict[str, Any] = {"by": COMMAND}


def accepted(*lines: dict[str, Any], **details: Any) -> Proposal:
    client = details.pop("client", None) or make_client()
    details = {"number": 7, "name": "Accounts 2027", "state": ProposalState.ACCEPTED, "currency": "NZD"} | details
    proposal = Proposal(client=client, created_at=now(), changed_at=now(), **details)
    for place, line in enumerate(lines):
        line = {"name": "Annual accounts", "price": Decimal(1200), "billing_type": BillingType.ON_ACCEPTANCE} | line
        proposal.lines.append(ProposalLine(position=place, **line))
    db.session.add(proposal)
    db.session.flush()
    return proposal


def start(*lines: dict[str, Any], **details: Any) -> list[ClientService]:
    proposal = accepted(*lines, **details)
    return schedule.start_services(proposal, proposal.lines, now=now(), **ACT)


def items(client: Client) -> list[BillingItem]:
    query = select(BillingItem).where(BillingItem.client_id == client.id)
    return list(db.session.scalars(query.order_by(BillingItem.id)))


def monthly(client: Client | None = None, first_on: date = TODAY, name: str = "Bookkeeping", **more: Any) -> Any:
    values = {"name": name, "price": Decimal(300)}
    cadence = Cadence(more.pop("every", 1), more.pop("unit", CadenceUnit.MONTH), more.pop("periods", None))
    return schedule.add_service(client or make_client(), values, cadence, first_on=first_on, now=now(), **ACT, **more)


def days_of(client: Client, until: date | None = None) -> list[date | None]:
    return [group.on for group in schedule.upcoming(client.id, today=TODAY, until=until)]


def said(client: Client) -> list[str]:
    return [activity.sentence(one) for one in activity.log(client_id=client.id)]


# What an acceptance starts (4.3, BS-01)


def test_on_acceptance_is_due_at_once_even_when_the_proposal_starts_later() -> None:
    (service,) = start({}, starts_on=date(2027, 4, 1))
    (item,) = items(service.client)
    assert (item.due_on, item.is_automatic, item.price, item.currency) == (TODAY, True, Decimal(1200), "NZD")
    assert service.client.status == ClientStatus.ACTIVE


def test_a_deposit_is_due_at_once_and_its_balance_always_waits_for_a_person() -> None:
    (service,) = start({"billing_type": BillingType.DEPOSIT, "price": Decimal("1000.01")})
    deposit, balance = items(service.client)
    assert (deposit.part, deposit.price, deposit.due_on, deposit.is_automatic) == (
        "deposit", Decimal("500.01"), TODAY, True,
    )  # fmt: skip
    assert (balance.part, balance.price, balance.due_on, balance.is_automatic) == (
        "balance", Decimal("500.00"), None, False,
    )  # fmt: skip


def test_a_deposit_of_a_discounted_line_and_its_balance_come_to_what_was_agreed() -> None:
    line = {"billing_type": BillingType.DEPOSIT, "quantity": Decimal(3), "price": Decimal(100), "discount": Decimal(10),
            "discount_is_percent": True, "deposit": Decimal(70)}  # fmt: skip
    (service,) = start(line, discount=Decimal(10))
    deposit, balance = items(service.client)
    assert (deposit.price, balance.price) == (Decimal(70), Decimal(173))  # 300 less 19 %


def test_changing_the_deposit_recomputes_the_balance() -> None:
    (service,) = start({"billing_type": BillingType.DEPOSIT, "price": Decimal(1000)})
    deposit, balance = items(service.client)
    schedule.edit_item(deposit, {"price": Decimal(300)}, now=now(), **ACT)
    assert balance.price == Decimal(700)
    with pytest.raises(ValueError, match="more than the price"):
        schedule.edit_item(deposit, {"price": Decimal(1001)}, now=now(), **ACT)
    assert deposit.price == Decimal(300)


@pytest.mark.parametrize("kind", [BillingType.ON_COMPLETION, BillingType.ESTIMATE])
def test_on_completion_and_estimate_wait_for_a_person(kind: BillingType) -> None:
    (service,) = start({"billing_type": kind})
    (line,) = schedule.manual(service.client_id, today=TODAY)
    assert (line.due_on, line.is_automatic) == (None, False)
    assert schedule.upcoming(service.client_id, today=TODAY) == []


def test_a_recurring_service_is_billed_from_its_start_on_its_cadence() -> None:
    recurring = {"billing_type": BillingType.RECURRING, "starts": Starts.PROPOSAL_START, "periods": 3}
    (service,) = start(recurring, starts_on=date(2026, 12, 31))
    assert days_of(service.client, date(2027, 12, 31)) == [date(2026, 12, 31), date(2027, 1, 31), date(2027, 2, 28)]
    assert items(service.client) == []


def test_nobody_is_billed_for_time_before_the_acceptance() -> None:
    (service,) = start({"billing_type": BillingType.RECURRING, "starts": Starts.DATE, "starts_on": date(2026, 1, 1)})
    assert service.first_on == TODAY


def test_what_is_included_runs_and_costs_nothing() -> None:
    (service,) = start({"billing_type": BillingType.RECURRING, "price_type": PriceType.INCLUDED})
    assert service.next_on is None and items(service.client) == []
    assert service.client.active_items == 1


@pytest.mark.parametrize(
    ("grouping", "reference"), [(Grouping.CLIENT, "CLI-{}"), (Grouping.PROPOSAL, "PROP-7"), (Grouping.NONE, "")]
)
def test_the_billing_group_becomes_the_reference(grouping: Grouping, reference: str) -> None:
    (service,) = start({}, grouping=grouping)
    assert items(service.client)[0].reference == reference.format(service.client_id)


# Groups (BS-02, BS-08)


def test_what_shares_day_payment_and_billing_group_becomes_one_invoice() -> None:
    client = make_client()
    for name in ("Bookkeeping", "Payroll"):
        monthly(client, name=name)
    first = schedule.upcoming(client.id, today=TODAY)[0]
    assert [line.name for line in first.items] == ["Bookkeeping", "Payroll"]
    assert first.apart == frozenset() and billing.reasons_of([first]) == []


def test_the_reasons_of_a_split_are_named() -> None:
    client = make_client()
    make_item(client, due_on=TODAY, reference="CLI-1")
    make_item(client, due_on=TODAY, reference="PROP-7")
    make_item(client, due_on=TODAY, reference="PROP-7", pay_by=PayBy.AUTOMATIC)
    groups = billing.group(schedule.manual(client.id, today=TODAY))
    assert len(groups) == 3
    assert all(group.apart == {Split.PAY_BY, Split.REFERENCE} for group in groups)
    assert billing.reasons_of(groups) == ["they are paid in different ways", "they belong to different billing groups"]


def test_overdue_ones_come_first_and_the_client_is_found_by_them() -> None:
    client, other = make_client(), make_client("Zeta")
    make_item(client, "No day")
    make_item(client, "Today", due_on=TODAY)
    make_item(client, "Late", due_on=TODAY - timedelta(days=1))
    make_item(other, "Soon", due_on=TODAY + timedelta(days=1))
    found = schedule.manual(client.id, today=TODAY)
    assert [(one.name, one.is_overdue(TODAY)) for one in found] == [("Late", True), ("Today", False), ("No day", False)]
    assert list(db.session.scalars(select(Client.id).where(schedule.overdue(TODAY)))) == [client.id]


# What a person changes (BS-05 to BS-07)


def test_a_delayed_period_leaves_the_later_ones_where_they_are() -> None:
    client = make_client()
    monthly(client, date(2026, 11, 30))
    first = schedule.upcoming(client.id, today=TODAY)[0].items[0]
    schedule.delay(schedule.find(client.id, [first.key], now=now(), **ACT), date(2026, 12, 10), now=now(), **ACT)
    assert days_of(client, date(2027, 1, 31)) == [date(2026, 12, 10), date(2026, 12, 30), date(2027, 1, 30)]


def test_a_period_in_the_middle_can_be_changed_before_the_ones_ahead_of_it() -> None:
    client = make_client()
    service = monthly(client)
    third = schedule.upcoming(client.id, today=TODAY)[2].items[0]
    (item,) = schedule.find(client.id, [third.key], now=now(), **ACT)
    schedule.edit_item(item, {"price": Decimal(1)}, now=now(), **ACT)
    assert [group.items[0].amount for group in schedule.upcoming(client.id, today=TODAY)] == [300, 300, 1, 300]
    assert (service.billed_to, service.next_on) == (0, TODAY)


def test_a_period_becomes_one_item_however_often_it_is_asked_for() -> None:
    service = monthly()
    found = {schedule.materialise(service, 2, now=now(), **ACT).id for _ in range(3)}
    assert len(found) == 1
    with pytest.raises(ValueError, match="has no period"):
        schedule.materialise(monthly(name="Short", periods=2), 2, now=now(), **ACT)


def test_a_group_goes_manual_as_a_whole_and_can_be_scheduled_again() -> None:
    client = make_client()
    for name in ("Bookkeeping", "Payroll"):
        monthly(client, name=name)
    keys = [line.key for line in schedule.upcoming(client.id, today=TODAY)[0].items]
    schedule.make_manual(schedule.find(client.id, keys, now=now(), **ACT), now=now(), **ACT)
    assert [one.name for one in schedule.manual(client.id, today=TODAY)] == ["Bookkeeping", "Payroll"]
    assert TODAY not in days_of(client)
    keys = [one.key for one in schedule.manual(client.id, today=TODAY)]
    on = TODAY + timedelta(days=5)
    schedule.schedule_items(schedule.find(client.id, keys, now=now(), **ACT), on, now=now(), **ACT)
    assert days_of(client)[0] == on
    assert said(client)[0] == "Payroll to be billed on 8 November 2026"


def test_nothing_is_planned_for_a_day_gone_by() -> None:
    item = make_item(make_client())
    with pytest.raises(PastDay):
        schedule.schedule_item(item, TODAY - timedelta(days=1), now=now(), **ACT)
    schedule.schedule_item(item, TODAY, now=now(), **ACT)
    with pytest.raises(PastDay):
        schedule.edit_item(item, {"due_on": TODAY - timedelta(days=1)}, now=now(), **ACT)


def test_two_who_edit_the_same_item_do_not_overwrite_each_other() -> None:
    """Fault row 89."""
    item = make_item(make_client())
    schedule.edit_item(item, {"price": Decimal(90)}, now=now(), expected_version=1, **ACT)
    with pytest.raises(schedule.StaleItem):
        schedule.edit_item(item, {"price": Decimal(80)}, now=now(), expected_version=1, **ACT)
    assert item.price == Decimal(90)


def test_a_billed_item_never_changes_and_never_opens_again() -> None:
    client = make_client()
    item = make_item(client)
    invoices.issue(client, [item], on=TODAY, by=COMMAND, now=now(), is_automatic=False)
    for act in (
        lambda: schedule.edit_item(item, {"price": Decimal(1)}, now=now(), **ACT),
        lambda: schedule.schedule_item(item, TODAY, now=now(), **ACT),
        lambda: schedule.make_manual([item], now=now(), **ACT),
        lambda: schedule.cancel_item(item, "no", now=now(), **ACT),
        lambda: schedule.reopen_item(item, now=now(), **ACT),
    ):
        with pytest.raises(NotOpen, match="billed already"):
            act()


def test_a_cancelled_item_can_be_taken_back_and_one_gone_by_waits_for_a_person() -> None:
    client = make_client()
    item = schedule.add_item(
        client, {"name": "Extra", "price": Decimal(50)}, now=now(), due_on=TODAY, is_automatic=True, **ACT
    )
    assert client.status == ClientStatus.ACTIVE
    schedule.cancel_item(item, "agreed on the phone", now=now(), **ACT)
    assert client.status == ClientStatus.INACTIVE
    schedule.reopen_item(item, now=now() + timedelta(days=2), **ACT)
    assert (item.state, item.is_automatic) == (ItemState.OPEN, False)
    assert client.status == ClientStatus.ACTIVE


def test_a_service_changed_bills_its_coming_periods_by_the_new_price() -> None:
    client = make_client()
    service = monthly(client)
    first = schedule.upcoming(client.id, today=TODAY)[0].items[0]
    schedule.find(client.id, [first.key], now=now(), **ACT)
    assert schedule.edit_service(service, {"price": Decimal(350)}, now=now(), **ACT) == ["Price"]
    assert [group.items[0].amount for group in schedule.upcoming(client.id, today=TODAY)][:3] == [300, 350, 350]


def test_keys_of_others_and_nonsense_find_nothing() -> None:
    client, other = make_client(), make_client("Zeta")
    item, service = make_item(other), monthly(other)
    keys = [f"i{item.id}", f"s{service.id}p0", "i0", "s1", "s1p-1", "", "i9999999999", "'; --"]
    assert schedule.find(client.id, keys, now=now(), **ACT) == []
    assert schedule.look(client.id, keys) == []


# Pausing and ending (CL-03, PR-05)


def test_what_falls_due_while_paused_is_skipped(clock: Any) -> None:
    client = make_client()
    service = monthly(client, date(2026, 11, 30))
    moved = schedule.materialise(service, 1, now=now(), **ACT)
    schedule.pause(service, now=now(), **ACT)
    assert days_of(client) == []
    clock.shift(timedelta(days=70))  # 12 January
    schedule.resume(service, now=now(), **ACT)
    assert moved.state == ItemState.CANCELLED
    assert (service.billed_to, service.next_on) == (2, date(2027, 1, 30))
    with pytest.raises(NotRunning):
        schedule.resume(service, now=now(), **ACT)


def test_what_was_due_before_the_pause_is_billed_all_the_same(clock: Any) -> None:
    client = make_client()
    service = monthly(client)
    clock.shift(timedelta(days=2))  # the portal was down
    schedule.pause(service, now=now(), **ACT)
    found = schedule.due_items(client, TODAY + timedelta(days=2), now=now(), **ACT)
    assert [item.due_on for item in found] == [TODAY]


def test_ending_the_last_service_makes_the_client_inactive_and_the_proposal_completed() -> None:
    first, second = start({"billing_type": BillingType.RECURRING}, {"billing_type": BillingType.ON_COMPLETION})
    client, proposal = first.client, first.proposal
    assert schedule.end_service(first, now=now(), **ACT) == []
    assert (client.status, proposal.state) == (ClientStatus.ACTIVE, ProposalState.ACCEPTED)
    (dropped,) = schedule.end_service(second, now=now(), **ACT)
    assert dropped.state == ItemState.CANCELLED
    assert (client.status, proposal.state) == (ClientStatus.INACTIVE, ProposalState.COMPLETED)
    assert days_of(client) == []


def test_an_ending_can_be_taken_back() -> None:
    (service,) = start({"billing_type": BillingType.ON_COMPLETION})
    schedule.end_service(service, now=now(), **ACT)
    schedule.restart_service(service, now=now(), **ACT)
    assert [item.state for item in items(service.client)] == [ItemState.OPEN]
    assert service.client.status == ClientStatus.ACTIVE
    assert service.proposal.state == ProposalState.ACCEPTED


def test_a_service_ends_by_itself_once_its_last_period_is_billed() -> None:
    client = make_client()
    service = monthly(client, periods=2)
    for day in (TODAY, date(2026, 12, 3)):
        found = schedule.due_items(client, day, now=now(), **ACT)
        invoices.issue(client, found, on=day, by=COMMAND, now=now(), is_automatic=True)
        ended = schedule.end_finished(client, now=now(), **ACT)
        assert ended == ([service] if day > TODAY else [])
    assert client.status == ClientStatus.INACTIVE


def test_an_additional_service_makes_the_client_active_and_cannot_begin_in_the_past() -> None:
    client = make_client()
    monthly(client)
    assert client.status == ClientStatus.ACTIVE
    assert said(client)[1] == "Bookkeeping started for Acme Corp"
    with pytest.raises(ValueError, match="gone by"):
        monthly(client, TODAY - timedelta(days=1))


def test_every_change_of_the_schedule_is_on_record() -> None:
    client = make_client()
    service = monthly(client)
    (item,) = schedule.find(client.id, [f"s{service.id}p0"], now=now(), **ACT)
    schedule.edit_item(item, {"price": Decimal(1), "notes": "agreed"}, now=now(), **ACT)
    schedule.make_manual([item], now=now(), **ACT)
    schedule.cancel_item(item, "a gift", now=now(), **ACT)
    schedule.pause(service, now=now(), **ACT)
    schedule.resume(service, now=now(), **ACT)
    schedule.end_service(service, now=now(), **ACT)
    verbs = [one.verb for one in activity.log(client_id=client.id)][::-1]
    assert verbs == [
        Verb.SERVICE_STARTED, Verb.STATUS_CHANGED, Verb.ITEM_CHANGED, Verb.ITEM_MADE_MANUAL, Verb.ITEM_CANCELLED,
        Verb.SERVICE_PAUSED, Verb.SERVICE_RESUMED, Verb.SERVICE_ENDED, Verb.STATUS_CHANGED,
    ]  # fmt: skip
