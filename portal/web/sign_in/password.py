"""Email and password, then for those who have one the code of the second factor; and signing out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, current_app, redirect, request, session, url_for
from flask_login import current_user
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from portal.db import db
from portal.domain import people
from portal.domain.people import User, entrance, second_factor, sessions
from portal.domain.people.entrance import TooManyTries, WrongSignIn
from portal.web import formats, signed_in
from portal.web.forms import Form
from portal.web.guard import needs, open_to_all, own_path
from portal.web.render import go_to, refused, render
from portal.web.sign_in import screen

HALF_WAY = "half_way"  # in the cookie: who has given the password and not yet the code
HALF_WAY_LIFE = timedelta(minutes=5)
WRONG = "Email and password do not go together. Check both; an admin can send you a link to set a new password."


class SignInForm(Form):
    email = EmailField("Email", validators=[DataRequired("Enter your email."), Length(max=320)])
    password = PasswordField("Password", validators=[InputRequired("Enter your password."), Length(max=1000)])
    next = HiddenField()


class CodeForm(Form):
    code = StringField("Six digits", validators=[DataRequired("Enter the six digits."), Length(max=20)])


@screen.get("/sign-in")
@open_to_all(reason="it is where one signs in")
def index() -> Response:
    target = own_path(request.args.get("next"))
    if current_user.is_authenticated:
        return go_to(target or url_for("home.index"))
    return render("sign_in/index.html", form=SignInForm(formdata=None, next=target or ""), **_around())


@screen.post("/sign-in")
@open_to_all(reason="it is where one signs in")
def enter() -> Response:
    form = SignInForm()
    if not form.validate():
        return refused("sign_in/index.html", "sheet", form=form, **_around())
    now, address = _now(), request.remote_addr or ""
    try:
        user = entrance.check_password(form.text("email"), form.text("password"), address=address, now=now)
    except WrongSignIn:
        db.session.commit()
        form.form_errors.append(WRONG)
        return refused("sign_in/index.html", "sheet", form=form, **_around())
    except TooManyTries as problem:
        return _too_many(problem, now, "sign_in/index.html", form=form, **_around())
    target = own_path(form.next.data)
    if not second_factor.is_on(user):
        signed_in.sign_in(user, now=now, way="password")
        return go_to(target or url_for("home.index"))
    db.session.commit()
    session[HALF_WAY] = {"user": user.id, "since": now.timestamp(), "next": target}
    return go_to(url_for("sign_in.code"))


@screen.get("/sign-in/code")
@open_to_all(reason="the second step of signing in; the first step is checked")
def code() -> Response:
    if _half_way(_now()) is None:
        return go_to(url_for("sign_in.index"))
    return render("sign_in/code.html", form=CodeForm())


@screen.post("/sign-in/code")
@open_to_all(reason="the second step of signing in; the first step is checked")
def enter_code() -> Response:
    now, form = _now(), CodeForm()
    user = _half_way(now)
    if user is None:
        return go_to(url_for("sign_in.index"))
    if not form.validate():
        return refused("sign_in/code.html", "sheet", form=form)
    try:
        entrance.check_code(user, form.text("code"), address=request.remote_addr or "", now=now)
    except WrongSignIn:
        db.session.commit()
        form.code.errors = ["That code is not right, or it was used before. Wait for the next one."]
        return refused("sign_in/code.html", "sheet", form=form)
    except TooManyTries as problem:
        return _too_many(problem, now, "sign_in/code.html", form=form)
    target = session[HALF_WAY].get("next")
    signed_in.sign_in(user, now=now, way="password and code")
    return go_to(own_path(target) or url_for("home.index"))


@screen.post("/sign-out")
@needs(None)
def out() -> Response:
    sessions.end(current_user.sign_in, now=_now(), reason="signed out")
    db.session.commit()
    signed_in.sign_out()
    return go_to(url_for("sign_in.index"))


@screen.get("/sign-out")
@open_to_all(reason="an address people type; it changes nothing")
def not_by_address() -> Any:
    return redirect(url_for("home.index"), 303)


def _half_way(now: datetime) -> User | None:
    held = session.get(HALF_WAY)
    if held is None or now - datetime.fromtimestamp(held["since"], UTC) > HALF_WAY_LIFE:
        session.pop(HALF_WAY, None)
        return None
    user = people.user_by_id(held["user"])
    return user if user is not None and user.is_active else None


def _too_many(problem: TooManyTries, now: datetime, template: str, *, form: Form, **values: Any) -> Response:
    db.session.rollback()
    seconds = max(1, int((problem.until - now).total_seconds()))
    wait = formats.plural(seconds, "second") if seconds < 100 else formats.plural(-(-seconds // 60), "minute")
    form.form_errors.append(
        f"There were too many wrong tries. Wait {wait}; at {formats.clock(problem.until)} you can try again."
    )
    response = refused(template, "sheet", status=429, form=form, **values)
    response.headers["Retry-After"] = str(seconds)
    return response


def _around() -> dict[str, Any]:
    settings = current_app.extensions["settings"]
    return {"is_first_start": not people.has_users(), "demo": settings.demo, "sso": settings.sso}


def _now() -> datetime:
    return datetime.now(UTC)
