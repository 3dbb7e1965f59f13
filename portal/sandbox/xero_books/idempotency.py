"""Idempotency-Key: the first answer is kept for six minutes and given again, errors too.

Keys belong to the app. While one keyed request is at work the next one waits, so that two at once act once.
"""

from __future__ import annotations

import hashlib
import threading

from flask import Response, g, request

from portal.sandbox.context import Sandbox, here
from portal.sandbox.xero_books import wire
from portal.sandbox.xero_books.api import blueprint, tenant

WINDOW = 360
LONGEST = 128
_turn = threading.Lock()


@blueprint.before_request
def replay() -> Response | None:
    """The kept answer, if there is one; raises ApiError when the key was used for something else."""
    key = request.headers.get("Idempotency-Key", "")
    if not key or request.method not in ("POST", "PUT", "PATCH") or here().switches["xero_ignores_keys"]:
        return None
    if len(key) > LONGEST:
        raise wire.ApiError(10, "ValidationException", f"An Idempotency Key has up to {LONGEST} characters.")
    _turn.acquire()
    g.has_turn = True
    box, digest = here(), _digest()
    with box.store.write() as db:
        db.execute("DELETE FROM books_idempotency WHERE first <= ?", (box.clock.seconds() - WINDOW,))
        kept = db.execute(
            "SELECT * FROM books_idempotency WHERE app = ? AND key = ?", (g.access.client_id, key)
        ).fetchone()
    if kept is None:
        g.idempotency = (key, digest)
        return None
    if kept["request"] != digest:
        raise wire.ApiError(10, "ValidationException", f"Idempotency Key: {key} is used with a different request.")
    return Response(kept["body"], kept["status"], content_type=kept["content_type"])


@blueprint.after_request
def keep(response: Response) -> Response:
    """Remember the answer of a keyed request, before the caller can lose it."""
    if not g.get("idempotency"):
        return response
    key, digest = g.idempotency
    box = here()
    with box.store.write() as db:
        db.execute(
            "INSERT OR REPLACE INTO books_idempotency (app, key, request, first, status, content_type, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                g.access.client_id,
                key,
                digest,
                box.clock.seconds(),
                response.status_code,
                response.content_type,
                response.get_data(),
            ),
        )
    return response


def forget(box: Sandbox) -> int:
    """No key was ever used; how many were known."""
    with box.store.write() as db:
        return db.execute("DELETE FROM books_idempotency").rowcount


@blueprint.teardown_request
def next_one(reason: BaseException | None) -> None:
    """Whoever waits may go on."""
    if g.pop("has_turn", False):
        _turn.release()


def _digest() -> str:
    """Everything that makes two requests the same."""
    parts = (tenant().id, request.method, request.full_path)
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + request.get_data()).hexdigest()
