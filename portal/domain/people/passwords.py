"""Passwords: which ones will do, and how they are kept (argon2id, renewed when its cost is raised).

Length and guessability decide, not a mixture of signs (ASVS 6.2): the estimate is zxcvbn's, which knows common
passwords, names, keyboard rows and dates.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from portal.domain.text import fold

SHORTEST = 12
LONGEST = 200
LOOKED_AT = 72  # the estimate takes long for long texts, and these are enough to decide
GOOD_ENOUGH = 3  # zxcvbn's score: beyond 10^8 guesses

_hasher = PasswordHasher()


def problem(password: str, *, known: Iterable[str] = ()) -> str | None:
    """Why this password will not do, as a sentence; None when it will. `known`: the person's name, email, the firm."""
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters. A few words in a row are easy to remember."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    words = sorted({word for text in known for word in _words(text)})
    if fold(password) in {fold(text) for text in known} or not _left_over(password, words):
        return "That is too close to your name, your email or the firm's name. Choose something else."
    from zxcvbn import zxcvbn  # its word lists take a moment to load, and are rarely needed

    if zxcvbn(password[:LOOKED_AT], user_inputs=words)["score"] < GOOD_ENOUGH:
        return "That is among the first things somebody would guess. Put a few unrelated words in a row instead."
    return None


def closed(password: str) -> str:
    """What is kept of it."""
    return _hasher.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether this is the password. Takes as long when there is none to compare with."""
    try:
        return _hasher.verify(kept or _of_nobody(), password) and bool(kept)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether it was kept with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def _of_nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", fold(text)) if len(word) >= 3]


def _left_over(password: str, words: list[str]) -> bool:
    """Whether enough remains when the person's own words are taken out."""
    rest = fold(password)
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    return len(re.sub(r"[\W_\d]", "", rest)) >= 4 or len(rest) >= SHORTEST
