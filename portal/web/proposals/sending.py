"""A proposal sent by mail: put out with its first message, or sent again with a new link that closes the one before."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, url_for

from portal import mailer
from portal.db import db
from portal.domain import mail, once, proposals
from portal.domain.mail import MailKind, MailProblem
from portal.domain.people import May
from portal.domain.proposals import Frozen, NotReady, Proposal, ProposalState
from portal.web import mailing
from portal.web.guard import actor, current_person, needs
from portal.web.mailing import SendForm
from portal.web.proposals import screen
from portal.web.proposals.lookups import locked_or_404, now, proposal_or_404, the_firm
from portal.web.render import done, refused, render

TEMPLATE = "proposals/sending.html"
OPEN = (ProposalState.DRAFT, ProposalState.AWAITING)
REPLACED = "a new message with a new link was sent instead"
NOT_OUT = "{} is not open for acceptance, so it is sent to nobody."


@screen.get("/<int:proposal_id>/sending")
@needs(May.EDIT_PROPOSALS)
def send(proposal_id: int) -> Response:
    """Whom it goes to, what it says, how it will look."""
    proposal = proposal_or_404(proposal_id)
    if proposal.state not in OPEN:
        return done(NOT_OUT.format(proposals.label(proposal)), ".page", tone="info", proposal_id=proposal_id)
    form = mailing.fresh_form(proposal.client, MailKind.PROPOSAL, mail.fields_of_proposal(proposal))
    return render(TEMPLATE, **_around(proposal, form))


@screen.post("/<int:proposal_id>/sending")
@needs(May.EDIT_PROPOSALS)
def sent(proposal_id: int) -> Response:
    """Put it out where it is a draft, and its link on the way; once however often the form arrives (PR-02)."""
    proposal = locked_or_404(proposal_id)
    if not mail.is_on():
        return done(mail.NOT_YET, ".page", tone="warn", proposal_id=proposal_id)
    form = SendForm(proposal.client, MailKind.PROPOSAL)
    if not form.validate():
        return refused(TEMPLATE, "form", **_around(proposal, form))
    if once.claim(form.once.data or "", now()) is None:
        db.session.rollback()
        said = "That form was sent already; nobody gets it twice."
        return done(said, ".page", tone="info", proposal_id=proposal_id)
    try:
        _put_down(proposal, form)
    except (NotReady, Frozen) as problem:
        db.session.rollback()
        return done(str(problem), ".page", tone="warn", proposal_id=proposal_id)
    except MailProblem as problem:
        db.session.rollback()
        form.refuse(problem)
        return refused(TEMPLATE, "form", **_around(proposal_or_404(proposal_id), form))
    said = f"{proposals.label(proposal)} is on its way to {mailing.labels(form.recipients())}."
    db.session.commit()
    mailer.send_soon()
    return done(said, ".page", proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/sending/previews")
@needs(May.EDIT_PROPOSALS)
def preview_sending(proposal_id: int) -> Response:
    """As typed so far; nothing is kept."""
    proposal = proposal_or_404(proposal_id)
    form = SendForm(proposal.client, MailKind.PROPOSAL)
    return render(TEMPLATE, blocks=("preview",), **_around(proposal, form))


@screen.post("/<int:proposal_id>/mails/<int:mail_id>/repeats")
@needs(May.EDIT_PROPOSALS)
def send_again(proposal_id: int, mail_id: int) -> Response:
    said, tone = mailing.try_again(_mail_or_404(proposal_id, mail_id))
    return done(said, ".page", tone=tone, proposal_id=proposal_id)


@screen.post("/<int:proposal_id>/mails/<int:mail_id>/withdrawal")
@needs(May.EDIT_PROPOSALS)
def take_back(proposal_id: int, mail_id: int) -> Response:
    said, tone = mailing.take_back(_mail_or_404(proposal_id, mail_id))
    return done(said, ".page", tone=tone, proposal_id=proposal_id)


def mails_of(proposal: Proposal) -> dict[str, Any]:
    """What `proposals/mails.html` shows on the proposal's page."""
    person = current_person()
    return {
        **mailing.mails_part(mail.of_proposal(proposal.id)),
        "may_send": person.may(May.EDIT_PROPOSALS) and proposal.state in OPEN,
        "may_set_mail": person.may(May.MANAGE_SETTINGS),
        "owner": {"proposal_id": proposal.id},
    }


def _around(proposal: Proposal, form: SendForm) -> dict[str, Any]:
    del form.with_link  # without its link the message would say nothing
    return {
        "form": form,
        "proposal": proposal,
        "client": proposal.client,
        "label": proposals.label(proposal),
        "is_draft": proposal.state == ProposalState.DRAFT,
        "known": mail.FIELDS[MailKind.PROPOSAL],
        "letters": [form.letter(mail.fields_of_proposal(proposal), proposals.label(proposal))],
        "envelope": mailing.envelope(form),
        "is_on": mail.is_on(),
        "may_set_mail": current_person().may(May.MANAGE_SETTINGS),
    }


def _put_down(proposal: Proposal, form: SendForm) -> None:
    """One message for each recipient, all with the one link. Raises what putting out raises, and `MailProblem`."""
    zone = the_firm().time_zone
    letter = form.letter(mail.fields_of_proposal(proposal), proposals.label(proposal))
    if proposal.state == ProposalState.DRAFT:
        token = proposals.put_out(proposal, by=actor(), now=now(), zone=zone)
    else:
        mailing.withdraw_waiting(mail.of_proposal(proposal.id), REPLACED)
        token = proposals.new_link(proposal, by=actor(), now=now(), zone=zone)
    for one in form.recipients():
        mail.put_down(
            kind=MailKind.PROPOSAL, key=mail.key_of(f"{form.once.data}:{proposal.id}", one.address), to=one,
            subject=letter.subject, message=letter.message, link=url_for("proposal.page", token=token),
            proposal=proposal, by=actor(), now=now(),
        )  # fmt: skip


def _mail_or_404(proposal_id: int, mail_id: int) -> int:
    row = mail.get(mail_id)
    return mail_id if row is not None and row.proposal_id == proposal_id else abort(404)
