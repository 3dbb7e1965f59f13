"""A proposal put out for acceptance: its private link, who opened it, taken back, given up, expired.

The link's secret is shown once and kept only as a hash. A revoked or lost proposal's link opens no more than one that
never was; an expired one says so to whoever holds it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, people
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.nights import local_date, start_of
from portal.domain.proposals.content import content_of
from portal.domain.proposals.drafting import Frozen, label
from portal.domain.proposals.figures import figure
from portal.domain.proposals.models import Proposal, ProposalState

LINK_LIFE = timedelta(days=90)  # of a proposal without a last day, and of an accepted one's link as a receipt
EXPIRED = "It expired without an answer"
_LENGTH = 32  # bytes of chance in a link
THE_CLIENT = Actor("The client", Origin.SCREEN)


class NotReady(Exception):
    """The proposal cannot be put out as it is; the text says what is missing."""


def put_out(proposal: Proposal, *, by: Actor, now: datetime, zone: str) -> str:
    """From draft to awaiting acceptance; gives the link's secret, which is shown now and never again.

    `zone`: the firm's. Raises `NotReady`, and `Frozen` when it is no draft.
    """
    if proposal.state != ProposalState.DRAFT:
        raise Frozen(f"{label(proposal)} is out for acceptance already, or done with.")
    _check_ready(proposal, now, zone)
    proposal.state = ProposalState.AWAITING
    proposal.sent_at = now
    proposal.first_seen_at = None
    token = _fresh_link(proposal, now, zone)
    until = _written(proposal.expires_on) if proposal.expires_on else "further notice"
    _record(Verb.PROPOSAL_SENT, proposal, by, now, until=until)
    return token


def new_link(proposal: Proposal, *, by: Actor, now: datetime, zone: str) -> str:
    """Another link in place of the present one, which opens no more. Raises `Frozen` unless it awaits acceptance."""
    if proposal.state != ProposalState.AWAITING:
        raise Frozen(f"{label(proposal)} is not out for acceptance.")
    token = _fresh_link(proposal, now, zone)
    _record(Verb.PROPOSAL_LINK_MADE, proposal, by, now)
    return token


def give_link(proposal: Proposal, token: str) -> None:
    """A link of the caller's making: for the demo, where everybody may know it."""
    proposal.token_hash = hash_of(token)


def revoke(proposal: Proposal, *, by: Actor, now: datetime) -> bool:
    """Back to draft; the link opens no more. A lost one is taken up again so. False for any other state."""
    if proposal.state not in (ProposalState.AWAITING, ProposalState.LOST):
        return False
    proposal.state = ProposalState.DRAFT
    proposal.token_hash = proposal.token_expires_at = proposal.sent_at = None
    proposal.ended_at = None
    proposal.lost_why = ""
    _touch(proposal, now)
    _record(Verb.PROPOSAL_REVOKED, proposal, by, now)
    return True


def mark_lost(proposal: Proposal, reason: str, *, by: Actor, now: datetime) -> bool:
    """The client did not take it. False when it was accepted or lost before."""
    if proposal.state not in (ProposalState.DRAFT, ProposalState.AWAITING):
        return False
    proposal.state = ProposalState.LOST
    proposal.token_hash = proposal.token_expires_at = None
    proposal.ended_at = now
    proposal.lost_why = reason
    _touch(proposal, now)
    _record(Verb.PROPOSAL_LOST, proposal, by, now, reason=reason or "no reason was given")
    return True


def behind(token: str, *, now: datetime, lock: bool = False) -> Proposal | None:
    """The proposal a link opens; None for one that was never made, was revoked, or is too old for anything.

    An expired one is still found: see `is_over`.
    """
    if not 20 <= len(token) <= 100 or not token.isascii():
        return None
    query = select(Proposal).where(Proposal.token_hash == hash_of(token))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = db.session.scalar(query)
    if found is None or found.state == ProposalState.DRAFT:
        return None
    if found.state in (ProposalState.ACCEPTED, ProposalState.COMPLETED) and _has_run_out(found, now):
        return None
    return found


def is_over(proposal: Proposal, now: datetime) -> bool:
    """Whether its link came too late: expired, lost meanwhile, or the client is in the archive."""
    if proposal.state == ProposalState.LOST or proposal.client.is_archived:
        return True
    if proposal.state != ProposalState.AWAITING:
        return False
    firm = people.the_firm()
    if proposal.expires_on is None or firm is None:
        return _has_run_out(proposal, now)
    return is_past(proposal.expires_on, now, firm.time_zone)  # by the zone of today, whatever it was when it went out


def note_seen(proposal: Proposal, *, now: datetime) -> bool:
    """The client has opened the link; only the first time counts."""
    if proposal.state != ProposalState.AWAITING or proposal.first_seen_at is not None:
        return False
    proposal.first_seen_at = now
    _record(Verb.PROPOSAL_SEEN, proposal, THE_CLIENT, now)
    return True


def due_to_expire(now: datetime, zone: str, limit: int = 100) -> list[int]:
    """Proposals that await an answer and whose last day has gone by in the firm's zone; ids, a few at a time."""
    query = (
        select(Proposal.id)
        .where(Proposal.state == ProposalState.AWAITING, Proposal.expires_on < local_date(now, zone))
        .order_by(Proposal.expires_on, Proposal.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def expire(proposal: Proposal, *, by: Actor, now: datetime, zone: str) -> bool:
    """Its last day has gone by. False when it was answered or given more time meanwhile."""
    if proposal.state != ProposalState.AWAITING or not is_past(proposal.expires_on, now, zone):
        return False
    proposal.state = ProposalState.LOST
    proposal.ended_at = now
    proposal.lost_why = EXPIRED
    _touch(proposal, now)
    _record(Verb.PROPOSAL_EXPIRED, proposal, by, now)
    return True


def is_past(day: date | None, now: datetime, zone: str) -> bool:
    return day is not None and day < local_date(now, zone)


def link_ends(proposal: Proposal, now: datetime, zone: str) -> datetime:
    """When a link made now stops opening: after the last day, in the firm's zone."""
    if proposal.expires_on is None:
        return now + LINK_LIFE
    return start_of(proposal.expires_on + timedelta(days=1), zone)


def follow_last_day(proposal: Proposal, *, now: datetime, zone: str) -> None:
    """The last day was changed while the link is out: it stops opening when that one is over."""
    if proposal.state == ProposalState.AWAITING:
        proposal.token_expires_at = link_ends(proposal, now, zone)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check_ready(proposal: Proposal, now: datetime, zone: str) -> None:
    if not proposal.lines:
        raise NotReady("Add at least one service first.")
    if is_past(proposal.expires_on, now, zone):
        raise NotReady("Its last day has gone by. Give it a later one first.")
    if proposal.client.is_archived:
        raise NotReady(f"{proposal.client.name} is archived. Bring the client back first.")
    for place, name in enumerate(proposal.options, start=1):
        if not any(line.option in (None, place) for line in proposal.lines):
            raise NotReady(f"The package {name} is empty. Put a service into it, or take it away.")
    content = content_of(proposal, "")
    for line in content["lines"]:
        try:
            figure(line, content)
        except ValueError as problem:
            raise NotReady(f"{line['name']} cannot be billed like this: {problem}") from problem


def _fresh_link(proposal: Proposal, now: datetime, zone: str) -> str:
    token = secrets.token_urlsafe(_LENGTH)
    proposal.token_hash = hash_of(token)
    proposal.token_expires_at = link_ends(proposal, now, zone)
    _touch(proposal, now)
    return token


def _has_run_out(proposal: Proposal, now: datetime) -> bool:
    return proposal.token_expires_at is not None and proposal.token_expires_at <= now


def _written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _touch(proposal: Proposal, now: datetime) -> None:
    proposal.changed_at = now
    proposal.version += 1


def _record(verb: Verb, proposal: Proposal, by: Actor, now: datetime, **facts: Any) -> None:
    activity.record(
        verb, by=by, now=now, client_id=proposal.client_id, proposal_id=proposal.id, proposal=label(proposal), **facts
    )
