"""The Proposals screen: from a draft to an accepted proposal, as the people of the firm see it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jobs import proposal_expiry
from portal.domain import library, proposals
from portal.domain.library import BillingType
from portal.domain.proposals import Proposal, ProposalState
from tests.cast import COMMAND, make_client, make_firm, now

AUCKLAND = "Pacific/Auckland"


@pytest.fixture(autouse=True)
def _noon(clock) -> None:
    """At NOON."""


@pytest.fixture(autouse=True)
def _nothing_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending has its own tests."""
    monkeypatch.setattr("portal.web.proposals.carrying.deliveries.deliver_soon", lambda ids: None)


def make_draft(client_name: str = "Acme Corp", name: str = "Accounts 2027", **fields: Any) -> Proposal:
    """A draft with one service billed at once."""
    make_firm()
    rate = library.default_tax_rate() or library.add_tax_rate("GST 15 %", Decimal(15), by=COMMAND, now=now())
    fields = {"currency": "NZD", "expires_on": date(2026, 12, 3)} | fields
    contacts = [{"name": "Aroha Ngata", "email": "aroha@acme.example"}]
    client = make_client(client_name, contacts=contacts)
    proposal = proposals.draft(client, name, by=COMMAND, now=now(), **fields)
    proposals.add_line(
        proposal, by=COMMAND, now=now(), name="Company set-up", price=Decimal(500), tax_rate_id=rate.id,
        billing_type=BillingType.ON_ACCEPTANCE,
    )  # fmt: skip
    return proposal


def put_out(proposal: Proposal) -> str:
    return f"/p/{proposals.put_out(proposal, by=COMMAND, now=now(), zone=AUCKLAND)}"


def state_of(proposal_id: int) -> ProposalState:
    held = proposals.get(proposal_id)
    assert held is not None
    return held.state


def test_a_proposal_is_drafted_filled_and_put_out(story, sign_in_as, browser) -> None:
    with story():
        make_firm()
        rate = library.add_tax_rate("GST 15 %", Decimal(15), by=COMMAND, now=now())
        library.create_service("Annual accounts", by=COMMAND, now=now(), price=Decimal(1200), tax_rate_id=rate.id)
        make_client("Acme Corp")
    staff = sign_in_as("member")
    page = staff.get("/proposals").click("New proposal")
    page = page.browser.get("/proposals/new?q=acme").click("Acme Corp")
    page = page.submit("Make the draft", name="Accounts 2027", message="Kia ora.")
    assert page.said == "The draft is made. Put services into it next."
    assert page.submit("Add the ticked services").said == "Tick the services to add."
    page = page.submit("Add the ticked services", service=["1"])
    assert page.said == "Annual accounts is in the proposal."
    page = page.click("Done")
    assert "On acceptance $1,380.00 $1,200.00 before tax, GST 15 % $180.00" in page.text
    page = page.submit("Put out for acceptance")
    link = page.find("//input[@id='fresh-link']").get("value")
    assert re.fullmatch(r"http://localhost/p/[\w-]{43}", link)
    assert page.browser.get(page.path).all("//input[@id='fresh-link']") == []
    assert browser.get(link.removeprefix("http://localhost")).h1 == "Accounts 2027"


def test_the_list_shows_states_figures_and_finds_by_client(story, sign_in_as) -> None:
    with story():
        make_draft("Acme Corp")
        put_out(make_draft("Beta Ltd", "Payroll", expires_on=date(2026, 11, 6)))
    browser = sign_in_as("support")
    rows = [" ".join(row.text_content().split()) for row in browser.get("/proposals").all("//tbody/tr")]
    assert rows[0].startswith("Payroll PROP-2 Beta Ltd Awaiting acceptance until 6 Nov 2026 $575.00")
    assert rows[1].startswith("Accounts 2027 PROP-1 Acme Corp Draft $575.00")
    assert len(browser.get("/proposals?state=draft", block="rows").all("//tbody/tr")) == 1
    assert len(browser.get("/proposals?q=beta", block="rows").all("//tbody/tr")) == 1
    assert "No proposal matches" in browser.get("/proposals?q=nobody").text


def test_a_line_is_changed_moved_and_taken_out(story, sign_in_as) -> None:
    with story():
        proposal_id = make_draft().id
        make_draft("Beta Ltd")
    browser = sign_in_as("member")
    page = browser.get(f"/proposals/{proposal_id}/lines").click("Add a line of your own")
    page = page.submit(
        "Add to the proposal", name="Advice", price="100", quantity="2", discount="10", discount_kind="percent"
    )
    assert page.said == "Advice is in the proposal."
    assert "Advice 2 × $100.00, $20.00 discount taken off On acceptance $180.00" in page.text
    wrong = page.click("Advice").submit("Save", discount="500", discount_kind="amount")
    assert wrong.status == 422
    assert "more than the line comes to" in wrong.errors()["discount"]
    page = page.submit("Move Advice up")
    assert [row.xpath("string(th/a)").strip() for row in page.all("//tbody/tr")] == ["Advice", "Company set-up"]
    page = page.submit("Remove: Advice")
    assert page.said.startswith("Advice is removed from the proposal.")
    page = page.submit("Undo")
    assert page.said == "Advice is back where it was."
    assert [row.xpath("string(th/a)").strip() for row in page.all("//tbody/tr")] == ["Advice", "Company set-up"]
    assert "2 × $100.00, $20.00 discount taken off" in page.text


def test_packages_are_two_or_more_and_lines_belong_to_one(story, sign_in_as) -> None:
    with story():
        proposal = make_draft()
        proposal_id, line_id = proposal.id, proposal.lines[0].id
    browser = sign_in_as("member")
    page = browser.get(f"/proposals/{proposal_id}/details")
    assert page.submit("Save", options="Only one").errors() == {
        "options": "One package is no choice. Name at least two, or none."
    }
    page.submit("Save", options="Basic\nPlus")
    browser.get(f"/proposals/{proposal_id}/lines/{line_id}").submit("Save", option="2")
    page = browser.get(f"/proposals/{proposal_id}").submit("Put out for acceptance")
    assert page.said == "The package Basic is empty. Put a service into it, or take it away."


def test_a_later_last_day_keeps_the_link_open_longer(story, sign_in_as, browser, clock) -> None:
    with story():
        proposal = make_draft(expires_on=date(2026, 11, 4))
        proposal_id, link = proposal.id, put_out(proposal)
    sign_in_as("member").get(f"/proposals/{proposal_id}/details").submit("Save", expires_on="2026-11-10")
    clock.shift(timedelta(days=3))
    assert browser.get(link).status == 200


def test_accepting_for_a_client_goes_on_record_under_both_names(story, sign_in_as) -> None:
    with story():
        proposal = make_draft()
        proposal_id, _ = proposal.id, put_out(proposal)
    page = sign_in_as("member").get(f"/proposals/{proposal_id}").click("Accept on their behalf")
    assert page.find("//input[@name='name']").get("value") == "Aroha Ngata"
    assert page.submit("Accept for Acme Corp").errors() == {"agreed": "Tick this only when it is so."}
    page = page.submit("Accept for Acme Corp", agreed="y")
    assert page.said == "Accepted. Invoice INV-0001 made."
    assert "Proposal PROP-1 accepted on behalf of Aroha Ngata by Bob Tamihana" in page.text
    assert "INV-0001, $575.00, due 17 Nov 2026" in page.text
    again = page.browser.post(f"/proposals/{proposal_id}/acceptance", name="Aroha", agreed="y")
    assert again.said == "It was accepted already; nothing was done twice."


def test_an_accepted_proposal_offers_no_change(story, sign_in_as, browser) -> None:
    """PR-03."""
    with story():
        proposal = make_draft()
        proposal_id, link = proposal.id, put_out(proposal)
    browser.get(link).submit("Accept proposal", name="Aroha Ngata", agreed="yes")
    staff = sign_in_as("admin")
    page = staff.get(f"/proposals/{proposal_id}")
    assert "Services" not in page.links() and "Change" not in page.links()
    late = staff.post(f"/proposals/{proposal_id}/lines", service="0")
    assert "was accepted and can be changed no more" in late.said
    late = staff.post(f"/proposals/{proposal_id}/revocation")
    assert late.said == "Nothing was changed: it is not out."
    assert page.submit("Duplicate").said == "This is PROP-2, a draft with the content of PROP-1."


def test_a_proposal_is_taken_back_linked_anew_and_lost(story, sign_in_as, browser) -> None:
    with story():
        proposal = make_draft()
        proposal_id, link = proposal.id, put_out(proposal)
    staff = sign_in_as("member")
    page = staff.get(f"/proposals/{proposal_id}").submit("Make a new link")
    fresh = page.find("//input[@id='fresh-link']").get("value").removeprefix("http://localhost")
    assert (browser.get(link).status, browser.get(fresh).status) == (404, 200)
    page = page.submit("Take back to draft")
    assert browser.get(fresh).status == 404
    page = page.submit("Mark as lost", reason="Too dear")
    assert "Too dear" in page.text
    with story():
        assert state_of(proposal_id) == ProposalState.LOST
    page.submit("Back to draft")
    with story():
        assert state_of(proposal_id) == ProposalState.DRAFT


def test_the_preview_is_the_clients_page_with_nothing_to_press(story, sign_in_as) -> None:
    with story():
        proposal_id = make_draft().id
    page = sign_in_as("support").get(f"/proposals/{proposal_id}/preview")
    assert "This is what Acme Corp will see." in page.text
    assert page.find("//button").get("disabled") is not None
    with story():
        assert state_of(proposal_id) == ProposalState.DRAFT


def test_support_reads_proposals_and_changes_none(story, sign_in_as) -> None:
    with story():
        proposal_id = make_draft().id
    support = sign_in_as("support")
    assert "Put out for acceptance" not in support.get(f"/proposals/{proposal_id}").buttons()
    assert support.post(f"/proposals/{proposal_id}/offer").status == 403
    assert support.get("/proposals/new").status == 403


def test_an_unanswered_proposal_expires_by_itself_once(story, app, clock) -> None:
    """PR-01."""
    with story():
        proposal = make_draft(expires_on=date(2026, 11, 4))
        proposal_id, _ = proposal.id, put_out(proposal)
    clock.shift(timedelta(days=2))
    with app.app_context():
        assert proposal_expiry.run(now()) == 1
        assert proposal_expiry.run(now()) == 0
    with story():
        assert state_of(proposal_id) == ProposalState.LOST


def test_two_people_at_once_do_not_overwrite_each_others_details(story, sign_in_as) -> None:
    with story():
        proposal_id = make_draft().id
    browser = sign_in_as("member")
    old = browser.get(f"/proposals/{proposal_id}/details")
    browser.get(f"/proposals/{proposal_id}/details").submit("Save", name="Accounts 2028")
    page = old.submit("Save", name="Accounts 2029")
    assert page.status == 409
    assert "Somebody else saved this while you had it open" in page.text
    assert "Name Accounts 2028 Save puts yours in its place." in page.text
    assert page.find("//input[@name='name']").get("value") == "Accounts 2029"
    assert page.submit("Save").h1 == "Accounts 2029"


def test_several_services_are_put_into_a_package_at_once(story, sign_in_as) -> None:
    with story():
        proposal_id = make_draft(options=["Basic", "Plus"]).id
        for name in ("Payroll", "GST return"):
            library.create_service(name, by=COMMAND, now=now(), price=Decimal(100))
    page = sign_in_as("member").get(f"/proposals/{proposal_id}/lines")
    page = page.submit("Add the ticked services", service=["1", "2"], option="2")
    assert page.said == "Payroll and GST return are in the proposal."
    rows = [" ".join(row.text_content().split()) for row in page.all("//tbody/tr")]
    told = [row.split(" On acceptance")[0] for row in rows]
    assert told == ["Company set-up Every", "Payroll Plus", "GST return Plus"]


def test_something_of_its_own_is_offered_only_once_it_is_filled_in(story, sign_in_as, browser) -> None:
    """The client of an open link never sees a line that nobody has named yet."""
    with story():
        proposal = make_draft()
        proposal_id, link = proposal.id, put_out(proposal)
    form = sign_in_as("member").get(f"/proposals/{proposal_id}/lines").click("Add a line of your own")
    assert browser.get(link).all("//*[@class='service']//h3")[0].text_content().strip() == "Company set-up"
    assert len(browser.get(link).all("//*[@class='service']")) == 1
    assert form.submit("Add to the proposal", name="", price="100").errors() == {"name": "Give it a name."}
    first = form.submit("Add to the proposal", name="Advice", price="100")
    assert first.said == "Advice is in the proposal."
    again = form.submit("Add to the proposal", name="Advice", price="100")
    assert again.said == "That form was sent already; what it added is here."
    assert len(browser.get(link).all("//*[@class='service']")) == 2


def test_two_people_at_once_do_not_overwrite_each_others_line(story, sign_in_as) -> None:
    """Fault row 89."""
    with story():
        proposal = make_draft()
        path = f"/proposals/{proposal.id}/lines/{proposal.lines[0].id}"
    browser = sign_in_as("member")
    old = browser.get(path)
    browser.get(path).submit("Save", price="600", is_optional="y")
    page = old.submit("Save", price="700", description="All of it.")
    assert page.status == 409
    assert "Description – Price before tax 600 The client may leave it out yes" in page.text
    assert page.find("//input[@name='price']").get("value") == "700"
    page = page.submit("Save")
    assert page.said == "Saved."
    assert "$700.00" in page.text


def test_a_line_is_put_back_once(story, sign_in_as) -> None:
    with story():
        proposal = make_draft()
        proposal_id, line_id = proposal.id, proposal.lines[0].id
    browser = sign_in_as("member")
    undo = browser.get(f"/proposals/{proposal_id}/lines").submit("Remove: Company set-up").form("Undo").get("action")
    assert browser.post(undo).said == "Company set-up is back where it was."
    assert browser.post(undo).said == "Nothing was changed: it is back already."
    with story():
        held = proposals.get(proposal_id)
        assert held is not None
        assert [(line.name, line.price) for line in held.lines] == [("Company set-up", Decimal(500))]
        assert held.lines[0].id != line_id or held.lines[0].tax_rate_id is not None


def test_terms_are_written_once_and_taken_over_from_then_on(story, sign_in_as) -> None:
    with story():
        make_draft(terms="You pay within 14 days.")
        make_client("Beta Ltd")
    page = sign_in_as("member").get("/proposals/new?client=2")
    assert page.find("//textarea[@name='terms']").text_content().strip() == "You pay within 14 days."
    assert "As in the proposal written last." in page.text


def test_the_list_says_what_a_proposal_is_worth_and_not_only_what_is_paid_first(story, sign_in_as) -> None:
    with story():
        proposal = make_draft()
        rate = proposal.lines[0].tax_rate_id
        for name, price, billing, more in (
            ("Annual accounts", 2400, BillingType.DEPOSIT, {"deposit": Decimal(800)}),
            ("Tax return", 850, BillingType.ON_COMPLETION, {}),
            ("Bookkeeping", 300, BillingType.RECURRING, {}),
        ):
            proposals.add_line(
                proposal, by=COMMAND, now=now(), name=name, price=Decimal(price), billing_type=billing,
                tax_rate_id=rate, **more,
            )  # fmt: skip
    row = " ".join(sign_in_as("support").get("/proposals").find("//tbody/tr").text_content().split())
    assert "Draft $345.00 every month $4,312.50 once" in row


def test_what_was_ticked_for_a_client_stays_ticked_when_something_is_missing(story, sign_in_as) -> None:
    with story():
        proposal = make_draft()
        for name in ("Payroll", "Advice"):
            proposals.add_line(
                proposal, by=COMMAND, now=now(), name=name, price=Decimal(40), is_optional=True, is_taken=False
            )
        proposal_id, _ = proposal.id, put_out(proposal)
    page = sign_in_as("member").get(f"/proposals/{proposal_id}/acceptance")
    assert "Company set-up once, on acceptance $500.00" in page.text
    ids = [box.get("value") for box in page.all("//input[@name='take']")]
    page = page.submit("Accept for Acme Corp", take=[ids[1]])
    assert page.status == 422
    assert [box.get("checked") for box in page.all("//input[@name='take']")] == [None, "checked"]


@pytest.mark.parametrize(
    "address",
    [
        "/proposals/{0}", "/proposals?client={0}", "/proposals?before={0}", "/proposals/new?client={0}",
        "/library/services/{0}", "/clients/{0}/billing", "/proposals/1/lines/{0}", "/certificates/?ledger={0}",
        "/rehearsal?page={0}", "/clients/1/billing/new-item?service={0}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000])
def test_numbers_nobody_has_lead_nowhere_and_break_nothing(story, sign_in_as, address: str, number: str) -> None:
    with story():
        make_draft()
    assert sign_in_as("admin").get(address.format(number)).status in (200, 404)


def test_numbers_nobody_has_are_taken_for_no_choice(story, sign_in_as, browser) -> None:
    with story():
        proposal = make_draft()
        proposal_id, link = proposal.id, put_out(proposal)
    for number in ("9" * 19, "9" * 5000):
        assert browser.post(f"{link}/choice", take=number, option=number).status == 200
        assert browser.post(f"{link}/acceptance", take=number, option=number, shown="x").status == 409
        staff = sign_in_as("member")
        assert staff.post(f"/proposals/{proposal_id}/lines", service=number).said == "Tick the services to add."
        assert staff.post(f"/proposals/{proposal_id}/acceptance", name="A", take=number).status == 422
