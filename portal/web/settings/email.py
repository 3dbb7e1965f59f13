"""Settings → Email: who the firm's mail comes from, what it says, whether invoices go out by themselves, and a test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, abort, request
from wtforms import BooleanField, IntegerField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import HiddenInput

from portal import mailer
from portal.db import db
from portal.domain import mail, once, people
from portal.domain.mail import MailKind, MailProblem, MailShown, Recipient, StaleMailSettings
from portal.domain.people import May
from portal.web import mailing
from portal.web.fields import LongForm, LongText
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, refused, render
from portal.web.settings import screen

TEMPLATE = "settings/email.html"
TEST_MESSAGE = (
    "This is a test message of {{firm}}’s portal.\n\nThat you can read it means that its mail goes out. Clients see "
    "the same sender; answers go where an answer to this message goes."
)


class EmailForm(LongForm):
    sender_name = StringField("Sender’s name", [Length(max=200)])
    reply_to = StringField("Address for answers", [Length(max=254)], render_kw={"inputmode": "email"})
    sends_invoices = BooleanField("Send invoices that are raised by themselves")
    invoice_subject = StringField("Subject", [DataRequired("Write a subject."), Length(max=mail.LONGEST_SUBJECT)])
    invoice_message = LongText(
        "Message", [DataRequired("Write a message."), Length(max=mail.LONGEST_MESSAGE)], render_kw={"rows": 9}
    )
    proposal_subject = StringField("Subject", [DataRequired("Write a subject."), Length(max=mail.LONGEST_SUBJECT)])
    proposal_message = LongText(
        "Message", [DataRequired("Write a message."), Length(max=mail.LONGEST_MESSAGE)], render_kw={"rows": 9}
    )
    version = IntegerField(widget=HiddenInput())

    def values(self) -> dict[str, Any]:
        return {name: bool(self[name].data) if name == "sends_invoices" else self.text(name) for name in mail.SETTINGS}


@screen.get("/email", endpoint="email")
@needs(May.MANAGE_SETTINGS)
def email_settings() -> Response:
    form = EmailForm(formdata=None, obj=mail.settings())
    return render(TEMPLATE, blocks=("test",), form=form, **_around())


@screen.post("/email")
@needs(May.MANAGE_SETTINGS)
def save_email() -> Response:
    form = EmailForm()
    if not form.validate():
        return refused(TEMPLATE, "email_form", form=form, **_around())
    try:
        changed = mail.change_settings(form.values(), version=form.version.data or 0, by=actor(), now=_now())
    except MailProblem as problem:
        db.session.rollback()
        form[problem.field].errors = [str(problem)]
        return refused(TEMPLATE, "email_form", form=form, **_around())
    except StaleMailSettings:
        return _changed_meanwhile(form)
    db.session.commit()
    return done("Saved. It holds from the next message on." if changed else "Nothing was changed.", ".email")


@screen.post("/email/tests")
@needs(May.MANAGE_SETTINGS)
def send_test() -> Response:
    """A message to whoever asks, by the same way as those to clients."""
    person, firm = current_person(), people.the_firm()
    values = {"firm": firm.name if firm else ""}
    event = f"test:{request.form.get('once') or once.fresh()}"[:100]
    try:
        row = mail.put_down(
            kind=MailKind.TEST, key=mail.key_of(event, person.email), to=Recipient(person.name, person.email),
            subject=mail.fill("Test message from {{firm}}", values), message=mail.fill(TEST_MESSAGE, values),
            by=actor(), now=_now(),
        )  # fmt: skip
    except MailProblem as problem:
        db.session.rollback()
        return done(str(problem), ".email", tone="warn")
    mail_id = row.id
    db.session.commit()
    mailer.send_soon()
    return done("", ".email", test=mail_id)


@screen.post("/email/messages/<int:mail_id>/repeats")
@needs(May.MANAGE_SETTINGS)
def send_again(mail_id: int) -> Response:
    said, tone = mailing.try_again(_mail_or_404(mail_id))
    return done(said, ".email", tone=tone)


@screen.post("/email/messages/<int:mail_id>/leaving")
@needs(May.MANAGE_SETTINGS)
def leave_mail(mail_id: int) -> Response:
    said, tone = mailing.leave(_mail_or_404(mail_id))
    return done(said, ".email", tone=tone)


def _mail_or_404(mail_id: int) -> int:
    """A message about an invoice or a proposal: a test is none to decide about."""
    row = mail.get(mail_id)
    if row is None or row.kind == MailKind.TEST:
        abort(404)
    return row.id


def _changed_meanwhile(form: EmailForm) -> Response:
    """What the other person saved stands beside what this one typed; saving once more puts the latter in its place."""
    db.session.rollback()
    kept, typed = mail.settings(), form.values()
    saved = {name: getattr(kept, name) for name in mail.SETTINGS}
    differing = [(label, _plain(saved[name])) for name, label in mail.SETTINGS.items() if saved[name] != typed[name]]
    form.version.data = kept.version
    form.version.raw_data = [str(kept.version)]
    return refused(TEMPLATE, "email_form", status=409, form=form, **_around() | {"differing": differing})


def _plain(held: Any) -> str:
    return ("yes" if held else "no") if isinstance(held, bool) else str(held)


def _around() -> dict[str, Any]:
    firm, test, stands = people.the_firm(), _test(), mail.standing()
    looks = mail.to_look_at() if stands.failed or stands.unknown else []
    return {
        "differing": [],
        "is_on": mail.is_on(),
        "sender": mail.sender(),
        "firm_name": firm.name if firm else "",
        "firm_email": firm.email if firm else "",
        "of_invoices": mail.FIELDS[MailKind.INVOICE],
        "of_proposals": mail.FIELDS[MailKind.PROPOSAL],
        "stands": stands,
        "looks": looks,
        "more": max(0, stands.failed + stands.unknown - len(looks)),
        "test": test,
        "tones": mailing.TONES,
        "poll": mailing.poll([test] if test else []),
        "once": once.fresh(),
        "me": current_person().email,
    }


def _test() -> MailShown | None:
    """The test message named in the address."""
    row = mail.get(request.args.get("test", 0, type=int))
    return mail.shown(row) if row is not None and row.kind == MailKind.TEST else None


def _now() -> datetime:
    return datetime.now(UTC)
