"""Puts the vendors together and serves them: as a command, or inside a test."""

from __future__ import annotations

import ipaddress
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from portal.sandbox import control, mailbox_pages, pages, webhooks
from portal.sandbox.calls import CallLog
from portal.sandbox.client import Control
from portal.sandbox.clock import Clock
from portal.sandbox.context import Refused, Sandbox, Switches
from portal.sandbox.faults import Faults
from portal.sandbox.intercept import Intercept
from portal.sandbox.limits import Limits
from portal.sandbox.mailbox import listening
from portal.sandbox.store import Store
from portal.sandbox.vendor import discover

POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"


def open_box(data_dir: Path) -> Sandbox:
    """The sandbox over one data directory, with every vendor's tables in place."""
    store = Store(data_dir / "sandbox.sqlite3")
    vendors = discover()
    for vendor in vendors:
        store.install(vendor.schema)
    clock = Clock(store.setting("clock"), lambda saved: store.keep_setting("clock", saved))
    declared = {name: switch for vendor in vendors for name, switch in vendor.switches.items()}
    return Sandbox(store, clock, Switches(store, declared), Limits(store, clock), Faults(), CallLog(), vendors)


def fill_when_new(box: Sandbox, clients: int, seed: int) -> bool:
    """Load the demo on the very first start; whether it did."""
    if box.store.setting("demo") is not None:
        return False
    control.start_over(box, clients, seed)
    return True


def create_app(box: Sandbox) -> Flask:
    """The Flask app around a sandbox. Serve it through `Intercept`, or nothing is recorded."""
    app = Flask(__name__, static_url_path="/sandbox-static")
    app.extensions["sandbox"] = box
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    own = (control.blueprint, pages.blueprint, mailbox_pages.blueprint)
    for blueprint in (*own, *(one for vendor in box.vendors for one in vendor.blueprints)):
        app.register_blueprint(blueprint)
    app.before_request(_only_from_here)
    app.after_request(_strict_headers)
    app.register_error_handler(Refused, _refused)
    return app


def _only_from_here() -> Response | None:
    """The controls answer this machine only, and no page of another site."""
    if request.environ.get("sandbox.call"):
        return None
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    local_name = request.host.rsplit(":", 1)[0].strip("[]") in ("localhost", "127.0.0.1", "::1")
    if foreign or not local_name or not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:
        return Response("The sandbox is controlled from this machine only.\n", 403, content_type="text/plain")
    return None


def _strict_headers(response: Response) -> Response:
    if response.mimetype == "text/html" or not request.environ.get("sandbox.call"):
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
    return response


def _refused(reason: Refused) -> tuple[Response | str, int]:
    if request.path.startswith("/control/"):
        return jsonify(error=str(reason)), reason.status
    return render_template("refused.html", reason=str(reason)), reason.status


class Handler(WSGIRequestHandler):
    """Quiet, without the pause small packets cause, and dated by the sandbox's clock."""

    disable_nagle_algorithm = True
    clock: Clock | None = None

    def log(self, type: str, message: str, *args: Any) -> None:
        """Only what went wrong in here is worth a line."""
        if type == "error":
            super().log(type, message, *args)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header."""
        return formatdate(self.clock.seconds() if timestamp is None and self.clock else timestamp, usegmt=True)


def build_server(box: Sandbox, host: str, port: int) -> BaseWSGIServer:
    """Bound and ready to serve; port 0 takes a free one."""
    handler = type("Handler", (Handler,), {"clock": box.clock})
    app: Any = Intercept(create_app(box), box)
    return make_server(host, port, app, threaded=True, request_handler=handler)


def serve(host: str, port: int, data_dir: Path, clients: int, seed: int, mail_port: int | None = None) -> None:
    """Serve until told to stop by SIGTERM or SIGINT. With a `mail_port` the mailbox listens there."""
    began = time.perf_counter()
    box = open_box(data_dir)
    new = fill_when_new(box, clients, seed)
    server = build_server(box, host, port)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    news = "new demo data, " if new else ""
    sys.stdout.write(
        f"Sandbox vendors on http://{host}:{server.port} ({news}ready in {time.perf_counter() - began:.1f} s)\n"
    )
    sys.stdout.flush()
    with ExitStack() as around:
        around.callback(box.store.close)
        around.callback(webhooks.quiet, box)
        around.callback(server.server_close)
        if mail_port is not None:
            around.enter_context(listening(box.mailbox, mail_port))
        server.serve_forever(poll_interval=0.1)


@dataclass
class Running:
    """A sandbox that serves: its address, its controls, and the object itself."""

    url: str
    control: Control
    box: Sandbox


@contextmanager
def running_sandbox(
    clients: int = 60, seed: int = 7, data_dir: Path | None = None, port: int = 0, *, mail_port: int | None = None
) -> Iterator[Running]:
    """A sandbox on a free port in this process, gone at the end of the block. With a `mail_port` (0: a free one) its
    mailbox listens: `running.box.mailbox`.

    Without `data_dir` nothing is kept; with one, a second start finds what the first one left.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-") as passing:
        box = open_box(data_dir or Path(passing))
        fill_when_new(box, clients, seed)
        server = build_server(box, "127.0.0.1", port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.port}"
        try:
            with listening(box.mailbox, mail_port) if mail_port is not None else nullcontext():
                yield Running(url, Control(url), box)
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)
            webhooks.quiet(box)
            box.store.close()
