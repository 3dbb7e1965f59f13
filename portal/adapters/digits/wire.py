"""Every name of Digits' wire format, in one place: the documentation leaves many of them open.

What is certain is used; of what is not, every reading is accepted where something is read, and where something is
written the documented form goes out, or what a setting says. Each doubt is marked "open" below and needs a live check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from portal.adapters.base import Rejected, Setting, UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.oauth import object_of
from portal.adapters.values import NotUnderstood, Raw, line, quarantined
from portal.domain.records import ClientRecord, ContactRecord, NewRecord, Quarantined
from portal.domain.text import BadText, fold

NAME = "Digits"
ROOT = "/v1"
AUTHORIZE, TOKEN = f"{ROOT}/oauth/authorize", f"{ROOT}/oauth/token"
COMPANY = f"{ROOT}/company"
PARTIES = f"{ROOT}/ledger/parties"
PARTY = f"{ROOT}/ledger/party/"  # open: by analogy with the category's path
SOURCES = f"{ROOT}/connection/sources"  # as an integrator calls it
SOURCE_PARTIES = f"{ROOT}/source/parties"
TRANSACTIONS = f"{ROOT}/source/transactions"
CATEGORIES = f"{ROOT}/ledger/categories"
ENTRIES = f"{ROOT}/ledger/entries/query"
MOST = 100  # entries of a page and of a batch
FORMS = ("object", "text")
ISSUER = "counterpart"  # in whose numbering our identifiers are; changing it would make every party a new one
IDENTIFIERS = ("id", "partyId", "digitsId")  # open: which of them a ledger party has
COMPANY_IDENTIFIERS = ("id", "companyId", "businessId", "digitsId")  # open: whether there is any
COMPANY_NAMES = ("name", "legalName", "displayName")  # open
MARKERS = ("type", "types", "role", "roles")  # open: whether a party says what it is
ROLES = {"customer": "customer", "client": "customer", "vendor": "supplier", "supplier": "supplier"}
EMAIL = "email"  # our name for the contact that carries a party's email
SOURCE = {"issuer": ISSUER, "id": "invoices"}
PERSON = ("individual", "person", "sole trader", "sole proprietor")  # company structures that mean somebody


@dataclass(frozen=True)
class Annotation:
    """What makes a transaction an invoice, or a payment on one. Open: every key; only the objects' names are told."""

    invoice: str
    invoice_ref: str
    number: str
    due: str


ANNOTATIONS = {
    "camel": Annotation("invoice", "invoiceRef", "number", "dueDate"),
    "pascal": Annotation("Invoice", "InvoiceRef", "Number", "DueDate"),
}
# Open: each of these. The first of each is sent unless a setting says otherwise.
SOURCE_NAMES = ("sourceId", "accountId")
COUNTERPARTIES = ("digitsId", "id", "name")
FILTERS = ("all", "proven")
SILENT = ("unknown", "written")
SETTINGS = (
    Setting("DIGITS_EXTERNAL_ID_FORM", FORMS[0], "how a new party's identifier is sent: object, or text"),
    Setting("DIGITS_SOURCE_NAME", SOURCE_NAMES[0], "what a transaction calls its source: sourceId, or accountId"),
    Setting("DIGITS_INVOICE_FORM", "camel", "the keys of an invoice: camel (dueDate), or pascal (DueDate)"),
    Setting(
        "DIGITS_COUNTERPARTY", COUNTERPARTIES[0],
        "how a customer is named that was not created from here: digitsId or id of the ledger, or by name",
    ),
    Setting("DIGITS_ENTRY_FILTERS", FILTERS[0], "which filters entries are asked with: all, or the proven ones only"),
    Setting("DIGITS_SILENT_ANSWER", SILENT[0], "what an answer means that names no transaction: unknown, or written"),
    Setting("DIGITS_TAX_CATEGORY", "", "the category that tax is booked to; empty: the liability that looks like it"),
)  # fmt: skip


@dataclass(frozen=True)
class Readings:
    """How everything that is open is read and written."""

    party_form: str
    source_name: str
    annotation: Annotation
    counterparty: str
    filters: str
    silent: str
    tax_category: str


def readings(value: Callable[[str], str]) -> Readings:
    """By the settings. Raises ValueError, naming the setting, for a form there is not."""

    def one_of_these(name: str, allowed: Sequence[str]) -> str:
        if value(name) not in allowed:
            raise ValueError(f"{name} is {value(name)!r}; it can be {' or '.join(allowed)}")
        return value(name)

    return Readings(
        party_form=one_of_these("DIGITS_EXTERNAL_ID_FORM", FORMS),
        source_name=one_of_these("DIGITS_SOURCE_NAME", SOURCE_NAMES),
        annotation=ANNOTATIONS[one_of_these("DIGITS_INVOICE_FORM", tuple(ANNOTATIONS))],
        counterparty=one_of_these("DIGITS_COUNTERPARTY", COUNTERPARTIES),
        filters=one_of_these("DIGITS_ENTRY_FILTERS", FILTERS),
        silent=one_of_these("DIGITS_SILENT_ANSWER", SILENT),
        tax_category=value("DIGITS_TAX_CATEGORY"),
    )


def sources(labels: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """All sources of this portal. Digits deletes what a later call leaves out, so it is always the whole list.

    Open: which type a source of invoices should have.
    """
    return {
        "sources": [
            {
                "externalId": SOURCE,
                "name": "Counterpart invoices",
                "type": "Income",
                "subtype": "SalesRevenue",
                "description": "Clients and invoices of the portal",
                "labels": list(labels),
            }
        ]
    }


def external_id(identifier: str) -> dict[str, str]:
    """An identifier of ours, in the form in which others refer to it."""
    return {"issuer": ISSUER, "id": identifier}


def new_parties(news: Sequence[NewRecord], form: str) -> dict[str, Any]:
    """Parties to write, each under its key: sent twice, it is still one."""
    return {"parties": [_new_party(one, form) for one in news]}


def _new_party(one: NewRecord, form: str) -> dict[str, Any]:
    """Open: whether a new party's identifier is an object, as documented, or the bare text, as seen."""
    record = one.record
    emails = [contact.email for contact in sorted(record.contacts, key=lambda c: not c.is_primary) if contact.email]
    return {
        "externalId": one.key if form == "text" else {"issuer": ISSUER, "id": one.key},
        "name": record.name,
        **({"email": emails[0]} if emails else {}),
        "kind": "Person" if fold(record.structure) in PERSON else "Business",
    }


def written(raw: Raw, one: NewRecord) -> ClientRecord | None:
    """The party as it was made; None when the answer does not say which one it is."""
    remote_id = identifier(raw, ("digitsId", *IDENTIFIERS))
    if not remote_id:
        return None
    sent = _new_party(one, "text")
    return client({"id": remote_id, "name": line(raw, "name") or sent["name"], "email": sent.get("email")})


def is_answer_to(raw: Raw, one: NewRecord) -> bool:
    return told_id(raw) == one.key


def told_id(raw: Raw) -> object:
    """An answer names the identifier we gave as a bare text; an object would be understood as well."""
    told = raw.get("externalId")
    return told.get("id") if isinstance(told, dict) else told


def client_or_quarantine(raw: object) -> ClientRecord | Quarantined:
    try:
        if not isinstance(raw, dict):
            raise NotUnderstood("It is not an object.")
        return client(raw)
    except (NotUnderstood, BadText) as reason:
        id_name = next((one for one in IDENTIFIERS if isinstance(raw, dict) and raw.get(one)), IDENTIFIERS[0])
        return quarantined(raw, id_name, "name", str(reason))


def client(raw: Raw) -> ClientRecord:
    """Raises `NotUnderstood` or `BadText`. An email belongs to a contact that goes by the party's name."""
    remote_id, name, email = identifier(raw, IDENTIFIERS), line(raw, "name"), line(raw, "email")
    if not remote_id:
        raise NotUnderstood("It has no identifier.")
    if not name:
        raise NotUnderstood("It has no name.")
    contacts = (ContactRecord(EMAIL, name, email, is_primary=True),) if email else ()
    return ClientRecord(remote_id, name, contacts=contacts, kind=_kind(raw))


def identifier(raw: Raw, names: Sequence[str]) -> str:
    return next((found for found in (line(raw, name) for name in names) if found), "")


def one_of(body: object, name: str) -> Raw:
    """A single object, in an envelope of its name or bare; empty when it is neither."""
    inner = body.get(name) if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else body if isinstance(body, dict) else {}


def _kind(raw: Raw) -> str:
    """What a marker says, where there is one that says something we know."""
    told: list[object] = []
    for name in MARKERS:
        value = raw.get(name)
        told += value if isinstance(value, list) else [value]
    known = dict.fromkeys(ROLES[one.lower()] for one in told if isinstance(one, str) and one.lower() in ROLES)
    return " and ".join(sorted(known))


class Page:
    """The `check` of a call that answers with a list: understands it once, and keeps what it says."""

    def __init__(self, many: str) -> None:
        self._many = many
        self.entries: list[Any] = []
        self.cursor = ""
        self.has_more = False

    def __call__(self, reply: Reply) -> None:
        found = reply.json()
        refuse_error_inside(found, reply)
        listed = found.get(self._many) if isinstance(found, dict) else None
        if not isinstance(listed, list):
            raise odd(reply, f"It holds no {self._many}.")
        following = found.get("next")
        following = following if isinstance(following, dict) else {}
        self.entries = listed
        self.cursor = str(following.get("cursor") or "")
        self.has_more = following.get("more") is True
        if self.has_more and not self.cursor:
            raise odd(reply, "It says that there is more, but not how to get it.")


class Body:
    """The `check` of a call that answers with a JSON object: keeps it."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}

    def __call__(self, reply: Reply) -> None:
        found = reply.json()
        if not isinstance(found, dict):
            raise odd(reply, "It is not an object.")
        refuse_error_inside(found, reply)
        self.value = found


def refuse_error_inside(found: object, reply: Reply) -> None:
    """Raises `Rejected` for an error that came with a status of success."""
    if isinstance(found, dict) and found.get("error"):
        told = words(reply)
        raise Rejected(f"{NAME} refused: {told or 'it gave no reason'}", status=reply.status, vendor_text=told)


def odd(reply: Reply, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{NAME} gave an answer that cannot be understood. {how}", status=reply.status, vendor_text=reply.start()
    )


def words(reply: Reply) -> str:
    """Digits' own words in a refusal. Open: its form, but for the 429; what is no JSON is kept as it came."""
    answer = object_of(reply)
    error = answer.get("error")
    within: Mapping[str, Any] = error if isinstance(error, dict) else {}
    told = (within.get("message"), answer.get("message"), answer.get("error_description"), within.get("code"), error)
    return next((one for one in told if isinstance(one, str) and one), "" if answer else reply.start(300).strip())


def rest(reply: Reply) -> timedelta | None:
    """How long a 429 asks us to wait: it says so inside, and by the moment in X-RateLimit-Reset."""
    error = object_of(reply).get("error")
    details = error.get("details") if isinstance(error, dict) else None
    seconds = _seconds(details.get("retry_after") if isinstance(details, dict) else None)
    if seconds is None and (reset := _seconds(reply.headers.get("x-ratelimit-reset"))) is not None:
        seconds = reset - _vendors_clock(reply).timestamp()
    return None if seconds is None else timedelta(seconds=min(max(seconds, 0.0), 86_400.0))


def _seconds(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _vendors_clock(reply: Reply) -> datetime:
    try:
        return parsedate_to_datetime(reply.headers.get("date", "")).astimezone(UTC)
    except (ValueError, IndexError, TypeError):
        return datetime.now(UTC)
