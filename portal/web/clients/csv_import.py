"""Clients from a CSV file: upload, look at what every row would do, choose, import, and take it back."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Response, abort, request, stream_with_context, url_for

from jobs import csv_imports
from portal.db import db, reading
from portal.domain import client_csv, connections
from portal.domain import client_csv_tracking as tracking
from portal.domain.apps import Connection
from portal.domain.client_csv import CsvRow, CsvUpload, NotNow, RowOutcome, RowResult, UnreadableFile, UploadState
from portal.domain.client_csv_columns import COLUMNS, HEADINGS
from portal.domain.client_csv_file import REASON_HEADING
from portal.domain.csv_cells import safe_cell
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.clients.lookups import apps, now
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, is_fragment, refused, render

ROOM = 200_000  # bytes a form may be larger than the file in it
UPLOADS = {"clients.upload_csv"}
# What each row would do, and what became of it: words, tone.
OUTCOMES = {
    RowOutcome.CREATE: ("Creates a client", "ok"),
    RowOutcome.EDIT: ("Changes a client", "info"),
    RowOutcome.ADD_CONTACT: ("Adds a contact", "info"),
    RowOutcome.UNCHANGED: ("Nothing to change", "muted"),
    RowOutcome.CHOICE: ("Needs a choice", "warn"),
    RowOutcome.SKIP: ("Left out", "muted"),
    RowOutcome.REFUSED: ("Cannot be imported", "bad"),
}
RESULTS = {
    RowResult.CREATED: ("Client created", "ok"),
    RowResult.EDITED: ("Client changed", "info"),
    RowResult.CONTACT_ADDED: ("Contact added", "info"),
    RowResult.UNCHANGED: ("Nothing to change", "muted"),
    RowResult.SKIPPED: ("Left out by choice", "muted"),
    RowResult.UNDECIDED: ("No choice was made", "warn"),
    RowResult.REFUSED: ("Could not be imported", "bad"),
    RowResult.HELD: ("Held back", "warn"),
    RowResult.FAILED: ("Failed", "bad"),
}
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@screen.url_value_preprocessor
def _let_large_files_in(endpoint: str | None, _values: Any) -> None:
    """The one form that may be larger than the portal's usual limit; has to be said before anything reads the body."""
    if endpoint in UPLOADS:
        request.max_content_length = client_csv.MAX_BYTES + ROOM


@screen.get("/imports")
@needs(May.IMPORT_CLIENTS)
def csv_import() -> Response:
    return render("clients/import.html", trouble="", clears="", **_doors())


@screen.post("/imports")
@needs(May.IMPORT_CLIENTS)
def upload_csv() -> Response:
    """Keep the file and compare it with the clients; nothing is written to any of them."""
    sent, clears = request.files.get("file"), request.form.get("empty") == "clear"
    if sent is None or not sent.filename:
        return _no_good("Choose a file first.", clears)
    data = sent.stream.read(client_csv.MAX_BYTES + 1)
    by = actor("csv")
    db.session.rollback()  # reading a large file takes a while, in which nobody has to wait for the database
    try:
        upload = client_csv.read_file(data, sent.filename, by=by, now=now(), clears=clears)
    except UnreadableFile as problem:
        db.session.rollback()
        return _no_good(str(problem), clears)
    if upload.rows <= csv_imports.COMPARED_AT_ONCE:
        client_csv.plan(upload, apps=apps())
        db.session.commit()
    else:
        upload.state = UploadState.READING
        db.session.commit()
        csv_imports.start(upload.id, by.user_id)
    return done("", ".csv_upload", upload_id=upload.id)


@screen.get("/imports/template.csv")
@needs(May.IMPORT_CLIENTS)
def csv_template() -> Response:
    """The header alone, as the import wants it."""
    headings = (*HEADINGS, *(column.heading for column in tracking.columns()))
    return _file("clients-template.csv", iter(["\ufeff", _line(headings)]))


@screen.get("/imports/<int:upload_id>")
@needs(May.IMPORT_CLIENTS)
def csv_upload(upload_id: int) -> Response:
    """The preview of every row; while it works how far it is; afterwards what became of every row."""
    upload = _upload_or_404(upload_id)
    response = render("clients/import_upload.html", blocks=("rows", "progress"), **_around(upload))
    if is_fragment() and not upload.state.is_working:
        response.headers["HX-Refresh"] = "true"  # the page was watching, and there is a whole new one to see
    return response


@screen.post("/imports/<int:upload_id>/choices")
@needs(May.IMPORT_CLIENTS)
def choose_csv(upload_id: int) -> Response:
    """What rows mean whose client's name is here already: one by one, or all that wait (CL-44)."""
    upload = _upload_or_404(upload_id)
    if upload.state != UploadState.PREVIEW:
        return _too_late(upload)
    shown: dict[str, Any] = {name: value for name in ("show", "after", "before") if (value := request.form.get(name))}
    said, known = "", apps()
    row, choice = request.form.get("row", type=int), request.form.get("choice", "")
    try:
        if row is None:
            settled = client_csv.choose_all(upload, choice, apps=known)
            left = upload.counts.get(RowOutcome.CHOICE, 0)
            said = f"{settled:,} {'row is' if settled == 1 else 'rows are'} settled." + (
                f" {left:,} still {'needs' if left == 1 else 'need'} a choice, one by one." if left else ""
            )
        else:
            client_csv.choose(upload, row, choice, apps=known)
            shown["_anchor"] = f"row-{row}"
    except ValueError:
        db.session.rollback()
        return done("Choose one of the answers offered.", ".csv_upload", tone="warn", upload_id=upload_id, **shown)
    db.session.commit()
    return done(said, ".csv_upload", upload_id=upload_id, **shown)


@screen.post("/imports/<int:upload_id>/applications")
@needs(May.IMPORT_CLIENTS)
def apply_csv(upload_id: int) -> Response:
    """Import what the preview shows: at once when the file is small, else in the background."""
    return _begun(upload_id, client_csv.begin)


@screen.post("/imports/<int:upload_id>/reversals")
@needs(May.IMPORT_CLIENTS)
def undo_csv(upload_id: int) -> Response:
    """Put back what nobody has changed since, archive new clients nobody touched."""
    return _begun(upload_id, client_csv.begin_undo)


@screen.post("/imports/<int:upload_id>/resumptions")
@needs(May.IMPORT_CLIENTS)
def resume_csv(upload_id: int) -> Response:
    """Go on with work whose process ended; it also goes on by itself."""
    upload = _upload_or_404(upload_id)
    if upload.is_stopped(now()):
        csv_imports.start(upload.id, None)
    return done("", ".csv_upload", upload_id=upload_id)


@screen.post("/imports/<int:upload_id>/archive")
@needs(May.IMPORT_CLIENTS)
def archive_created(upload_id: int) -> Response:
    """Archive every client this import made, touched since or not."""
    upload = _upload_or_404(upload_id)
    ids, by = client_csv.created_clients(upload), actor()
    db.session.rollback()
    if len(ids) > csv_imports.AT_ONCE:
        csv_imports.archive_soon(ids, by)
        return done(f"{len(ids):,} clients are being archived here, one by one.", ".csv_upload", upload_id=upload_id)
    archived = csv_imports.archive(ids, by)
    said = f"{archived:,} {'client is' if archived == 1 else 'clients are'} archived here."
    return done(said, ".csv_upload", upload_id=upload_id)


@screen.post("/imports/<int:upload_id>/removal")
@needs(May.IMPORT_CLIENTS)
def drop_csv(upload_id: int) -> Response:
    upload = _upload_or_404(upload_id)
    if upload.state not in (UploadState.PREVIEW, UploadState.READING):
        return _too_late(upload)
    name = upload.file_name
    client_csv.drop(upload)
    db.session.commit()
    return done(f"{name} is forgotten. No client was touched.", ".csv_import")


@screen.get("/imports/<int:upload_id>/refused.csv")
@needs(May.IMPORT_CLIENTS)
def refused_csv(upload_id: int) -> Response:
    """The rows that were not imported, each with the reason, ready to be mended and uploaded again."""
    upload = _upload_or_404(upload_id)
    return _file(f"not-imported-{upload.id}.csv", _refused_lines(upload))


def _refused_lines(upload: CsvUpload) -> Iterator[str]:
    with reading():
        headings = client_csv.headings_of(upload)
    yield "\ufeff" + _line((*headings, REASON_HEADING))
    after = 0
    while True:
        with reading():  # the request's own promise ends before its body is sent
            found = client_csv.not_imported(upload, after)
        for row in found:
            yield _line((*row.cells[: len(headings)], row.why or row.reason), is_cell=True)
        if len(found) < 1000:
            return
        after = found[-1].number


def _line(cells: Iterable[str], *, is_cell: bool = False) -> str:
    """A line of CSV. Cells that came from a file keep their guard or get one."""
    out = io.StringIO()
    csv.writer(out).writerow([_guarded(cell) for cell in cells] if is_cell else list(cells))
    return out.getvalue()


def _guarded(cell: str) -> str:
    return cell if cell.startswith("'") else safe_cell(cell)


def _file(name: str, lines: Iterator[str]) -> Response:
    response = Response(stream_with_context(lines), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _begun(upload_id: int, begin: Callable[..., None]) -> Response:
    upload = _upload_or_404(upload_id)
    try:
        begin(upload, by=actor("csv"), now=now())
    except NotNow as problem:
        db.session.rollback()
        return done(str(problem), ".csv_upload", tone="info", upload_id=upload_id)
    return _work(upload)


def _work(upload: CsvUpload) -> Response:
    """Do what was begun, here if it is little, in the background if it is much."""
    upload_id, is_little = upload.id, upload.total <= csv_imports.AT_ONCE
    user_id = current_person().id
    db.session.commit()
    if is_little:
        csv_imports.work(upload_id, user_id)
    else:
        csv_imports.start(upload_id, user_id)
    return done("", ".csv_upload", upload_id=upload_id)


def _upload_or_404(upload_id: int) -> CsvUpload:
    return client_csv.find(upload_id, now()) or abort(404)


def _too_late(upload: CsvUpload) -> Response:
    said = f"{upload.file_name} has been imported already, so that cannot be changed any more."
    return done(said, ".csv_upload", tone="info", upload_id=upload.id)


def _no_good(trouble: str, clears: bool) -> Response:
    return refused("clients/import.html", "form", trouble=trouble, clears="clear" if clears else "", **_doors())


def _doors() -> dict[str, Any]:
    """What the first page offers beside the upload: apps to import from, and the last uploads."""
    known, person = apps(), current_person()
    found: list[Connection] = []
    if person.may(May.RUN_SYNCS):
        found = [one for slug in known for one in connections.of_app(slug) if one.is_usable]
    return {
        "columns": (*COLUMNS, *tracking.columns()),
        "recent": client_csv.recent(now()),
        "apps": [
            (known[one.app].name, one.account_name, url_for("apps.import_clients", connection_id=one.id))
            for one in found
        ],
        "max_rows": client_csv.MAX_ROWS,
        "max_mb": client_csv.MAX_BYTES // 1_000_000,
        "at": now(),
    }


def _around(upload: CsvUpload) -> dict[str, Any]:
    is_preview = upload.state == UploadState.PREVIEW
    show = request.args.get("show", "")
    kinds: list[tuple[str, str, str, int]] = []
    if is_preview:
        kinds = [(kind.value, *OUTCOMES[kind], upload.counts.get(kind, 0)) for kind in RowOutcome]
    elif not upload.state.is_working:
        kinds = [(kind.value, *RESULTS[kind], upload.results.get(kind, 0)) for kind in RowResult]
    show = show if any(show == kind[0] for kind in kinds) else ""
    found, earlier, later = _page(upload, show, is_preview) if kinds else ([], None, None)
    lost = RowOutcome.REFUSED if is_preview else ""
    return {
        "upload": upload, "is_preview": is_preview, "kinds": [kind for kind in kinds if kind[3]], "show": show,
        "lines": [_row(row, is_preview) for row in found], "earlier": earlier, "later": later,
        "same_file": client_csv.same_file(upload) if is_preview else None,
        "is_stopped": upload.is_stopped(now()),
        "delimiter": DELIMITERS.get(upload.delimiter, "commas"),
        "waiting": upload.counts.get(RowOutcome.CHOICE, 0) if is_preview else 0,
        "lost": upload.counts.get(lost, 0) if is_preview else sum(
            upload.results.get(one, 0) for one in client_csv.NOT_IMPORTED
        ),
        "place": {name: request.args[name] for name in ("show", "after", "before") if request.args.get(name)},
        "created": upload.results.get(RowResult.CREATED, 0),
    }  # fmt: skip


def _page(upload: CsvUpload, show: str, is_preview: bool) -> tuple[list[CsvRow], str | None, str | None]:
    """A page of rows, and the addresses before and after it."""
    after, before = request.args.get("after", 0, type=int), request.args.get("before", 0, type=int)
    outcome, result = (show, "") if is_preview else ("", show)
    found = client_csv.rows(upload, outcome=outcome, result=result, after=after, before=before)
    has_more = len(found) > client_csv.PAGE
    shown = (found[-client_csv.PAGE :] if before else found[: client_csv.PAGE]) if has_more else found
    is_first = (before and not has_more) or (not before and not after)
    is_last = not before and not has_more
    asked: dict[str, Any] = {"upload_id": upload.id} | ({"show": show} if show else {})
    earlier = None if is_first or not shown else url_for(".csv_upload", **asked, before=shown[0].number)
    later = None if is_last or not shown else url_for(".csv_upload", **asked, after=shown[-1].number)
    return shown, earlier, later


def _row(row: CsvRow, is_preview: bool) -> dict[str, Any]:
    words, tone = OUTCOMES[row.outcome] if is_preview or not row.result else RESULTS[RowResult(row.result)]
    cells = {column.heading: cell for column, cell in zip(COLUMNS, row.cells, strict=False)}
    return {
        "row": row, "words": words, "tone": tone, "reason": row.reason if is_preview else row.why or row.reason,
        "contact": cells.get("Contact Name", ""), "email": cells.get("Contact Email", ""),
        "can_choose": is_preview and row.is_lead and bool(row.candidates),
    }  # fmt: skip
