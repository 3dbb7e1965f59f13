"""/apps/<connection>/looks and /list-readings: what a ledger is asked for by itself, and now, and what came of it.

Nothing is asked of a vendor within a request: it is put down that a person wants it, done in the background, and
watched by the page, which without scripts is looked at again by a link.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, abort, request, url_for

from portal import integrations, receivables
from portal.db import db
from portal.domain import deliveries, ledgers
from portal.domain.apps import Connection, ConnectionState
from portal.domain.deliveries import Standing
from portal.domain.ledgers import LedgerReading, readings
from portal.domain.nights import slot_start
from portal.domain.people import May
from portal.receivables.lists import summary
from portal.receivables.looking import TOLD
from portal.web import formats
from portal.web.apps import screen
from portal.web.apps.lookups import Here, here_or_404, now
from portal.web.guard import actor, current_person, needs
from portal.web.render import done

ENDED = "lists-read"  # the event the forms that choose from the lists listen for
FOUND = {
    "paid there": ("paid there", "paid there"), "a payment taken back there": ("payment", "payments"),
    "voided there": ("voided there", "voided there"), "deleted there": ("deleted there", "deleted there"),
    "differs": ("differs", "differ"), "not found there": ("not found there", "not found there"),
    "not readable": ("could not be read", "could not be read"),
}  # fmt: skip
AFTER = {"a payment taken back there": " taken back there"}
WAITING_WORDS = {
    Standing.WAITING: "on their way", Standing.FAILED: "not created", Standing.NEEDS_CHECK: "being looked for",
}  # fmt: skip


@screen.post("/<int:connection_id>/list-readings")
@needs(May.RUN_SYNCS)
def read_lists(connection_id: int) -> Response:
    """Read the ledger's lists anew, in the background. A second press joins the reading under way."""
    here = ledger_or_404(connection_id)
    back = "apps.ledger" if current_person().may(May.MANAGE_APPS) else "apps.panel"
    if not here.connection.is_usable:
        return _not_connected(here, back)
    is_new = readings.ask(connection_id, readings.LISTS, by=actor(), now=now())
    db.session.commit()
    if is_new:
        receivables.read_lists_soon(connection_id)
    return done("", back, connection_id=connection_id)


@screen.post("/<int:connection_id>/looks")
@needs(May.RUN_SYNCS)
def look(connection_id: int) -> Response:
    """Look at the ledger's invoices now, in the background. A second press joins the look under way."""
    here = ledger_or_404(connection_id)
    if not here.connection.is_usable:
        return _not_connected(here, "apps.panel")
    is_new = readings.ask(connection_id, readings.INVOICES, by=actor(), now=now())
    db.session.commit()
    if is_new:
        receivables.look_soon(connection_id)
    return done("", "apps.panel", connection_id=connection_id)


def ledger_or_404(connection_id: int, *, lock: bool = False) -> Here:
    here = here_or_404(connection_id, lock=lock)
    return here if here.connection.ways.ledger is not None else abort(404)


def _not_connected(here: Here, back: str) -> Response:
    said = f"{here.app.name} is not connected at the moment, so nothing was started."
    return done(said, back, tone="warn", connection_id=here.connection.id)


def lists_values(here: Here, at: datetime) -> dict[str, Any]:
    """How the lists stand: what the block `lists_read` shows."""
    connection = here.connection
    reading, kept = readings.get(connection.id, readings.LISTS), ledgers.settings_of(connection)
    return {
        "reading": reading,
        "is_reading": readings.is_under_way(reading, at),
        "lists_read_at": kept.lists_read_at,
        "lists_error": kept.lists_error,
        "lists_found": summary(reading.found) if reading is not None and not reading.error else "",
        "missing": ledgers.readiness(connection),
    }


def tell_when_read(response: Response, *, is_reading: bool) -> Response:
    """The last answer of the block tells the rest of the page that the lists have been read."""
    if request.headers.get("HX-Target") == "lists-read" and not is_reading:
        response.headers["HX-Trigger"] = ENDED
    return response


def invoices_values(connection: Connection, at: datetime) -> dict[str, Any] | None:
    """How the ledger's invoices stand: what the block `invoices` of the panel shows. None: it holds none."""
    ways = connection.ways.ledger
    if ways is None or connection.enabled_at is None:
        return None
    looked, kept = readings.get(connection.id, readings.INVOICES), ledgers.settings_of(connection)
    person, is_lost = current_person(), connection.state == ConnectionState.NEEDS_RECONNECT
    return {
        "looked": looked,
        "is_looking": readings.is_under_way(looked, at),
        "said": _said(looked),
        "next_look": slot_start(at, ways.poll_every) + ways.poll_every if connection.is_usable else None,
        "every": lasting_words(ways.poll_every.total_seconds()),
        "has_hooks": integrations.ledger_of(connection.app).ledger.has_webhooks,
        "has_key": bool(integrations.webhook_key(integrations.app_info(connection.app).vendor)),
        "tells_payments": ways.tells_payments,
        "takes_payments": ways.takes_payments and kept.writes_payments,
        "creates": kept.creates,
        "lists_read_at": kept.lists_read_at,
        "lists_error": kept.lists_error,
        "not_ready": ledgers.readiness(connection),
        "waiting": _waiting(connection.id),
        "may_look": person.may(May.RUN_SYNCS) and connection.is_usable,
        "may_see_invoices": person.may(May.SEE_INVOICES),
        "is_lost": is_lost,
    }


def _said(looked: LedgerReading | None) -> str:
    """'12 invoices from here read: 1 paid there': what the last look that worked came to."""
    if looked is None or looked.read_at is None:
        return ""
    told = looked.found.get(TOLD, 0)
    news = [
        f"{formats.number(many)} {FOUND[what][many != 1]}{AFTER.get(what, '')}"
        for what, many in looked.found.items()
        if what in FOUND and many
    ]
    if not told and not news:
        return "nothing had changed there on invoices from here"
    return f"{formats.plural(told, 'invoice')} from here read: {', '.join(news) or 'nothing new'}"


def _waiting(connection_id: int) -> list[tuple[str, str, str]]:
    """(standing, words, address of the list of just those)."""
    found = deliveries.not_there_yet(connection_id)
    return [
        (standing.value, f"{formats.count_capped(found[standing])} {words}",
         url_for("invoices.index", deployment=standing.value, app=connection_id))
        for standing, words in WAITING_WORDS.items()
        if standing in found
    ]  # fmt: skip


def lasting_words(seconds: float) -> str:
    """'15 minutes', '12 hours', 'day'."""
    minutes = round(seconds / 60)
    if minutes % (24 * 60) == 0:
        return formats.plural(minutes // (24 * 60), "day")
    return formats.plural(minutes // 60, "hour") if minutes % 60 == 0 else formats.plural(minutes, "minute")
