"""Asking for a message, seeing what became of it, trying it again, taking it back, leaving it; in the caller's
transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.clients import Client
from portal.domain.invoices.models import Invoice
from portal.domain.mail import texts
from portal.domain.mail.models import MailKind, MailState, OutgoingMail
from portal.domain.mail.texts import MailProblem, Recipient
from portal.domain.proposals.models import Proposal

_KEYS = uuid.UUID("0f2c6a51-7d3b-5b0e-9a41-3c8f1d6e2b97")
NOT_YET = "This portal cannot send mail yet: no mail server is set."
STATE_WORDS = {
    MailState.WAITING: "Waiting to be sent",
    MailState.SENDING: "Being sent",
    MailState.SENT: "Sent",
    MailState.FAILED: "Not sent",
    MailState.UNKNOWN: "May have been sent",
    MailState.WITHDRAWN: "Withdrawn",
}
MAY_HAVE_ARRIVED = "It may have arrived already. Sending it again may bring it a second time."
LEFT_UNSENT, LEFT_UNSURE = "it was not sent", "it may have arrived"  # how the reason of what was left alone begins
_sender = ""


class CannotSendAgain(Exception):
    """There is nothing to send again: it was sent, waits, or was withdrawn. The text says which."""


class MayHaveArrived(Exception):
    """Nobody knows whether it arrived; a person has to say that it is to go again all the same."""


class TooLateToWithdraw(Exception):
    """It is being sent, or was; the text says which."""


class CannotLeave(Exception):
    """It needs nobody's word: it was sent, waits, or was withdrawn. The text says which."""


@dataclass(frozen=True)
class MailShown:
    """A message as pages show it; its private link never is."""

    id: int
    kind: MailKind
    to: str  # 'Aroha Ngata <aroha@example.nz>'
    to_name: str
    to_address: str
    subject: str
    message: str
    attaches_invoice: bool
    had_link: bool
    state: MailState
    reason: str
    tries: int
    next_at: datetime | None
    made_at: datetime
    sent_at: datetime | None
    by_name: str

    @property
    def word(self) -> str:
        """What became of it. One that was left alone while nobody knew whether it arrived goes on saying so."""
        if self.state == MailState.WITHDRAWN and self.reason.startswith(LEFT_UNSURE):
            return STATE_WORDS[MailState.UNKNOWN]
        return STATE_WORDS[self.state]

    @property
    def can_go_again(self) -> bool:
        return self.state in (MailState.FAILED, MailState.UNKNOWN)

    @property
    def may_have_arrived(self) -> bool:
        """Sending it again needs a person who knows that."""
        return self.state == MailState.UNKNOWN

    @property
    def can_be_withdrawn(self) -> bool:
        return self.state == MailState.WAITING


def send_as(address: str) -> None:
    """The address this portal's mail comes from; empty: it sends none. Said once, at the start."""
    global _sender
    _sender = address


def is_on() -> bool:
    """Whether this portal can send mail."""
    return bool(_sender)


def sender() -> str:
    return _sender


def key_of(event: str, address: str) -> str:
    """The key of one event's message to one address: the same wherever and whenever it is asked for again.

    `event` is the caller's: "raised:<invoice.mark>", or a form's once-only token and the invoice's id.
    """
    return uuid.uuid5(_KEYS, f"{event}\n{address.lower()}").hex


def put_down(
    *, kind: MailKind, key: str, to: Recipient, subject: str, message: str, link: str = "",
    attaches_invoice: bool = False, client: Client | None = None, invoice: Invoice | None = None,
    proposal: Proposal | None = None, by: Actor, now: datetime,
) -> OutgoingMail:  # fmt: skip
    """This message is to go to this person, once. The same key again gives the row there is.

    `link`: a path of this portal ("/pay/…", without host), put below the message. An invoice or proposal needs its id:
    flush first. Raises `MailProblem` for what cannot be sent, and when this portal sends no mail.
    """
    if not is_on():
        raise MailProblem(NOT_YET)
    if (found := by_key(key)) is not None:
        return found
    if link and (not link.startswith("/") or link.startswith("//") or texts.UNSEEN.search(link)):
        raise ValueError("a link in a mail is a path of this portal")
    address = texts.check_address(to.address)
    about = invoice or proposal
    row = OutgoingMail(
        key=key, kind=kind, client_id=client.id if client else about.client_id if about else None,
        invoice_id=invoice.id if invoice else None, proposal_id=proposal.id if proposal else None, has_link=bool(link),
        to_name=texts.check_header(to.name, "The recipient’s name", texts.LONGEST_NAME, "name"), to_address=address,
        subject=_subject(subject), message=texts.check_message(message), link=link or None, tries=0,
        attaches_invoice=attaches_invoice and invoice is not None, state=MailState.WAITING, next_at=now,
        message_id=f"{uuid.uuid5(_KEYS, key).hex}@{_sender.rpartition('@')[2]}", by_user_id=by.user_id,
        by_name=by.name, made_at=now,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError:  # somebody asked for the same at the same moment
        found = by_key(key)
        if found is None:
            raise
        return found
    told(Verb.MAIL_ASKED, row, by=by, now=now)
    return row


def get(mail_id: int) -> OutgoingMail | None:
    return db.session.get(OutgoingMail, mail_id)


def by_key(key: str) -> OutgoingMail | None:
    return db.session.scalar(select(OutgoingMail).where(OutgoingMail.key == key))


def of_invoice(invoice_id: int) -> list[MailShown]:
    """Newest first."""
    query = select(OutgoingMail).where(OutgoingMail.invoice_id == invoice_id).order_by(OutgoingMail.id.desc())
    return [shown(one) for one in db.session.scalars(query)]


def of_proposal(proposal_id: int) -> list[MailShown]:
    """Newest first."""
    query = select(OutgoingMail).where(OutgoingMail.proposal_id == proposal_id).order_by(OutgoingMail.id.desc())
    return [shown(one) for one in db.session.scalars(query)]


def again(mail_id: int, *, by: Actor, now: datetime, knowing: bool = False) -> OutgoingMail:
    """Try a message once more that was not sent, or may not have been. `knowing`: a person said that it may arrive a
    second time. Raises `MayHaveArrived` without that, and `CannotSendAgain`."""
    row = _held(mail_id)
    if row.state not in (MailState.FAILED, MailState.UNKNOWN):
        raise CannotSendAgain(f"The message to {row.to_address} is not one to send again: {_word(row)}.")
    if row.state == MailState.UNKNOWN and not knowing:
        raise MayHaveArrived(MAY_HAVE_ARRIVED)
    row.state, row.next_at, row.tries, row.reason = MailState.WAITING, now, 0, ""
    row.leased_by = row.lease_until = None
    told(Verb.MAIL_AGAIN, row, by=by, now=now)
    return row


def withdraw(mail_id: int, *, by: Actor, now: datetime, reason: str = "") -> OutgoingMail:
    """It is not to go. Raises `TooLateToWithdraw` unless it waits."""
    row = _held(mail_id)
    if row.state != MailState.WAITING:
        raise TooLateToWithdraw(f"The message to {row.to_address} cannot be taken back: {_word(row)}.")
    row.state, row.next_at, row.link = MailState.WITHDRAWN, None, None
    row.reason = reason or f"taken back by {by.name}"
    row.leased_by = row.lease_until = None
    told(Verb.MAIL_WITHDRAWN, row, by=by, now=now, reason=row.reason)
    return row


def leave(mail_id: int, *, by: Actor, now: datetime) -> OutgoingMail:
    """A message that was not sent, or may not have been, is left at that: nobody is asked about it any more. What is
    known of it stays. Raises `CannotLeave` for any other."""
    row = _held(mail_id)
    if row.state not in (MailState.FAILED, MailState.UNKNOWN):
        raise CannotLeave(f"The message to {row.to_address} needs no decision: {_word(row)}.")
    known = LEFT_UNSURE if row.state == MailState.UNKNOWN else LEFT_UNSENT
    why = f" {row.reason[:1].upper()}{row.reason[1:]}" if row.reason else ""
    row.state, row.next_at, row.link = MailState.WITHDRAWN, None, None
    row.reason = f"{known}; left by {by.name}.{why}"[:500]
    row.leased_by = row.lease_until = None
    told(Verb.MAIL_LEFT, row, by=by, now=now, known=known)
    return row


def gone_out(invoice_ids: Collection[int]) -> set[int]:
    """Of these invoices, those a message about has been sent for (XE-05)."""
    query = select(OutgoingMail.invoice_id).where(
        OutgoingMail.invoice_id.in_(invoice_ids), OutgoingMail.state == MailState.SENT
    )
    return {one for one in db.session.scalars(query) if one is not None}


def shown(row: OutgoingMail) -> MailShown:
    return MailShown(
        id=row.id, kind=row.kind, to=Recipient(row.to_name, row.to_address).label, to_name=row.to_name,
        to_address=row.to_address, subject=row.subject, message=row.message, attaches_invoice=row.attaches_invoice,
        had_link=row.has_link, state=row.state, reason=row.reason, tries=row.tries, next_at=row.next_at,
        made_at=row.made_at, sent_at=row.sent_at, by_name=row.by_name,
    )  # fmt: skip


def told(verb: Verb, row: OutgoingMail, *, by: Actor, now: datetime, **facts: Any) -> None:
    """A line in the logs of what the message is about."""
    to = Recipient(row.to_name, row.to_address).label
    activity.record(
        verb, by=by, now=now, client_id=row.client_id, invoice_id=row.invoice_id, proposal_id=row.proposal_id,
        what=_what(row), to=to, **facts,
    )  # fmt: skip


def _held(mail_id: int) -> OutgoingMail:
    """As it stands now, nobody else's until the transaction ends."""
    query = select(OutgoingMail).where(OutgoingMail.id == mail_id)
    return db.session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


def _word(row: OutgoingMail) -> str:
    word = STATE_WORDS[row.state]
    return word[0].lower() + word[1:]


def _what(row: OutgoingMail) -> str:
    return {MailKind.INVOICE: "Invoice", MailKind.PROPOSAL: "Proposal", MailKind.TEST: "Test message"}[row.kind]


def _subject(subject: str) -> str:
    checked = texts.check_header(subject, "The subject", texts.LONGEST_SUBJECT, "subject")
    if not checked:
        raise MailProblem("Write a subject.", "subject")
    return checked
