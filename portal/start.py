"""What has to hold before the portal serves anybody: a sound database file, the right tables, keys that fit.

Whoever starts it learns in one sentence what is wrong; nothing is served on half a footing. All of it runs inside an
app context.
"""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import downgrade, upgrade

from portal import integrity
from portal.config import Settings
from portal.db import db, reading
from portal.domain import people
from portal.keys import KeyProblem

TOO_NEW = (
    "The tables were made by a later version of the portal than this one. Install that version again, or restore a "
    "backup that was made before the upgrade."
)
WRONG_KEYS = (
    "The encryption keys are not those this database was used with, so its secrets cannot be opened. Put back the keys "
    "directory that belongs to it (or PORTAL_ENCRYPTION_KEYS), with earlier keys behind the current one."
)


class CannotStart(Exception):
    """The portal must not serve; the text says why and what an operator does about it."""


def prepare(settings: Settings) -> None:
    """Everything above, in order. Raises `CannotStart`."""
    try:
        integrity.refuse_damaged_file(settings.database_url)
    except integrity.DatabaseDamaged as problem:
        raise CannotStart(str(problem)) from problem
    bring_up_to_date()
    check_keys()


def bring_up_to_date() -> None:
    """Bring the tables to what this version works with; does nothing when they are. Raises `CannotStart`."""
    present, newest = revisions()
    if present == newest:
        return
    if present is not None and present not in known_revisions():
        raise CannotStart(TOO_NEW)
    upgrade()


def check_keys() -> None:
    """Open the text that was closed when the firm was set up. Raises `CannotStart`."""
    try:
        with reading():
            people.the_firm()
            db.session.rollback()
    except KeyProblem as problem:
        raise CannotStart(WRONG_KEYS) from problem


def move_to(revision: str) -> bool:
    """Bring an empty database to any revision, in either direction. False when this version does not know it."""
    present, newest = revisions()
    wanted = newest if revision == "head" else revision
    if wanted is None or wanted not in known_revisions():
        return False
    if present is not None and present != wanted and wanted in _before(present):
        downgrade(revision=wanted)
    elif present != wanted:
        upgrade(revision=wanted)
    return True


def revisions() -> tuple[str | None, str | None]:
    """The tables' revision (None: there are none yet), and the one this version of the portal works with."""
    with reading(), db.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    return present, _scripts().get_current_head()


def known_revisions() -> set[str]:
    """Every revision this version of the portal knows."""
    return {script.revision for script in _scripts().walk_revisions()}


def _before(revision: str) -> set[str]:
    return {script.revision for script in _scripts().iterate_revisions(revision, "base")} - {revision}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(current_app.extensions["migrate"].directory)
