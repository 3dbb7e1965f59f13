"""Changing a line of the schedule, adding a single item or a service (BS-06, BS-10)."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response, abort, request

from portal.db import db
from portal.domain import library, once, schedule
from portal.domain.clients import Client
from portal.domain.library import PriceType, Service
from portal.domain.people import May
from portal.domain.schedule import Cadence, NotOpen, PastDay, StaleItem
from portal.web.clients import screen
from portal.web.clients.billing import keys, one_or_404, service_or_404
from portal.web.clients.billing_forms import FactsForm, ItemForm, NewItemForm, NewServiceForm
from portal.web.clients.lookups import client_or_404, locked_or_404, now
from portal.web.guard import actor, needs
from portal.web.meanwhile import differences
from portal.web.render import done, refused, render


@screen.get("/<int:client_id>/billing/items/<key>")
@needs(May.INVOICE_CLIENTS)
def edit_item(client_id: int, key: str) -> Response:
    client = client_or_404(client_id)
    line = next(iter(schedule.look(client.id, [key])), None) or abort(404)
    form = ItemForm(line, version=str(line.version))
    return render("clients/billing/item.html", form=form, client=client, line=line)


@screen.post("/<int:client_id>/billing/items/<key>")
@needs(May.INVOICE_CLIENTS)
def save_item(client_id: int, key: str) -> Response:
    client = locked_or_404(client_id)
    item = one_or_404(client, key)
    line = schedule.coming_of(item)
    form = ItemForm(line)
    if not form.validate():
        return _not_saved(form, client, key)
    shown = str(form.version.data)
    version = int(shown) if shown.isdecimal() and shown != "0" else None
    try:
        changed = schedule.edit_item(item, form.values(), by=actor(), now=now(), expected_version=version)
    except StaleItem:
        return _item_overtaken(form, client_id, key)
    except NotOpen as problem:
        db.session.rollback()
        return done(f"{problem} Nothing was changed.", ".billing", tone="info", client_id=client_id)
    except ValueError as problem:
        field = form.due_on if isinstance(problem, PastDay) or "date" in str(problem) else form.price
        field.errors = [f"{str(problem)[:1].upper()}{str(problem)[1:].rstrip('.')}."]
        return _not_saved(form, client, key)
    db.session.commit()
    said = f"{line.name}: {', '.join(changed).lower()} changed." if changed else "Nothing was changed."
    return done(said, ".billing", client_id=client_id)


def _item_overtaken(form: ItemForm, client_id: int, key: str) -> Response:
    """Somebody else changed the line meanwhile: what was typed, and how it stands now."""
    db.session.rollback()
    line = next(iter(schedule.look(client_id, [key])), None) or abort(404)
    rows = differences(form, ItemForm(line, formdata=None))
    form.version.data = str(line.version)
    values = {"form": form, "client": client_or_404(client_id), "line": line, "meanwhile": rows}
    return refused("clients/billing/item.html", "form", status=409, **values)


def _not_saved(form: ItemForm, client: Client, key: str) -> Response:
    client_id = client.id
    db.session.rollback()
    line = next(iter(schedule.look(client_id, [key])), None) or abort(404)
    return refused("clients/billing/item.html", "form", form=form, client=client_or_404(client_id), line=line)


@screen.get("/<int:client_id>/services/<int:service_id>")
@needs(May.INVOICE_CLIENTS)
def edit_service(client_id: int, service_id: int) -> Response:
    client = client_or_404(client_id)
    service = schedule.service_of(client.id, service_id) or abort(404)
    form = FactsForm(service, version=str(service.version))
    return render("clients/billing/service.html", form=form, client=client, service=service)


@screen.post("/<int:client_id>/services/<int:service_id>")
@needs(May.INVOICE_CLIENTS)
def save_service(client_id: int, service_id: int) -> Response:
    """What comes is billed by the new facts; what was billed, or changed by itself, stays as it is (PR-03)."""
    client = locked_or_404(client_id)
    service = service_or_404(client, service_id)
    form = FactsForm(service)
    if not form.validate():
        return refused("clients/billing/service.html", "form", form=form, client=client, service=service)
    held = str(form.version.data)
    version = int(held) if held.isdecimal() else None
    values = form.facts() | {"pay_by": form.pays_by()}
    name = service.name
    try:
        changed = schedule.edit_service(service, values, by=actor(), now=now(), expected_version=version)
    except StaleItem:
        db.session.rollback()
        client = client_or_404(client_id)
        service = schedule.service_of(client.id, service_id) or abort(404)
        rows = differences(form, FactsForm(service, formdata=None))
        form.version.data = str(service.version)
        shown = {"form": form, "client": client, "service": service, "meanwhile": rows}
        return refused("clients/billing/service.html", "form", status=409, **shown)
    db.session.commit()
    said = f"{name}: {', '.join(changed).lower()} changed, for all that comes." if changed else "Nothing was changed."
    return done(said, ".billing", client_id=client_id)


@screen.get("/<int:client_id>/billing/new-item")
@needs(May.INVOICE_CLIENTS)
def new_item(client_id: int) -> Response:
    """A one-off invoice begins with what is billed."""
    client, chosen = client_or_404(client_id), _from_library()  # `key`: what is to go on the same invoice
    form = NewItemForm(chosen, once=once.fresh(), service_id=str(chosen.id) if chosen else "")
    return render("clients/billing/new_item.html", form=form, **_around_new(client, chosen))


@screen.post("/<int:client_id>/billing/new-item")
@needs(May.INVOICE_CLIENTS)
def add_item(client_id: int) -> Response:
    client, form = locked_or_404(client_id), NewItemForm()
    if form.validate():
        is_for_a_day = form.when.data == "on" and request.form.get("act") != "another"
        if is_for_a_day and (form.due_on.data is None or form.due_on.data < schedule.today(now())):
            form.due_on.errors = ["Choose a day from today on."]
        else:
            return _add_item(client, form)
    return refused("clients/billing/new_item.html", "form", form=form, **_around_new(client, None))


def _add_item(client: Client, form: NewItemForm) -> Response:
    client_id = client.id
    mark = once.claim(form.once.data or "", now())
    if mark is None:
        db.session.rollback()
        return done("That form was sent already; what it added is here.", ".billing", tone="info", client_id=client_id)
    when = "now" if request.form.get("act") == "another" else form.when.data
    item = schedule.add_item(
        client, form.facts() | {"service_id": _service_id(form)}, by=actor(), now=now(),
        due_on=None if when == "now" else form.due_on.data, is_automatic=when == "on", pay_by=form.pays_by(),
        notes=form.text("notes"),
    )  # fmt: skip
    mark.made = item.id
    said, all_of_it = f"{item.name} is on the schedule.", [*keys(), f"i{item.id}"]
    db.session.commit()
    if request.form.get("act") == "another":
        return done("", ".new_item", client_id=client_id, key=all_of_it)
    if when == "now":
        return done("", ".invoice_now", client_id=client_id, key=all_of_it)
    return done(said, ".billing", client_id=client_id)


@screen.get("/<int:client_id>/billing/new-service")
@needs(May.INVOICE_CLIENTS)
def new_service(client_id: int) -> Response:
    client, chosen = client_or_404(client_id), _from_library()
    form = NewServiceForm(
        chosen, once=once.fresh(), first_on=schedule.today(now()), service_id=str(chosen.id) if chosen else ""
    )
    return render("clients/billing/new_service.html", form=form, **_around_new(client, chosen))


@screen.post("/<int:client_id>/billing/new-service")
@needs(May.INVOICE_CLIENTS)
def add_service(client_id: int) -> Response:
    client, form = locked_or_404(client_id), NewServiceForm()
    if form.validate():
        if form.first_on.data is None or form.first_on.data < schedule.today(now()):
            form.first_on.errors = ["Choose a day from today on."]
        else:
            return _add_service(client, form, form.first_on.data)
    return refused("clients/billing/new_service.html", "form", form=form, **_around_new(client, None))


def _add_service(client: Client, form: NewServiceForm, first_on: date) -> Response:
    client_id = client.id
    mark = once.claim(form.once.data or "", now())
    if mark is None:
        db.session.rollback()
        return done("That form was sent already; what it added is here.", ".billing", tone="info", client_id=client_id)
    service = schedule.add_service(
        client, form.facts() | {"service_id": _service_id(form)},
        Cadence(form.every.data or 1, form.unit(), form.periods.data), first_on=first_on, by=actor(),
        now=now(), pay_by=form.pays_by(),
    )  # fmt: skip
    mark.made = service.id
    said = f"{service.name} runs for {client.name}."
    db.session.commit()
    return done(said, ".billing", client_id=client_id)


def _around_new(client: Client, chosen: Service | None) -> dict[str, Any]:
    today = schedule.today(now())
    sold = [one for one in library.every_service() if one.price_type != PriceType.INCLUDED]
    so_far = schedule.look(client.id, keys())
    return {"client": client, "library": sold, "chosen": chosen, "today": today, "so_far": so_far}


def _from_library() -> Service | None:
    """The service the address asks to start from; what has no price of its own is not one to bill."""
    held = request.args.get("service", "")
    found = library.get_service(int(held)) if held.isdecimal() and len(held) < 10 else None
    return None if found is None or found.price_type == PriceType.INCLUDED else found


def _service_id(form: NewItemForm | NewServiceForm) -> int | None:
    """The library's entry the form was started from, as ledgers map it."""
    held = str(form.service_id.data or "")
    found = library.get_service(int(held)) if held.isdecimal() and len(held) < 10 else None
    return found.id if found else None
