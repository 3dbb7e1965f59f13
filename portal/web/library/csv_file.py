"""/library/services.csv and /library/imports: the library as a file, out and in; what a file does is shown first."""

from __future__ import annotations

import csv
import io

from flask import Response, request

from portal.db import db
from portal.domain import library
from portal.domain.library import BadService
from portal.domain.library.csv_file import BadFile, apply, as_rows, plan, titles
from portal.domain.people import May
from portal.web.guard import actor, needs
from portal.web.library import screen
from portal.web.library.entries import now
from portal.web.render import done, refused, render

TEMPLATE = "library/imports.html"
LARGEST = 500_000  # characters


@screen.get("/services.csv")
@needs(May.SEE_PROPOSALS)
def export() -> Response:
    """Every service that can be chosen; the file can be changed and taken in again."""
    text = io.StringIO()
    csv.writer(text).writerows(as_rows(library.every_service()))
    response = Response("\ufeff" + text.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="services.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


@screen.get("/imports")
@needs(May.MANAGE_SERVICES)
def imports() -> Response:
    return render(TEMPLATE, planned=None, text="", problem="", columns=titles())


@screen.post("/imports")
@needs(May.MANAGE_SERVICES)
def take_in() -> Response:
    """First what the file would do; the second time, with `sure`, it is done as a whole."""
    text = _sent()
    try:
        planned = plan(text)
    except BadFile as problem:
        return refused(TEMPLATE, "import_form", planned=None, text="", problem=str(problem), columns=titles())
    is_good = bool(planned) and not any(one.problem for one in planned)
    if not (request.form.get("sure") and is_good):
        status = 200 if is_good else 422
        return render(TEMPLATE, status=status, planned=planned, text=text, problem="", columns=titles())
    try:
        made, changed = apply(planned, by=actor(), now=now())
    except BadService as problem:
        db.session.rollback()
        return refused(TEMPLATE, "import_form", planned=None, text="", problem=str(problem), columns=titles())
    db.session.commit()
    return done(f"The file is taken in: {made} new, {changed} changed.", ".index")


def _sent() -> str:
    """The file, or its text as the page before kept it."""
    file = request.files.get("file")
    if file is not None and file.filename:
        text = file.read(LARGEST + 1).decode("utf-8-sig", errors="replace")
    else:
        text = request.form.get("text", "")
    return text.replace("\x00", "").replace("\r\n", "\n")[:LARGEST]  # forms write line breaks their own way
