"""/apps/<connection>/import: every client the app holds, what would become of each, and choosing who comes in.

Nothing is written here but a preview of what was chosen; the preview's own page confirms and applies it (CL-50 to 54).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, abort, request, url_for

from portal import sync
from portal.db import db
from portal.domain import connections, runs, unlinked
from portal.domain.apps import RunKind, RunTrigger
from portal.domain.carrying import Terms
from portal.domain.import_choices import Choice, NothingChosen, Selection, What, choices_from, waits_because
from portal.domain.people import May
from portal.domain.unlinked import CAP, LINKED, Line
from portal.web.apps import screen
from portal.web.apps.lookups import Here, here_or_404, now
from portal.web.apps.panel import already_running, progress_values
from portal.web.apps.runs import tell_when_ended
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, render

PAGE = 50
LONGEST = 200  # characters of a search
LARGEST = 10**15  # beyond any row's number
CARRIED = 200  # choices an address carries along while another client is looked for
PLACE = ("show", "q", "after", "before")
# What the list can be narrowed to, with its words.
FILTERS = {
    "create": "Can come in", "link": "Same name here", "near_match": "Near match", "ambiguous": "Ambiguous",
    "taken": "Name taken", "left_out": "Left out", LINKED: "Already linked", "archived": "Archived",
}  # fmt: skip
# What we would do, and how it is marked.
WOULD = {
    "create": ("comes in as a new client", "ok"), "link": ("would be linked", "info"),
    "near_match": ("needs your word", "warn"), "ambiguous": ("needs your word", "warn"),
    "taken": ("needs your word", "warn"), "left_out": ("stays out", "muted"), LINKED: ("linked", "muted"),
    "archived": ("cannot come in", "muted"),
}  # fmt: skip
_REST = {
    What.PROPOSED: "as proposed: new clients, and links to the same name",
    What.NEW: "as new clients",
    What.OWN: "as new clients",
    What.LINK: "link to the client named",
    What.LEAVE: "leave out",
}
# What may be said of all rows of a filter at once; "": of the whole list.
FOR_THE_REST = {
    "": (What.PROPOSED, What.LEAVE), "create": (What.NEW, What.LEAVE), "link": (What.LINK, What.OWN, What.LEAVE),
    "near_match": (What.LINK, What.OWN, What.LEAVE), "ambiguous": (What.OWN, What.LEAVE),
    "taken": (What.OWN, What.LEAVE), "left_out": (What.OWN,),
}  # fmt: skip


@screen.get("/<int:connection_id>/import")
@needs(May.SEE_APPS)
def import_clients(connection_id: int) -> Response:
    here = here_or_404(connection_id)
    values = _values(here)
    response = render("apps/import.html", blocks=("run_progress", "records"), **values)
    return tell_when_ended(response, is_open=values["run"] is not None)


@screen.post("/<int:connection_id>/imports")
@needs(May.RUN_SYNCS)
def prepare_import(connection_id: int) -> Response:
    """Make the preview of what was chosen, and show it for confirmation."""
    here = here_or_404(connection_id)
    chosen, rows = choices_from(request.form.getlist("choice"))
    rest = request.form.get("rest", "")
    selection = Selection(
        chosen, What(rest) if rest in set(What) else None, tuple(rows), bool(request.form.get("whole")),
        _verdict(request.form), _words(request.form),
    )  # fmt: skip
    try:
        made = sync.prepare_import(here.connection, selection, by=actor(), now=now())
    except NothingChosen as told:
        db.session.rollback()
        return _back(here, f"{told} Nothing was prepared.", "warn")
    made_id = made.id
    db.session.commit()
    return done("", "apps.preview", connection_id=connection_id, run_id=made_id)


@screen.post("/<int:connection_id>/import/readings")
@needs(May.RUN_SYNCS)
def read_clients(connection_id: int) -> Response:
    """A sync, watched from here."""
    here = here_or_404(connection_id)
    if not here.connection.is_usable:
        return _back(here, f"{here.app.name} is not connected at the moment, so nothing was started.", "warn")
    made, joined = sync.request_run(
        here.connection, kind=RunKind.SYNC, trigger=RunTrigger.PERSON, by=actor(), now=now()
    )
    made_id, message = made.id, already_running(made) if joined else ""
    db.session.commit()
    if not joined:
        sync.start(made_id)
    return _back(here, message, "info")


@screen.post("/<int:connection_id>/import/searches")
@needs(May.RUN_SYNCS)
def look_for_client(connection_id: int) -> Response:
    """From the list to the search for another client, what was chosen so far carried along."""
    chosen, _rows = choices_from(request.form.getlist("choice"))
    return done(
        "", "apps.import_whom", connection_id=connection_id, row=request.form.get("row", 0, type=int),
        choice=_carried(chosen), **_place(request.form),
    )  # fmt: skip


@screen.get("/<int:connection_id>/import/clients")
@needs(May.RUN_SYNCS)
def import_whom(connection_id: int) -> Response:
    """Whom here a record is: clients found by name, each leading back to the list with that choice made."""
    here = here_or_404(connection_id)
    row_id = request.args.get("row", 0, type=int)
    found = unlinked.some(connection_id, [row_id]) if 0 < row_id < LARGEST else []
    if not found:
        abort(404)
    chosen, _rows = choices_from(request.args.getlist("choice"))
    words = request.args.get("who", found[0].name)[:LONGEST].strip()

    def back(client_id: int | None = None) -> str:
        wanted = chosen if client_id is None else {**chosen, row_id: Choice(What.LINK, client_id)}
        place = _place(request.args)
        return url_for("apps.import_clients", connection_id=connection_id, choice=_carried(wanted), **place)

    return render(
        "apps/import_whom.html",
        blocks=("found",),
        here=here,
        record=found[0],
        words=words,
        found=unlinked.who_may_be_meant(connection_id, words) if words else [],
        back=back,
        carried=[("row", str(row_id))]
        + [("choice", one) for one in _carried(chosen)]
        + list(_place(request.args).items()),
    )


def _values(here: Here) -> dict[str, Any]:
    connection, at = here.connection, now()
    verdict, words = _verdict(request.args), _words(request.args)
    page = unlinked.page(
        connection.id, verdict=verdict, words=words, limit=PAGE,
        after=request.args.get("after", ""), before=request.args.get("before", ""),
    )  # fmt: skip
    counts = unlinked.verdicts(connection.id)
    chosen, _rows = choices_from(request.args.getlist("choice"))
    names = unlinked.names_of({one.client_id for one in chosen.values() if one.client_id is not None})
    shown = {line.id for line in page.lines}
    may_choose = current_person().may(May.RUN_SYNCS)

    def link(**changed: Any) -> str:
        asked: dict[str, Any] = {"show": verdict or None, "q": words or None} | changed
        return url_for("apps.import_clients", connection_id=connection.id, choice=_carried(chosen), **asked)

    return {
        "here": here,
        "name": connections.label(connection),
        "verdict": verdict,
        "words": words,
        "page": page,
        "filters": [(key, said, counts[key]) for key, said in FILTERS.items() if counts[key] or key == verdict],
        "total": min(sum(counts.values()), CAP),
        "in_list": min(counts[verdict] if verdict else sum(counts.values()), CAP),
        "would": WOULD,
        "options": lambda line: _options(line, chosen, names),
        "elsewhere": _carried({row: one for row, one in chosen.items() if row not in shown}),
        "rest": [(one.value, _REST[one]) for one in FOR_THE_REST.get(verdict, ())],
        "may_choose": may_choose,
        "may_match": current_person().may(May.SETTLE_MATCHES),
        "comes_in_by_itself": not waits_because(Terms.of(connection), ""),
        "is_unread": connection.cursor is None and not sum(counts.values()),
        "place": _place(request.args),
        "link": link,
        **progress_values(connection, runs.latest_open(connection), at),
        "watch_at": url_for("apps.import_clients", connection_id=connection.id, **_place(request.args)),
    }


def _options(line: Line, chosen: Mapping[int, Choice], names: Mapping[int, str]) -> list[tuple[str, str, bool]]:
    """What may become of this record: value, words, whether it is chosen. Empty when nothing can be chosen."""
    if line.id is None or line.verdict == "archived":
        return []
    mine = chosen.get(line.id)
    offered: list[tuple[Choice, str]] = []
    if line.client_id is not None and line.verdict in ("link", "near_match"):
        offered.append((Choice(What.LINK, line.client_id), f"Link to {line.client_name}"))
    offered.append((Choice(What.NEW if line.verdict == "create" else What.OWN), "New client"))
    if line.verdict != "left_out":
        offered.append((Choice(What.LEAVE), "Leave out"))
    if mine is not None and mine not in [choice for choice, _ in offered] and (name := names.get(mine.client_id or 0)):
        offered.insert(0, (mine, f"Link to {name}"))
    return [(choice.word(line.id), said, choice == mine) for choice, said in offered]


def _back(here: Here, message: str, tone: str = "ok") -> Response:
    """To the same list, with what was chosen so far."""
    chosen, _rows = choices_from(request.form.getlist("choice"))
    return done(
        message, "apps.import_clients", tone=tone, connection_id=here.connection.id, choice=_carried(chosen),
        **_place(request.form),
    )  # fmt: skip


def _carried(chosen: Mapping[int, Choice]) -> list[str]:
    return [choice.word(row) for row, choice in chosen.items()][:CARRIED]


def _place(asked: Any) -> dict[str, Any]:
    return {key: asked[key][: LONGEST + 50] for key in PLACE if asked.get(key)}


def _verdict(asked: Any) -> str:
    wanted = asked.get("show", "")
    return wanted if wanted in FILTERS else ""


def _words(asked: Any) -> str:
    return str(asked.get("q", ""))[:LONGEST].strip()
