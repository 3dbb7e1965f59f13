"""Mail as its recipient sees it, and as the server's owner must not: heads, texts, files, names, secrets."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from portal import integrations
from portal.config import MailServer
from portal.db import db
from portal.domain import invoices
from portal.domain.mail import MailState, OutgoingMail, Recipient
from portal.mailer import line as mailer_line
from portal.sandbox.mailbox import Mailbox, listening
from tests.scenarios.mails import FROM, PUBLIC, Post, mail_world, rewire


@pytest.fixture
def post(make_app: Callable[..., Flask]) -> Iterator[Post]:
    with listening(Mailbox()) as box, mail_world(make_app, box) as world:
        yield world


def test_it_comes_from_the_firm_and_answers_go_to_the_firm(post: Post) -> None:
    mail_id = post.letter()
    post.send()
    head = post.box.mails[0].parsed
    assert str(head["From"]) == f"Marlow & Co <{FROM}>"
    assert str(head["Reply-To"]) == "hello@marlow.example"
    assert str(head["To"]) == "Aroha Ngata <aroha@example.nz>"
    assert str(head["Message-ID"]) == f"<{post.row(mail_id).message_id}>"
    assert str(head["Auto-Submitted"]) == "auto-generated"


def test_the_invoice_is_attached_as_the_pdf_people_get_elsewhere(post: Post) -> None:
    mail_id = post.letter(attaches_invoice=True)
    post.send()
    (file,) = post.box.mails[0].attachments
    invoice = invoices.get(post.row(mail_id).invoice_id or 0)
    assert invoice is not None
    assert (file.name, file.kind) == (f"{invoice.number}.pdf", "application/pdf")
    assert file.data.startswith(b"%PDF-") and len(file.data) > 5_000


def test_a_link_in_it_leads_to_the_configured_address_and_is_forgotten_once_sent(post: Post) -> None:
    """Fault row 106."""
    mail_id, link = post.linked()
    with post.app.test_request_context(headers={"Host": "evil.example"}):
        post.send()
    came = post.box.mails[0]
    assert f"{PUBLIC}{link}" in came.text
    assert f'href="{PUBLIC}{link}"' in came.html
    assert "evil.example" not in came.raw.decode()
    row = post.row(mail_id)
    assert (row.link, row.has_link) == (None, True)
    assert link not in row.message


def test_what_names_and_messages_hold_is_shown_and_never_run(post: Post) -> None:
    """Fault row 102."""
    post.letter(Recipient("<script>x()</script>", "a@example.nz"), message='<img src=x onerror="x()"> & {{ 7*7 }}')
    post.send()
    came = post.box.mails[0]
    assert '<img src=x onerror="x()"> & {{ 7*7 }}' in came.text
    assert "<img" not in came.html and "<script" not in came.html
    assert "&lt;img src=x onerror=&#34;x()&#34;&gt; &amp; {{ 7*7 }}" in came.html


HOSTILE = [
    "😀 Ünïcødé Šłörşé", "\u05d0\u05d1\u05d2 ltd", "=cmd()", "';-- DROP", "a" * 200, ".", "a, b <c@d.example>",
    '"q" \\ x',
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_reaches_its_mailbox_as_it_is_written(post: Post, name: str) -> None:
    """Fault row 84."""
    post.letter(Recipient(name, "a@example.nz"), message=f"For {name}\n.\n..\nafter the dots", subject=name)
    assert post.send() == 1
    came = post.box.mails[0]
    assert came.to == "a@example.nz"
    assert str(came.parsed["To"].addresses[0].display_name) == name
    assert [one.addr_spec for one in came.parsed["To"].addresses] == ["a@example.nz"]
    assert came.subject == name
    assert came.text.replace("\r\n", "\n").startswith(f"For {name}\n.\n..\nafter the dots")


class TestSigningIn:
    PASSWORD = "p@ss/word-of-the-server"

    def test_the_password_opens_the_server(self, make_app: Callable[..., Flask]) -> None:
        with listening(Mailbox(user="portal", password="plain-secret")) as box, mail_world(make_app, box) as post:
            post.letter()
            assert post.send() == 1

    def test_no_secret_is_ever_written_down(
        self, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with (
            caplog.at_level(logging.DEBUG),
            listening(Mailbox(user="portal", password="another")) as box,
            mail_world(make_app, box) as post,
        ):
            rewire(post, replace(integrations.mail_server(), password=self.PASSWORD))
            mail_id, link = post.linked()
            assert post.send() == 0
            row = post.row(mail_id)
            assert (row.state, row.reason) == (
                MailState.WAITING, "The mail server does not accept this portal’s user name and password.",
            )  # fmt: skip
            told = "\n".join(post.told_of(mail_id)) + row.reason + repr(integrations.mail_server())
            told += repr(integrations._wiring().settings) + repr(row)
            stored = db.session.execute(select(OutgoingMail.__table__)).all()
            raw = db.session.connection().exec_driver_sql("SELECT link FROM outgoing_mail").scalar_one()
        told += caplog.text + "".join(capfd.readouterr())
        on_the_wire = b64encode(f"\0portal\0{self.PASSWORD}".encode()).decode()
        for secret in (self.PASSWORD, on_the_wire, link.rpartition("/")[2]):
            assert secret not in told
        assert stored and link not in raw, "the private link is closed in the database"

    def test_a_password_is_not_sent_over_a_line_others_can_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mailer_line, "_is_here", lambda _host: False)
        with listening(Mailbox(user="portal", password="another")) as box:
            line = mailer_line.Line(MailServer("127.0.0.1", box.port, "portal", self.PASSWORD, sender=FROM))
            answer = line.hand_over("a@example.nz", b"x\r\n")
            line.close()
        assert answer.outcome == mailer_line.Outcome.LATER and answer.is_down
        assert "no secure connection" in answer.reason
