"""A client's Billing tab: what is billed by hand, what by itself, which services run (BS-02 to BS-07)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Response, abort, current_app, request, url_for
from wtforms.validators import DataRequired

from portal.db import db
from portal.domain import schedule
from portal.domain.billing import SPLIT_WORDS, Group
from portal.domain.clients import Client
from portal.domain.library import BillingType
from portal.domain.people import May
from portal.domain.schedule import BillingItem, ClientService, Coming, NotOpen, NotRunning, PastDay, StaleItem
from portal.web import formats
from portal.web.clients import screen
from portal.web.clients.billing_forms import PAY_WORDS
from portal.web.clients.lookups import client_or_404, locked_or_404, now
from portal.web.clients.page import frame_of
from portal.web.fields import Day
from portal.web.forms import Form
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, refused, render

CADENCES = {"day": ("day", "days"), "week": ("week", "weeks"), "month": ("month", "months")}
FURTHER = timedelta(days=366)
MOST_KEYS = 500
MOST_UNDONE = 30  # lines an undo can name in its address
WAS = re.compile(r"(i\d{1,9})~(\d{4}-\d\d-\d\d|)~([01])~(\d{1,9})")


class DayForm(Form):
    on = Day("Date", validators=[DataRequired("Choose a day.")])


@screen.get("/<int:client_id>/billing", endpoint="billing")
@needs(May.SEE_INVOICES)
def billing_page(client_id: int) -> Response:
    return render("clients/billing.html", **around(client_or_404(client_id)))


def around(client: Client) -> dict[str, Any]:
    """All the tab shows."""
    today = schedule.today(now())
    is_long = request.args.get("until") == "year"
    groups = schedule.upcoming(client.id, today=today, until=today + FURTHER if is_long else None)
    running = schedule.services_of(client.id)
    waiting = schedule.manual(client.id, today=today)
    lines = [*waiting, *(line for group in groups for line in group.items)]
    return {
        **frame_of(client, "billing"),
        "today": today,
        "waiting": waiting,
        "groups": [(group, sum(line.amount for line in group.items), splits(group)) for group in groups],
        "is_long": is_long,
        "running": [(one, every(one), price_each(one), next_of(one, lines)) for one in running],
        "ended": schedule.services_of(client.id, ended=True),
        "cancelled": schedule.cancelled(client.id),
        "pay_words": PAY_WORDS,
        "currency": schedule.firm_currency(),
        "may_bill": current_person().may(May.INVOICE_CLIENTS),
        "may_propose": current_person().may(May.EDIT_PROPOSALS),
        "endpoints": current_app.view_functions,
    }


def splits(group: Group[Coming]) -> str:
    """Why this is not one invoice with the others of its day; empty when it is alone."""
    return " and ".join(SPLIT_WORDS[one] for one in sorted(group.apart))


def price_each(service: ClientService) -> Decimal | None:
    """What it comes to each time, before tax; None for what has no price of its own."""
    is_included = service.first_on is None and service.billing_type == BillingType.RECURRING
    return None if is_included or not service.price else schedule.amount_of(service)


def next_of(service: ClientService, lines: Iterable[Coming]) -> str:
    """When the next of it is billed, in words; a dash for what is never billed by itself nor by hand."""
    if service.next_on is not None:
        return formats.day(service.next_on)
    own = [line for line in lines if line.client_service_id == service.id]
    if own:
        days = [line.due_on for line in own if line.due_on]
        return formats.day(min(days)) if days else "when you say so"
    return formats.NOTHING if price_each(service) is None or service.paused_at else "all billed"


def every(service: ClientService) -> str:
    """'every month', 'every 2 weeks, 12 times'; empty for what does not recur."""
    if service.first_on is None:
        return ""
    one, many = CADENCES[service.cadence]
    said = f"every {one}" if service.every == 1 else f"every {service.every} {many}"
    return said if service.periods is None else f"{said}, {service.periods} times"


# Acts on what was ticked, or on a whole group


def keys() -> list[str]:
    return request.values.getlist("key")[:MOST_KEYS]


@screen.get("/<int:client_id>/billing/choices")
@needs(May.INVOICE_CLIENTS)
def billing_choice(client_id: int) -> Response:
    """Where the buttons below the list lead; what was ticked goes along. Nothing ticked: back, and say so."""
    chosen, act = keys(), request.args.get("act", "")
    if not chosen:
        return done("Tick what is meant first.", ".billing", tone="info", client_id=client_id)
    if act == "invoice":
        return done("", ".invoice_now", client_id=client_id, key=chosen)
    return done("", ".plan", client_id=client_id, key=chosen)


@screen.get("/<int:client_id>/billing/plan")
@needs(May.INVOICE_CLIENTS)
def plan(client_id: int) -> Response:
    """Choose the day on which these are billed by themselves, or to which they are put off."""
    client = client_or_404(client_id)
    lines = _look(client)
    day = max([line.due_on for line in lines if line.due_on] + [schedule.today(now())])
    return render("clients/billing/plan.html", form=DayForm(on=day), **_around_plan(client, lines))


def _around_plan(client: Client, lines: Sequence[Coming]) -> dict[str, Any]:
    is_delay = all(line.is_automatic for line in lines)
    return {"client": client, "lines": lines, "is_delay": is_delay, "today": schedule.today(now())}


@screen.post("/<int:client_id>/billing/plan")
@needs(May.INVOICE_CLIENTS)
def planned(client_id: int) -> Response:
    """They are billed on that day without further question (BS-05, BS-07)."""
    client, form = locked_or_404(client_id), DayForm()
    on = form.on.data if form.validate() else None
    items = schedule.find(client.id, keys(), by=actor(), now=now())
    was = _as_they_are(items)
    try:
        if on is None:
            raise PastDay("")
        schedule.schedule_items(items, on, by=actor(), now=now())
    except PastDay as problem:
        db.session.rollback()
        form.on.errors = [one for one in (*(form.on.errors or ()), str(problem)) if one]
        client = client_or_404(client_id)
        return refused("clients/billing/plan.html", "form", form=form, **_around_plan(client, _look(client)))
    except NotOpen as problem:
        return _went_by(client_id, problem)
    said = f"{_names(items)} will be billed on {formats.day(on)}, without further question."
    undo = _undo_plan(client_id, items, was)
    db.session.commit()
    return done(said, ".billing", undo=undo, client_id=client_id)


def _as_they_are(items: Sequence[BillingItem]) -> list[tuple[date | None, bool]]:
    """When and how each is billed, to be put back."""
    return [(item.due_on, item.is_automatic) for item in items]


def _undo_plan(
    client_id: int, items: Sequence[BillingItem], was: Sequence[tuple[date | None, bool]]
) -> tuple[str, str] | None:
    """The way back; None for more lines than an address holds."""
    held = [
        f"i{item.id}~{day.isoformat() if day else ''}~{int(is_automatic)}~{item.version}"
        for item, (day, is_automatic) in zip(items, was, strict=True)
    ]
    if not held or len(held) > MOST_UNDONE:
        return None
    return "Undo", url_for(".unplanned", client_id=client_id, was=held)


@screen.post("/<int:client_id>/billing/plan/return")
@needs(May.INVOICE_CLIENTS)
def unplanned(client_id: int) -> Response:
    """Days and ways of billing as they were before the last act; all of them, or none when one was touched since."""
    client = locked_or_404(client_id)
    try:
        for match in filter(None, map(WAS.fullmatch, request.args.getlist("was")[:MOST_UNDONE])):
            item = one_or_404(client, match[1])
            day = date.fromisoformat(match[2]) if match[2] else None
            values = {"due_on": day, "is_automatic": match[3] == "1"}
            schedule.edit_item(item, values, by=actor(), now=now(), expected_version=int(match[4]))
    except NotOpen as problem:
        return _went_by(client_id, problem)
    except (StaleItem, ValueError) as problem:
        db.session.rollback()
        said = f"{str(problem).rstrip('.')}, so nothing was taken back."
        return done(said, ".billing", tone="warn", client_id=client_id)
    db.session.commit()
    return done("It is billed as before.", ".billing", client_id=client_id)


@screen.post("/<int:client_id>/billing/by-hand")
@needs(May.INVOICE_CLIENTS)
def by_hand(client_id: int) -> Response:
    """A whole group waits for a person from now on (BS-06)."""
    client = locked_or_404(client_id)
    items = schedule.find(client.id, keys(), by=actor(), now=now())
    was = _as_they_are(items)
    try:
        schedule.make_manual(items, by=actor(), now=now())
    except NotOpen as problem:
        return _went_by(client_id, problem)
    said = f"{_names(items)} will be billed when somebody says so."
    undo = _undo_plan(client_id, items, was)
    db.session.commit()
    return done(said, ".billing", undo=undo, client_id=client_id)


@screen.post("/<int:client_id>/billing/items/<key>/cancellation")
@needs(May.INVOICE_CLIENTS)
def cancel_item(client_id: int, key: str) -> Response:
    client = locked_or_404(client_id)
    item = one_or_404(client, key)
    try:
        schedule.cancel_item(item, f"{current_person().name} took it off the schedule", by=actor(), now=now())
    except NotOpen as problem:
        return _went_by(client_id, problem)
    said, item_id = f"{item.name} is not to be billed.", item.id
    db.session.commit()
    undo = ("Undo", url_for(".reopen_item", client_id=client_id, key=f"i{item_id}"))
    return done(said, ".billing", undo=undo, client_id=client_id)


@screen.post("/<int:client_id>/billing/items/<key>/return")
@needs(May.INVOICE_CLIENTS)
def reopen_item(client_id: int, key: str) -> Response:
    client = locked_or_404(client_id)
    item = one_or_404(client, key)
    try:
        schedule.reopen_item(item, by=actor(), now=now())
    except NotOpen as problem:
        return _went_by(client_id, problem)
    said = f"{item.name} is to be billed after all."
    db.session.commit()
    return done(said, ".billing", client_id=client_id)


# Acts on a running service

SERVICE_ACTS = {"pause": schedule.pause, "resumption": schedule.resume, "restart": schedule.restart_service}
SERVICE_SAID = {
    "pause": "Billing of {} is paused. What falls due meanwhile is skipped.",
    "resumption": "Billing of {} goes on.",
    "restart": "{} goes on, and what its ending left unbilled is to be billed after all.",
}


@screen.post("/<int:client_id>/services/<int:service_id>/<any(pause, resumption, restart):act>")
@needs(May.INVOICE_CLIENTS)
def service_act(client_id: int, service_id: int, act: str) -> Response:
    service = service_or_404(locked_or_404(client_id), service_id)
    try:
        SERVICE_ACTS[act](service, by=actor(), now=now())
    except NotRunning as problem:
        return _went_by(client_id, problem)
    said = SERVICE_SAID[act].format(service.name)
    db.session.commit()
    back = url_for(".service_act", client_id=client_id, service_id=service_id, act="resumption")
    return done(said, ".billing", undo=("Undo", back) if act == "pause" else None, client_id=client_id)


@screen.post("/<int:client_id>/services/<int:service_id>/end")
@needs(May.INVOICE_CLIENTS)
def end_service(client_id: int, service_id: int) -> Response:
    """Nothing more comes of it; what is open of it is not billed (CL-03)."""
    client = locked_or_404(client_id)
    service = service_or_404(client, service_id)
    try:
        dropped = schedule.end_service(service, by=actor(), now=now())
    except NotRunning as problem:
        return _went_by(client_id, problem)
    left = f" Not billed any more: {_names(dropped)}." if dropped else ""
    said = f"{service.name} has ended.{left} {client.name} is {client.status.value}."
    db.session.commit()
    undo = ("Undo", url_for(".service_act", client_id=client_id, service_id=service_id, act="restart"))
    return done(said, ".billing", undo=undo, client_id=client_id)


def one_or_404(client: Client, key: str) -> BillingItem:
    """The item of this line, locked; a period becomes one."""
    found = schedule.find(client.id, [key], by=actor(), now=now())
    return found[0] if found else abort(404)


def service_or_404(client: Client, service_id: int) -> ClientService:
    """Locked, for whoever is about to change it."""
    return schedule.service_of(client.id, service_id, lock=True) or abort(404)


def _look(client: Client) -> list[Coming]:
    return schedule.look(client.id, keys()) or abort(404)


def _names(items: Sequence[BillingItem]) -> str:
    names = list(dict.fromkeys(item.name for item in items))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "Nothing"


def _went_by(client_id: int, problem: Exception) -> Response:
    """Somebody else was quicker: say what became of it, and show how things stand."""
    db.session.rollback()
    return done(f"{problem} Nothing was changed.", ".billing", tone="info", client_id=client_id)
