"""Settings → General: how the firm is called, where it is, and how dates and amounts read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from babel.localedata import locale_identifiers
from babel.numbers import format_currency, list_currencies
from flask import Response, request
from wtforms import EmailField, IntegerField, SelectField, StringField
from wtforms.validators import DataRequired, Email, Length, Optional
from wtforms.widgets import HiddenInput

from portal.db import db
from portal.domain import people
from portal.domain.people import FIRM_FIELDS, Firm, May, StaleSettings
from portal.web import formats
from portal.web.forms import Form, choices
from portal.web.guard import actor, needs
from portal.web.render import done, refused, render
from portal.web.settings import screen

TEMPLATE = "settings/general.html"
ENGLISH = Locale("en")
SAMPLE_DAY, SAMPLE_AMOUNT = date(2026, 11, 3), 1204.5
# No capital, no people, or no place at all: CLDR's codes for regions of the world, made-up and withdrawn ones.
NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO", "AQ", "BV", "HM", "CP", "DG", "CQ", "AC", "TA"})
CONTINENTS = frozenset(
    {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
CHOOSE = "Choose one from the list."


class GeneralForm(Form):
    name = StringField("Firm name", validators=[DataRequired("Enter the firm's name."), Length(max=120)])
    email = EmailField("Email", validators=[Optional(), Email("That is not an email address."), Length(max=320)])
    country = SelectField("Country", validate_choice=False)
    time_zone = SelectField("Time zone", validate_choice=False)
    currency = SelectField("Currency", validate_choice=False)
    locale = SelectField("Dates and numbers", validate_choice=False)
    version = IntegerField(widget=HiddenInput())

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, offered in _offered().items():
            self[name].choices = choices(offered)

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = super().validate(extra_validators)
        for name, offered in _offered().items():
            if self[name].data not in dict(offered):
                self[name].errors = [CHOOSE]
                is_valid = False
        return is_valid

    def values(self) -> dict[str, str]:
        return {field: self.text(field) for field in FIRM_FIELDS}


@screen.get("")
@needs(May.MANAGE_SETTINGS)
def index() -> Response:
    firm = _firm()
    return render(TEMPLATE, form=GeneralForm(formdata=None, obj=firm), **_around(firm))


@screen.post("")
@needs(May.MANAGE_SETTINGS)
def save() -> Response:
    firm, form = _firm(), GeneralForm()
    if not form.validate():
        return refused(TEMPLATE, "firm_form", form=form, **_around(firm))
    try:
        changed = people.change_firm(
            firm, form.values(), version=form.version.data or 0, by=actor(), now=datetime.now(UTC)
        )
    except StaleSettings:
        return _changed_meanwhile(firm, form)
    db.session.commit()
    return done("Saved." if changed else "Nothing was changed.", "settings.index")


def _changed_meanwhile(firm: Firm, form: GeneralForm) -> Response:
    """Show what the other person saved beside what this one typed; saving once more puts the latter in its place."""
    differing = [
        (label, getattr(firm, field) or formats.NOTHING)
        for field, label in FIRM_FIELDS.items()
        if getattr(firm, field) != form.values()[field]
    ]
    form.version.data = firm.version
    form.version.raw_data = [str(firm.version)]
    return refused(TEMPLATE, "firm_form", status=409, form=form, **_around(firm) | {"differing": differing})


def _firm() -> Firm:
    firm = people.the_firm()
    if firm is None:
        raise RuntimeError("the portal was not set up for a firm")
    return firm


def _around(firm: Firm) -> dict[str, Any]:
    held = Locale.parse(firm.locale)
    return {
        "differing": [],
        "sample": (
            format_date(SAMPLE_DAY, "medium", locale=held),
            format_currency(SAMPLE_AMOUNT, firm.currency, locale=held),
        ),
        "here": request.endpoint,
    }


def _offered() -> dict[str, list[tuple[str, str]]]:
    return {"country": countries(), "time_zone": time_zones(), "currency": currencies(), "locale": locales()}


@cache
def countries() -> list[tuple[str, str]]:
    """ISO 3166 codes with English names, by name."""
    aliases = get_global("territory_aliases")
    known = ENGLISH.territories
    return sorted(
        ((code, name) for code, name in known.items()
         if len(code) == 2 and code.isalpha() and code not in NO_COUNTRIES and code not in aliases),
        key=lambda choice: choice[1],
    )  # fmt: skip


@cache
def time_zones() -> list[tuple[str, str]]:
    """IANA names of places; abbreviations and fixed offsets know nothing of summer time and are left out."""
    names = sorted(name for name in available_timezones() if name.partition("/")[0] in CONTINENTS)
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


@cache
def currencies() -> list[tuple[str, str]]:
    """ISO 4217 codes of money in use, with English names."""
    in_use = {
        code for held in get_global("territory_currencies").values() for code, _since, until, tender in held
        if until is None and tender
    }  # fmt: skip
    return sorted((code, f"{code} – {ENGLISH.currencies.get(code, code)}") for code in in_use & list_currencies())


@cache
def locales() -> list[tuple[str, str]]:
    """Language and country as Babel knows them, English ones first."""
    known = [name.split("_") for name in locale_identifiers() if name.count("_") == 1 and len(name.split("_")[1]) == 2]
    found = [
        (f"{language}_{country}", f"{ENGLISH.languages[language]} ({ENGLISH.territories[country]})")
        for language, country in known
        if language in ENGLISH.languages and country in ENGLISH.territories
    ]
    return sorted(found, key=lambda choice: (not choice[0].startswith("en_"), choice[1]))
