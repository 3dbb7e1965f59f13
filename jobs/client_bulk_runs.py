"""Carrying out what was asked for many clients at once, and going on where a process ended."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from jobs import queue
from portal import integrations, sync
from portal.db import db
from portal.domain import client_bulk
from portal.domain.apps import ClientLink, Outcome, PushState
from portal.domain.claims import ME
from portal.domain.client_bulk import BulkAct, BulkItem, BulkRun, ItemState

log = logging.getLogger(__name__)

AT_ONCE = 200  # clients; as many are done while the person waits, unless their apps have to be asked
TOLD_AT_ONCE = 50  # links sent right after the run; what is more the outbox sends at its own pace
BREATH = 0.002  # seconds between two clients, in which others get the database's write lock
UNEXPECTED = "Something unexpected happened; nothing was changed for this client."
WORST_FIRST = (ItemState.FAILED, ItemState.DONE, ItemState.UNCHANGED)
WORDS = {
    Outcome.PUSHED: (ItemState.DONE, "Sent to {app}."),
    Outcome.UPDATED: (ItemState.DONE, "Taken over from {app}."),
    Outcome.UNCHANGED: (ItemState.UNCHANGED, "In step with {app} already."),
    Outcome.CONFLICT: (ItemState.DONE, "In step with {app} now; a field both sides changed wants a look."),
    Outcome.BROKEN: (ItemState.FAILED, "The link to {app} is broken: {why}."),
}


def start(run_id: int) -> None:
    """Carry it out in the background. Call it after the commit."""
    queue.submit(work, run_id)


def waits_for_it(run: BulkRun) -> bool:
    """Whether a person can wait for the run's end."""
    return run.act != BulkAct.SYNC and run.total <= AT_ONCE


def work(run_id: int) -> None:
    """Carry it out here and now, as far as it goes."""
    holder = f"{ME}/bulk/{run_id}/{time.monotonic_ns()}"
    told: list[int] = []
    while (run := client_bulk.take(run_id, holder, _now())) is not None:
        item = client_bulk.next_item(run)
        if item is None or run.stop_asked:
            client_bulk.end(run, now=_now())
            db.session.commit()
            break
        if queue.stopping.is_set():
            client_bulk.give_back(run)
            db.session.commit()
            break
        told += _one(run, item)
        time.sleep(BREATH)
    db.session.rollback()
    if len(told) <= TOLD_AT_ONCE:
        sync.send_soon(told)


def go_on(now: datetime) -> int:
    """Take up the runs whose process ended. Says how many."""
    waiting = client_bulk.unfinished(now)
    db.session.rollback()
    for run_id in waiting:
        start(run_id)
    return len(waiting)


def _one(run: BulkRun, item: BulkItem) -> list[int]:
    """One client, one commit; what goes wrong with it is its own. Gives links that are to be sent later."""
    run_id, item_id, act = run.id, item.id, run.act
    try:
        link_ids = client_bulk.carry_out(run, item, by=run.by, now=_now())
        db.session.commit()
        if act != BulkAct.SYNC:
            return link_ids
        if link_ids:
            _sync(run_id, item_id, link_ids)
    except Exception:  # whatever it is, it is this client's own; it is logged and its row says so
        db.session.rollback()
        log.exception("bulk run %s could not deal with item %s", run_id, item_id)
        _settle(run_id, item_id, ItemState.FAILED, UNEXPECTED)
    return []


def _sync(run_id: int, item_id: int, link_ids: list[int]) -> None:
    """Bring the client's records in step, and say what came of it: the worst of them decides."""
    by = db.session.get_one(BulkRun, run_id).by
    db.session.rollback()
    found = [_word(link_id, sync.send(link_id, by=by)) for link_id in link_ids]
    worst = min((state for state, _words in found), key=WORST_FIRST.index)
    _settle(run_id, item_id, worst, " ".join(words for _state, words in found))


def _word(link_id: int, outcome: Outcome | None) -> tuple[ItemState, str]:
    link = db.session.get_one(ClientLink, link_id, populate_existing=True)
    app = integrations.app_info(link.connection.app).short_name
    if outcome in WORDS:
        state, words = WORDS[outcome]
        return state, words.format(app=app, why=link.broken_why or "the record there cannot be used")
    if outcome is None:
        return ItemState.UNCHANGED, f"{app} is being told by somebody else at this moment."
    again = " It is tried again by itself." if link.push_state == PushState.READY else ""
    return ItemState.FAILED, f"{app}: {link.push_error or 'it could not be reached.'}{again}"


def _settle(run_id: int, item_id: int, state: ItemState, reason: str) -> None:
    client_bulk.settle(db.session.get_one(BulkRun, run_id), db.session.get_one(BulkItem, item_id), state, reason)
    db.session.commit()


def _now() -> datetime:
    return datetime.now(UTC)
