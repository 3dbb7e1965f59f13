"""Edit → Email preferences: who of a client gets its mail, and which kinds differ from the firm's (CL-37, ST-02)."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from portal.db import db
from portal.domain import mail
from portal.domain.clients import Client
from portal.domain.mail import AUTOMATIC, MailKind, MailProblem
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.clients.lookups import client_or_404, locked_or_404, now
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, refused, render

TEMPLATE = "clients/email.html"
WANTED = {"": None, "yes": True, "no": False}


@screen.get("/<int:client_id>/email", endpoint="email")
@needs(May.EDIT_CLIENTS)
def email_preferences(client_id: int) -> Response:
    client = client_or_404(client_id)
    held = mail.preferences(client)
    ticked = set(held.chosen) or {one.contact_id for one in mail.recipients_of(client) if one.contact_id}
    return render(TEMPLATE, **_around(client, ticked, dict(held.kinds)))


@screen.post("/<int:client_id>/email")
@needs(May.EDIT_CLIENTS)
def save_email(client_id: int) -> Response:
    """At least one contact, and one with an address (CL-37)."""
    client = locked_or_404(client_id)
    ids = {one.id for one in client.contacts}
    ticked = {int(one) for one in request.form.getlist("contact") if one.isascii() and one.isdecimal()} & ids
    kinds = {kind: WANTED.get(request.form.get(kind.value, "")) for kind in AUTOMATIC}
    try:
        did = mail.change_preferences(client, contact_ids=ticked, kinds=kinds, by=actor(), now=now())
    except MailProblem as problem:
        db.session.rollback()
        client = client_or_404(client_id)
        return refused(TEMPLATE, "form", **_around(client, ticked, kinds, str(problem)))
    db.session.commit()
    said = "Saved. It holds for the next message." if did else "Nothing was changed, so nothing was saved."
    return done(said, ".email", tone="ok" if did else "info", client_id=client_id)


def _around(client: Client, ticked: set[int], kinds: dict[MailKind, bool | None], wrong: str = "") -> dict[str, Any]:
    return {
        "client": client,
        "people": [(one, mail.recipient(one), one.id in ticked) for one in client.contacts],
        "kinds": [(kind.value, label, _word(kinds.get(kind))) for kind, label in AUTOMATIC.items()],
        "wrong": wrong,
        "usual": mail.settings().sends_invoices,
        "is_on": mail.is_on(),
        "may_set_mail": current_person().may(May.MANAGE_SETTINGS),
        "back": url_for("clients.page", client_id=client.id),
    }


def _word(wanted: bool | None) -> str:
    return next(word for word, meant in WANTED.items() if meant is wanted)
