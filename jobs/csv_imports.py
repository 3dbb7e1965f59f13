"""Doing CSV imports in the background, and going on with those whose process ended."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from jobs import queue
from portal import integrations, sync
from portal.db import db
from portal.domain import client_csv, clients
from portal.domain.activity import Actor, Origin
from portal.domain.client_csv import CsvUpload, UploadState

BREATH = 0.002  # seconds between two clients, in which others get the database's write lock
AT_ONCE = 200  # rows; a file with no more is imported while the person waits
COMPARED_AT_ONCE = 1500  # rows; a file with no more is compared with the clients while the person waits


class Stopping(Exception):
    """The portal is going down; the import goes on when it is up again."""


def start(upload_id: int, user_id: int | None) -> None:
    """Carry out in the background what was begun. Call it after the commit."""
    queue.submit(work, upload_id, user_id)


def work(upload_id: int, user_id: int | None = None) -> None:
    """Compare, import, or take an import back, here and now: whatever the upload is in the middle of."""
    upload = db.session.get(CsvUpload, upload_id)
    if upload is None or not upload.state.is_working:
        return
    if upload.state == UploadState.READING:
        _compare(upload)
        return
    is_undo = upload.state == UploadState.UNDOING
    name = upload.undone_by if is_undo else upload.applied_by
    by = Actor(name, Origin.CSV, user_id if user_id is not None else upload.by_id)
    carry_out = client_csv.undo if is_undo else client_csv.apply
    try:
        done = carry_out(upload, by=by, now=_now(), clock=_now, progress=_breathe)
    except Stopping:  # the process is going down; another goes on where this one stopped
        return
    sync.send_soon(done.link_ids)
    sync.create_there_soon(done.outgoing_ids, by)


def _compare(upload: CsvUpload) -> None:
    apps = {app.slug: app for app in integrations.all_apps()}
    try:
        client_csv.plan_in_steps(upload, apps=apps, progress=_breathe, clock=_now)
    except Stopping:  # as above
        return


def go_on(now: datetime) -> int:
    """Take up the imports whose process ended. Says how many."""
    waiting = client_csv.stopped(now)
    db.session.commit()
    for upload_id in waiting:
        start(upload_id, None)
    return len(waiting)


def archive_soon(client_ids: list[int], by: Actor) -> None:
    queue.submit(archive, client_ids, by)


def archive(client_ids: list[int], by: Actor) -> int:
    """Archive these clients, one commit each. Says how many were not archived before."""
    archived = 0
    for client_id in client_ids:
        client = clients.get(client_id, lock=True)
        if client is not None and clients.archive(client, by=by, now=_now()):
            archived += 1
        db.session.commit()
        if queue.stopping.is_set():
            break
    return archived


def _breathe(_done: int, _total: int) -> None:
    if queue.stopping.is_set():
        raise Stopping
    time.sleep(BREATH)


def _now() -> datetime:
    return datetime.now(UTC)
