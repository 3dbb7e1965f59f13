"""Jobs of a proposal on the screens: what services name, what the proposal says, how each job stands afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import db
from portal.domain import library, outgoing, proposals
from portal.domain.activity import Activity, Verb
from portal.domain.apps import Connection, OutgoingState
from portal.domain.deliveries import Delivery, DeliveryState, Job
from portal.domain.job_choices import keep_choices
from portal.domain.library import Service
from portal.domain.proposals import Choice, Proposal, Signer
from portal.domain.proposals.deploying import STAFF, wake_staffed
from portal.domain.records import JobCategory, JobTemplate
from tests.cast import COMMAND, make_client, make_connection, make_firm, make_link, make_staff_link, now, person

TEMPLATES = (JobTemplate("t-gst", "GST Return"), JobTemplate("t-acc", "Annual Accounts"))
CATEGORIES = (JobCategory("c-tax", "Tax"), JobCategory("c-acc", "Accounting"))


@pytest.fixture(autouse=True)
def _nothing_goes_out(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """Sending has its own tests."""
    monkeypatch.setattr("portal.web.proposals.deployed.deploying.deploy_soon", lambda ids: None)


def make_practice(account: str = "Marlow & Co") -> Connection:
    connection = make_connection(account_name=account)
    keep_choices(connection.id, TEMPLATES, CATEGORIES)
    return connection


def make_service(name: str, connection: Connection, **made_of: str) -> Service:
    return library.create_service(
        name, by=COMMAND, now=now(), price=Decimal(100), jobs={str(connection.id): made_of} if made_of else {}
    )


def make_draft(*services: Service, linked_to: Connection | None = None, **jobs: Any) -> Proposal:
    client = make_client("Acme Corp")
    if linked_to is not None:
        make_link(client, linked_to, "client-7")
    proposal = proposals.draft(client, "Accounts 2027", by=COMMAND, now=now(), currency="NZD", jobs=jobs)
    for one in services:
        proposals.add_line(proposal, one, by=COMMAND, now=now())
    return proposal


def accept(proposal: Proposal) -> tuple[Job, Delivery]:
    proposals.put_out(proposal, by=COMMAND, now=now(), zone="Pacific/Auckland")
    proposals.accept(proposal, Choice(), Signer("Aroha Ngata"), shown=None, by=COMMAND, now=now())
    job = db.session.scalars(select(Job)).first()
    assert job is not None
    return job, db.session.scalars(select(Delivery).where(Delivery.job_id == job.id)).one()


def the_service(name: str) -> Service:
    return db.session.scalars(select(Service).where(Service.name == name)).one()


def test_a_service_says_what_its_jobs_are_made_of(story, sign_in_as) -> None:
    """XP-16."""
    with story():
        where = make_practice().id
    page = sign_in_as().get("/library/new")
    values = {f"jobs-{where}-template": "t-gst", f"jobs-{where}-category": "c-tax"}
    page.submit("Save", name="GST returns", price="100", **values)
    with story():
        held = the_service("GST returns")
        assert held.jobs == {str(where): {"template": "t-gst", "category": "c-tax"}}
        address = f"/library/services/{held.id}"
    sign_in_as().get(address).submit("Save", **{f"jobs-{where}-template": ""})
    with story():
        assert the_service("GST returns").jobs == {str(where): {"category": "c-tax"}}
        told = db.session.scalars(select(Activity).where(Activity.verb == Verb.SERVICE_CHANGED)).one()
        assert told.changes == [
            {"field": "jobs", "label": "Job settings", "old": "XPM: template GST Return, category Tax",
             "new": "XPM: category Tax"}
        ]  # fmt: skip


def test_without_a_practice_app_the_form_says_nothing_of_jobs_and_keeps_what_was_said(story, sign_in_as) -> None:
    with story():
        make_firm()
        held = library.create_service("GST", by=COMMAND, now=now(), price=Decimal(1), jobs={"7": {"template": "t"}})
        address = f"/library/services/{held.id}"
    page = sign_in_as().get(address)
    assert "Job template" not in page.text
    page.submit("Save", price="2")
    with story():
        assert the_service("GST").jobs == {"7": {"template": "t"}}


def test_the_librarys_file_names_templates_and_categories_and_comes_back_unchanged(story, sign_in_as) -> None:
    with story():
        where = make_practice()
        make_service("GST returns", where, template="t-gst", category="c-tax")
        make_service("Advice", where)
    browser = sign_in_as()
    file = browser.get("/library/services.csv").body.lstrip("\ufeff")
    assert file.splitlines()[0].endswith("Deposit,Job template,Job category")
    assert [line.split(",")[-2:] for line in file.splitlines()[1:]] == [["", ""], ["GST Return", "Tax"]]
    page = browser.post("/library/imports", text=file)
    assert page.text.count("As it is") == 2
    changed = file.replace("GST Return,Tax", ",Accounting")
    browser.post("/library/imports", text=changed, sure="yes")
    with story():
        assert list(the_service("GST returns").jobs.values()) == [{"category": "c-acc"}]
    with story():
        keep_choices(db.session.scalars(select(Connection.id)).one(), TEMPLATES, CATEGORIES[:1])
    assert "As it is" in browser.post("/library/imports", text=browser.get("/library/services.csv").body).text
    wrong = browser.post("/library/imports", text=file.replace("GST Return", "Gst return"))
    assert "Job template: XPM has no job template “Gst return”" in wrong.text


def test_the_jobs_page_says_where_each_setting_comes_from_and_may_say_otherwise(story, sign_in_as) -> None:
    """XP-16, XP-17."""
    with story():
        where = make_practice()
        gst = make_service("GST returns", where, template="t-gst", category="c-tax")
        accounts = make_service("Annual accounts", where, template="t-acc", category="c-tax")
        proposal = make_draft(gst, accounts, connection=where.id, per="proposal")
        address, reference = f"/proposals/{proposal.id}/jobs", f"CLI-{proposal.client_id}"
    page = sign_in_as().get(address)
    assert "None Its services name different ones, so it gets none; choose one above." in page.text
    assert "Tax as the library says of its services" in page.text
    assert f"{reference} the billing group; its invoices carry the same reference" in page.text
    page = page.submit("Save", template="t-gst", is_billed=None, name="Year end")
    assert "GST Return set above" in page.text
    assert "None a job that is not billed" in page.text
    assert "Year end the name set above; described by the list of services: GST returns, Annual accounts" in page.text
    page = page.submit("Save", per="service", template="", category="-")
    assert "Year end: GST returns" in page.text
    assert page.text.count("as the library says of its services") == 2
    assert page.text.count("None set above") == 2
    with story():
        changed = select(Activity).where(Activity.verb == Verb.PROPOSAL_CHANGED).order_by(Activity.id)
        told = db.session.scalars(changed).all()[-1].changes
        assert told[0]["old"] == "XPM, one in all, template GST Return, name Year end, due after 30 days, not billed"
        assert told[0]["new"] == "XPM, one a service, no category, name Year end, due after 30 days, not billed"


def test_a_template_that_is_gone_is_told_before_the_app_refuses_it(story, sign_in_as) -> None:
    with story():
        where = make_practice()
        gst = make_service("GST returns", where, template="t-gst")
        proposal = make_draft(gst, connection=where.id, per="proposal", category="c-tax")
        keep_choices(where.id, TEMPLATES[1:], CATEGORIES[1:])
        address = f"/proposals/{proposal.id}/jobs"
    page = sign_in_as().get(address)
    assert "GST Return This template is no longer there, and the app would refuse it; choose another." in page.text
    assert "Tax (no longer there)" in page.text


def test_each_job_is_made_as_the_page_said(story) -> None:
    """XP-16."""
    with story():
        where = make_practice()
        gst = make_service("GST returns", where, template="t-gst", category="c-tax")
        accounts = make_service("Annual accounts", where)
        proposal = make_draft(gst, accounts, linked_to=where, connection=where.id, per="service", category="c-acc")
        accept(proposal)
        jobs = list(db.session.scalars(select(Job).order_by(Job.id)))
        held = [(one.name, one.settings["template"], one.settings["category"]) for one in jobs]
    assert held == [("Accounts 2027: GST returns", "t-gst", "c-acc"), ("Accounts 2027: Annual accounts", "", "c-acc")]


def test_who_is_not_linked_is_said_before_and_after_and_linking_sets_the_job_going(story, sign_in_as) -> None:
    """XP-15."""
    with story():
        where, bob = make_practice(), person("member")
        proposal = make_draft(
            make_service("GST", where), linked_to=where, connection=where.id, per="proposal", partner=bob.id
        )
        number = proposal.id
    assert "Bob Tamihana is not linked to anybody in the app" in sign_in_as().get(f"/proposals/{number}/jobs").text
    with story():
        _job, row = accept(db.session.get_one(Proposal, number))
        row.state, row.cause, row.next_at = DeliveryState.ASKS, STAFF, None
        row.reason = "Bob Tamihana is not linked to anybody there yet."
        assert wake_staffed(now()) == 0
    page = sign_in_as().get(f"/proposals/{number}")
    assert "Waits for somebody Job Accounts 2027 for XPM" in page.text
    assert page.links()["Link people under Team"] == "/settings/team"
    with story():
        make_staff_link(person("member"), db.session.scalars(select(Connection)).one(), "staff-1")
        assert wake_staffed(now()) == 1
        assert db.session.scalars(select(Delivery).where(Delivery.kind == "job")).one().state == DeliveryState.WAITING
    assert "On its way Job Accounts 2027" in sign_in_as().get(f"/proposals/{number}", block="job-section").text


def test_a_refused_job_is_changed_and_tried_again(story, sign_in_as) -> None:
    with story():
        where = make_practice()
        proposal = make_draft(make_service("GST", where), linked_to=where, connection=where.id, template="t-gst")
        job, row = accept(proposal)
        row.state, row.cause, row.next_at, row.sent_at = DeliveryState.FAILED, "other", None, now()
        row.reason = "XPM said: Invalid job template identifier."
        address, number = f"/proposals/{proposal.id}", job.id
    page = sign_in_as().get(address)
    assert "Not set up Job Accounts 2027 for XPM" in page.text
    page = page.click("Change the job").submit("Save and try again", template="t-acc")
    assert page.said == "Saved; it is being tried again."
    with story():
        held = db.session.get_one(Job, number)
        assert held.settings["template"] == "t-acc"
        told = db.session.scalars(select(Activity).where(Activity.verb == Verb.JOB_CHANGED)).one()
        assert told.changes[0] == {"field": "", "label": "Template", "old": "GST Return", "new": "Annual Accounts"}
        row = db.session.scalars(select(Delivery).where(Delivery.job_id == number)).one()
        row.state, row.remote_id, row.remote_number = DeliveryState.DELIVERED, "uuid-1", "J0001"
        row.web_url = "https://practice.example/job/1"
    page = sign_in_as().get(address)
    assert page.links()["J0001 in XPM"] == "https://practice.example/job/1"
    late = sign_in_as().get(f"{address}/jobs/{number}").submit("Save and try again", template="t-gst")
    assert "is in XPM, or may be; change it there." in late.said


def test_the_client_on_its_way_into_the_practice_app_is_shown_and_failing_has_a_button(story, sign_in_as) -> None:
    """XPM-12."""
    with story():
        where = make_practice()
        proposal = make_draft(make_service("GST", where), connection=where.id, per="proposal")
        accept(proposal)
        going = outgoing.ask(proposal.client, where, by=COMMAND, now=now())
        address, number = f"/proposals/{proposal.id}", going.id
    page = sign_in_as().get(address)
    assert "Acme Corp in XPM being created in XPM" in page.text
    assert "On its way Job Accounts 2027 for XPM" in page.text
    with story():
        going = outgoing.get(number)
        assert going is not None
        going.state, going.reason = OutgoingState.FAILED, "The practice has reached its limit of clients."
    page = sign_in_as().get(address)
    assert "The practice has reached its limit of clients." in page.text
    assert "Try again" in page.buttons()
