"""A mail server that delivers to nobody: it keeps what it is given, and goes wrong when it is told to."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

KEPT = 500  # mails; older ones are forgotten
FAULTS = {
    "refuse": "refuse the address for good (550)",
    "later": "put the address off (451)",
    "reject": "refuse the whole message after it came (554)",
    "drop": "take the message, then cut the connection without an answer",
    "silent": "take the message, then say nothing",
    "cut": "cut the connection before the message",
}
logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's own; it tells of every connection


class BadFault(ValueError):
    """This goes wrong in no way that is known here; the text says which are."""


@dataclass(frozen=True)
class Attachment:
    name: str
    kind: str
    data: bytes


@dataclass(frozen=True)
class Mail:
    """One message as it came."""

    id: int
    at: float
    sender: str
    to: str
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def subject(self) -> str:
        return str(self.parsed["Subject"] or "")

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def attachments(self) -> list[Attachment]:
        return [
            Attachment(one.get_filename() or "", one.get_content_type(), _bytes(one.get_content()))
            for one in self.parsed.iter_attachments()
        ]

    def _part(self, kind: str) -> str:
        part = self.parsed.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


@dataclass
class Fault:
    """`address` empty: any. `times` None: always."""

    kind: str
    address: str = ""
    times: int | None = None
    fired: int = 0


@dataclass
class Mailbox:
    """What came, and what is to go wrong. Safe from any thread. `port` 0: nobody listens."""

    host: str = "127.0.0.1"
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    mails: list[Mail] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    connections: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def keep(self, sender: str, to: str, raw: bytes) -> None:
        with self._lock:
            self.mails.append(Mail(next(self._ids), time.time(), sender, to, raw))
            del self.mails[:-KEPT]

    def find(self, mail_id: int) -> Mail | None:
        with self._lock:
            return next((one for one in self.mails if one.id == mail_id), None)

    def to(self, address: str) -> list[Mail]:
        """What came for this address, oldest first."""
        with self._lock:
            return [one for one in self.mails if one.to == address]

    def go_wrong(self, kind: str, address: str = "", times: int | None = None) -> None:
        """Raises `BadFault`."""
        if kind not in FAULTS:
            raise BadFault(f"A mailbox can {', '.join(FAULTS)}; not {kind!r}.")
        with self._lock:
            self.faults.append(Fault(kind, address, times))

    def goes_wrong(self, to: str, *kinds: str) -> str:
        """The fault that comes to pass now for this address, once counted; empty: none."""
        with self._lock:
            for one in self.faults:
                fits = one.kind in kinds and one.address in ("", to)
                if fits and (one.times is None or one.fired < one.times):
                    one.fired += 1
                    return one.kind
        return ""

    def mend(self) -> None:
        with self._lock:
            self.faults.clear()

    def clear(self) -> None:
        """No mail and no fault."""
        with self._lock:
            self.mails.clear()
            self.faults.clear()


class _Handler:
    """What aiosmtpd asks; its method names are not ours to choose."""

    def __init__(self, box: Mailbox) -> None:
        self.box = box

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.box.user and not session.authenticated:
            return "530 5.7.0 Sign in first"
        fault = self.box.goes_wrong(address, "refuse", "later", "cut")
        if fault == "refuse":
            return f"550 5.1.1 <{address}>: there is no such mailbox"
        if fault == "later":
            return "451 4.7.1 Please come back a little later"
        if fault == "cut":
            _hang_up(server)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        to = str(envelope.rcpt_tos[0])
        fault = self.box.goes_wrong(to, "reject", "drop", "silent")
        if fault == "reject":
            return "554 5.6.0 The message was not liked"
        raw = envelope.content
        self.box.keep(str(envelope.mail_from), to, raw if isinstance(raw, bytes) else str(raw).encode())
        if fault == "drop":
            _hang_up(server)
        elif fault == "silent":
            await asyncio.sleep(3600)
        return "250 Kept"


def _bytes(content: object) -> bytes:
    return content if isinstance(content, bytes) else str(content).encode()


def _hang_up(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


def _knows(box: Mailbox) -> Any:
    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        wanted = LoginPassword(box.user.encode(), box.password.encode())
        return AuthResult(success=given == wanted, handled=False)

    return check


@contextmanager
def listening(box: Mailbox, port: int = 0) -> Iterator[Mailbox]:
    """The mailbox serves SMTP on this machine within the block; port 0 takes a free one. With a `user` it asks for the
    password."""
    loop = asyncio.new_event_loop()
    auth = {"authenticator": _knows(box), "auth_require_tls": False} if box.user else {}

    def talk() -> SMTP:
        box.connections += 1
        return SMTP(_Handler(box), hostname="mailbox.example", loop=loop, enable_SMTPUTF8=False, **auth)

    server = loop.run_until_complete(loop.create_server(talk, box.host, port))
    box.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="mailbox", daemon=True)
    thread.start()
    try:
        yield box
    finally:
        box.port = 0
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    waiting = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
