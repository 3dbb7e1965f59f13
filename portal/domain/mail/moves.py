"""What comes of a message: every move of its state but those a person makes, for the mailer."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import inspect, or_, select, update

from portal.db import db
from portal.domain import claims
from portal.domain.activity import Actor, Verb
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.sending import by_payment_token
from portal.domain.mail.models import MailState, OutgoingMail
from portal.domain.mail.outbox import told
from portal.domain.proposals.models import Proposal, ProposalState
from portal.domain.proposals.offering import hash_of

LEASE = timedelta(minutes=10)  # longer than the longest talk with a mail server can take
MOST_TRIES = 12  # about a day and a half
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=4)
ENDED = "the portal was stopped while it was being sent"
RESTORED = "the portal was restored from a backup, and it may have been sent after that was made"
VOIDED = "the invoice was voided before it was sent"
NOT_OUT = "the proposal is not out for acceptance any more"
CLOSED = "a newer link has closed the one in it"


def due(now: datetime, limit: int, after: int = 0) -> list[int]:
    """Messages to be sent that nobody has in hand, in the order they were asked for."""
    query = (
        select(OutgoingMail.id)
        .where(
            OutgoingMail.state == MailState.WAITING, OutgoingMail.next_at <= now, OutgoingMail.id > after,
            or_(OutgoingMail.lease_until.is_(None), OutgoingMail.lease_until < now),
        )
        .order_by(OutgoingMail.id)
        .limit(limit)
    )  # fmt: skip
    return list(db.session.scalars(query))


def take(mail_id: int, holder: str, now: datetime) -> OutgoingMail | None:
    """The right to get this message ready; None when somebody else has it, or it is not to go any more."""
    taken = db.session.execute(
        update(OutgoingMail)
        .where(
            OutgoingMail.id == mail_id, OutgoingMail.state == MailState.WAITING, OutgoingMail.next_at <= now,
            or_(OutgoingMail.lease_until.is_(None), OutgoingMail.lease_until < now),
        )
        .values(leased_by=holder, lease_until=now + LEASE)
        .returning(OutgoingMail.id)
        .execution_options(synchronize_session=False)
    ).first()  # fmt: skip
    return db.session.get(OutgoingMail, mail_id, populate_existing=True) if taken else None


def why_not(row: OutgoingMail) -> str:
    """Why this message must not go any more, whatever was asked; empty: it may."""
    invoice = db.session.get(Invoice, row.invoice_id) if row.invoice_id else None
    proposal = db.session.get(Proposal, row.proposal_id) if row.proposal_id else None
    token = (row.link or "").rpartition("/")[2]
    if invoice is not None and invoice.voided_at is not None:
        return VOIDED
    if proposal is not None and proposal.state != ProposalState.AWAITING and token:
        return NOT_OUT
    if token and proposal is not None and proposal.token_hash != hash_of(token):
        return CLOSED
    if token and proposal is None and invoice is not None and by_payment_token(token) is not invoice:
        return CLOSED
    return ""


def begin(mail_id: int, holder: str, now: datetime) -> bool:
    """From now on it may arrive. False when it is not ours any more; commit before anything is sent."""
    begun = db.session.execute(
        update(OutgoingMail)
        .where(
            OutgoingMail.id == mail_id, OutgoingMail.state == MailState.WAITING, OutgoingMail.leased_by == holder
        )
        .values(state=MailState.SENDING, lease_until=now + LEASE, tries=OutgoingMail.tries + 1)
        .returning(OutgoingMail.id)
        .execution_options(synchronize_session=False)
    ).first()  # fmt: skip
    return begun is not None


def held(mail_id: int, holder: str) -> OutgoingMail | None:
    """The message as it stands, for the one who has it in hand; None when that is somebody else by now."""
    query = select(OutgoingMail).where(OutgoingMail.id == mail_id, OutgoingMail.leased_by == holder)
    return db.session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def sent(row: OutgoingMail, *, by: Actor, now: datetime) -> None:
    """The mail server has taken it. Its private link is forgotten here."""
    row.state, row.sent_at, row.next_at, row.reason, row.link = MailState.SENT, now, None, "", None
    _out_of_hand(row)
    told(Verb.MAIL_SENT, row, by=by, now=now)


def failed(row: OutgoingMail, reason: str, *, by: Actor, now: datetime) -> None:
    """Refused for good. Its link is kept: a person may mend what is wrong and send it again."""
    row.state, row.next_at, row.reason = MailState.FAILED, None, reason[:500]
    _out_of_hand(row)
    told(Verb.MAIL_FAILED, row, by=by, now=now, reason=row.reason)


def unsure(row: OutgoingMail, reason: str, *, by: Actor, now: datetime) -> None:
    """It may have arrived. Nothing sends it again by itself."""
    row.state, row.next_at, row.reason = MailState.UNKNOWN, None, reason[:500]
    _out_of_hand(row)
    told(Verb.MAIL_UNSURE, row, by=by, now=now, reason=row.reason)


def later(row: OutgoingMail, reason: str, *, by: Actor, now: datetime) -> None:
    """It has certainly not gone: it is tried again, later and later, and given up after a day and a half."""
    if row.tries >= MOST_TRIES:
        failed(row, f"{reason} It was tried {row.tries} times.", by=by, now=now)
        return
    row.state, row.reason = MailState.WAITING, reason[:500]
    row.next_at = now + min(FIRST_WAIT * 2 ** max(0, row.tries - 1), LONGEST_WAIT)
    _out_of_hand(row)


def drop(row: OutgoingMail, reason: str, *, by: Actor, now: datetime) -> None:
    """Its cause went before it was sent."""
    row.state, row.next_at, row.reason, row.link = MailState.WITHDRAWN, None, reason, None
    _out_of_hand(row)
    told(Verb.MAIL_WITHDRAWN, row, by=by, now=now, reason=reason)


def are_in_hand() -> bool:
    """Whether any message is being sent, by whomever."""
    return (
        db.session.scalar(select(OutgoingMail.id).where(OutgoingMail.state == MailState.SENDING).limit(1)) is not None
    )


def give_up_lost(now: datetime, *, by: Actor) -> int:
    """Messages whose sender ended while it sent them: nobody knows how far it came. Gives how many."""
    query = select(OutgoingMail).where(OutgoingMail.state == MailState.SENDING)
    lost = 0
    for seen in db.session.scalars(query).all():
        if not _is_lost(seen, now):
            continue
        row = held(seen.id, seen.leased_by or "")
        if row is not None and row.state == MailState.SENDING and _is_lost(row, now):
            unsure(row, ENDED, by=by, now=now)
            lost += 1
    return lost


def doubt_all(now: datetime, *, by: Actor) -> int:
    """A backup was restored: what waits in it may have gone since it was made. Left to a person; gives how many."""
    if not inspect(db.session.connection()).has_table(OutgoingMail.__tablename__):  # an older backup
        return 0
    open_ones = select(OutgoingMail).where(OutgoingMail.state.in_((MailState.WAITING, MailState.SENDING)))
    found = db.session.scalars(open_ones.with_for_update()).all()
    for row in found:
        unsure(row, RESTORED, by=by, now=now)
    return len(found)


def _is_lost(row: OutgoingMail, now: datetime) -> bool:
    if claims.same_process_lives(row.leased_by) is False:
        return True
    return row.lease_until is None or row.lease_until < now


def _out_of_hand(row: OutgoingMail) -> None:
    row.leased_by = row.lease_until = None
