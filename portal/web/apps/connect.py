"""Connecting an account: to the vendor's sign-in and back, choosing the account, enabling it, giving it up again."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length, Optional

from portal import integrations
from portal.db import db
from portal.domain import connections
from portal.domain.apps import Connection, ConnectionState, IllegalMove
from portal.domain.people import May
from portal.domain.records import AccountRecord
from portal.web.apps import screen
from portal.web.apps.client_settings import EnableForm, hints, travels
from portal.web.apps.lookups import app_or_404, here_or_404, now
from portal.web.forms import Form
from portal.web.guard import actor, current_person, needs, writes_on_get
from portal.web.render import done, go_to, refused, render


class CredentialsForm(Form):
    client_id = StringField("Client id", [DataRequired("Paste the client id."), Length(max=200)])
    client_secret = PasswordField("Client secret", [Length(max=500)])


@screen.route("/<slug>/credentials", methods=["GET", "POST"])
@needs(May.MANAGE_APPS)
def credentials(slug: str) -> Response:
    """The portal's own registration with the vendor. The secret is taken in and never shown again."""
    app = app_or_404(slug)
    kept = connections.credentials_kept(app.vendor)
    in_force = integrations.credentials(app.vendor)
    form = CredentialsForm(client_id=kept.client_id if kept else "")
    form.client_secret.validators = [Optional() if kept else DataRequired("Paste the client secret.")]
    values: dict[str, Any] = {
        "app": app,
        "form": form,
        "redirect": integrations.redirect_uri(),
        "is_given": bool(in_force.client_id) and (kept is None or in_force.client_id != kept.client_id),
        "is_kept": kept is not None,
        "in_use": [one for one in connections.of_app(slug) if one.state == ConnectionState.CONNECTED],
    }
    if request.method == "GET":
        return render("apps/credentials.html", blocks=("form",), **values)
    if values["is_given"]:
        said = "The credentials come from the environment; change them there."
        return done(said, "apps.credentials", tone="info", slug=slug)
    if not form.validate():
        return refused("apps/credentials.html", "form", **values)
    client_id, secret = form.text("client_id"), form.text("client_secret").strip()
    connections.keep_credentials(app.vendor, client_id, secret, app=app.name, by=actor(), now=now())
    db.session.commit()
    return done(f"Kept. You can connect {app.name} now.", "apps.index")


@screen.post("/<slug>/consents")
@needs(May.MANAGE_APPS)
def start_consent(slug: str) -> Response:
    """To the vendor's own page, where the person says which account we may reach."""
    app = app_or_404(slug)
    mended = connections.get(request.form.get("reconnects", 0, type=int))
    if not integrations.credentials(app.vendor).client_id:
        said = f"First this portal has to be registered for {app.name}."
        return done(said, "apps.credentials", tone="info", slug=slug)
    try:
        url = integrations.start_consent(
            slug, current_person(), now(), mended if mended is not None and mended.app == slug else None
        )
    except integrations.ConsentProblem as told:
        db.session.rollback()
        return done(str(told), "apps.index", tone="bad")
    db.session.commit()
    return go_to(url)


@screen.get("/callback")
@needs(May.MANAGE_APPS)
@writes_on_get(reason="vendors send people back by GET; the single-use state, bound to the person, guards it")
def callback() -> Response:
    """Where the vendor sends a person back to (fault row 41): nothing is stored unless everything fits."""
    if request.method != "GET":
        return render("apps/consent_problem.html", status=405, told="Open this address in a browser.")
    try:
        consent = integrations.finish_consent(request.args, current_person(), now())
    except integrations.ConsentProblem as told:
        db.session.rollback()
        return render("apps/consent_problem.html", status=400, told=str(told))
    return _mend(consent) if consent.reconnects_id is not None else _offer(consent)


def _mend(consent: integrations.Consent) -> Response:
    """The same account again keeps everything; another one is refused, and its sign-in forgotten (fault row 38)."""
    app = integrations.app_info(consent.app)
    connection = connections.get(consent.reconnects_id or 0, lock=True)
    if connection is None or connection.state in (ConnectionState.CHOOSING, ConnectionState.DISCONNECTED):
        return _offer(consent)
    account = _reached(consent, connection)
    if account is None:
        names = [one.name for one in consent.accounts]
        connections.drop_tokens(consent.token_set)
        db.session.commit()
        return render("apps/another_account.html", status=409, app=app, connection=connection, names=names)
    connections.reconnect(connection, account, consent.token_set, app=app.name, by=actor(), now=now())
    waiting = connections.waiting_to_be_sent(connection)
    db.session.commit()
    said = f"Connected again to {connection.account_name}. Every link was kept"
    said += f", and changes to {waiting:,} clients that waited are on their way." if waiting else "."
    return done(said, "apps.panel", connection_id=connection.id)


def _offer(consent: integrations.Consent) -> Response:
    """Show what the sign-in reached. Nothing is enabled by itself; a connection that had lost its access is mended."""
    app, at = integrations.app_info(consent.app), now()
    mended, fresh = [], []
    for account in consent.accounts:
        connection = connections.offer(consent.app, account, consent.token_set, now=at)
        if connection.state == ConnectionState.NEEDS_RECONNECT:
            connections.reconnect(connection, account, consent.token_set, app=app.name, by=actor(), now=at)
            mended.append(connection)
        elif connection.state == ConnectionState.CHOOSING:
            fresh.append(connection)
    if not mended and not fresh:
        connections.drop_tokens(consent.token_set)
    db.session.commit()
    if len(fresh) == 1:
        return done("", "apps.enablement", connection_id=fresh[0].id)
    if fresh:
        return done("", "apps.accounts", slug=consent.app)
    if mended:
        said = f"Connected again to {mended[0].account_name}. Every link was kept."
        return done(said, "apps.panel", connection_id=mended[0].id)
    names = " and ".join(account.name for account in consent.accounts)
    said = f"The sign-in reached {names}, which is connected already. Nothing was changed."
    return done(said, "apps.index", tone="info")


def _reached(consent: integrations.Consent, connection: Connection) -> AccountRecord | None:
    return next((one for one in consent.accounts if one.remote_id == connection.account_id), None)


@screen.get("/<slug>/accounts")
@needs(May.MANAGE_APPS)
def accounts(slug: str) -> Response:
    """The accounts a sign-in has reached and nobody has enabled yet."""
    app = app_or_404(slug)
    return render("apps/accounts.html", app=app, offered=connections.offered(slug), others=connections.of_app(slug))


@screen.route("/<int:connection_id>/enablement", methods=["GET", "POST"])
@needs(May.MANAGE_APPS)
def enablement(connection_id: int) -> Response:
    """Which account it is, what will come in, and how it is kept in step: then Enable (AP-04, AP-05)."""
    here = here_or_404(connection_id, lock=request.method == "POST")
    connection = here.connection
    if connection.state != ConnectionState.CHOOSING:
        said = "" if request.method == "GET" else "It is enabled already."
        return done(said, "apps.panel", tone="info", connection_id=connection.id)
    form = EnableForm.for_connection(connection)
    values: dict[str, Any] = {
        "here": here,
        "form": form,
        "hints": hints(connection),
        "travels": travels(here.app, connection),
        "shared": connections.sharing_sign_in(connection),
        "name_of": connections.label,
        "linked": connections.linked(connection),
        "earlier": connections.earlier(connection),
    }
    if request.method == "GET":
        return render("apps/enablement.html", blocks=("form",), **values)
    if not form.validate():
        return refused("apps/enablement.html", "form", **values)
    try:
        connections.enable(connection, form.data, app=here.app.name, by=actor(), now=now())
    except IllegalMove:  # two browsers at once: the other one was quicker
        db.session.rollback()
        return done("It is enabled already.", "apps.panel", tone="info", connection_id=connection_id)
    db.session.commit()
    return done(
        f"{connection.account_name} is connected. Nothing has been read yet: have a look at the first import, "
        "or start it.", "apps.panel", connection_id=connection.id,
    )  # fmt: skip


@screen.route("/<int:connection_id>/disconnection", methods=["GET", "POST"])
@needs(May.MANAGE_APPS)
def disconnection(connection_id: int) -> Response:
    """Give the permission back and forget the sign-in; clients, links and history stay (AP-08)."""
    here = here_or_404(connection_id)
    if request.method == "GET":
        return render(
            "apps/disconnection.html", here=here, linked=connections.linked(here.connection),
            waiting=connections.waiting_to_be_sent(here.connection), name_of=connections.label,
            shared=connections.sharing_sign_in(here.connection),
        )  # fmt: skip
    name, was_choosing = here.connection.account_name, here.connection.state == ConnectionState.CHOOSING
    told = integrations.disconnect(here.connection) if here.connection.token_set_id is not None else True
    connection = here_or_404(connection_id, lock=True).connection
    if not connections.disconnect(connection, app=here.app.name, by=actor(), now=now()):
        db.session.rollback()
        return done(f"{name} was disconnected already.", "apps.index", tone="info")
    db.session.commit()
    said = f"{name} is disconnected. Clients, links and history stay."
    if was_choosing:
        said = f"{name} is left alone; nothing of it was read."
    if not told:
        said += f" {here.app.name} could not be told just now: remove this portal there too, under its connected apps."
    return done(said, "apps.index", tone="ok" if told else "warn")
