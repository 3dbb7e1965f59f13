"""/apps/<connection>/invoices: how invoices are created there, and what of ours is mapped to the ledger's lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, request
from wtforms import BooleanField, HiddenField, IntegerField, PasswordField, SelectField
from wtforms.validators import InputRequired, Length, NumberRange

from portal import integrations
from portal.db import db
from portal.domain import connections, deliveries, ledgers, library
from portal.domain.ledgers import LedgerEntry, NotInTheList, StaleLedgerSettings
from portal.domain.people import May
from portal.web.apps import screen
from portal.web.apps.lookups import Here, now
from portal.web.apps.readings import ledger_or_404, lists_values, tell_when_read
from portal.web.forms import Form, choices
from portal.web.guard import actor, needs
from portal.web.render import absolute, done, refused, render

LONGEST = 365  # days to pay
# Choices taken from the ledger's lists: which list (empty: that of the target), and what choosing nothing means.
LISTS = {
    "default_target": ("", "choose one"),
    "branding_manual": ("branding", "the standard one"),
    "branding_automatic": ("branding", "the standard one"),
    "term": ("term", "none: the days below"),
    "pay_into": ("pay_into", "where it puts payments by itself"),
}


class InvoiceSettingsForm(Form):
    """As far as the ledger leaves a choice (see `for_connection`)."""

    version = HiddenField()
    creates = BooleanField(ledgers.SETTINGS["creates"])
    default_target = SelectField(ledgers.SETTINGS["default_target"])
    as_drafts = BooleanField(ledgers.SETTINGS["as_drafts"])
    show_descriptions = BooleanField(ledgers.SETTINGS["show_descriptions"])
    branding_manual = SelectField(ledgers.SETTINGS["branding_manual"])
    branding_automatic = SelectField(ledgers.SETTINGS["branding_automatic"])
    term = SelectField(ledgers.SETTINGS["term"])
    due_days = IntegerField(ledgers.SETTINGS["due_days"], [InputRequired(), NumberRange(0, LONGEST)])
    due_days_recurring = IntegerField(
        ledgers.SETTINGS["due_days_recurring"], [InputRequired(), NumberRange(0, LONGEST)]
    )
    writes_payments = BooleanField(ledgers.SETTINGS["writes_payments"])
    pay_into = SelectField(ledgers.SETTINGS["pay_into"])

    @classmethod
    def for_connection(cls, here: Here) -> InvoiceSettingsForm:
        ways, settings = here.connection.ways.ledger, ledgers.settings_of(here.connection)
        assert ways is not None  # the page has answered 404 before
        form = cls(obj=settings)
        form.default_target.label.text = f"{ways.target_word.capitalize()} for services without their own"
        known = ledgers.all_entries(here.connection)
        for field, (listed, nothing) in LISTS.items():
            kind = listed or ways.target
            if kind == "pay_into" and ways.pay_into_needed:
                nothing = "choose one"
            if kind not in ways.lists:
                del form[field]
                continue
            form[field].choices = _offered(known, kind, getattr(settings, field), nothing)
        if not ways.takes_drafts:
            del form["as_drafts"]
        if not ways.takes_payments:
            del form["writes_payments"]
        return form


class WebhookForm(Form):
    key = PasswordField("Signing key", [InputRequired("Enter the key the vendor shows."), Length(max=200)])


@screen.route("/<int:connection_id>/invoices", methods=["GET", "POST"])
@needs(May.MANAGE_APPS)
def ledger(connection_id: int) -> Response:
    """Invoice settings (DG-03, XE-02, QB-05)."""
    here = ledger_or_404(connection_id, lock=request.method == "POST")
    form = InvoiceSettingsForm.for_connection(here)
    if request.method == "GET":
        values = _values(here, form)
        response = render("apps/ledger.html", blocks=("form", "taxes", "targets", "lists", "lists_read"), **values)
        return tell_when_read(response, is_reading=values["is_reading"])
    if not form.validate():
        return refused("apps/ledger.html", "form", **_values(here, form))
    wanted = {key: form[key].data for key in ledgers.SETTINGS if key in form}
    try:
        changed = ledgers.change_settings(
            here.connection, wanted, version=int(form.text("version") or 0), by=actor(), now=now()
        )
    except StaleLedgerSettings:
        db.session.rollback()
        form.form_errors.append("Somebody else saved these settings since you opened them. Look again, then save.")
        return refused("apps/ledger.html", "form", **_values(ledger_or_404(connection_id), form))
    except NotInTheList as told:
        db.session.rollback()
        form.form_errors.append(str(told))
        return refused("apps/ledger.html", "form", **_values(ledger_or_404(connection_id), form))
    if changed:
        deliveries.wake(connection_id, now=now())  # what a missing default has kept back
    db.session.commit()
    said = "Saved. It holds from the next invoice on." if changed else "Nothing was different, so nothing was changed."
    return done(said, "apps.ledger", connection_id=connection_id)


@screen.post("/<int:connection_id>/tax-mappings")
@needs(May.MANAGE_APPS)
def tax_mappings(connection_id: int) -> Response:
    """Each rate here with its rate there; empty: not mapped."""
    here = ledger_or_404(connection_id, lock=True)
    return _map(here, "tax", library.tax_rates(), ledgers.map_tax)


@screen.post("/<int:connection_id>/targets")
@needs(May.MANAGE_APPS)
def targets(connection_id: int) -> Response:
    """Each service with its own account or item there; empty: the default one (AP-07)."""
    here = ledger_or_404(connection_id, lock=True)
    return _map(here, "target", library.every_service(), ledgers.set_target)


@screen.post("/<int:connection_id>/webhook-keys")
@needs(May.MANAGE_APPS)
def webhook_keys(connection_id: int) -> Response:
    """What the vendor signs its webhooks with; kept encrypted and never shown again."""
    here = ledger_or_404(connection_id)
    form = WebhookForm()
    if not form.validate():
        return refused("apps/ledger.html", "hooks", **_values(here, InvoiceSettingsForm.for_connection(here), form))
    connections.keep_webhook_key(here.app.vendor, form.text("key"), app=here.app.name, by=actor(), now=now())
    db.session.commit()
    said = f"Kept. What {here.app.name} sends to this portal is checked with it from now on."
    return done(said, "apps.ledger", connection_id=connection_id)


def _map(here: Here, name: str, ours: Iterable[Any], verb: Callable[..., bool]) -> Response:
    """Give each of ours what was chosen for it, all of them or none; invoices that waited for it are tried again."""
    connection_id, changed = here.connection.id, 0
    try:
        for one in ours:
            chosen = request.form.get(f"{name}-{one.id}")
            if chosen is not None:
                changed += verb(here.connection, one, chosen, by=actor(), now=now())
    except NotInTheList as told:
        db.session.rollback()
        return done(f"{told} Nothing was changed.", "apps.ledger", tone="warn", connection_id=connection_id)
    if changed:
        deliveries.wake(connection_id, now=now())
    db.session.commit()
    if not changed:
        return done("Nothing was different, so nothing was changed.", "apps.ledger", connection_id=connection_id)
    return done("Saved. Invoices that waited for it are tried again now.", "apps.ledger", connection_id=connection_id)


def _values(here: Here, form: InvoiceSettingsForm, hooks: WebhookForm | None = None) -> dict[str, Any]:
    connection, ways = here.connection, here.connection.ways.ledger
    assert ways is not None  # the page has answered 404 before
    known = ledgers.all_entries(connection)
    mapped, own = ledgers.tax_mappings(connection), ledgers.targets(connection)
    return {
        "here": here,
        "form": form,
        "ways": ways,
        **lists_values(here, now()),
        "rates": [_tax_row(rate, known, mapped.get(rate.id, "")) for rate in library.tax_rates()],
        "services": [
            (service, own.get(service.id, ""), _offered(known, ways.target, own.get(service.id, ""), "the default"))
            for service in library.every_service()
        ],
        "lists": [(kind, [one for one in known if one.kind == kind]) for kind in ways.lists],
        "has_hooks": integrations.ledger_of(connection.app).ledger.has_webhooks,
        "hooks_form": hooks or WebhookForm(formdata=None),
        "hook_address": absolute("hooks.receive", slug=connection.app),
        "has_key": bool(integrations.webhook_key(here.app.vendor)),
    }


def _tax_row(rate: library.TaxRate, known: list[LedgerEntry], chosen: str) -> tuple[Any, str, list[Any], bool]:
    """A rate, what it is mapped to (or what suggests itself), the choices, and whether that is only a suggestion."""
    fitting = [
        one for one in known
        if one.kind == "tax" and (one.percent in (None, rate.percent) or one.remote_id == chosen)
    ]  # fmt: skip
    usable = [one for one in fitting if one.is_active and one.fits]
    suggested = None if chosen else ledgers.suggestion(rate, usable)
    offered = _offered(fitting, "tax", chosen, "not mapped")
    return rate, chosen or (suggested.remote_id if suggested else ""), offered, suggested is not None


def _offered(known: list[LedgerEntry], kind: str, chosen: str, nothing: str) -> list[Any]:
    """What can be chosen; what is chosen stays in the list when it can no longer be used, and says so."""
    rows = [("", nothing)]
    for one in known:
        if one.kind != kind:
            continue
        usable = one.is_active and one.fits
        if usable or one.remote_id == chosen:
            words = f"{one.code} · {one.name}" if one.code and one.code != one.name else one.name
            rows.append((one.remote_id, words if usable else f"{words} (cannot be used: {one.why_not or 'inactive'})"))
    return choices(rows)
