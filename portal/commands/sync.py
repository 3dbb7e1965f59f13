"""Syncs from the command line: run one and watch it, or see how every app stands."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from signal import SIGINT, SIGTERM
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from jobs import queue
from portal import integrations
from portal import sync as syncs
from portal.adapters.base import AppInfo
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db, reading
from portal.domain import connections, runs
from portal.domain.activity import Actor, Origin
from portal.domain.apps import Connection, ConnectionState, Outcome, RunKind, RunState, RunTrigger, SyncRun

COMMAND = Actor("Command line", Origin.COMMAND)
LOOK_EVERY = 0.25
SHOWN = 50  # rows of a preview that are printed; the page has them all
NOT_ALL_WELL = (Outcome.FAILED, Outcome.QUARANTINED, Outcome.HELD_BACK)
ENDED: dict[RunState, Exit] = {
    RunState.DONE: Exit.DONE,
    RunState.HELD: Exit.DONE_WITH_FAILURES,
    RunState.PARTIAL: Exit.DONE_WITH_FAILURES,
    RunState.CANCELLED: Exit.DONE_WITH_FAILURES,
    RunState.INTERRUPTED: Exit.DONE_WITH_FAILURES,
    RunState.FAILED: Exit.COULD_NOT_RUN,
}


class Apps(AppGroup):
    """`sync status`, and for every app a command of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *(info.slug for info in integrations.all_apps())])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = super().get_command(ctx, name)
        if found is None:
            for info in integrations.all_apps():
                if info.slug == name:
                    return _command_for(info)
        return found


group = Apps("sync", help="Bring clients in step with an app now, and see how every app stands.")


def _command_for(info: AppInfo) -> click.Command:
    at_hand = AppGroup()

    @console.command(at_hand, info.slug)
    @click.option("--preview", is_flag=True, help="Only look, and print what a sync would do. Nothing is changed.")
    @click.option("--connection", "connection_id", type=int, help="Which connection, where there are several.")
    @click.option("--full", is_flag=True, help="Read every record, not only what changed since the last look.")
    def run(preview: bool, connection_id: int | None, full: bool) -> None:
        chosen = _chosen(info, connection_id)
        kind = RunKind.PREVIEW if preview else RunKind.SYNC
        made, joined = syncs.request_run(
            chosen, kind=kind, trigger=RunTrigger.COMMAND, by=COMMAND, now=console.now(), full=full
        )
        run_id, account = made.id, chosen.account_name
        db.session.commit()
        if joined:
            click.echo(f"A sync of {account} is under way already; this is how it goes.")
        else:
            click.echo(f"{'Looking at' if preview else 'Bringing clients in step with'} {account} in {info.name}.")
        _watch(run_id, work=not joined)
        console.finish(_report(run_id, info))

    run.help = f"Bring clients in step with {info.name} now. Ctrl-C stops it after the record in hand."
    return run


def _chosen(info: AppInfo, connection_id: int | None) -> Connection:
    found = [one for one in connections.of_app(info.slug) if one.state != ConnectionState.CHOOSING]
    address = f"{current_app.extensions['settings'].public_url}/apps"
    if connection_id is not None:
        found = [one for one in found if one.id == connection_id]
        if not found:
            raise Stop(f"There is no connection {connection_id} of {info.name}.", Exit.BAD_USAGE)
    if not found:
        raise Stop(f"{info.name} is not connected. Connect it at {address}", Exit.NEEDS_A_PERSON)
    if len(found) > 1:
        listed = "\n".join(f"  --connection {one.id}  {one.account_name}" for one in found)
        raise Stop(f"{info.name} is connected to several accounts. Say which:\n{listed}", Exit.BAD_USAGE)
    if not found[0].is_usable:
        raise Stop(
            f"The connection to {found[0].account_name} is not working: {found[0].state_reason} "
            f"Connect it again at {address}",
            Exit.NEEDS_A_PERSON,
        )
    return found[0]


@dataclass(frozen=True)
class Seen:
    """A run at one moment."""

    state: RunState
    what: str
    done: int
    total: int
    message: str


def _look(run_id: int) -> Seen:
    with reading():
        run = db.session.get_one(SyncRun, run_id)
        seen = Seen(
            RunState(run.state), runs.PHASES.get(run.phase, "Under way"), run.done, run.total, run.message or ""
        )
        db.session.remove()
    return seen


def _watch(run_id: int, *, work: bool) -> None:
    """Show how it goes until it has ended. Ctrl-C stops the run; TERM hands it back for the portal to go on with."""
    queue.use(current_app._get_current_object())  # type: ignore[attr-defined]  # the proxy stands for the app
    future = queue.submit(syncs.work, run_id) if work else None
    with console.progress() as tell, _asked() as asked:
        while _is_under_way(run_id, future, tell):
            if SIGINT in asked:
                asked.clear()
                _stop(run_id)
            if SIGTERM in asked:
                queue.stopping.set()
            time.sleep(LOOK_EVERY)
    queue.stop()


def _is_under_way(run_id: int, future: Future[Any] | None, tell: console.Told) -> bool:
    seen = _look(run_id)
    if seen.state.is_open:
        tell(seen.message or seen.what, seen.done, seen.total)
    return seen.state.is_open if future is None else not future.done()


@contextmanager
def _asked() -> Iterator[set[int]]:
    """The signals that have come, to be acted on between two looks and never in the middle of one."""
    came: set[int] = set()
    before = {number: signal.signal(number, lambda number, _: came.add(number)) for number in (SIGINT, SIGTERM)}
    try:
        yield came
    finally:
        for number, act in before.items():
            signal.signal(number, act)


def _stop(run_id: int) -> None:
    click.echo("Stopping after the record in hand …", err=True)
    syncs.ask_to_stop(db.session.get_one(SyncRun, run_id), by=COMMAND, now=console.now())
    db.session.commit()


def _report(run_id: int, info: AppInfo) -> Exit:
    run = db.session.get_one(SyncRun, run_id)
    state = RunState(run.state)
    if run.kind == RunKind.PREVIEW and state == RunState.DONE:
        _print_plan(run)
    click.echo(f"{info.name} {run.connection.account_name}: {runs.STATE_WORDS[state]}, {runs.summary(run)}.")
    if run.message:
        click.echo(run.message)
    if run.connection.state == ConnectionState.NEEDS_RECONNECT:
        return Exit.NEEDS_A_PERSON
    if state == RunState.DONE and any(run.counts.get(one.value) for one in NOT_ALL_WELL):
        return Exit.DONE_WITH_FAILURES
    return ENDED.get(state, Exit.DONE_WITH_FAILURES)


def _print_plan(run: SyncRun) -> None:
    rows = runs.items(run, limit=SHOWN + 1)
    for row in rows[:SHOWN]:
        fields = ", ".join(dict.fromkeys(str(one.get("label") or one.get("key", "")) for one in row.plan))
        what = runs.WOULD_DO[Outcome(row.outcome)][0]
        click.echo(f"  {what:<18} {row.name}{': ' + fields if fields else ''}{'; ' + row.reason if row.reason else ''}")
    address = f"{current_app.extensions['settings'].public_url}/apps/{run.connection_id}/previews/{run.id}"
    click.echo(f"  … and more. All of it, to be ticked and applied: {address}" if len(rows) > SHOWN else
               f"To tick and apply it: {address}")  # fmt: skip


@console.command(group, "status")
def status() -> None:
    """How every app stands: connected to what, when it was last in step, what runs now."""
    needs_a_person = False
    for info in integrations.all_apps():
        found = connections.of_app(info.slug)
        if not found:
            click.echo(f"{info.name}: not connected")
        for one in found:
            needs_a_person |= one.state == ConnectionState.NEEDS_RECONNECT
            click.echo(f"{info.name}: {one.account_name} (connection {one.id}), {_standing(one)}")
    console.finish(Exit.NEEDS_A_PERSON if needs_a_person else Exit.DONE)


def _standing(connection: Connection) -> str:
    if connection.state == ConnectionState.CHOOSING:
        return "signed in, waiting for a person to switch it on"
    if connection.state == ConnectionState.NEEDS_RECONNECT:
        return f"must be connected again: {connection.state_reason}"
    last = connection.last_synced_at
    told = f"last in step {last:%Y-%m-%d %H:%M} UTC" if last else "never synced"
    latest = runs.latest(connection)
    if latest is not None:
        told += f", latest run {runs.STATE_WORDS[RunState(latest.state)]}"
        told += f" ({runs.summary(latest)})" if not RunState(latest.state).is_open else ""
    return told
