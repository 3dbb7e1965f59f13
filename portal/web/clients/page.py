"""One client's page: what it is, how it stands with each app, what happened to it, and the acts on the whole of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Response, current_app, request, stream_with_context, url_for
from markupsafe import Markup

from portal import sync
from portal.db import db, reading
from portal.domain import activity, client_page, clients, connections, links, owned_fields
from portal.domain.activity import Activity, Origin
from portal.domain.apps import LinkState, OutgoingClient
from portal.domain.client_head import Head
from portal.domain.clients import Client, ClientStatus
from portal.domain.csv_cells import safe_cell
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.people import May
from portal.domain.side_by_side import whole
from portal.web import formats
from portal.web.clients import screen
from portal.web.clients.lookups import Origins, apps, client_or_404, locked_or_404, now, on_its_way, waiting
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, render

ORIGINS = {
    Origin.SCREEN: "on a screen",
    Origin.CSV: "CSV file",
    Origin.APP: "from an app",
    Origin.SCHEDULE: "by schedule",
    Origin.COMMAND: "command line",
    Origin.SYSTEM: "by itself",
}
LOG_COLUMNS = ("When", "What happened", "Who", "How", "Field", "Old value", "New value")
STATUS_MEANS = {
    ClientStatus.LEAD: "no work agreed yet",
    ClientStatus.ACTIVE: "has active work",
    ClientStatus.INACTIVE: "had work, has none now",
    ClientStatus.ARCHIVED: "archived here",
}
TABS = (
    ("summary", "Summary", ""), ("billing", "Billing", "/billing"), ("apps", "Apps", "/apps"),
    ("side_by_side", "Side by side", "/records"), ("invoices", "Invoices", "/invoices"),
    ("activity", "Activity", "/activity"),
)  # fmt: skip
OUTGOING_WORDS = {"asks": ("asks who this is", "warn"), "failed": ("not created", "bad")}
BEING_CREATED = ("being created", "info")


@screen.get("/<int:client_id>")
@needs(May.SEE_CLIENTS)
def page(client_id: int) -> Response:
    """Summary."""
    client = client_or_404(client_id)
    origins = Origins(client, owned_fields.owners(client, apps()))
    log = activity.log(client_id=client.id, limit=client_page.RECENT)
    return render(
        "clients/page.html",
        blocks=("sync_state", "contacts"),
        origins=origins,
        conflicts=shown_conflicts(client),
        lines=_lines(log[: client_page.RECENT]),
        **frame_of(client, "summary"),
    )


@screen.get("/<int:client_id>/activity")
@needs(May.SEE_CLIENTS)
def log(client_id: int) -> Response:
    """Everything on record, newest first, a page at a time."""
    client = client_or_404(client_id)
    before = request.args.get("before", type=int)
    found = activity.log(client_id=client.id, before=before)
    shown = found[: activity.PAGE]
    earlier = shown[-1].id if len(found) > activity.PAGE else None
    return render(
        "clients/activity.html", days=_by_day(shown), earlier=earlier, is_first=before is None,
        **frame_of(client, "activity"),
    )  # fmt: skip


@screen.get("/<int:client_id>/activity.csv")
@needs(May.SEE_CLIENTS)
def export_log(client_id: int) -> Response:
    """The whole log, a line for each changed field."""
    client = client_or_404(client_id)
    response = Response(stream_with_context(_log_csv(client.id)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="activity-of-client-{client.id}.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


@screen.post("/<int:client_id>/archive")
@needs(May.EDIT_CLIENTS)
def archive(client_id: int) -> Response:
    client = locked_or_404(client_id)
    clients.archive(client, by=actor(), now=now())
    db.session.commit()
    undo = ("Undo", url_for(".bring_back", client_id=client.id))
    said = f"{client.name} is archived here. Nothing was changed in any app."
    return done(said, ".page", undo=undo, client_id=client.id)


@screen.post("/<int:client_id>/return")
@needs(May.EDIT_CLIENTS)
def bring_back(client_id: int) -> Response:
    client = locked_or_404(client_id)
    came_back = clients.unarchive(client, by=actor(), now=now())
    db.session.commit()
    said = f"{client.name} is back, as {client.status.value}." if came_back else f"{client.name} was not archived."
    return done(said, ".page", client_id=client.id)


@screen.post("/<int:client_id>/syncs")
@needs(May.SEE_CLIENTS)
def sync_now(client_id: int) -> Response:
    """Bring this one client in step with its apps: what saving it does, without a change.

    For everybody: members save clients, support looks into why one does not sync, and each does as much by that.
    """
    client = locked_or_404(client_id)
    asked = clients.ask_for_push(client, now())
    db.session.commit()
    if not asked:
        said = f"{client.name} is not linked to any app that could be synced."
        return done(said, ".mappings", tone="info", client_id=client.id)
    sync.send_soon([link.id for link in asked])
    return done("", ".page", client_id=client.id)


@screen.post("/<int:client_id>/conflicts/<int:conflict_id>/swaps")
@needs(May.EDIT_CLIENTS)
def put_back(client_id: int, conflict_id: int) -> Response:
    """The value that lost comes back here and goes to the app (XPM-14)."""
    client = locked_or_404(client_id)
    conflict = client_page.conflict(client, conflict_id)
    if conflict is None:
        return _settled_already(client)
    app = connections.label(client_page.connection_of(conflict))
    links.swap_conflict(conflict, by=actor(), now=now(), app=app)
    said = f"Put back.{on_its_way(client)}"
    ids = [link.id for link in waiting(client)]
    db.session.commit()
    sync.send_soon(ids)
    return done(said, ".page", client_id=client.id)


@screen.post("/<int:client_id>/conflicts/<int:conflict_id>/dismissals")
@needs(May.EDIT_CLIENTS)
def keep_as_is(client_id: int, conflict_id: int) -> Response:
    client = locked_or_404(client_id)
    conflict = client_page.conflict(client, conflict_id)
    if conflict is None:
        return _settled_already(client)
    links.dismiss_conflict(conflict, by=actor(), now=now(), app=connections.label(client_page.connection_of(conflict)))
    db.session.commit()
    return done("Kept as it is. The other value stays in the activity log.", ".page", client_id=client.id)


@screen.app_template_filter()
def website(address: str) -> str:
    """A website as a link where it is an address of the web, as plain text where it is anything else."""
    if not address.lower().startswith(("http://", "https://")):
        return formats.value(address)
    return Markup('<a href="{0}" rel="noreferrer nofollow">{0}</a>').format(address)


@screen.app_template_filter()
def read_as(change: dict[str, Any], side: str) -> str:
    """The old or the new value of a changed field, as a person reads it."""
    return formats.value(whole(change.get("field", ""), change.get(side)))


def _settled_already(client: Client) -> Response:
    db.session.rollback()
    return done("That conflict is settled already.", ".page", tone="info", client_id=client.id)


def frame_of(client: Client, tab: str) -> dict[str, Any]:
    """What every tab of a client shows: its head, its tabs, and how its changes stand on their way out."""
    person, sending = current_person(), client_page.sending(client, now())
    marks = [
        _mark(one.link, one.name, is_usable=one.link.connection.is_usable) for one in sending if one.link is not None
    ]
    return {
        "client": client,
        "tab": tab,
        "tabs": _tabs(client.id),
        "marks": marks,
        "to_come": [_outgoing_mark(row) for row in client_page.outgoing_of(client)],
        "status_means": STATUS_MEANS[client.status],
        "sending": sending,
        "seen_version": request.args.get("seen", client.version, type=int),
        "may_edit": person.may(May.EDIT_CLIENTS),
        "may_sync": person.may(May.SEE_CLIENTS),
        "may_link": person.may(May.SETTLE_MATCHES),
        "poll": _poll_address(tab, client),
    }


def light_frame_of(client: Head, tab: str) -> dict[str, Any]:
    """As `frame_of`, for tabs that do not show how changes stand on their way out."""
    return {
        "client": client,
        "tab": tab,
        "tabs": _tabs(client.id),
        "marks": [_mark(one, one.app, is_usable=one.is_usable) for one in client.links],
        "to_come": [(one.app, *OUTGOING_WORDS.get(one.state, BEING_CREATED)) for one in client.outgoing],
        "status_means": STATUS_MEANS[client.status],
        "may_edit": current_person().may(May.EDIT_CLIENTS),
    }


def _tabs(client_id: int) -> list[tuple[str, str, str]]:
    here = f"/clients/{client_id}"
    return [(name, label, here + path) for name, label, path in TABS]


def _poll_address(tab: str, client: Client) -> str:
    endpoint = {"apps": ".mappings", "side_by_side": ".side_by_side"}.get(tab, ".page")
    return url_for(endpoint, client_id=client.id, seen=request.args.get("seen", client.version, type=int))


def _mark(link: Any, name: str, *, is_usable: bool) -> tuple[str, str, str]:
    """An app's short name, how the link stands, and the tone of that."""
    if link.state == LinkState.BROKEN:
        return name, "link broken", "bad"
    if link.push_state == "failed":
        return name, "not synced", "bad"
    if link.open_conflicts:
        return name, "conflict", "warn"
    if not is_usable:
        return name, "not connected", "warn"
    if link.push_state in ("ready", "sending"):
        return name, "on its way", "info"
    return name, "in step", "calm"


def _outgoing_mark(row: OutgoingClient) -> tuple[str, str, str]:
    words, tone = OUTGOING_WORDS.get(row.state, BEING_CREATED)
    return connections.label(row.connection), words, tone


def shown_conflicts(client: Client) -> list[dict[str, Any]]:
    """What is open between here and the apps, as templates show it."""
    return [_conflict(client, one) for one in links.open_conflicts(client)]


def _conflict(client: Client, held: Any) -> dict[str, Any]:
    contact = next((one for one in client.contacts if one.id == held.contact_id), None)
    label = (CONTACT_FIELDS if held.contact_id else CLIENT_FIELDS).get(held.field, held.field)
    won, lost = (held.here, held.there) if held.winner == "here" else (held.there, held.here)
    app = connections.label(client_page.connection_of(held))
    return {
        "id": held.id, "label": f"{contact.name}: {label}" if contact else label, "app": app,
        "won": formats.value(whole(held.field, won)), "lost": formats.value(whole(held.field, lost)),
        "won_from": "here" if held.winner == "here" else app, "lost_from": app if held.winner == "here" else "here",
        "why": held.why, "here_by": held.here_changed_by, "here_at": held.here_changed_at,
        "there_at": held.there_changed_at, "at": held.at,
    }  # fmt: skip


def _lines(found: list[Activity]) -> list[dict[str, Any]]:
    """Lines of a log as templates show them, each with the run behind it."""
    behind = client_page.connections_of_runs({one.run_id for one in found if one.run_id is not None})
    return [
        {
            "id": one.id,
            "parts": activity.parts(one, formats.amounts),
            "at": one.at,
            "who": one.actor_name,
            "how": ORIGINS[Origin(one.origin)],
            "changes": one.changes,
            "reason": formats.amounts(one.facts.get("reason", "")),
            "run": url_for("apps.run", connection_id=behind[one.run_id], run_id=one.run_id)
            if one.run_id in behind
            else None,
        }
        for one in found
    ]


def _by_day(found: list[Activity]) -> list[tuple[date, list[dict[str, Any]]]]:
    days: dict[date, list[dict[str, Any]]] = {}
    for line in _lines(found):
        days.setdefault(line["at"].astimezone(formats.zone()).date(), []).append(line)
    return list(days.items())


def _log_csv(client_id: int) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow(LOG_COLUMNS)
    lines = client_page.whole_log(client_id)
    count = 0
    while True:
        with reading():  # the request's own promise ends before its body is sent
            one = next(lines, None)
        if one is None:
            break
        count += 1
        at, how = one.at.isoformat(timespec="seconds"), ORIGINS[Origin(one.origin)]
        first = (at, activity.sentence(one), one.actor_name, how)
        for change in one.changes or [{}]:
            field = change.get("field", "")
            fields = (change.get("label", ""), whole(field, change.get("old")), whole(field, change.get("new")))
            writer.writerow([safe_cell(cell if isinstance(cell, str) else _cell(cell)) for cell in (*first, *fields)])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()
    current_app.logger.info("%s exported the activity of client %s: %s lines", current_person().email, client_id, count)


def _cell(value: Any) -> str:
    return "" if value in (None, "", []) else formats.value(value)
