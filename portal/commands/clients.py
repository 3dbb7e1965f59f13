"""Clients in and out of CSV files, the same as on the Clients screen."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import click
from flask.cli import AppGroup

from portal import integrations
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.db import db, reading
from portal.domain import client_csv, client_list
from portal.domain.activity import Actor, Origin
from portal.domain.client_csv import CsvUpload, RowOutcome, RowResult, UnreadableFile
from portal.domain.client_list import export as exporting

group = AppGroup("clients", help="Export clients to a CSV file, and import them from one.")
COMMAND = Actor("Command line", Origin.COMMAND)
SHOWN = 40
WOULD = {
    RowOutcome.CREATE: "would create a client",
    RowOutcome.EDIT: "would change a client",
    RowOutcome.ADD_CONTACT: "would add a contact",
    RowOutcome.UNCHANGED: "would change nothing",
    RowOutcome.CHOICE: "need a choice: the name is there already",
    RowOutcome.SKIP: "would be left out",
    RowOutcome.REFUSED: "cannot be imported",
}
DID = {
    RowResult.CREATED: "created a client",
    RowResult.EDITED: "changed a client",
    RowResult.CONTACT_ADDED: "added a contact",
    RowResult.UNCHANGED: "changed nothing",
    RowResult.SKIPPED: "were left out",
    RowResult.UNDECIDED: "were not imported: the name is there already (see --same-name)",
    RowResult.REFUSED: "could not be imported",
    RowResult.HELD: "were held back: the client had changed meanwhile",
    RowResult.FAILED: "failed",
}


@console.command(group, "export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-")
@click.option("--search", help="Only clients with these words in their name, a contact, an email, a phone or an id.")
@click.option("--status", help="lead, active, inactive, archived or all; without it all but the archived.")
@click.option("--view", default="", help="A view of the Clients screen: what stands behind the ? of its address.")
def export(file: Path, search: str | None, status: str | None, view: str) -> None:
    """Write clients to FILE as CSV, one row a contact; without FILE to standard output.

    The columns are those an import takes, so that a file can be edited and imported again.
    """
    asked = dict(parse_qsl(view.lstrip("?")))
    asked |= {key: value for key, value in (("q", search), ("status", status)) if value}
    with reading():
        chosen = client_list.choices(asked)
        wanted, not_understood = client_list.filters_from(asked, chosen.known())
        if not_understood:
            raise Stop(" ".join(not_understood), Exit.BAD_USAGE)
        lines = 0
        with click.open_file(str(file), "w", encoding="utf-8", atomic=str(file) != "-") as target:
            for part in exporting.csv_parts(wanted, chosen):
                lines += part.count("\r\n")
                target.write(part)
    if str(file) != "-":
        click.echo(f"{max(lines - 1, 0):,} rows are in {file}.")


@console.command(group, "import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--preview/--apply", default=True, help="Only say what would happen (the default), or import.")
@click.option(
    "--same-name",
    type=click.Choice(["create", "skip", "edit"]),
    help="What rows without an id mean whose client's name is there already. Without it they are not imported.",
)
@click.option("--empty-clears", is_flag=True, help="In rows with an id, an empty cell empties the value.")
def import_(file: Path, preview: bool, same_name: str | None, empty_clears: bool) -> None:
    """Import clients from FILE, with the columns that an export has.

    Rows with a Client ID edit that client, rows without one create a client. An import stays listed on the Import
    screen, where it can be taken back.
    """
    apps = {info.slug: info for info in integrations.all_apps()}
    try:
        upload = client_csv.read_file(file, file.name, by=COMMAND, now=console.now(), clears=empty_clears)
    except UnreadableFile as problem:
        raise Stop(str(problem), Exit.BAD_USAGE) from problem
    with console.progress() as tell:
        client_csv.plan(
            upload, apps=apps, progress=lambda done, total: tell("Comparing with your clients", done, total)
        )
    if same_name:
        client_csv.choose_all(upload, same_name, apps=apps)
    _say_again(upload)
    if preview:
        _print_preview(upload)
        not_all_well = _not_all_well(upload.counts, RowOutcome.CHOICE, RowOutcome.REFUSED)
        db.session.rollback()  # a preview on the command line leaves nothing behind
        console.finish(Exit.DONE_WITH_FAILURES if not_all_well else Exit.DONE)
    db.session.commit()
    _apply(upload)


def _apply(upload: CsvUpload) -> None:
    upload_id = upload.id
    try:
        with console.progress() as tell:
            done = client_csv.apply(
                upload,
                by=COMMAND,
                now=console.now(),
                clock=console.now,
                progress=lambda rows, total: tell("Importing", rows, total),
            )
    except client_csv.NotNow as problem:
        _print_preview(upload)
        client_csv.drop(upload)
        db.session.commit()
        raise Stop(str(problem), Exit.DONE_WITH_FAILURES) from problem
    db.session.commit()
    if done.link_ids:
        click.echo(f"{len(done.link_ids):,} linked records wait to be sent; the running portal does so by itself.")
    upload = db.session.get_one(CsvUpload, upload_id)
    for result in RowResult:
        if count := upload.results.get(result.value):
            click.echo(f"{count:>8,} rows {DID[result]}")
    for row in client_csv.not_imported(upload, limit=SHOWN):
        click.echo(f"  row {row.number}, {row.name or 'without a name'}: {row.why or row.reason}")
    left = _not_all_well(upload.results, *client_csv.NOT_IMPORTED)
    console.finish(Exit.DONE_WITH_FAILURES if left else Exit.DONE)


def _say_again(upload: CsvUpload) -> None:
    earlier = client_csv.same_file(upload)
    if earlier is not None:
        click.echo(f"This very file was imported on {earlier.at:%Y-%m-%d} by {earlier.applied_by or earlier.by_name}.")


def _print_preview(upload: CsvUpload) -> None:
    for outcome in RowOutcome:
        if count := upload.counts.get(outcome.value):
            click.echo(f"{count:>8,} rows {WOULD[outcome]}")
    for outcome in (RowOutcome.CHOICE, RowOutcome.REFUSED):
        for row in client_csv.rows(upload, outcome=outcome.value, limit=SHOWN)[:SHOWN]:
            click.echo(f"  row {row.number}, {row.name or 'without a name'}: {row.reason}")


def _not_all_well(counts: dict[str, int], *bad: RowOutcome | RowResult) -> bool:
    return any(counts.get(one.value) for one in bad)
