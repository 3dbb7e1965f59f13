"""Sending what is due: a message at a time, each marked as sending and committed before it goes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from jobs import queue
from portal import integrations
from portal.db import db, reading
from portal.domain.activity import Actor, Origin
from portal.domain.claims import ME
from portal.domain.mail import OutgoingMail, is_on, moves
from portal.mailer.letters import packed
from portal.mailer.line import Answer, Line, Outcome

log = logging.getLogger(__name__)

THE_MAILER = Actor("System", Origin.SYSTEM)
AT_ONCE = 50  # ids asked for at a time
UNREADY = "It could not be put together; the portal’s own log says why."
_sending = threading.Lock()  # one line a process is enough


def clock() -> datetime:
    return datetime.now(UTC)


def send_soon() -> None:
    """Send what waits, in the background; call it after the commit. Lost with its process the next tick does it."""
    if is_on():
        queue.submit(_work)


def start_due(now: datetime) -> bool:
    """The job: put down what was lost while it was sent, and have what is due sent in the background. Says whether
    something is."""
    with reading():  # nearly always there is nothing, and then nobody has to wait for the right to write
        in_hand, something = moves.are_in_hand(), bool(moves.due(now, 1))
        db.session.rollback()
    if in_hand and (lost := moves.give_up_lost(now, by=THE_MAILER)):
        log.warning("%s messages may have been sent: the portal was stopped while they were", lost)
    db.session.commit()
    if not is_on() or _sending.locked():
        return False
    if something:
        queue.submit(_work)
    return something


def send_due(now: datetime | None = None) -> int:
    """Send everything that is due here and now; gives how many the mail server has taken.

    It ends when the server cannot be reached: what was not tried is due at the next tick as it was.
    """
    if not is_on():
        return 0
    moment: Callable[[], datetime] = clock if now is None else lambda: now
    line, after, taken = Line(integrations.mail_server()), 0, 0
    try:
        while ids := _due(moment(), after):
            for mail_id in ids:
                after = mail_id
                if queue.stopping.is_set():
                    return taken
                answer = _one(mail_id, line, moment)
                taken += answer is not None and answer.outcome == Outcome.TAKEN
                if answer is not None and answer.is_down:
                    log.warning("mail waits: %s", answer.reason)
                    return taken
    finally:
        line.close()
    return taken


def _work() -> None:
    with _sending:
        send_due()


def _due(now: datetime, after: int) -> list[int]:
    with reading():
        found = moves.due(now, AT_ONCE, after)
        db.session.rollback()
    return found


def _one(mail_id: int, line: Line, moment: Callable[[], datetime]) -> Answer | None:
    """One message, from the row to what became of it. None: it was somebody else's, or did not get so far."""
    holder = f"{ME}/mail/{threading.get_ident()}/{mail_id}"
    taken = moves.take(mail_id, holder, moment())
    db.session.commit()
    if taken is None:
        return None
    ready = _ready(mail_id, moment())
    if isinstance(ready, _Unsent):
        _end(mail_id, holder, ready, moment())
        return None
    begun = moves.begin(mail_id, holder, moment())
    db.session.commit()
    if not begun:
        return None
    answer = line.hand_over(*ready)
    _settle(mail_id, holder, answer, moment())
    return answer


@dataclass(frozen=True)
class _Unsent:
    """Why a message did not even get to the server. `is_ours`: because we could not make it."""

    reason: str
    is_ours: bool = False


def _ready(mail_id: int, now: datetime) -> tuple[str, bytes] | _Unsent:
    """Address and message as they go, or why it must not go, or could not be made. Nobody waits for a lock of ours
    meanwhile: a PDF takes its time."""
    with reading():
        try:
            row = db.session.get_one(OutgoingMail, mail_id, populate_existing=True)
            reason = moves.why_not(row)
            return _Unsent(reason) if reason else (row.to_address, packed(row, now))
        except Exception:  # it is this message's own, and the others go on; it is logged and its row says so
            log.exception("message %s could not be put together", mail_id)
            return _Unsent(UNREADY, is_ours=True)
        finally:
            db.session.rollback()


def _end(mail_id: int, holder: str, why: _Unsent, now: datetime) -> None:
    row = moves.held(mail_id, holder)
    if row is not None:
        (moves.failed if why.is_ours else moves.drop)(row, why.reason, by=THE_MAILER, now=now)
    db.session.commit()


def _settle(mail_id: int, holder: str, answer: Answer, now: datetime) -> None:
    row = moves.held(mail_id, holder)
    if row is None:  # its lease ran out, and it was put down as unknown: that stays true
        db.session.rollback()
        return
    if answer.outcome == Outcome.TAKEN:
        moves.sent(row, by=THE_MAILER, now=now)
    elif answer.outcome == Outcome.REFUSED:
        moves.failed(row, answer.reason, by=THE_MAILER, now=now)
    elif answer.outcome == Outcome.UNKNOWN:
        moves.unsure(row, answer.reason, by=THE_MAILER, now=now)
    else:
        moves.later(row, answer.reason, by=THE_MAILER, now=now)
    db.session.commit()
