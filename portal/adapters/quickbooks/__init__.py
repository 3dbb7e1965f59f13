"""QuickBooks Online, API v3: customers and invoices read a thousand at a time, written thirty at a time.

The vendor tells what changed, to the second and for thirty days back. Names there are unique over customers, suppliers
and employees, whatever their capitals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from portal.adapters.base import AdapterError, Allowance, AppInfo, Flow, Intake, Moment, Session, Tokens
from portal.adapters.http import Dialect, Transport
from portal.adapters.quickbooks import events, invoice_queries, invoice_writing, lists, queries, replies, writing
from portal.adapters.quickbooks.bodies import NAMES
from portal.adapters.quickbooks.company import Companies
from portal.adapters.quickbooks.ledger_info import LEDGER
from portal.adapters.quickbooks.replies import NAME, VERSION, Answer, url_of
from portal.adapters.quickbooks.sign_in import KIND, SETTINGS, IntuitSignIn, company_name, headers
from portal.domain.records import (
    AccountRecord,
    ClientRecord,
    InvoiceOut,
    LedgerEvent,
    LedgerInvoice,
    LedgerLists,
    LedgerPayment,
    NewRecord,
    PaymentOut,
    Quarantined,
    RecordChange,
    Reference,
)
from portal.domain.text import BadText, clean_line

LOOK_BACK = timedelta(days=29)  # the vendor remembers changes for 30; what it does beyond is not said

INFO = AppInfo(
    slug="quickbooks",
    name=NAME,
    short_name=NAME,
    vendor="quickbooks",
    account_word="company",
    account_kinds=(KIND,),
    scopes=("com.intuit.quickbooks.accounting",),
    client_fields=MappingProxyType({
        "name": Flow.TWO_WAY,
        "address": Flow.AT_LINK,
        "postal_address": Flow.AT_LINK,
        "phone": Flow.AT_LINK,
        "fax": Flow.AT_LINK,
        "website": Flow.AT_LINK,
    }),
    contact_fields=MappingProxyType({
        "name": Flow.AT_LINK,
        "email": Flow.AT_LINK,
        "mobile": Flow.AT_LINK,
        "salutation": Flow.AT_LINK,
    }),
    # The vendor allows 10 at a time, 10 a second and 500 a minute; some of that stays for other programs.
    allowance=Allowance(concurrent=8, per_minute=450, per_day=None, per_second=9),
    settings=SETTINGS,
    tips=(
        "Create new clients here first and let the portal send them to QuickBooks: then both know from the beginning "
        "that they are the same.",
        "Make the portal the single source of truth for names. A customer who is also made by hand in QuickBooks is "
        "only linked when both names are spelled exactly the same, capitals included.",
    ),
    name_rules=NAMES,
    limits_said=(
        "QuickBooks lets every name exist once among customers, suppliers and employees, and does not tell capitals "
        "apart. It may count inactive customers as well.",
        "Names of more than 100 characters, or with a colon, a tab or a line break, cannot be sent to QuickBooks.",
        "QuickBooks keeps one contact for each customer. Addresses, phone numbers, the website and that contact are "
        "taken over when a client is imported or linked and sent when one is created; after that each side keeps its "
        "own, and an address, a number or the website goes out when you ask for it.",
        "How QuickBooks is asked to empty an address, a number or a website needs a live check. The portal never does: "
        "empty it in QuickBooks.",
        "QuickBooks tells changes of the last 30 days. After a longer pause the whole list is read again.",
        "Changes arrive every hour or when you press Sync.",
        "When customers are merged in QuickBooks, it does not say which one took over. The other one shows here as "
        "inactive or no longer there, and you choose whom to link instead.",
        "Making a customer inactive in QuickBooks changes nothing here, and nothing you archive here changes there.",
        "QuickBooks may write a country in its own way, such as USA for United States.",
        "Sub-customers and projects come in as customers of their own.",
    ),
    never_synced=(
        "Balances",
        "Payment terms, tax settings and currency",
        "Notes and attachments",
        "Which customer is a sub-customer of which",
        "Suppliers and employees",
    ),
    batch=30,
    intakes=(Intake.CHOSEN, Intake.ALL),
    directions=("to_app", "both", "from_app"),
    levels=("name", "nothing"),
    new_clients=(Moment.AT_ONCE, Moment.FIRST_INVOICE),
    tells_change_times=True,
    sync_every=timedelta(hours=1),
)  # fmt: skip


class QuickBooks:
    """One per process. `value` gives the settings named in its info."""

    info = INFO
    ledger = LEDGER

    def __init__(
        self, transport: Transport, value: Callable[[str], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._now = now
        self._companies = Companies(now, takes_gross=value("QUICKBOOKS_TAX_INCLUSIVE_LINES") == "gross")
        self._sign_in = IntuitSignIn(transport, value, now)
        self.consent_origin = self._sign_in.consent_origin
        self.dialect = Dialect(
            vendor=NAME,
            base_url=self._sign_in.api_url,
            headers=headers,
            words=replies.words,
            lasting=("-11014",),  # whoever connected it is no administrator any more
            named=replies.named,
            rest=replies.rest,
        )

    def authorize_url(
        self, *, client_id: str, state: str, challenge: str, redirect_uri: str, scopes: tuple[str, ...]
    ) -> str:
        return self._sign_in.authorize_url(client_id=client_id, state=state, redirect_uri=redirect_uri, scopes=scopes)

    def exchange(self, *, client_id: str, client_secret: str, code: str, verifier: str, redirect_uri: str) -> Tokens:
        return self._sign_in.exchange(
            client_id=client_id, client_secret=client_secret, code=code, redirect_uri=redirect_uri
        )

    def refresh(self, *, client_id: str, client_secret: str, tokens: Tokens) -> Tokens:
        return self._sign_in.refresh(client_id=client_id, client_secret=client_secret, tokens=tokens)

    def revoke(self, *, client_id: str, client_secret: str, tokens: Tokens, grant_id: str, is_last: bool) -> bool:
        return self._sign_in.revoke(client_id=client_id, client_secret=client_secret, tokens=tokens, is_last=is_last)

    def accounts(self, *, access_token: str, answer: Mapping[str, str]) -> list[AccountRecord]:
        return self._sign_in.accounts(access_token=access_token, answer=answer)

    def fetch_clients(self, session: Session, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        """Everything when `since` is too long ago to ask for changes. It may raise after some records were given:
        only an iteration that ends by itself was a whole look.
        """
        if since is None or since < session.by_vendor_clock(self._now()) - LOOK_BACK:
            return queries.all_customers(session)
        return queries.changed_customers(session, since)

    def fetch_client(self, session: Session, remote_id: str) -> ClientRecord:
        return queries.one_customer(session, remote_id)

    def find_clients(self, session: Session, name: str) -> list[ClientRecord]:
        return queries.named_customers(session, name)

    def name_holder(self, session: Session, name: str) -> str:
        """Who else than a customer has this name there: 'an employee', 'a supplier', or '' for nobody."""
        return queries.holder_of(session, name)

    def update_clients(self, session: Session, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        return writing.update(session, changes)

    def create_clients(self, session: Session, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        return writing.create(session, news)

    def fetch_reference(self, session: Session) -> Reference:
        """One read: how the company calls itself."""
        answer = Answer("CompanyInfo")
        path = url_of(session.account_id, f"companyinfo/{session.account_id}")
        session.get(path, VERSION, check=answer).close()
        return Reference(facts=_facts(answer.found))

    def fetch_lists(self, session: Session) -> LedgerLists:
        return lists.read(session, self._companies.fresh(session))

    def create_invoices(self, session: Session, invoices: Sequence[InvoiceOut]) -> list[LedgerInvoice | AdapterError]:
        return invoice_writing.create_invoices(session, self._companies.of(session), invoices)

    def find_invoices(self, session: Session, numbers: Sequence[str], marks: Sequence[str]) -> list[LedgerInvoice]:
        return invoice_queries.found(session, self._companies.of(session), numbers, marks, self._now())

    def fetch_invoice(self, session: Session, remote_id: str) -> LedgerInvoice:
        return invoice_queries.one_invoice(session, self._companies.of(session), remote_id)

    def fetch_invoices(self, session: Session, since: datetime | None) -> Iterator[LedgerInvoice | Quarantined]:
        """As for clients: what changed longer ago than the vendor remembers is asked for without the deleted ones."""
        company = self._companies.of(session)
        if since is None:
            return invoice_queries.open_invoices(session, company)
        if since < session.by_vendor_clock(self._now()) - LOOK_BACK:
            return invoice_queries.invoices_since(session, company, since)
        return invoice_queries.changed_invoices(session, company, since)

    def create_payments(self, session: Session, payments: Sequence[PaymentOut]) -> list[LedgerPayment | AdapterError]:
        return invoice_writing.create_payments(session, self._companies.of(session), payments)

    def find_payments(self, session: Session, payment: PaymentOut) -> list[LedgerPayment]:
        return invoice_queries.payments_on(session, self._companies.of(session), payment)

    def read_events(self, headers: Mapping[str, str], body: bytes, secret: str) -> list[LedgerEvent]:
        return events.read(headers, body, secret)


def _facts(info: object) -> dict[str, str]:
    found = info if isinstance(info, dict) else {}
    try:
        told = {
            "Company": company_name(found),
            "Legal name": clean_line(str(found.get("LegalName") or "")),
            "Country": clean_line(str(found.get("Country") or "")),
        }
    except BadText:
        return {}
    return {name: text for name, text in told.items() if text}


__all__ = ["INFO", "QuickBooks"]
