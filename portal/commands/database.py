"""The database: brought up to date, and looked over."""

from __future__ import annotations

import click
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask.cli import AppGroup

from portal import integrity
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db, reading

group = AppGroup("database", help="Bring the database up to date, and look it over.")


@console.command(group, "upgrade", needs_tables=False)
def upgrade() -> None:
    """Bring the tables to what this version of the portal expects. Make a backup first."""
    before, wanted = revisions()
    if before == wanted:
        click.echo("The database is up to date.")
        return
    if before is not None and before not in known_revisions():
        raise Stop(_TOO_NEW)
    console.bring_up_to_date()
    click.echo("The database is up to date now.")


@console.command(group, "check", needs_tables=False)
def check() -> None:
    """Look the whole database over: damage, rows that point nowhere, the wrong version. Reads everything once."""
    found = []
    with reading(), db.engine.connect() as connection:
        found += integrity.problems(connection)
        if not found:
            present, wanted = revisions()
            if present not in (wanted, None):
                found.append(_TOO_OLD if present in known_revisions() else _TOO_NEW)
    if found:
        click.echo("\n".join(found))
        raise Stop(
            "The database is not sound. See docs/operating.md, “When the database is damaged”.", Exit.NEEDS_A_PERSON
        )
    click.echo("The database is sound.")


_TOO_OLD = "The tables are older than this version of the portal. Run: flask --app app database upgrade"
_TOO_NEW = "The tables were made by a later version of the portal. Install that version, or restore an earlier backup."


def revisions() -> tuple[str | None, str | None]:
    """The schema's present revision (None: no tables yet), and the one this version of the portal expects."""
    with reading(), db.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present, _scripts().get_current_head()


def known_revisions() -> set[str]:
    """Every revision this version of the portal knows."""
    return {script.revision for script in _scripts().walk_revisions()}


def revisions_before(revision: str) -> set[str]:
    """Every revision that this one builds on."""
    return {script.revision for script in _scripts().iterate_revisions(revision, "base")} - {revision}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(current_app.extensions["migrate"].directory)
