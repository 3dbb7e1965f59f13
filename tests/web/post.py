"""A mail server for tests of screens: what the portal sends in a test arrives in a mailbox on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

if TYPE_CHECKING:
    from portal.config import Settings
    from portal.domain.mail import OutgoingMail
    from portal.sandbox.mailbox import Mail, Mailbox
    from tests.reading import Page

SENDER = "billing@marlow.example"
AROHA, TAMA = "aroha@acme.example", "tama@acme.example"
CONTACTS = [
    {"name": "Aroha Ngata", "email": AROHA}, {"name": "Tama Ngata", "email": TAMA}, {"name": "Front desk"},
]  # fmt: skip


@contextmanager
def a_mailbox(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """Mail is on within the block; it leaves when the test says `send_all`."""
    from portal import integrations, mailer
    from portal.config import MailServer
    from portal.sandbox.mailbox import Mailbox, listening

    monkeypatch.setattr(mailer, "send_soon", lambda: None)
    with listening(Mailbox()) as box:
        integrations.configure(replace(settings, mail=MailServer(host=box.host, port=box.port, sender=SENDER)))
        yield box
    integrations.configure(settings)


def send_all(story) -> None:
    """What waits leaves now."""
    from portal import mailer

    with story():
        mailer.send_due()


def rows() -> list[OutgoingMail]:
    """What was put down, oldest first. Within an app context."""
    from portal.db import db
    from portal.domain.mail import OutgoingMail

    return list(db.session.scalars(select(OutgoingMail).order_by(OutgoingMail.id)))


def one_id(story) -> int:
    with story():
        return rows()[0].id


def preview(page: Page) -> str:
    return " ".join(page.find("//section[@id='preview']").text_content().split())


def link_in(mail: Mail) -> str:
    """The path of the private address in a message, which is of this portal."""
    found = re.search(r"http://localhost(/\S+)", mail.text)
    assert found is not None, mail.text
    return found[1]
