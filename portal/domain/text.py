"""Texts: what may be stored, how names sort, and when two names are nearly the same. PURE."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LINE_BREAKS = "\n\r\t"
SURROGATES = re.compile("[\ud800-\udfff]")
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all of Unicode's, but for line breaks and tabs
SUFFIXES = (
    "proprietary limited", "pty limited", "pty ltd", "pty", "limited", "ltd", "incorporated", "inc", "llc", "llp",
    "corporation", "corp", "company", "co", "plc", "lp", "nl",
)  # fmt: skip


class BadText(ValueError):
    """A text that cannot be stored; the message says which characters are at fault."""


CHARACTERS = {":": "colon", "\t": "tab", "\n": "line break", "\r": "line break"}  # those that have names


@dataclass(frozen=True)
class NameRules:
    """What an app takes as a client's name. `longest` None: as long as one likes; `without`: characters it refuses."""

    longest: int | None = None
    without: str = ""
    single_spaces: bool = False

    def broken(self, name: str) -> tuple[str, str]:
        """Which rule the name breaks (empty, characters, spaces, long), and the detail of it; ("", "") for none."""
        if not name.strip():
            return "empty", ""
        if met := [one for one in self.without if one in name]:
            return "characters", " or ".join(dict.fromkeys(CHARACTERS.get(one, one) for one in met))
        if self.single_spaces and "  " in name:
            return "spaces", ""
        return ("long", str(self.longest)) if self.longest is not None and len(name) > self.longest else ("", "")


ANY_NAME = NameRules()


def clean(text: str) -> str:
    """The text as we store it: composed (NFC), trimmed, without control characters.

    Raises `BadText` for lone surrogates, which are no characters at all.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    if SURROGATES.search(text):
        raise BadText("contains half a character (a lone surrogate)")
    return CONTROLS.sub("", unicodedata.normalize("NFC", text)).strip()


def clean_line(text: str) -> str:
    """As `clean`, on one line: line breaks and tabs become spaces. Inner spacing is kept: names match exactly."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return re.sub(r"[\n\r\t\x0b\x0c\x85\u2028\u2029]+", " ", clean(text))


def fold(text: str) -> str:
    """Without case and accents: what searching and sorting look at."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def sort_key(name: str) -> str:
    """Where a name stands in a list; at most 200 characters, which every index can hold."""
    return " ".join(fold(name).split())[:200]


def near_key(name: str) -> str:
    """Equal for names that differ only in case, spacing, punctuation, accents' form or a company suffix."""
    words = re.sub(r"[^\w\s]", " ", fold(name).replace("'", "").replace("’", "").replace(".", ""))
    words = " ".join(words.replace("_", " ").split())
    for suffix in SUFFIXES:
        if words.endswith(" " + suffix):
            words = words[: -len(suffix)].rstrip()
            break
    return words.replace(" ", "")[:200]


def difference(one: str, other: str) -> str:
    """How two nearly equal names differ, for a person: 'capital letters', 'spacing', 'punctuation' …"""
    if one == other:
        return "nothing"
    if unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other):
        return "how accented letters are written"
    if one.casefold() == other.casefold():
        return "capital letters"
    if one.split() == other.split() or "".join(one.split()) == "".join(other.split()):
        return "spacing"
    if _letters(one) == _letters(other):
        return "punctuation or spacing"
    return "the company suffix"


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", fold(name))


def several(one: str) -> str:
    """The English plural of a word: employees, companies, boxes."""
    if one.endswith("y") and one[-2:-1] not in "aeiou":
        return one[:-1] + "ies"
    return one + ("es" if one.endswith(("s", "x", "ch", "sh")) else "s")
