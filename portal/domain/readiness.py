"""Whether the tables are those this version of the portal works with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from portal.db import db


def tables_are_current(migrations: Path) -> bool:
    """`migrations` is the folder of the migration scripts. True as long as it holds none."""
    newest = _newest(migrations)
    return not newest or set(MigrationContext.configure(db.session.connection()).get_current_heads()) == newest


@cache
def _newest(migrations: Path) -> frozenset[str]:
    if not any((migrations / "versions").glob("*.py")):
        return frozenset()
    return frozenset(ScriptDirectory(str(migrations)).get_heads())
