"""/apps/<connection>/previews/<run>: the plan before the fact. Rows and fields are ticked, then just those are applied."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from portal import sync
from portal.db import db
from portal.domain import runs
from portal.domain.apps import IllegalMove, Outcome, RunItem, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.people import May
from portal.domain.records import client_from_json
from portal.web.apps import screen
from portal.web.apps.lookups import Here, asked_id, asked_outcome, here_or_404, now, run_or_404
from portal.web.apps.panel import already_running, progress_values
from portal.web.apps.plan_rows import incoming, shown_rows
from portal.web.apps.runs import page_link
from portal.web.guard import actor, needs
from portal.web.render import done, is_fragment, render

PAGE = 50


@screen.get("/<int:connection_id>/previews/<int:run_id>")
@needs(May.SEE_APPS)
def preview(connection_id: int, run_id: int) -> Response:
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id, kind=RunKind.PREVIEW)
    return render("apps/preview.html", blocks=("run_progress", "plan", "ticks"), **_values(here, found))


@screen.post("/<int:connection_id>/previews/<int:run_id>/ticks")
@needs(May.RUN_SYNCS)
def tick(connection_id: int, run_id: int) -> Response:
    """Keep the ticks of the rows sent along. One box as soon as it changes, or the whole page by its button.

    `shown` and `shown_field` name the boxes that were there, so that an empty one is told from one not sent.
    """
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id, kind=RunKind.PREVIEW)
    chosen, fields = set(request.form.getlist("item")), set(request.form.getlist("field"))
    shown = request.form.getlist("shown")
    shown_fields = [one.partition(":")[::2] for one in request.form.getlist("shown_field")]
    wanted = {int(one) for one in [*shown, *(item_id for item_id, _ in shown_fields)] if one.isdecimal()}
    by_id = {str(one.id): one for one in runs.some_items(found, sorted(wanted))}
    for item_id, key in shown_fields:
        item = by_id.get(item_id)
        if item is not None and (item_id not in shown or item.is_included):
            runs.set_field_included(item, key, f"{item_id}:{key}" in fields)
    for item_id in shown:
        item = by_id.get(item_id)
        if item is not None and item.is_included != (item_id in chosen):
            runs.set_included(item, item_id in chosen)
    db.session.commit()
    if is_fragment():
        return render("apps/preview.html", blocks=("ticks",), **_values(here, found))
    return _back(here, found, "Your choice is kept.")


@screen.post("/<int:connection_id>/previews/<int:run_id>/selections")
@needs(May.RUN_SYNCS)
def select(connection_id: int, run_id: int) -> Response:
    """Tick or untick all rows of an outcome, or of all, also those on other pages."""
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id, kind=RunKind.PREVIEW)
    wanted, included = request.form.get("which", ""), request.form.get("included") == "yes"
    outcome = Outcome(wanted) if wanted in set(runs.TICKABLE) else None
    runs.include_all(found, outcome, included)
    db.session.commit()
    return _back(here, found, "")


@screen.post("/<int:connection_id>/previews/<int:run_id>/applications")
@needs(May.RUN_SYNCS)
def apply(connection_id: int, run_id: int) -> Response:
    """Do what is ticked, and only that. A second press joins the first (fault row 70)."""
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id, kind=RunKind.PREVIEW)
    if found.state != RunState.DONE or not here.connection.is_usable:
        return _back(here, found, "This preview cannot be applied at the moment, so nothing was started.", "warn")
    if not sum(chosen for chosen, _ in runs.ticked(found).values()):
        return _back(here, found, "Nothing is ticked that was not applied already, so nothing was started.", "warn")
    made, joined = sync.request_run(
        here.connection, kind=RunKind.APPLY, trigger=RunTrigger.PERSON, by=actor(), now=now(), preview=found
    )
    made_id, message = made.id, already_running(made) if joined else ""
    db.session.commit()
    if not joined:
        sync.start(made_id)
    return _back(here, found, message, "info")


def _back(here: Here, found: SyncRun, message: str, tone: str = "ok") -> Response:
    """To the same page with the same filters."""
    outcome = request.form.get("outcome") or None
    return done(
        message, "apps.preview", tone=tone, connection_id=here.connection.id, run_id=found.id,
        outcome=outcome, q=request.form.get("q") or None, after=request.form.get("after") or None,
    )  # fmt: skip


def _values(here: Here, found: SyncRun) -> dict[str, Any]:
    at = now()
    outcome, name = asked_outcome(), request.args.get("q", "").strip()[:200]
    is_ready = found.state == RunState.DONE
    page = runs.item_page(found, outcome, after=asked_id("after"), before=asked_id("before"), name=name, limit=PAGE)
    ticked = runs.ticked(found) if is_ready else {}
    application = runs.application(found)
    applying = application if application is not None and RunState(application.state).is_open else None
    watched = applying or (found if RunState(found.state).is_open else None)
    return {
        "here": here,
        "at": at,
        "preview": found,
        "is_ready": is_ready,
        "outcome": outcome,
        "name": name,
        "after": asked_id("after"),
        "page": page,
        "counts": [(one, count, runs.WOULD_DO[one][count != 1]) for one, count in runs.counted(found)],
        "total": runs.looked_at(found),
        "ticked": ticked,
        "chosen": sum(chosen for chosen, _ in ticked.values()),
        "choosable": sum(all_of for _, all_of in ticked.values()),
        "words": runs.WOULD_DO,
        "application": application,
        "overtaken": runs.overtaken_by(found) if application is None else None,
        "rows_of": lambda item: shown_rows(item, here.app.short_name),
        "incoming": _incoming,
        "can_tick": lambda item: runs.is_tickable(item),
        "tickable": set(runs.TICKABLE),
        "to_settle": set(runs.NEEDS_A_PERSON),
        "link": lambda **changed: page_link("apps.preview", here, found, outcome, name, **changed),
        **progress_values(here.connection, watched, at),
    }


def _incoming(item: RunItem) -> list[tuple[str, str]]:
    return incoming(client_from_json(item.record)) if item.record else []
