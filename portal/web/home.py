"""Home: what needs a person now, and how the connected apps are doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, url_for

from portal import integrations
from portal.domain import home as overview
from portal.domain import runs
from portal.domain.apps import RunState, SyncRun
from portal.domain.home import Figures, Health
from portal.domain.people import May
from portal.web import formats
from portal.web.formats import count_capped
from portal.web.guard import current_person, needs
from portal.web.render import render

screen = Blueprint("home", __name__)


@dataclass(frozen=True)
class Task:
    """One thing that waits: how much of it, what it is, why it matters, and where it is settled."""

    figure: str
    what: str
    why: str
    url: str
    tone: str


@screen.get("/")
@needs(None)
def index() -> Response:
    person = current_person()
    health = overview.health() if person.may(May.SEE_APPS) else []
    today = datetime.now(UTC).astimezone(formats.zone()).date()
    waits = overview.figures(today + timedelta(days=1))
    return render(
        "home/index.html",
        tasks=[
            *_of_apps(health),
            *_of_clients(waits),
            *_of_invoices(waits),
            *_of_billing(waits, today),
            *_of_mail(waits),
        ],
        health=[_line(one) for one in health],
        sees_apps=person.may(May.SEE_APPS),
        may_connect=person.may(May.MANAGE_APPS),
        may_import=person.may(May.IMPORT_CLIENTS),
        has_clients=waits.has_clients,
    )


def _of_apps(health: list[Health]) -> list[Task]:
    found = []
    for one in health:
        name = f"{integrations.app_info(one.connection.app).name}, {one.connection.account_name}"
        panel = url_for("apps.panel", connection_id=one.connection.id)
        if one.needs_reconnect:
            why = one.connection.state_reason or "Until somebody connects it again, nothing is read or sent."
            found.append(Task("1", f"app to connect again: {name}", why, panel, "bad"))
        if one.held is not None:
            found.append(Task("1", f"sync to decide about: {name}", one.held.message, panel, "warn"))
    return found


def _of_clients(waits: Figures) -> list[Task]:
    found = []
    if failed := waits.failed:
        why = "Their last change did not reach an app, or their link is broken. Each says what to do."
        url = url_for("clients.index", sync="failed")
        found.append(
            Task(count_capped(failed), _several(failed, "client not synced", "clients not synced"), why, url, "bad")
        )
    if conflicts := waits.conflicts:
        why = "A field was changed on both sides; the later change won and the other is kept."
        what = _several(conflicts, "client with a conflict", "clients with conflicts")
        found.append(Task(count_capped(conflicts), what, why, url_for("clients.index", sync="conflict"), "warn"))
    if not current_person().may(May.SETTLE_MATCHES):
        return found
    if matches := formats.marks().findings:
        why = "Names that are nearly the same, or fit several clients: somebody has to say who is who."
        what = _several(matches, "match to settle", "matches to settle")
        found.append(Task(count_capped(matches), what, why, url_for("matches.index"), "warn"))
    if stuck := waits.not_created:
        why = "An app has somebody like them, or did not take them. Nothing was created twice; somebody has to decide."
        what = _several(stuck, "client not created in an app", "clients not created in an app")
        found.append(Task(count_capped(stuck), what, why, url_for("matches.index", kind="not_created"), "warn"))
    return found


def _of_invoices(waits: Figures) -> list[Task]:
    """What did not reach its ledger, and what is late."""
    found: list[Task] = []
    if not current_person().may(May.SEE_INVOICES):
        return found
    if failed := waits.not_in_ledger:
        why = "The ledger refused them, or their customer is not found there. Each says why and what to do."
        what = _several(failed, "invoice not in its ledger", "invoices not in their ledger")
        found.append(Task(count_capped(failed), what, why, url_for("invoices.index", deployment="failed"), "bad"))
    if unsure := waits.unsure:
        why = "The ledger’s answer was lost. It is looked there before anything is sent again; nothing comes twice."
        what = _several(unsure, "invoice being looked for", "invoices being looked for")
        found.append(Task(count_capped(unsure), what, why, url_for("invoices.index", deployment="needs_check"), "warn"))
    return found


def _of_billing(waits: Figures, today: date) -> list[Task]:
    """What was due and could not be billed, and what of tomorrow will meet a problem unless somebody mends it."""
    found = []
    if current_person().may(May.INVOICE_CLIENTS) and (held_up := waits.held_up):
        why = "They were due and could not be billed. Each says why; they are tried again every hour."
        what = _several(held_up, "item no invoice came of", "items no invoice came of")
        held: dict[str, Any] = {"from": today.isoformat(), "to": today.isoformat()}
        found.append(Task(count_capped(held_up), what, why, url_for("rehearsal.index", **held), "bad"))
    tomorrow = (today + timedelta(days=1)).isoformat()
    if current_person().may(May.SETTLE_INVOICES) and (troubled := waits.expected):
        why = "Tomorrow's billing was rehearsed. What would keep these from their ledger can be mended today."
        what = _several(troubled, "invoice of tomorrow with a problem", "invoices of tomorrow with a problem")
        span: dict[str, Any] = {"from": tomorrow, "to": tomorrow, "show": "problems"}
        found.append(Task(count_capped(troubled), what, why, url_for("rehearsal.index", **span), "warn"))
    return found


def _of_mail(waits: Figures) -> list[Task]:
    """Messages to clients nobody has decided about, for those who can open their list."""
    found: list[Task] = []
    if not current_person().may(May.MANAGE_SETTINGS):
        return found
    url = url_for("settings.email")
    if failed := waits.mail_failed:
        why = "Their invoices and proposals have not reached who they are for. Each says why and what to do."
        what = _several(failed, "message could not be sent", "messages could not be sent")
        found.append(Task(count_capped(failed), what, why, url, "bad"))
    if unsure := waits.mail_unsure:
        why = "The mail server’s answer was lost. Nothing is sent a second time before somebody says so."
        what = _several(unsure, "message may not have arrived", "messages may not have arrived")
        found.append(Task(count_capped(unsure), what, why, url, "warn"))
    return found


def _line(one: Health) -> dict[str, Any]:
    """One account in the table of apps: its state in words, and what came of its newest run."""
    if one.needs_reconnect:
        state = ("access ended", "bad")
    elif one.held is not None:
        state = ("waits for a decision", "warn")
    elif one.is_under_way:
        state = ("syncing now", "info")
    else:
        state = ("connected", "ok")
    return {
        "app": integrations.app_info(one.connection.app),
        "connection": one.connection,
        "state": state,
        "newest": "" if one.newest is None else _came_of(one.newest),
    }


def _came_of(run: SyncRun) -> str:
    """What came of a run, in a few words; empty while it goes on."""
    words = {
        RunState.DONE: runs.summary(run),
        RunState.PARTIAL: f"{runs.summary(run)}; goes on by itself",
        RunState.HELD: f"held: {run.message}",
        RunState.FAILED: f"did not work: {run.message}",
        RunState.CANCELLED: f"stopped; {runs.summary(run)}",
        RunState.INTERRUPTED: "cut short; goes on by itself",
    }
    return words.get(RunState(run.state), "")


def _several(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
