"""/proposals/<id>/jobs: the jobs a proposal deploys in the practice app when it is accepted (XP-15 to XP-18)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response, abort
from wtforms import BooleanField, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.validators import Length, NumberRange
from wtforms.validators import Optional as MayBeEmpty

from portal import deploying
from portal.db import db
from portal.domain import client_page, connections, deliveries, proposals
from portal.domain.apps import Connection
from portal.domain.people import May
from portal.domain.proposals import Frozen, Proposal
from portal.domain.proposals.deploying import CATEGORY, DAYS, PER_PROPOSAL, PER_SERVICE, TEMPLATE, job_choices, jobs_of
from portal.web.fields import Amount, LongForm, LongText
from portal.web.forms import choices
from portal.web.guard import actor, needs
from portal.web.proposals import screen
from portal.web.proposals.lookups import locked_or_404, now, proposal_or_404
from portal.web.render import done, refused, render

TEMPLATE_FILE = "proposals/jobs.html"
PER_WORDS = ((PER_PROPOSAL, "One job for the whole proposal"), (PER_SERVICE, "A job for each service"))


class JobsForm(LongForm):
    deploys = BooleanField("Set up jobs when this proposal is accepted")
    connection = SelectField("Where", coerce=int)
    per = SelectField("How many", choices=choices(PER_WORDS))
    name = StringField("Name", validators=[Length(max=200)])
    description = LongText("Description", validators=[Length(max=5000)], render_kw={"rows": 3})
    template = SelectField("Template")
    category = SelectField("Category")
    budget = Amount("Budget", places=2)
    days = IntegerField("Due after so many days", validators=[MayBeEmpty(), NumberRange(1, 3660, "1 day or more.")])
    partner = SelectField("Partner", coerce=int)
    manager = SelectField("Manager", coerce=int)
    staff = SelectMultipleField("Staff", coerce=int)
    is_billed = BooleanField("Its invoices carry the billing group’s reference")

    def __init__(self, proposal: Proposal, takers: list[Connection], **more: Any) -> None:
        held, client = proposal.jobs, proposal.client
        shown = {name: held.get(name) for name in ("connection", "per", "name", "description", "template", "category")}
        shown |= {
            "deploys": bool(held), "days": held.get("days", DAYS), "staff": held.get("staff", []),
            "budget": Decimal(held["budget"]) if held.get("budget") else None,
            "is_billed": held.get("is_billed", True),
            "partner": held.get("partner", client.partner_id) or 0,
            "manager": held.get("manager", client.manager_id) or 0,
        }  # fmt: skip
        super().__init__(**(shown | more))
        self.connection.choices = choices((str(one.id), connections.label(one)) for one in takers)
        where = held.get("connection") or (takers[0].id if takers else 0)
        self.template.choices = choices([("", "None"), *job_choices(where, TEMPLATE)])
        self.category.choices = choices([("", "None"), *job_choices(where, CATEGORY)])
        people = [(str(one.id), one.name) for one in client_page.team(client.manager_id, client.partner_id)]
        self.partner.choices = self.manager.choices = choices([("0", "Nobody"), *people])
        self.staff.choices = choices(people)

    def values(self) -> dict[str, Any]:
        """As `Proposal.jobs` keeps them; empty for no jobs."""
        if not self.deploys.data:
            return {}
        return {
            "connection": self.connection.data, "per": self.per.data, "name": self.text("name"),
            "description": self.description.data or "", "template": self.template.data or "",
            "category": self.category.data or "", "budget": str(self.budget.data) if self.budget.data else "",
            "days": self.days.data or DAYS, "partner": self.partner.data or None, "manager": self.manager.data or None,
            "staff": self.staff.data or [], "is_billed": bool(self.is_billed.data),
        }  # fmt: skip


@screen.get("/<int:proposal_id>/jobs")
@needs(May.EDIT_PROPOSALS)
def jobs(proposal_id: int) -> Response:
    proposal, takers = proposal_or_404(proposal_id), deploying.takers()
    return render(TEMPLATE_FILE, form=JobsForm(proposal, takers), proposal=proposal, takers=takers)


@screen.post("/<int:proposal_id>/jobs")
@needs(May.EDIT_PROPOSALS)
def save_jobs(proposal_id: int) -> Response:
    proposal, takers = locked_or_404(proposal_id), deploying.takers()
    form = JobsForm(proposal, takers)
    if not form.validate():
        return refused(TEMPLATE_FILE, "form", form=form, proposal=proposal, takers=takers)
    try:
        changed = proposals.edit(proposal, {"jobs": form.values()}, by=actor(), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    return done("Saved." if changed else "Nothing was changed.", ".page", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/jobs/lists/<int:connection_id>")
@needs(May.EDIT_PROPOSALS)
def read_lists(proposal_id: int, connection_id: int) -> Response:
    """Ask the app again for its templates and categories; it is asked once an hour by itself."""
    why = deploying.read_choices(connection_id)
    said = why or "Templates and categories are read anew."
    return done(said, ".jobs", tone="warn" if why else "ok", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/jobs/<int:job_id>/tries")
@needs(May.MEND_DELIVERIES)
def try_job(proposal_id: int, job_id: int) -> Response:
    """What kept a job from the app is mended: it is looked for there, then sent."""
    found = next((row for job, row in jobs_of(proposal_or_404(proposal_id)) if job.id == job_id), None)
    if found is None:
        abort(404)
    try:
        deliveries.try_again(found, by=actor(), now=now())
    except deliveries.CannotTryAgain as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="info", proposal_id=proposal_id)
    delivery_id = found.id
    db.session.commit()
    deploying.deploy_soon([delivery_id])
    return done("It is being tried again.", ".page", proposal_id=proposal_id)
