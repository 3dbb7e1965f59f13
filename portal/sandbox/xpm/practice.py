"""clientgroup.api, staff.api and the short lists of a practice; invoices and quotes are empty here."""

from __future__ import annotations

import sqlite3
import uuid as uuids
from xml.etree import ElementTree as ET

from flask import Response

from portal.sandbox.context import here, hint
from portal.sandbox.names_practice import CATEGORIES, JOB_STATES, TASKS, TEMPLATES, stable_uuid
from portal.sandbox.xpm import api, wire
from portal.sandbox.xpm.api import blueprint

STAFF = {
    "Name": "name",
    "Email": "email",
    "Phone": "phone",
    "Mobile": "mobile",
    "Address": "address",
    "PayrollCode": "payroll",
}


@blueprint.get("/clientgroup.api/list")
def group_list() -> Response:
    """Groups without their members."""
    with here().store.read() as db:
        rows = db.execute("SELECT * FROM xpm_group WHERE tenant = ? ORDER BY n", (api.tenant().id,)).fetchall()
    rows = [] if hint("empty_list") else rows
    return wire.answer(wire.element("Groups", *(_group(row) for row in rows)))


@blueprint.get("/clientgroup.api/get/<uuid>")
def group_get(uuid: str) -> Response:
    """A group with its members."""
    with here().store.read() as db:
        return _with_members(db, uuid)


@blueprint.post("/clientgroup.api/add")
def group_add() -> Response:
    """A new group; its first member comes with it."""
    body = wire.body_element("Group")
    name = wire.value(body, "Name")
    if not name:
        raise wire.BusinessError("Group name is required")
    uuid = str(uuids.uuid4())
    with here().store.write() as db:
        taxable = wire.value(body, "Taxable") or "No"
        db.execute(
            "INSERT INTO xpm_group (tenant, uuid, name, taxable) VALUES (?, ?, ?, ?)",
            (api.tenant().id, uuid, name, taxable),
        )
        first = wire.value(body, "ClientUUID")
        if first:
            _change_member(db, uuid, first, joins=True)
        return _with_members(db, uuid)


@blueprint.put("/clientgroup.api/members")
def group_members() -> Response:
    """Add and remove: the identifiers are attributes."""
    body = wire.body_element("Group")
    with here().store.write() as db:
        group = _group_row(db, wire.value(body, "UUID") or "")["uuid"]
        for change in body:
            if change.tag in ("add", "remove"):
                _change_member(db, group, change.get("uuid", ""), joins=change.tag == "add")
        return _with_members(db, group)


@blueprint.post("/clientgroup.api/delete")
def group_delete() -> Response:
    """The members stay clients."""
    uuid = wire.value(wire.body_element("Group"), "UUID") or ""
    with here().store.write() as db:
        group = _group_row(db, uuid)["uuid"]
        members = db.execute(
            "SELECT client FROM xpm_member WHERE tenant = ? AND grp = ?", (api.tenant().id, group)
        ).fetchall()
        for row in members:
            _change_member(db, group, row["client"], joins=False)
        db.execute("DELETE FROM xpm_group WHERE tenant = ? AND uuid = ?", (api.tenant().id, group))
    return wire.answer()


@blueprint.get("/staff.api/list")
def staff_list() -> Response:
    """Who works here; disabled people only when the switch says so."""
    with here().store.read() as db:
        rows = db.execute(
            "SELECT * FROM xpm_staff WHERE tenant = ? AND enabled >= ? ORDER BY n",
            (api.tenant().id, 0 if here().switches["staff_list_shows_disabled"] else 1),
        ).fetchall()
    rows = [] if hint("empty_list") else rows
    return wire.answer(wire.element("StaffList", *(_staff(row) for row in rows)))


@blueprint.get("/staff.api/get/<uuid>")
def staff_get(uuid: str) -> Response:
    """One of them."""
    with here().store.read() as db:
        row = _staff_row(db, uuid)
    return wire.answer(_staff(row), api.web_url("staff", row["uuid"]))


@blueprint.post("/staff.api/add")
def staff_add() -> Response:
    """Somebody new."""
    body = wire.body_element("Staff")
    values = {column: wire.value(body, tag) or "" for tag, column in STAFF.items()}
    if not values["name"]:
        raise wire.BusinessError("Staff name is required")
    uuid = str(uuids.uuid4())
    with here().store.write() as db:
        db.execute(
            f"INSERT INTO xpm_staff (tenant, uuid, {', '.join(values)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (api.tenant().id, uuid, *values.values()),
        )
        row = _staff_row(db, uuid)
    return wire.answer(_staff(row), api.web_url("staff", uuid))


@blueprint.put("/staff.api/update")
def staff_update() -> Response:
    """Change what was sent."""
    body = wire.body_element("Staff")
    with here().store.write() as db:
        row = _staff_row(db, wire.value(body, "UUID") or "")
        for tag, column in STAFF.items():
            if (text := wire.value(body, tag)) is not None:
                db.execute(f"UPDATE xpm_staff SET {column} = ? WHERE n = ?", (text, row["n"]))
        row = _staff_row(db, row["uuid"])
    return wire.answer(_staff(row), api.web_url("staff", row["uuid"]))


@blueprint.post("/staff.api/<any(enable, disable, delete, forgottenpassword):what>")
def staff_state(what: str) -> Response:
    """Let somebody in or out."""
    uuid = wire.value(wire.body_element("Staff"), "UUID") or ""
    with here().store.write() as db:
        row = _staff_row(db, uuid)
        if what == "delete":
            db.execute("DELETE FROM xpm_staff WHERE n = ?", (row["n"],))
        elif what != "forgottenpassword":
            db.execute("UPDATE xpm_staff SET enabled = ? WHERE n = ?", (int(what == "enable"), row["n"]))
    return wire.answer()


@blueprint.get("/category.api/list")
def categories() -> Response:
    """Job categories."""
    return _named("Categories", "Category", CATEGORIES)


@blueprint.get("/template.api/list")
def templates() -> Response:
    """Job templates."""
    return _named("Templates", "Template", TEMPLATES)


@blueprint.get("/jobstate.api/list")
def job_states() -> Response:
    """States by name; the codes a change needs are not told here."""
    return _named("JobStates", "JobState", JOB_STATES)


@blueprint.get("/task.api/list")
def tasks() -> Response:
    """Kinds of task."""
    entries = [
        wire.leaves("Task", {"UUID": stable_uuid("Task", api.tenant().id, name), "Name": name, "Description": ""})
        for name in TASKS
    ]
    return wire.answer(wire.element("TaskList", *entries))


@blueprint.get("/<any('invoice.api', 'quote.api'):family>/<any(current, draft):which>")
def nothing_billed(family: str, which: str) -> Response:
    """This practice bills elsewhere."""
    return wire.answer(wire.element("Invoices" if family == "invoice.api" else "Quotes"))


@blueprint.get("/<any('invoice.api', 'quote.api', 'time.api'):family>/list")
def nothing_listed(family: str) -> Response:
    """Empty; both dates are asked for as the vendor does."""
    dates_asked()
    return wire.answer(wire.element({"invoice.api": "Invoices", "quote.api": "Quotes", "time.api": "Times"}[family]))


@blueprint.get("/invoice.api/job/<number>")
def nothing_billed_for(number: str) -> Response:
    """No invoices of a job."""
    return wire.answer(wire.element("Invoices"))


def dates_asked() -> tuple[str, str]:
    """`from` and `to` as yyyymmdd, at most a year apart; raises BusinessError."""
    start, end = api.argument("from") or "", api.argument("to") or ""
    if not (len(start) == len(end) == 8 and start.isdigit() and end.isdigit()):
        raise wire.BusinessError("from and to are required in the format yyyyMMdd")
    if int(end) - int(start) > 10_000:
        raise wire.BusinessError("The date range cannot exceed one year")
    return start, end


def _named(tag: str, entry: str, names: object) -> Response:
    entries = [
        wire.leaves(entry, {"UUID": stable_uuid(entry, api.tenant().id, name), "Name": str(name)})
        for name in names  # type: ignore[attr-defined]  # a list, by its column
    ]
    return wire.answer(wire.element(tag, *entries))


def _group(row: sqlite3.Row) -> ET.Element:
    return wire.leaves("Group", {"UUID": row["uuid"], "Name": row["name"], "Taxable": row["taxable"]})


def _group_row(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_group WHERE tenant = ? AND uuid = ?", (api.tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise api.NoSuch("Invalid client group identifier")
    return row


def _with_members(db: sqlite3.Connection, uuid: str) -> Response:
    row = _group_row(db, uuid)
    members = db.execute(
        "SELECT c.uuid, c.name FROM xpm_member m JOIN xpm_client c ON c.tenant = m.tenant AND c.uuid = m.client"
        " WHERE m.tenant = ? AND m.grp = ? ORDER BY c.n",
        (api.tenant().id, row["uuid"]),
    )
    clients = wire.element(
        "Clients", *(wire.leaves("Client", {"UUID": member["uuid"], "Name": member["name"]}) for member in members)
    )
    group = _group(row)
    group.append(clients)
    return wire.answer(group)


def _change_member(db: sqlite3.Connection, group: str, client: str, *, joins: bool) -> None:
    uuid = api.client_row(db, client)["uuid"]
    if joins:
        db.execute("INSERT OR IGNORE INTO xpm_member VALUES (?, ?, ?)", (api.tenant().id, group, uuid))
    else:
        db.execute("DELETE FROM xpm_member WHERE tenant = ? AND grp = ? AND client = ?", (api.tenant().id, group, uuid))
    api.save(db, uuid, touch=here().switches["group_change_bumps_client"])


def _staff(row: sqlite3.Row) -> ET.Element:
    return wire.leaves("Staff", {"UUID": row["uuid"], **{tag: row[column] for tag, column in STAFF.items()}})


def _staff_row(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_staff WHERE tenant = ? AND uuid = ?", (api.tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise api.NoSuch("Invalid staff identifier")
    return row
