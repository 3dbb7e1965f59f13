"""A client's Invoices tab: what was billed, and which ledger its invoices go to."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, request

from portal.db import db
from portal.domain import client_head, connections, invoices, ledgers
from portal.domain.apps import Connection
from portal.domain.invoices.view import Filters
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.clients.lookups import locked_or_404, now
from portal.web.clients.page import light_frame_of
from portal.web.guard import actor, current_person, needs
from portal.web.invoices.lookups import today
from portal.web.invoices.rows import rows
from portal.web.render import done, render


@screen.get("/<int:client_id>/invoices")
@needs(May.SEE_INVOICES)
def invoices_of(client_id: int) -> Response:
    """Newest first; voided ones only for those who may void, and only when they ask (IN-04)."""
    client = client_head.get(client_id) or abort(404)
    may_settle = current_person().may(May.SETTLE_INVOICES)
    voided = may_settle and request.args.get("voided") == "yes"
    view = Filters(client=client.id, with_voided=voided)
    key, _notes = invoices.key_from(request.args, view.sort)
    page = invoices.listing(view, key, as_of=today())
    chooser = ledgers.Chooser([client.id])
    values: dict[str, Any] = {
        "view": view,
        "page": page,
        "rows": rows(page, can_tick=False, with_client=False),
        "voided": voided,
        "may_settle": may_settle,
        "may_bill": current_person().may(May.INVOICE_CLIENTS),
        "choice": chooser.of(client.id, client.created_at),
        "ledgers": [(one.id, name, one.account_name) for one, name in _named(chooser.ledgers)],
    }
    return render("clients/invoices.html", blocks=("rows",), **values, **light_frame_of(client, "invoices"))


def _named(connections: list[Connection]) -> list[tuple[Connection, str]]:
    """Each with what sentences call it."""
    names = dict(ledgers.names()) if len(connections) > 1 else {}
    return [(one, names.get(one.id) or one.ways.short_name) for one in connections]


@screen.post("/<int:client_id>/ledgers")
@needs(May.INVOICE_CLIENTS)
def choose_ledger(client_id: int) -> Response:
    """Which ledger this client's invoices go to from now on; 0: none (XE-04, IN-11)."""
    client = locked_or_404(client_id)
    chosen = request.form.get("connection", 0, type=int)
    connection = (connections.get(chosen) or abort(404)) if chosen else None
    try:
        ledgers.switch_client(client, connection, connection is not None, by=actor(), now=now())
    except ledgers.NotALedger as told:
        db.session.rollback()
        return done(str(told), ".invoices_of", tone="warn", client_id=client_id)
    app = connections.label(connection) if connection else ""
    db.session.commit()
    where = f"are created in {app}" if app else "go to no ledger"
    said = f"Invoices of {client.name} {where} from now on. Those that are out already stay where they are."
    return done(said, ".invoices_of", client_id=client_id)
