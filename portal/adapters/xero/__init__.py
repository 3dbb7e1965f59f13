"""Xero, accounting API 2.0: an organisation's contacts, invoices and payments, written fifty in a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from portal.adapters.base import (
    AdapterError,
    Allowance,
    AppInfo,
    Flow,
    Intake,
    Moment,
    NameTaken,
    NeedsReconnect,
    Rejected,
    Session,
    UnexpectedReply,
)
from portal.adapters.http import Dialect, Transport
from portal.adapters.xero import changing, lookup, paging, reading, writing
from portal.adapters.xero.invoices import LINKS, WEB, XeroLedger
from portal.adapters.xero.reading import NAME, Envelope, NothingChanged
from portal.adapters.xero.writing import ROOT, Outcome
from portal.adapters.xero_sign_in import SETTINGS, SignsInAtXero, XeroSignIn
from portal.domain.records import (
    ChoiceList,
    ClientRecord,
    NewRecord,
    Quarantined,
    RecordChange,
    RecordState,
    Reference,
)
from portal.domain.text import near_key

INFO = AppInfo(
    slug="xero",
    name=NAME,
    short_name=NAME,
    vendor="xero",
    account_word="organisation",
    account_kinds=("ORGANISATION",),
    scopes=(
        "offline_access", "openid", "profile", "email", "accounting.contacts", "accounting.invoices",
        "accounting.payments", "accounting.settings.read",
    ),
    client_fields=MappingProxyType({
        "name": Flow.TWO_WAY,
        "address": Flow.AT_LINK,
        "postal_address": Flow.AT_LINK,
        "phone": Flow.AT_LINK,
        "fax": Flow.AT_LINK,
        "website": Flow.PULL_ONCE,  # Xero shows it and lets nobody write it
    }),
    contact_fields=MappingProxyType({
        "name": Flow.AT_LINK,
        "email": Flow.AT_LINK,
        "phone": Flow.AT_LINK,
        "mobile": Flow.AT_LINK,
    }),
    allowance=Allowance(concurrent=4, per_minute=60, per_day=5000, kept_for_people=250),
    settings=(*SETTINGS, WEB, LINKS),
    tips=(
        "Most records in Xero are not clients: suppliers and other customers stand beside them. So records without a "
        "client here wait until you choose them, unless you set it otherwise.",
    ),
    name_rules=writing.NAMES,
    limits_said=(
        "Of a contact that exists in Xero only the name is kept in step. Addresses and phone numbers go out with a "
        "contact the portal creates, and later when you ask for it; people go out once, with that contact.",
        "Whether Xero empties a part of an address when asked needs a live check. What it keeps all the same, the "
        "client says.",
        "Xero allows one active contact of a name. A client whose name another contact has is never created twice; it "
        "waits for you to link it or to change the name.",
        "Xero takes no < or >, no two spaces in a row and no more than 255 characters in a name. Such a name is not "
        "sent, and the client says why.",
        "Of the people of a contact, Xero keeps phone numbers for the first only, and names and emails of five more.",
        "Xero does not report every change at once: whether a contact is a customer or a supplier, for one. All "
        "contacts are read anew once a week.",
        "Archiving or merging on one side changes nothing on the other.",
    ),
    never_synced=(
        "Balances, payment terms and bank details",
        "Tax numbers and company numbers",
        "Contact groups",
        "Attachments, history and notes",
    ),
    batch=50,
    intakes=(Intake.CHOSEN, Intake.ALL),
    directions=("to_app", "both", "from_app"),
    levels=("name", "nothing"),
    new_clients=(Moment.FIRST_INVOICE, Moment.AT_ONCE),
    tells_change_times=True,
    sync_every=timedelta(hours=1),
)  # fmt: skip

CONTACTS = "Contacts"
TRACKING = "tracking categories"


class Xero(SignsInAtXero, XeroLedger):
    """One per process. `value` gives the settings named in its info."""

    info = INFO

    def __init__(self, transport: Transport, value: Callable[[str], str]) -> None:
        self._sign_in = XeroSignIn(transport, value)
        self.web = value(WEB.name).rstrip("/")
        self.with_links = value(LINKS.name).strip().lower() not in ("off", "no", "0", "false")
        self.consent_origin = self._sign_in.consent_origin
        self.dialect = Dialect(
            vendor=NAME,
            base_url=self._sign_in.api_url,
            headers=_headers,
            words=reading.words,
            lasting=("AuthorizationUnsuccessful",),
            named=reading.named,
        )

    def fetch_clients(self, session: Session, since: datetime | None) -> Iterator[ClientRecord | Quarantined]:
        """It may raise after some records were given: only an iteration that ends by itself was a whole look."""
        headers = {}
        if since is not None:
            headers["If-Modified-Since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        # In the order of the identifier a contact keeps its place when somebody changes it while we turn the pages.
        try:
            yield from _pages(session, {"order": "ContactID"}, headers)
        except NothingChanged:
            return

    def fetch_client(self, session: Session, remote_id: str) -> ClientRecord:
        return lookup.contact(session, remote_id)[1]

    def find_clients(self, session: Session, name: str) -> list[ClientRecord]:
        """Those of exactly this name but for capitals and accents, archived ones too."""
        # How a quotation mark is written inside a condition is not documented: such a name is searched by a part.
        is_plain = '"' not in name and "\\" not in name
        words = {"where": f'Name=="{name}"'} if is_plain else {"searchTerm": _longest_part(name)}
        found = []
        for one in _pages(session, words, {}):
            is_alike = near_key(one.name) == near_key(name)
            if isinstance(one, ClientRecord) and (is_plain or is_alike):
                found.append(one)
            elif isinstance(one, Quarantined) and is_alike:  # it may be the very one: better not to create another
                raise UnexpectedReply(f"{NAME} holds a contact named {name} that cannot be understood: {one.reason}")
        return found

    def update_clients(self, session: Session, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        return writing.send(session, "POST", [changing.change(session, one) for one in changes])

    def create_clients(self, session: Session, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        outcomes = writing.send(
            session, "PUT", [writing.creation(one) for one in news]
        )  # a POST would change namesakes
        return [self._or_taken(session, one.record.name, came) for one, came in zip(news, outcomes, strict=True)]

    def _or_taken(self, session: Session, name: str, came: Outcome) -> Outcome:
        """Xero's words for a name that is taken may change; whether somebody has it can be asked."""
        if not isinstance(came, Rejected) or came.status is None:
            return came
        try:
            holders = [one for one in self.find_clients(session, name) if one.state == RecordState.ACTIVE]
        except AdapterError:
            return came
        if not holders:
            return came
        return NameTaken(
            f"{NAME} has a contact named {holders[0].name} already.", holder_id=holders[0].remote_id,
            status=came.status, vendor_text=came.vendor_text,
        )  # fmt: skip

    def fetch_reference(self, session: Session) -> Reference:
        """Two calls: the organisation, and the tracking categories of which a client may carry options (CL-32)."""
        organisation = Envelope("Organisations")
        session.get(f"{ROOT}/Organisation", check=organisation).close()
        return Reference(choices=_tracking(session), facts=reading.facts(organisation.entries))


def _tracking(session: Session) -> tuple[ChoiceList, ...]:
    """Empty where the plan or the permission leaves them out, and noted in `session.not_granted`."""
    categories = Envelope("TrackingCategories")
    try:
        session.get(f"{ROOT}/TrackingCategories", check=categories).close()
    except NeedsReconnect as refusal:
        if refusal.status not in (401, 403):
            raise
        session.not_granted.add(TRACKING)
        return ()
    return reading.choices(categories.entries)


def _pages(
    session: Session, words: Mapping[str, str], headers: Mapping[str, str]
) -> Iterator[ClientRecord | Quarantined]:
    """Every contact once, archived ones too."""
    asked = {**words, "includeArchived": "true"}
    return paging.pages(session, CONTACTS, asked, headers, reading.client_or_quarantine)


def _longest_part(name: str) -> str:
    return max((part.strip() for part in name.replace("\\", '"').split('"')), key=len)


def _headers(access_token: str, account_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}", "xero-tenant-id": account_id, "Accept": "application/json"}


__all__ = ["INFO", "Xero"]
