"""What may stand in a field of a client or contact: lengths, characters, email addresses. One answer for every door.

The form and the CSV import both ask here, so that what one refuses the other refuses with the same words.
"""

from __future__ import annotations

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from portal.domain.text import LINE_BREAKS, BadText, clean, clean_line

# Characters, after cleaning.
LIMITS: dict[str, int] = {
    "name": 255, "structure": 100, "phone": 50, "fax": 50, "mobile": 50, "website": 255, "email": 254,
    "salutation": 100, "addressee": 255, "position": 100,
    "street": 500, "city": 100, "region": 100, "postcode": 30, "country": 100,
}  # fmt: skip
SEVERAL_LINES = frozenset({"street"})
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
_PLAIN_EMAIL = re.compile(rf"[A-Za-z0-9_+-]{{1,30}}(?:\.[A-Za-z0-9_+-]{{1,30}})?@(?:{_LABEL}\.){{1,4}}[A-Za-z]{{2,20}}")


class BadValue(ValueError):
    """The text cannot stand in this field; the message is a sentence for the person who typed it."""


def tidy(field: str, typed: str) -> str:
    """The text as it is to be stored. `field` as in `LIMITS`, with or without 'address_' or 'postal_' before it.

    Raises `BadValue`.
    """
    if not typed:
        return ""
    field = field.removeprefix("address_").removeprefix("postal_")
    text = typed.replace("\r\n", "\n").replace("\r", "\n")
    refuse_unstorable(text)
    try:
        text = clean(text) if field in SEVERAL_LINES else clean_line(text)
    except BadText as problem:
        raise BadValue(f"This {problem}, which cannot be stored. Type it again.") from problem
    limit = LIMITS[field]
    if len(text) > limit:
        raise BadValue(f"This is {len(text):,} characters long; at most {limit} fit here.")
    if field == "email" and text:
        check_email(text)
    return text


def refuse_unstorable(text: str) -> None:
    """Raises `BadValue` for control characters, which nobody can see and no app takes."""
    if text.isascii() and text.isprintable():
        return
    for character in text:
        if character in LINE_BREAKS:
            continue
        if unicodedata.category(character) == "Cc" or "\ud800" <= character <= "\udfff":
            raise BadValue(f"This holds a character that cannot be stored ({_named(character)}). Type it again.")


def _named(character: str) -> str:
    if character == "\x00":
        return "NUL"
    if "\ud800" <= character <= "\udfff":
        return "half a character"
    return f"control character {ord(character):02X}"


def check_email(text: str) -> None:
    """By its form only: whether the address exists is not asked. Raises `BadValue`."""
    if _PLAIN_EMAIL.fullmatch(text) and text.rpartition(".")[2].lower() not in SPECIAL_USE_DOMAIN_NAMES:
        return  # what nearly every address looks like, judged without the library's fifty steps
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as problem:
        raise BadValue(f"“{text}” does not read as an email address: {_decapital(str(problem))}") from problem


def same_text(stored: str, typed: str) -> bool:
    """Whether a person changed nothing: a browser rewrites line ends, and takes them out of one-line boxes.

    Spaces count, because names must match to the letter.
    """
    plain = stored.replace("\r\n", "\n").replace("\r", "\n").strip()
    return typed in (stored, plain, clean_line(stored), plain.replace("\n", ""))


def _decapital(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
