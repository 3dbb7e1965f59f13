"""A client's details: the form for a new one and for one there is, and what happens when two people edit at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, request, url_for

from portal import sync
from portal.adapters.base import AppInfo
from portal.db import db
from portal.domain import client_page, clients, connections, mappings, once, outgoing, owned_fields
from portal.domain.clients import Client
from portal.domain.people import May, User
from portal.domain.records import Address
from portal.web.clients import screen
from portal.web.clients.forms import (
    STRUCTURES,
    ClientForm,
    NewClientForm,
    label_of,
    packed,
    standing,
    unpacked,
)
from portal.web.clients.lookups import Origins, apps, client_or_404, locked_or_404, now, on_its_way, waiting
from portal.web.guard import actor, needs
from portal.web.render import done, refused, render

NEW_GOES = {
    "at_once": "at once",
    "first_invoice": "with its first invoice",
    "acceptance": "when its first proposal is accepted",
}


@screen.get("/new")
@needs(May.EDIT_CLIENTS)
def new() -> Response:
    return render("clients/new.html", form=NewClientForm(once=once.fresh()), **_around_new())


def _around_new() -> dict[str, Any]:
    """What the page of a new client shows beside its form."""
    goes = [f"{name} {NEW_GOES[moment]}" for name, moment in mappings.where_new_ones_go()]
    return {"structures": STRUCTURES, "alike": [], "goes": goes}


@screen.post("/new")
@needs(May.EDIT_CLIENTS)
def create() -> Response:
    """Make the client, once however often the form arrives; a name that is here already is asked about first."""
    form = NewClientForm()
    made = once.made_of(form.once.data or "")
    if made:
        return _made_already(made)
    if not form.validate():
        return refused("clients/new.html", "form", form=form, **_around_new())
    values = form.values()
    alike = [] if request.form.get("anyway") else clients.same_or_near(values["name"])
    if alike:
        return refused("clients/new.html", "form", form=form, **_around_new() | {"alike": alike})
    mark = once.claim(form.once.data or "", now())
    if mark is None:
        return _made_already(once.made_of(form.once.data or "") or 0)
    contacts = [form.contact()] if form.contact()["name"] else []
    client = clients.create(values.pop("name"), by=actor(), now=now(), contacts=contacts, **values)
    mark.made = client.id
    going = outgoing.note_new(client, by=actor(), now=now())
    said = f"{client.name} is created, as a lead. {_goes_to([connections.label(row.connection) for row in going])}"
    ids = [row.id for row in going]
    db.session.commit()
    if ids:
        sync.create_there_soon(ids)
    return done(said, ".page", client_id=client.id)


def _goes_to(names: list[str]) -> str:
    """Where a client just made goes by itself."""
    if names:
        return f"It is being created in {' and '.join(names)}."
    return "It reaches an app once it is linked to a record there or created there, on its Apps tab."


def _made_already(client_id: int) -> Response:
    db.session.rollback()
    if not client_id:
        return done("That form was sent already.", ".index", tone="info")
    return done("That form was sent already; here is the client it made.", ".page", tone="info", client_id=client_id)


@screen.get("/<int:client_id>/edit")
@needs(May.EDIT_CLIENTS)
def edit(client_id: int) -> Response:
    client = client_or_404(client_id)
    owned = owned_fields.owners(client, apps())
    form = ClientForm(client, owned, version=client.version, base=packed(standing(client)))
    return render("clients/edit.html", blocks=("contacts",), form=form, **_around(client, owned))


@screen.post("/<int:client_id>/edit")
@needs(May.EDIT_CLIENTS)
def save(client_id: int) -> Response:
    """Save what the person changed, unless somebody else was quicker; then both versions are shown (fault row 89)."""
    client = locked_or_404(client_id)
    owned = owned_fields.owners(client, apps())
    form = ClientForm(client, owned)
    base = unpacked(form.base.data, standing(client))
    form.stored = {**form.stored, **_flat(base)}
    if not form.validate():
        return refused("clients/edit.html", "form", form=form, **_around(client, owned))
    typed = form.values()
    if request.form.get("settle"):
        mine = set(request.form.getlist("mine"))
        typed = {name: value for name, value in typed.items() if name in mine}
    if _is_stale(form, client, base, typed):
        return _both_versions(client, typed, base)
    asked = {name: value for name, value in typed.items() if name not in base or clients.plain(value) != base[name]}
    changed = clients.edit(client, asked, by=actor(), now=now())
    ids = [link.id for link in waiting(client)] if changed else []
    said = f"Saved.{on_its_way(client)}" if changed else "Nothing was changed, so nothing was saved."
    db.session.commit()
    sync.send_soon(ids)
    return done(said, ".page", client_id=client.id)


def _is_stale(form: ClientForm, client: Client, base: dict[str, Any], typed: dict[str, Any]) -> bool:
    """Whether somebody changed a field of this form since it was opened. Contacts and links do not count."""
    if form.version.data == str(client.version):
        return False
    present = standing(client)
    return any(name not in base or base[name] != present[name] for name in typed)


def _both_versions(client: Client, typed: dict[str, Any], base: dict[str, Any]) -> Response:
    """Ask, field by field, whose value is to stand. Nothing is saved and nothing typed is lost."""
    present = standing(client)
    rows = []
    for name, value in typed.items():
        plain = clients.plain(value)
        was = base.get(name, present[name])
        is_mine, is_theirs = plain != was, present[name] != was
        if plain != present[name]:
            origin = client.origin_of(name.removesuffix("_id"))
            at = datetime.fromisoformat(origin["at"]) if origin.get("at") else None
            rows.append(
                {
                    "name": name, "label": label_of(name), "now": _shown(name, present[name]),
                    "mine": _shown(name, plain), "is_mine": is_mine and not is_theirs, "is_both": is_mine and is_theirs,
                    "by": origin.get("from", ""), "at": at, "is_theirs": is_theirs,
                }
            )  # fmt: skip
    sent = [(name, value) for name, value in request.form.items(multi=True) if name not in _OWN_FIELDS]
    db.session.rollback()
    client = client_or_404(client.id)
    return render(
        "clients/meanwhile.html", status=409, client=client, rows=rows, sent=sent, version=client.version,
        base=packed(standing(client)), saves_to=url_for(".save", client_id=client.id),
        back=url_for(".edit", client_id=client.id),
    )  # fmt: skip


_OWN_FIELDS = frozenset({"csrf_token", "version", "base", "settle", "mine"})


def _shown(name: str, value: Any) -> Any:
    if name in ("manager_id", "partner_id"):
        user = db.session.get(User, value) if value else None
        return user.name if user else None
    return Address(*value) if isinstance(value, list) else value


def _flat(base: dict[str, Any]) -> dict[str, Any]:
    """The values a form was opened on, as its fields are named: what an untouched field is held against."""
    found = {name: value for name, value in base.items() if isinstance(value, str)}
    for prefix, name in (("address", "address"), ("postal", "postal_address")):
        parts = base.get(name)
        if isinstance(parts, list) and len(parts) == 5 and all(isinstance(part, str) for part in parts):
            found |= dict(zip((f"{prefix}_{part}" for part in clients.ADDRESS_PARTS), parts, strict=True))
    return found


def _around(client: Client, owned: dict[str, AppInfo]) -> dict[str, Any]:
    """What the edit page shows beside the form."""
    known = apps()
    linked = [known[link.connection.app] for link in client.links if link.connection.app in known]
    return {
        "client": client,
        "owned": {field: app.name for field, app in owned.items()},
        "structures": STRUCTURES,
        "once_only": [app.short_name for app in linked if app.client_fields.get("structure") == client_page.PULL_ONCE],
        "may_edit": True,
        "origins": Origins(client, owned),
    }
