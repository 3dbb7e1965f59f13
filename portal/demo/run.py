"""Runs the demo: the sandbox vendors, the portal, and nothing left behind when it ends."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from portal.config import Settings
from portal.demo import children, facts
from portal.demo.children import Child
from portal.sandbox.vendor import addresses

ROOT = Path(__file__).resolve().parent.parent.parent
START_LIMIT = 60.0  # seconds until both must answer
LOOK_EVERY = 0.1
SANDBOX_CLIENT_ID = "counterpart-sandbox"
SANDBOX_SECRET = "sandbox-secret"  # the sandbox asks for one and protects nothing
REGISTERED_WITH = ("XERO", "QUICKBOOKS", "DIGITS")
WEBHOOK_KEY = "sandbox-webhook-key-0001"  # what the sandbox signs with when it tells the portal of a change


class DemoProblem(Exception):
    """The demo cannot start or go on; the text says why and what to do."""


class Demo:
    """One run of the demo, from start to stop. The portal makes its database and the firm itself (gunicorn.conf.py)."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.say = say
        self.children: list[Child] = []
        self.stopping = threading.Event()
        self.mail_port = children.free_port()  # where the sandbox takes the portal's mail

    @property
    def sandbox_url(self) -> str:
        return f"http://localhost:{self.settings.sandbox_port}"

    def run(self) -> None:
        """Returns when somebody has stopped it. Raises `DemoProblem`; either way no process is left."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._check_ports()
        try:
            self._start_sandbox()
            self._start_portal()
            if self._wait_until_both_answer():
                self._have_changes_told()
                self.say(self._banner())
                self._watch()
        finally:
            children.stop(self.children)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping.set()

    def _check_ports(self) -> None:
        for port, name, variable in (
            (self.settings.port, "portal", "PORT"),
            (self.settings.sandbox_port, "sandbox", "SANDBOX_PORT"),
        ):
            if not children.is_free(port):
                raise DemoProblem(
                    f"Port {port}, meant for the {name}, is in use by another program (perhaps by a demo that is still "
                    f"running). Stop that program, or choose another port: make run {variable}={port + 1}"
                )

    def _start_sandbox(self) -> None:
        self.children.append(
            children.start(
                "The sandbox",
                [
                    sys.executable, "-m", "portal.sandbox", "--host", "127.0.0.1",
                    "--port", str(self.settings.sandbox_port), "--mail-port", str(self.mail_port),
                    "--data-dir", str(self.settings.data_dir / "sandbox"),
                    "--clients", str(facts.SANDBOX_CLIENTS), "--seed", str(facts.SEED),
                ],
                log=self.settings.logs_dir / "sandbox.log",
                environment={"PYTHONUNBUFFERED": "1"},
            )
        )  # fmt: skip

    def _start_portal(self) -> None:
        self.children.append(
            children.start(
                "The portal",
                [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "app:create_app()"],
                log=self.settings.logs_dir / "portal.log",
                environment=self._portal_environment(),
            )
        )

    def _portal_environment(self) -> dict[str, str]:
        """As the demo is set, whatever else the environment says: the sandbox, this machine only, no TLS."""
        return {
            "PYTHONUNBUFFERED": "1",
            "PORTAL_DEMO": "1",
            "PORTAL_SCHEDULER": "1",
            "PORTAL_DATA_DIR": str(self.settings.data_dir),
            "HOST": "127.0.0.1",
            "PORT": str(self.settings.port),
            "SANDBOX_PORT": str(self.settings.sandbox_port),
            "WEB_CONCURRENCY": "1",
            "PORTAL_MAIL_URL": f"smtp://127.0.0.1:{self.mail_port}",
            "PORTAL_MAIL_FROM": facts.MAIL_FROM,
            **addresses(self.sandbox_url),
            **{f"{vendor}_CLIENT_ID": SANDBOX_CLIENT_ID for vendor in REGISTERED_WITH},
            **{f"{vendor}_CLIENT_SECRET": SANDBOX_SECRET for vendor in REGISTERED_WITH},
            **{f"{vendor}_WEBHOOK_KEY": WEBHOOK_KEY for vendor in REGISTERED_WITH},
        }

    def _wait_until_both_answer(self) -> bool:
        """False when somebody stopped it meanwhile."""
        waiting = [f"http://127.0.0.1:{self.settings.port}/healthz", f"http://127.0.0.1:{self.settings.sandbox_port}/"]
        deadline = time.monotonic() + START_LIMIT
        while waiting and not self.stopping.wait(LOOK_EVERY):
            self._check_alive()
            waiting = [url for url in waiting if not children.answers(url)]
            if waiting and time.monotonic() > deadline:
                raise DemoProblem(
                    f"{waiting[0]} did not answer within {START_LIMIT:.0f} seconds. "
                    f"See the files in {self.settings.logs_dir}."
                )
        return not self.stopping.is_set()

    def _have_changes_told(self) -> None:
        """The sandbox tells the portal of every change at once, as the vendors' webhooks do."""
        for vendor in REGISTERED_WITH:
            slug = vendor.lower()
            told = {"url": f"http://localhost:{self.settings.port}/hooks/{slug}", "secret": WEBHOOK_KEY}
            children.post(f"http://127.0.0.1:{self.settings.sandbox_port}/control/{slug}/webhooks", told)

    def _watch(self) -> None:
        while not self.stopping.wait(0.5):
            self._check_alive()
        self.say("Stopping …")

    def _check_alive(self) -> None:
        for child in self.children:
            if not child.is_alive:
                raise DemoProblem(child.obituary())

    def _banner(self) -> str:
        address = self.settings.public_url
        lines = (
            f"Counterpart is ready:   {address}",
            "",
            f"Sign in as              {facts.PEOPLE[0][1]}",
            f"with the password       {facts.PASSWORD}",
            "",
            "A proposal waits for its client to accept it, on a phone or here:",
            f"{address}/p/{facts.PROPOSAL_TOKEN}",
            "",
            f"The sandbox vendors:    {self.sandbox_url}",
            f"The mail it sends:      {self.sandbox_url}/mailbox",
            f"Data and logs:          {self.settings.data_dir}",
            "",
            "To stop it all, press Ctrl-C here.",
        )
        width = max(len(line) for line in lines)
        rule = "─" * (width + 4)
        return "\n".join([f"┌{rule}┐", *(f"│  {line:<{width}}  │" for line in lines), f"└{rule}┘"])
