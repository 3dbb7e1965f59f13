"""Workers that are killed while they send, and several at once: no message goes a second time by itself."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from jobs import queue
from portal import mailer
from portal.config import Settings
from portal.db import db
from portal.domain.mail import MailState, Recipient, moves
from portal.sandbox.mailbox import Mailbox, listening
from tests import cast
from tests.conftest import ENCRYPTION_KEY
from tests.scenarios.mails import FROM, Post, mail_world

ROOT = Path(__file__).parents[2]


@pytest.fixture
def post(make_app: Callable[..., Flask]) -> Iterator[Post]:
    with listening(Mailbox()) as box, mail_world(make_app, box) as world:
        yield world


# Started once; forks a worker for every moment, so that being killed costs no start of Python.
KILLED = """
import os, signal, smtplib, socket, sys
sys.path.insert(0, {root!r})
from app import create_app
from pathlib import Path
from jobs import queue
from portal import mailer
from portal.config import Settings, mail_server
from portal.db import db
from portal.domain import claims
from portal.mailer import sending
app = create_app(Settings(data_dir=Path({data!r}), database_url={url!r}, scheduler=False, secret_keys=("k" * 20,),
    encryption_keys=({key!r},), public_url="https://portal.example", log_level="CRITICAL",
    mail=mail_server("smtp://127.0.0.1:{port}", {sender!r})), migrate=False)
send, getreply, met = smtplib.SMTP.send, smtplib.SMTP.getreply, []
moment = ""
def dies():
    os.kill(os.getpid(), signal.SIGKILL)
def sends(self, what):
    data = what if isinstance(what, bytes) else what.encode()
    if moment == "before the envelope" and data.lower().startswith(b"mail from"):
        dies()
    if moment == "before the dot" and data == b".\\r\\n":
        dies()
    send(self, what)
    met.append(data)
def replies(self):
    found = getreply(self)
    if moment == "after the answer" and met and met[-1] == b".\\r\\n":
        dies()
    return found
smtplib.SMTP.send, smtplib.SMTP.getreply = sends, replies
print("ready", flush=True)
for line in sys.stdin:
    worker = os.fork()
    if not worker:
        moment = line.strip()
        mine = f"{{socket.gethostname()}}:{{os.getpid()}}:forked00"
        claims.ME = sending.ME = mine  # leases name the process that holds them
        with app.app_context():
            db.engine.dispose(close=False)
            mailer.send_due()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
"""
MOMENTS = {"before the envelope": 0, "before the dot": 0, "after the answer": 1}  # and what arrives


def test_a_process_killed_while_it_sends_leaves_a_message_nobody_sends_again(
    post: Post, test_settings: Settings
) -> None:
    """Whether it arrived or not: nobody can know."""
    with killer(post, test_settings) as killed_at:
        for moment, arrives in MOMENTS.items():
            mail_id = post.letter(event=moment)
            db.session.remove()
            assert killed_at(moment) == -signal.SIGKILL
            assert post.row(mail_id).state == MailState.SENDING
            db.session.rollback()
            post.tick()
            row = post.row(mail_id)
            assert (row.state, row.reason) == (MailState.UNKNOWN, "the portal was stopped while it was being sent")
            assert post.told_of(mail_id)[-1].endswith("It is not sent again by itself")
            db.session.rollback()
            assert post.send(timedelta(days=3)) == 0
            assert len(post.box.mails) == arrives, moment


@contextmanager
def killer(post: Post, settings: Settings) -> Iterator[Callable[[str], int]]:
    """Has a worker send what is due, and kills it at this moment; how it ended."""
    script = KILLED.format(
        root=str(ROOT), data=str(settings.data_dir), url=settings.database_url, key=ENCRYPTION_KEY,
        port=post.box.port, sender=FROM,
    )  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        told, heard = parent.stdin, parent.stdout

        def at(moment: str) -> int:
            told.write(moment + "\n")
            told.flush()
            return int(heard.readline())

        yield at
        parent.stdin.close()
        parent.wait(20)


def test_one_that_is_being_sent_by_a_living_process_is_left_to_it(post: Post) -> None:
    mail_id = post.letter()
    moves.take(mail_id, moves.claims.ME + "/mail/1", cast.now())
    moves.begin(mail_id, moves.claims.ME + "/mail/1", cast.now())
    db.session.commit()
    post.tick()
    assert post.states() == [MailState.SENDING]
    assert post.send() == 0


def test_the_job_gives_up_what_was_lost_and_sends_what_is_due(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Callable[..., object]] = []
    monkeypatch.setattr(queue, "submit", lambda work, *_args: asked.append(work))
    assert not mailer.start_due(cast.now()) and not asked, "nothing is due"
    lost, due = post.letter(event="lost"), post.letter(event="due")
    gone = f"{socket.gethostname()}:999999999:gone/mail/1"
    moves.take(lost, gone, cast.now())
    moves.begin(lost, gone, cast.now())
    db.session.commit()
    assert mailer.start_due(cast.now())
    for work in asked:
        work()
    assert post.row(lost).state == MailState.UNKNOWN
    assert post.row(due).state == MailState.SENT
    assert len(post.box.mails) == 1


def test_two_workers_at_once_send_each_message_one_time(post: Post) -> None:
    for place in range(12):
        post.letter(Recipient("", f"client-{place}@example.nz"), event=str(place))
    db.session.remove()
    together, taken = threading.Barrier(3), []

    def work() -> None:
        with post.app.app_context():
            together.wait(10)
            taken.append(mailer.send_due())
            db.session.remove()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    assert sum(taken) == 12
    assert sorted(one.to for one in post.box.mails) == sorted(f"client-{place}@example.nz" for place in range(12))
    assert set(post.states()) == {MailState.SENT}
