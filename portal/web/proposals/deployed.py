"""The jobs of an accepted proposal on their way to the practice app: how each stands, changed, tried again (XP-15)."""

from __future__ import annotations

from typing import Any

from flask import Response, abort
from wtforms import SelectField, SelectMultipleField

from portal import deploying
from portal.db import db
from portal.domain import client_page, connections, deliveries
from portal.domain.deliveries import Delivery, Job
from portal.domain.job_choices import KINDS, job_choices
from portal.domain.people import May
from portal.domain.proposals import Proposal
from portal.domain.proposals.deployed import Standing, TooLate, change_job, creations, standings
from portal.web.forms import Form, choices
from portal.web.guard import actor, current_person, needs
from portal.web.proposals import screen
from portal.web.proposals.lookups import now, proposal_or_404
from portal.web.render import done, refused, render

TEMPLATE_FILE = "proposals/job.html"
WORDS = {
    Standing.ON_ITS_WAY: ("On its way", "info"),
    Standing.LOOKED_FOR: ("Being looked for", "info"),
    Standing.ASKS: ("Waits for somebody", "warn"),
    Standing.REFUSED: ("Not set up", "bad"),
    Standing.THERE: ("Set up", "ok"),
    Standing.NOT_TO_GO: ("Not to be set up", "muted"),
}


class JobForm(Form):
    """What can still be mended while the job is not there."""

    template = SelectField("Template")
    category = SelectField("Category")
    partner = SelectField("Partner", coerce=int)
    manager = SelectField("Manager", coerce=int)
    staff = SelectMultipleField("Staff", coerce=int)

    def __init__(self, job: Job, row: Delivery, proposal: Proposal) -> None:
        held, client = job.settings, proposal.client
        shown = {name: held.get(name) or "" for name in KINDS} | {"staff": held.get("staff", [])}
        super().__init__(**shown, partner=held.get("partner") or 0, manager=held.get("manager") or 0)
        for name, kind in KINDS.items():
            self[name].choices = choices([("", "None"), *job_choices(row.connection_id, kind, held.get(name) or "")])
        people = [(str(one.id), one.name) for one in client_page.team(client.manager_id, client.partner_id)]
        self.partner.choices = self.manager.choices = choices([("0", "Nobody"), *people])
        self.staff.choices = choices(people)

    def values(self) -> dict[str, Any]:
        return {
            "template": self.template.data or "", "category": self.category.data or "",
            "partner": self.partner.data or None, "manager": self.manager.data or None, "staff": self.staff.data or [],
        }  # fmt: skip


def jobs_section(proposal: Proposal) -> dict[str, Any]:
    """What the part of a proposal's page about its jobs shows."""
    if not proposal.accepted:
        return {"jobs": [], "creations": [], "jobs_move": False}
    person = current_person()
    jobs, going = standings(proposal), creations(proposal)
    return {
        "jobs": [(one, *WORDS[one.standing]) for one in jobs],
        "creations": [(one, connections.label(one.connection)) for one in going],
        "jobs_move": any(one.is_moving for one in jobs) or any(one.state in _MOVING for one in going),
        "may_mend": person.may(May.MEND_DELIVERIES),
        "may_change": person.may(May.EDIT_PROPOSALS),
        "may_link": person.may(May.SETTLE_MATCHES),
    }


@screen.get("/<int:proposal_id>/jobs/<int:job_id>")
@needs(May.EDIT_PROPOSALS)
def job(proposal_id: int, job_id: int) -> Response:
    proposal = proposal_or_404(proposal_id)
    held, row = _job_or_404(proposal, job_id)
    return render(TEMPLATE_FILE, form=JobForm(held, row, proposal), proposal=proposal, job=held, row=row)


@screen.post("/<int:proposal_id>/jobs/<int:job_id>")
@needs(May.EDIT_PROPOSALS)
def change(proposal_id: int, job_id: int) -> Response:
    """Change what it is made of, and have it tried again."""
    proposal = proposal_or_404(proposal_id)
    held, row = _job_or_404(proposal, job_id)
    form = JobForm(held, row, proposal)
    if not form.validate():
        return refused(TEMPLATE_FILE, "form", form=form, proposal=proposal, job=held, row=row)
    try:
        changed = change_job(held, row, form.values(), by=actor(), now=now())
    except TooLate as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="info", proposal_id=proposal_id)
    said = "Saved; it is being tried again." if changed else "Nothing was changed; it is being tried again."
    return _tried(row, proposal_id, said)


@screen.post("/<int:proposal_id>/jobs/<int:job_id>/tries")
@needs(May.MEND_DELIVERIES)
def try_job(proposal_id: int, job_id: int) -> Response:
    """What kept a job from the app is mended: it is looked for there, then sent."""
    _held, row = _job_or_404(proposal_or_404(proposal_id), job_id)
    try:
        deliveries.try_again(row, by=actor(), now=now())
    except deliveries.CannotTryAgain as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="info", proposal_id=proposal_id)
    return _tried(row, proposal_id, "It is being tried again.")


_MOVING = ("ready", "sending")  # clients on their way into an app


def _tried(row: Delivery, proposal_id: int, said: str) -> Response:
    delivery_id = row.id
    db.session.commit()
    deploying.deploy_soon([delivery_id])
    return done(said, ".page", proposal_id=proposal_id)


def _job_or_404(proposal: Proposal, job_id: int) -> tuple[Job, Delivery]:
    found = next((one for one in standings(proposal) if one.job.id == job_id), None) or abort(404)
    return found.job, found.delivery
