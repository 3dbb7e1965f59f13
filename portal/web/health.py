"""Whether the portal is ready, for whatever watches it: `GET /healthz`."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from portal import integrity
from portal.domain import people, readiness
from portal.keys import KeyProblem
from portal.web.guard import open_to_all

screen = Blueprint("health", __name__)

log = logging.getLogger(__name__)


@screen.get("/healthz")
@open_to_all(reason="machines ask it; it says only whether all is well")
def index() -> Response:
    why = problem()
    if why is None:
        return jsonify(status="ok")
    response = jsonify(status="unavailable", reason=why)
    response.status_code = 503
    return response


def problem() -> str | None:
    """What stands in the way, in a few words that give nothing away; None when nothing does."""
    if integrity.damage() is not None:
        return "the database file is damaged"
    try:
        if not readiness.tables_are_current(Path(current_app.extensions["migrate"].directory)):
            return "the tables are not those of this version"
        people.the_firm()  # opens the text that was closed when the firm was set up
    except KeyProblem:
        return "the encryption keys do not fit"
    except (SQLAlchemyError, integrity.DatabaseDamaged) as error:
        log.warning("the database cannot be used: %s", error)
        return "the database does not answer"
    return None
