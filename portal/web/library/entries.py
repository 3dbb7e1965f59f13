"""/library: the services, one by one: added, changed, taken out and put back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Response, abort, request, url_for
from wtforms import HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import DataRequired, Length, NumberRange, ValidationError
from wtforms.validators import Optional as MayBeEmpty

from portal.db import db
from portal.domain import library, once, people
from portal.domain.library import BadService, BillingType, PriceType, Service, StaleService
from portal.domain.people import May
from portal.web.fields import Amount, LongForm, LongText
from portal.web.forms import choices
from portal.web.guard import actor, current_person, needs
from portal.web.library import screen
from portal.web.library.job_part import JobPart
from portal.web.library.ledger_part import LedgerPart
from portal.web.meanwhile import differences
from portal.web.price_words import BILLING_WORDS, CADENCE_WORDS, MEANS, PRICE_WORDS, billing_of, price_of
from portal.web.render import done, refused, render

LONGEST_SEARCH = 100
VALUES = (
    "name", "description", "price_type", "price", "price_to", "unit", "billing_type", "every", "cadence", "deposit",
)  # fmt: skip


class ServiceForm(LongForm):
    name = StringField("Name", validators=[DataRequired("Give the service a name."), Length(max=200)])
    description = LongText("Description", validators=[Length(max=5000)], render_kw={"rows": 4})
    price_type = SelectField(
        "Kind of price", choices=choices((kind.value, words) for kind, words in PRICE_WORDS.items())
    )
    price = Amount("Price before tax")
    price_to = Amount("Up to")
    unit = StringField("Unit", validators=[Length(max=40)])
    tax_rate_id = SelectField("Tax rate", coerce=int)
    billing_type = SelectField(
        "Billing",
        choices=choices((kind.value, words) for kind, words in BILLING_WORDS.items()),
    )
    every = IntegerField("Every", validators=[MayBeEmpty(), NumberRange(1, 366, "Between 1 and 366.")])
    cadence = SelectField("Cadence", choices=choices((one, many) for one, many in CADENCE_WORDS))
    deposit = Amount("Deposit before tax")
    version = HiddenField()
    once = HiddenField()
    means = MEANS

    def __init__(self, service: Service | None = None, **more: Any) -> None:
        shown = {name: getattr(service, name) for name in VALUES} if service else {"every": 1, "cadence": "month"}
        default = library.default_tax_rate()
        shown["tax_rate_id"] = (service.tax_rate_id if service else default.id if default else None) or 0
        self.own_id = service.id if service else None
        self.ledgers = LedgerPart(service)
        super().__init__(**(shown | more))
        self.price.flags.required = True
        keep = [service.tax_rate_id] if service else []
        self.tax_rate_id.choices = choices(tax_choices(keep))

    def validate(self, extra_validators: Any = None) -> bool:
        return all([super().validate(extra_validators), self.ledgers.validate()])

    def validate_price(self, field: Amount) -> None:
        if field.data is None and not field.errors and self.price_type.data != PriceType.INCLUDED.value:
            raise ValidationError("Type the price; 0 is a price too.")

    def validate_name(self, field: StringField) -> None:
        """Files and people know a service by its name: two of one name would be taken for each other."""
        other = library.services_named([self.text("name")]).get(self.text("name"))
        if other is not None and other.id != self.own_id:
            raise ValidationError("There is a service of this name in the library already.")

    def values(self) -> dict[str, Any]:
        return {
            "name": self.text("name"), "description": self.description.data or "",
            "price_type": PriceType(self.price_type.data), "price": self.price.data or 0,
            "price_to": self.price_to.data, "unit": self.text("unit"), "tax_rate_id": self.tax_rate_id.data or None,
            "billing_type": BillingType(self.billing_type.data), "every": self.every.data or 1,
            "cadence": library.CadenceUnit(self.cadence.data), "deposit": self.deposit.data,
        }  # fmt: skip


def tax_choices(keep: Any = ()) -> list[tuple[str, str]]:
    """The rates a person can choose, and none at all."""
    rates = library.tax_rates(keep=keep)
    return [("0", "No tax rate"), *((str(one.id), one.name) for one in rates)]


@screen.get("")
@needs(May.SEE_PROPOSALS)
def index() -> Response:
    words = request.args.get("q", "").strip().replace("\x00", "")[:LONGEST_SEARCH]
    archived = request.args.get("show") == "archived"
    found = library.services(words, archived=archived, after=_after(request.args.get("after", "")))
    shown, more = found[: library.PAGE], None
    if len(found) > library.PAGE:
        more = url_for(".index", q=words or None, show=_show(archived), after=f"{shown[-1].name_key}~{shown[-1].id}")
    return render(
        "library/index.html", blocks=("rows",), address=url_for(".index", q=words or None, show=_show(archived)),
        services=[(one, price_of(one, currency()), billing_of(one)) for one in shown], words=words, archived=archived,
        more=more,
        first=url_for(".index", q=words or None, show=_show(archived)) if request.args.get("after") else None,
        has_any=library.has_services(), may_manage=current_person().may(May.MANAGE_SERVICES),
    )  # fmt: skip


@screen.get("/new")
@needs(May.MANAGE_SERVICES)
def new() -> Response:
    return render("library/entry.html", form=ServiceForm(once=once.fresh()), service=None, jobs=JobPart())


@screen.post("/new")
@needs(May.MANAGE_SERVICES)
def add() -> Response:
    form, jobs = ServiceForm(), JobPart()
    if not all([form.validate(), jobs.validate()]):
        return refused("library/entry.html", "form", form=form, service=None, jobs=jobs)
    mark = once.claim(form.once.data or "", now())
    if mark is None:
        db.session.rollback()
        return done("That form was sent already; the service is in the library.", ".index", tone="info")
    values = form.values() | jobs.values()
    try:
        service = library.create_service(values.pop("name"), by=actor(), now=now(), **values)
    except BadService as problem:
        db.session.rollback()
        form[problem.field].errors = [str(problem)]
        return refused("library/entry.html", "form", form=form, service=None, jobs=jobs)
    mark.made = service.id
    form.ledgers.save(service, by=actor(), now=now())
    db.session.commit()
    return done(f"{service.name} is in the library.", ".index")


@screen.get("/services/<int:service_id>")
@needs(May.MANAGE_SERVICES)
def service(service_id: int) -> Response:
    held = service_or_404(service_id)
    form = ServiceForm(held, version=held.version)
    return render("library/entry.html", form=form, service=held, jobs=JobPart(held))


@screen.post("/services/<int:service_id>")
@needs(May.MANAGE_SERVICES)
def save(service_id: int) -> Response:
    """Save the entry; what was sold under it stays as it was sold."""
    held = service_or_404(service_id)
    form, jobs = ServiceForm(held), JobPart(held)
    if not all([form.validate(), jobs.validate()]):
        return refused("library/entry.html", "form", form=form, service=held, jobs=jobs)
    version = int(form.text("version")) if form.text("version").isdecimal() else None
    values = form.values() | jobs.values()
    try:
        changed = library.edit_service(held, values, by=actor(), now=now(), expected_version=version)
        booked = form.ledgers.save(held, by=actor(), now=now())
    except BadService as problem:
        db.session.rollback()
        form[problem.field].errors = [str(problem)]
        return refused("library/entry.html", "form", form=form, service=service_or_404(service_id), jobs=jobs)
    except StaleService:
        db.session.rollback()
        held = service_or_404(service_id)
        rows = differences(form, ServiceForm(held, formdata=None))
        form.version.data = str(held.version)
        return refused("library/entry.html", "form", status=409, form=form, service=held, jobs=jobs, meanwhile=rows)
    db.session.commit()
    said = "Saved. Proposals and running services keep what was agreed." if changed else "Saved."
    return done(said if changed or booked else "Nothing was changed.", ".index")


@screen.post("/services/<int:service_id>/archive")
@needs(May.MANAGE_SERVICES)
def archive(service_id: int) -> Response:
    undo = ("Undo", url_for(".bring_back", service_id=service_id))
    return _act(service_id, library.archive_service, "{} is out of the library.", undo)


@screen.post("/services/<int:service_id>/return")
@needs(May.MANAGE_SERVICES)
def bring_back(service_id: int) -> Response:
    return _act(service_id, library.unarchive_service, "{} is back in the library.")


def _act(service_id: int, verb: Callable[..., bool], said: str, undo: tuple[str, str] | None = None) -> Response:
    held = service_or_404(service_id)
    did = verb(held, by=actor(), now=now())
    db.session.commit()
    return done(said.format(held.name) if did else "Nothing was changed.", ".index", undo=undo if did else None)


def service_or_404(service_id: int) -> Service:
    return library.get_service(service_id) or abort(404)


def currency() -> str:
    firm = people.the_firm() or abort(404)
    return firm.currency


def now() -> datetime:
    return datetime.now(UTC)


def _show(archived: bool) -> str | None:
    return "archived" if archived else None


def _after(sent: str) -> tuple[str, int] | None:
    """The place in the list an address names; None for one that names none."""
    key, _, number = sent.replace("\x00", "").rpartition("~")
    return (key, int(number)) if number.isdecimal() and len(number) < 19 else None
