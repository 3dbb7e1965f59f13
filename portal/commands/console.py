"""How commands speak: plain lines, a progress bar where somebody watches, and exit codes a script can act on."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from portal import start

P = ParamSpec("P")
R = TypeVar("R")
Told = Callable[[str, int, int], None]  # what is under way, how many are done, of how many (0: not known)
TELL_EVERY = 5.0  # seconds between two plain lines of progress
WORTH_TELLING = 1.0  # what takes less is done before it is read


class Exit(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    DONE_WITH_FAILURES = 1
    BAD_USAGE = 2
    NEEDS_A_PERSON = 3
    COULD_NOT_RUN = 4


EXIT_CODES = """\b
Exit codes:
  0  done
  1  done, but some of it failed or was held for a person
  2  the command was not given as it must be
  3  a person has to act first, such as connecting an app again
  4  it could not run; nothing was changed
"""


class Stop(click.ClickException):
    """Ends a command with a sentence and an exit code."""

    def __init__(self, message: str, code: Exit = Exit.COULD_NOT_RUN) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]  # click sets it by class, we by what happened

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file or sys.stderr)


def command(
    group: click.Group, name: str, *, needs_tables: bool = True
) -> Callable[[Callable[P, None]], click.Command]:
    """Make a function a command of a group: app context, tables brought up to date, exit codes in its help."""

    def make(function: Callable[P, None]) -> click.Command:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            if needs_tables:
                bring_up_to_date()
            function(*args, **kwargs)

        return group.command(name, epilog=EXIT_CODES)(with_appcontext(run))

    return make


def bring_up_to_date() -> None:
    """Bring the tables to what this version of the portal works with; ends the command when that cannot be."""
    try:
        start.bring_up_to_date()
    except start.CannotStart as problem:
        raise Stop(str(problem)) from problem


def finish(code: Exit) -> NoReturn:
    """End the command with this code, everything having been said."""
    click.get_current_context().exit(int(code))
    raise AssertionError("click's exit does not return")


def now() -> datetime:
    """The moment, at this edge of the portal."""
    return datetime.now(UTC)


def is_watched() -> bool:
    """Whether a person sees a terminal that can draw."""
    return Console().is_terminal


@contextmanager
def progress() -> Iterator[Told]:
    """A bar on a terminal; elsewhere, once it takes a while, a line for each part of the work and every few seconds."""
    if not is_watched():
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield tell


class _Lines:
    """Progress for logs and pipes."""

    def __init__(self) -> None:
        self._what = ""
        self._began = time.monotonic()
        self._told_at = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        if time.monotonic() - self._began < WORTH_TELLING:
            return
        ended = bool(total) and done >= total
        if what == self._what and not ended and time.monotonic() - self._told_at < TELL_EVERY:
            return
        self._what, self._told_at = what, time.monotonic()
        click.echo(f"{what}: {done:,} of {total:,}" if total else what)
