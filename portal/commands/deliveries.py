"""`deliveries`: send what is due, see what waits, and prove that every invoice is in its ledger once."""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from portal import deliveries as shell
from portal import integrations
from portal.adapters.base import AdapterError
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db
from portal.domain import connections, deliveries, invoices, ledgers
from portal.domain.apps import Connection
from portal.domain.csv_cells import safe_cell
from portal.domain.deliveries import certificate
from portal.domain.deliveries.certificate import Certificate, Comparison

group = AppGroup("deliveries", help="Invoices and payments on their way to the ledgers; the proof that each went once.")

DAY = click.DateTime(formats=["%Y-%m-%d"])


@console.command(group, "send")
def send() -> None:
    """Send what is due now, as the schedule does by itself."""
    taken = shell.deliver_due(console.now())
    click.echo(f"{taken} taken up.")
    _tell_stuck()


@console.command(group, "status")
def status() -> None:
    """How many wait, and what needs a person."""
    for connection in ledgers.in_use():
        counts = deliveries.counts(connection.id)
        told = ", ".join(f"{many:,} {word}" for word, many in counts.items()) or "nothing was ever sent"
        click.echo(f"{connections.label(connection)} {connection.account_name}: {told}")
    _tell_stuck()


@console.command(group, "certificate")
@click.argument("number", required=False)
@click.option("--app", "slug", help="The ledger whose period is compared, by its short name in addresses.")
@click.option("--connection", "connection_id", type=int, help="Which connection, where there are several.")
@click.option("--from", "first", type=DAY, help="First day of issue, YYYY-MM-DD.")
@click.option("--to", "last", type=DAY, help="Last day of issue.")
@click.option("--csv", "path", type=click.Path(dir_okay=False), help="Write every row there; - for the terminal.")
def certify(
    number: str | None, slug: str | None, connection_id: int | None, first: datetime | None, last: datetime | None,
    path: str | None,
) -> None:  # fmt: skip
    """Of one invoice by its NUMBER, or of a period compared live with the ledger."""
    if number:
        _one(number)
        return
    if first is None or last is None:
        raise Stop("Say which period: --from and --to, or the number of an invoice.", Exit.BAD_USAGE)
    _period(_chosen(slug, connection_id), first.date(), last.date(), path)


def _one(number: str) -> None:
    invoice = invoices.by_number(number)
    if invoice is None:
        raise Stop(f"There is no invoice {number}.", Exit.BAD_USAGE)
    found = certificate.of_invoice(invoice)
    if not found:
        click.echo(f"Invoice {number} was never meant for a ledger.")
    for one in found:
        _print(one)
    console.finish(Exit.DONE)


def _print(one: Certificate) -> None:
    click.echo(f"{one.what.capitalize()} to {one.app} {one.account}: {one.state.value}")
    click.echo(f"  sign {one.mark}, key {one.key}")
    for step in one.steps:
        ended = f"{step.ended_at:%H:%M:%S}" if step.ended_at else "…"
        words = f": {step.words}" if step.words else ""
        click.echo(f"  {step.began_at:%Y-%m-%d %H:%M:%S} to {ended} UTC  {step.act:<6} {step.answer}{words}")
    if one.remote_id:
        how = "found there" if one.adopted else "created"
        click.echo(f"  the one record: {one.remote_id} {one.remote_number} ({how})")


def _period(connection: Connection, first: date, last: date, path: str | None) -> None:
    try:
        found = shell.compare(connection, first, last, now=console.now())
    except AdapterError as error:
        raise Stop(f"It could not be compared: {error.message}", Exit.COULD_NOT_RUN) from error
    if path is not None:
        _write(found, path)
    click.echo(
        f"{found.app} {found.account}, invoices of {first} to {last}: {found.invoices:,} delivered, "
        f"{found.ledger_records:,} records in the ledger, {found.extra:,} extra, {found.missing:,} missing.",
        err=path == "-",
    )
    for row in found.rows:
        if row.verdict not in (certificate.ONCE, certificate.NOT_YET):
            click.echo(f"  {row.invoice.number} {certificate.VERDICTS[row.verdict]}: {row.words}", err=path == "-")
    console.finish(Exit.DONE if found.is_clean else Exit.DONE_WITH_FAILURES)


def _write(found: Comparison, path: str) -> None:
    rows = [[safe_cell(cell) for cell in row] for row in certificate.as_table(found)]
    if path == "-":
        csv.writer(sys.stdout).writerows(rows)
        return
    with Path(path).open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def _chosen(slug: str | None, connection_id: int | None) -> Connection:
    found = [one for one in ledgers.in_use() if slug in (None, one.app) and connection_id in (None, one.id)]
    if not found:
        known = ", ".join(info.slug for info in integrations.all_apps())
        raise Stop(f"No ledger like that is connected (apps: {known}).", Exit.BAD_USAGE)
    if len(found) > 1:
        listed = "\n".join(f"  --connection {one.id}  {one.app} {one.account_name}" for one in found)
        raise Stop(f"Several ledgers are connected. Say which:\n{listed}", Exit.BAD_USAGE)
    return found[0]


def _tell_stuck() -> None:
    stuck = deliveries.stuck(limit=20)
    carried = deliveries.carried(stuck)
    for row in stuck[:20]:
        named = " ".join(str(value) for value in carried[row.id].facts.values())
        click.echo(f"  {row.kind} {named} to {connections.label(row.connection)}: {row.reason}")
    if len(stuck) > 20:
        click.echo("  … and more.")
    db.session.rollback()
    console.finish(Exit.DONE_WITH_FAILURES if stuck else Exit.DONE)
