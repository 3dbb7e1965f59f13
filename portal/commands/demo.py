"""The demo: run it, and give it more clients."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from portal.commands import console
from portal.commands.console import Stop
from portal.config import Settings
from portal.db import db

group = AppGroup("demo", help="Try the portal with a demo firm and stand-ins for the vendors.")


@console.command(group, "run", needs_tables=False)
def run() -> None:
    """Start the portal and the sandbox vendors on this machine; Ctrl-C stops both.

    PORT and SANDBOX_PORT say where, PORTAL_DATA_DIR and PORTAL_DATABASE_URL where it is kept.
    """
    from portal.demo.run import Demo, DemoProblem

    try:
        Demo(current_app.extensions["settings"], say=click.echo).run()
    except DemoProblem as problem:
        raise Stop(str(problem)) from problem


@console.command(group, "load")
@click.option("--clients", "count", type=click.IntRange(1, 100_000), required=True, help="How many it is to hold.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed makes the same clients.")
def load(count: int, seed: int) -> None:
    """Fill the running sandbox anew with so many clients, and put those the firm would hold already into the portal.

    What the sandbox held before is gone, so links to it break: this is for a demo, and for measuring.
    """
    from portal.demo import firm
    from portal.sandbox.client import Control, ControlError

    settings: Settings = current_app.extensions["settings"]
    try:
        Control(f"http://127.0.0.1:{settings.sandbox_port}").load(count, seed)
    except ControlError as problem:
        raise Stop(f"The sandbox refused: {problem}") from problem
    except OSError as problem:
        raise Stop(
            f"No sandbox answers on port {settings.sandbox_port}. Start it with: make run (or set SANDBOX_PORT)."
        ) from problem
    with console.progress() as tell:
        added = firm.hold_clients(
            count, seed, now=console.now(), counted=lambda done, total: tell("Clients of the firm", done, total)
        )
    db.session.commit()
    click.echo(f"The sandbox holds {count:,} clients; {added:,} were added to the portal.")
