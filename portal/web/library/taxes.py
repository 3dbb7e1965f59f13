"""/library/taxes: the tax rates of the firm. A rate is never renamed and never changed: it is retired (XE-09)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Response, abort, request, url_for
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, Length

from portal.db import db
from portal.domain import library
from portal.domain.library import RateTaken, TaxRate
from portal.domain.people import May
from portal.web.fields import Amount
from portal.web.forms import Form
from portal.web.guard import actor, current_person, needs
from portal.web.library import screen
from portal.web.library.entries import now
from portal.web.render import done, refused, render


class RateForm(Form):
    name = StringField("Name", validators=[DataRequired("Give the rate a name, such as GST 15 %."), Length(max=60)])
    percent = Amount("Percent", most=Decimal(100), needed="Say how many percent; 0 is a rate too.")
    is_default = BooleanField("New services start with this rate")


@screen.get("/taxes")
@needs(May.SEE_PROPOSALS)
def taxes() -> Response:
    return render("library/taxes.html", form=RateForm(formdata=None), **_around())


@screen.post("/taxes")
@needs(May.MANAGE_SERVICES)
def add_rate() -> Response:
    form = RateForm()
    if not form.validate():
        return refused("library/taxes.html", "rate_form", form=form, **_around())
    try:
        rate = library.add_tax_rate(
            form.text("name"), form.percent.data, by=actor(), now=now(), is_default=bool(form.is_default.data)
        )
    except RateTaken as problem:
        db.session.rollback()
        said = "There is a rate of this name already. A name always means the same rate."
        if problem.rate.retired_at:
            said = "There is a retired rate of this name. Put it back, or give the new one another name."
        form.name.errors = [said]
        return refused("library/taxes.html", "rate_form", form=form, **_around())
    db.session.commit()
    return done(f"{rate.name} is added. Map it to each ledger’s own rate in the app’s invoice settings.", ".taxes")


@screen.post("/taxes/<int:rate_id>/default")
@needs(May.MANAGE_SERVICES)
def choose_rate(rate_id: int) -> Response:
    rate = _rate(rate_id)
    did = library.make_default(rate, by=actor(), now=now())
    db.session.commit()
    return done(f"New services start with {rate.name}." if did else "Nothing was changed.", ".taxes")


@screen.post("/taxes/<int:rate_id>/retirement")
@needs(May.MANAGE_SERVICES)
def retire_rate(rate_id: int) -> Response:
    rate = _rate(rate_id)
    was_default = rate.is_default
    did = library.retire(rate, by=actor(), now=now())
    said = f"{rate.name} can be chosen no more. What has it keeps it." if did else "Nothing was changed."
    if did and was_default:
        said += " New services start without a tax rate until you choose another."
    db.session.commit()
    undo = ("Undo", url_for(".rate_back", rate_id=rate_id, default="yes" if was_default else None))
    return done(said, ".taxes", undo=undo if did else None)


@screen.post("/taxes/<int:rate_id>/return")
@needs(May.MANAGE_SERVICES)
def rate_back(rate_id: int) -> Response:
    """Retired by mistake: it can be chosen again, and is again the usual one when it was."""
    rate = _rate(rate_id)
    did = library.bring_back(rate, by=actor(), now=now())
    if did and request.args.get("default") and library.default_tax_rate() is None:
        library.make_default(rate, by=actor(), now=now())
    said = f"{rate.name} can be chosen again." if did else "Nothing was changed."
    db.session.commit()
    return done(said, ".taxes")


def _rate(rate_id: int) -> TaxRate:
    return library.tax_rate(rate_id) or abort(404)


def _around() -> dict[str, Any]:
    return {
        "rates": library.tax_rates(with_retired=True),
        "may_manage": current_person().may(May.MANAGE_SERVICES),
    }
