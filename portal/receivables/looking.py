"""Looking at a ledger's invoices: those that changed every few minutes, all that are open once a week.

Polling alone would be enough; webhooks only make it quicker. What was read is taken in invoice by invoice, one commit
each, and the cursor moves last, to the vendor's clock at the beginning of the look less a margin.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timedelta

from jobs import queue
from portal import integrations
from portal.adapters.base import AdapterError, NeedsReconnect, NotThere, Session
from portal.adapters.ledger import Ledger
from portal.db import db
from portal.domain import claims, connections, ledgers
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection
from portal.domain.ledgers import readings
from portal.domain.nights import slot_start
from portal.domain.records import Quarantined
from portal.receivables.lists import UNEXPECTED, read_and_tell
from portal.receivables.settling import gone, known_invoices, of_payment, take_in
from portal.sync.breaking_off import note_lost
from portal.sync.runs import GoingDown, clock

log = logging.getLogger(__name__)

TOLD = "told of"  # how many of ours the ledger spoke of, whatever it said
UNREADABLE = "not readable"
NO_NEWS = ("nothing new", "older than what is known")
NOT_CONNECTED = "It is not connected at the moment."
MARGIN = timedelta(minutes=5)  # clocks differ, and stamps are whole seconds (fault row 29)


def look_due(now: datetime) -> int:
    """Look at every ledger whose time it is, or that somebody asked to be looked at and nobody did; each slot is looked
    at once, by whichever process comes first."""
    due = []
    forgotten = set(readings.forgotten(readings.INVOICES, now))
    for connection in [one for one in ledgers.in_use() if one.is_usable]:
        ways = connection.ways.ledger
        assert ways is not None  # only ledgers are in the list
        slot = slot_start(now, ways.poll_every)
        if claims.claim(f"look:{connection.id}", slot.isoformat(), now) is not None or connection.id in forgotten:
            due.append(connection.id)
    db.session.commit()
    for connection_id in due:
        try:
            _look_and_tell(connection_id)
        except Exception:  # it is this ledger's own, and on its panel; the others are looked at all the same
            log.exception("the invoices of connection %s could not be looked at", connection_id)
    return len(due)


def look_soon(connection_id: int) -> None:
    """Look in the background. Call it after the commit of `readings.ask`."""
    queue.submit(_look_and_tell, connection_id)


def refresh_soon(connection_id: int) -> None:
    """A person pressed *Sync now*: read the lists and look at the invoices, in the background (XE-08)."""
    queue.submit(_refresh, connection_id)


def look_at_soon(connection_id: int, remote_id: str) -> None:
    """Look at one invoice in the background. Call it after the commit of `readings.ask`."""
    queue.submit(_look_at_and_tell, connection_id, remote_id)


def _refresh(connection_id: int) -> None:
    try:
        read_and_tell(connection_id)
    finally:
        _look_and_tell(connection_id)


def _look_and_tell(connection_id: int) -> None:
    """Look, and put down what went wrong also where nobody has foreseen it."""
    try:
        look(connection_id)
    except Exception:  # raised on: the queue logs it, and the panel has to say that it went wrong
        _put_down(connection_id, readings.INVOICES, UNEXPECTED)
        raise


def _look_at_and_tell(connection_id: int, remote_id: str) -> None:
    """Look at one invoice, and put down what came of it for the page that waits for it."""
    what = readings.of_invoice(remote_id)
    try:
        said = look_at(connection_id, "invoice", remote_id)
    except AdapterError as error:
        db.session.rollback()
        connection = connections.get(connection_id)
        if isinstance(error, NeedsReconnect) and connection is not None:
            note_lost(connection_id, error.message, _by(connection))
        _put_down(connection_id, what, error.message)
    except Exception:  # raised on: the queue logs it, and whoever waits at the page has to hear of it
        _put_down(connection_id, what, UNEXPECTED)
        raise
    else:
        _put_down(connection_id, what, NOT_CONNECTED if said == "not connected" else "", {said: 1})


def _put_down(connection_id: int, what: str, error: str, found: dict[str, int] | None = None) -> None:
    if error == UNEXPECTED:
        db.session.rollback()
    readings.ended(connection_id, what, now=clock(), error=error, found=found)
    db.session.commit()


def look(connection_id: int, session: Session | None = None) -> int:
    """Read what changed since the last look and take it in; gives how many of our invoices were told of.

    A look that breaks off moves no cursor: the next one reads from the same moment again.
    """
    connection = connections.get(connection_id)
    if connection is None or not connection.is_usable:
        if connection is not None:
            _put_down(connection_id, readings.INVOICES, NOT_CONNECTED)
        return 0
    adapter = integrations.ledger_for(connection)
    began = clock()
    settings = ledgers.settings_of(connection)
    is_full = settings.invoices_full_at is None or began - settings.invoices_full_at >= adapter.ledger.full_look_every
    since = None if is_full else settings.invoices_cursor
    by = _by(connection)
    try:
        session = session or integrations.open_session(connection)
        db.session.commit()
        found = _read(adapter, session, connection_id, since, by)
        stamp = session.by_vendor_clock(began) - MARGIN
    except AdapterError as error:
        db.session.rollback()
        if isinstance(error, NeedsReconnect):
            note_lost(connection_id, error.message, by)
        _put_down(connection_id, readings.INVOICES, error.message)
        log.info("looking at the invoices of connection %s broke off: %s", connection_id, error.message)
        return 0
    except GoingDown:
        return 0
    _note_end(connection_id, began, stamp, is_full, found)
    return found[TOLD]


def look_at(connection_id: int, kind: str, remote_id: str) -> str:
    """Read one invoice (or the invoice of one payment) and take it in; says what came of it, for the record.

    Raises the adapter's errors: the caller tries again.
    """
    connection = connections.get(connection_id)
    if connection is None or not connection.is_usable:
        return "not connected"
    adapter, by = integrations.ledger_for(connection), _by(connection)
    if kind == "payment":
        return _look_at_payment(connection_id, remote_id)
    if not known_invoices(connection_id, [remote_id]):
        db.session.commit()
        return "an invoice this portal did not make"
    session = integrations.open_session(connection)
    db.session.commit()
    try:
        told = adapter.fetch_invoice(session, remote_id)
    except NotThere:
        return gone(connection_id, remote_id, by=by, now=clock())
    return take_in(connection_id, told, by=by, now=clock())


def _look_at_payment(connection_id: int, remote_id: str) -> str:
    """A payment tells which invoice it is of only to those who read everything: known ones are looked at directly."""
    invoice_id = of_payment(connection_id, remote_id)
    db.session.commit()
    if invoice_id:
        return look_at(connection_id, "invoice", invoice_id)
    return f"{look(connection_id)} invoices looked at"


def _read(adapter: Ledger, session: Session, connection_id: int, since: datetime | None, by: Actor) -> Counter[str]:
    found: Counter[str] = Counter()
    seen = set()
    for told in adapter.fetch_invoices(session, since):
        if isinstance(told, Quarantined):
            log.warning("an invoice of connection %s could not be read: %s", connection_id, told.reason)
            found[UNREADABLE] += 1
            continue
        seen.add(told.remote_id)
        _count(found, take_in(connection_id, told, by=by, now=clock()))
        if queue.stopping.is_set():
            raise GoingDown
    if since is None:
        _look_at_the_others(adapter, session, connection_id, seen, by, found)
    return found


def _count(found: Counter[str], said: str) -> None:
    """`said` is what `take_in` says of one invoice; empty: it is none of ours."""
    if said:
        found[TOLD] += 1
        found.update(one for one in said.split(", ") if one not in NO_NEWS)


def _look_at_the_others(
    adapter: Ledger, session: Session, connection_id: int, seen: set[str], by: Actor, found: Counter[str]
) -> None:
    """Ours that are open here and were not among the open ones there: paid, voided or gone; each is read."""
    others = [one for one in known_invoices(connection_id, None) if one not in seen]
    db.session.commit()
    for remote_id in others:
        try:
            told = adapter.fetch_invoice(session, remote_id)
        except NotThere:
            _count(found, gone(connection_id, remote_id, by=by, now=clock()).partition(",")[0])
        else:
            _count(found, take_in(connection_id, told, by=by, now=clock()))
        if queue.stopping.is_set():
            raise GoingDown


def _note_end(connection_id: int, began: datetime, stamp: datetime, is_full: bool, found: Counter[str]) -> None:
    connection = connections.get(connection_id, lock=True)
    assert connection is not None  # connections are never deleted
    settings = ledgers.settings_to_change(connection)
    settings.invoices_cursor, settings.invoices_read_at = stamp, began
    if is_full:
        settings.invoices_full_at = began
    readings.ended(connection_id, readings.INVOICES, now=clock(), found=found)
    db.session.commit()


def _by(connection: Connection) -> Actor:
    return Actor(connections.label(connection), Origin.APP)
