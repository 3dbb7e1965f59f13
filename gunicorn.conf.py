"""How the portal is served: gunicorn -c gunicorn.conf.py 'app:create_app()'.

One worker with eight threads serves a firm of any ordinary size. More workers (WEB_CONCURRENCY) are harmless: every
job and every run is claimed in the database, and done once.
"""

from __future__ import annotations

from typing import Any

from environs import EnvError

from portal.config import from_environment
from portal.integrity import DatabaseDamaged, refuse_damaged_file
from portal.keys import KeyProblem, encryption_keys, secret_keys

# gunicorn takes every name here that it knows for a setting of its own, so modules are not imported whole.
try:
    settings = from_environment()
except EnvError as problem:
    raise SystemExit(str(problem)) from problem

bind = f"{settings.host}:{settings.port}"
worker_class = "gthread"
threads = 8
timeout = 60
# Work under way hands its lease back within this many seconds of a stop; the demo is stopped by impatient people.
graceful_timeout = 3 if settings.demo else 25
keepalive = 5
accesslog = None  # addresses of pages can carry one-time secrets
errorlog = "-"
loglevel = settings.log_level.lower()
control_socket_disable = True
proc_name = "counterpart"


def on_starting(_server: Any) -> None:
    """Refuse to start on a damaged database; make the keys once, before several workers would at the same time."""
    try:
        refuse_damaged_file(settings.database_url)
        secret_keys(settings)
        encryption_keys(settings)
    except (DatabaseDamaged, KeyProblem) as problem:
        raise SystemExit(str(problem)) from problem


def post_worker_init(worker: Any) -> None:
    """The demo's portal makes its firm before it answers anybody."""
    if settings.demo:
        from portal.demo import firm

        firm.found_on_first_start(worker.wsgi)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Have runs under way hand back before Python waits for their threads."""
    from jobs import schedule

    schedule.stop()
