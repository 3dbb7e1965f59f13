"""The database: brought up to date, and looked over."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DatabaseError

from portal import integrity, start
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db, reading
from portal.domain import schedule
from portal.domain.invoices import kept
from portal.start import CannotStart

group = AppGroup("database", help="Bring the database up to date, and look it over.")


@console.command(group, "upgrade", needs_tables=False)
def upgrade() -> None:
    """Bring the tables to what this version of the portal works with. Make a backup first."""
    before, newest = start.revisions()
    console.bring_up_to_date()
    click.echo("The database was up to date." if before == newest else "The database is up to date now.")


@console.command(group, "check", needs_tables=False)
def check() -> None:
    """Look the whole database over: damage, rows that point nowhere, tables of another version, keys that do not fit.

    Reads everything once; the portal may go on working.
    """
    found = _problems_of_version() or _problems_of_content() or _problems_of_keys()
    if found:
        click.echo("\n".join(found))
        raise Stop(
            "The database is not sound. See docs/operating.md, “When the database is damaged”.", Exit.NEEDS_A_PERSON
        )
    click.echo("The database is sound.")


@console.command(group, "recount")
def recount() -> None:
    """Count anew how many invoices there are and what they come to, which is otherwise kept while they change.

    Whoever issues or settles an invoice meanwhile waits for it.
    """
    was_wrong = kept.recount(schedule.today(datetime.now(UTC)))
    db.session.commit()
    click.echo("The sums were wrong, and are right now." if was_wrong else "The sums were right.")


def _problems_of_version() -> list[str]:
    try:
        present, newest = start.revisions()
    except DatabaseError as error:
        return [f"The database cannot be read: {error.orig}."]
    if present == newest:
        return []
    if present is None:
        return ["There are no tables yet. Run: flask --app app database upgrade"]
    if present in start.known_revisions():
        return ["The tables are older than this version of the portal. Run: flask --app app database upgrade"]
    return [start.TOO_NEW]


def _problems_of_content() -> list[str]:
    with reading(), db.engine.connect() as connection:
        return integrity.problems(connection)


def _problems_of_keys() -> list[str]:
    try:
        start.check_keys()
    except CannotStart as problem:
        return [str(problem)]
    return []
