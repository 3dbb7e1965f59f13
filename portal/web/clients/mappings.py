"""Which record of each app a client is: choosing it, letting go of it, taking that back (CL-30 to CL-34)."""

from __future__ import annotations

from flask import Response, abort, request, url_for

from portal import sync
from portal.db import db
from portal.domain import client_page, connections, link_undo, mappings
from portal.domain.activity import Verb
from portal.domain.client_page import Standing
from portal.domain.clients import Client
from portal.domain.links import AlreadyLinked
from portal.domain.mappings import Done, Mapped, NotPossible, Step
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.clients.lookups import client_or_404, locked_or_404, now
from portal.web.clients.page import frame_of
from portal.web.guard import actor, needs
from portal.web.render import done, is_fragment, render

LONGEST = 200  # characters of a search
RECORD, OPTION = "record-", "choice-"  # fields of the form: record-<connection>, choice-<connection>-<list>
WHEN = {
    "at_once": "New clients go there at once when they are made here; this one was not asked for.",
    "first_invoice": "By itself it goes there with its first invoice.",
    "acceptance": "By itself it goes there when its first proposal is accepted.",
}


@screen.get("/<int:client_id>/apps", endpoint="mappings")
@needs(May.SEE_CLIENTS)
def mappings_page(client_id: int) -> Response:
    """How this client stands with each app (CL-30, CL-31, XPM-13)."""
    return _page(client_or_404(client_id))


@screen.get("/<int:client_id>/records/<int:connection_id>")
@needs(May.SETTLE_MATCHES)
def choose_record(client_id: int, connection_id: int) -> Response:
    """The app's clients found by name, as of the last sync: a list for the picker, or the page with the picker open."""
    client = client_or_404(client_id)
    words = request.args.get("q", client.name)[:LONGEST].strip()
    mapped = _mapped(client, connection_id)
    if is_fragment():
        return render("clients/options.html", client=client, one=mapped, words=words, found=_found(mapped, words))
    return _page(client, mapped, words)


@screen.post("/<int:client_id>/links")
@needs(May.SETTLE_MATCHES)
def link(client_id: int) -> Response:
    """The whole block: which record of each app it is, what its invoices carry there. All is saved, or nothing."""
    client = locked_or_404(client_id)
    try:
        steps = mappings.steps(client, _wanted())
        if any(step.needs_a_word for step in steps) and not request.form.get("sure"):
            return _ask_first(client, steps)
        made = mappings.carry_out(client, steps, by=actor(), now=now())
    except (NotPossible, AlreadyLinked) as told:
        db.session.rollback()
        return done(f"{str(told).rstrip('.')}. Nothing was saved.", ".mappings", tone="bad", client_id=client_id)
    chosen = [
        one.name for one in mappings.of(client)
        if mappings.choose_options(one, _options_of(one), by=actor(), now=now())
    ]  # fmt: skip
    said, undo = _said(client, made, chosen), _undo(client, made)
    ids = [one.link.id for one in made if one.link is not None]
    db.session.commit()
    sync.send_soon(ids)
    return done(said, ".mappings", undo=undo, tone="ok" if made or chosen else "info", client_id=client_id)


@screen.post("/<int:client_id>/links/<int:link_id>/removal")
@needs(May.SETTLE_MATCHES)
def unlink(client_id: int, link_id: int) -> Response:
    """Both keep their values and nothing travels any more; it can be taken back."""
    client = locked_or_404(client_id)
    held = next((one for one in client.links if one.id == link_id), None) or abort(404)
    record, app = held.remote_name, connections.label(held.connection)
    noted = link_undo.unlink(held, by=actor(), now=now(), app=app)
    db.session.commit()
    undo = ("Undo", url_for(".relink", client_id=client.id, activity_id=noted.id))
    said = f"{client.name} is no longer linked to {record} in {app}. Both keep their values."
    return done(said, ".mappings", undo=undo, client_id=client.id)


@screen.post("/<int:client_id>/unlinkings/<int:activity_id>/undo")
@needs(May.SETTLE_MATCHES)
def relink(client_id: int, activity_id: int) -> Response:
    client = locked_or_404(client_id)
    noted = client_page.happened(client, activity_id, Verb.CLIENT_UNLINKED)
    if noted is None or "was" not in noted.facts:
        abort(404)
    app = noted.facts["app"]
    try:
        made = link_undo.relink(client, noted, by=actor(), now=now(), app=app)
    except AlreadyLinked as taken:
        db.session.rollback()
        return done(f"{taken}. Nothing was changed.", ".mappings", tone="info", client_id=client_id)
    link_id = made.id
    db.session.commit()
    sync.send_soon([link_id])
    return done(f"{client.name} is linked again.", ".mappings", client_id=client.id)


def _page(client: Client, looked_in: Mapped | None = None, words: str = "") -> Response:
    """`looked_in` is the connection whose picker stands open, with what the words found in it."""
    standings = client_page.standings(client)
    return render(
        "clients/apps.html",
        blocks=("sync_state",),
        standings=standings,
        looked_in=looked_in.connection.id if looked_in is not None else None,
        words=words,
        found=_found(looked_in, words) if looked_in is not None else [],
        goes_out=_goes_out,
        can_save=any(_can_choose(one) for one in standings),
        **frame_of(client, "apps"),
    )


def _can_choose(one: Standing) -> bool:
    return one.mapped.connection.is_usable


def _goes_out(one: Standing) -> str:
    """When a client that is not there yet goes there by itself."""
    ways = one.mapped.connection.ways
    if not ways.creates:
        return f"The portal never creates a client in {one.mapped.name}."
    return WHEN[one.mapped.connection.new_clients]


def _found(mapped: Mapped, words: str) -> list[mappings.Option]:
    found = sync.search_records(mapped.connection, words) if words else []
    return [mappings.option(record, holder) for record, holder in found]


def _mapped(client: Client, connection_id: int) -> Mapped:
    found = next((one for one in mappings.of(client) if one.connection.id == connection_id), None)
    return found if found is not None and found.connection.is_usable else abort(404)


def _wanted() -> dict[int, str]:
    """Connection -> the record chosen, empty for none."""
    return {
        int(name.removeprefix(RECORD)): value[:LONGEST]
        for name, value in request.form.items()
        if name.startswith(RECORD) and name.removeprefix(RECORD).isdecimal()
    }


def _options_of(one: Mapped) -> dict[str, str]:
    prefix = f"{OPTION}{one.connection.id}-"
    return {name.removeprefix(prefix): value for name, value in request.form.items() if name.startswith(prefix)}


def _ask_first(client: Client, steps: list[Step]) -> Response:
    """Something there is now would be given up: say what, before anything is saved."""
    sent = [(name, value) for name, value in request.form.items() if name.startswith((RECORD, OPTION))]
    return render("clients/remapping.html", status=409, client=client, steps=steps, sent=sent)


def _said(client: Client, made: list[Done], chosen: list[str]) -> str:
    linked = [f"{one.step.record.name} in {one.step.mapped.name}" for one in made if one.step.record is not None]
    let_go = [f"{one.step.was} in {one.step.mapped.name}" for one in made if one.step.kind == "unlink"]
    said = []
    if linked:
        both = "The two are" if len(linked) == 1 else "They are"
        said.append(f"{client.name} is linked to {' and '.join(linked)}. {both} being brought in step.")
    if let_go:
        said.append(f"{client.name} is no longer linked to {' and '.join(let_go)}. Both keep their values.")
    if chosen:
        said.append(f"What its invoices carry in {' and '.join(chosen)} is kept.")
    return " ".join(said) or "Nothing was different, so nothing was changed."


def _undo(client: Client, made: list[Done]) -> tuple[str, str] | None:
    """Letting go of one link can be taken back with one press."""
    noted = [one.unlinked for one in made if one.unlinked is not None and one.link is None]
    if len(made) != 1 or not noted:
        return None
    return "Undo", url_for(".relink", client_id=client.id, activity_id=noted[0].id)
