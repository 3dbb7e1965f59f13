"""Jobs in Xero Practice Manager: made from templates, found again by our mark in the description.

XPM takes no idempotency key, and an order number is shared by all jobs of a client or proposal; so the mark is the last
line of the description, which every list of jobs shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote

from lxml import etree

from portal.adapters.base import AdapterError, NeedsReconnect, Rejected, Session, UnexpectedReply, Unknown
from portal.adapters.xpm import reading, writing
from portal.adapters.xpm.reading import Form, NotUnderstood
from portal.adapters.xpm.xml_form import NAME, Plain
from portal.domain.records import JobOut, JobRecord
from portal.domain.text import BadText, clean_line

API = f"{writing.ROOT}/job.api"
MARK = re.compile(r"^Counterpart job (?P<mark>\S+)\s*$", re.MULTILINE)


def create(session: Session, form: Form, job: JobOut) -> JobRecord:
    """Raises `Rejected` when nothing was made, `Unknown` when the answer was lost or does not say which job it is."""
    if not job.mark or re.search(r"\s", job.mark):
        raise Rejected("The job has no mark by which it could be found again.")
    body = writing.written(form, "Job", elements(job, form))
    try:
        reply = session.write("POST", f"{API}/add", body, form.content_type, check=form.check)
    except NeedsReconnect as refusal:
        if reading.NOT_GRANTED not in refusal.vendor_text:
            raise
        # Everything else still works, so the connection is not broken.
        raise Rejected(
            f"{NAME} does not let this connection make jobs, only read them. Connect it again under Apps.",
            status=refusal.status, vendor_text=refusal.vendor_text,
        ) from refusal  # fmt: skip
    try:
        made = record(form.document(reply))
    except (UnexpectedReply, NotUnderstood, BadText) as error:
        raise Unknown(f"{NAME} did not say which job it made; it may or may not have made it.", status=200) from error
    return _with_people(session, form, made, job)


def finish(session: Session, form: Form, found: JobRecord, job: JobOut) -> JobRecord:
    """Give a job the people it lacks, as it is now. Raises `NotThere`."""
    path = f"{API}/get/{quote(found.number, safe='')}"

    def answer() -> Plain:
        return form.document(session.get(path, check=form.check))

    return _with_people(session, form, _understood(reading.not_there_if_unknown(answer, "this job")), job)


def of_client(session: Session, form: Form, client_id: str) -> list[JobRecord]:
    """All jobs of a client. Raises `NotThere`, and `UnexpectedReply` when one of them cannot be understood: it may be
    the very one that is looked for."""
    path = f"{API}/client/{quote(client_id, safe='')}"

    def answer() -> Plain:
        return form.document(session.get(path, {"detailed": "true"}, check=form.check))

    listed = reading.not_there_if_unknown(answer).get("Jobs") or []
    if not isinstance(listed, list):
        raise UnexpectedReply(f"{NAME} gave no list of jobs.", status=200)
    return [_understood({"Job": one}) for one in listed]


def elements(job: JobOut, form: Form) -> Plain:
    """A new job as it is written; what is empty stays out. In JSON a budget is a number; cents survive that."""
    made = {
        "Name": job.name,
        "Description": f"{job.description}\n\nCounterpart job {job.mark}".strip(),
        "ClientUUID": job.client_id,
        "StartDate": _day(job.start_on),
        "DueDate": _day(job.due_on),
        "ClientNumber": job.order_number,
        "TemplateUUID": job.template_id,
        "CategoryUUID": job.category_id,
        "Budget": "" if job.budget is None else float(job.budget) if form.is_json else f"{job.budget:f}",
    }
    return {name: value for name, value in made.items() if value != ""}


def record(answer: Plain) -> JobRecord:
    """The job of a single-job answer. Raises `NotUnderstood` or `BadText`."""
    raw = answer.get("Job")
    if not isinstance(raw, dict):
        raise NotUnderstood("It holds no job.")
    remote_id, number = _text(raw, "UUID"), _text(raw, "ID")
    if not number:
        raise NotUnderstood("The job has no number.")
    said = MARK.search(str(raw.get("Description") or ""))
    assigned = raw.get("Assigned")
    staff = assigned if isinstance(assigned, list) else []
    return JobRecord(
        remote_id=remote_id or number, number=number, name=_text(raw, "Name"), client_id=_person(raw, "Client"),
        order_number=_text(raw, "ClientOrderNumber"), web_url=_text(answer, "WebUrl") or _text(raw, "WebUrl"),
        mark=said["mark"] if said else "", state=_text(raw, "State"), partner_id=_person(raw, "Partner"),
        manager_id=_person(raw, "Manager"), staff_ids=tuple(_text(one, "UUID") for one in staff),
    )  # fmt: skip


def assignment(form: Form, number: str, people: Mapping[str, list[str]]) -> bytes:
    """Who is to work on a job; their identifiers are attributes in XML."""
    if form.is_json:
        body: dict[str, Any] = {"id": number}
        for act, uuids in people.items():
            body[act] = [{"uuid": one} for one in uuids] if act == "add" else {"uuid": uuids[0]}
        return json.dumps(body).encode()
    made = etree.Element("Job")
    etree.SubElement(made, "ID").text = number
    for act, uuids in people.items():
        for one in uuids:
            etree.SubElement(made, act, {"uuid": one})
    return bytes(etree.tostring(made, encoding="utf-8"))


def _with_people(session: Session, form: Form, made: JobRecord, job: JobOut) -> JobRecord:
    """The job with its people. It is there either way: whatever goes wrong now only leaves it unfinished."""
    lacking = _lacking(made, job)
    if not lacking:
        return made
    body = assignment(form, made.number, lacking)
    try:
        reply = session.write("PUT", f"{API}/assign", body, form.content_type, check=form.check)
        after = record(form.document(reply))
    except (AdapterError, NotUnderstood, BadText) as error:
        why = error.message if isinstance(error, AdapterError) else f"{NAME} gave an answer that makes no sense."
        return replace(made, unfinished=f"The job {made.number} is there, but its people are not all assigned: {why}")
    return replace(after, web_url=after.web_url or made.web_url)


def _lacking(made: JobRecord, job: JobOut) -> dict[str, list[str]]:
    people: dict[str, list[str]] = {}
    if job.partner_id and job.partner_id != made.partner_id:
        people["add-partner"] = [job.partner_id]
    if job.manager_id and job.manager_id != made.manager_id:
        people["add-manager"] = [job.manager_id]
    if others := [one for one in dict.fromkeys(job.staff_ids) if one not in made.staff_ids]:
        people["add"] = others
    return people


def _understood(answer: Plain) -> JobRecord:
    try:
        return record(answer)
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave a job that cannot be understood: {error}", status=200) from error


def _person(raw: Plain, name: str) -> str:
    person = raw.get(name)
    return _text(person, "UUID") if isinstance(person, dict) else ""


def _text(raw: Plain, name: str) -> str:
    value = raw.get(name)
    if value is None or isinstance(value, str | int):
        return clean_line("" if value is None else str(value))
    raise NotUnderstood(f"Its {name} is not a text.")


def _day(day: date) -> str:
    return day.strftime("%Y%m%d")
