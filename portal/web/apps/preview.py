"""/apps/<connection>/previews/<run>: the plan before the fact. What is ticked, rows and fields, can then be applied."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from portal import sync
from portal.db import db
from portal.domain import runs
from portal.domain.apps import Outcome, RunItem, RunKind, RunState, RunTrigger, SyncRun
from portal.domain.import_choices import is_chosen
from portal.domain.people import May
from portal.domain.records import client_from_json
from portal.web.apps import screen
from portal.web.apps.lookups import Here, asked_id, asked_outcome, here_or_404, import_address, now, run_or_404
from portal.web.apps.panel import already_running, progress_values
from portal.web.apps.plan_rows import incoming, shown_rows
from portal.web.apps.runs import page_link, tell_when_ended
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, is_fragment, render

PAGE = 50
POSITION = ("after", "before")  # where in a long plan the reader is
# What each part of a plan is about, once for all its rows.
MEANING: dict[Outcome, str] = {
    Outcome.FAILED: "These could not be looked at.",
    Outcome.QUARANTINED: "These records could not be understood; they are left alone.",
    Outcome.CONFLICT: "Changed on both sides. The later change counts; the other value is kept and can be put back.",
    Outcome.NEAR_MATCH: "Nobody is linked by guesswork: once applied or synced, these wait under Matches.",
    Outcome.AMBIGUOUS: "Nobody is linked by guesswork: once applied or synced, these wait under Matches.",
    Outcome.TAKEN: "The client of this name has another record: once applied or synced, these wait under Matches.",
    Outcome.BROKEN: "The record is gone there. The link is kept and marked, and nothing is sent to it any more.",
    Outcome.UPDATED: "Changed there since both sides last agreed.",
    Outcome.PUSHED: "Changed here since both sides last agreed.",
    Outcome.LINKED: "Exactly the same name, and nobody else is meant: client and record become one.",
    Outcome.CREATED: "Nobody here has this name: each comes in as a new lead.",
    Outcome.CREATED_THERE: "Made here and not there yet: each is created in the app.",
    Outcome.OFFERED: "Nobody here has this name: these wait under Import until somebody chooses them.",
    Outcome.SKIPPED: "Left out on purpose.",
    Outcome.HELD_BACK: "Moved meanwhile.",
    Outcome.UNCHANGED: "",
}
# The same where the rows are what somebody chose under Import.
MEANING_CHOSEN = MEANING | {
    Outcome.LINKED: "Client and record become one; what is empty here is filled. Nothing is sent by this: what differs "
    "travels with the next sync, the way the connection is set.",
    Outcome.CREATED: "Each comes in as a new lead.",
    Outcome.SKIPPED: "They stay out of every sync until somebody brings them in.",
    Outcome.NEAR_MATCH: "Somebody here has nearly this name by now: these wait and need a choice of their own.",
    Outcome.AMBIGUOUS: "The name exists more than once: these wait and need a choice of their own.",
    Outcome.TAKEN: "The client meant has another record: nothing happens to these.",
}
TICKED = "ticks-changed"  # the event the bar with the count listens for

# What came of a row when its preview was applied, by what the run noted on it.
CAME_OF_IT: dict[str, str] = {
    Outcome.CREATED: "created", Outcome.LINKED: "linked", Outcome.UPDATED: "updated", Outcome.PUSHED: "sent",
    Outcome.CREATED_THERE: "created there", Outcome.OFFERED: "waits under Import",
    Outcome.CONFLICT: "updated; what lost is kept as a conflict", Outcome.BROKEN: "link marked as broken",
    Outcome.NEAR_MATCH: "not done: waits under Matches", Outcome.AMBIGUOUS: "not done: waits under Matches",
    Outcome.TAKEN: "not done: waits under Matches", Outcome.FAILED: "did not work",
    Outcome.UNCHANGED: "nothing was left to do",
    "done": "nothing was left to do",
}  # fmt: skip


@screen.get("/<int:connection_id>/previews/<int:run_id>")
@needs(May.SEE_APPS)
def preview(connection_id: int, run_id: int) -> Response:
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id, kind=RunKind.PREVIEW)
    values = _values(here, found)
    response = render("apps/preview.html", blocks=("run_progress", "plan", "ticks"), **values)
    return tell_when_ended(response, is_open=values["run"] is not None)


@screen.post("/<int:connection_id>/previews/<int:run_id>/ticks")
@needs(May.RUN_SYNCS)
def tick(connection_id: int, run_id: int) -> Response:
    """Keep the ticks of the rows sent along: one as soon as a box of it changes, or the page by its button.

    `shown` names the rows that were there, so that an empty box is told from one not sent. `field` is "<row>:<field>".
    """
    here, found = here_or_404(connection_id), run_or_404(connection_id, run_id, kind=RunKind.PREVIEW)
    chosen = set(request.form.getlist("item"))
    fields = [one.partition(":")[::2] for one in request.form.getlist("field")]
    shown = {int(one) for one in request.form.getlist("shown") if one.isdecimal()}
    items = runs.some_items(found, sorted(shown))
    for item in items:
        runs.choose(item, str(item.id) in chosen, {key for item_id, key in fields if item_id == str(item.id)})
    db.session.commit()
    if not is_fragment() or not items:
        return _back(here, found, "Your choice is kept.")
    response = render("apps/plan_row.html", item=items[0], may_tick=True, **_row_values(here, items[:1]))
    response.headers["HX-Trigger"] = TICKED
    return response


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
    place: dict[str, Any] = {key: request.form[key] for key in ("outcome", "q", *POSITION) if request.form.get(key)}
    return done(message, "apps.preview", tone=tone, connection_id=here.connection.id, run_id=found.id, **place)


def _values(here: Here, found: SyncRun) -> dict[str, Any]:
    at, may_tick = now(), current_person().may(May.RUN_SYNCS)
    outcome, name = asked_outcome(), request.args.get("q", "").strip()[:200]
    is_ready = found.state == RunState.DONE
    page = runs.item_page(
        found, outcome, after=asked_id("after"), before=asked_id("before"), name=name, limit=PAGE, with_record=True
    )
    ticked = runs.ticked(found) if is_ready else {}
    application = runs.application(found)
    applying = application if application is not None and RunState(application.state).is_open else None
    watched = applying or (found if RunState(found.state).is_open else None)
    return {
        "at": at,
        "preview": found,
        "is_ready": is_ready,
        "outcome": outcome,
        "name": name,
        "position": {key: asked_id(key) for key in POSITION if asked_id(key)},
        "page": page,
        "counts": [(one, count, runs.WOULD_DO[one][count != 1]) for one, count in runs.counted(found)],
        "total": runs.looked_at(found),
        "ticked": ticked,
        "chosen": sum(chosen for chosen, _ in ticked.values()),
        "choosable": sum(all_of for _, all_of in ticked.values()),
        "application": application,
        "overtaken": runs.overtaken_by(found) if application is None else None,
        "link": lambda **changed: page_link("apps.preview", here, found, outcome, name, **changed),
        "meaning": MEANING_CHOSEN if is_chosen(found) else MEANING,
        "is_chosen": is_chosen(found),
        "again": _again(found),
        "import_at": import_address(here.connection),
        "waits_under_matches": runs.overtaken_by(found) is not None or application is not None,
        "may_tick": may_tick and application is None and bool(ticked),
        **_row_values(here, page.rows),
        **progress_values(here.connection, watched, at),
        "watch_at": url_for("apps.preview", connection_id=here.connection.id, run_id=found.id),
    }


def _row_values(here: Here, items: list[RunItem]) -> dict[str, Any]:
    """What a row of the plan needs, in the page or alone."""
    return {
        "here": here,
        "words": runs.WOULD_DO,
        "rows_of": lambda item: shown_rows(item, here.app.short_name),
        "incoming": _incoming,
        "can_tick": runs.is_tickable,
        "tickable": set(runs.TICKABLE),
        "to_settle": set(runs.NEEDS_A_PERSON),
        "came_of_it": came_of_it,
        "name_here": runs.names_here(items),
    }


def came_of_it(item: RunItem) -> tuple[str, str]:
    """What applying did about this row, and the tone to say it in; both empty before."""
    if item.outcome in runs.NEEDS_A_PERSON:
        return "", ""
    if item.applied in CAME_OF_IT:
        went_well = item.applied in (*runs.TICKABLE, Outcome.UNCHANGED, "done")
        return CAME_OF_IT[item.applied], "ok" if went_well else "warn"
    return item.applied, "warn" if item.applied.startswith("held back") else "muted"


def _again(found: SyncRun) -> str:
    """Where to make one like it anew; empty: with the button that makes previews."""
    return url_for("apps.import_clients", connection_id=found.connection_id) if is_chosen(found) else ""


def _incoming(item: RunItem) -> list[tuple[str, str]]:
    return incoming(client_from_json(item.record)) if item.record else []
