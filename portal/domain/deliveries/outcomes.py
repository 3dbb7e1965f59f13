"""What comes of a delivery: every move of its state, each with its line in the log, in the caller's transaction.

Whoever calls holds the lease; the row is out of their hands afterwards.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.domain.activity import Actor, Verb
from portal.domain.deliveries.carried import Carried
from portal.domain.deliveries.keys import next_key
from portal.domain.deliveries.models import Delivery, DeliveryState

CREATED = {
    "invoice": Verb.INVOICE_CREATED_THERE, "payment": Verb.PAYMENT_CREATED_THERE, "job": Verb.JOB_CREATED_THERE,
}  # fmt: skip
FOUND = {"invoice": Verb.INVOICE_FOUND_THERE, "payment": Verb.PAYMENT_FOUND_THERE, "job": Verb.JOB_FOUND_THERE}
REFUSED = {
    "invoice": Verb.INVOICE_REFUSED_THERE, "payment": Verb.PAYMENT_REFUSED_THERE, "job": Verb.JOB_REFUSED_THERE,
}  # fmt: skip
UNSURE = {
    "invoice": Verb.INVOICE_UNSURE_THERE, "payment": Verb.PAYMENT_UNSURE_THERE, "job": Verb.JOB_UNSURE_THERE,
}  # fmt: skip
NO_ANSWER = "No answer came; it is being looked for."
LOOKS_ENOUGH = 2  # look-ups that found nothing, the last of them late enough to be trusted


def out_of_hand(row: Delivery) -> None:
    row.lease_by = row.lease_until = None


def delivered(
    row: Delivery, what: Carried, remote_id: str, *, app: str, number: str = "", web_url: str = "",
    adopted: bool = False, by: Actor, now: datetime,
) -> None:  # fmt: skip
    """It is there, under this id. `adopted`: a look-up found it, rather than an answer to our call."""
    row.state = DeliveryState.DELIVERED
    row.remote_id = remote_id
    row.remote_number = number
    row.web_url = web_url
    row.delivered_at = now
    row.adopted = adopted
    row.next_at = None
    row.cause = row.reason = ""
    out_of_hand(row)
    if row.kind == "invoice":
        verb = Verb.INVOICE_DEPLOYED_BY_HAND if row.asked_by else Verb.INVOICE_DEPLOYED
        what.record(verb, row, by=by, now=now, **({"user": row.asked_by} if row.asked_by else {}))
    named = {"number": number} if number and row.kind == "invoice" else {}
    what.record((FOUND if adopted else CREATED)[row.kind], row, by=by, now=now, app=app, **named)


def refused(row: Delivery, what: Carried, cause: str, reason: str, *, app: str, by: Actor, now: datetime) -> None:
    """The app said no, and nothing was written. A person has to mend it; then it is looked for before it goes again."""
    row.state = DeliveryState.FAILED
    row.cause = cause
    row.reason = reason[:500]
    row.next_at = None
    row.looked = 0
    out_of_hand(row)
    what.record(REFUSED[row.kind], row, by=by, now=now, app=app, reason=row.reason)


def asks(row: Delivery, what: Carried, cause: str, reason: str, *, app: str, by: Actor, now: datetime) -> None:
    """It waits for a person, or for its customer. Told once for the same reason."""
    is_news = (row.cause, row.reason) != (cause, reason[:500])
    row.state = DeliveryState.ASKS
    row.cause = cause
    row.reason = reason[:500]
    row.next_at = None
    out_of_hand(row)
    if not is_news:
        return
    if row.kind == "invoice":
        what.record(Verb.INVOICE_ASKS_THERE, row, by=by, now=now, app=app, reason=row.reason)
    else:
        what.record(REFUSED[row.kind], row, by=by, now=now, app=app, reason=row.reason)


def unsure(row: Delivery, what: Carried, reason: str, *, app: str, until: datetime, by: Actor, now: datetime) -> None:
    """No answer came: it may be there. It is looked for at `until`, before anything else (rule 6)."""
    if row.state != DeliveryState.UNKNOWN and row.kind in UNSURE:
        what.record(UNSURE[row.kind], row, by=by, now=now, app=app)
    row.state = DeliveryState.UNKNOWN
    row.looked = 0
    row.sent_at = now
    row.reason = reason[:500]
    row.next_at = until
    out_of_hand(row)


def was_being_sent(row: Delivery, what: Carried, *, app: str, by: Actor, now: datetime) -> None:
    """Whoever was sending it is gone, and nobody knows how far they came: told, and looked for before anything else."""
    if row.kind in UNSURE:
        what.record(UNSURE[row.kind], row, by=by, now=now, app=app)


def withdrawn(row: Delivery, what: Carried, reason: str, *, app: str, by: Actor, now: datetime) -> None:
    """Its cause went before it was sent."""
    row.state = DeliveryState.WITHDRAWN
    row.reason = reason[:500]
    row.cause = ""
    row.next_at = None
    out_of_hand(row)
    if row.kind == "invoice":
        what.record(Verb.INVOICE_NOT_FOR_LEDGER, row, by=by, now=now, app=app, reason=reason)


def waits(row: Delivery, until: datetime, reason: str, cause: str = "") -> None:
    """Nothing was done about it; it is tried again by itself."""
    if row.state != DeliveryState.UNKNOWN:
        row.state = DeliveryState.WAITING
    row.next_at = until
    row.reason = reason[:500]
    row.cause = cause
    out_of_hand(row)


def not_found(row: Delivery, what: Carried, *, app: str, settle_after: timedelta, by: Actor, now: datetime) -> bool:
    """A look-up found nothing. True: that is proof, and it may be sent, under another key.

    After a lost answer one look proves nothing while it may be older than the call: the second is made when the app's
    look-ups can be trusted to show what the call did (fault row 16).
    """
    if row.state != DeliveryState.UNKNOWN:
        if row.sent_at is not None:
            _free(row)
        return True
    row.looked += 1
    settled = (row.sent_at or now) + settle_after
    if row.looked >= LOOKS_ENOUGH and now >= settled:
        _free(row)
        if row.kind == "invoice":
            what.record(Verb.INVOICE_NOT_FOUND_YET, row, by=by, now=now, app=app, number=what.facts["number"])
        return True
    row.next_at = max(settled, now + settle_after) if row.looked < LOOKS_ENOUGH else settled
    out_of_hand(row)
    return False


def _free(row: Delivery) -> None:
    row.state = DeliveryState.WAITING
    row.key = next_key(row.key)
    row.sent_at = None
    row.looked = 0
    row.reason = ""
