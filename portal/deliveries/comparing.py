"""The certificate of a period: what went to a ledger, compared with the ledger as it stands now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from portal import integrations
from portal.adapters.base import NeedsReconnect, NotThere, Session
from portal.adapters.ledger import Ledger
from portal.db import db
from portal.domain import connections
from portal.domain.apps import Connection
from portal.domain.deliveries import DeliveryState, certificate
from portal.domain.deliveries.certificate import Comparison, Delivered
from portal.domain.records import LedgerInvoice
from portal.sync.runs import clock

PAGE = 1000  # of ours, read at once


def compare(
    connection: Connection, first: date, last: date, *, session: Session | None = None, now: datetime | None = None
) -> Comparison:
    """Every invoice issued from `first` to `last`, looked up in the ledger by its number and its sign.

    Ends the caller's transaction, because no vendor is called within one; writes nothing of ours. Raises the errors of
    adapters.
    """
    adapter = integrations.ledger_for(connection)
    app, account = connections.label(connection), connection.account_name
    if not connection.is_usable:
        raise NeedsReconnect(f"{app} has to be connected again first.")
    ours = list(_all_ours(connection, first, last))
    session = session or integrations.open_session(connection, urgent=True)
    db.session.rollback()
    found = list(_all_of(adapter, session, ours))
    tells = adapter.ledger.tells_payments
    rows = certificate.compare(ours, found, tells_void=tells)
    missing = [row.invoice for row in rows if row.verdict == certificate.MISSING]
    if missing:  # renumbered there, and its sign taken off: it is still known by its id
        found += list(_one_by_one(adapter, session, missing))
        rows = certificate.compare(ours, found, tells_void=tells)
    return Comparison(app, account, first, last, now or clock(), tuple(rows))


def _all_ours(connection: Connection, first: date, last: date) -> Iterator[Delivered]:
    """However many there are."""
    after = 0
    while some := certificate.of_period(connection, first, last, after, PAGE):
        yield from some
        after = some[-1].invoice_id


def _all_of(adapter: Ledger, session: Session, ours: list[Delivered]) -> Iterator[LedgerInvoice]:
    size = adapter.ledger.look_up_batch
    for start in range(0, len(ours), size):
        asked = ours[start : start + size]
        yield from adapter.find_invoices(session, [one.number for one in asked], [one.mark for one in asked])


def _one_by_one(adapter: Ledger, session: Session, missing: list[Delivered]) -> Iterator[LedgerInvoice]:
    for one in missing:
        if one.state == DeliveryState.DELIVERED:
            try:
                yield adapter.fetch_invoice(session, one.remote_id)
            except NotThere:
                continue
