"""The portal's own keys: made anew, and every secret closed with the new one."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import Connection, Table, Text, column, select, table, update

from portal import keys
from portal.commands import console
from portal.commands.console import Exit, Stop
from portal.config import Settings
from portal.db import EncryptedText, db
from portal.domain import activity
from portal.domain.activity import Actor, Origin, Verb
from portal.keys import KeyProblem, Vault

group = AppGroup("keys", help="Make the keys anew that sign cookies and close secrets.")


@console.command(group, "rotate")
@click.option("--re-encrypt-only", is_flag=True, help="Make no key; close every secret with the newest one there is.")
@click.option(
    "--new-key-only", is_flag=True, help="Only make the keys; to be followed by a restart and --re-encrypt-only."
)
def rotate(re_encrypt_only: bool, new_key_only: bool) -> None:
    """Put a new key in front of both lists and close every stored secret with it.

    Older keys stay in the lists: they open older backups, and cookies signed with them stay good. Stop the portal for
    it; or, to keep it running, use --new-key-only, restart it, and then use --re-encrypt-only.
    """
    if re_encrypt_only and new_key_only:
        raise Stop("--re-encrypt-only and --new-key-only are the two halves of one rotation; give one.", Exit.BAD_USAGE)
    settings: Settings = current_app.extensions["settings"]
    try:
        if not re_encrypt_only:
            keys.rotate(settings)
            click.echo(
                f"New keys are in front in {settings.keys_dir}. Copy that directory to where you keep your keys."
            )
        if new_key_only:
            click.echo("Now restart the portal, then run: flask --app app keys rotate --re-encrypt-only")
            return
        count = re_encrypt(Vault(keys.encryption_keys(settings)))
    except KeyProblem as problem:
        raise Stop(str(problem), Exit.NEEDS_A_PERSON) from problem
    click.echo(
        "1 secret is closed with the new key." if count == 1 else f"{count:,} secrets are closed with the new key."
    )


def re_encrypt(vault: Vault) -> int:
    """Close every stored secret with the vault's newest key, and put it on record; gives how many there are.

    One transaction. A secret that changes meanwhile was closed by whoever changed it and is left alone.
    """
    with db.session.begin():
        connection = db.session.connection()
        count = sum(_renew(connection, of, name, vault) for of, name in encrypted_columns())
        activity.record(Verb.KEYS_ROTATED, by=Actor("Command line", Origin.COMMAND), now=console.now(), count=count)
    return count


def encrypted_columns() -> list[tuple[Table, str]]:
    """Every column of every table that holds a secret."""
    return [
        (of, one.name) for of in db.metadata.sorted_tables for one in of.columns if isinstance(one.type, EncryptedText)
    ]


def _renew(connection: Connection, of: Table, name: str, vault: Vault) -> int:
    closed = column(name, Text)
    own = [column(one.name, one.type) for one in of.primary_key.columns]
    plain = table(of.name, *own, closed)
    count = 0
    for *key, value in connection.execute(select(*own, closed).select_from(plain).where(closed.is_not(None))).all():
        same_row = [one == part for one, part in zip(own, key, strict=True)]
        changed = connection.execute(update(plain).where(*same_row, closed == value).values({name: vault.renew(value)}))
        count += changed.rowcount
    return count
