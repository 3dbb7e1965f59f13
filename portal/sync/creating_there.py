"""Creating a client in an app: look whether it is there, link it if so, ask a person if perhaps, create it if not.

Created twice is what must never happen. The row says who has it in hand; its key is the same at every try, for vendors
that take one; and after a lost answer the app is looked at before anything else is done, no sooner than a look-up can
be trusted to show it (fault rows 11, 14, 15, 16).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import case, or_, select, update

from jobs import queue
from portal import integrations
from portal.adapters.base import (
    AdapterError,
    ClientAdapter,
    NameTaken,
    NeedsReconnect,
    Session,
    Stopped,
    Unavailable,
    Unknown,
)
from portal.db import db
from portal.domain import activity, carrying, claims, clients, findings, links, outgoing
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.apps import Connection, Outcome, OutgoingClient, OutgoingState
from portal.domain.carrying import Context
from portal.domain.claims import ME
from portal.domain.clients import Client
from portal.domain.looking_there import Answer, Verdict
from portal.domain.nights import slot_start
from portal.domain.records import ClientRecord, NewRecord
from portal.sync.asking_there import Wanted, look, put_on_the_list
from portal.sync.breaking_off import note_lost
from portal.sync.in_hand import handed_back
from portal.sync.many import MANY, carried_by_runs, with_a_run
from portal.sync.outbox import FIRST_WAIT, LEASE, UNSURE_WAIT, another_try, said
from portal.sync.runs import clock

log = logging.getLogger(__name__)

AT_ONCE = 20  # of those that are due, at one tick
MANY_AT_ONCE = 1000  # as many as are counted
CARRIED_EVERY = timedelta(minutes=10)  # a run for the many that wait; one that came to nothing is not asked for at once
OUTCOMES = {
    Answer.NEAR_MATCH: Outcome.NEAR_MATCH, Answer.AMBIGUOUS: Outcome.AMBIGUOUS, Answer.TAKEN: Outcome.TAKEN,
    Answer.SET_ASIDE: Outcome.SKIPPED, Answer.ARCHIVED: Outcome.SKIPPED,
}  # fmt: skip


class InHand(NamedTuple):
    """A client somebody is creating there: the row, under which lease, and the row's idempotency key.

    `is_fresh`: nothing was ever tried, so nothing can be there from an earlier attempt.
    """

    row_id: int
    client_id: int
    key: str
    token: str
    is_fresh: bool


def create_there_soon(row_ids: Sequence[int], by: Actor = activity.SYSTEM) -> None:
    """Create in the background; many for one app are taken along by a run of it. Call it after the commit."""
    if not row_ids:
        return
    row = OutgoingClient
    rows = db.session.execute(select(row.id, row.connection_id).where(row.id.in_(row_ids))).all()
    carried = carried_by_runs(Counter(one.connection_id for one in rows), by)
    db.session.commit()
    for one in rows:
        if one.connection_id not in carried:
            queue.submit(create_there, one.id)


def create_due(now: datetime) -> int:
    """Create those that are due and nobody is creating. Gives how many were tried."""
    taken_along = with_a_run()
    due = outgoing.due(now, MANY_AT_ONCE, but_not=taken_along)
    due = (_without_many(due, now) if len(due) > MANY else due)[:AT_ONCE]
    db.session.commit()
    for row_id in due:
        create_there(row_id)
    return len(due)


def _without_many(due: list[int], now: datetime) -> list[int]:
    """Many for one app are left to a run of it, now and then; gives the others."""
    row = OutgoingClient
    of = {
        one.id: one.connection_id
        for one in db.session.execute(select(row.id, row.connection_id).where(row.id.in_(due)))
    }
    counts = Counter(of.values())
    slot = slot_start(now, CARRIED_EVERY).isoformat()
    wanted = {one: many for one, many in counts.items() if many > MANY and claims.claim(f"carry:{one}", slot, now)}
    carried = carried_by_runs(wanted)
    return [one for one in due if of.get(one) not in carried]


def create_there(row_id: int, session: Session | None = None, by: Actor | None = None) -> Outcome | None:
    """Look, then link, ask or create, now. None when there was nothing to do or somebody else is at it."""
    held = next(iter(claim([row_id], clock())), None)
    if held is None:
        return None
    connection = db.session.get_one(OutgoingClient, row_id).connection
    adapter = integrations.adapter_for(connection)
    context = context_of(connection, by)
    if not (adapter.info.finds_clients or connection.imported_at):
        hand_back(held)  # only the first sync tells who is there; it is taken up after that
        return None
    with handed_back(hand_back, held, UNSURE_WAIT, attempts=1):  # perhaps it was created
        try:
            if session is None:
                session = integrations.open_session(connection, urgent=True)
            db.session.commit()
            return look_and_create(adapter, session, held, context)
        except Stopped:  # by whoever opened the session, between two calls: nothing was under way
            db.session.rollback()
            hand_back(held)
            raise
        except AdapterError as error:
            db.session.rollback()
            return failed(held, error, context)


def context_of(connection: Connection, by: Actor | None) -> Context:
    return findings.context_for(connection, by=by or Actor("System", Origin.APP), now=clock())


def claim(row_ids: Sequence[int], now: datetime) -> list[InHand]:
    """Take these in hand, in the order asked; those that are gone, ask a person or are in other hands are left away.

    One that is found in dead hands was perhaps created: that counts as an attempt.
    """
    token = f"{ME}/create/{row_ids[0]}/{time.monotonic_ns()}"
    row = OutgoingClient
    fresh = select(row.id).where(row.id.in_(row_ids), row.state == OutgoingState.READY, row.attempts == 0)
    untried = set(db.session.scalars(fresh))
    taken = db.session.execute(
        update(row)
        .where(
            row.id.in_(row_ids), row.state.in_((OutgoingState.READY, OutgoingState.SENDING)),
            or_(row.lease_until.is_(None), row.lease_until < now),
        )
        .values(
            state=OutgoingState.SENDING, lease_by=token, lease_until=now + LEASE,
            attempts=case((row.state == OutgoingState.SENDING, row.attempts + 1), else_=row.attempts),
        )
        .returning(row.id, row.client_id, row.key)
        .execution_options(synchronize_session=False)
    ).all()  # fmt: skip
    db.session.commit()
    by_id = {one.id: InHand(one.id, one.client_id, one.key, token, one.id in untried) for one in taken}
    return [by_id[one] for one in row_ids if one in by_id]


def look_and_create(adapter: ClientAdapter, session: Session, held: InHand, context: Context) -> Outcome | None:
    """Raises what the vendor's errors are; every decision is one commit."""
    client = db.session.get_one(Client, held.client_id)
    wanted = Wanted(client.id, client.name)
    if is_settled(client, held, context):
        return None
    db.session.commit()
    verdict = look(adapter, session, wanted, context)
    if verdict.answer != Answer.CREATE:
        return decide(held, wanted, verdict, context)
    record = carrying.record_of(db.session.get_one(Client, held.client_id), context)
    db.session.commit()
    (answer,) = adapter.create_clients(session, [NewRecord(record, held.key)])
    return take_answer(adapter, session, held, record, answer, context)


def is_settled(client: Client, held: InHand, context: Context) -> bool:
    """Whether nothing is to be created: it is linked, or was archived here meanwhile. Then one commit."""
    row = db.session.get(OutgoingClient, held.row_id)
    if row is None or any(link.connection_id == context.connection.id for link in client.links):
        if row is not None:
            db.session.delete(row)
        db.session.commit()
        return True
    if client.is_archived:
        why = "it was archived here; bring it back from the archive first"
        outgoing.stuck(row, OutgoingState.ASKS, why, by=context.by, now=clock())
        db.session.commit()
        return True
    return False


def take_answer(
    adapter: ClientAdapter, session: Session, held: InHand, sent: ClientRecord, answer: ClientRecord | AdapterError,
    context: Context,
) -> Outcome:  # fmt: skip
    """What came of one creation. Raises the error it came to, but for a name that is taken: then it looks again."""
    wanted = Wanted(held.client_id, sent.name)
    if isinstance(answer, NameTaken):
        verdict = look(adapter, session, wanted, context, hint=answer.holder_id)
        if verdict.answer == Answer.CREATE:  # whoever has it is nobody we can see: a supplier, an employee
            verdict = Verdict(Answer.TAKEN, said(answer, context.app))
        return decide(held, wanted, verdict, context)
    if isinstance(answer, AdapterError):
        raise answer
    return created(held, sent, answer, context)


def decide(held: InHand, wanted: Wanted, verdict: Verdict, context: Context) -> Outcome:
    """Link it, or leave it to a person with the reason. One commit."""
    if verdict.answer == Answer.LINK:
        return _link(held, verdict.records[0], context, reason=verdict.reason)
    put_on_the_list(wanted, verdict, context)
    row = db.session.get(OutgoingClient, held.row_id)
    if row is not None:
        outgoing.stuck(row, OutgoingState.ASKS, verdict.reason, by=context.by, now=clock())
    db.session.commit()
    return OUTCOMES[verdict.answer]


def _link(held: InHand, record: ClientRecord, context: Context, *, reason: str) -> Outcome:
    client = clients.get(held.client_id, lock=True)
    assert client is not None  # clients are archived, never deleted
    connection = db.session.get_one(Connection, context.connection.id)
    try:
        made = links.link(client, connection, record, by=context.by, now=context.now, reason=reason, app=context.app)
    except links.AlreadyLinked:  # somebody was quicker; what that means is found when this is taken up again
        db.session.rollback()
        hand_back(held, until=clock() + FIRST_WAIT)
        return Outcome.UNCHANGED
    made.wants_push(clock())  # the two are brought in step like any two that were just linked
    clients.refresh_sync_state(client)
    db.session.commit()
    return Outcome.LINKED


def created(held: InHand, sent: ClientRecord, after: ClientRecord, context: Context) -> Outcome:
    """It is there now, and linked. What was changed here since it was sent goes after it. One commit."""
    client = clients.get(held.client_id, lock=True)
    assert client is not None  # clients are archived, never deleted
    connection = db.session.get_one(Connection, context.connection.id)
    try:
        link = links.link(
            client, connection, after, by=context.by, now=context.now, reason="created from here", made_by="created",
            app=context.app,
        )  # fmt: skip
    except links.AlreadyLinked as taken:
        return _made_in_vain(held, after, context, str(taken))
    link.created_as = held.key
    if link.agreed_at is None:  # else a run saw it first, and has linked and planned it
        carrying.settle_created(client, link, sent, after, context)
    if carrying.record_of(client, context) != sent:
        link.wants_push(clock())
    activity.record(
        Verb.CLIENT_CREATED_THERE, by=context.by, now=context.now, client_id=client.id, connection_id=connection.id,
        client=after.name, app=context.app,
    )  # fmt: skip
    clients.refresh_sync_state(client)
    db.session.commit()
    return Outcome.CREATED_THERE


def _made_in_vain(held: InHand, after: ClientRecord, context: Context, why: str) -> Outcome:
    """The client was linked elsewhere while it was being created: the new record stays there, and that is said."""
    db.session.rollback()
    client = db.session.get_one(Client, held.client_id)
    row = db.session.get(OutgoingClient, held.row_id)
    if row is not None:
        db.session.delete(row)
    activity.record(
        Verb.CLIENT_NOT_CREATED, by=context.by, now=context.now, client_id=client.id,
        connection_id=context.connection.id, client=client.name, app=context.app,
        reason=f"{why}; the record {after.name} that was made there meanwhile is one too many",
    )  # fmt: skip
    db.session.commit()
    return Outcome.SKIPPED


def failed(held: InHand, error: AdapterError, context: Context) -> Outcome:
    """Decide by the kind of failure whether to try again, and when."""
    now = clock()
    row = db.session.get(OutgoingClient, held.row_id)
    if row is None or row.lease_by != held.token:
        db.session.rollback()
        return Outcome.FAILED
    again = another_try(error, row.attempts + 1, now)
    if isinstance(error, NeedsReconnect):
        note_lost(context.connection.id, error.message, context.by)
    if again is not None:
        hand_back(held, until=again.at, why=again.why, attempts=again.attempts)
    else:
        is_certain = row.attempts == 0 and not isinstance(error, Unavailable | Unknown)
        why = said(error, context.app)
        outgoing.stuck(row, OutgoingState.FAILED, why, by=context.by, now=now, is_certain=is_certain)
        db.session.commit()
    return Outcome.FAILED


def hand_back(
    held: InHand, *, until: datetime | None = None, why: str | None = None, attempts: int | None = None
) -> None:
    """To be tried again at `until` (None: as it was); nothing happens when it is no longer in our hand. One commit."""
    values: dict[str, object] = {"state": OutgoingState.READY, "lease_by": None, "lease_until": None}
    if until is not None:
        values["next_at"] = until
    if why is not None:
        values["reason"] = why[:500]
    if attempts is not None:
        values["attempts"] = attempts
    db.session.execute(
        update(OutgoingClient)
        .where(OutgoingClient.id == held.row_id, OutgoingClient.lease_by == held.token)
        .values(**values)
    )
    db.session.commit()
