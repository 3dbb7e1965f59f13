"""The second factor: six digits from an app on the person's phone (TOTP, RFC 6238), each code good for one use."""

from __future__ import annotations

import hmac
import unicodedata
from datetime import datetime

import pyotp

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.people.models import User

STEP_SECONDS = 30
DRIFT = 1  # steps a phone's clock may be off, either way


def is_on(user: User) -> bool:
    return user.totp_secret is not None and user.totp_since is not None


def offer(user: User) -> None:
    """Make a secret to be scanned; no code is asked for until a first one has confirmed it. Nothing while it is on."""
    if not is_on(user):
        user.totp_secret = pyotp.random_base32()
        user.totp_since = None
        user.totp_last_step = None


def setup_uri(user: User, issuer: str) -> str:
    """What the QR code says. Raises ValueError when nothing is on offer."""
    if user.totp_secret is None or user.totp_since is not None:
        raise ValueError("no second factor is being set up")
    return pyotp.TOTP(user.totp_secret).provisioning_uri(name=user.email, issuer_name=issuer)


def confirm(user: User, code: str, *, by: Actor, now: datetime) -> bool:
    """Switch it on with a first right code. Says whether the code was right."""
    if user.totp_since is not None or not use(user, code, now=now):
        return False
    user.totp_since = now
    activity.record(Verb.SECOND_FACTOR_ON, by=by, now=now, about_user_id=user.id, user=user.name)
    return True


def use(user: User, code: str, *, now: datetime) -> bool:
    """Whether the code is right and was not used before; it is used up then. Holds the user's row until the commit."""
    db.session.flush()
    db.session.refresh(user, with_for_update=True)
    if user.totp_secret is None:
        return False
    typed = "".join(str(unicodedata.decimal(character)) for character in code if character.isdecimal())
    totp = pyotp.TOTP(user.totp_secret, interval=STEP_SECONDS)
    present = int(now.timestamp()) // STEP_SECONDS
    for step in range(present - DRIFT, present + DRIFT + 1):
        is_fresh = user.totp_last_step is None or step > user.totp_last_step
        if hmac.compare_digest(totp.generate_otp(step), typed) and is_fresh:
            user.totp_last_step = step
            return True
    return False


def switch_off(user: User, *, by: Actor, now: datetime) -> bool:
    """By the person, or by an admin when the phone is lost. Says whether it was on."""
    was_on = is_on(user)
    user.totp_secret = None
    user.totp_since = None
    user.totp_last_step = None
    if was_on:
        activity.record(Verb.SECOND_FACTOR_OFF, by=by, now=now, about_user_id=user.id, user=user.name)
    return was_on
