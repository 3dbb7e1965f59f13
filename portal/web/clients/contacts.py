"""The contacts of one client: add, edit, remove and put back, choose the default."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, request, url_for

from portal import sync
from portal.db import db
from portal.domain import client_page, clients, once
from portal.domain.activity import Verb
from portal.domain.clients import Client, Contact
from portal.domain.fields import CONTACT_FIELDS
from portal.domain.people import May
from portal.web.clients import screen
from portal.web.clients.forms import ContactForm, packed, unpacked
from portal.web.clients.lookups import client_or_404, locked_or_404, now, on_its_way, waiting
from portal.web.guard import actor, needs
from portal.web.render import done, refused, render

LABELS = CONTACT_FIELDS | {"position": "Position"}


@screen.get("/<int:client_id>/contacts/new")
@needs(May.EDIT_CLIENTS)
def new_contact(client_id: int) -> Response:
    client = client_or_404(client_id)
    return render("clients/contact.html", client=client, contact=None, form=ContactForm(once=once.fresh()))


@screen.post("/<int:client_id>/contacts/new")
@needs(May.EDIT_CLIENTS)
def add_contact(client_id: int) -> Response:
    client = locked_or_404(client_id)
    form = ContactForm()
    if not form.validate():
        return refused("clients/contact.html", "form", client=client, contact=None, form=form)
    mark = once.claim(form.once.data or "", now())
    if mark is None:
        db.session.rollback()
        return done("That contact was added already.", ".page", tone="info", client_id=client_id)
    contact = clients.add_contact(client, form.values(), by=actor(), now=now())
    mark.made = contact.id
    return _saved(client, f"{contact.name} is added.")


@screen.get("/<int:client_id>/contacts/<int:contact_id>")
@needs(May.EDIT_CLIENTS)
def edit_contact(client_id: int, contact_id: int) -> Response:
    client = client_or_404(client_id)
    contact = _contact_or_404(client, contact_id)
    form = ContactForm(contact)
    form.base.data = packed(form.stored)
    return render("clients/contact.html", client=client, contact=contact, form=form)


@screen.post("/<int:client_id>/contacts/<int:contact_id>")
@needs(May.EDIT_CLIENTS)
def save_contact(client_id: int, contact_id: int) -> Response:
    client = locked_or_404(client_id)
    contact = _contact_or_404(client, contact_id)
    form = ContactForm(contact)
    present = dict(form.stored)
    base = {**present, **unpacked(form.base.data, present)}
    form.stored = {name: value for name, value in base.items() if isinstance(value, str)}
    if not form.validate():
        return refused("clients/contact.html", "form", client=client, contact=contact, form=form)
    typed = form.values()
    if request.form.get("settle"):
        typed = {name: value for name, value in typed.items() if name in request.form.getlist("mine")}
    if any(base[name] != present[name] for name in typed):
        return _both_versions(client, contact, typed, base, present)
    asked = {name: value for name, value in typed.items() if value != base[name]}
    if not clients.edit_contact(contact, asked, by=actor(), now=now()):
        db.session.rollback()
        return done("Nothing was changed, so nothing was saved.", ".page", tone="info", client_id=client_id)
    return _saved(client, f"{contact.name} is saved.")


@screen.post("/<int:client_id>/contacts/<int:contact_id>/removal")
@needs(May.EDIT_CLIENTS)
def remove_contact(client_id: int, contact_id: int) -> Response:
    """Here only: the app keeps its contact, and it is not brought back."""
    client = locked_or_404(client_id)
    contact = _contact_or_404(client, contact_id)
    name = contact.name
    removed = clients.remove_contact(contact, by=actor(), now=now())
    db.session.commit()
    said = f"{name} is removed here." + (" Linked apps keep theirs." if client.links else "")
    undo = ("Undo", url_for(".restore_contact", client_id=client.id, activity_id=removed.id))
    return done(said, ".page", undo=undo, client_id=client.id)


@screen.post("/<int:client_id>/removals/<int:activity_id>/undo")
@needs(May.EDIT_CLIENTS)
def restore_contact(client_id: int, activity_id: int) -> Response:
    client = locked_or_404(client_id)
    removed = client_page.happened(client, activity_id, Verb.CONTACT_REMOVED)
    if removed is None:
        abort(404)
    contact = clients.restore_contact(client, removed, by=actor(), now=now())
    if contact is None:
        db.session.rollback()
        return done("That contact is back already.", ".page", tone="info", client_id=client_id)
    return _saved(client, f"{contact.name} is back.")


@screen.post("/<int:client_id>/contacts/<int:contact_id>/default")
@needs(May.EDIT_CLIENTS)
def make_default(client_id: int, contact_id: int) -> Response:
    client = locked_or_404(client_id)
    contact = _contact_or_404(client, contact_id)
    clients.choose_default_contact(contact, by=actor(), now=now())
    db.session.commit()
    return done(f"{contact.name} is the default contact now.", ".page", client_id=client.id)


def _contact_or_404(client: Client, contact_id: int) -> Contact:
    return next((contact for contact in client.contacts if contact.id == contact_id), None) or abort(404)


def _saved(client: Client, said: str) -> Response:
    said += on_its_way(client)
    ids = [link.id for link in waiting(client)]
    db.session.commit()
    sync.send_soon(ids)
    return done(said, ".page", client_id=client.id)


def _both_versions(
    client: Client, contact: Contact, typed: dict[str, str], base: dict[str, Any], present: dict[str, str]
) -> Response:
    """As with a client: whose value is to stand is asked field by field (fault row 89)."""
    rows = []
    for name, value in typed.items():
        is_mine, is_theirs = value != base[name], present[name] != base[name]
        if value != present[name]:
            rows.append(
                {
                    "name": name, "label": LABELS[name], "now": present[name], "mine": value, "is_theirs": is_theirs,
                    "is_mine": is_mine and not is_theirs, "is_both": is_mine and is_theirs,
                    "by": contact.origin_of(name).get("from", ""), "at": None,
                }
            )  # fmt: skip
    saves_to = url_for(".save_contact", client_id=client.id, contact_id=contact.id)
    db.session.rollback()
    return render(
        "clients/meanwhile.html", status=409, client=client_or_404(client.id), rows=rows,
        sent=list(typed.items()), version="", base=packed(present), saves_to=saves_to,
        back=url_for(".edit_contact", client_id=client.id, contact_id=contact.id),
    )  # fmt: skip
