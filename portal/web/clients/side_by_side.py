"""One client beside its records in every app, and putting one value where a person wants it."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, request

from portal import sync
from portal.db import db
from portal.domain import aligning, connections, links, owned_fields
from portal.domain.activity import Activity
from portal.domain.aligning import HERE, Choice, NotPossible
from portal.domain.clients import Client, plain
from portal.domain.people import May
from portal.domain.planning import is_blank
from portal.domain.side_by_side import Cell, Column, Line, Table, table, whole
from portal.web.clients import screen
from portal.web.clients.lookups import Origins, apps, client_or_404, locked_or_404, now, waiting
from portal.web.clients.page import frame_of, shown_conflicts
from portal.web.guard import actor, needs
from portal.web.render import done, render


@screen.get("/<int:client_id>/records")
@needs(May.SEE_CLIENTS)
def side_by_side(client_id: int) -> Response:
    """Every field here and in each app, as last read; differences stand out and can be settled."""
    client = client_or_404(client_id)
    held = table(client)
    return render(
        "clients/records.html",
        blocks=("sync_state",),
        table=held,
        acts=lambda line, place: acts(held, line, place),
        origins=Origins(client, owned_fields.owners(client, apps())),
        conflicts=shown_conflicts(client),
        lately=[(one, _put_back(client, held, one)) for one in aligning.lately(client)],
        **frame_of(client, "side_by_side"),
    )


@screen.get("/<int:client_id>/alignments")
@needs(May.EDIT_CLIENTS)
def consider(client_id: int) -> Response:
    """What would be written where, before it is."""
    client = client_or_404(client_id)
    held = table(client)
    line_id, source_id = request.args.get("line", ""), request.args.get("from", "")
    chosen = aligning.choice(client, held, line_id, source_id)
    if chosen is None:
        said = "That value is not there any more. This is how the client stands now."
        return done(said, ".side_by_side", tone="info", client_id=client.id)
    return render("clients/alignment.html", **_considered(client, chosen, set(request.args.getlist("to"))))


@screen.post("/<int:client_id>/alignments")
@needs(May.EDIT_CLIENTS)
def align(client_id: int) -> Response:
    """Write one value to the places ticked: here now, to the apps with the push this asks for."""
    client = locked_or_404(client_id)
    chosen = aligning.choice(client, table(client), request.form.get("line", ""), request.form.get("from", ""))
    places = set(request.form.getlist("to"))
    try:
        if chosen is None:
            raise NotPossible("That value is not there any more, so nothing was written. This is how it stands.")
        mark = request.form.get("mark", "")
        noted = aligning.choose(client, chosen, places, mark=mark, by=actor(), now=now())
    except NotPossible as told:
        db.session.rollback()
        return done(str(told), ".side_by_side", tone="bad", client_id=client_id)
    if noted is None:
        db.session.rollback()
        return done("It stands so everywhere you ticked; nothing was written.", ".side_by_side", tone="info",
                    client_id=client_id)  # fmt: skip
    said = f"{chosen.line.title}: {chosen.source.said} is used {noted.facts['where']}."
    ids = [link.id for link in waiting(client)]
    if ids:
        said += " What goes to an app is being sent."
    db.session.commit()
    sync.send_soon(ids)
    return done(said, ".side_by_side", client_id=client_id)


@screen.post("/<int:client_id>/links/<int:link_id>/withdrawals")
@needs(May.EDIT_CLIENTS)
def take_back_asked(client_id: int, link_id: int) -> Response:
    """What was asked to be sent there is not to be sent after all."""
    client = locked_or_404(client_id)
    link = next((one for one in client.links if one.id == link_id), None) or abort(404)
    app = connections.label(link.connection)
    taken = links.take_back_asked(link, by=actor(), now=now())
    db.session.commit()
    if not taken:
        return done("There was nothing left to take back.", ".side_by_side", tone="info", client_id=client_id)
    sync.send_soon([link_id])
    return done(f"It is not sent to {app}. Each side keeps its own.", ".side_by_side", client_id=client_id)


def acts(held: Table, line: Line, place: Column | None) -> list[tuple[str, dict[str, Any]]]:
    """What can be done from one cell: (words, what the address asks). `place` None: the value here."""
    differing = _differing(held, line)
    open_to = [str(column.link.id) for column, cell in differing if not cell.not_sent]
    if place is None:
        return [("Use ours everywhere it goes", _ask(line, HERE, open_to))] if open_to else []
    cell = next((cell for column, cell in differing if column is place), None)
    if cell is None:
        return []
    own, found, is_empty = str(place.link.id), [], is_blank(plain(cell.there))
    if not cell.not_taken:
        found.append(("Empty it here too" if is_empty else "Take it here", _ask(line, own, [HERE])))
    if not cell.not_sent:
        found.append((f"Send ours to {place.name}", _ask(line, HERE, [own])))
    if cell.not_taken or is_empty:
        return found
    others = [
        column
        for column, other in zip(held.columns, line.cells, strict=True)
        if other is not None and column is not place and not other.not_sent
    ]
    found += [(f"Use it in {one.name} too", _ask(line, own, [HERE, str(one.link.id)])) for one in others]
    if len(others) > 1:
        everywhere = [HERE, *(str(one.link.id) for one in others)]
        found.append(("Use it everywhere it goes", _ask(line, own, everywhere)))
    return found


def _differing(held: Table, line: Line) -> list[tuple[Column, Cell]]:
    pairs = zip(held.columns, line.cells, strict=True)
    return [(column, cell) for column, cell in pairs if cell is not None and not cell.is_same]


def _ask(line: Line, source: str, places: list[str]) -> dict[str, Any]:
    return {"line": line.id, "from": source, "to": places}


def _considered(client: Client, chosen: Choice, ticked: set[str]) -> dict[str, Any]:
    return {
        "client": client,
        "chosen": chosen,
        "ticked": ticked,
        "here": HERE,
        "can_write": any(not one.why_not and not one.is_same for one in chosen.places),
    }


def _put_back(client: Client, held: Table, noted: Activity) -> list[tuple[str, Any, dict[str, Any]]]:
    """For each place an act wrote to: where, what stood there before, and what to ask to use that again."""
    line = held.line(str(noted.facts.get("line", "")))
    if line is None:
        return []
    places = {"here": HERE} | {f"in {column.name}": str(column.link.id) for column in held.columns}
    return [
        (change["place"], whole(line.field, change["old"]),
         _ask(line, f"{noted.id}.{which}", sorted({HERE, places.get(change["place"], HERE)})))
        for which, change in enumerate(noted.changes)
    ]  # fmt: skip
