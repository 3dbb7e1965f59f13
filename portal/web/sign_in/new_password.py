"""A password by link: the link is made by an admin or a command, works once, and signs nobody in by itself."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response
from wtforms import PasswordField
from wtforms.validators import EqualTo, InputRequired, Length

from portal.db import db
from portal.domain import people
from portal.domain.people import DeadLink, WeakPassword, passwords
from portal.web.forms import Form
from portal.web.guard import open_to_all
from portal.web.render import done, refused, render
from portal.web.sign_in import screen

TEMPLATE = "sign_in/new_password.html"


class NewPasswordForm(Form):
    password = PasswordField("New password", validators=[InputRequired("Choose a password."), Length(max=1000)])
    again = PasswordField(
        "The same once more",
        validators=[InputRequired("Type the password once more."), EqualTo("password", "The two are not the same.")],
    )


@screen.get("/sign-in/password/<token>")
@open_to_all(reason="the link is the proof, and works once")
def new_password(token: str) -> Response:
    try:
        link = people.open_reset_link(token, now=datetime.now(UTC))
    except DeadLink:
        return _unreferred(render("sign_in/dead_link.html", status=410))
    return _unreferred(
        render(TEMPLATE, form=NewPasswordForm(), user=link.user, token=token, shortest=passwords.SHORTEST)
    )


@screen.post("/sign-in/password/<token>")
@open_to_all(reason="the link is the proof, and works once")
def set_new_password(token: str) -> Response:
    form, now = NewPasswordForm(), datetime.now(UTC)
    try:
        user = people.open_reset_link(token, now=now).user
        if form.validate():
            people.use_reset_link(token, form.text("password"), now=now)
            db.session.commit()
            return done("Your password is set. Sign in with it.", "sign_in.index")
    except DeadLink:
        return _unreferred(render("sign_in/dead_link.html", status=410))
    except WeakPassword as problem:
        form.password.errors = [str(problem)]
    return _unreferred(refused(TEMPLATE, "sheet", form=form, user=user, token=token, shortest=passwords.SHORTEST))


def _unreferred(response: Response) -> Response:
    """The address holds a secret, so it is passed on to nobody."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
