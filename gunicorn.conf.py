"""How the portal is served: gunicorn -c gunicorn.conf.py 'app:create_app()'.

One worker with eight threads serves a firm of any ordinary size. More workers (WEB_CONCURRENCY) are harmless: every
job and every run is claimed in the database, and done once.
"""

from __future__ import annotations

from typing import Any

from portal import config, integrity, keys

settings = config.from_environment()

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
    integrity.refuse_damaged_file(settings.database_url)
    keys.secret_keys(settings)
    keys.encryption_keys(settings)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Have runs under way hand back before Python waits for their threads."""
    from jobs import schedule

    schedule.stop()
