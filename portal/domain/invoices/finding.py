"""Single invoices, and a client's: for pages that show one, and for what is typed somewhere else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portal.db import db
from portal.domain.clients import Client
from portal.domain.invoices.listed import PAGE, Row, listing
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.view import Filters

SUGGESTED = 8


def get(invoice_id: int) -> Invoice | None:
    """With its lines and payments."""
    loaded = (selectinload(Invoice.lines), selectinload(Invoice.payments))
    return db.session.scalar(select(Invoice).where(Invoice.id == invoice_id).options(*loaded))


def by_ids(invoice_ids: Sequence[int]) -> list[Invoice]:
    """In the order given; those that do not exist are left out."""
    found = {one.id: one for one in db.session.scalars(select(Invoice).where(Invoice.id.in_(invoice_ids)))}
    return [found[one] for one in invoice_ids if one in found]


def by_number(number: str) -> Invoice | None:
    return db.session.scalar(select(Invoice).where(Invoice.number == number))


def of_client(client: Client, *, as_of: date, with_voided: bool = False, limit: int = PAGE) -> list[Row]:
    """The client's invoices, newest first (IN-01); one more than `limit` when there are more."""
    view = Filters(client=client.id, with_voided=with_voided)
    return listing(view, as_of=as_of, limit=limit + 1).rows


def search(words: str, *, as_of: date, limit: int = SUGGESTED) -> list[Row]:
    """The newest invoices of this number, or of clients who answer to the words; none for no words."""
    view = Filters(words=words.strip())
    return listing(view, as_of=as_of, limit=limit).rows if view.words else []
