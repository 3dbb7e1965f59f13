"""Clients from a CSV file: read it, preview every row, import it client by client, take it back (CL-40 to CL-44).

    upload = read_file(bytes_or_path, name, by=actor, now=now)     keeps the rows; raises UnreadableFile
    plan(upload, choices, apps=AppInfo by slug)                    what every row would do: `upload.counts`, `rows()`
    choose(upload, lead row, choice, apps=…), choose_all(…)        same names: create, skip, edit:<client id>
    apply(upload, choices, by=actor, now=now, progress=…) -> Done  imports, committing client by client; can be resumed
    undo(upload, by=actor, now=now)                                puts back what nobody has changed since

`Done.link_ids` are the links whose apps the caller is to tell afterwards (`sync.send_soon`). The caller commits after
`read_file`, `plan` and the choices.
"""

from portal.domain.client_csv.applying import Done, NotNow, apply, begin
from portal.domain.client_csv.reading import choose, choose_all, plan, plan_in_steps, read_file
from portal.domain.client_csv.undoing import begin_undo, undo
from portal.domain.client_csv.uploads import (
    NOT_IMPORTED,
    PAGE,
    CsvRow,
    CsvUpload,
    RowResult,
    UploadState,
    created_clients,
    drop,
    find,
    forget_expired,
    headings_of,
    not_imported,
    recent,
    row,
    rows,
    same_file,
    stopped,
)
from portal.domain.client_csv_file import MAX_BYTES, MAX_ROWS, UnreadableFile
from portal.domain.client_csv_known import RowOutcome, RowPlan

__all__ = [
    "MAX_BYTES", "MAX_ROWS", "NOT_IMPORTED", "PAGE", "CsvRow", "CsvUpload", "Done", "NotNow", "RowOutcome", "RowPlan",
    "RowResult", "UnreadableFile", "UploadState", "apply", "begin", "begin_undo", "choose", "choose_all",
    "created_clients", "drop", "find", "forget_expired", "headings_of", "not_imported", "plan", "plan_in_steps",
    "read_file", "recent", "row", "rows", "same_file", "stopped", "undo",
]  # fmt: skip
