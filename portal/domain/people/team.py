"""The team: who is on it, with which role, and how a person gets a password or loses access."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.people import passwords, sessions
from portal.domain.people.entrance import find_user, forget_failures, normal_email
from portal.domain.people.firm import the_firm
from portal.domain.people.models import ResetLink, Role, SignIn, User

RESET_LIFE = timedelta(hours=24)


class EmailTaken(Exception):
    """Another user has this email; `holder` is who."""

    def __init__(self, holder: User) -> None:
        super().__init__(f"{holder.name} has this email")
        self.holder = holder


class LastAdmin(Exception):
    """There would be no active admin left."""


class WeakPassword(ValueError):
    """The password will not do; the message says why."""


class DeadLink(Exception):
    """The link to set a password was used, has run out, or never was."""


@dataclass(frozen=True)
class Member:
    """A person in the team list; `seen_at` is when they were last signed in and doing something."""

    user: User
    seen_at: datetime | None


def everyone() -> list[Member]:
    """Everyone, the active ones first, by name."""
    seen = select(SignIn.user_id, func.max(SignIn.seen_at).label("seen_at")).group_by(SignIn.user_id).subquery()
    rows = db.session.execute(
        select(User, seen.c.seen_at)
        .outerjoin(seen, seen.c.user_id == User.id)
        .order_by(User.is_active.desc(), func.lower(User.name), User.id)
    )
    return [Member(user, seen_at) for user, seen_at in rows]


def user_by_id(user_id: int) -> User | None:
    return db.session.get(User, user_id)


def has_users() -> bool:
    return db.session.scalar(select(User.id).limit(1)) is not None


def create_user(name: str, email: str, role: Role, *, by: Actor, now: datetime, password: str | None = None) -> User:
    """A new user. Without a password, `make_reset_link` gives them the way to set one. Raises `EmailTaken`.

    A `password` given here is taken as it is: it is for the demo and for commands that asked `password_problem` first.
    """
    email = normal_email(email)
    if holder := find_user(email):
        raise EmailTaken(holder)
    user = User(name=name.strip(), email=email, role=role, created_at=now)
    if password is not None:
        user.password_hash = passwords.closed(password)
        user.password_changed_at = now
    db.session.add(user)
    db.session.flush()
    activity.record(Verb.USER_CREATED, by=by, now=now, about_user_id=user.id, user=user.name, role=role.value)
    return user


def change_user(user: User, *, name: str, email: str, by: Actor, now: datetime) -> bool:
    """Name and email. Raises `EmailTaken`. Says whether anything changed."""
    email = normal_email(email)
    holder = find_user(email)
    if holder is not None and holder.id != user.id:
        raise EmailTaken(holder)
    changes = [
        {"field": field, "label": label, "old": getattr(user, field), "new": value}
        for field, label, value in (("name", "Name", name.strip()), ("email", "Email", email))
        if getattr(user, field) != value
    ]
    if not changes:
        return False
    what = activity.field_names(changes)
    known_as = user.name
    user.name, user.email = name.strip(), email
    activity.record(Verb.USER_CHANGED, by=by, now=now, about_user_id=user.id, user=known_as, what=what, changes=changes)
    return True


def change_role(user: User, role: Role, *, by: Actor, now: datetime) -> bool:
    """Ends their sessions, so that the new role holds at once. Raises `LastAdmin`. Says whether anything changed."""
    if user.role == role:
        return False
    if user.role == Role.ADMIN:
        _keep_an_admin(besides=user)
    changes = [{"field": "role", "label": "Role", "old": Role(user.role).value, "new": role.value}]
    user.role = role
    activity.record(
        Verb.USER_CHANGED, by=by, now=now, about_user_id=user.id, user=user.name, what="Role", changes=changes
    )
    sessions.end_all(user, by=by, now=now, reason="their role was changed")
    return True


def deactivate(user: User, *, by: Actor, now: datetime) -> bool:
    """Switch a person off: every session and every open link of theirs ends. Raises `LastAdmin`."""
    if not user.is_active:
        return False
    _keep_an_admin(besides=user)
    user.is_active = False
    activity.record(Verb.USER_DEACTIVATED, by=by, now=now, about_user_id=user.id, user=user.name)
    sessions.end_all(user, by=by, now=now, reason="they were switched off")
    _close_links(user, now)
    return True


def reactivate(user: User, *, by: Actor, now: datetime) -> bool:
    if user.is_active:
        return False
    user.is_active = True
    activity.record(Verb.USER_REACTIVATED, by=by, now=now, about_user_id=user.id, user=user.name)
    return True


def set_password(user: User, password: str, *, by: Actor, now: datetime, keep: SignIn | None = None) -> None:
    """Ends every session but `keep`, and every open link. Raises `WeakPassword`."""
    if why := password_problem(user, password):
        raise WeakPassword(why)
    user.password_hash = passwords.closed(password)
    user.password_changed_at = now
    activity.record(Verb.PASSWORD_CHANGED, by=by, now=now, about_user_id=user.id, user=user.name)
    sessions.end_all(user, by=by, now=now, reason="their password was changed", keep=keep)
    _close_links(user, now)
    forget_failures(user.email)


def password_problem(user: User, password: str) -> str | None:
    firm = the_firm()
    return passwords.problem(password, known=(user.name, user.email, firm.name if firm else "", "counterpart"))


def make_reset_link(user: User, *, by: Actor, now: datetime) -> str:
    """The token of a link with which the person sets a password, once, within `RESET_LIFE`. Earlier links end.

    Only its hash is kept: it is shown to whoever made it and never again.
    """
    _close_links(user, now)
    token = secrets.token_urlsafe(32)
    db.session.add(
        ResetLink(
            token_hash=sessions.hash_token(token),
            user_id=user.id,
            made_by=by.name,
            made_at=now,
            expires_at=now + RESET_LIFE,
        )
    )
    activity.record(Verb.RESET_LINK_MADE, by=by, now=now, about_user_id=user.id, user=user.name)
    return token


def open_reset_link(token: str, *, now: datetime) -> ResetLink:
    """The link behind a token. Raises `DeadLink`."""
    held = db.session.get(ResetLink, sessions.hash_token(token), with_for_update=True)
    if held is None or held.used_at is not None or held.expires_at <= now or not held.user.is_active:
        raise DeadLink
    return held


def use_reset_link(token: str, password: str, *, now: datetime) -> User:
    """Set the password with a link, which is used up then. Raises `DeadLink` or `WeakPassword`."""
    held = open_reset_link(token, now=now)
    set_password(held.user, password, by=Actor.person(held.user), now=now)
    held.used_at = now
    return held.user


def _close_links(user: User, now: datetime) -> None:
    for link in db.session.scalars(select(ResetLink).where(ResetLink.user_id == user.id, ResetLink.used_at.is_(None))):
        link.used_at = now


def _keep_an_admin(*, besides: User) -> None:
    """Raises `LastAdmin` when no other active admin remains. Holds their rows, so that two cannot leave at once."""
    if besides.role != Role.ADMIN or not besides.is_active:
        return
    admins: Iterable[User] = db.session.scalars(
        select(User).where(User.role == Role.ADMIN, User.is_active).order_by(User.id).with_for_update()
    ).all()
    if all(admin.id == besides.id for admin in admins):
        raise LastAdmin


def prefer(user: User, **preferences: str | None) -> None:
    """Keep a person's own choices of how things look; None takes a choice back. Nothing anybody else need know."""
    kept = {**user.preferences, **preferences}
    user.preferences = {name: value for name, value in kept.items() if value is not None}
