"""Mail over a real connection: sent once, or said plainly why not, or left to a person where nobody can know."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from portal import integrations
from portal.db import db
from portal.domain import invoices, mail
from portal.domain.mail import MailState, MayHaveArrived, Recipient
from portal.mailer import line as mailer_line
from portal.sandbox.mailbox import Mailbox, listening
from tests import cast
from tests.scenarios.mails import FROM, PUBLIC, Post, mail_world, rewire

ROOT = Path(__file__).parents[2]
LATER = timedelta(minutes=2)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with listening(Mailbox()) as mailbox:
        yield mailbox


@pytest.fixture
def post(make_app: Callable[..., Flask], box: Mailbox) -> Iterator[Post]:
    with mail_world(make_app, box) as world:
        yield world


def test_a_message_is_sent_once_and_the_invoices_log_says_to_whom(post: Post) -> None:
    """ST-09."""
    mail_id = post.letter()
    assert post.send() == 1
    assert post.send(timedelta(days=3)) == 0, "it went already"
    (came,) = post.box.mails
    assert (came.sender, came.to, came.subject) == (FROM, "aroha@example.nz", post.row(mail_id).subject)
    assert post.states() == [MailState.SENT]
    assert post.told_of(mail_id)[-1] == "Invoice sent to Aroha Ngata <aroha@example.nz>"


def test_an_address_that_is_refused_for_good_is_a_failure_in_plain_words(post: Post) -> None:
    post.box.go_wrong("refuse", "gone@example.nz")
    mail_id = post.letter(Recipient("Tama", "gone@example.nz"))
    other = post.letter(event="another")
    assert post.send() == 1, "the others are none the worse for it"
    row = post.row(mail_id)
    assert row.state == MailState.FAILED
    assert row.reason.startswith("The mail server does not take mail for gone@example.nz: “5.1.1 ")
    assert post.told_of(mail_id)[-1] == f"Invoice could not be sent to Tama <gone@example.nz>: {row.reason}"
    assert post.row(other).state == MailState.SENT
    assert post.send(timedelta(days=3)) == 0, "nobody tries it again but a person"


def test_a_message_that_is_refused_whole_is_a_failure(post: Post) -> None:
    post.box.go_wrong("reject", times=1)
    mail_id = post.letter()
    assert post.send() == 0
    assert post.states() == [MailState.FAILED]
    assert "The message was not liked" in post.row(mail_id).reason
    assert post.box.mails == []


def test_what_failed_goes_again_when_a_person_says_so(post: Post) -> None:
    post.box.go_wrong("refuse", times=1)
    mail_id, link = post.linked()
    post.send()
    mail.again(mail_id, by=cast.COMMAND, now=cast.now())
    db.session.commit()
    assert post.send() == 1
    assert f"{PUBLIC}{link}" in post.box.mails[0].text


def test_an_address_that_is_put_off_is_tried_again_by_itself_and_later(post: Post) -> None:
    post.box.go_wrong("later", times=1)
    mail_id, other = post.letter(), post.letter(event="another")
    before = cast.now()
    assert post.send() == 1, "the next message is not kept waiting"
    row = post.row(mail_id)
    assert row.state == MailState.WAITING and row.next_at is not None
    assert row.next_at > before + timedelta(seconds=30)
    assert "Please come back a little later" in row.reason
    assert post.row(other).state == MailState.SENT
    assert post.send() == 0, "not before its time"
    assert post.send(LATER) == 1
    assert len(post.box.mails) == 2


def test_without_a_server_everything_waits_and_only_one_is_tried_a_time(post: Post) -> None:
    first, second = post.letter(), post.letter(event="another")
    with closed_port() as port:
        rewire(post, replace(integrations.mail_server(), port=port))
        assert post.send() == 0
    assert post.states() == [MailState.WAITING, MailState.WAITING]
    assert post.row(first).reason == "The mail server 127.0.0.1 cannot be reached."
    assert post.row(second).tries == 0
    assert mail.standing().trouble == "The mail server 127.0.0.1 cannot be reached."
    rewire(post, replace(integrations.mail_server(), port=post.box.port))
    assert post.send(LATER) == 2


def test_a_line_cut_before_the_message_was_whole_leaves_it_for_later(post: Post) -> None:
    post.box.go_wrong("cut", times=1)
    mail_id = post.letter()
    assert post.send() == 0
    assert post.row(mail_id).state == MailState.WAITING
    assert post.send(LATER) == 1
    assert len(post.box.mails) == 1


def test_it_is_given_up_after_so_many_tries_and_says_why(post: Post) -> None:
    post.box.go_wrong("later")
    mail_id = post.letter()
    waits = timedelta(0)
    for _ in range(20):
        post.send(waits)
        if post.row(mail_id).state == MailState.FAILED:
            break
        waits += timedelta(hours=5)
    row = post.row(mail_id)
    assert row.state == MailState.FAILED
    assert row.tries == 12 and row.reason.endswith("It was tried 12 times.")
    assert timedelta(hours=20) < waits < timedelta(days=4)


def test_an_answer_that_was_lost_is_never_a_reason_to_send_again(post: Post) -> None:
    post.box.go_wrong("drop", times=1)
    mail_id, _link = post.linked()
    assert post.send() == 0
    assert post.states() == [MailState.UNKNOWN]
    assert post.told_of(mail_id)[-1].startswith("Invoice may have reached Aroha Ngata <aroha@example.nz>, or not:")
    for days in range(1, 5):
        post.tick()
        assert post.send(timedelta(days=days)) == 0
    assert len(post.box.mails) == 1
    with pytest.raises(MayHaveArrived, match="may have arrived already"):
        mail.again(mail_id, by=cast.COMMAND, now=cast.now())
    mail.again(mail_id, by=cast.COMMAND, now=cast.now(), knowing=True)
    db.session.commit()
    assert post.send() == 1
    first, second = post.box.mails
    assert first.parsed["Message-ID"] == second.parsed["Message-ID"], "mail programs know the same message again"


def test_silence_after_the_message_ends_in_not_knowing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailer_line, "PATIENCE_AT_END", 0.3)
    post.box.go_wrong("silent", times=1)
    post.letter()
    assert post.send() == 0
    assert post.states() == [MailState.UNKNOWN]
    assert len(post.box.mails) == 1


def test_one_line_serves_many_messages(post: Post) -> None:
    for place in range(5):
        post.letter(event=str(place))
    assert post.send() == 5
    assert post.box.connections == 1


def test_an_invoice_voided_before_its_message_went_is_not_sent(post: Post) -> None:
    mail_id = post.letter()
    invoice = invoices.get(post.row(mail_id).invoice_id or 0)
    assert invoice is not None
    invoices.void(invoice, reason="duplicate", note="", by=cast.COMMAND, now=cast.now())
    db.session.commit()
    assert post.send() == 0
    assert post.row(mail_id).state == MailState.WITHDRAWN
    assert post.box.mails == []


def test_a_message_whose_link_was_closed_by_a_newer_one_is_not_sent(post: Post) -> None:
    from portal.domain.invoices.sending import payment_token

    mail_id, _link = post.linked()
    invoice = invoices.get(post.row(mail_id).invoice_id or 0)
    assert invoice is not None
    payment_token(invoice, by=cast.COMMAND, now=cast.now())
    db.session.commit()
    assert post.send() == 0
    assert (post.row(mail_id).state, post.row(mail_id).link) == (MailState.WITHDRAWN, None)


def test_a_message_that_cannot_be_put_together_says_so_and_keeps_nobody_waiting(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal import invoice_pdf

    mail_id = post.letter(attaches_invoice=True)
    other = post.letter(event="another")

    def no_fonts(*_facts: object) -> bytes:
        raise invoice_pdf.FontsMissing("no fonts here")

    monkeypatch.setattr(invoice_pdf, "render", no_fonts)
    assert post.send() == 1
    assert post.row(mail_id).state == MailState.FAILED
    assert post.row(other).state == MailState.SENT


def closed_port() -> socket.socket:
    """A port that is taken and answers nobody. Close it by leaving its block."""

    class Closed(socket.socket):
        def __enter__(self) -> int:  # type: ignore[override]  # the number is all that is asked for
            return int(self.getsockname()[1])

    made = Closed(socket.AF_INET, socket.SOCK_STREAM)
    made.bind(("127.0.0.1", 0))
    return made
