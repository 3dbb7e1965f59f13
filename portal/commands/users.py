"""The team from the command line: the first admin, and the way back in for anybody."""

from __future__ import annotations

import sys

import click
from flask import current_app
from flask.cli import AppGroup

from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db
from portal.domain import people
from portal.domain.activity import Actor, Origin
from portal.domain.people import Role, User

group = AppGroup("users", help="Add people, give them a new way in, change what they may do.")
COMMAND = Actor("Command line", Origin.COMMAND)
ROLES = click.Choice([role.value for role in Role])
LINK_TO = "sign_in.new_password"


@console.command(group, "create-admin")
@click.option("--name", prompt=True, help="The person's name, as screens show it.")
@click.option("--email", prompt=True, help="What they sign in with.")
@click.option("--firm", help="The firm's name, where the portal does not serve one yet.")
@click.option("--password-stdin", is_flag=True, help="Take the password from standard input instead of making a link.")
def create_admin(name: str, email: str, firm: str | None, password_stdin: bool) -> None:
    """Add an admin, on a new portal together with the firm, and print the link with which they set their password."""
    if people.the_firm() is None:
        if not firm:
            raise Stop("This portal serves no firm yet. Give its name with --firm.", Exit.BAD_USAGE)
        people.found_firm(firm, now=console.now())
    _create(name, email, Role.ADMIN, password_stdin)


@console.command(group, "create")
@click.option("--name", prompt=True, help="The person's name, as screens show it.")
@click.option("--email", prompt=True, help="What they sign in with.")
@click.option("--role", type=ROLES, default=Role.MEMBER.value, show_default=True, help="What they may do.")
@click.option("--password-stdin", is_flag=True, help="Take the password from standard input instead of making a link.")
def create(name: str, email: str, role: str, password_stdin: bool) -> None:
    """Add a person, and print the link with which they set their password."""
    _create(name, email, Role(role), password_stdin)


def _create(name: str, email: str, role: Role, password_stdin: bool) -> None:
    if not name.strip() or "@" not in email:
        raise Stop("A person needs a name and an email.", Exit.BAD_USAGE)
    try:
        user = people.create_user(name, email, role, by=COMMAND, now=console.now())
        if password_stdin:
            people.set_password(user, sys.stdin.readline().rstrip("\n"), by=COMMAND, now=console.now())
    except people.EmailTaken as taken:
        raise Stop(f"{taken.holder.name} has the email {taken.holder.email} already.") from taken
    except people.WeakPassword as weak:
        raise Stop(f"{weak} Nobody was added.") from weak
    link = None if password_stdin else _link_for(user)
    db.session.commit()
    click.echo(f"{user.name} ({user.email}) is added as {role.value}.")
    _say_link(link)


@console.command(group, "list")
def listed() -> None:
    """Everyone, with their role and when they were last here."""
    for member in people.everyone():
        seen = f"last here {member.seen_at:%Y-%m-%d %H:%M} UTC" if member.seen_at else "never signed in"
        standing = "" if member.user.is_active else ", switched off"
        click.echo(f"{member.user.email:<40} {member.user.role:<8} {member.user.name}, {seen}{standing}")


@console.command(group, "reset-password")
@click.argument("email")
def reset_password(email: str) -> None:
    """Print a link with which the person sets a new password, once, within a day. The old one works until then."""
    user = _user(email)
    link = _link_for(user)
    db.session.commit()
    _say_link(link)


@console.command(group, "deactivate")
@click.argument("email")
def deactivate(email: str) -> None:
    """Switch a person off: they are signed out everywhere at once. What they did stays on record."""
    user = _user(email)
    try:
        changed = people.deactivate(user, by=COMMAND, now=console.now())
    except people.LastAdmin as last:
        raise Stop(f"{user.name} is the only admin. Make somebody else one first.") from last
    db.session.commit()
    click.echo(f"{user.name} is switched off." if changed else f"{user.name} was switched off already.")


@console.command(group, "set-role")
@click.argument("email")
@click.argument("role", type=ROLES)
def set_role(email: str, role: str) -> None:
    """Give a person another role. They sign in again to have it."""
    user = _user(email)
    try:
        changed = people.change_role(user, Role(role), by=COMMAND, now=console.now())
    except people.LastAdmin as last:
        raise Stop(f"{user.name} is the only admin. Make somebody else one first.") from last
    db.session.commit()
    click.echo(f"{user.name} is {role} now." if changed else f"{user.name} is {role} already.")


def _user(email: str) -> User:
    user = people.entrance.find_user(people.entrance.normal_email(email))
    if user is None:
        raise Stop(f"Nobody here has the email {email}. See: flask --app app users list")
    return user


def _link_for(user: User) -> str:
    token = people.make_reset_link(user, by=COMMAND, now=console.now())
    path = current_app.url_map.bind("").build(LINK_TO, {"token": token})
    return f"{current_app.extensions['settings'].public_url}{path}"


def _say_link(link: str | None) -> None:
    if link:
        click.echo(f"They set their password here, once, within a day:\n{link}")
