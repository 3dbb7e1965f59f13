"""The list of clients: found, filtered, sorted and paged by what the address says, and exported the same way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Response, current_app, request, stream_with_context, url_for

from portal.db import reading
from portal.domain import client_list, schedule
from portal.domain.client_list import (
    NOBODY,
    STATUS_WORDS,
    SYNC_WORDS,
    Choices,
    Filters,
    Sort,
)
from portal.domain.client_list import export as exporting
from portal.domain.people import May
from portal.web import formats
from portal.web.clients import screen
from portal.web.clients.rows import app_names, rows
from portal.web.guard import current_person, needs
from portal.web.render import render

COLUMNS = ((Sort.NAME, "Name"), (Sort.STATUS, "Status"), (Sort.MANAGER, "Manager"), (None, "Apps"),
           (Sort.SYNC, "Sync"), (Sort.CHANGED, "Changed"))  # fmt: skip
NEWEST_FIRST = (Sort.CHANGED,)


@screen.get("")
@needs(May.SEE_CLIENTS)
def index() -> Response:
    chosen = client_list.choices(request.args)
    view, notes = client_list.filters_from(request.args, chosen.known())
    key, more = client_list.key_from(request.args, view.sort)
    page = client_list.listing(view, key, chosen)
    acts = _acts()
    is_empty = page.total == 0 and not view.is_narrowed
    return render(
        "clients/index.html",
        blocks=("rows",),
        address=url_for(".index") + (view.query() if key is None else f"?{request.query_string.decode('latin-1')}"),
        view=view,
        notes=notes + more,
        page=page,
        rows=rows(page, chosen, can_tick=bool(acts)),
        columns=_columns(view),
        chips=_chips(view, chosen),
        chosen=chosen,
        apps=app_names(chosen) if chosen.apps else [],
        status_words=STATUS_WORDS,
        sync_words=SYNC_WORDS,
        overdue_on=view.overdue or schedule.today(datetime.now(UTC)),
        acts=acts,
        has_none=is_empty and not client_list.has_any(),
        endpoints=current_app.view_functions,
        beginnings=_beginnings,
    )


@screen.get("/export.csv")
@needs(May.SEE_CLIENTS)
def export() -> Response:
    """Every client of the view, one row a contact; sent while it is read, so that it takes no memory."""
    chosen = client_list.choices(request.args)
    view, _notes = client_list.filters_from(request.args, chosen.known())
    name = f"clients-{datetime.now(UTC).astimezone(formats.zone()).date().isoformat()}.csv"
    response = Response(stream_with_context(_csv(view, chosen)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _csv(view: Filters, chosen: Choices) -> Iterator[str]:
    lines = 0
    parts = exporting.csv_parts(view, chosen)
    while True:
        with reading():  # a page's own promise not to write ends before its body is sent
            part = next(parts, None)
        if part is None:
            break
        lines += part.count("\r\n")
        yield part
    current_app.logger.info("%s exported clients: %s lines for %r", current_person().email, lines - 1, view.query())


def _columns(view: Filters) -> list[tuple[str, str | None, str]]:
    """Heading, where its link leads (None: cannot be sorted by), and how the list is sorted by it now."""
    found: list[tuple[str, str | None, str]] = []
    unsorted = view.query(sort=Sort.NAME, descending=False)
    start = unsorted if unsorted == "?" else unsorted + "&"
    for sort, label in COLUMNS:
        if sort is None:
            found.append((label, None, ""))
            continue
        is_here = view.sort is sort
        descending = not view.descending if is_here else sort in NEWEST_FIRST
        now = ("descending" if view.descending else "ascending") if is_here else ""
        is_plain = sort is Sort.NAME and not descending
        found.append((label, unsorted if is_plain else f"{start}sort={'-' * descending}{sort}", now))
    return found


def _chips(view: Filters, chosen: Choices) -> list[tuple[str, str]]:
    """Each filter in force in words, and the address without it."""
    found: list[tuple[str, dict[str, Any]]] = []
    if view.words:
        found.append((f"“{view.words}”", {"words": ""}))
    if view.status:
        found.append((STATUS_WORDS[view.status], {"status": ""}))
    for what, user_id in (("manager", view.manager), ("partner", view.partner)):
        if user_id is not None:
            who = f"No {what}" if user_id == NOBODY else f"{what.capitalize()}: {chosen.people[user_id]}"
            found.append((who, {what: None}))
    if view.group is not None:
        found.append((f"Group: {chosen.groups[view.group]}", {"group": None}))
    if view.app is not None:
        name = dict(app_names(chosen))[view.app]
        found.append((f"In {name}" if view.is_linked else f"Not in {name}", {"app": None, "is_linked": True}))
    if view.sync:
        found.append((f"Sync: {SYNC_WORDS[view.sync]}", {"sync": ""}))
    if view.overdue:
        found.append((f"Manual items overdue on {formats.day(view.overdue)}", {"overdue": None}))
    return [(words, url_for(".index") + view.query(**without)) for words, without in found]


def _beginnings() -> list[tuple[str, str]]:
    """How the first clients come in, as far as this person may."""
    ways = (
        ("Connect an app", "apps.index", May.MANAGE_APPS),
        ("Import a CSV file", "clients.csv_import", May.IMPORT_CLIENTS),
        ("New client", "clients.new", May.EDIT_CLIENTS),
    )
    person = current_person()
    return [
        (words, url_for(endpoint))
        for words, endpoint, may in ways
        if endpoint in current_app.view_functions and person.may(may)
    ]


def _acts() -> list[tuple[str, str]]:
    """What this person may do to many clients at once: (word in the address, words on the button)."""
    person = current_person()
    found: list[tuple[str, str]] = []
    if person.may(May.EDIT_CLIENTS):
        found += [("manager", "Assign manager"), ("partner", "Assign partner")]
        found += [("archive", "Archive"), ("unarchive", "Unarchive")]
    if person.may(May.RUN_SYNCS):
        found.append(("sync", "Sync"))
    return found
