"""What a backup held of mail that had not gone yet: after a restore nobody knows whether it has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.db import db
from portal.domain import activity, mail
from portal.domain.mail import MailKind, MailState, OutgoingMail, Recipient
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import make_invoice
from tests.commands.conftest import Run


def test_what_waited_in_a_backup_is_left_to_a_person_after_it_was_restored(
    story: Callable[[], AbstractContextManager[Any]], other_sqlite: Flask, run: Run, tmp_path: Path
) -> None:
    """ST-09."""
    mail.send_as("billing@marlow.example")
    with story():
        mail.put_down(
            kind=MailKind.INVOICE, key="one", to=Recipient("Aroha", "aroha@example.nz"), subject="Invoice",
            message="See the invoice.", invoice=make_invoice(make_client()), by=COMMAND, now=now(),
        )  # fmt: skip
    mail.send_as("")
    file = tmp_path / "a.zip"
    assert run("backup", "create", file).exit_code == 0
    restored = run("backup", "restore", file, app=other_sqlite)
    assert restored.exit_code == 0, restored.output
    assert "Messages that waited to be sent: 1." in restored.output
    with other_sqlite.app_context():
        (row,) = db.session.scalars(select(OutgoingMail))
        assert (row.state, row.next_at) == (MailState.UNKNOWN, None)
        assert "restored from a backup" in activity.sentence(activity.log(invoice_id=row.invoice_id)[0])
