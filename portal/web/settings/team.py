"""Settings → Team: who is here with which role, links to set a password, and who is who in the connected apps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Response, abort, session, url_for
from wtforms import EmailField, RadioField, StringField
from wtforms.validators import DataRequired, Email, InputRequired, Length

from portal import integrations
from portal.db import db
from portal.domain import people
from portal.domain.people import EmailTaken, LastAdmin, May, Role, StaffTaken, User, second_factor, staff_links
from portal.web import formats
from portal.web.forms import Form, choices
from portal.web.guard import actor, current_person, needs
from portal.web.render import absolute, done, refused, render
from portal.web.settings import screen

ROLES = {
    Role.ADMIN: ("Admin", "Everything: clients, apps and syncs, matches, settings and the team."),
    Role.MEMBER: ("Member", "Sees, adds, edits and imports clients. Not apps, matches, settings or the team."),
    Role.SUPPORT: ("Support", "Sees clients and apps, runs syncs and settles matches. Edits no client, no settings."),
}
FRESH_LINK = "fresh_link"  # in the cookie, from making a link to the one page that shows it
LAST_ADMIN = "There would be no admin left. Make somebody else an admin first."


class UserForm(Form):
    name = StringField("Name", validators=[DataRequired("Enter a name."), Length(max=120)])
    email = EmailField(
        "Email", validators=[DataRequired("Enter an email."), Email("That is not an email address."), Length(max=320)]
    )
    role = RadioField(
        "Role",
        choices=choices((role.value, f"{label}: {what}") for role, (label, what) in ROLES.items()),
        default=Role.MEMBER.value,
        validators=[InputRequired("Choose a role.")],
    )


@screen.get("/team")
@needs(May.MANAGE_TEAM)
def team() -> Response:
    members = people.everyone()
    names = staff_links.linked_names([member.user for member in members])
    linked = {
        user_id: [f"{name} ({integrations.app_info(app).short_name})" for app, name in held]
        for user_id, held in names.items()
    }
    return render("settings/team.html", members=members, linked=linked, roles=ROLES)


@screen.get("/team/new")
@needs(May.MANAGE_TEAM)
def new_user() -> Response:
    return render("settings/new_user.html", form=UserForm())


@screen.post("/team")
@needs(May.MANAGE_TEAM)
def add_user() -> Response:
    form, now = UserForm(), _now()
    if not form.validate():
        return refused("settings/new_user.html", "user_form", form=form)
    try:
        user = people.create_user(form.text("name"), form.text("email"), Role(form.role.data), by=actor(), now=now)
    except EmailTaken as problem:
        form.email.errors = [_taken(problem)]
        return refused("settings/new_user.html", "user_form", form=form)
    token = people.make_reset_link(user, by=actor(), now=now)
    db.session.commit()
    session[FRESH_LINK] = {"user": user.id, "token": token}
    return done(f"{user.name} is on the team.", "settings.user", user_id=user.id)


@screen.get("/team/<int:user_id>")
@needs(May.MANAGE_TEAM)
def user(user_id: int) -> Response:
    held = _user(user_id)
    form = UserForm(formdata=None, name=held.name, email=held.email, role=Role(held.role).value)
    fresh = session.pop(FRESH_LINK, None)
    link = absolute("sign_in.new_password", token=fresh["token"]) if fresh and fresh["user"] == held.id else None
    return render("settings/user.html", form=form, link=link, **_around(held))


@screen.post("/team/<int:user_id>")
@needs(May.MANAGE_TEAM)
def save_user(user_id: int) -> Response:
    held, form, now = _user(user_id), UserForm(), _now()
    if not form.validate():
        return refused("settings/user.html", "user_form", form=form, link=None, **_around(held))
    try:
        people.change_user(held, name=form.text("name"), email=form.text("email"), by=actor(), now=now)
        changed_role = people.change_role(held, Role(form.role.data), by=actor(), now=now)
    except (EmailTaken, LastAdmin) as problem:
        db.session.rollback()
        if isinstance(problem, EmailTaken):
            form.email.errors = [_taken(problem)]
        else:
            form.role.errors = [LAST_ADMIN]
        return refused("settings/user.html", "user_form", form=form, link=None, **_around(_user(user_id)))
    db.session.commit()
    said = f"Saved. {held.name} signs in again to work as {held.role}." if changed_role else "Saved."
    return done(said, "settings.user", user_id=user_id)


@screen.post("/team/<int:user_id>/deactivation")
@needs(May.MANAGE_TEAM)
def deactivate(user_id: int) -> Response:
    held = _user(user_id)
    try:
        people.deactivate(held, by=actor(), now=_now())
    except LastAdmin:
        db.session.rollback()
        return done(LAST_ADMIN, "settings.user", tone="warn", user_id=user_id)
    db.session.commit()
    undo = ("Switch on again", url_for("settings.reactivate", user_id=user_id))
    return done(f"{held.name} can no longer sign in.", "settings.user", undo=undo, user_id=user_id)


@screen.post("/team/<int:user_id>/reactivation")
@needs(May.MANAGE_TEAM)
def reactivate(user_id: int) -> Response:
    return _act(user_id, people.reactivate, "{} can sign in again.")


@screen.post("/team/<int:user_id>/reset-links")
@needs(May.MANAGE_TEAM)
def make_link(user_id: int) -> Response:
    held = _user(user_id)
    if not held.is_active:
        return done(
            f"{held.name} is switched off; switch them on first.", "settings.user", tone="warn", user_id=user_id
        )
    token = people.make_reset_link(held, by=actor(), now=_now())
    db.session.commit()
    session[FRESH_LINK] = {"user": held.id, "token": token}
    return done("", "settings.user", user_id=user_id)


@screen.post("/team/<int:user_id>/second-factor/removal")
@needs(May.MANAGE_TEAM)
def remove_second_factor(user_id: int) -> Response:
    return _act(user_id, second_factor.switch_off, "{} signs in with the password alone until they set it up again.")


@screen.post("/team/<int:user_id>/staff-links/<int:connection_id>")
@needs(May.MANAGE_TEAM)
def link_staff(user_id: int, connection_id: int) -> Response:
    held = _user(user_id)
    linking = next((one for one in staff_links.linkings(held) if one.connection.id == connection_id), None)
    if linking is None:
        abort(404)
    form = StaffForm()
    chosen = next((one for one in linking.choices if one.remote_id == form.remote_id.data), None)
    app = integrations.app_info(linking.connection.app).name
    if chosen is None:
        had = people.unlink_staff(held, linking.connection, app=app, by=actor(), now=_now())
        said = f"{held.name} is no longer linked to anyone in {app}." if had else "Nothing was changed."
    else:
        remote = {"remote_id": chosen.remote_id, "name": chosen.name, "email": chosen.email}
        try:
            people.link_staff(held, linking.connection, remote, app=app, by=actor(), now=_now())
        except StaffTaken as problem:
            db.session.rollback()
            said = f"{chosen.name} in {app} is already linked to {problem.holder.name}. Nothing was changed."
            return done(said, "settings.user", tone="warn", user_id=user_id)
        said = f"{held.name} is {chosen.name} in {app}."
    db.session.commit()
    return done(said, "settings.user", user_id=user_id)


class StaffForm(Form):
    remote_id = StringField("Person")


def _act(user_id: int, verb: Callable[..., Any], said: str) -> Response:
    held = _user(user_id)
    did = verb(held, by=actor(), now=_now())
    db.session.commit()
    return done(said.format(held.name) if did else "Nothing was changed.", "settings.user", user_id=user_id)


def _user(user_id: int) -> User:
    held = people.user_by_id(user_id)
    if held is None:
        abort(404)
    return held


def _around(held: User) -> dict[str, Any]:
    linkings = [one for one in staff_links.linkings(held) if integrations.app_info(one.connection.app).staff_linking]
    return {
        "user": held,
        "is_me": held.id == current_person().id,
        "has_second_factor": second_factor.is_on(held),
        "linkings": [(one, integrations.app_info(one.connection.app)) for one in linkings],
        "link_life": formats.plural(int(people.RESET_LIFE.total_seconds() // 3600), "hour"),
    }


def _taken(problem: EmailTaken) -> str:
    return f"{problem.holder.name} already has this email."


def _now() -> datetime:
    return datetime.now(UTC)
