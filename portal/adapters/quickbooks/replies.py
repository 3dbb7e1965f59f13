"""What QuickBooks answers, before anybody looks at customers: is it whole, and is it a refusal?

Refusals come as JSON in two spellings, as XML even where JSON was asked for, and as a web server's HTML; with status
200 too. They are told apart by their codes, never by their texts, which may be translated. Invariant: an answer is
believed only when what was asked for is in it and no fault is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from portal.adapters.base import (
    AdapterError,
    Moved,
    NameTaken,
    NeedsReconnect,
    NotThere,
    RateLimited,
    Rejected,
    Unavailable,
    UnexpectedReply,
    Unknown,
)
from portal.adapters.http import Reply, without_secrets
from portal.domain.text import BadText, clean_line

log = logging.getLogger(__name__)
NAME = "QuickBooks"
Plain = dict[str, Any]  # a JSON object
ROOT = "/v3/company"
VERSION = {"minorversion": "75"}
REST = timedelta(seconds=60)  # what the vendor asks for after a 429; it sends no Retry-After that anybody has seen
LARGEST_REFUSAL = 1024 * 1024  # bytes
LARGEST_XML = 64 * 1024
TITLE = re.compile(r"<title[^>]*>([^<]{1,200})<", re.IGNORECASE)
INNER_CODE = re.compile(r"errorCode=0*(\d+)")
HOLDER = re.compile(r"\bId\s*=\s*(\d+)")

THROTTLED, STALE, TAKEN, GONE, BUSINESS = "3001", "5010", "6240", "610", "6000"
REPEATED, TOO_MANY, BAD_ID, FAILED = "600", "1040", "2030", "10000"
AWAY = frozenset({"130", "140", "150"})  # wrong cluster, company locked, under maintenance
SHUT_OUT = {
    "100": f"{NAME} no longer accepts this sign-in.",
    "110": f"{NAME} no longer accepts this sign-in.",
    "3200": f"{NAME} no longer accepts this sign-in.",
    "120": f"Whoever connected {NAME} is no longer an administrator of this company there, so it lets us do nothing.",
    "3100": (
        f"{NAME} does not let this portal into this company: it was disconnected there, or the portal's client id is "
        "for other companies (test keys, say)."
    ),
}
REFUSED = {
    "5020": f"{NAME} does not let the person who connected it do this.",
    "6190": f"This company's {NAME} subscription has ended, so nothing can be written to it.",
}


class ItemsRefused(Rejected):
    """A batch of which every item was refused may be answered with a refusal as a whole; `items` are the answers."""

    def __init__(self, items: list[Any], status: int) -> None:
        super().__init__(f"{NAME} refused all of them.", status=status)
        self.items = items


class BadIdentifier(Rejected):
    """An identifier that no record of the vendor's can have."""


class TooManyAtOnce(Rejected):
    """A batch longer than the vendor takes; nothing of it was done."""


class Coded(Rejected):
    """Any other refusal, with its codes for whoever knows more of what was asked."""

    def __init__(self, message: str, *, codes: frozenset[str], **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.codes = codes


@dataclass(frozen=True)
class Fault:
    """A refusal. `codes` are without leading zeros, `words` the vendor's own, for a person."""

    codes: frozenset[str]
    words: str
    kind: str = ""

    @property
    def is_failure(self) -> bool:
        """The vendor broke down over it: whether a write happened is anybody's guess."""
        return FAILED in self.codes or self.kind.lower() == "systemfault"

    def is_gone(self) -> bool:
        # 6000 is a catch-all: merged-away and deleted customers are known by its text only.
        return GONE in self.codes or (BUSINESS in self.codes and "deleted" in self.words.lower())


def url_of(account_id: str, what: str) -> str:
    return f"{ROOT}/{quote(account_id, safe='')}/{what}"


class Answer:
    """The check of one call, which keeps the body it has read: `body` once the call is back.

    Raises what a fault inside comes to, and `UnexpectedReply`, which is tried again, for what makes no sense.
    """

    def __init__(self, key: str, *, exact: bool = False) -> None:
        """`exact`: numbers with a fraction come as `Decimal`."""
        self.body: Plain = {}
        self._key = key
        self._exact = exact

    def __call__(self, reply: Reply) -> None:
        if _is_markup(reply):
            fault, body = fault_of(reply), {}
        else:
            body = reply.json(exact=self._exact)
            if not isinstance(body, dict):
                raise odd(reply, "It is no JSON object.")
            fault = fault_in(body)
        if fault is not None and not fault.is_failure:
            raise error_for(fault, reply.status)
        if fault is not None or self._key not in body:
            raise odd(reply, fault.words if fault else f"It holds no {self._key}.")
        self.body = body

    @property
    def found(self) -> Any:
        return self.body[self._key]


def fault_in(body: Plain) -> Fault | None:
    """The fault of a JSON object, in either spelling; None when there is none."""
    raw = body.get("Fault") or body.get("fault")
    if not raw:
        return None
    if not isinstance(raw, dict):
        return Fault(frozenset(), _text(raw))
    errors = raw.get("Error") or raw.get("error") or []
    errors = [one for one in (errors if isinstance(errors, list) else [errors]) if isinstance(one, dict)]
    found = [tuple(one.get(key) or one.get(key.lower()) for key in ("Code", "Message", "Detail")) for one in errors]
    return _fault(found, _text(raw.get("type")))


def fault_of(reply: Reply) -> Fault | None:
    """The fault of a reply in whichever language; None when there is none to be found."""
    if reply.size > LARGEST_REFUSAL:
        return None
    if _is_markup(reply):
        return _fault_of_markup(reply)
    body = _object(reply)
    return fault_in(body) if body else None


def words(reply: Reply) -> str:
    """The vendor's own words in a refusal; what a web server's page is headed, where it is one."""
    fault = fault_of(reply)
    if fault is not None:
        return fault.words
    heading = TITLE.search(reply.start()) if _is_markup(reply) else None
    return _text(unescape(heading[1])) if heading else ""


def rest(_reply: Reply) -> timedelta:
    """How long to wait after a 429."""
    return REST


def named(reply: Reply) -> AdapterError | None:
    """What a refusal means beyond its status; None: go by that."""
    if reply.status == 400 and reply.size <= LARGEST_REFUSAL:
        items = _object(reply).get("BatchItemResponse")
        if isinstance(items, list) and items:
            return ItemsRefused(items, reply.status)
    fault = fault_of(reply)
    codes = ",".join(sorted(fault.codes)) if fault else "no code"
    log.info("%s refused: %s (%s), intuit_tid %s", NAME, reply.status, codes, reply.headers.get("intuit_tid", "?")[:60])
    if fault is not None and (fault.codes or reply.status != 403):
        return error_for(fault, reply.status)
    if reply.status == 404:
        # Records that are not there are told with 400 and a code: this is about the address, not about a record.
        return Rejected(
            f"There is no {NAME} at the address the portal is set to.", status=404, vendor_text=words(reply)
        )
    return None


def error_for(fault: Fault, status: int) -> AdapterError:
    """A fault as the error that says what to do next."""
    told: dict[str, Any] = {"status": status, "vendor_text": fault.words}
    codes = fault.codes
    if THROTTLED in codes:
        return RateLimited(f"{NAME} asked us to slow down.", retry_at=datetime.now(UTC) + REST, **told)
    if code := _first(codes, SHUT_OUT):
        return NeedsReconnect(SHUT_OUT[code], **told)
    if codes & AWAY:
        return Unavailable(f"{NAME} has this company closed for a while.", **told)
    if STALE in codes:
        return Moved(f"Somebody changed this customer in {NAME} meanwhile.", **told)
    if TAKEN in codes:
        hint = HOLDER.search(fault.words)
        return NameTaken(f"Somebody in {NAME} has this name already.", holder_id=hint[1] if hint else "", **told)
    if fault.is_gone():
        return NotThere(f"{NAME} no longer has this customer.", **told)
    if BAD_ID in codes:
        return BadIdentifier(f"{NAME} knows no such identifier.", **told)
    if TOO_MANY in codes:
        return TooManyAtOnce(f"{NAME} takes fewer at once.", **told)
    if REPEATED in codes:
        return Unknown(f"{NAME} had this request before; it may or may not have done it.", **told)
    if code := _first(codes, REFUSED):
        return Rejected(REFUSED[code], **told)
    return Coded(f"{NAME} refused: {(fault.words or 'it gave no reason').rstrip('.')}.", codes=codes, **told)


def odd(reply: Reply, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{NAME} gave an answer that cannot be understood. {how}".rstrip(), status=reply.status,
        vendor_text=reply.start(),
    )  # fmt: skip


def _fault(errors: Iterable[tuple[object, object, object]], kind: str) -> Fault:
    codes, said = set(), []
    for code, message, detail in errors:
        message, detail = _text(message), _text(detail)
        codes |= {found.lstrip("0") for found in (_text(code), *INNER_CODE.findall(message)) if found.strip("0")}
        said.append(detail or message)
    return Fault(frozenset(codes), "; ".join(dict.fromkeys(one for one in said if one)), kind)


def _fault_of_markup(reply: Reply) -> Fault | None:
    """Read without trust: small, no DOCTYPE, hence no entities. Namespaces do not matter."""
    if reply.size > LARGEST_XML:
        return None
    try:
        root = fromstring(reply.content(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return None
    fault = next((one for one in root.iter() if _tag(one) == "fault"), None)
    if fault is None:
        return None
    found = []
    for error in (one for one in fault.iter() if _tag(one) == "error"):
        parts = {_tag(one): one.text for one in error}
        found.append((error.get("code"), parts.get("message"), parts.get("detail")))
    return _fault(found, fault.get("type") or "")


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _is_markup(reply: Reply) -> bool:
    """Goes by the body: faults in XML have come labelled as anything."""
    return reply.rewound().read(200).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _object(reply: Reply) -> Plain:
    try:
        found = reply.json()
    except UnexpectedReply:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """One line, without secrets, that every database can hold."""
    if value is None:
        return ""
    try:
        return without_secrets(clean_line(str(value)))[:1000]
    except BadText:
        return without_secrets(clean_line(str(value).encode("utf-8", "replace").decode()))[:1000]


def _first(codes: frozenset[str], table: dict[str, str]) -> str:
    return next((code for code in table if code in codes), "")
