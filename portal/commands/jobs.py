"""Recurring work: what there is, and doing one now."""

from __future__ import annotations

from datetime import timedelta

import click
from flask import current_app
from flask.cli import AppGroup

from jobs import queue, schedule
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db

group = AppGroup("jobs", help="See the recurring work, and do some of it now.")


@console.command(group, "list")
def listed() -> None:
    """Every job, what it does and how often."""
    for job in schedule.JOBS:
        click.echo(f"{job.name:<16} {_how_often(job.every):<16} {job.what}")


def _how_often(every: timedelta | None) -> str:
    if every is None:
        return "when it is due"
    hours, minutes = divmod(int(every.total_seconds()) // 60, 60)
    return f"every {hours} hours" if hours and not minutes else f"every {int(every.total_seconds()) // 60} minutes"


@console.command(group, "run")
@click.argument("name")
def run(name: str) -> None:
    """Do the job NAME now, once, whatever its schedule; what is claimed already is not done again."""
    job = next((one for one in schedule.JOBS if one.name == name), None)
    if job is None:
        known = ", ".join(one.name for one in schedule.JOBS)
        raise Stop(f"There is no job {name}. There are: {known}.", Exit.BAD_USAGE)
    queue.use(current_app._get_current_object())  # type: ignore[attr-defined]  # the proxy stands for the app
    try:
        job.run(console.now())
        db.session.commit()
    except Exception as error:  # whatever it is, the command ends with a sentence and its cause
        db.session.rollback()
        raise Stop(f"The job {name} did not get done: {error}") from error
    finally:
        queue.finish()
    click.echo(f"Done: {job.what}.")
