"""My profile: name and looks, password, second factor, and where I am signed in."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import segno
from flask import Blueprint, Response, abort, current_app, make_response, request, url_for
from flask_login import current_user
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired, Length

from portal.config import Settings
from portal.db import db
from portal.domain import people
from portal.domain.people import User, WeakPassword, entrance, passwords, second_factor, sessions
from portal.domain.people.entrance import TooManyTries, WrongSignIn
from portal.web import formats, signed_in
from portal.web.forms import Form, choices
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, refused, render

screen = Blueprint("account", __name__, url_prefix="/account")

PRODUCT = "Counterpart"
THEMES = (("", "As my computer is set"), ("light", "Light"), ("dark", "Dark"))
WRONG_PASSWORD = "That is not your present password."


class ProfileForm(Form):
    name = StringField("Name", validators=[DataRequired("Enter your name."), Length(max=120)])
    theme = SelectField("Light or dark", choices=choices(THEMES))


class PasswordForm(Form):
    present = PasswordField("Present password", validators=[InputRequired("Enter your present password.")])
    password = PasswordField("New password", validators=[InputRequired("Choose a password."), Length(max=1000)])
    again = PasswordField(
        "The same once more",
        validators=[InputRequired("Type the password once more."), EqualTo("password", "The two are not the same.")],
    )


class CodeForm(Form):
    code = StringField("Six digits", validators=[DataRequired("Enter the six digits."), Length(max=20)])


class SwitchOffForm(Form):
    password = PasswordField("Your password", validators=[InputRequired("Enter your password.")])


@screen.get("")
@needs(None)
def index() -> Response:
    return render("account/index.html", **_profile())


@screen.post("")
@needs(None)
def save() -> Response:
    form, user = ProfileForm(), current_person()
    if not form.validate():
        return refused("account/index.html", "profile", **_profile() | {"form": form})
    people.change_user(user, name=form.text("name"), email=user.email, by=actor(), now=_now())
    people.prefer(user, theme=form.theme.data or None)
    db.session.commit()
    signed_in.show_in(form.theme.data)
    return done("Saved.", "account.index")


@screen.get("/password")
@needs(None)
def password() -> Response:
    return render("account/password.html", form=PasswordForm(), shortest=passwords.SHORTEST)


@screen.post("/password")
@needs(None)
def change_password() -> Response:
    form, now, user = PasswordForm(), _now(), current_person()
    if form.validate() and _is_me(user, form.text("present"), form.present, now):
        try:
            people.set_password(user, form.text("password"), by=actor(), now=now, keep=current_user.sign_in)
            db.session.commit()
            return done("Your password is changed. Everywhere else you have been signed out.", "account.index")
        except WeakPassword as problem:
            form.password.errors = [str(problem)]
    db.session.commit()
    return refused("account/password.html", "sheet", form=form, shortest=passwords.SHORTEST)


@screen.post("/second-factor")
@needs(None)
def offer_second_factor() -> Response:
    second_factor.offer(current_person())
    db.session.commit()
    return done("", "account.set_up_second_factor")


@screen.get("/second-factor")
@needs(None)
def set_up_second_factor() -> Response:
    user = current_person()
    if user.totp_secret is None or second_factor.is_on(user):
        return done("", "account.index")
    return render("account/second_factor.html", form=CodeForm(), secret=_in_fours(user.totp_secret))


@screen.get("/second-factor/qr.svg")
@needs(None)
def second_factor_picture() -> Response:
    user = current_person()
    if user.totp_secret is None or second_factor.is_on(user):
        abort(404)
    firm = formats.firm()
    issuer = f"{PRODUCT} {firm.name}" if firm else PRODUCT
    picture = io.BytesIO()
    code = segno.make(second_factor.setup_uri(user, issuer), error="m")
    code.save(picture, kind="svg", scale=5, border=4, dark="#000", light="#fff", svgclass=None, lineclass=None)
    response = make_response(picture.getvalue())
    response.mimetype = "image/svg+xml"
    response.headers["Cache-Control"] = "no-store"
    return response


@screen.post("/second-factor/confirmation")
@needs(None)
def confirm_second_factor() -> Response:
    form, user = CodeForm(), current_person()
    if form.validate():
        if second_factor.confirm(user, form.text("code"), by=actor(), now=_now()):
            db.session.commit()
            return done("From now on a code from your phone is asked for when you sign in.", "account.index")
        form.code.errors = ["That is not the code shown now. Check that your phone's clock is right, and try the next."]
    db.session.rollback()
    if user.totp_secret is None:
        return done("", "account.index")
    return refused("account/second_factor.html", "sheet", form=form, secret=_in_fours(user.totp_secret))


@screen.get("/second-factor/removal")
@needs(None)
def second_factor_off() -> Response:
    return render("account/second_factor_off.html", form=SwitchOffForm())


@screen.post("/second-factor/removal")
@needs(None)
def remove_second_factor() -> Response:
    form, now, user = SwitchOffForm(), _now(), current_person()
    if form.validate() and _is_me(user, form.text("password"), form.password, now):
        second_factor.switch_off(user, by=actor(), now=now)
        db.session.commit()
        return done("Your second factor is off; the password alone signs you in.", "account.index")
    db.session.commit()
    return refused("account/second_factor_off.html", "sheet", form=form)


@screen.post("/sessions/<int:sign_in_id>/endings")
@needs(None)
def end_session(sign_in_id: int) -> Response:
    held = sessions.of_user(sign_in_id, current_person())
    if held is None:
        abort(404)
    is_this = held.id == current_user.sign_in.id
    sessions.end(held, now=_now(), reason="ended by the person")
    db.session.commit()
    if is_this:
        signed_in.sign_out()
        return done("", "sign_in.index")
    return done("That browser is signed out.", "account.index")


@screen.post("/sessions/endings")
@needs(None)
def end_other_sessions() -> Response:
    count = sessions.end_all(
        current_person(), by=actor(), now=_now(), reason="ended by the person", keep=current_user.sign_in
    )
    db.session.commit()
    return done(f"Signed out in {formats.plural(count, 'other browser')}.", "account.index")


def _is_me(user: User, typed: str, field: Any, now: datetime) -> bool:
    """Whether the person at the keyboard knows the password; says why not at the field."""
    try:
        entrance.check_password(user.email, typed, address=request.remote_addr or "", now=now)
    except WrongSignIn:
        field.errors = [WRONG_PASSWORD]
        return False
    except TooManyTries as problem:
        field.errors = [f"There were too many wrong tries. At {formats.clock(problem.until)} you can try again."]
        return False
    return True


def _profile() -> dict[str, Any]:
    user = current_person()
    settings: Settings = current_app.extensions["settings"]
    live = sessions.of(user, now=_now(), idle_limit=settings.idle_limit, absolute_limit=settings.absolute_limit)
    return {
        "form": ProfileForm(formdata=None, name=user.name, theme=user.preferences.get("theme", "")),
        "user": user,
        "has_second_factor": second_factor.is_on(user),
        "sessions": live,
        "this_session": current_user.sign_in.id,
        "browser_name": browser_name,
        "settings_url": url_for("settings.team") if user.may(people.May.MANAGE_TEAM) else None,
    }


def browser_name(sent: str) -> str:
    """'Firefox on Windows' from what a browser says of itself; its own words when it is none of the usual ones."""
    browsers = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
    systems = (
        ("Windows", "Windows"), ("iPhone", "an iPhone"), ("iPad", "an iPad"), ("Android", "Android"),
        ("Macintosh", "a Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    )  # fmt: skip
    browser = next((name for mark, name in browsers if mark in sent), None)
    system = next((name for mark, name in systems if mark in sent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or sent[:60] or "A browser that did not say its name"


def _in_fours(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def _now() -> datetime:
    return datetime.now(UTC)
