"""Getting in: password, second factor, single sign-on; and the patience with which wrong tries are met.

An unknown account, a wrong password and a switched-off account give the same answer after the same time. Failures are
counted in the database, for the account and for the address, so that they hold for every process and after a restart.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from portal.db import db, reading
from portal.domain.people import passwords, second_factor
from portal.domain.people.models import SignInAttempt, User

WINDOW = timedelta(minutes=15)
ACCOUNT_LIMIT = 5  # failures in the window; from then on each doubles the wait
ADDRESS_LIMIT = 30
FIRST_WAIT = timedelta(seconds=30)
FORGOTTEN_AFTER = timedelta(days=1)


class WrongSignIn(Exception):
    """Email and password, or the code, are not right; nobody is told which."""


class TooManyTries(Exception):
    """Wrong tries have used up the allowance; `until` is when the next one is looked at."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until.isoformat()}")
        self.until = until


def check_password(email: str, password: str, *, address: str, now: datetime) -> User:
    """Whose email and password these are. Raises `WrongSignIn` or `TooManyTries`; the caller commits either way.

    The slow comparison runs between two transactions, so that guesses do not hold the database: to be asked before
    anything is changed, for what was not committed is dropped.
    """
    email = normal_email(email)
    db.session.rollback()
    with reading():
        _refuse_when_too_many(email, address, now)
        user = find_user(email)
        kept = user.password_hash if user is not None and user.is_active else None
        db.session.rollback()
    is_right = passwords.fits(kept, password[: passwords.LONGEST])
    _refuse_when_too_many(email, address, now)  # of many guesses at once, those beyond the limit do not count
    user = find_user(email)
    if not is_right or user is None or user.password_hash != kept or not user.is_active:
        note_failure(email, address, now)
        raise WrongSignIn
    if passwords.is_outdated(user.password_hash or ""):
        user.password_hash = passwords.closed(password)
    if not second_factor.is_on(user):
        forget_failures(email)
    return user


def check_code(user: User, code: str, *, address: str, now: datetime) -> None:
    """The second step. Raises `WrongSignIn` or `TooManyTries`; the caller commits either way."""
    _refuse_when_too_many(user.email, address, now)
    if not user.is_active or not second_factor.is_on(user) or not second_factor.use(user, code, now=now):
        note_failure(user.email, address, now)
        raise WrongSignIn
    forget_failures(user.email)


def check_identity(subject: str, email: str, *, is_verified: bool) -> User:
    """Whom single sign-on sends us: known by subject, or the first time by a verified email. Raises `WrongSignIn`."""
    user = db.session.scalar(select(User).where(User.sso_subject == subject)) if subject else None
    if user is None and subject and is_verified:
        user = find_user(normal_email(email))
        if user is not None and user.sso_subject is not None:
            raise WrongSignIn
        if user is not None and user.is_active:
            user.sso_subject = subject
    if user is None or not user.is_active:
        raise WrongSignIn
    return user


def find_user(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == normal_email(email)))


def normal_email(email: str) -> str:
    """As emails are kept: lower case, nothing around them."""
    return email.strip().lower()


def wait_until(email: str, address: str, now: datetime) -> datetime | None:
    """When the next try is looked at; None: at once."""
    waits = (_account_wait(email, now), _address_wait(address, now))
    return max((wait for wait in waits if wait is not None and wait > now), default=None)


def note_failure(email: str, address: str, now: datetime) -> None:
    """Counts a wrong try, and forgets this account's and this address's of long ago."""
    old = SignInAttempt.at < now - FORGOTTEN_AFTER
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.email == email, old))
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.address == address, old))
    db.session.add(SignInAttempt(email=email[:320], address=address[:64], at=now))


def forget_failures(email: str) -> None:
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.email == email))


def _refuse_when_too_many(email: str, address: str, now: datetime) -> None:
    until = wait_until(email, address, now)
    if until is not None:
        raise TooManyTries(until)


def _account_wait(email: str, now: datetime) -> datetime | None:
    tries, latest = db.session.execute(
        select(func.count(), func.max(SignInAttempt.at)).where(
            SignInAttempt.email == email, SignInAttempt.at > now - WINDOW
        )
    ).one()
    if tries < ACCOUNT_LIMIT:
        return None
    return latest + min(FIRST_WAIT * 2 ** min(tries - ACCOUNT_LIMIT, 10), WINDOW)


def _address_wait(address: str, now: datetime) -> datetime | None:
    """The window ends when the oldest of the last failures falls out of it."""
    oldest_counted = db.session.scalar(
        select(SignInAttempt.at)
        .where(SignInAttempt.address == address, SignInAttempt.at > now - WINDOW)
        .order_by(SignInAttempt.at.desc())
        .offset(ADDRESS_LIMIT - 1)
        .limit(1)
    )
    return None if oldest_counted is None else oldest_counted + WINDOW
