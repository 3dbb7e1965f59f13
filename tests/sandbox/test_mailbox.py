"""The mail server that delivers to nobody: what it keeps, what it shows, how it goes wrong."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
import requests

from portal.sandbox.client import ControlError
from portal.sandbox.mailbox import Mailbox, listening
from portal.sandbox.server import Running, running_sandbox


@pytest.fixture(scope="module")
def _with_mail() -> Iterator[Running]:
    with running_sandbox(clients=1, mail_port=0) as running:
        yield running


@pytest.fixture
def sandbox(_with_mail: Running) -> Running:
    _with_mail.box.mailbox.clear()
    return _with_mail


def send(box: Mailbox, subject: str = "Invoice INV-1", text: str = "See http://localhost/pay/x.") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "billing@marlow.example", "aroha@example.nz", subject
    message.set_content(text)
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="INV-1.pdf")
    with smtplib.SMTP(box.host, box.port, timeout=5) as smtp:
        smtp.send_message(message)


def test_what_came_can_be_read_and_its_files_saved(sandbox: Running) -> None:
    send(sandbox.box.mailbox, "<b>Invoice</b>")
    page = requests.get(f"{sandbox.url}/mailbox", timeout=5)
    assert "&lt;b&gt;Invoice&lt;/b&gt;" in page.text and "aroha@example.nz" in page.text
    (mail,) = sandbox.control.ask("GET", "mailbox")["mails"]
    one = requests.get(f"{sandbox.url}/mailbox/{mail['id']}", timeout=5)
    assert '<a href="http://localhost/pay/x.">' in one.text and "INV-1.pdf" in one.text
    file = requests.get(f"{sandbox.url}/mailbox/{mail['id']}/attachments/0", timeout=5)
    assert (file.content, file.headers["Content-Type"]) == (b"%PDF-1.7", "application/pdf")
    assert requests.get(f"{sandbox.url}/mailbox/{mail['id']}/attachments/9", timeout=5).status_code == 404
    assert requests.get(f"{sandbox.url}/mailbox/999", timeout=5).status_code == 404


def test_it_refuses_an_address_as_often_as_it_was_told_to(sandbox: Running) -> None:
    told = {"kind": "refuse", "address": "aroha@example.nz", "times": 1}
    sandbox.control.ask("POST", "mailbox/faults", told)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(sandbox.box.mailbox)
    send(sandbox.box.mailbox)
    found = sandbox.control.ask("GET", "mailbox")
    assert found["faults"] == [{**told, "fired": 1}]
    assert len(found["mails"]) == 1
    with pytest.raises(ControlError, match="A mailbox can refuse"):
        sandbox.control.ask("POST", "mailbox/faults", {"kind": "explode"})
    sandbox.control.ask("DELETE", "mailbox")
    assert sandbox.control.ask("GET", "mailbox")["mails"] == []


def test_it_keeps_a_message_whose_sender_never_hears_so(sandbox: Running) -> None:
    answer = requests.post(f"{sandbox.url}/mailbox/faults", data={"kind": "drop", "times": "1"}, timeout=5)
    assert answer.url.endswith("/mailbox") and "cut the connection without an answer" in answer.text
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sandbox.box.mailbox)
    assert len(sandbox.box.mailbox.mails) == 1


def test_with_a_password_only_those_who_know_it_hand_mail_in() -> None:
    with (
        listening(Mailbox(user="portal", password="right")) as box,
        smtplib.SMTP(box.host, box.port, timeout=5) as smtp,
    ):
        smtp.ehlo()
        assert smtp.mail("billing@marlow.example")[0] == 250
        assert smtp.rcpt("aroha@example.nz")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("portal", "wrong")
        smtp.login("portal", "right")
        smtp.rset()
        assert smtp.mail("billing@marlow.example")[0] == 250
        assert smtp.rcpt("aroha@example.nz")[0] == 250


def test_a_sandbox_without_a_mail_port_says_that_nobody_listens() -> None:
    with running_sandbox(clients=1) as running:
        assert running.control.ask("GET", "mailbox")["port"] == 0
        assert "No mail server is running" in requests.get(f"{running.url}/mailbox", timeout=5).text
