"""Invoice now: check price and quantity, choose how it is paid, review how many invoices it makes, issue (BS-04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from flask import Response, abort, request

from portal import billing, deliveries
from portal.db import db
from portal.domain import deliveries as outbox
from portal.domain import invoices, mail, once, rehearsal, schedule
from portal.domain.billing import reasons_of
from portal.domain.clients import Client
from portal.domain.people import May
from portal.domain.rehearsal import Planned
from portal.domain.schedule import BillingItem, Coming, NotOpen, PayBy, StaleItem
from portal.web import formats
from portal.web.clients import screen
from portal.web.clients.billing import keys
from portal.web.clients.billing_forms import PAY_WORDS, InvoiceForm, LineForm
from portal.web.clients.lookups import client_or_404, locked_or_404, now
from portal.web.guard import actor, needs
from portal.web.render import done, refused, render

Checked = list[tuple[Coming, LineForm]]


@screen.get("/<int:client_id>/billing/invoice")
@needs(May.INVOICE_CLIENTS)
def invoice_now(client_id: int) -> Response:
    """Check price and quantity of what was chosen, and how it is to be paid."""
    client = client_or_404(client_id)
    lines = schedule.look(client.id, keys())
    if not lines:
        return done("What was chosen was billed or taken off meanwhile.", ".billing", tone="info", client_id=client_id)
    checked = [
        (line, LineForm(prefix=line.key, quantity=line.quantity, price=line.price, version=str(line.version)))
        for line in lines
    ]
    return render("clients/billing/invoice.html", form=InvoiceForm(once=once.fresh()), **_around(client, checked))


@screen.post("/<int:client_id>/billing/reviews")
@needs(May.INVOICE_CLIENTS)
def review_invoices(client_id: int) -> Response:
    """How many invoices it makes and why, what each comes to, what would keep it from its ledger. Nothing is kept."""
    client, form = client_or_404(client_id), InvoiceForm()
    checked = _checked(client)
    is_fine = [one.validate() for _line, one in checked]
    if not (form.validate() and all(is_fine)) or request.form.get("again"):
        return refused("clients/billing/invoice.html", "form", form=form, **_around(client, checked))
    lines = [_as_typed(line, one, form) for line, one in checked]
    found = rehearsal.preview([_planned(line) for line in lines], schedule.today(now()))
    totals = [(one, found.totals_of(one)) for one in found.invoices]
    return render(
        "clients/billing/review.html", form=form, client=client, checked=checked, found=found,
        totals=totals, pay_words=PAY_WORDS,
        reasons=reasons_of([one.group for one in found.invoices]), today=schedule.today(now()),
        can_issue=all(sums for _one, sums in totals)
        and not any(p.where == "invoice" and p.cause == "amount_not_allowed" for p, _, _ in found.problems),
    )  # fmt: skip


@screen.post("/<int:client_id>/billing/invoices")
@needs(May.INVOICE_CLIENTS)
def issue_invoices(client_id: int) -> Response:
    """Issue what was reviewed, once however often the form arrives; then on to the send screen, where mail is on."""
    client, form = locked_or_404(client_id), InvoiceForm()
    if once.claim(form.once.data or "", now()) is None:
        db.session.rollback()
        said = "That form was sent already; nothing was billed twice."
        return done(said, ".billing", tone="info", client_id=client_id)
    checked = _checked(client)
    if not (form.validate() and all(one.validate() for _line, one in checked)):
        db.session.rollback()
        return done("That form could not be read; please check it again.", ".billing", tone="warn", client_id=client_id)
    items = schedule.find(client.id, [line.key for line, _form in checked], by=actor(), now=now())
    try:
        for item, (line, one) in _pairs(items, checked):
            _change(item, line, one, form)
        made = billing.issue_now(client, items, by=actor(), now=now(), memo=form.text("memo"))
    except StaleItem as problem:
        said = f"{problem}. Nothing was invoiced; what you typed is still here."
        return _overtaken(client_id, form, checked, said)
    except (NotOpen, invoices.AlreadyBilled, invoices.CannotIssue) as problem:
        db.session.rollback()
        said = f"{str(problem).rstrip('.')}. Nothing was invoiced."
        return done(said, ".billing", tone="warn", client_id=client_id)
    numbers = [invoice.number for invoice in made]
    parcels = [parcel.id for invoice in made for parcel in outbox.of(invoice)]
    db.session.commit()
    deliveries.deliver_soon(parcels)
    is_on = mail.is_on()
    if len(made) == 1:
        said, where = f"Invoice {numbers[0]} is issued.", "invoices.send" if is_on else "invoices.page"
        return done(said, where, invoice_id=made[0].id)
    several = f"{len(numbers)} invoices are issued: {', '.join(numbers[:-1])} and {numbers[-1]}."
    if is_on:
        return done(several, "invoices.send_several", id=[one.id for one in made])
    return done(several, ".invoices_of", client_id=client_id)


def _overtaken(client_id: int, form: InvoiceForm, checked: Checked, said: str) -> Response:
    """Somebody else changed a line since it was shown: to be checked anew, as typed, against how it stands now."""
    db.session.rollback()
    client = client_or_404(client_id)
    now_there = {line.key: line for line in schedule.look(client.id, [line.key for line, _form in checked])}
    anew = []
    for line, one in checked:
        held = now_there.get(line.key, line)
        one.version.data = str(held.version)
        if held.price != one.price.data:
            one.price.errors = [f"Now planned: {formats.money(held.price, held.currency)}."]
        if held.quantity != one.quantity.data:
            one.quantity.errors = [f"Now planned: {formats.number(held.quantity)}."]
        anew.append((held, one))
    form.once.data = once.fresh()
    return refused(
        "clients/billing/invoice.html", "form", status=409, form=form, overtaken=said, **_around(client, anew)
    )


def _around(client: Client, checked: Checked) -> dict[str, Any]:
    return {"client": client, "checked": checked, "pay_words": PAY_WORDS, "today": schedule.today(now())}


def _checked(client: Client) -> Checked:
    lines = schedule.look(client.id, keys()) or abort(404)
    return [(line, LineForm(prefix=line.key)) for line in lines]


def _as_typed(line: Coming, one: LineForm, form: InvoiceForm) -> Coming:
    pay_by = form.pay_by.data or line.pay_by
    return replace(line, quantity=one.quantity.data, price=one.price.data, pay_by=pay_by)


def _planned(line: Coming) -> Planned:
    return Planned(
        line.client_id, line.due_on or date.min, line.pay_by, line.reference, line.currency, line.name, line.quantity,
        line.price, line.discount, line.discount_is_percent, line.tax_rate_id,
        line.service_id, line.unit,
    )  # fmt: skip


def _pairs(items: Sequence[BillingItem], checked: Checked) -> list[tuple[BillingItem, tuple[Coming, LineForm]]]:
    """Each item with what was typed for it; a period has become an item meanwhile."""
    by_key: dict[Any, tuple[Coming, LineForm]] = {}
    for line, one in checked:
        by_key[line.key] = by_key[line.client_service_id, line.period] = (line, one)
    return [
        (item, by_key.get(f"i{item.id}") or by_key[item.client_service_id, item.period]) for item in items
    ]  # fmt: skip


def _change(item: BillingItem, line: Coming, one: LineForm, form: InvoiceForm) -> None:
    """What was typed, where it differs; refused when somebody changed the item since it was shown."""
    values: dict[str, Any] = {"quantity": one.quantity.data, "price": one.price.data}
    if form.pay_by.data:
        values["pay_by"] = PayBy(form.pay_by.data)
    shown = str(one.version.data)
    version = int(shown) if shown.isdecimal() and shown != "0" else None
    schedule.edit_item(item, values, by=actor(), now=now(), expected_version=version)
