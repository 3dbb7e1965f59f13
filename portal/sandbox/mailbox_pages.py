"""The mails the mailbox has kept, for a person; and its controls as JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox.context import Refused, here
from portal.sandbox.control import body
from portal.sandbox.mailbox import FAULTS, BadFault, Mail

blueprint = Blueprint("mailbox", __name__)
ADDRESS = re.compile(r"(https?://[^\s<>\"]+)")


@blueprint.get("/mailbox")
def mailbox() -> str:
    """Newest first."""
    box = here().mailbox
    return render_template(
        "mailbox.html", box=box, mails=[(one, _when(one)) for one in reversed(list(box.mails))], kinds=FAULTS
    )


@blueprint.get("/mailbox/<int:mail_id>")
def mail(mail_id: int) -> str:
    """One message, with its addresses to click."""
    found = _mail(mail_id)
    pieces = [(piece, bool(ADDRESS.fullmatch(piece))) for piece in ADDRESS.split(found.text)]
    return render_template("mail.html", mail=found, when=_when(found), pieces=pieces, files=found.attachments)


@blueprint.get("/mailbox/<int:mail_id>/attachments/<int:place>")
def attachment(mail_id: int, place: int) -> Response:
    """A file of a message, to save."""
    files = _mail(mail_id).attachments
    if not 0 <= place < len(files):
        raise Refused("There is no such file.", 404)
    answer = Response(files[place].data, mimetype=files[place].kind)
    answer.headers["Content-Disposition"] = f"attachment; filename=file-{place}.pdf"
    if re.fullmatch(r"[A-Za-z0-9._-]+", files[place].name):
        answer.headers["Content-Disposition"] = f"attachment; filename={files[place].name}"
    return answer


@blueprint.post("/mailbox/faults")
def add_fault() -> BaseResponse:
    """From the page's form."""
    form = request.form
    _go_wrong(form.get("kind", ""), form.get("address", "").strip(), form.get("times", type=int))
    return redirect(url_for("mailbox.mailbox"), 303)


@blueprint.post("/mailbox/clear")
def clear() -> BaseResponse:
    """`what`: mails or faults."""
    box = here().mailbox
    box.mend() if request.form.get("what") == "faults" else box.clear()
    return redirect(url_for("mailbox.mailbox"), 303)


@blueprint.get("/control/mailbox")
def control() -> Response:
    """Where it listens, what came (oldest first), what goes wrong."""
    box = here().mailbox
    return jsonify(
        port=box.port,
        mails=[_as_json(one) for one in list(box.mails)],
        faults=[{"kind": one.kind, "address": one.address, "times": one.times, "fired": one.fired}
                for one in list(box.faults)],
    )  # fmt: skip


@blueprint.post("/control/mailbox/faults")
def control_faults() -> tuple[Response, int]:
    """`kind`, and if it is not for all and always, `address` and `times`."""
    values = body()
    _go_wrong(str(values.get("kind")), str(values.get("address", "")), values.get("times"))
    return jsonify(status="ok"), 201


@blueprint.delete("/control/mailbox")
def control_clear() -> Response:
    """No mail and no fault."""
    here().mailbox.clear()
    return jsonify(status="ok")


def _go_wrong(kind: str, address: str, times: int | None) -> None:
    try:
        here().mailbox.go_wrong(kind, address, times)
    except BadFault as reason:
        raise Refused(str(reason)) from reason


def _mail(mail_id: int) -> Mail:
    found = here().mailbox.find(mail_id)
    if found is None:
        raise Refused("There is no such mail.", 404)
    return found


def _when(one: Mail) -> datetime:
    return datetime.fromtimestamp(one.at, UTC)


def _as_json(one: Mail) -> dict[str, Any]:
    return {
        "id": one.id, "at": _when(one).isoformat(), "from": one.sender, "to": one.to, "subject": one.subject,
        "text": one.text, "html": one.html, "headers": [[name, str(value)] for name, value in one.parsed.items()],
        "attachments": [{"name": file.name, "kind": file.kind, "size": len(file.data)} for file in one.attachments],
    }  # fmt: skip
