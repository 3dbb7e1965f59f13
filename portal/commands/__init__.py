"""The commands: `flask --app app <group> <command>`. One file a group; being here is all it takes to be offered.

Commands are an edge like the screens: they ask domain verbs and the shells, commit once, and say in plain words what
came of it. Their exit codes are the same everywhere; see `portal.commands.console`.
"""

from __future__ import annotations

import importlib
import pkgutil

import click
from flask import Flask

SERVERS = frozenset({"run"})  # flask's own command that serves


def register(app: Flask) -> None:
    """Offer every group of this folder."""
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        group = getattr(importlib.import_module(f"{__name__}.{found.name}"), "group", None)
        if isinstance(group, click.Command):
            app.cli.add_command(group)


def is_under_way() -> bool:
    """Whether the app is being made for a command: it then leaves tables and schedule alone."""
    context = click.get_current_context(silent=True)
    return context is not None and context.info_name not in SERVERS
