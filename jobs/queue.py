"""Where background work runs: threads of this process. `submit` is the one door; callers never know more.

What is submitted is only a nudge: every piece of work has its own row in the database, so a nudge lost with its process
is found again by the next tick.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from flask import Flask

from portal.db import db

log = logging.getLogger(__name__)
WORKERS = 4

stopping = threading.Event()  # set when the process is going down; long work looks at it and hands back
_app: Flask | None = None
_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def use(app: Flask) -> None:
    """The app whose context background work runs in. Work starts only when something is submitted."""
    global _app
    _app = app
    stopping.clear()


def submit(function: Callable[..., Any], *args: Any) -> Future[Any]:
    """Run `function(*args)` in the background, in an app context of its own."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="work")
        return _pool.submit(_run, function, args)


def _run(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    assert _app is not None, "queue.use(app) comes first"
    with _app.app_context():
        try:
            return function(*args)
        except Exception:  # raised on: nobody may be waiting for the result, so the log has to tell
            log.exception("background work %s failed", getattr(function, "__name__", function))
            raise
        finally:
            db.session.remove()


def stop(wait: float = 20.0) -> None:
    """Ask running work to hand back and wait for it, at most `wait` seconds."""
    global _pool
    stopping.set()
    with _lock:
        pool, _pool = _pool, None
    if pool is None:
        return
    done = threading.Thread(target=lambda: pool.shutdown(wait=True, cancel_futures=True), daemon=True)
    done.start()
    done.join(wait)


def finish() -> None:
    """Wait until everything submitted is done, and what that submitted. For commands, which end afterwards."""
    global _pool
    while True:
        with _lock:
            pool, _pool = _pool, None
        if pool is None:
            return
        pool.shutdown(wait=True)
