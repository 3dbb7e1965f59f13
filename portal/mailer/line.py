"""The line to the mail server: one message handed over at a time, and what may be known of it afterwards.

Everything up to the end of a message is safe: a server takes nothing before the dot that ends it. From the dot on, only
its answer tells; without one nobody knows.
"""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
from dataclasses import dataclass
from enum import StrEnum

from portal.domain.mail import one_line
from portal.integrations import MailServer

PATIENCE, PATIENCE_AT_END = 20.0, 180.0  # seconds: for each answer, and for the one after the whole message
PERMANENT = 500
CLOSING = 421  # the server is going away: nothing more over this line
START, BUSY = 354, 400


class Outcome(StrEnum):
    TAKEN = "taken"
    REFUSED = "refused"  # for good
    LATER = "later"  # certainly not taken; another try may work
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """`reason` is for a person. `is_down`: it concerns every message, not this one."""

    outcome: Outcome
    reason: str = ""
    is_down: bool = False


class Down(Exception):
    """The server cannot be reached or does not let us in; the text says so to a person, and holds no secret."""


class Line:
    """One connection, opened when it is needed and kept for the messages that follow. Close it."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def hand_over(self, to: str, message: bytes) -> Answer:
        """One message to one address. Never raises for what a server or a network may do."""
        try:
            problem = self._announce(to)
        except Down as down:
            return Answer(Outcome.LATER, str(down), is_down=True)
        return problem or self._transmit(message)

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            smtp.quit()
        except (OSError, smtplib.SMTPException):  # it has hung up first, which is what was wanted
            smtp.close()

    def _announce(self, to: str) -> Answer | None:
        """Say whom it is from and for; None when the server waits for the message itself. Raises `Down`."""
        code, words = self._from()
        if code >= BUSY:
            self._drop()
            refused = _refused(code, f"The mail server takes no mail from {self._server.sender}", words)
            return Answer(Outcome.LATER, refused.reason, is_down=True)  # a setting's fault, not this message's
        smtp = self._open()
        try:
            code, words = _said(smtp.rcpt(to))
            if code >= BUSY:
                self._reset(code)
                return _refused(code, f"The mail server does not take mail for {to}", words)
            code, words = _said(smtp.docmd("DATA"))
        except (OSError, smtplib.SMTPException) as lost:
            self._drop()
            raise Down(_gone(self._server)) from lost
        if code != START:
            self._reset(code)
            return _refused(code, "The mail server did not take the message", words)
        return None

    def _from(self) -> tuple[int, str]:
        """Raises `Down`. A line that stood open may have been closed by the server meanwhile: then a new one."""
        stood_open = self._smtp is not None
        try:
            code, words = _said(self._open().mail(self._server.sender))
            if code != CLOSING or not stood_open:
                return code, words
        except (OSError, smtplib.SMTPException) as lost:
            if not stood_open:
                self._drop()
                raise Down(_gone(self._server)) from lost
        self._drop()
        return self._from()

    def _transmit(self, message: bytes) -> Answer:
        smtp = self._smtp
        assert smtp is not None and smtp.sock is not None  # `_announce` left it open
        try:
            smtp.send(_dotted(message))
        except (OSError, smtplib.SMTPException):  # it never ended, so it was never taken
            self._drop()
            return Answer(Outcome.LATER, _gone(self._server), is_down=True)
        try:
            smtp.send(b".\r\n")
            smtp.sock.settimeout(PATIENCE_AT_END)
            code, words = _said(smtp.getreply())
            smtp.sock.settimeout(PATIENCE)
        except (OSError, smtplib.SMTPException):
            self._drop()
            return Answer(Outcome.UNKNOWN, "the mail server did not answer after it had the whole message")
        if code < BUSY:
            return Answer(Outcome.TAKEN)
        self._reset(code)
        return _refused(code, "The mail server did not take the message", words)

    def _open(self) -> smtplib.SMTP:
        """Raises `Down`."""
        if self._smtp is None:
            self._smtp = _connected(self._server)
        return self._smtp

    def _reset(self, code: int) -> None:
        if self._smtp is None or code == CLOSING:
            self._drop()
            return
        try:
            self._smtp.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def _connected(server: MailServer) -> smtplib.SMTP:
    """Greeted, encrypted and signed in. Raises `Down`."""
    trusted = ssl.create_default_context()
    smtp: smtplib.SMTP | None = None
    try:
        if server.is_tls:
            smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=PATIENCE, context=trusted)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=PATIENCE)
        smtp.ehlo_or_helo_if_needed()
        if not server.is_tls and smtp.has_extn("starttls") and not _is_here(server.host):
            smtp.starttls(context=trusted)
            smtp.ehlo()
        if server.user:
            _sign_in(smtp, server)
    except Down:
        _close(smtp)
        raise
    except ssl.SSLError as wrong:
        _close(smtp)
        raise Down(f"The connection to the mail server {server.host} could not be made secure.") from wrong
    except smtplib.SMTPAuthenticationError:  # its words may repeat what was sent to it
        _close(smtp)
        raise Down("The mail server does not accept this portal’s user name and password.") from None
    except (OSError, smtplib.SMTPException) as lost:
        _close(smtp)
        raise Down(f"The mail server {server.host} cannot be reached.") from lost
    return smtp


def _sign_in(smtp: smtplib.SMTP, server: MailServer) -> None:
    is_safe = isinstance(smtp.sock, ssl.SSLSocket) or _is_here(server.host)
    if not is_safe:
        raise Down(f"The mail server {server.host} offers no secure connection, so the password was not sent to it.")
    if not smtp.has_extn("auth"):
        raise Down(f"The mail server {server.host} offers no way to sign in.")
    smtp.login(server.user, server.password)


def _close(smtp: smtplib.SMTP | None) -> None:
    if smtp is not None:
        smtp.close()


def _is_here(host: str) -> bool:
    """Whether it is this machine, where nobody listens in."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _said(answer: tuple[int, bytes]) -> tuple[int, str]:
    code, words = answer
    if code < 0:  # what smtplib makes of an answer that is none
        raise smtplib.SMTPServerDisconnected("no answer that could be read")
    return code, one_line(words.decode("utf-8", "replace"))[:200]


def _refused(code: int, what: str, words: str) -> Answer:
    outcome = Outcome.REFUSED if code >= PERMANENT else Outcome.LATER
    said = f"{what}: “{words}”." if words else f"{what}."
    return Answer(outcome, said, is_down=code == CLOSING)


def _gone(server: MailServer) -> str:
    return f"The mail server {server.host} ended the connection before it had the message."


def _dotted(message: bytes) -> bytes:
    """Lines that begin with a dot get another one, so that none of them ends the message."""
    doubled = re.sub(rb"(?m)^\.", b"..", message)
    return doubled if doubled.endswith(b"\r\n") else doubled + b"\r\n"
