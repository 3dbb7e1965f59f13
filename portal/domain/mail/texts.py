"""What may stand in a message: addresses, header lines, and texts with {{fields}} that are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from email.errors import HeaderParseError
from email.headerregistry import Address

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from portal.domain.invoices.models import Invoice
from portal.domain.mail.models import MailKind
from portal.domain.people import Firm, the_firm
from portal.domain.proposals.models import Proposal

LONGEST_SUBJECT, LONGEST_MESSAGE, LONGEST_NAME, LONGEST_ADDRESS = 200, 10_000, 200, 254  # characters
# What ends a header line or hides in one: controls, line and paragraph separators, marks of direction.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSEEN_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
FIELDS: dict[MailKind, Mapping[str, str]] = {
    MailKind.INVOICE: {
        "client": "the client’s name", "number": "the invoice’s number", "total": "what it comes to",
        "due": "the day it is due", "firm": "your firm’s name",
    },
    MailKind.PROPOSAL: {
        "client": "the client’s name", "number": "the proposal’s number", "proposal": "the proposal’s name",
        "until": "the last day it can be accepted", "firm": "your firm’s name",
    },
    MailKind.TEST: {"firm": "your firm’s name"},
}  # fmt: skip


class MailProblem(ValueError):
    """This cannot be sent or kept as it is; the text says why, for a person. `field`: of which input, where known."""

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Recipient:
    """`contact_id` None: an address somebody typed."""

    name: str
    address: str
    contact_id: int | None = None

    @property
    def label(self) -> str:
        """'Aroha Ngata <aroha@example.nz>'"""
        return f"{self.name} <{self.address}>" if self.name else self.address


def check_address(address: str) -> str:
    """The address as it is sent to: trimmed, its domain in lower case ASCII letters. Raises `MailProblem`."""
    given = address.strip()
    shown = one_line(given)[:100]
    local, at, domain = given.rpartition("@")
    if not at or not local or not domain:
        raise MailProblem(f"{shown or 'Nothing'} is not an email address.", "address")
    if UNSEEN.search(given) or len(given) > LONGEST_ADDRESS:
        raise MailProblem(f"{shown} is not an email address: it is too long, or holds characters none can.", "address")
    if not LOCAL.fullmatch(local) or len(local) > 64:
        raise MailProblem(f"{shown} cannot be written to: mail servers do not take {one_line(local)[:64]}@.", "address")
    try:
        domain = domain.lower() if domain.isascii() else domain.encode("idna").decode("ascii")
        Address(username=local, domain=domain)
    except (UnicodeError, HeaderParseError, ValueError) as wrong:
        raise MailProblem(f"{shown} is not an email address.", "address") from wrong
    if not DOMAIN.fullmatch(domain):
        raise MailProblem(f"{shown} is not an email address.", "address")
    return f"{local}@{domain}"


def check_header(value: str, what: str, longest: int, field: str = "") -> str:
    """A line that can stand in a header, trimmed. Raises `MailProblem` for line breaks and control characters."""
    if UNSEEN.search(value.strip()):
        raise MailProblem(f"{what} must be one line, without control characters.", field)
    if len(value.strip()) > longest:
        raise MailProblem(f"{what} can have at most {longest} characters.", field)
    return value.strip()


def check_message(text: str, field: str = "message") -> str:
    """Trimmed, with plain line ends. Raises `MailProblem`."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not plain:
        raise MailProblem("Write a message.", field)
    if UNSEEN_IN_TEXT.search(plain):
        raise MailProblem("The message holds control characters. Take them out, or type the text anew.", field)
    if len(plain) > LONGEST_MESSAGE:
        raise MailProblem(f"A message can have at most {LONGEST_MESSAGE:,} characters.", field)
    return plain


def one_line(text: str) -> str:
    """What can stand in a header of a text that others wrote: everything unseen becomes a space."""
    return " ".join(UNSEEN.sub(" ", text).split())


def check_fields(text: str, kind: MailKind, field: str = "") -> None:
    """Every {{field}} in it is one there is for this kind. Raises `MailProblem`, naming the first that is not."""
    for name in FIELD.findall(text):
        if name not in FIELDS[kind]:
            known = ", ".join("{{" + one + "}}" for one in FIELDS[kind])
            raise MailProblem(f"There is no field {{{{{one_line(name)[:40]}}}}} here. There are: {known}.", field)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its {{fields}} filled in; one without a value stays as it is. Values are never filled again."""
    return FIELD.sub(lambda found: values.get(found[1], found[0]), text)


def fields_of_invoice(invoice: Invoice) -> dict[str, str]:
    """Under the client's name as it stands on the invoice; amounts and days as the firm's locale writes them."""
    firm = the_firm()
    locale = _locale(firm)
    return {
        "client": one_line(invoice.client_name), "number": one_line(invoice.number),
        "total": format_currency(invoice.total, invoice.currency, locale=locale), "due": _day(invoice.due_on, locale),
        "firm": one_line(firm.name) if firm else "",
    }  # fmt: skip


def fields_of_proposal(proposal: Proposal) -> dict[str, str]:
    firm = the_firm()
    return {
        "client": one_line(proposal.client.name), "number": f"PROP-{proposal.number}",
        "proposal": one_line(proposal.name),
        "until": _day(proposal.expires_on, _locale(firm)) if proposal.expires_on else "further notice",
        "firm": one_line(firm.name) if firm else "",
    }  # fmt: skip


def _day(day: date, locale: Locale) -> str:
    return format_date(day, "long", locale=locale)


def _locale(firm: Firm | None) -> Locale:
    try:
        return Locale.parse(firm.locale if firm else "en")
    except (ValueError, UnknownLocaleError):
        return Locale("en")
