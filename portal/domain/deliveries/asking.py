"""Asking for a delivery, taking it back, trying it again: the rows of the outbox, in the transaction of their cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from portal.db import db
from portal.domain import activity, connections
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, Connection, ConnectionState, LinkState
from portal.domain.deliveries.keys import first_key
from portal.domain.deliveries.models import Delivery, DeliveryState, Job
from portal.domain.invoices.models import Invoice, Payment
from portal.domain.ledgers.models import LedgerRecord, LedgerSettings

INVOICE, PAYMENT, JOB = "invoice", "payment", "job"
OPEN = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.UNKNOWN)
STUCK = (DeliveryState.ASKS, DeliveryState.FAILED)


class CannotTryAgain(Exception):
    """There is nothing to try: it is there already, or its cause has gone. The text says so."""


class UnderWay(Exception):
    """It is being sent at this very moment, or may have arrived; the text says so."""


def ask(invoice: Invoice, connection: Connection, *, by: Actor, now: datetime) -> Delivery:
    """This invoice is to be in that ledger, once. Asked twice is asked once; one that was withdrawn is taken up again.

    Needs the invoice's id: flush first. Goes out with the next tick, or at once by `portal.deliveries.deliver_soon`.
    """
    return _asked(INVOICE, connection, invoice.client_id, invoice.mark, {"invoice_id": invoice.id}, by, now)


def ask_payment(payment: Payment, connection: Connection, *, by: Actor, now: datetime) -> Delivery | None:
    """This payment is to be recorded there against its invoice, once.

    None where payments are not written: the ledger takes none, or an admin has said so, or the invoice is not and will
    not be there.
    """
    ledger = connection.ways.ledger
    settings = db.session.get(LedgerSettings, connection.id)
    if ledger is None or not ledger.takes_payments or (settings is not None and not settings.writes_payments):
        return None
    if payment.remote_id is not None or not _is_bound_for(payment.invoice_id, connection.id):
        return None
    invoice = db.session.get_one(Invoice, payment.invoice_id)
    return _asked(PAYMENT, connection, invoice.client_id, payment.mark, {"payment_id": payment.id}, by, now)


def ask_job(job: Job, connection: Connection, *, by: Actor, now: datetime) -> Delivery:
    """This job is to be in that practice app, once. Sending it is `portal.deploying`."""
    return _asked(JOB, connection, job.client_id, job.mark, {"job_id": job.id}, by, now)


def of(invoice: Invoice) -> list[Delivery]:
    """The deliveries of the invoice itself, one for each ledger it was ever meant for; the present ledger's first."""
    found = db.session.scalars(select(Delivery).where(Delivery.invoice_id == invoice.id).order_by(Delivery.id))
    return sorted(found, key=lambda one: one.connection_id != invoice.connection_id)


def of_many(invoice_ids: Collection[int]) -> dict[int, list[Delivery]]:
    """The deliveries of these invoices, by invoice; one query."""
    query = select(Delivery).where(Delivery.invoice_id.in_(invoice_ids)).options(joinedload(Delivery.connection))
    found: dict[int, list[Delivery]] = {}
    for row in db.session.scalars(query.order_by(Delivery.id)):
        found.setdefault(row.invoice_id or 0, []).append(row)
    return found


def of_payments(invoice: Invoice) -> list[Delivery]:
    query = select(Delivery).join(Payment, Payment.id == Delivery.payment_id).where(Payment.invoice_id == invoice.id)
    return list(db.session.scalars(query.order_by(Delivery.id)))


def of_job(job: Job) -> list[Delivery]:
    return list(db.session.scalars(select(Delivery).where(Delivery.job_id == job.id).order_by(Delivery.id)))


def get(delivery_id: int) -> Delivery | None:
    return db.session.get(Delivery, delivery_id)


def try_again(delivery: Delivery, *, by: Actor, now: datetime) -> None:
    """A person wants it to go now. It is looked for there before anything is sent (IN-14).

    Raises `CannotTryAgain` when it is there already or was withdrawn.
    """
    if delivery.state == DeliveryState.DELIVERED:
        raise CannotTryAgain(f"It is in {connections.label(delivery.connection)} already.")
    if delivery.state == DeliveryState.WITHDRAWN:
        raise CannotTryAgain(f"It is not to go to {connections.label(delivery.connection)} any more.")
    # Whatever another has made of it since it was read stays: only what is stuck at this very moment is set free.
    asked_by = {"asked_by": by.name} if by.user_id is not None else {}
    stuck_now = update(Delivery).where(Delivery.id == delivery.id, Delivery.state.in_(STUCK))
    open_now = update(Delivery).where(Delivery.id == delivery.id, Delivery.state.in_(OPEN))
    freed = {"state": DeliveryState.WAITING, "cause": "", "reason": ""} | asked_by
    for statement, values in ((stuck_now, freed), (open_now, asked_by)):
        db.session.execute(statement.values(next_at=now, **values).execution_options(synchronize_session=False))
    db.session.refresh(delivery)


def put_off(delivery: Delivery, until: datetime) -> None:
    """What waits is sent no sooner than this: whoever asked for it may still take it back."""
    if delivery.state == DeliveryState.WAITING and delivery.lease_until is None:
        delivery.next_at = max(until, delivery.next_at or until)


def withdraw(delivery: Delivery, reason: str, *, by: Actor, now: datetime) -> bool:
    """Its cause has gone. False when it has arrived already: then it has to be undone there, by a person.

    Raises `UnderWay` while it is being sent, or while nobody knows whether it arrived.
    """
    if delivery.state == DeliveryState.DELIVERED:
        return False
    app = connections.label(delivery.connection)
    if delivery.state in (DeliveryState.SENDING, DeliveryState.UNKNOWN):
        raise UnderWay(f"Whether it has reached {app} is being found out; try again in a few minutes.")
    taken = db.session.execute(
        update(Delivery)
        .where(
            Delivery.id == delivery.id, Delivery.state.in_((DeliveryState.WAITING, *STUCK)),
            or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
        )
        .values(state=DeliveryState.WITHDRAWN, next_at=None, cause="", reason=reason[:500], lease_by=None)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    ).first()  # fmt: skip
    if taken is None:
        raise UnderWay(f"It is being sent to {app} at this moment.")
    db.session.expire(delivery)
    if delivery.invoice_id is not None:
        activity.record(
            Verb.INVOICE_NOT_FOR_LEDGER, by=by, now=now, client_id=delivery.client_id, invoice_id=delivery.invoice_id,
            connection_id=delivery.connection_id, app=app, reason=reason,
        )  # fmt: skip
    return True


def wake(
    connection: Connection | int, client_ids: Collection[int] | None = None, *, now: datetime,
    causes: Collection[str] = (),
) -> int:  # fmt: skip
    """What these deliveries waited for may have come: a link was made, a mapping saved. Gives how many are tried.

    `client_ids` None: everybody's. `causes` empty: whatever they ask for.
    """
    connection_id = connection if isinstance(connection, int) else connection.id
    if client_ids is not None and not client_ids:
        return 0
    waiting = [Delivery.connection_id == connection_id, Delivery.state == DeliveryState.ASKS]
    if client_ids is not None:
        waiting.append(Delivery.client_id.in_(client_ids))
    if causes:
        waiting.append(Delivery.cause.in_(causes))
    woken = db.session.execute(
        update(Delivery)
        .where(*waiting)
        .values(state=DeliveryState.WAITING, next_at=now, cause="", reason="")
        .execution_options(synchronize_session="fetch")
    )
    return int(woken.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount


def wake_linked(now: datetime) -> int:
    """Customers have come, in whatever way: a sync linked them, a person did, a broken link works again. Gives how many
    deliveries that waited for one are tried now."""
    linked = exists().where(
        ClientLink.connection_id == Delivery.connection_id, ClientLink.client_id == Delivery.client_id,
        ClientLink.state == LinkState.LINKED,
    )  # fmt: skip
    waiting = or_(
        Delivery.state == DeliveryState.ASKS, and_(Delivery.state == DeliveryState.WAITING, Delivery.next_at > now)
    )
    ids = list(db.session.scalars(select(Delivery.id).where(waiting, Delivery.cause == "customer", linked)))
    if ids:  # else nobody has to wait for the right to write
        db.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(ids), waiting)
            .values(state=DeliveryState.WAITING, next_at=now, cause="", reason="")
            .execution_options(synchronize_session=False)
        )
    return len(ids)


def wake_payments(connection_id: int, invoice_ids: Collection[int], now: datetime) -> None:
    """These invoices are in the ledger now: payments that waited for them can go."""
    paid = select(Payment.id).where(Payment.invoice_id.in_(invoice_ids))
    if invoice_ids:
        db.session.execute(
            update(Delivery)
            .where(
                Delivery.connection_id == connection_id, Delivery.payment_id.in_(paid),
                Delivery.state == DeliveryState.WAITING,
            )
            .values(next_at=now)
            .execution_options(synchronize_session=False)
        )  # fmt: skip


def read_back(payment_id: int, connection_id: int, now: datetime) -> None:
    """The ledger has shown this payment of ours: its delivery need not be sent any more, and is settled at once."""
    of_it = (Delivery.connection_id == connection_id, Delivery.payment_id == payment_id)
    for states, values in ((STUCK, {"state": DeliveryState.WAITING, "cause": "", "reason": ""}), (OPEN, {})):
        db.session.execute(
            update(Delivery)
            .where(*of_it, Delivery.state.in_(states), or_(Delivery.next_at.is_(None), Delivery.next_at > now))
            .values(next_at=now, **values)
            .execution_options(synchronize_session=False)
        )


def due(now: datetime, connection_id: int, kind: str, limit: int) -> list[int]:
    """Deliveries to be tried that nobody has in hand, oldest first."""
    query = (
        select(Delivery.id)
        .where(
            Delivery.connection_id == connection_id, Delivery.kind == kind, Delivery.state.in_(OPEN),
            Delivery.next_at <= now, or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
        )
        .order_by(Delivery.next_at, Delivery.id)
        .limit(limit)
    )  # fmt: skip
    return list(db.session.scalars(query))


def of_kind(ids: Collection[int], kind: str) -> list[int]:
    """Of these, those of this kind, oldest first."""
    return list(
        db.session.scalars(select(Delivery.id).where(Delivery.id.in_(ids), Delivery.kind == kind).order_by(Delivery.id))
    )


def due_connections(now: datetime, kinds: Collection[str] = (INVOICE, PAYMENT)) -> list[int]:
    """Connections that work and have something due."""
    query = (
        select(Delivery.connection_id)
        .join(Connection, Connection.id == Delivery.connection_id)
        .where(
            Delivery.kind.in_(kinds), Delivery.state.in_(OPEN), Delivery.next_at <= now,
            or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
            Connection.state == ConnectionState.CONNECTED,
        )
        .distinct()
    )  # fmt: skip
    return sorted(db.session.scalars(query))


def stuck(connection_id: int | None = None, after: int = 0, limit: int = 50) -> list[Delivery]:
    """Deliveries that need a person, by id; one more than `limit` when there are more."""
    query = select(Delivery).where(Delivery.state.in_(STUCK), Delivery.id > after).order_by(Delivery.id)
    if connection_id is not None:
        query = query.where(Delivery.connection_id == connection_id)
    return list(db.session.scalars(query.limit(limit + 1)))


def unsettled_payments(invoice_id: int, connection_id: int) -> list[Delivery]:
    """Payments of ours on this invoice that may be in the ledger already without our knowing their id there.

    Whoever reads the ledger back must not take one of these for somebody else's (fault row 61).
    """
    query = (
        select(Delivery)
        .join(Payment, Payment.id == Delivery.payment_id)
        .where(
            Payment.invoice_id == invoice_id, Delivery.connection_id == connection_id,
            Delivery.state.in_((*OPEN, *STUCK)),
        )
    )  # fmt: skip
    return list(db.session.scalars(query))


def remote_invoice(invoice_id: int, connection_id: int) -> str | None:
    """The ledger's id of this invoice; None while it is not known to be there."""
    delivered = db.session.scalar(
        select(Delivery.remote_id).where(Delivery.connection_id == connection_id, Delivery.invoice_id == invoice_id)
    )
    return delivered or db.session.scalar(
        select(LedgerRecord.remote_id).where(
            LedgerRecord.connection_id == connection_id, LedgerRecord.invoice_id == invoice_id
        )
    )


def _is_bound_for(invoice_id: int, connection_id: int) -> bool:
    known = select(Delivery.id).where(
        Delivery.connection_id == connection_id, Delivery.invoice_id == invoice_id,
        Delivery.state != DeliveryState.WITHDRAWN,
    )  # fmt: skip
    return db.session.scalar(known) is not None or remote_invoice(invoice_id, connection_id) is not None


def _asked(
    kind: str, connection: Connection, client_id: int, mark: str, what: dict[str, int], by: Actor, now: datetime
) -> Delivery:
    found = _known(connection.id, what)
    if found is None:
        found = _made(kind, connection, client_id, mark, what, by, now)
    if found.state == DeliveryState.WITHDRAWN:
        found.state = DeliveryState.WAITING
        found.next_at = now
        found.reason = ""
    return found


def _made(
    kind: str, connection: Connection, client_id: int, mark: str, what: dict[str, int], by: Actor, now: datetime
) -> Delivery:
    row = Delivery(
        kind=kind, connection_id=connection.id, client_id=client_id, mark=mark, state=DeliveryState.WAITING, **what,
        key=first_key(connection.app, connection.account_id, kind, mark), next_at=now, made_at=now, made_by=by.name,
        asked_by=by.name if by.user_id is not None else "", attempts=0, looked=0,
    )  # fmt: skip
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError:  # somebody asked at the same moment
        found = _known(connection.id, what)
        if found is None:
            raise
        return found
    row.connection = connection
    return row


def _known(connection_id: int, what: dict[str, int]) -> Delivery | None:
    named: Sequence[Any] = [getattr(Delivery, column) == value for column, value in what.items()]
    return db.session.scalar(select(Delivery).where(Delivery.connection_id == connection_id, *named))


def counts(connection_id: int) -> dict[str, int]:
    """How many there are of each state, by its word; what there is none of is left out."""
    query = (
        select(Delivery.state, func.count())
        .where(Delivery.connection_id == connection_id)
        .group_by(Delivery.state)
        .order_by(Delivery.state)
    )
    return {DeliveryState(state).value: many for state, many in db.session.execute(query)}
