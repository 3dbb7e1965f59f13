"""Proposals found: by state, client and words, newest first; and what came of an accepted one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select
from sqlalchemy.orm import contains_eager, selectinload

from portal.db import db
from portal.domain import client_search
from portal.domain.clients import Client
from portal.domain.proposals.models import Proposal, ProposalLine, ProposalState
from portal.domain.text import fold

if TYPE_CHECKING:
    from portal.domain.invoices import Invoice  # it imports this package
    from portal.domain.schedule import ClientService

PAGE = 50
_NUMBER = re.compile(r"(?:prop-?\s*)?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What an accepted proposal brought about."""

    services: list[ClientService]
    invoices: list[Invoice]


def listing(
    *, state: ProposalState | None = None, words: str = "", client_id: int | None = None, before: int | None = None,
    limit: int = PAGE,
) -> list[Proposal]:  # fmt: skip
    """Newest first, with clients and lines. `before` is the id of the last one shown; gives one more than `limit` when
    there are more. `words` are part of a name or of the client's, or a number.
    """
    query = (
        select(Proposal)
        .join(Proposal.client)
        .options(contains_eager(Proposal.client), selectinload(Proposal.lines).joinedload(ProposalLine.tax_rate))
        .order_by(Proposal.id.desc())
        .limit(limit + 1)
    )
    if state is not None:
        query = query.where(Proposal.state == state)
    if client_id is not None:
        query = query.where(Proposal.client_id == client_id)
    if before is not None:
        query = query.where(Proposal.id < before)
    number = _NUMBER.fullmatch(words.strip())
    if number:
        query = query.where(Proposal.number == int(number[1]))
    else:
        for word in fold(words).split():
            query = query.where(
                or_(
                    Client.name_key.contains(word, autoescape=True),
                    func.lower(Proposal.name).contains(word, autoescape=True),
                )
            )
    return list(db.session.scalars(query))


def clients_called(words: str, limit: int = 20) -> list[Client]:
    """Whom a proposal could be for: clients outside the archive that these words find, by name."""
    found = client_search.matching(words, Client.__table__.c.id)
    if found is None:
        return []
    query = select(Client).where(found, Client.archived_at.is_(None)).order_by(Client.name_key, Client.id)
    return list(db.session.scalars(query.limit(limit)))


def latest_terms() -> str:
    """The terms the firm wrote last: most proposals of a firm have the same."""
    query = select(Proposal.terms).where(Proposal.terms != "").order_by(Proposal.id.desc()).limit(1)
    return db.session.scalar(query) or ""


def has_proposals() -> bool:
    """Whether there was ever one."""
    return db.session.scalar(select(Proposal.id).limit(1)) is not None


def outcome(proposal: Proposal) -> Outcome:
    """The services and invoices that came of it, in the order they came."""
    from portal.domain.invoices import Invoice  # it imports this package
    from portal.domain.schedule import ClientService

    services = select(ClientService).where(ClientService.proposal_id == proposal.id).order_by(ClientService.id)
    invoices = select(Invoice).where(Invoice.client_id == proposal.client_id, Invoice.proposal_id == proposal.id)
    return Outcome(list(db.session.scalars(services)), list(db.session.scalars(invoices.order_by(Invoice.id))))
