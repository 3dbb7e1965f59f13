"""/certificates: the proof that every invoice is in its ledger once, for one invoice and for a period.

A period is compared with the ledger as it stands when somebody presses *Compare now*; nothing of that is kept.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, make_response, request

from portal import deliveries as shell
from portal.adapters.base import AdapterError
from portal.domain import connections, deliveries, invoices, ledgers
from portal.domain.apps import Connection
from portal.domain.csv_cells import safe_cell
from portal.domain.deliveries import certificate
from portal.domain.deliveries.certificate import Comparison
from portal.domain.people import May
from portal.web import formats
from portal.web.guard import current_person, needs
from portal.web.render import render

screen = Blueprint("certificates", __name__, url_prefix="/certificates")

MOST = 2000  # invoices a page compares at once; the command takes any number
MONTH = timedelta(days=30)


@screen.get("/invoices/<int:invoice_id>")
@needs(May.SEE_INVOICES)
def of_invoice(invoice_id: int) -> Response:
    invoice = invoices.get(invoice_id)
    if invoice is None or (invoice.voided_at is not None and not current_person().may(May.SETTLE_INVOICES)):
        abort(404)
    found = certificate.of_invoice(invoice)
    return render("certificates/invoice.html", invoice=invoice, found=found, period=_around(invoice.issued_on))


@screen.get("/")
@needs(May.SEE_INVOICES)
def index() -> Response:
    """Which ledger and which days; with `compare` also what the ledger says."""
    values = _asked()
    compared, problem = _compared(values) if request.args.get("compare") else (None, "")
    address = request.full_path.rstrip("?")
    return render(
        "certificates/index.html", blocks=("result",), address=address, **_said(values), compared=compared,
        problem=problem,
    )  # fmt: skip


@screen.get("/export")
@needs(May.SEE_INVOICES)
def export() -> Response:
    """The comparison as CSV, made anew."""
    values = _asked()
    compared, problem = _compared(values)
    if compared is None:
        return render("certificates/index.html", status=422, **_said(values), compared=None, problem=problem)
    file = io.StringIO()
    csv.writer(file).writerows([safe_cell(cell) for cell in row] for row in certificate.as_table(compared))
    response = make_response(file.getvalue().encode("utf-8-sig"))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    name = f"certificate-{compared.first.isoformat()}-{compared.last.isoformat()}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked() -> dict[str, Any]:
    """The ledger and the days asked for; the first ledger and the last thirty days where nothing sensible was."""
    known = ledgers.in_use()
    today = datetime.now(UTC).astimezone(formats.zone()).date()
    last = _day("last") or today
    first = _day("first") or last - MONTH
    wanted = request.args.get("ledger", type=int)
    connection = next((one for one in known if one.id == wanted), next(iter(known), None))
    return {"ledgers": known, "connection": connection, "first": min(first, last), "last": max(first, last)}


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """What the page needs, read anew: comparing has ended the transaction the connections came from."""
    known = ledgers.in_use()
    chosen: Connection | None = values["connection"]
    return {
        "choices": [(one.id, f"{connections.label(one)} · {one.account_name}") for one in known],
        "chosen": chosen.id if chosen is not None else None,
        "first": values["first"],
        "last": values["last"],
        "verdicts": certificate.VERDICTS,
        "counts": deliveries.counts(chosen.id) if chosen is not None else {},
        "most": MOST,
    }


def _compared(values: dict[str, Any]) -> tuple[Comparison | None, str]:
    """What the ledger says, and why it could not be asked."""
    connection: Connection | None = values["connection"]
    if connection is None:
        return None, "No ledger is connected."
    if not connection.is_usable:
        return None, f"{connections.label(connection)} has to be connected again first."
    if len(certificate.of_period(connection, values["first"], values["last"], limit=MOST + 1)) > MOST:
        return None, f"These are more than {MOST:,} invoices. Choose fewer days, or use the command."
    try:
        return shell.compare(connection, values["first"], values["last"]), ""
    except AdapterError as error:
        return None, error.message


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _around(day: date) -> tuple[date, date]:
    """The month it was issued in."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
