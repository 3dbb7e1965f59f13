"""/apps/<connection>: the panel of one connected account: its state, its runs, what can be done with it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import Response, request

from portal import integrations, receivables, sync
from portal.db import db
from portal.domain import connections, runs, unlinked
from portal.domain.apps import Connection, ConnectionState, RunKind, RunTrigger, SyncRun
from portal.domain.ledgers import readings
from portal.domain.people import May
from portal.web import formats
from portal.web.apps import screen
from portal.web.apps.client_settings import by_itself, in_force, travels
from portal.web.apps.lookups import Here, asked_id, here_or_404, import_address, now, running_words
from portal.web.apps.readings import invoices_values
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, is_fragment, render

PAGE = 15
UNPROVEN = re.compile(r"\s*This needs a (live check|check against a live account)\.$", re.IGNORECASE)


@screen.get("/<int:connection_id>")
@needs(May.SEE_APPS)
def panel(connection_id: int) -> Response:
    here = here_or_404(connection_id)
    at = now()
    return render("apps/panel.html", blocks=("sync", "runs", "run_progress", "invoices"), **_panel_values(here, at))


@screen.post("/<int:connection_id>/runs")
@needs(May.RUN_SYNCS)
def start_sync(connection_id: int) -> Response:
    """Sync now. A second press joins the run under way (AP-11, fault row 70)."""
    return _begin(here_or_404(connection_id), RunKind.SYNC, full=bool(request.form.get("full")))


@screen.post("/<int:connection_id>/previews")
@needs(May.RUN_SYNCS)
def start_preview(connection_id: int) -> Response:
    return _begin(here_or_404(connection_id), RunKind.PREVIEW, full=bool(request.form.get("full")))


def _begin(here: Here, kind: RunKind, *, full: bool = False) -> Response:
    connection = here.connection
    if not connection.is_usable:
        return done(
            f"{here.app.name} is not connected at the moment, so nothing was started.", "apps.panel",
            tone="warn", connection_id=connection.id,
        )  # fmt: skip
    run, joined = sync.request_run(connection, kind=kind, trigger=RunTrigger.PERSON, by=actor(), now=now(), full=full)
    run_id, run_kind = run.id, RunKind(run.kind)
    message = already_running(run) if joined else ""
    reads_ledger = kind == RunKind.SYNC and connection.ways.ledger is not None
    if reads_ledger:
        for what in (readings.LISTS, readings.INVOICES):
            readings.ask(connection.id, what, by=actor(), now=now())
    db.session.commit()
    if not joined:
        sync.start(run_id)
    if reads_ledger:
        receivables.refresh_soon(connection.id)
    if kind == RunKind.PREVIEW and run_kind == RunKind.PREVIEW:
        return done(message, "apps.preview", tone="info", connection_id=connection.id, run_id=run_id)
    if invoice_id := request.form.get("invoice", 0, type=int):  # pressed where an invoice waits for its customer
        said = message or f"{here.app.name} is being read. If the client is found there, the invoice goes by itself."
        return done(said, "invoices.page", tone="info", invoice_id=invoice_id)
    return done(message, "apps.panel", tone="info", connection_id=connection.id)


def already_running(run: SyncRun) -> str:
    """What a second press is told."""
    since = formats.clock(run.started_at or run.asked_at)
    return f"{running_words(run)} is already running since {since}, started by {run.by_name}. You can watch it here."


def progress_values(connection: Connection, run: SyncRun | None, at: datetime) -> dict[str, Any]:
    """What the block `run_progress` shows, on whichever page it stands. `run` None: nothing is under way."""
    used, per_day = integrations.call_allowance(connection)
    return {
        "run": run,
        "progress": runs.progress(run, at, used_today=used, allowance=per_day) if run is not None else None,
        "whom_to_ask": connections.admins(),
        "may_run": current_person().may(May.RUN_SYNCS),
        "may_manage": current_person().may(May.MANAGE_APPS),
        "calls_today": used,
        "calls_a_day": per_day,
        "is_fragment": is_fragment(),
        "took": runs.took(run, at) if run is not None else None,
        "watch_at": None,
    }


def _panel_values(here: Here, at: datetime) -> dict[str, Any]:
    connection = here.connection
    held = runs.held(connection)
    before = asked_id("before")
    shown = runs.recent(connection, PAGE + 1, before or None)
    firm = formats.firm()
    return {
        "here": here,
        "at": at,
        "last": runs.latest_ended(connection),
        "failed": _failed(connection),
        "held": held,
        "next_run": _next_run(here, at),
        "import_at": import_address(connection),
        "to_import": unlinked.waiting(connection.id),
        "facts": [one for one in connection.reference.get("facts", {}).items() if one[1] != connection.account_name],
        "shared": connections.sharing_sign_in(connection),
        "name_of": connections.label,
        "in_force": in_force(connection, here.app),
        "travels": travels(here.app, connection),
        "limits": [limit_said(one) for one in here.app.limits_said],
        "columns": {one for one in ("created_there", "offered") if any(run.counts.get(one) for run in shown)},
        "time_zone": firm.time_zone if firm else "",
        "linked": connections.linked(connection),
        "waiting": connections.waiting_to_be_sent(connection),
        "is_choosing": connection.state == ConnectionState.CHOOSING,
        "is_lost": connection.state == ConnectionState.NEEDS_RECONNECT,
        "is_gone": connection.state == ConnectionState.DISCONNECTED,
        "history": shown[:PAGE],
        "took_of": lambda one: runs.took(one, at),
        "older": shown[PAGE - 1].id if len(shown) > PAGE else None,
        "is_first_page": not before,
        "invoices": invoices_values(connection, at),
        **progress_values(connection, runs.latest_open(connection), at),
    }


def _next_run(here: Here, at: datetime) -> str:
    """'tonight 00:00', '15:00, every hour'; empty while nothing runs by itself."""
    due = connections.next_sync(here.connection, at)
    if due is None:
        return ""
    clock = f"{due.astimezone(formats.zone()):%H:%M}"
    return f"tonight {clock}" if here.app.sync_every is None else f"{clock}, {by_itself(here.app)}"


def limit_said(text: str) -> tuple[str, bool]:
    """What an app says of its limits, and whether only the vendor's live service can prove it."""
    shown = UNPROVEN.sub("", text)
    return shown, shown != text or "live check" in text.lower()


def _failed(connection: Connection) -> SyncRun | None:
    """The newest run, when it came to nothing."""
    newest = runs.latest(connection)
    return newest if newest is not None and newest.state in ("failed", "interrupted", "partial") else None
