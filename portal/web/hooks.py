"""/hooks/<app>: where vendors say that something changed. Signed by them, answered with an empty body at once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, request

from jobs import queue
from portal import receivables
from portal.adapters.ledger import WebhookRefused
from portal.web.guard import open_to_all
from portal.web.security import csrf

screen = Blueprint("hooks", __name__, url_prefix="/hooks")
log = logging.getLogger(__name__)

MAX_BODY = 512 * 1024


@screen.post("/<slug>")
@csrf.exempt
@open_to_all(reason="A vendor calls it; its signature over the body is the sign-in, checked before anything is kept.")
def receive(slug: str) -> Response:
    """401 when the signature does not fit, as vendors expect it; nothing is stored then (fault row 47)."""
    if (request.content_length or 0) > MAX_BODY:
        abort(413)
    now = datetime.now(UTC)
    try:
        fresh = receivables.take(slug, dict(request.headers), request.get_data(cache=False), now)
    except KeyError:
        abort(404)
    except WebhookRefused as refused:
        log.warning("a webhook for %s was refused: %s", slug, refused)
        return Response(status=401)
    if fresh:
        queue.submit(receivables.handle_due, now)
    return Response(status=200)
