"""Backups: made while the portal works, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.exc import DatabaseError

from portal import backup, start
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db
from portal.domain.activity import Actor, Origin
from portal.domain.mail import moves

COMMAND = Actor("Command line", Origin.COMMAND)
group = AppGroup("backup", help="Make a backup while the portal works, and restore one.")


@console.command(group, "create", needs_tables=False)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Write over FILE if it exists.")
def create(file: Path, replace: bool) -> None:
    """Write everything the portal holds into FILE. The portal may go on working.

    The encryption keys are not in it: keep a copy of the keys directory somewhere else.
    """
    if file.exists() and not replace:
        raise Stop(f"{file} exists. Give another name, or --replace to write over it.", Exit.BAD_USAGE)
    if not file.absolute().parent.is_dir():
        raise Stop(f"There is no directory {file.absolute().parent}.", Exit.BAD_USAGE)
    with console.progress() as tell, _said_plainly():
        manifest = backup.create(db.engine, file, now=console.now(), progress=tell)
    size = file.stat().st_size / 1_000_000
    click.echo(f"{manifest.rows:,} rows of {len(manifest.tables)} tables are in {file} ({size:,.1f} MB).")
    if not current_app.extensions["settings"].encryption_keys:
        click.echo(f"The keys are not in it. Keep a copy of {current_app.extensions['settings'].keys_dir} elsewhere.")


@console.command(group, "restore", needs_tables=False)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Throw away what the database holds now.")
def restore(file: Path, replace: bool) -> None:
    """Fill the database from FILE, which may come from either kind of database. Stop the portal first.

    The whole backup is put in at once and read back before it counts; if anything is wrong, nothing is changed.
    """
    with console.progress() as tell, _said_plainly():
        manifest = backup.restore(file, replace=replace, migrate=_migrate, progress=tell)
    click.echo(f"{manifest.rows:,} rows of {len(manifest.tables)} tables are back, as of {manifest.made_at}.")
    try:
        start.check_keys()
    except start.CannotStart as problem:
        raise Stop(
            "But the keys here do not open the secrets in this backup. Put back the keys directory that belongs to it, "
            "or every app must be connected again.",
            Exit.NEEDS_A_PERSON,
        ) from problem
    if doubted := moves.doubt_all(console.now(), by=COMMAND):
        click.echo(f"Messages that waited to be sent: {doubted:,}. They may have gone since; a person decides on each.")
    db.session.commit()


def _migrate(revision: str) -> None:
    if not start.move_to(revision):
        raise backup.BackupProblem(
            "This backup comes from a later version of the portal. Install that version, then restore it."
        )


@contextmanager
def _said_plainly() -> Iterator[None]:
    """What goes wrong with a backup ends the command with its sentence; a full disk with what to do about it."""
    try:
        yield
    except backup.BackupProblem as problem:
        raise Stop(str(problem)) from problem
    except OSError as error:
        raise Stop(f"The file cannot be used: {error.strerror}. Nothing was changed.") from error
    except DatabaseError as error:
        raise Stop(
            f"The database did not let it happen: {error.orig}. Nothing was changed. "
            "Look it over with: flask --app app database check"
        ) from error
