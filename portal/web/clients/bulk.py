"""One act for many clients: the question before, the results after, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, abort, request, url_for

from jobs import client_bulk_runs
from portal.db import db
from portal.domain import client_bulk, client_list, client_page, once
from portal.domain.apps import IllegalMove
from portal.domain.client_bulk import BulkAct, BulkRun, ItemState, NothingChosen
from portal.domain.client_list import Filters, number
from portal.domain.people import May, User
from portal.web import formats
from portal.web.clients import screen
from portal.web.guard import NotAllowed, actor, current_person, needs
from portal.web.render import done, refused, render

# act -> (what the button says, what it means for those it is done to)
QUESTIONS: dict[BulkAct, tuple[str, str]] = {
    BulkAct.ARCHIVE: (
        "Archive",
        "They leave the list and stand under Archived, and can be brought back. Nothing is archived or changed in any "
        "connected app: each side is done by hand.",
    ),
    BulkAct.UNARCHIVE: (
        "Unarchive",
        "They come back to the list, each with the status its services and bills give it today. Nothing is changed in "
        "any connected app.",
    ),
    BulkAct.MANAGER: ("Assign manager", "Where a client is linked to an app, the change is sent there as well."),
    BulkAct.PARTNER: ("Assign partner", "Where a client is linked to an app, the change is sent there as well."),
    BulkAct.SYNC: (
        "Sync",
        "Each is compared with its record in every connected app, one after the other: what changed here is sent, what "
        "changed there is taken over. It runs in the background.",
    ),
}
# act -> (a run of it, as a heading; with the number of clients)
HEADINGS = {
    BulkAct.ARCHIVE: "Archive {clients}", BulkAct.UNARCHIVE: "Unarchive {clients}", BulkAct.SYNC: "Sync {clients}",
    BulkAct.MANAGER: "Assign a manager to {clients}", BulkAct.PARTNER: "Assign a partner to {clients}",
}  # fmt: skip
RESULTS = {
    ItemState.DONE: ("Done", "ok"),
    ItemState.UNCHANGED: ("Nothing to do", "muted"),
    ItemState.FAILED: ("Failed", "bad"),
    ItemState.WAITING: ("Waiting", "info"),
}


def may_do(act: BulkAct, person: User) -> bool:
    """Members change clients; support only brings them in step."""
    return person.may(May.EDIT_CLIENTS) or (act == BulkAct.SYNC and person.may(May.RUN_SYNCS))


@screen.get("/bulk")
@needs(May.SEE_CLIENTS)
def bulk() -> Response:
    """The question: what would be done, to how many and whom."""
    act = _act(request.args.get("act", ""))
    view, ids = _chosen(request.args)
    return render("clients/bulk.html", blocks=("question",), **_question(act, view, ids))


@screen.post("/bulk")
@needs(May.SEE_CLIENTS)
def do_bulk() -> Response:
    act = _act(request.form.get("act", ""))
    view, ids = _chosen(request.form)
    problem, value = _value(act)
    if view is not None and len(ids) != number(request.form.get("count", "")):
        problem = "The list has changed since you asked, and it is another number of clients now. Look again first."
    if problem:
        return refused("clients/bulk.html", "question", **_question(act, view, ids) | {"problem": problem})
    mark = once.claim(request.form.get("once", ""), _now())
    if mark is None:
        return _results(once.made_of(request.form["once"]) or 0)
    try:
        run = client_bulk.request(act, ids, by=actor(), now=_now(), value=value)
    except NothingChosen:
        db.session.rollback()
        return done("None of the clients you chose is here any more. Nothing was changed.", ".index", tone="warn")
    mark.made = run.id
    return _carry_out(run)


@screen.get("/bulk/<int:run_id>")
@needs(May.SEE_CLIENTS)
def bulk_run(run_id: int) -> Response:
    run = _run_or_404(run_id)
    shown = request.args.get("show", "")
    state = ItemState(shown) if shown in list(ItemState) else None
    here: dict[str, Any] = {"show": state.value} if state else {}

    def address(after: int | None) -> str | None:
        return None if after is None else url_for(".bulk_run", run_id=run.id, after=after or None, **here)

    page = client_bulk.items(run, state, after=number(request.args.get("after", "")) or 0)
    original = client_bulk.get(run.undoes_id) if run.undoes_id else None
    return render(
        "clients/bulk_run.html",
        blocks=("results",),
        run=run,
        heading=("Undo: " if original else "") + _heading(run.act, run.total),
        items=page.items,
        state=state,
        previous=address(page.previous),
        next=address(page.next),
        watch_at=address(0),
        tabs=_tabs(run),
        results=RESULTS,
        is_interrupted=run.is_interrupted(_now()),
        original=original,
        undone_by=client_bulk.undone_by(run),
        may_be_undone=client_bulk.may_be_undone(run),
        may_act=may_do(run.act, current_person()),
    )


@screen.post("/bulk/<int:run_id>/stops")
@needs(May.SEE_CLIENTS)
def stop_bulk(run_id: int) -> Response:
    run = _own_run(run_id)
    asked = client_bulk.ask_to_stop(run)
    db.session.commit()
    said = "It stops after the client in hand. What was done stays done." if asked else "It was over already."
    return done(said, ".bulk_run", tone="info", run_id=run_id)


@screen.post("/bulk/<int:run_id>/resumptions")
@needs(May.SEE_CLIENTS)
def resume_bulk(run_id: int) -> Response:
    """Go on with a run whose process ended; it also goes on by itself."""
    run = _own_run(run_id)
    if run.is_interrupted(_now()):
        client_bulk_runs.start(run.id)
    return done("", ".bulk_run", run_id=run_id)


@screen.post("/bulk/<int:run_id>/reversals")
@needs(May.SEE_CLIENTS)
def undo_bulk(run_id: int) -> Response:
    """Put back what the run changed, as a run of its own."""
    run = _own_run(run_id)
    try:
        back = client_bulk.undo(run, by=actor(), now=_now())
    except IllegalMove:
        db.session.rollback()
        return done("There is nothing left of it to undo.", ".bulk_run", tone="info", run_id=run_id)
    return _carry_out(back)


def _carry_out(run: BulkRun) -> Response:
    """At once when a person can wait for it, else in the background."""
    run_id, can_wait = run.id, client_bulk_runs.waits_for_it(run)
    db.session.commit()
    if can_wait:
        client_bulk_runs.work(run_id)
    else:
        client_bulk_runs.start(run_id)
    return _results(run_id)


def _results(run_id: int) -> Response:
    run = _run_or_404(run_id)
    said = "" if run.state.is_open else _summary(run)
    undo = ("Undo", url_for(".undo_bulk", run_id=run.id)) if client_bulk.may_be_undone(run) else None
    return done(said, ".bulk_run", undo=undo, tone="warn" if run.failed else "ok", run_id=run_id)


def _summary(run: BulkRun) -> str:
    """'12 archived, 1 had nothing to do, 2 failed.'"""
    word = {
        BulkAct.ARCHIVE: "archived here", BulkAct.UNARCHIVE: "brought back", BulkAct.SYNC: "brought in step",
    }.get(run.act, "assigned")  # fmt: skip
    if not run.done and not run.failed:
        return "There was nothing to do: it is so already. Each client's reason stands below."
    parts = [f"{formats.plural(run.done, 'client')} {word}"]
    if run.unchanged:
        parts.append(f"{formats.number(run.unchanged)} had nothing to do")
    if run.failed:
        parts.append(f"{formats.number(run.failed)} failed, each with its reason below")
    return ", ".join(parts) + "."


def _tabs(run: BulkRun) -> list[tuple[str, str, str, int]]:
    """All, and each result there is, with how many."""
    here = url_for(".bulk_run", run_id=run.id)
    counts = {
        ItemState.FAILED: run.failed, ItemState.DONE: run.done, ItemState.UNCHANGED: run.unchanged,
        ItemState.WAITING: run.total - run.settled,
    }  # fmt: skip
    parts = [(one.value, RESULTS[one][0], f"{here}?show={one.value}", held) for one, held in counts.items() if held]
    return [("", "All", here, run.total), *parts]


def _question(act: BulkAct, view: Filters | None, ids: list[int]) -> dict[str, Any]:
    button, meaning = QUESTIONS[act]
    names = client_bulk.names(ids)
    return {
        "act": act,
        "heading": _heading(act, len(ids)),
        "button": button,
        "meaning": meaning,
        "view": view,
        "ids": ids,
        "names": names,
        "others": len(ids) - len(names),
        "team": client_page.team() if act.assigns else [],
        "once": once.fresh(),
        "problem": "",
        "value": request.values.get("value", ""),
    }


def _heading(act: BulkAct, clients: int) -> str:
    return HEADINGS[act].format(clients=formats.plural(clients, "client"))


def _chosen(args: Any) -> tuple[Filters | None, list[int]]:
    """The view whose every client is meant, or None; and the ids of all clients meant."""
    if args.get("all") == "yes":
        view, _notes = client_list.filters_from(args, client_list.choices(args).known())
        return view, client_list.ids(view)
    told = [*args.getlist("id"), *args.get("ids", "").split(",")]
    return None, list(dict.fromkeys(found for one in told if (found := number(one))))


def _value(act: BulkAct) -> tuple[str, User | None]:
    """Whom to assign, and what is wrong with the answer."""
    if not act.assigns:
        return "", None
    answer = request.form.get("value", "")
    if answer == "none":
        return "", None
    user = next((one for one in client_page.team() if str(one.id) == answer), None)
    return ("" if user else f"Choose who is to be the {act.value}, or nobody."), user


def _act(word: str) -> BulkAct:
    if word not in list(BulkAct):
        abort(404)
    act = BulkAct(word)
    if not may_do(act, current_person()):
        raise NotAllowed(May.RUN_SYNCS if act == BulkAct.SYNC else May.EDIT_CLIENTS)
    return act


def _run_or_404(run_id: int) -> BulkRun:
    return client_bulk.get(run_id) or abort(404)


def _own_run(run_id: int) -> BulkRun:
    """A run this person may do something about, held until the transaction ends."""
    run = client_bulk.get(run_id, lock=True) or abort(404)
    if not may_do(run.act, current_person()):
        raise NotAllowed(May.EDIT_CLIENTS)
    return run


def _now() -> datetime:
    return datetime.now(UTC)
