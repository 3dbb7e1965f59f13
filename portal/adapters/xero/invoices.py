"""Xero as a ledger: invoices and payments out and back, its short lists, and what its webhooks tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

from portal.adapters.base import AdapterError, NotThere, Session, Setting, UnexpectedReply
from portal.adapters.ledger import InvoiceRefused, LedgerInfo, Rounding
from portal.adapters.values import NotUnderstood
from portal.adapters.xero import (
    events,
    invoice_bodies,
    invoice_reading,
    invoice_sending,
    paging,
    refusals,
    short_lists,
)
from portal.adapters.xero.invoice_sending import Wanted
from portal.adapters.xero.reading import NAME, Envelope, NothingChanged
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT
from portal.domain.records import (
    Cause,
    InvoiceOut,
    LedgerEvent,
    LedgerInvoice,
    LedgerLists,
    LedgerPayment,
    ListKind,
    PaymentOut,
    Quarantined,
)
from portal.domain.text import BadText

LINKS = Setting(
    "XERO_INVOICE_LINKS", "on", "whether an invoice in Xero links back here, which also marks it as ours; off otherwise"
)
WEB = Setting("XERO_APP_URL", "https://go.xero.com", "where people look at their books in Xero")
LEDGER = LedgerInfo(
    invoice_batch=50,
    payment_batch=50,
    look_up_batch=40,
    rounding=Rounding.EACH_LINE,
    lists=(ListKind.ACCOUNT, ListKind.TAX, ListKind.BRANDING, ListKind.PAY_INTO),
    line_goes_to=ListKind.ACCOUNT,
    target_word="sales account",
    number_length=invoice_bodies.LONGEST_NUMBER,
    refuses_used_numbers=True,
    pay_into_needed=True,
    has_webhooks=True,
    cautions=(
        "Each invoice in Xero has a link back to it here, by which the portal knows its own. A payment the portal "
        "records ends with its sign in square brackets in the reference, for the same reason.",
        "Xero has no place for an invoice's memo, so it does not go there.",
        "Whether the number of an invoice that was voided or deleted in Xero can be used again is not documented. The "
        "portal never does it by itself.",
        "Whether Xero reports a payment at once is not documented. The portal looks every quarter of an hour too.",
    ),
)  # fmt: skip
SALES = 'Type=="ACCREC"'
FOUR_DECIMALS = {"unitdp": "4"}
LONGEST_LIST = 1500  # letters of numbers in one address
A = TypeVar("A")
B = TypeVar("B")


class XeroLedger:
    """The part of the adapter that is a ledger; `with_links` says whether invoices carry a link here."""

    ledger = LEDGER
    with_links = True
    web = WEB.default

    def fetch_lists(self, session: Session) -> LedgerLists:
        """Four calls."""
        return short_lists.fetch(session)

    def create_invoices(self, session: Session, invoices: Sequence[InvoiceOut]) -> list[LedgerInvoice | AdapterError]:
        """One call, however many there are; one more where the reason of a refusal cannot be told."""
        asked = [_or_refusal(self._wanted, one) for one in invoices]
        outcomes: list[LedgerInvoice | AdapterError] = invoice_sending.send(session, "Invoices", asked, once_only=False)
        return self._with_holders(session, invoices, outcomes)

    def find_invoices(self, session: Session, numbers: Sequence[str], marks: Sequence[str]) -> list[LedgerInvoice]:
        """By number; Xero cannot be asked for a mark, but the invoices tell theirs."""
        plain = [one for one in numbers if "," not in one and '"' not in one]
        asked = [{"InvoiceNumbers": one, "where": SALES} for one in _joined(plain)]
        # A comma ends a number in that list, and how a quotation mark is written in a condition is not documented.
        asked += [{"where": f'{SALES} AND InvoiceNumber=="{one}"'} for one in numbers if "," in one and '"' not in one]
        asked += [{"where": SALES, "searchTerm": one} for one in numbers if '"' in one]
        wanted = {one.casefold() for one in numbers}
        found: dict[str, LedgerInvoice] = {}
        for words in asked:
            for one in self._pages(session, words, {}):
                if isinstance(one, Quarantined):  # it may be the very one: better not to create another
                    raise UnexpectedReply(f"{NAME} holds an invoice {one.name} that cannot be understood: {one.reason}")
                if one.number.casefold() in wanted:
                    found[one.remote_id] = one
        return list(found.values())

    def fetch_invoice(self, session: Session, remote_id: str) -> LedgerInvoice:
        found = Envelope("Invoices", exact=True)
        session.get(f"{ROOT}/Invoices/{quote(remote_id, safe='')}", FOUR_DECIMALS, check=found).close()
        for raw in found.entries:
            record = invoice_reading.invoice_or_quarantine(raw)
            if isinstance(record, Quarantined):
                raise UnexpectedReply(f"{NAME} gave an invoice that cannot be understood: {record.reason}", status=200)
            if record.remote_id.lower() == remote_id.lower():  # the same address also finds by number
                return self._with_address(record)
        raise NotThere(f"{NAME} does not know this invoice.", status=200)

    def fetch_invoices(self, session: Session, since: datetime | None) -> Iterator[LedgerInvoice | Quarantined]:
        """Voided and deleted ones come with what changed; drafts come with what is open. It may raise after some were
        given: only an iteration that ends by itself was a whole look."""
        words, headers = {"where": SALES, "order": "InvoiceID"}, {}
        if since is None:
            words["Statuses"] = "DRAFT,SUBMITTED,AUTHORISED"
        else:
            headers["If-Modified-Since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        try:
            yield from self._pages(session, words, headers)
        except NothingChanged:
            return

    def create_payments(self, session: Session, payments: Sequence[PaymentOut]) -> list[LedgerPayment | AdapterError]:
        """One call."""
        asked = [_or_refusal(_wanted_payment, one) for one in payments]
        return invoice_sending.send(session, "Payments", asked, once_only=True)

    def find_payments(self, session: Session, payment: PaymentOut) -> list[LedgerPayment]:
        """Taken back ones too, which say so."""
        asked = {"where": f'Invoice.InvoiceID==guid("{payment.invoice_id}")', "page": "1", "pageSize": "1000"}
        found = Envelope("Payments", exact=True)
        session.get(f"{ROOT}/Payments", asked, check=found).close()
        try:
            known = [invoice_reading.payment(one, payment.currency, payment.invoice_id) for one in found.entries]
        except (NotUnderstood, BadText, AttributeError) as reason:
            raise UnexpectedReply(f"{NAME} gave a payment that cannot be understood: {reason}") from reason
        return [one for one in known if one.invoice_id.lower() == payment.invoice_id.lower()]

    def read_events(self, headers: Mapping[str, str], body: bytes, secret: str) -> list[LedgerEvent]:
        return events.read(headers, body, secret)

    def _wanted(self, one: InvoiceOut) -> Wanted[LedgerInvoice]:
        item = invoice_bodies.invoice(one, with_link=self.with_links)
        # An answer to a creation may leave the link out; whose it is is known.
        return Wanted(
            one.key, one.number, item, "InvoiceID", ("InvoiceNumber", one.number),
            lambda raw: self._with_address(
                replace(invoice_reading.invoice(raw), mark=one.mark if item.get("Url") else "")
            ),
        )  # fmt: skip

    def _with_address(self, one: LedgerInvoice) -> LedgerInvoice:
        """Where a person sees it, in the organisation they have open there."""
        return replace(
            one, web_url=f"{self.web}/AccountsReceivable/View.aspx?InvoiceID={quote(one.remote_id, safe='')}"
        )

    def _pages(
        self, session: Session, words: Mapping[str, str], headers: Mapping[str, str]
    ) -> Iterator[LedgerInvoice | Quarantined]:
        """Sales only, also where Xero shows others in spite of what it was asked."""
        asked = {**words, **FOUR_DECIMALS}
        for one in paging.pages(session, "Invoices", asked, headers, _sale_or_quarantine, exact=True):
            if isinstance(one, LedgerInvoice):
                yield self._with_address(one)
            elif isinstance(one, Quarantined):
                yield one

    def _with_holders(
        self, session: Session, invoices: Sequence[InvoiceOut], outcomes: list[LedgerInvoice | AdapterError]
    ) -> list[LedgerInvoice | AdapterError]:
        """Xero's words for a number in use may change; whether something has it can be asked, in one call for all."""
        pairs = list(zip(invoices, outcomes, strict=True))
        doubted = sorted({one.number for one, came in pairs if _may_be_used(came)})
        holders: dict[str, LedgerInvoice] = {}
        try:
            for start in range(0, len(doubted), LEDGER.look_up_batch):
                some = doubted[start : start + LEDGER.look_up_batch]
                holders |= {one.number.casefold(): one for one in self.find_invoices(session, some, [])}
        except AdapterError:
            return outcomes  # the refusal itself still holds
        return [_with_holder(one, came, holders.get(one.number.casefold())) for one, came in pairs]


def _may_be_used(came: LedgerInvoice | AdapterError) -> bool:
    """Refused by Xero for a reason that cannot be told."""
    return isinstance(came, InvoiceRefused) and came.status is not None and came.cause == Cause.OTHER


def _with_holder(
    one: InvoiceOut, came: LedgerInvoice | AdapterError, holder: LedgerInvoice | None
) -> LedgerInvoice | AdapterError:
    if holder is None or not isinstance(came, InvoiceRefused) or not _may_be_used(came):
        return came
    told = refusals.refusal(one.number, came.vendor_text, status=came.status, cause=Cause.NUMBER_USED)
    told.holder_id = holder.remote_id
    return told


def _wanted_payment(one: PaymentOut) -> Wanted[LedgerPayment]:
    item = invoice_bodies.payment(one)
    return Wanted(
        one.key, f"the payment of {one.amount:f} {one.currency}", item, "PaymentID", ("Reference", item["Reference"]),
        lambda raw: invoice_reading.payment(raw, one.currency, one.invoice_id),
    )  # fmt: skip


def _or_refusal(make: Callable[[A], B], one: A) -> B | InvoiceRefused:
    """What is to be sent, or why it is not."""
    try:
        return make(one)
    except InvoiceRefused as refusal:
        return refusal


def _joined(numbers: Sequence[str]) -> Iterator[str]:
    """Lists of numbers, each short enough to stand in an address."""
    some: list[str] = []
    for one in numbers:
        if some and sum(map(len, some)) + len(some) + len(one) > LONGEST_LIST:
            yield ",".join(some)
            some = []
        some.append(one)
    if some:
        yield ",".join(some)


@dataclass(frozen=True)
class _Other:
    """A bill, or something else that is no sales invoice."""

    remote_id: str


def _sale_or_quarantine(raw: object) -> LedgerInvoice | Quarantined | _Other:
    if isinstance(raw, dict) and not invoice_reading.is_sale(raw):
        return _Other(str(raw.get("InvoiceID") or ""))
    return invoice_reading.invoice_or_quarantine(raw)
