"""What every page of an app begins with: which connection, which run, which app, and how a duration reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import abort, request, url_for

from portal import integrations
from portal.adapters.base import AppInfo
from portal.domain import connections, runs
from portal.domain.apps import Connection, Outcome, RunKind, SyncRun
from portal.web.apps import screen
from portal.web.formats import number


@dataclass(frozen=True)
class Here:
    """One connection and the app it is of."""

    connection: Connection
    app: AppInfo

    @property
    def title(self) -> str:
        return f"{self.app.name} · {self.connection.account_name}"


def now() -> datetime:
    return datetime.now(UTC)


def app_or_404(slug: str) -> AppInfo:
    found = next((one for one in integrations.all_apps() if one.slug == slug), None)
    return found if found is not None else abort(404)


def here_or_404(connection_id: int, *, lock: bool = False) -> Here:
    connection = connections.get(connection_id, lock=lock)
    return Here(connection, app_or_404(connection.app)) if connection is not None else abort(404)


def run_or_404(connection_id: int, run_id: int, *, kind: RunKind | None = None) -> SyncRun:
    run = runs.get(connection_id, run_id)
    return run if run is not None and kind in (None, run.kind) else abort(404)


def asked_outcome() -> Outcome | None:
    """The filter in the address; what is no outcome is no filter."""
    asked = request.args.get("outcome", "")
    return Outcome(asked) if asked in set(Outcome) else None


def asked_id(name: str) -> int:
    """An id from the address to continue from; 0 when there is none or it is no number."""
    return request.args.get(name, 0, type=int)


def running_words(run: SyncRun) -> str:
    """'A sync', 'A preview': what an open run is, at the beginning of a sentence."""
    return {RunKind.SYNC: "A sync", RunKind.PREVIEW: "A preview", RunKind.APPLY: "A preview being applied"}[
        RunKind(run.kind)
    ]


def import_address(connection: Connection) -> str:
    """Where clients of this account are chosen to come in."""
    return url_for("apps.import_clients", connection_id=connection.id)


@screen.app_template_filter()
def lasting(span: timedelta | float | None) -> str:
    """'0.4 s', '12 s', '3 min 12 s', '1 h 04 min'; seconds when it is a number."""
    if span is None:
        return "–"
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if seconds < 10:
        return f"{number(round(seconds, 1))} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{number(hours)} h {minutes:02} min"
    return f"{minutes} min {left:02} s" if minutes else f"{left} s"


@screen.app_template_global()
def told(run: SyncRun) -> list[tuple[Outcome, str]]:
    """What came of a run in pieces: its outcomes, each with the words for it."""
    return runs.told(run)
