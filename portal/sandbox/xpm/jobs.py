"""job.api: add, read, change, assign, move on. A job is addressed by its number."""

from __future__ import annotations

import json
import sqlite3
import uuid as uuids
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

from flask import Response

from portal.sandbox.context import here, hint
from portal.sandbox.names_practice import CATEGORIES, JOB_STATES, TASKS, TEMPLATES, stable_uuid
from portal.sandbox.xpm import api, wire
from portal.sandbox.xpm.api import blueprint
from portal.sandbox.xpm.practice import dates_asked

Job = dict[str, Any]
WRITABLE = {
    "Name": "Name",
    "Description": "Description",
    "StartDate": "StartDate",
    "DueDate": "DueDate",
    "Budget": "Budget",
    "ClientNumber": "ClientOrderNumber",
    "CategoryUUID": "CategoryUUID",  # kept, and in no answer
}


@blueprint.post("/job.api/add")
def job_add() -> Response:
    """A new job for a client, with the tasks of a template when one is named."""
    body = wire.body_element("Job")
    with here().store.write() as db:
        client = api.client_row(db, wire.value(body, "ClientUUID") or "")
        job: Job = {"Description": "", "Tasks": [], "Assigned": [], **_typed(body)}
        if not job.get("Name") or not job.get("StartDate") or not job.get("DueDate"):
            raise wire.BusinessError("Job name, start date and due date are required")
        if contact := wire.value(body, "ContactUUID"):
            job["Contact"] = _contact(db, contact)
        if template := wire.value(body, "TemplateUUID"):
            job["Tasks"] = _template_tasks(template)
        number = wire.value(body, "ID") or _next_number(db)
        db.execute(
            "INSERT INTO xpm_job (tenant, number, uuid, client, state, fields) VALUES (?, ?, ?, ?, 'Planned', ?)",
            (api.tenant().id, number, str(uuids.uuid4()), client["uuid"], json.dumps(job, ensure_ascii=False)),
        )
        return _one(db, number)


@blueprint.put("/job.api/update")
def job_update() -> Response:
    """Change what was sent."""
    body = wire.body_element("Job")
    with here().store.write() as db:
        row = _row(db, wire.value(body, "ID"))
        _keep(db, row, {**json.loads(row["fields"]), **_typed(body)})
        return _one(db, row["number"])


@blueprint.get("/job.api/get/<number>")
def job_get(number: str) -> Response:
    """One job."""
    with here().store.read() as db:
        return _one(db, number)


@blueprint.get("/job.api/current")
def jobs_current() -> Response:
    """What is not completed yet."""
    return _several("state != 'Completed'", ())


@blueprint.get("/job.api/list")
def jobs_between() -> Response:
    """Started between two days."""
    start, end = dates_asked()
    return _several("substr(json_extract(fields, '$.StartDate'), 1, 10) BETWEEN ? AND ?", (_day(start), _day(end)))


@blueprint.get("/job.api/client/<uuid>")
def jobs_of(uuid: str) -> Response:
    """Of one client."""
    with here().store.read() as db:
        client = api.client_row(db, uuid)["uuid"]
    return _several("client = ?", (client,))


@blueprint.put("/job.api/state")
def job_state() -> Response:
    """By interface code, which is not the name."""
    body = wire.body_element("Job")
    names = {code: name for name, code in JOB_STATES.items()}
    with here().store.write() as db:
        row = _row(db, wire.value(body, "ID"))
        state = names.get(wire.value(body, "State") or "")
        if state is None:
            raise wire.BusinessError("Invalid state code")
        fields = json.loads(row["fields"])
        fields["CompletedDate"] = here().clock.now().strftime("%Y-%m-%dT00:00:00") if state == "Completed" else None
        db.execute("UPDATE xpm_job SET state = ? WHERE n = ?", (state, row["n"]))
        _keep(db, row, fields)
        return _one(db, row["number"])


@blueprint.put("/job.api/assign")
def job_assign() -> Response:
    """Manager, partner and staff; the identifiers are attributes."""
    body = wire.body_element("Job")
    with here().store.write() as db:
        row = _row(db, wire.value(body, "ID"))
        job = json.loads(row["fields"])
        for change in body:
            _assign(db, job, change)
        _keep(db, row, job)
        return _one(db, row["number"])


@blueprint.post("/job.api/applytemplate")
def job_apply_template() -> Response:
    """Adds the template's tasks."""
    body = wire.body_element("Job")
    with here().store.write() as db:
        row = _row(db, wire.value(body, "ID"))
        job = json.loads(row["fields"])
        job["Tasks"] += _template_tasks(wire.value(body, "TemplateUUID") or "")
        _keep(db, row, job)
        return _one(db, row["number"])


@blueprint.post("/job.api/delete")
def job_delete() -> Response:
    """The answer still shows it."""
    body = wire.body_element("Job")
    with here().store.write() as db:
        row = _row(db, wire.value(body, "ID"))
        answer = _one(db, row["number"])
        db.execute("UPDATE xpm_job SET deleted = 1 WHERE n = ?", (row["n"],))
    return answer


def _typed(body: ET.Element) -> Job:
    """Request values under their answer names; days become date-times."""
    found: Job = {}
    for sent, stored in WRITABLE.items():
        text = wire.value(body, sent)
        if text is not None:
            found[stored] = f"{_day(text)}T00:00:00" if sent.endswith("Date") and text else text
    category = found.get("CategoryUUID")
    if category and category not in {stable_uuid("Category", api.tenant().id, name) for name in CATEGORIES}:
        raise wire.BusinessError("Invalid category identifier")
    return found


def seen(db: sqlite3.Connection, tenant: str, client: str = "") -> list[Job]:
    """Jobs as testers see them: of one client, or the latest fifty."""
    rows = db.execute(
        "SELECT * FROM xpm_job WHERE tenant = ? AND deleted = 0 AND (? = '' OR client = ?) ORDER BY n DESC LIMIT 50",
        (tenant, client, client),
    ).fetchall()
    return [
        {"number": row["number"], "uuid": row["uuid"], "client": row["client"], "state": row["state"],
         **json.loads(row["fields"])}
        for row in rows
    ]  # fmt: skip


def _day(text: str) -> str:
    if not (len(text) == 8 and text.isdigit()):
        raise wire.BusinessError("Invalid date, expected yyyyMMdd")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def _next_number(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT count(*) AS many FROM xpm_job WHERE tenant = ?", (api.tenant().id,)).fetchone()
    return f"J{row['many'] + 1:06d}"


def _template_tasks(uuid: str) -> list[Job]:
    if uuid not in {stable_uuid("Template", api.tenant().id, name) for name in TEMPLATES}:
        raise wire.BusinessError("Invalid job template identifier")
    return [
        {
            "UUID": str(uuids.uuid4()),
            "Name": name,
            "Description": "",
            "TaskUUID": stable_uuid("Task", api.tenant().id, name),
            "EstimatedMinutes": "60",
            "ActualMinutes": "0",
            "Completed": "false",
            "Billable": "true",
            "Folder": "",
        }
        for name in TASKS[:3]
    ]


def _assign(db: sqlite3.Connection, job: Job, change: ET.Element) -> None:
    if change.tag in ("remove-manager", "remove-partner"):
        job.pop(change.tag.removeprefix("remove-").title(), None)
    elif change.tag in ("add-manager", "add-partner"):
        job[change.tag.removeprefix("add-").title()] = _staff(db, change.get("uuid", ""))
    elif change.tag in ("add", "remove"):
        person = _staff(db, change.get("uuid", ""))
        others = [one for one in job["Assigned"] if one["UUID"] != person["UUID"]]
        job["Assigned"] = [*others, person] if change.tag == "add" else others


def _staff(db: sqlite3.Connection, uuid: str) -> Job:
    row = db.execute(
        "SELECT uuid, name FROM xpm_staff WHERE tenant = ? AND uuid = ?", (api.tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise wire.BusinessError("Invalid staff identifier for add request")
    return {"UUID": row["uuid"], "Name": row["name"]}


def _contact(db: sqlite3.Connection, uuid: str) -> Job:
    row = db.execute(
        "SELECT uuid, name FROM xpm_contact WHERE tenant = ? AND uuid = ?", (api.tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise wire.BusinessError("Invalid contact identifier")
    return {"UUID": row["uuid"], "Name": row["name"]}


def _row(db: sqlite3.Connection, number: str | None) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT j.*, c.name AS client_name FROM xpm_job j"
        " JOIN xpm_client c ON c.tenant = j.tenant AND c.uuid = j.client"
        " WHERE j.tenant = ? AND j.number = ? AND j.deleted = 0",
        (api.tenant().id, number),
    ).fetchone()
    if row is None:
        raise wire.BusinessError("Invalid job identifier")
    return row


def _keep(db: sqlite3.Connection, row: sqlite3.Row, job: Job) -> None:
    db.execute("UPDATE xpm_job SET fields = ? WHERE n = ?", (json.dumps(job, ensure_ascii=False), row["n"]))


def _one(db: sqlite3.Connection, number: str) -> Response:
    row = _row(db, number)
    return wire.answer(_printed(row, full=True), api.web_url("job", row["uuid"]))


def _several(condition: str, values: Iterable[str]) -> Response:
    with here().store.read() as db:
        rows = db.execute(
            "SELECT j.*, c.name AS client_name FROM (SELECT * FROM xpm_job WHERE tenant = ? AND deleted = 0 AND "
            f"{condition}) j JOIN xpm_client c ON c.tenant = j.tenant AND c.uuid = j.client ORDER BY j.n",
            (api.tenant().id, *values),
        ).fetchall()
    rows = [] if hint("empty_list") else rows
    return wire.answer(wire.element("Jobs", *(_printed(row, full=api.detailed()) for row in rows)))


def _printed(row: sqlite3.Row, *, full: bool) -> ET.Element:
    job: Job = json.loads(row["fields"])
    made = wire.leaves(
        "Job",
        {
            "ID": row["number"],
            "UUID": row["uuid"],
            "Name": job["Name"],
            "Description": job["Description"],
            "ClientOrderNumber": job.get("ClientOrderNumber", ""),
            "Budget": job.get("Budget") or None,
            "State": row["state"],
            "Type": "",
            "StartDate": job["StartDate"],
            "DueDate": job["DueDate"],
            "CompletedDate": job.get("CompletedDate"),
            "InternalID": str(row["n"]),
        },
    )
    made.append(wire.leaves("Client", {"UUID": row["client"], "Name": row["client_name"]}))
    made.extend(wire.leaves(tag, job[tag]) for tag in ("Contact", "Manager", "Partner") if job.get(tag))
    made.append(wire.element("Assigned", *(wire.leaves("Staff", person) for person in job["Assigned"])))
    if full:
        made.append(wire.element("Tasks", *(_task(task) for task in job["Tasks"])))
        made.extend(wire.element(tag) for tag in ("Milestones", "Notes"))
    return made


def _task(task: Job) -> ET.Element:
    made = wire.leaves("Task", task)
    made.append(wire.element("Assigned"))
    return made
