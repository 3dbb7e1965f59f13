"""What a person chose under Import: which records come in, as whom, and which stay out (CL-50, DIG-9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from portal.domain.apps import RunKind, SyncRun, ways_of
from portal.domain.carrying import Terms

CHOSEN = "chosen"  # the phase of a preview that was made of such choices
_TO = "to-"


class What(StrEnum):
    """What is to become of a record."""

    PROPOSED = "proposed"  # what matching says: a new client, or the one of its name; nothing where a person has to say
    NEW = "new"  # a new client, as nobody here is like it
    OWN = "own"  # a new client all the same, whoever here is like it
    LINK = "link"  # the client `Choice.client_id`; None: the one matching means
    LEAVE = "leave"  # stays out until somebody brings it in


@dataclass(frozen=True, slots=True)
class Choice:
    what: What
    client_id: int | None = None

    def word(self, row_id: int) -> str:
        """As a form field's value."""
        to_whom = self.what == What.LINK and self.client_id is not None
        return f"{row_id}:{_TO}{self.client_id}" if to_whom else f"{row_id}:{self.what.value}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Choices for single rows, and one for the `rest`: for the rows `shown`, or for the `whole` list of the filter."""

    chosen: Mapping[int, Choice] = field(default_factory=dict)
    rest: What | None = None
    shown: tuple[int, ...] = ()
    whole: bool = False
    verdict: str = ""
    words: str = ""


class NothingChosen(Exception):
    """There is nothing to preview; the text says why."""


def choices_from(values: Iterable[str]) -> tuple[dict[int, Choice], list[int]]:
    """The choices a form sends, and the ids of all rows that were there. What means nothing chooses nothing."""
    chosen: dict[int, Choice] = {}
    rows: list[int] = []
    for value in values:
        row, _, word = value.partition(":")
        if not _is_id(row):
            continue
        rows.append(int(row))
        if word.startswith(_TO) and _is_id(word.removeprefix(_TO)):
            chosen[int(row)] = Choice(What.LINK, int(word.removeprefix(_TO)))
        elif word in (What.NEW, What.OWN, What.LINK, What.LEAVE):
            chosen[int(row)] = Choice(What(word))
    return chosen, rows


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


def waits_because(terms: Terms, app: str) -> str:
    """Why a record nobody here is like does not come in by itself over this connection; empty when it does (XP-20).

    To only send is a reason where somebody narrowed the connection to that; where it is the app's usual way it says
    nothing of who comes in, and the intake alone decides.
    """
    if terms.level == "nothing":
        return "the connection is set to sync nothing; it comes in when somebody chooses it under Import"
    if terms.direction == "to_app" and ways_of(terms.app).directions[0] != "to_app":
        return f"the connection only sends to {app}; it comes in when somebody chooses it under Import"
    if terms.intake == "chosen":
        return "no client here has this name; it comes in when somebody chooses it under Import"
    return ""


def is_chosen(run: SyncRun) -> bool:
    """Whether this is a preview of what somebody chose, rather than of what a sync would do."""
    return run.kind == RunKind.PREVIEW and run.phase == CHOSEN
