"""/apps/<connection>/runs/<run>: what one run did, record by record, while it runs and after."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, make_response, request, url_for

from portal import sync
from portal.db import db
from portal.domain import runs
from portal.domain.apps import IllegalMove, RunKind, RunState, SyncRun
from portal.domain.csv_cells import safe_cell
from portal.domain.people import May
from portal.web.apps import screen
from portal.web.apps.lookups import Here, asked_id, asked_outcome, here_or_404, import_address, now, run_or_404
from portal.web.apps.panel import progress_values
from portal.web.apps.plan_rows import plain_text, shown_rows
from portal.web.guard import actor, needs
from portal.web.render import done, render

PAGE = 50
ENDED = "run-ended"  # the event other blocks of a page listen for


@screen.get("/<int:connection_id>/runs/<int:run_id>")
@needs(May.SEE_APPS)
def run(connection_id: int, run_id: int) -> Response:
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id)
    response = render("apps/run.html", blocks=("run_progress", "items"), **_run_values(here, found))
    return tell_when_ended(response, is_open=RunState(found.state).is_open)


def tell_when_ended(response: Response, *, is_open: bool) -> Response:
    """The progress block asks again every second while a run is open; the last answer tells the rest of the page."""
    if request.headers.get("HX-Target") == "run-progress" and not is_open:
        response.headers["HX-Trigger"] = ENDED
    return response


@screen.get("/<int:connection_id>/runs/<int:run_id>/export")
@needs(May.SEE_APPS)
def export(connection_id: int, run_id: int) -> Response:
    """The run's rows, or those of one outcome, as CSV."""
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id)
    file = io.StringIO()
    sheet = csv.writer(file)
    sheet.writerow(["Outcome", "Name", f"Id in {here.app.short_name}", "Client id here", "Why", "Fields"])
    words = runs.WOULD_DO if found.kind == RunKind.PREVIEW else runs.DID
    for item in runs.every_item(found, asked_outcome(), request.args.get("q", "").strip()):
        fields = "; ".join(plain_text(row, here.app.short_name) for row in item.plan if row["action"] != "keep")
        cells = [words[item.outcome][0], item.name, item.remote_id, item.client_id or "", item.reason, fields]
        sheet.writerow([safe_cell(cell) for cell in cells])
    response = make_response(file.getvalue().encode("utf-8-sig"))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="run-{found.id}.csv"'
    return response


@screen.post("/<int:connection_id>/runs/<int:run_id>/stops")
@needs(May.RUN_SYNCS)
def stop(connection_id: int, run_id: int) -> Response:
    found = run_or_404(connection_id, run_id)
    if RunState(found.state).is_open:
        sync.ask_to_stop(found, by=actor(), now=now())
        db.session.commit()
        message = "Stopping after the record in hand. What was done stays done; the next sync goes on from there."
    else:
        message = "It had already ended."
    return done(message, _page_of(found), tone="info", connection_id=connection_id, run_id=run_id)


@screen.post("/<int:connection_id>/runs/<int:run_id>/releases")
@needs(May.MANAGE_APPS)
def release(connection_id: int, run_id: int) -> Response:
    """Go ahead with a run the safety catch has held."""
    found = run_or_404(connection_id, run_id)
    try:
        forced = sync.release(found, by=actor(), now=now())
    except IllegalMove:
        return _not_held(connection_id)
    forced_id = forced.id
    db.session.commit()
    sync.start(forced_id)
    return done("Going ahead, as you decided.", "apps.panel", connection_id=connection_id)


@screen.post("/<int:connection_id>/runs/<int:run_id>/refusals")
@needs(May.RUN_SYNCS)
def leave(connection_id: int, run_id: int) -> Response:
    """Leave what a held run would have done."""
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id)
    try:
        runs.leave(found, app=here.app.name, by=actor(), now=now())
    except IllegalMove:
        return _not_held(connection_id)
    db.session.commit()
    said = "Left as it is: nothing was changed. The next sync looks again."
    return done(said, "apps.panel", connection_id=connection_id)


def _not_held(connection_id: int) -> Response:
    db.session.rollback()
    said = "That run waits for nobody any more: somebody has decided, or a later run has."
    return done(said, "apps.panel", tone="info", connection_id=connection_id)


def _page_of(found: SyncRun) -> str:
    return "apps.preview" if found.kind == RunKind.PREVIEW else "apps.run"


def _run_values(here: Here, found: SyncRun) -> dict[str, Any]:
    at = now()
    outcome, name = asked_outcome(), request.args.get("q", "").strip()[:200]
    page = runs.item_page(found, outcome, after=asked_id("after"), before=asked_id("before"), name=name, limit=PAGE)
    return {
        "here": here,
        "at": at,
        "outcome": outcome,
        "name": name,
        "counts": runs.counted(found),
        "words": runs.WOULD_DO if found.kind == RunKind.PREVIEW else runs.DID,
        "state_words": runs.STATE_WORDS[RunState(found.state)],
        "to_settle": set(runs.NEEDS_A_PERSON),
        "name_here": runs.names_here(page.rows),
        "page": page,
        "rows_of": lambda item: shown_rows(item, here.app.short_name),
        "link": lambda **changed: page_link("apps.run", here, found, outcome, name, **changed),
        "is_held": found.state == RunState.HELD,
        "import_at": import_address(here.connection),
        **progress_values(here.connection, found, at),
    }


def page_link(endpoint: str, here: Here, found: SyncRun, outcome: Any, name: str, /, **changed: Any) -> str:
    """The address of this page with the filters in force, some of them changed; None takes one away."""
    asked: dict[str, Any] = {"outcome": outcome.value if outcome else None, "q": name or None} | changed
    return url_for(endpoint, connection_id=here.connection.id, run_id=found.id, **asked)
