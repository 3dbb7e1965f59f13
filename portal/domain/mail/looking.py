"""Messages that need a person: those that could not be sent, or may not have arrived, and nothing has settled since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Text, and_, case, exists, func, literal_column, or_, select, true

from portal.db import db
from portal.domain.invoices.models import Invoice
from portal.domain.mail.models import MailKind, MailState, OutgoingMail
from portal.domain.mail.outbox import STATE_WORDS
from portal.domain.mail.texts import Recipient
from portal.domain.proposals.models import Proposal, ProposalState

MOST = 50  # as many are shown at once
STILL_OUT = (ProposalState.DRAFT, ProposalState.AWAITING)
_mail = OutgoingMail.__table__.c
_later = OutgoingMail.__table__.alias("later")


class MailStanding(NamedTuple):
    """How many messages stand like this. `trouble`: why the oldest that waits has not gone; empty: none is known."""

    waiting: int
    failed: int
    unknown: int
    trouble: str = ""


@dataclass(frozen=True)
class MailToLookAt:
    """One message that needs a person, and what it is about: an invoice or a proposal."""

    id: int
    to: str
    to_address: str
    state: MailState
    reason: str
    made_at: datetime
    invoice_id: int | None
    proposal_id: int | None
    about: str  # 'Invoice INV-0001'
    is_over: str  # why it can go no more, whoever asks; empty: it can

    @property
    def word(self) -> str:
        return STATE_WORDS[self.state]

    @property
    def may_have_arrived(self) -> bool:
        """Sending it again needs a person who knows that."""
        return self.state == MailState.UNKNOWN


def needs_a_look(state: MailState) -> tuple[ColumnElement[bool], ...]:
    """Messages in this state that nothing has settled. A test concerns nobody but who asked for it, and is none."""
    return (_mail.state == _literal(state), *_UNSETTLED)


def to_look_at(limit: int = MOST) -> list[MailToLookAt]:
    """Newest first."""
    query = (
        select(
            _mail.id, _mail.to_name, _mail.to_address, _mail.state, _mail.reason, _mail.made_at, _mail.invoice_id,
            _mail.proposal_id, Invoice.number, Invoice.voided_at, Proposal.number, Proposal.state,
        )
        .select_from(OutgoingMail.__table__)
        .outerjoin(Invoice, Invoice.id == _mail.invoice_id)
        .outerjoin(Proposal, Proposal.id == _mail.proposal_id)
        .where(or_(*(and_(*needs_a_look(state)) for state in (MailState.FAILED, MailState.UNKNOWN))))
        .order_by(_mail.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [_looked_at(*row) for row in db.session.execute(query)]


def standing() -> MailStanding:
    """Counted the way `to_look_at` lists."""
    why = select(_mail.reason).where(_mail.state == _literal(MailState.WAITING), _mail.reason != "")
    row = db.session.execute(
        select(
            _how_many(_mail.state == _literal(MailState.WAITING)),
            _how_many(*needs_a_look(MailState.FAILED)),
            _how_many(*needs_a_look(MailState.UNKNOWN)),
            func.coalesce(why.order_by(_mail.id).limit(1).scalar_subquery(), ""),
        )
    ).one()
    return MailStanding(*row)


def _literal(value: str) -> ColumnElement[Any]:
    """A word of ours within the statement, where what is rare can be seen by it."""
    return literal_column(f"'{value}'", Text)


def _is_unsettled(about: str) -> ColumnElement[bool]:
    """No later message about the same thing was sent to the same address.

    Asked only of messages about such a thing: a database that knows the column to be nearly always empty would not look
    there by its index. That a message was sent shows in `sent_at`, which has none that could seem the shorter way.
    """
    sent_later = and_(
        _later.c[about] == _mail[about],
        _later.c.id > _mail.id,
        _later.c.sent_at.is_not(None),
        func.lower(_later.c.to_address) == func.lower(_mail.to_address),
    )
    found = exists(select(literal_column("1", Integer)).where(sent_later).correlate(OutgoingMail.__table__))
    return case((_mail[about].is_not(None), ~found), else_=true())


_UNSETTLED = (
    _mail.kind != _literal(MailKind.TEST),
    _is_unsettled("invoice_id"),
    _is_unsettled("proposal_id"),
)


def _how_many(*where: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(OutgoingMail.__table__).where(*where).scalar_subquery()


def _looked_at(
    mail_id: int, to_name: str, to_address: str, state: MailState, reason: str, made_at: datetime,
    invoice_id: int | None, proposal_id: int | None, invoice: str | None, voided_at: datetime | None,
    proposal: int | None, stands: ProposalState | None,
) -> MailToLookAt:  # fmt: skip
    is_over = ""
    if voided_at is not None:
        is_over = "The invoice is voided."
    elif stands is not None and stands not in STILL_OUT:
        is_over = "The proposal is not out any more."
    return MailToLookAt(
        id=mail_id, to=Recipient(to_name, to_address).label, to_address=to_address, state=MailState(state),
        reason=reason, made_at=made_at, invoice_id=invoice_id, proposal_id=proposal_id,
        about=f"Invoice {invoice}" if invoice_id else f"Proposal PROP-{proposal}", is_over=is_over,
    )  # fmt: skip
