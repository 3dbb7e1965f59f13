"""One worker's trip to one account with what is due: look where it must, write many in a call, record each answer.

Bookkeeping is done for a whole call at once: one commit before it, one after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic

from sqlalchemy import update

from portal.adapters.base import (
    AdapterError,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Stopped,
    Unavailable,
    UnexpectedReply,
)
from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.deliveries import attempts
from portal.deliveries.customers import Customer, customer_for
from portal.deliveries.holding import LEASE, OUTAGE_WAIT, Hold, in_hand, renew, rows_of, take
from portal.deliveries.parcels import Out, Packer, Parcel
from portal.deliveries.trips import Arrived, Seen, Trip, chunks, each_its_own
from portal.domain import deliveries, workers
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.records import Cause
from portal.sync.outbox import said

FIRST_LOOK = timedelta(seconds=10)  # after a lost answer
INVOICE_WAIT = timedelta(minutes=15)  # of a payment; its invoice's arrival wakes it sooner
ATTEMPTS = 8  # calls about one thing; then a person is asked


@dataclass
class Courier(ABC, Generic[Out]):
    """Carries one kind of thing. Every method that calls the vendor ends the transaction first."""

    trip: Trip
    hold: Hold
    packer: Packer = field(init=False)
    _leaving: set[int] = field(default_factory=set)  # done with, once the transaction is on record

    kind = ""

    def __post_init__(self) -> None:
        self.packer = Packer(self.trip.connection_id, self.trip.app, self.trip.url)

    @classmethod
    def go(cls, trip: Trip, ids: Sequence[int]) -> int:
        """Take these in hand and see each to its next state; gives how many it could take.

        Raises what concerns the whole account.
        """
        with workers.at_work(db.engine, trip.clock):
            hold = take(ids, trip.clock(), app=trip.app, by=trip.by)
            taken = len(hold.ids)
            if taken:
                trip.leash.hold = hold
                with in_hand(hold, trip.clock):
                    cls(trip, hold).carry()
                trip.leash.hold = None
        return taken

    def carry(self) -> None:
        parcels = self._pack(self.hold.ids)
        parcels = self._take_up_known(parcels)
        parcels = self._look(parcels)
        parcels = self._with_customers(parcels)
        parcels = self._set_aside(parcels)
        for batch in chunks(parcels, self.batch):
            self._send(batch)

    def _commit(self) -> None:
        """Before it, whatever fails leaves them in our hand, to be given back."""
        db.session.commit()
        self.hold.ids -= self._leaving
        self._leaving.clear()

    # What differs between invoices and payments

    @property
    @abstractmethod
    def batch(self) -> int:
        """How many one call takes."""

    @abstractmethod
    def pack(self, rows: Sequence[Delivery]) -> list[Parcel[Out]]: ...

    @abstractmethod
    def find(self, parcels: Sequence[Parcel[Out]]) -> Iterator[tuple[list[Parcel[Out]], Callable[[Parcel[Out]], Seen]]]:
        """Look-ups, as many calls as it takes: after each, the parcels it was about and what it says of one."""

    @abstractmethod
    def create(self, outs: Sequence[Out]) -> Sequence[Any]: ...

    @abstractmethod
    def arrived(self, parcel: Parcel[Out], answer: Any) -> Arrived: ...

    def known(self, one: Parcel[Out]) -> Seen | None:
        """One that reading the ledger has met (`there`), as it stands there; None: it is there no more."""
        return None

    @property
    def is_protected(self) -> bool:
        """Whether the ledger itself keeps a second one away, so that one that never went need not be looked for."""
        ledger = self.trip.adapter.ledger
        return ledger.refuses_used_numbers or ledger.writes_by_mark

    def may_be_ours(self, error: AdapterError) -> bool:
        """Whether what was refused so may be refused because it is there already."""
        return isinstance(error, InvoiceRefused) and error.cause == Cause.NUMBER_USED

    def after(self, parcels: Sequence[tuple[Parcel[Out], Arrived]], now: datetime) -> None:
        """What follows from their arrival, in the transaction that records it."""

    # Getting ready

    def _pack(self, ids: set[int]) -> list[Parcel[Out]]:
        rows = rows_of(self.hold, ids)
        self.hold.ids -= ids - set(rows)
        parcels = self.pack(list(rows.values())) if rows else []
        db.session.commit()
        return parcels

    def _with_customers(self, parcels: list[Parcel[Out]]) -> list[Parcel[Out]]:
        """Those whose customer is missing get it first; whoever cannot get one waits, or asks."""
        missing = [one for one in parcels if one.problem and one.problem[0] == "customer"]
        found: dict[int, Customer] = {}
        for one in missing:
            client_id = one.what.client_id
            if client_id not in found:
                renew(self.hold, self.trip.clock())
                found[client_id] = customer_for(
                    client_id, self.trip.connection_id, self.trip.session, by=self.trip.by, now=self.trip.clock()
                )
        if not missing:
            return parcels
        there = {one.id for one in missing if found[one.what.client_id].is_there}
        self._without_customer([(one, found[one.what.client_id]) for one in missing if one.id not in there])
        again = {one.id: one for one in self._pack(there)}
        return [again.get(one.id, one) for one in parcels if one.id in self.hold.ids]

    def _without_customer(self, stranded: Sequence[tuple[Parcel[Out], Customer]]) -> None:
        rows = rows_of(self.hold, {one.id for one, _customer in stranded})
        now = self.trip.clock()
        for one, customer in stranded:
            row = rows.get(one.id)
            if row is None:
                continue
            if customer.waits_until is not None:
                deliveries.waits(row, customer.waits_until, customer.why, "customer")
            else:
                deliveries.asks(row, one.what, "customer", customer.why, app=self.trip.app, by=self.trip.by, now=now)
        db.session.commit()
        self.hold.ids -= {one.id for one, _customer in stranded}

    def _set_aside(self, parcels: list[Parcel[Out]]) -> list[Parcel[Out]]:
        """What cannot go as it is: it asks, waits for its invoice, or is not to go any more."""
        aside = [one for one in parcels if one.problem]
        if not aside:
            return parcels
        rows = rows_of(self.hold, {one.id for one in aside})
        now = self.trip.clock()
        for one in aside:
            row = rows.get(one.id)
            if row is None or one.problem is None:
                continue
            cause, why = one.problem
            if cause == "voided":
                deliveries.withdrawn(row, one.what, why, app=self.trip.app, by=self.trip.by, now=now)
            elif cause == "invoice":
                deliveries.waits(row, now + INVOICE_WAIT, why, cause)
            else:
                deliveries.asks(row, one.what, cause, why, app=self.trip.app, by=self.trip.by, now=now)
        db.session.commit()
        self.hold.ids -= {one.id for one in aside}
        return [one for one in parcels if not one.problem]

    # Looking

    def _take_up_known(self, parcels: list[Parcel[Out]]) -> list[Parcel[Out]]:
        """Those that reading the ledger has shown already are done with, and never sent. Gives the others."""
        began = self.trip.clock()
        for one in [one for one in parcels if one.there]:
            seen = self.known(one)
            if seen is not None and seen.ours is not None:
                self._settle_look([one], seen.of, began)
        return [one for one in parcels if one.id in self.hold.ids]

    def _look(self, parcels: list[Parcel[Out]]) -> list[Parcel[Out]]:
        """Look for those that may be there; what was found is done with. Gives those that may go, in their order."""
        ledger = self.trip.adapter.ledger
        always = not (ledger.refuses_used_numbers or ledger.writes_by_mark)
        wanted = [one for one in parcels if always or one.is_uncertain or one.went]
        free = {one.id: one for one in parcels}
        began = self.trip.clock()
        for looked, seen in self._found(wanted):
            free |= self._settle_look(looked, seen, began)
            began = self.trip.clock()
        return [free[one.id] for one in parcels if one.id in self.hold.ids]

    def _found(
        self, wanted: Sequence[Parcel[Out]]
    ) -> Iterator[tuple[list[Parcel[Out]], Callable[[Parcel[Out]], Seen]]]:
        """Where one of them spoils a look-up, each is looked for by itself: the others do not wait for it for ever."""
        done: set[int] = set()
        try:
            for looked, seen in self.find(wanted) if wanted else ():
                done |= {one.id for one in looked}
                yield looked, seen
        except (UnexpectedReply, Rejected) as error:
            left = [one for one in wanted if one.id not in done]
            if len(left) == 1:
                yield left, Seen(trouble=said(error, self.trip.app)).of
                return
            for one in left:
                yield from self._found([one])

    def _settle_look(
        self, parcels: list[Parcel[Out]], seen: Callable[[Parcel[Out]], Seen], began: datetime, refusal: str = "",
        cause: str = Cause.NUMBER_USED,
    ) -> dict[int, Parcel[Out]]:  # fmt: skip
        """One commit. Gives those that are proved not to be there, under the keys they go out under.

        `refusal`: they have just been refused, for this cause; what is not ours there stays refused.
        """
        rows, now = rows_of(self.hold, {one.id for one in parcels}), self.trip.clock()
        steps, proved, came = [], {}, []
        trip, settle_after = self.trip, self.trip.adapter.ledger.look_ups_settle_after
        for one in parcels:
            row, what = rows.get(one.id), seen(one)
            if row is None:
                self._leaving.add(one.id)
                continue
            if what.ours is not None:
                self._deliver(row, one, what.ours, now, adopted=True)
                came.append((one, what.ours))
                steps.append((one, attempts.FOUND, what.ours.remote_id, what.ours.differs))
                continue
            if what.trouble:
                steps.append((one, attempts.UNCLEAR, "", what.trouble))
                deliveries.refused(row, one.what, Cause.OTHER, what.trouble, app=trip.app, by=trip.by, now=now)
                self._leaving.add(one.id)
                continue
            words = what.clash or refusal
            steps.append((one, attempts.NOTHING, "", words))
            if words and row.state != DeliveryState.UNKNOWN:
                deliveries.refused(row, one.what, cause, words, app=trip.app, by=trip.by, now=now)
            elif deliveries.not_found(row, one.what, app=trip.app, settle_after=settle_after, by=trip.by, now=now):
                if words:  # somebody else's has the number, and by now it is certain that ours is not there as well
                    deliveries.refused(row, one.what, cause, words, app=trip.app, by=trip.by, now=now)
                    self._leaving.add(one.id)
                    continue
                if one.is_uncertain and row.attempts >= ATTEMPTS:
                    why = f"{trip.app} was asked {row.attempts} times and gave no answer; nothing of it is there."
                    deliveries.refused(row, one.what, "unavailable", why, app=trip.app, by=trip.by, now=now)
                    self._leaving.add(one.id)
                    continue
                proved[one.id] = one.under(row.key)
                continue
            self._leaving.add(one.id)
        attempts.looked(steps, began, now, trip.by.name)
        self.after(came, now)
        self._commit()
        return proved

    # Sending

    def _send(self, batch: Sequence[Parcel[Out]]) -> None:
        """One call, between two commits."""
        began = self._mark(batch)
        batch = [one for one in batch if one.id in began]
        if not batch:
            return
        try:
            answers: Sequence[Any] = self.create([one.out for one in batch])
        except (RateLimited, NeedsReconnect, Unavailable, Stopped) as error:
            self._not_sent(batch, began, error)
            raise
        except NotThere as error:
            answers = [error] * len(batch)
        except Rejected as error:
            if len(batch) > 1:  # one of them spoils the call, and nobody says which
                self._not_sent(batch, began, error)
                if not self.is_protected:  # what a refusal of the whole is worth, a look says
                    batch = self._look([replace(one, went=True) for one in batch])
                half = (len(batch) + 1) // 2
                for some in filter(None, (batch[:half], batch[half:])):
                    self._send(some)
                return
            answers = [error]
        except AdapterError as error:  # lost, or not to be understood: some may be there now
            answers = [error] * len(batch)
        self._record(batch, answers, began)

    def _mark(self, batch: Sequence[Parcel[Out]]) -> dict[int, int]:
        """Say that these are being sent, as far as they are still ours. One commit; delivery -> attempt."""
        now = self.trip.clock()
        marked = set(
            db.session.execute(
                update(Delivery)
                .where(Delivery.id.in_([one.id for one in batch]), Delivery.lease_by == self.hold.token)
                .values(
                    state=DeliveryState.SENDING, sent_at=now, attempts=Delivery.attempts + 1, lease_until=now + LEASE,
                    reason="", cause="",
                )
                .returning(Delivery.id)
                .execution_options(synchronize_session=False)
            ).scalars()
        )  # fmt: skip
        ours = [one for one in batch if one.id in marked]
        began = attempts.begin(ours, now, self.trip.by.name) if ours else {}
        db.session.execute(
            update(Delivery)
            .where(Delivery.id.in_(self.hold.ids), Delivery.lease_by == self.hold.token)
            .values(lease_until=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        self.hold.ids -= {one.id for one in batch} - marked
        self.hold.renewed()
        return began

    def _not_sent(self, batch: Sequence[Parcel[Out]], began: dict[int, int], error: AdapterError) -> None:
        """The call was not taken. It is looked for all the same before the next one. One commit; still in hand."""
        db.session.rollback()
        now = self.trip.clock()
        rows = rows_of(self.hold, {one.id for one in batch})
        for row in rows.values():
            row.state = DeliveryState.WAITING
            row.attempts = max(0, row.attempts - 1)
        attempts.end({began[id]: (attempts.NOT_SENT, "", error.message) for id in rows}, now)
        db.session.commit()

    def _record(self, batch: Sequence[Parcel[Out]], answers: Sequence[Any], began: dict[int, int]) -> None:
        """What came of the call. One commit; numbers that are used are looked at after it."""
        rows, now = rows_of(self.hold, {one.id for one in batch}), self.trip.clock()
        answers = each_its_own(self.trip, self.kind, [one.id for one in batch], answers)
        ended, came, used = {}, [], []
        lost: NeedsReconnect | None = None
        for one, answer in zip(batch, answers, strict=True):
            row = rows.get(one.id)
            if row is None:  # another has taken it over: whatever we know of it is for them to find out
                self._leaving.add(one.id)
                continue
            if not isinstance(answer, AdapterError):
                there = self.arrived(one, answer)
                self._deliver(row, one, there, now, adopted=False)
                came.append((one, there))
                ended[began[one.id]] = (attempts.CREATED, there.remote_id, there.differs)
                continue
            lost = answer if isinstance(answer, NeedsReconnect) else lost
            ended[began[one.id]] = (self._failed(row, one, answer, now), "", said(answer, self.trip.app))
            if self.may_be_ours(answer):
                used.append((one, said(answer, self.trip.app), getattr(answer, "cause", Cause.OTHER)))
        attempts.end(ended, now)
        self.after(came, now)
        self._commit()
        for one, words, cause in used:
            for looked, seen in self._found([one]):
                self._settle_look(looked, seen, now, words, cause)
        if lost is not None:
            raise lost

    def _failed(self, row: Delivery, one: Parcel[Out], error: AdapterError, now: datetime) -> str:
        """Decide by the kind of failure; gives what the attempt is noted as."""
        trip, words = self.trip, said(error, self.trip.app)
        if self.may_be_ours(error):
            row.state = DeliveryState.WAITING  # it may be ours: looked at in a moment, still in hand
            return attempts.REFUSED
        self._leaving.add(one.id)
        if isinstance(error, NeedsReconnect | RateLimited | Unavailable):
            if row.attempts >= ATTEMPTS:
                deliveries.refused(row, one.what, "unavailable", words, app=trip.app, by=trip.by, now=now)
            else:
                deliveries.waits(row, error.retry_at or now + OUTAGE_WAIT, words)
            return attempts.NOT_SENT
        if isinstance(error, Rejected):
            cause = error.cause if isinstance(error, InvoiceRefused) else Cause.OTHER
            deliveries.refused(row, one.what, cause, words, app=trip.app, by=trip.by, now=now)
            return attempts.REFUSED
        deliveries.unsure(row, one.what, words, app=trip.app, until=now + FIRST_LOOK, by=trip.by, now=now)
        return attempts.LOST

    def _deliver(self, row: Delivery, one: Parcel[Out], there: Arrived, now: datetime, *, adopted: bool) -> None:
        trip = self.trip
        deliveries.delivered(
            row, one.what, there.remote_id, app=trip.app, number=there.number, web_url=there.web_url,
            adopted=adopted, by=trip.by, now=now,
        )  # fmt: skip
        self._leaving.add(one.id)
