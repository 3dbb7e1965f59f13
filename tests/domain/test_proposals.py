"""Proposals: drafted, put out, accepted once, and what comes of them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import activity, library, outgoing, people, proposals, schedule
from portal.domain.activity import Activity, Actor, Verb
from portal.domain.clients import Client, ClientStatus
from portal.domain.invoices import Invoice
from portal.domain.library import BillingType, CadenceUnit, PriceType, TaxRate
from portal.domain.proposals import Choice, Proposal, ProposalState, Signer
from tests.cast import COMMAND, make_client, make_connection, make_firm, make_link, now, person

AUCKLAND = "Pacific/Auckland"
AROHA = Signer("Aroha Ngata", address="203.0.113.9", browser="a phone")


def gst() -> TaxRate:
    make_firm()
    return library.default_tax_rate() or library.add_tax_rate("GST 15 %", Decimal(15), by=COMMAND, now=now())


def make_proposal(client: Client | None = None, **fields: Any) -> Proposal:
    """A draft without lines, open for a month."""
    gst()
    fields = {"currency": "NZD", "expires_on": date(2026, 12, 3)} | fields
    return proposals.draft(client or make_client(), "Accounts 2027", by=COMMAND, now=now(), **fields)


def offer(
    proposal: Proposal, name: str = "Annual accounts", price: str = "1200", **facts: Any
) -> proposals.ProposalLine:
    values = {"name": name, "price": Decimal(price), "tax_rate_id": gst().id, "price_type": PriceType.FIXED}
    return proposals.add_line(proposal, by=COMMAND, now=now(), **(values | facts))


def put_out(proposal: Proposal) -> str:
    return proposals.put_out(proposal, by=COMMAND, now=now(), zone=AUCKLAND)


def accept(proposal: Proposal, signer: Signer = AROHA, choice: Choice | None = None, **more: Any) -> Any:
    choice = choice or proposals.default_choice(proposal)
    firm = people.the_firm()
    assert firm is not None
    shown = proposals.digest_of(proposals.content_of(proposal, firm.name), choice)
    by = more.pop("by", proposals.the_client_as(signer))
    return proposals.accept(proposal, choice, signer, **({"shown": shown, "by": by, "now": now()} | more))


def sentences(proposal: Proposal) -> list[str]:
    return [activity.sentence(one) for one in activity.log(proposal_id=proposal.id)][::-1]


@pytest.fixture(autouse=True)
def _firm(database, clock) -> None:
    make_firm()


def test_accepting_starts_the_services_invoices_what_is_due_at_once_and_makes_the_client_active() -> None:
    """PR-04, CL-02, 4.3."""
    proposal = make_proposal()
    offer(proposal, "Company set-up", "500")
    offer(proposal, "Bookkeeping", "300", billing_type=BillingType.RECURRING)
    offer(proposal, "Tax return", "900", billing_type=BillingType.ON_COMPLETION)
    put_out(proposal)
    assert proposal.client.status == ClientStatus.LEAD
    made = accept(proposal)
    assert proposal.state == ProposalState.ACCEPTED
    assert proposal.client.status == ClientStatus.ACTIVE
    (invoice,) = made.invoices
    assert (invoice.total, invoice.issued_on, invoice.proposal_id) == (
        Decimal("920.00"),
        date(2026, 11, 3),
        proposal.id,
    )
    assert [line.name for line in invoice.lines] == ["Company set-up", "Bookkeeping"]
    came = proposals.outcome(proposal)
    assert [one.name for one in came.services] == ["Company set-up", "Bookkeeping", "Tax return"]
    assert came.services[1].next_on == date(2026, 12, 3)
    assert came.invoices == [invoice]
    assert "Proposal PROP-1 accepted by Aroha Ngata" in sentences(proposal)


def test_who_accepted_when_from_where_and_what_is_kept_to_the_letter() -> None:
    proposal = make_proposal(terms="Pay within 14 days.\nOr sooner.")
    offer(proposal)
    put_out(proposal)
    accept(proposal)
    kept = proposal.accepted
    assert (kept["name"], kept["address"], kept["browser"]) == ("Aroha Ngata", "203.0.113.9", "a phone")
    assert kept["terms"] == "Pay within 14 days.\nOr sooner."
    content, choice = proposals.shown_as_accepted(proposal)
    assert proposals.digest_of(content, choice) == kept["digest"]
    person().name = "Somebody else"
    gst().percent = Decimal(99)
    assert proposals.parts(content, choice)[0].total == Decimal("1380.00")


def test_a_proposal_is_accepted_once_however_often_it_is_tried() -> None:
    proposal = make_proposal()
    offer(proposal)
    put_out(proposal)
    accept(proposal)
    with pytest.raises(proposals.AlreadyAccepted):
        accept(proposal)
    assert len(db.session.scalars(select(Invoice)).all()) == 1


def test_what_was_not_shown_is_not_accepted() -> None:
    proposal = make_proposal()
    line = offer(proposal)
    put_out(proposal)
    seen = proposals.digest_of(proposals.content_of(proposal, "Marlow & Co"), Choice())
    proposals.edit_line(line, {"price": Decimal(1300)}, by=COMMAND, now=now())
    with pytest.raises(proposals.Changed):
        accept(proposal, shown=seen)
    assert proposal.state == ProposalState.AWAITING


def test_the_client_takes_one_package_and_the_optional_services_it_wants() -> None:
    proposal = make_proposal(options=["Basic", "Plus"])
    offer(proposal, "Filing", "100")
    offer(proposal, "Basic accounts", "200", option=1)
    offer(proposal, "Full accounts", "300", option=2)
    payroll = offer(proposal, "Payroll", "40", option=2, is_optional=True, is_taken=False)
    offer(proposal, "Advice", "50", is_optional=True, is_taken=False)
    put_out(proposal)
    with pytest.raises(proposals.BadChoice):
        proposals.settled(proposals.content_of(proposal, ""), 3, ())
    made = accept(proposal, choice=Choice(2, frozenset({payroll.id})))
    assert [line.name for line in made.invoices[0].lines] == ["Filing", "Full accounts", "Payroll"]
    assert proposal.chosen == 2
    assert [line.is_taken for line in proposal.lines] == [True, False, True, True, False]


def test_an_optional_service_of_a_package_not_taken_does_not_count() -> None:
    proposal = make_proposal(options=["Basic", "Plus"])
    offer(proposal, "Filing", "100")
    payroll = offer(proposal, "Payroll", "40", option=2, is_optional=True)
    content = proposals.content_of(proposal, "")
    assert proposals.settled(content, 1, [payroll.id]) == Choice(1, frozenset())
    assert proposals.settled(content, 2, [payroll.id]) == Choice(2, frozenset({payroll.id}))


def test_an_accepted_proposal_never_changes() -> None:
    """PR-03."""
    proposal = make_proposal()
    line = offer(proposal)
    put_out(proposal)
    accept(proposal)
    for act in (
        lambda: proposals.edit(proposal, {"name": "Another"}, by=COMMAND, now=now()),
        lambda: proposals.edit_line(line, {"price": Decimal(1)}, by=COMMAND, now=now()),
        lambda: proposals.remove_line(line, by=COMMAND, now=now()),
        lambda: proposals.add_line(proposal, by=COMMAND, now=now(), name="More", price=Decimal(1)),
    ):
        with pytest.raises(proposals.Frozen):
            act()
    assert not proposals.mark_lost(proposal, "", by=COMMAND, now=now())
    assert not proposals.revoke(proposal, by=COMMAND, now=now())


def test_an_acceptance_on_behalf_says_who_did_it_for_whom() -> None:
    proposal = make_proposal()
    offer(proposal)
    put_out(proposal)
    alice = person()
    accept(proposal, Signer("Aroha Ngata", on_behalf=alice.name), by=Actor.person(alice), shown=None)
    assert sentences(proposal)[-1] != ""
    assert "Proposal PROP-1 accepted on behalf of Aroha Ngata by Alice Ngata" in sentences(proposal)


def test_a_link_opens_until_its_last_day_is_over_in_the_firms_zone(clock) -> None:
    proposal = make_proposal(expires_on=date(2026, 11, 3))
    offer(proposal)
    token = put_out(proposal)
    assert proposals.behind(token, now=now()) is proposal
    clock.shift(timedelta(hours=11, minutes=59))
    assert not proposals.is_over(proposal, now())
    clock.shift(timedelta(minutes=1))
    assert proposals.is_over(proposal, now())
    with pytest.raises(proposals.TooLate):
        accept(proposal)
    assert proposals.due_to_expire(now(), AUCKLAND) == [proposal.id]
    assert proposals.expire(proposal, by=COMMAND, now=now(), zone=AUCKLAND)
    assert not proposals.expire(proposal, by=COMMAND, now=now(), zone=AUCKLAND)
    assert proposal.state == ProposalState.LOST


def test_a_revoked_link_opens_no_more_than_one_that_never_was() -> None:
    proposal = make_proposal()
    offer(proposal)
    token = put_out(proposal)
    assert token not in str(proposal.token_hash)
    proposals.revoke(proposal, by=COMMAND, now=now())
    assert proposals.behind(token, now=now()) is None
    second = put_out(proposal)
    third = proposals.new_link(proposal, by=COMMAND, now=now(), zone=AUCKLAND)
    assert proposals.behind(second, now=now()) is None
    assert proposals.behind(third, now=now()) is proposal
    assert proposals.behind("x" * 43, now=now()) is None


def test_what_is_not_ready_is_not_put_out() -> None:
    with pytest.raises(proposals.NotReady, match="at least one service"):
        put_out(make_proposal())
    late = make_proposal(make_client("Beta"), expires_on=date(2026, 11, 2))
    offer(late)
    with pytest.raises(proposals.NotReady, match="last day has gone by"):
        put_out(late)
    empty = make_proposal(make_client("Gamma"), options=["Basic", "Plus"])
    offer(empty, option=1)
    with pytest.raises(proposals.NotReady, match="package Plus is empty"):
        put_out(empty)


def test_the_figures_say_what_is_paid_when() -> None:
    proposal = make_proposal(discount=Decimal(10))
    offer(proposal, "Set-up", "500")
    offer(proposal, "Project", "1000", billing_type=BillingType.DEPOSIT, deposit=Decimal(300))
    offer(proposal, "Payroll", "10", quantity=Decimal(7), price_type=PriceType.UNIT, unit="employee",
          billing_type=BillingType.RECURRING, discount=Decimal(5))  # fmt: skip
    offer(proposal, "Books", "250", billing_type=BillingType.RECURRING, every=3, cadence=CadenceUnit.MONTH)
    offer(proposal, "Advice", "100", price_type=PriceType.RANGE, price_to=Decimal(200),
          billing_type=BillingType.ESTIMATE)  # fmt: skip
    offer(proposal, "Helpdesk", "0", price_type=PriceType.INCLUDED)
    content = proposals.content_of(proposal, "")
    found = {
        (one.when.value, one.every): (one.net, one.total, one.total_to) for one in proposals.parts(content, Choice())
    }
    assert found == {
        ("at_once", 0): (Decimal("1033.50"), Decimal("1188.53"), None),  # what recurs is in it for the first time
        ("recurring", 1): (Decimal("58.50"), Decimal("67.28"), None),
        ("recurring", 3): (Decimal("225.00"), Decimal("258.75"), None),
        ("later", 0): (Decimal("600.00"), Decimal("690.00"), None),
        ("estimate", 0): (Decimal("90.00"), Decimal("103.50"), Decimal("207.00")),
    }


def test_the_schedule_bills_what_the_client_was_shown() -> None:
    """The figures of the offer and the invoice come from the same sums, discounts of both kinds included."""
    proposal = make_proposal(discount=Decimal("12.5"))
    offer(proposal, "Set-up", "333.33", quantity=Decimal(3), discount=Decimal("7.77"))
    offer(proposal, "Report", "99.99", discount=Decimal(15), discount_is_percent=True)
    offer(proposal, "Project", "1000.01", billing_type=BillingType.DEPOSIT)
    offer(proposal, "Books", "250.50", billing_type=BillingType.RECURRING)
    offer(proposal, "Review", "90", billing_type=BillingType.RECURRING, delay=1)
    put_out(proposal)
    content = proposals.content_of(proposal, "")
    shown = proposals.parts(content, Choice())[0]
    (invoice,) = accept(proposal).invoices
    assert (invoice.net, invoice.tax) == (shown.net, shown.tax)


def test_a_copy_of_a_proposal_begins_anew() -> None:
    proposal = make_proposal(terms="Ours", options=["Basic"])
    offer(proposal, option=1)
    token = put_out(proposal)
    accept(proposal)
    other = make_client("Beta")
    copy = proposals.duplicate(proposal, other, by=COMMAND, now=now(), today=date(2026, 11, 3))
    assert (copy.number, copy.state, copy.client) == (2, ProposalState.DRAFT, other)
    assert (copy.accepted, copy.token_hash, copy.expires_on) == ({}, None, date(2026, 12, 3))
    assert [(line.name, line.option) for line in copy.lines] == [("Annual accounts", 1)]
    assert proposals.behind(token, now=now()) is proposal


def test_lines_can_be_moved_and_taken_out() -> None:
    proposal = make_proposal()
    first, second = offer(proposal, "First"), offer(proposal, "Second")
    third = offer(proposal, "Third")
    assert proposals.move_line(third, -1, now=now())
    assert not proposals.move_line(first, -1, now=now())
    assert [line.name for line in proposal.lines] == ["First", "Third", "Second"]
    proposals.remove_line(third, by=COMMAND, now=now())
    assert [(line.name, line.position) for line in proposal.lines] == [("First", 0), ("Second", 1)]
    assert second in proposal.lines


def test_a_line_nobody_could_be_billed_by_is_refused() -> None:
    proposal = make_proposal()
    with pytest.raises(library.BadService, match="more than the line comes to"):
        offer(proposal, price="10", discount=Decimal(11))
    db.session.rollback()


def test_a_proposal_is_found_by_its_number_its_name_and_its_client() -> None:
    acme, beta = make_client("Acme Corp"), make_client("Béta Ltd")
    one, two = make_proposal(acme), make_proposal(beta)
    put_out_two = offer(two)
    put_out(two)
    assert put_out_two.proposal is two
    assert proposals.listing() == [two, one]
    assert proposals.listing(words="beta") == [two]
    assert proposals.listing(words="PROP-1") == [one]
    assert proposals.listing(words="accounts acme") == [one]
    assert proposals.listing(state=ProposalState.AWAITING) == [two]
    assert proposals.listing(client_id=acme.id) == [one]
    assert proposals.listing(before=two.id) == [one]
    assert proposals.listing(words="100%") == []


def test_opening_the_link_is_put_on_record_once() -> None:
    proposal = make_proposal()
    offer(proposal)
    put_out(proposal)
    assert proposals.note_seen(proposal, now=now())
    assert not proposals.note_seen(proposal, now=now())
    seen = select(Activity).where(Activity.verb == Verb.PROPOSAL_SEEN)
    assert len(db.session.scalars(seen).all()) == 1


def test_acceptance_brings_the_client_into_apps_that_get_clients_then(app) -> None:
    """XPM-12: a client that is there already is not asked for again."""
    connection = make_connection()
    fresh, known = make_client("Fresh Ltd"), make_client("Known Ltd")
    make_link(known, connection, "record-1")
    for client in (fresh, known):
        proposal = make_proposal(client)
        offer(proposal)
        put_out(proposal)
        accept(proposal)
    assert [row.connection_id for row in outgoing.for_client(fresh)] == [connection.id]
    assert outgoing.for_client(known) == []


def test_an_archived_client_can_accept_nothing() -> None:
    proposal = make_proposal()
    offer(proposal)
    put_out(proposal)
    proposal.client.archived_at = now()
    with pytest.raises(proposals.TooLate):
        accept(proposal)
    assert schedule.services_of(proposal.client_id) == []
