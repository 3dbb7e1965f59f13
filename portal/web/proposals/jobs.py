"""/proposals/<id>/jobs: the jobs a proposal deploys in the practice app when it is accepted (XP-15 to XP-18)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response
from wtforms import BooleanField, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.validators import Length, NumberRange
from wtforms.validators import Optional as MayBeEmpty

from portal import deploying
from portal.db import db
from portal.domain import client_page, connections, proposals
from portal.domain.apps import Connection
from portal.domain.job_choices import KINDS, job_choices, named
from portal.domain.people import May
from portal.domain.proposals import Frozen, Proposal
from portal.domain.proposals.deploying import not_linked
from portal.domain.proposals.job_settings import DAYS, NONE, PER_PROPOSAL, PER_SERVICE, Setting, Source, planned
from portal.web.fields import Amount, LongForm, LongText
from portal.web.forms import choices
from portal.web.guard import actor, needs
from portal.web.proposals import screen
from portal.web.proposals.lookups import locked_or_404, now, proposal_or_404
from portal.web.render import done, refused, render

TEMPLATE_FILE = "proposals/jobs.html"
OPEN = "As its services say"
NO = "None, whatever its services say"
PER_WORDS = ((PER_PROPOSAL, "One job for the whole proposal"), (PER_SERVICE, "A job for each service"))

NO_SUCH = {
    Source.HERE: "set above",
    Source.DIFFER: "Its services name different ones, so it gets none; choose one above.",
    Source.NOBODY: "none of its services names a {what}",
}


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
        where = self.connection.data or (takers[0].id if takers else 0)
        for name, kind in KINDS.items():
            offered = job_choices(where, kind, held.get(name) or "")
            self[name].choices = choices([("", OPEN), (NONE, NO), *offered])
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
    return render(TEMPLATE_FILE, form=JobsForm(proposal, takers), **_around(proposal, takers))


@screen.post("/<int:proposal_id>/jobs")
@needs(May.EDIT_PROPOSALS)
def save_jobs(proposal_id: int) -> Response:
    proposal, takers = locked_or_404(proposal_id), deploying.takers()
    form = JobsForm(proposal, takers)
    if not form.validate():
        return refused(TEMPLATE_FILE, "form", form=form, **_around(proposal, takers))
    try:
        changed = proposals.edit(proposal, {"jobs": form.values()}, by=actor(), now=now())
    except Frozen as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    db.session.commit()
    to = ".jobs" if proposal.jobs else ".page"  # what the jobs come to is shown under the form
    said = "Saved." if changed else "Nothing was changed."
    if changed and proposal.jobs:
        said += " What an acceptance would set up stands below."
    return done(said, to, proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/jobs/lists/<int:connection_id>")
@needs(May.EDIT_PROPOSALS)
def read_lists(proposal_id: int, connection_id: int) -> Response:
    """Ask the app again for its templates and categories; it is asked once an hour by itself."""
    why = deploying.read_choices(connection_id)
    said = why or "Templates and categories are read anew."
    return done(said, ".jobs", tone="warn" if why else "ok", proposal_id=proposal_id)


def _around(proposal: Proposal, takers: list[Connection]) -> dict[str, Any]:
    """What stands around the form: what its jobs would be made of, and where each setting comes from."""
    return {"proposal": proposal, "takers": takers, "jobs": _planned(proposal), "missing": _missing(proposal)}


def _planned(proposal: Proposal) -> list[dict[str, Any]]:
    where = proposal.jobs.get("connection") or 0
    return [
        {
            "name": one.name.value,
            "named": "the name set above" if one.name.source == Source.HERE else "the proposal’s name",
            "services": one.services,
            "described": "the description above" if one.description.source == Source.HERE else "the list of services",
            "template": _shown(where, "template", one.template),
            "category": _shown(where, "category", one.category),
            "order_number": one.order_number.value,
            "billed": _billed(one.order_number),
        }
        for one in planned(proposal)
    ]  # fmt: skip


def _shown(connection_id: int, what: str, setting: Setting) -> tuple[str, str, bool]:
    """What it is called, where it comes from, and whether a person should look at it."""
    if not setting.value:
        return "None", NO_SUCH[setting.source].format(what=what), setting.source == Source.DIFFER
    name, is_there = named(connection_id, KINDS[what], setting.value)
    if not is_there:
        return name or "Unknown", f"This {what} is no longer there, and the app would refuse it; choose another.", True
    return name, "set above" if setting.source == Source.HERE else "as the library says of its services", False


def _billed(setting: Setting) -> str:
    if setting.value:
        return "the billing group; its invoices carry the same reference"
    if setting.source == Source.HERE:
        return "a job that is not billed"
    return "the proposal has no billing group, so the app finds no invoices for it"


def _missing(proposal: Proposal) -> list[str]:
    """Names of those who would work on the jobs and are nobody in the app yet."""
    held = proposal.jobs
    users = {one for one in (held.get("partner"), held.get("manager"), *held.get("staff", [])) if one}
    return not_linked(held["connection"], users) if held else []
