"""Counterpart, wired together: settings, keys, database, apps, screens, commands, schedule. No logic lives here.

`python app.py` serves it on one machine; `flask --app app <command>` runs the commands; `app:create_app()` is what a
server such as gunicorn starts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from environs import EnvError
from flask import Flask
from flask_migrate import Migrate

from jobs import schedule
from portal import commands, config, db, integrations, keys, start, web
from portal.config import Settings
from portal.domain import tables as _tables  # noqa: F401  # importing it is what makes every table known

ROOT = Path(__file__).resolve().parent
CHATTY = ("alembic", "apscheduler")  # they tell of every look they take


def create_app(settings: Settings | None = None, *, migrate: bool = True) -> Flask:
    """The whole portal. `migrate=False` leaves the tables as they are, for tests that bring their own."""
    settings = settings or _from_environment()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)

    app = Flask(__name__, root_path=str(ROOT))
    app.extensions["settings"] = settings
    with _said_plainly():
        app.config["SECRET_KEY"], *older = keys.secret_keys(settings)
        vault = keys.Vault(keys.encryption_keys(settings))
        integrations.configure(settings)
    app.config["SECRET_KEY_FALLBACKS"] = older
    db.init(app, settings.database_url, vault)
    Migrate(app, db.db, directory=str(ROOT / "migrations"), render_as_batch=True, compare_type=True)
    if migrate and not commands.is_under_way():
        with app.app_context():
            start.prepare(settings)
    web.register(app, integrations.consent_origins())
    commands.register(app)
    if settings.scheduler and not commands.is_under_way():
        schedule.start(app)
    return app


def _from_environment() -> Settings:
    with _said_plainly():
        return config.from_environment()


@contextmanager
def _said_plainly() -> Iterator[None]:
    """A setting that cannot be used ends the process with a sentence, whoever started it: a server or a command."""
    try:
        yield
    except (EnvError, keys.KeyProblem, ValueError) as problem:
        raise SystemExit(str(problem)) from problem


if __name__ == "__main__":
    served = create_app()
    chosen: Settings = served.extensions["settings"]
    served.run(host=chosen.host, port=chosen.port, threaded=True, use_reloader=False)
