"""Invoices and payments in Digits: written under our marks, read back from the ledger's entries.

Invariant: nothing is ever changed there. A second writing of a mark would replace the first, so the same mark never
goes out with other contents: this process remembers what it sent until a refusal, or a look-up that comes late enough,
says that nothing is there. Across processes the caller keeps the rule by looking a mark up before it is written again.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from portal.adapters.base import AdapterError, NotThere, Rejected, Session, Unavailable, Unknown
from portal.adapters.digits import calls, chart, events, paperwork, wire
from portal.adapters.digits.chart import Declared, Sources
from portal.adapters.digits.entries import Found
from portal.adapters.digits.wire import NAME, Readings
from portal.adapters.ledger import InvoiceRefused, LedgerInfo, Rounding
from portal.domain.records import (
    InvoiceOut,
    InvoiceState,
    LedgerEvent,
    LedgerInvoice,
    LedgerLists,
    LedgerPayment,
    ListKind,
    PaymentOut,
    Quarantined,
)

SETTLES = timedelta(minutes=5)
LEDGER = LedgerInfo(
    invoice_batch=wire.MOST,
    payment_batch=wire.MOST,
    look_up_batch=500,
    rounding=Rounding.EACH_LINE,
    lists=(ListKind.ACCOUNT, ListKind.PAY_INTO),
    line_goes_to=ListKind.ACCOUNT,
    target_word="category of income",
    writes_by_mark=True,
    look_ups_settle_after=SETTLES,
    takes_drafts=False,
    pay_into_needed=True,
    tells_payments=False,
    has_webhooks=True,
    poll_every=timedelta(hours=12),
    cautions=(
        "Digits does not send invoices that come from another app: it books them, and follows what is owed.",
        "What makes a transaction an invoice is named in Digits' documentation, how it is spelled is not. A setting "
        "has the other spelling; check the first invoice in Digits.",
        "Digits does not tell who paid an invoice, nor that one was voided or deleted. Mark those so here.",
        "Customers that did not come from here are named by Digits' own number, which its documentation does not "
        "promise; a setting names them by their name instead.",
        "Tax is booked to the liability in the chart of accounts that looks like sales tax; a setting names another.",
        "An invoice is found again by its description. If somebody rewrites that in Digits, it is not found.",
        "Do not connect Digits to another app that brings it the same invoices: it would have each of them twice.",
        "Webhooks are in private beta: ask Digits for them. Without them the ledger is read twice a day.",
    ),
)  # fmt: skip
CALLS_ABOUT_REFUSALS = 16  # to find out which of a hundred was meant
SAME_WORDS = 6  # refusals without a single success: it is about all of them
REMEMBERED = 20_000  # marks
TRAILING = timedelta(days=35)  # a late change of an older entry is not told, so these are read again
LOOKED_BACK = timedelta(days=400)
WINDOW = timedelta(days=31)
SINGLY = 5  # so many invoices are looked for one by one
SECOND = timedelta(seconds=1)
ASSETS = {"categoryTypes": ["Assets"]}  # what is owed is among them
Item = TypeVar("Item", InvoiceOut, PaymentOut)
Deal = dict[str, Any]
Outcomes = dict[str, AdapterError | None]  # by mark; None: it is there


class Books(ABC):
    """The part of the adapter that keeps books. `now` is for webhooks alone."""

    ledger = LEDGER

    def __init__(self, forms: Readings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._forms = forms
        self._now = now
        self._sources = Sources(forms.tax_category)
        self._sent = Sent()
        self._parties: set[tuple[str, str]] = set()  # account and party, joined by name

    def fetch_lists(self, session: Session) -> LedgerLists:
        return LedgerLists(chart.entries(chart.read(session)))

    def create_invoices(self, session: Session, invoices: Sequence[InvoiceOut]) -> list[LedgerInvoice | AdapterError]:
        outcomes, good = _checked(invoices, lambda one: paperwork.check_invoice(one, LEDGER.number_length))
        if good:
            categories = {line.account_id for one in good for line in one.lines if line.account_id}
            outcomes |= self._write(session, good, categories, paperwork.invoice)
        return [outcomes[one.mark] or _written(one) for one in invoices]

    def create_payments(self, session: Session, payments: Sequence[PaymentOut]) -> list[LedgerPayment | AdapterError]:
        outcomes, good = _checked(payments, paperwork.check_payment)
        if good:
            categories = {one.into_id for one in good if one.into_id}
            outcomes |= self._write(session, good, categories, paperwork.payment)
        return [outcomes[one.mark] or _paid(one) for one in payments]

    def find_invoices(self, session: Session, numbers: Sequence[str], marks: Sequence[str]) -> list[LedgerInvoice]:
        """Ours alone: others' numbers are not told. A few are searched for singly; for many all is read first."""
        sought, found = [one for one in marks if one], Found()
        is_read = len(sought) > SINGLY and self._read_through(session, sought, found)
        self._search(session, [] if is_read else [one for one in sought if one not in found.ours], found)
        told = {one.number for one in map(found.invoice, found.ours) if one}
        for mark in marks:
            if mark not in found.ours:
                self._sent.looked(mark)
        self._search(session, [] if is_read else [one for one in numbers if one and one not in told], found)
        every = [one for one in map(found.invoice, found.ours) if one]
        return [one for one in every if one.mark in marks or one.number in numbers]

    def fetch_invoice(self, session: Session, remote_id: str) -> LedgerInvoice:
        found = self._search(session, [remote_id]).invoice(remote_id)
        if found is None:
            raise NotThere(f"{NAME} shows no invoice of ours with this mark.", status=200)
        return found

    def fetch_invoices(self, session: Session, since: datetime | None) -> Iterator[LedgerInvoice | Quarantined]:
        """Digits tells no change times: the last weeks before `since` are read again, newest first, so that payments
        are known before the invoices they are on. Others' invoices come where the filter tells invoices apart."""
        now = session.by_vendor_clock(self._now())
        start = (since or now) - (TRAILING if since else LOOKED_BACK)
        found, upper = Found(), None
        while upper is None or upper > start:
            lower = max(start, (upper or now) - WINDOW)
            for raw in calls.query(session, self._filters(_midnight(lower), _midnight(upper) if upper else None)):
                found.take(raw)
            yield from found.odd
            yield from filter(None, map(found.invoice, found.ours))
            if self._forms.filters == "all":
                yield from found.elsewhere()
            found = Found(payments=found.payments)
            upper = lower

    def find_payments(self, session: Session, payment: PaymentOut) -> list[LedgerPayment]:
        """Ours alone: others' payments do not say what they are on."""
        found = self._search(session, [payment.invoice_key])
        if payment.mark not in found.payments:
            self._sent.looked(payment.mark)
        return list(found.payments_on(payment.invoice_key))

    def read_events(self, headers: Mapping[str, str], body: bytes, secret: str) -> list[LedgerEvent]:
        return events.read(headers, body, secret, self._now())

    def _filters(self, after: datetime, before: datetime | None) -> dict[str, object]:
        """From a midnight on, and until another. Digits' first bound is exclusive, its last inclusive."""
        made: dict[str, object] = {**ASSETS, "occurredAfter": _moment(after - SECOND)}
        if before:
            made["occurredBefore"] = _moment(before - SECOND)
        return made | ({"linkedObjectType": "Invoice"} if self._forms.filters == "all" else {})

    def _search(self, session: Session, terms: Sequence[str], found: Found | None = None) -> Found:
        """Entries whose description holds one of these words. Where Digits cannot be asked so, all of them are read."""
        found = found or Found()
        if self._forms.filters == "all":
            try:
                for term in terms:
                    if self._take_all(found, session, term):
                        break  # it passed the filter over: everything has been read
                return found
            except NotThere:
                raise
            except Rejected:
                pass  # it does not know the filter: read and look ourselves
        if terms:
            since = _midnight(session.by_vendor_clock(self._now()) - LOOKED_BACK)
            for raw in calls.query(session, {**ASSETS, "occurredAfter": _moment(since - SECOND)}):
                found.take(raw)
        return found

    def _read_through(self, session: Session, marks: Sequence[str], found: Found) -> bool:
        """Read entries until none is left or every mark was met; False: as many pages as marks did not do."""
        since = _midnight(session.by_vendor_clock(self._now()) - LOOKED_BACK)
        entries = calls.query(session, {**ASSETS, "occurredAfter": _moment(since - SECOND)})
        for count, raw in enumerate(entries, start=1):
            found.take(raw)
            if count % wire.MOST == 0 and all(one in found.ours for one in marks):
                return True
            if count >= len(marks) * wire.MOST:
                return False
        return True

    def _take_all(self, found: Found, session: Session, term: str) -> bool:
        """Whether entries came that were not asked for."""
        is_more = False
        for raw in calls.query(session, {**ASSETS, "fieldSearchTerm": {"field": "Description", "term": term}}):
            found.take(raw)
            is_more = is_more or term.lower() not in str(raw).lower()
        return is_more

    def _write(
        self, session: Session, items: Sequence[Any], categories: set[str],
        build: Callable[[Any, Declared, Readings], Deal],
    ) -> Outcomes:  # fmt: skip
        """One call for all that can be written; what became of each, None: it is there."""
        known = self._sources.known(session)
        declared = self._sources.ready(session, categories)
        self._join_parties(session, [(one.customer_id, one.customer_key) for one in items])
        outcomes: Outcomes = {}
        deals: dict[str, Deal] = {}
        for one in items:
            try:
                deal = build(one, declared, self._forms)
                self._sent.remember(one.mark, deal)
                deals[one.mark] = deal
            except InvoiceRefused as refused:
                outcomes[one.mark] = refused
        if deals:
            outcomes |= self._send(session, deals, was_declared=declared is known)
        return outcomes

    def _send(self, session: Session, deals: Mapping[str, Deal], *, was_declared: bool) -> Outcomes:
        """A refusal is about the whole call and does not say about which: then halves go out, and halves of those."""
        outcomes: Outcomes = {}
        waiting: list[Mapping[str, Deal]] = [deals]
        refusals: list[str] = []
        while waiting:
            group = waiting.pop(0)
            if len(refusals) > CALLS_ABOUT_REFUSALS:
                outcomes |= dict.fromkeys(
                    group, Unavailable(f"{NAME} refused others of the same call; this one waits.")
                )
                self._sent.forget(group)
                continue
            try:
                answer = self._post(session, group, declares=was_declared and not refusals)
                outcomes |= self._told(answer, group)
            except NotThere:
                self._sent.forget(group)
                raise
            except Rejected as refused:
                refusals.append(refused.vendor_text)
                is_about_all = len(refusals) >= SAME_WORDS and len(set(refusals)) == 1 and not outcomes
                if len(group) > 1 and not is_about_all:
                    waiting += _halves(group)
                    continue
                self._sent.forget(group)
                outcomes |= dict.fromkeys(group, paperwork.refusal(refused, alone=len(group) == 1))
                if is_about_all:
                    for left in waiting:
                        self._sent.forget(left)
                        outcomes |= dict.fromkeys(left, paperwork.refusal(refused, alone=False))
                    waiting = []
            except AdapterError as error:
                outcomes = self._broken_off(error, outcomes, group, waiting)
                waiting = []
        return outcomes

    def _broken_off(
        self, error: AdapterError, outcomes: Outcomes, group: Mapping[str, Deal],
        waiting: Sequence[Mapping[str, Deal]],
    ) -> Outcomes:  # fmt: skip
        """What this call and those not made any more come to. Raises it when nothing was settled before."""
        for left in waiting if isinstance(error, Unknown) else (group, *waiting):
            self._sent.forget(left)
        if not outcomes and not (waiting and isinstance(error, Unknown)):
            raise error
        later = Unavailable(f"{NAME} stopped answering before this one was tried.", retry_at=error.retry_at)
        return outcomes | dict.fromkeys(group, error) | {mark: later for left in waiting for mark in left}

    def _post(self, session: Session, group: Mapping[str, Deal], *, declares: bool) -> Mapping[str, Any]:
        """When Digits refuses what we thought was declared, it may have lost that: then it is declared once more."""
        body = {"transactions": list(group.values())}
        try:
            return calls.write(session, wire.TRANSACTIONS, body)
        except NotThere:
            raise
        except Rejected as refused:
            if not declares or not chart.is_about_declaring(refused):
                raise
        self._sources.forget(session)
        self._sources.ready(session)
        return calls.write(session, wire.TRANSACTIONS, body)

    def _told(self, answer: Mapping[str, Any], group: Mapping[str, Deal]) -> Outcomes:
        """By what the answer says of each. Open: that it says anything."""
        told = {wire.told_id(row): row for row in calls.rows(answer, "transactions")}
        if not told and "transactions" not in answer and self._forms.silent == "written":
            return dict.fromkeys(group)
        return {mark: _outcome(told.get(mark)) for mark in group}

    def _join_parties(self, session: Session, customers: Sequence[tuple[str, str]]) -> None:
        """Where customers go by their names: a party of ours for each of Digits', which it merges by the name."""
        if self._forms.counterparty != "name":
            return
        wanted = {remote_id for remote_id, key in customers if remote_id and not key}
        fresh = sorted(one for one in wanted if (session.account_id, one) not in self._parties)
        parties = []
        for remote_id in fresh:
            try:
                name = self._party_name(session, remote_id)
            except NotThere:
                continue  # then Digits refuses what is for them, and says so
            form, key = self._forms.party_form, paperwork.party_key(remote_id)
            parties.append({"externalId": key if form == "text" else wire.external_id(key), "name": name})
        if parties:
            try:
                calls.write(session, wire.SOURCE_PARTIES, {"parties": parties})
            except Unknown as lost:
                raise Unavailable(lost.message, status=lost.status, vendor_text=lost.vendor_text) from lost
            self._parties |= {(session.account_id, one) for one in fresh}

    @abstractmethod
    def _party_name(self, session: Session, remote_id: str) -> str: ...


class Sent:
    """Marks this process has sent, with a digest of what under each. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def remember(self, mark: str, deal: Deal) -> None:
        """Before it goes out. Raises `InvoiceRefused` when something else went out under this mark."""
        digest = hashlib.sha256(json.dumps(deal, sort_keys=True).encode()).hexdigest()
        with self._lock:
            if self._known.get(mark, (digest, 0.0))[0] != digest:
                raise InvoiceRefused(
                    f"This has gone to {NAME} before with other contents, and writing it again would change it there. "
                    f"Look at it in {NAME}."
                )
            self._known[mark] = (digest, time.monotonic())
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def forget(self, marks: Mapping[str, Deal]) -> None:
        """Nothing was written under them."""
        with self._lock:
            for mark in marks:
                self._known.pop(mark, None)

    def looked(self, mark: str) -> None:
        """A look-up did not find it; believed when it comes late enough."""
        with self._lock:
            if mark in self._known and time.monotonic() - self._known[mark][1] > SETTLES.total_seconds():
                del self._known[mark]


def _checked(items: Sequence[Item], check: Callable[[Item], None]) -> tuple[Outcomes, list[Item]]:
    """What is refused before anything is sent, and the rest."""
    refused: Outcomes = {}
    good = []
    for one in items:
        try:
            check(one)
            good.append(one)
        except InvoiceRefused as reason:
            refused[one.mark] = reason
    return refused, good


def _halves(group: Mapping[str, Deal]) -> list[Mapping[str, Deal]]:
    items = list(group.items())
    return [dict(items[: len(items) // 2]), dict(items[len(items) // 2 :])]


def _outcome(row: Mapping[str, Any] | None) -> AdapterError | None:
    if row is None:
        return Unknown(f"{NAME}'s answer does not say what became of it.", status=200)
    if error := row.get("error"):
        words = error.get("message") if isinstance(error, dict) else error
        return paperwork.refusal(Rejected(f"{NAME} refused it.", status=200, vendor_text=str(words or "")), alone=True)
    return None


def _written(one: InvoiceOut) -> LedgerInvoice:
    return LedgerInvoice(
        remote_id=one.mark, number=one.number, state=InvoiceState.OPEN, customer_id=one.customer_id,
        customer_name=one.customer_name, issued_on=one.issued_on, due_on=one.due_on, currency=one.currency,
        net=one.net, tax=one.tax, total=one.total, paid=Decimal(0), due=one.total, reference=one.reference,
        mark=one.mark,
    )  # fmt: skip


def _paid(one: PaymentOut) -> LedgerPayment:
    return LedgerPayment(
        remote_id=one.mark, invoice_id=one.invoice_id, amount=one.amount, currency=one.currency, paid_on=one.paid_on,
        reference=one.reference, mark=one.mark,
    )  # fmt: skip


def _midnight(moment: datetime | date) -> datetime:
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
