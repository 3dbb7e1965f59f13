"""What every send screen shares: who gets the message, what it says, how it will look, and trying one again.

A message is put down in the transaction of its cause and leaves after the commit; nothing here talks to a mail server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import request
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import DataRequired, Length

from portal import mailer
from portal.db import db
from portal.domain import mail, once
from portal.domain.clients import Client
from portal.domain.mail import MailKind, MailProblem, MailShown, MailState, Recipient
from portal.mailer.letters import LINKS
from portal.web.fields import LongForm, LongText
from portal.web.guard import actor

MOVING = frozenset({MailState.WAITING, MailState.SENDING})
TONES = {
    MailState.WAITING: "info", MailState.SENDING: "info", MailState.SENT: "ok", MailState.FAILED: "bad",
    MailState.UNKNOWN: "warn", MailState.WITHDRAWN: "muted",
}  # fmt: skip
SOON, LATER = "2s", "15s"  # how often what became of a message is looked at: while it goes, and until its next try
NOBODY = "Tick at least one person, or type an address."


@dataclass(frozen=True)
class Letter:
    """One message as its recipients will see it."""

    title: str  # which invoice or proposal it is about
    subject: str
    message: str
    attached: str  # what goes with it; empty: nothing
    link_words: str  # what the private link below the message says; empty: none


@dataclass(frozen=True)
class Offered:
    """A contact of the client on the send screen. `recipient` None: it has no address one can write to."""

    id: int
    name: str
    email: str
    recipient: Recipient | None
    is_ticked: bool


class SendForm(LongForm):
    """Recipients, subject and message (BS-04)."""

    other = StringField("Another address", [Length(max=320)], render_kw={"autocomplete": "off", "inputmode": "email"})
    subject = StringField("Subject", [DataRequired("Write a subject."), Length(max=mail.LONGEST_SUBJECT)])
    message = LongText(
        "Message", [DataRequired("Write a message."), Length(max=mail.LONGEST_MESSAGE)], render_kw={"rows": 10}
    )
    with_link = BooleanField("With the link to pay", default=True)

    once = HiddenField()

    def __init__(self, client: Client, kind: MailKind, **more: Any) -> None:
        super().__init__(**more)
        self.client, self.kind = client, kind
        self.wrong_people = ""
        ticked = _ticked() if self.is_submitted() else {one.contact_id for one in mail.recipients_of(client)}
        self.people = [
            Offered(one.id, one.name, one.email, found := mail.recipient(one), found is not None and one.id in ticked)
            for one in client.contacts
        ]

    def recipients(self) -> list[Recipient]:
        """Whoever is ticked, and the address typed; each address once. Raises `MailProblem` for that address."""
        found = [one.recipient for one in self.people if one.is_ticked and one.recipient is not None]
        if self.text("other"):
            found.append(Recipient("", mail.check_address(self.text("other"))))
        return list({one.address.lower(): one for one in reversed(found)}.values())[::-1]

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = super().validate(extra_validators)
        for name in ("subject", "message"):
            is_valid = self._has_known_fields(name) and is_valid
        try:
            if not self.recipients():
                self.wrong_people, is_valid = NOBODY, False
        except MailProblem as problem:
            self.other.errors, is_valid = [str(problem)], False
        return is_valid

    def _has_known_fields(self, name: str) -> bool:
        try:
            mail.check_fields(self.text(name), self.kind, name)
        except MailProblem as problem:
            self[name].errors = [str(problem)]
            return False
        return True

    def refuse(self, problem: MailProblem) -> None:
        """Say what the mail would not take, beside its field."""
        field = self[problem.field] if problem.field in ("subject", "message") else self.other
        field.errors = [str(problem)]

    def letter(self, values: Mapping[str, str], title: str, *, attached: str = "", has_link: bool = True) -> Letter:
        """The message with its {{fields}} filled in."""
        link_words = LINKS[self.kind] if has_link else ""
        subject, message = (mail.fill(self.text(name), values) for name in ("subject", "message"))
        return Letter(title, subject, message, attached, link_words)


def fresh_form(client: Client, kind: MailKind, values: Mapping[str, str] | None) -> SendForm:
    """As the send screen opens: the client's own recipients, the firm's text. `values` None: {{fields}} stay."""
    text = mail.texts_of(kind)
    subject, message = (mail.fill(one, values) if values else one for one in (text.subject, text.message))
    return SendForm(client, kind, formdata=None, subject=subject, message=message, once=once.fresh())


def envelope(form: SendForm) -> dict[str, str]:
    """What stands above the message: from whom, to whom, and where answers go."""
    made = mailer.letter(kind=form.kind, to=Recipient("", ""), subject="", message="")
    return {"sender": made.sender.label, "to": _shown_to(form), "answers": made.reply_to}


def labels(to: Iterable[Recipient]) -> str:
    """'Aroha Ngata <…> and Tama Ngata <…>'."""
    found = [one.label for one in to]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else ""


def mails_part(mails: Sequence[MailShown]) -> dict[str, Any]:
    """What `sending/list.html` shows of the messages about one thing."""
    return {"mails": mails, "mail_tones": TONES, "mail_poll": poll(mails), "mail_is_on": mail.is_on()}


def poll(mails: Sequence[MailShown]) -> str:
    """How often the page looks again at what became of its messages; empty: nothing moves."""
    moving = [one for one in mails if one.state in MOVING]
    if not moving:
        return ""
    is_soon = any(one.state == MailState.SENDING or not one.reason for one in moving)
    return SOON if is_soon else LATER


def try_again(mail_id: int) -> tuple[str, str]:
    """Put a message on its way once more: (what to say, tone). Commits."""
    try:
        row = mail.again(mail_id, by=actor(), now=now(), knowing=bool(request.form.get("knowing")))
    except (mail.MayHaveArrived, mail.CannotSendAgain) as told:
        db.session.rollback()
        return str(told), "warn"
    said = f"The message to {row.to_address} is on its way again."
    db.session.commit()
    mailer.send_soon()
    return said, "ok"


def take_back(mail_id: int) -> tuple[str, str]:
    """A message that waits is not to go: (what to say, tone). Commits."""
    try:
        row = mail.withdraw(mail_id, by=actor(), now=now())
    except mail.TooLateToWithdraw as told:
        db.session.rollback()
        return str(told), "warn"
    said = f"The message to {row.to_address} is taken back and will not be sent."
    db.session.commit()
    return said, "ok"


def leave(mail_id: int) -> tuple[str, str]:
    """Nobody is to be asked about a message any more that was not sent, or may not have been: (what to say, tone).
    Commits."""
    try:
        row = mail.leave(mail_id, by=actor(), now=now())
    except mail.CannotLeave as told:
        db.session.rollback()
        return str(told), "warn"
    said = f"The message to {row.to_address} is left as it is. Nothing more is sent."
    db.session.commit()
    return said, "ok"


def withdraw_waiting(mails: Iterable[MailShown], reason: str) -> None:
    """Messages that wait with a link that is about to close go out no more."""
    for one in mails:
        if one.can_be_withdrawn and one.had_link:
            with suppress(mail.TooLateToWithdraw):  # it left at this very moment, as any sent before did
                mail.withdraw(one.id, by=actor(), now=now(), reason=reason)


def now() -> datetime:
    return datetime.now(UTC)


def _ticked() -> set[int]:
    return {int(one) for one in request.form.getlist("contact") if one.isascii() and one.isdecimal()}


def _shown_to(form: SendForm) -> str:
    """The To line of the preview; empty while it names nobody that can be written to."""
    try:
        return labels(form.recipients())
    except MailProblem:
        return labels(one.recipient for one in form.people if one.is_ticked and one.recipient)
