"""/rehearsal: the invoices that will come on some days, and what would go wrong. It writes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, request, stream_with_context, url_for

from portal.db import reading
from portal.domain import rehearsal, schedule
from portal.domain.apps import Connection
from portal.domain.csv_cells import safe_cell
from portal.domain.ledgers import Problem
from portal.domain.people import May
from portal.domain.rehearsal import Rehearsal, ToCome
from portal.domain.schedule import PayBy
from portal.web.clients.billing_forms import PAY_WORDS
from portal.web.guard import current_person, needs
from portal.web.render import render

screen = Blueprint("rehearsal", __name__, url_prefix="/rehearsal")

PAGE = 50
LONGEST = timedelta(days=366)
NAMED = 5  # clients named beside a problem
COLUMNS = ("Date", "Client", "What", "Reference", "Payment", "Currency", "Before tax", "Tax", "Total", "Ledger",
           "Problems")  # fmt: skip


@screen.get("")
@needs(May.SEE_INVOICES)
def index() -> Response:
    day_from, day_to, today, note = days()
    found = rehearsal.rehearse(day_from, day_to, today=today)
    shown = found.troubled if request.args.get("show") == "problems" else found.invoices
    page = max(1, min(request.args.get("page", 1, type=int), len(shown) // PAGE + 1))
    part = shown[(page - 1) * PAGE : page * PAGE]
    kept: dict[str, Any] = {
        "from": day_from.isoformat(),
        "to": day_to.isoformat(),
        "show": request.args.get("show") or None,
    }
    return render(
        "rehearsal/index.html",
        found=found,
        note=note,
        today=today,
        rows=[(one, found.totals_of(one), ", ".join(line.name for line in one.group.items)) for one in part],
        problems=[
            (problem, len(kept_back), [one.client for one in kept_back[:NAMED]], _place(problem, ledger))
            for problem, ledger, kept_back in found.problems[:PAGE]
        ],
        previous=url_for(".index", **kept, page=page - 1) if page > 1 else None,
        following=url_for(".index", **kept, page=page + 1) if page * PAGE < len(shown) else None,
        everything=url_for(".index", **(kept | {"show": None})),
        with_problems=url_for(".index", **(kept | {"show": "problems"})),
        file=url_for(".export", **_span(day_from, day_to)),
        only_problems=request.args.get("show") == "problems",
        shortcuts=_shortcuts(today, (found.day_from, found.day_to)),
        pay_words=PAY_WORDS,
    )


@screen.get("/rehearsal.csv")
@needs(May.SEE_INVOICES)
def export() -> Response:
    """Every invoice to come, one a row."""
    day_from, day_to, today, _note = days()
    with reading():
        found = rehearsal.rehearse(day_from, day_to, today=today)
    response = Response(stream_with_context(_csv(found)), mimetype="text/csv")
    name = f"rehearsal-{day_from.isoformat()}-{day_to.isoformat()}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    current_app.logger.info("%s exported a rehearsal: %s invoices", current_person().email, len(found.invoices))
    return response


def days() -> tuple[date, date, date, str]:
    """The days asked for, today, and a sentence where they could not be taken as they were asked for."""
    today = schedule.today(datetime.now(UTC))
    tomorrow = today + timedelta(days=1)
    first, last = _day(request.args.get("from", "")), _day(request.args.get("to", ""))
    wrong = any(request.args.get(name) and day is None for name, day in (("from", first), ("to", last)))
    first = first or last or tomorrow
    last = last or first
    if wrong:
        return tomorrow, tomorrow, today, "That is no day. Here is tomorrow."
    if first < today:
        return today, max(last, today), today, "What is past was billed already; this begins with today."
    if last < first:
        return first, first, today, "The last day was before the first one; this is the first one alone."
    if last - first > LONGEST:
        return first, first + LONGEST, today, "This shows a year at most."
    return first, last, today, ""


def _day(typed: str) -> date | None:
    try:
        found = date.fromisoformat(typed)
    except ValueError:
        return None
    return found if found.year < 9000 else None


def _shortcuts(today: date, here: tuple[date, date]) -> list[tuple[str, str, bool]]:
    """Words, address, and whether these days are shown."""
    month_end = (today.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    next_end = (month_end + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    spans = (
        ("Tomorrow", today + timedelta(days=1), today + timedelta(days=1)),
        ("Next 7 days", today + timedelta(days=1), today + timedelta(days=7)),
        ("Rest of the month", today, month_end),
        ("Next month", month_end + timedelta(days=1), next_end),
    )
    return [(words, url_for(".index", **_span(one, other)), (one, other) == here) for words, one, other in spans]


def _span(day_from: date, day_to: date) -> dict[str, Any]:
    return {"from": day_from.isoformat(), "to": day_to.isoformat()}


def _place(problem: Problem, ledger: Connection | None) -> tuple[str, str] | None:
    """Where a problem is mended: words and address; None where this person cannot go there."""
    views, person = current_app.view_functions, current_person()
    if problem.where == "client" and problem.id is not None:
        endpoint = "clients.page" if problem.cause == "archived" else "clients.mappings"
        return "Go to the client", url_for(endpoint, client_id=problem.id)
    if problem.where == "invoice":
        if problem.id is None:
            return None
        return "Go to the client's billing", url_for("clients.billing", client_id=problem.id)
    if problem.where == "numbers" and person.may(May.MANAGE_SETTINGS):
        return "Settings", url_for("settings.index")
    if ledger is None or not person.may(May.SEE_APPS):
        return None
    lists = "apps.ledger" if "apps.ledger" in views and problem.where != "connection" else "apps.panel"
    return f"Settings of {ledger.ways.short_name}", url_for(lists, connection_id=ledger.id)


def _csv(found: Rehearsal) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow(COLUMNS)
    for place, one in enumerate(found.invoices):
        writer.writerow(_row(found, one))
        if place % 200 == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _row(found: Rehearsal, one: ToCome) -> list[Any]:
    group, sums = one.group, found.totals_of(one)
    ledger = f"{one.ledger.ways.name}, {one.ledger.account_name}" if one.ledger else ""
    texts = [
        group.on.isoformat() if group.on else "", one.client.name, ", ".join(line.name for line in group.items),
        group.reference, PAY_WORDS[PayBy(group.pay_by)], group.currency,
    ]  # fmt: skip
    amounts = [sums.net, sums.tax, sums.total] if sums else ["", "", ""]
    rest = [ledger, " ".join(problem.text for problem in one.problems)]
    return [*(safe_cell(text) for text in texts), *amounts, *(safe_cell(text) for text in rest)]
