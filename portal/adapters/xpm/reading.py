"""What Xero Practice Manager says, in our words: its envelope, its clients, its lists.

Invariant: a reply is either understood or refused with `UnexpectedReply`; one client that cannot be understood comes
out as `Quarantined` and the rest goes on. Both wire formats become the same plain values under XML's names first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from portal.adapters.base import NotThere, Rejected, UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.xero_sign_in import error_words
from portal.adapters.xpm import json_form, xml_form
from portal.adapters.xpm.xml_form import NAME, Plain
from portal.domain.records import (
    Address,
    ClientRecord,
    ContactRecord,
    GroupRef,
    NamedRecord,
    Quarantined,
    RecordState,
    StaffRecord,
    StaffRef,
)
from portal.domain.text import BadText, clean, clean_line

RAW_KEPT = 20_000  # characters of a record that could not be understood
YES, NO = ("yes", "true"), ("no", "false", "")
NOT_GRANTED = "AuthorizationUnsuccessful"  # of a 401: the sign-in is fine, its scopes do not reach this
# Texts seen with status 200 or 404 for an identifier XPM does not know ("Invalid job identifier", say).
UNKNOWN_RECORD = ("identifier", "not found", "does not exist", "no longer exists")


class NotUnderstood(Exception):
    """A record makes no sense; the text is the reason, for a person."""


class Form:
    """One of the two wire formats: how to ask for it and how to read it."""

    def __init__(self, name: str) -> None:
        """`name` is 'xml' or 'json'; anything else raises ValueError."""
        if name not in ("xml", "json"):
            raise ValueError(f"XPM_WIRE_FORMAT is {name!r}; it can be xml or json")
        self.is_json = name == "json"
        self.content_type = "application/json" if self.is_json else "application/xml"
        self.headers = (
            {"Accept": "application/json", "Xero-Features": "practice-strict-content-type"}
            if self.is_json
            else {"Accept": "application/xml"}
        )

    def check(self, reply: Reply) -> None:
        """Raises `UnexpectedReply` when the body is not whole or not in this format: a proxy's page, a cut list."""
        wanted = ("application/json",) if self.is_json else ("text/xml", "application/xml")
        if reply.media_type not in wanted:
            raise _odd(reply, f"It is labelled {reply.media_type[:60] or 'nothing at all'!r}.")
        if not reply.size:
            raise _odd(reply, "It is empty.")
        if not reply.end().rstrip().endswith(b"}" if self.is_json else b"</Response>"):
            raise _odd(reply, "It ends too early.")

    def document(self, reply: Reply) -> Plain:
        """A small reply as plain values. Raises `Rejected` with XPM's words when its status is ERROR."""
        with reply:
            found = json_form.document(reply) if self.is_json else xml_form.document(reply)
            _settle_status(found.get("Status"), found.get("ErrorDescription"), reply)
            return found

    def entries(self, reply: Reply, many: str, one: str) -> Iterator[Plain]:
        """The entries of a list of any length, a few in memory at a time. Raises as `document` does."""
        with reply:
            reader = json_form.Entries(reply, many) if self.is_json else xml_form.Entries(reply, many, one)
            yield from reader
            _settle_status(reader.status, reader.error_text, reply)
            if not reader.has_list:
                raise _odd(reply, f"It holds no {many}.")


def words(reply: Reply) -> str:
    """XPM's own words in a refusal, in whichever language it chose to give them."""
    if "xml" not in reply.media_type:
        return error_words(reply)
    try:
        return str(xml_form.document(reply).get("ErrorDescription") or "")
    except UnexpectedReply:  # a refusal nobody can read is still a refusal; its status says enough
        return ""


def clients(form: Form, reply: Reply) -> Iterator[ClientRecord | Quarantined]:
    for raw in form.entries(reply, "Clients", "Client"):
        yield client_or_quarantine(raw)


def client_or_quarantine(raw: Plain) -> ClientRecord | Quarantined:
    try:
        return client(raw)
    except (NotUnderstood, BadText) as reason:
        return quarantined(raw, str(reason))


def quarantined(raw: Plain, reason: str) -> Quarantined:
    """The record as it came, in a form every database can hold."""
    return Quarantined(
        remote_id=_storable(raw.get("UUID")),
        name=_storable(raw.get("Name")) or "(no name)",
        reason=reason,
        raw=json.dumps(raw, default=str)[:RAW_KEPT],
    )


def client(raw: Plain, web_url: str = "") -> ClientRecord:
    """Raises `NotUnderstood` or `BadText`. Field names: partner is XPM's account manager, manager its job manager."""
    uuid, name = _line(raw, "UUID"), _line(raw, "Name")
    if not uuid:
        raise NotUnderstood("It has no identifier.")
    if not name:
        raise NotUnderstood("It has no name.")
    groups = raw.get("Groups")
    return ClientRecord(
        remote_id=uuid,
        name=name,
        state=_state(raw),
        address=_address(raw, ""),
        postal_address=_address(raw, "Postal"),
        phone=_line(raw, "Phone"),
        fax=_line(raw, "Fax"),
        website=_line(raw, "Website"),
        structure=_line(raw, "BusinessStructure"),
        tax_registered=_tax_registered(raw),
        partner=_person(raw.get("AccountManager")),
        manager=_person(raw.get("JobManager")),
        contacts=_contacts(raw.get("Contacts")),
        groups=None if groups is None else _groups(groups),
        web_url=web_url or _line(raw, "WebUrl"),
    )


def staff(form: Form, reply: Reply) -> list[StaffRecord]:
    return [
        StaffRecord(
            remote_id=_line(raw, "UUID"),
            name=_line(raw, "Name"),
            email=_line(raw, "Email"),
            phone=_line(raw, "Phone"),
            mobile=_line(raw, "Mobile"),
        )
        for raw in _understood(form, reply, "StaffList", "Staff")
    ]


def named(form: Form, reply: Reply, many: str, one: str) -> list[NamedRecord]:
    """A reference list; recordings of the older API print ID where this one prints UUID."""
    return [
        NamedRecord(remote_id=_line(raw, "UUID") or _line(raw, "ID"), name=_line(raw, "Name"))
        for raw in _understood(form, reply, many, one)
    ]


def not_there_if_unknown(call: Callable[[], Plain], what: str = "this client") -> Plain:
    """An unknown identifier is answered with 404 or with 200 and ERROR; nobody is sure. Both become `NotThere`."""
    try:
        return call()
    except NotThere:
        raise
    except Rejected as refusal:
        text = refusal.vendor_text.lower()
        if refusal.status == 200 and any(word in text for word in UNKNOWN_RECORD):
            raise NotThere(f"{NAME} does not know {what}.", status=200, vendor_text=refusal.vendor_text) from refusal
        raise


def _settle_status(status: object, text: object, reply: Reply) -> None:
    """XPM says no with status 200 and ERROR inside."""
    said = str(status or "").strip().upper()
    if said == "ERROR":
        reason = clean_line(str(text or "")) or "it gave no reason"
        raise Rejected(f"{NAME} refused: {reason}", status=reply.status, vendor_text=reason)
    if said != "OK":
        raise _odd(reply, "It does not say whether it went well.")


def _odd(reply: Reply, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{NAME} gave an answer that cannot be understood. {how}", status=reply.status, vendor_text=reply.start()
    )


def _understood(form: Form, reply: Reply, many: str, one: str) -> list[Plain]:
    """Entries that can be named; in a list to choose from, one without identifier or name is of no use."""
    try:
        return [
            raw
            for raw in form.entries(reply, many, one)
            if (_line(raw, "UUID") or _line(raw, "ID")) and _line(raw, "Name")
        ]
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave a list that cannot be understood: {error}", status=200) from error


def _line(raw: Plain, name: str) -> str:
    value = raw.get(name)
    if not value:
        return "0" if value == 0 and value is not False and value is not None else ""
    if not isinstance(value, str):
        value = _scalar(value, name)
    # Nearly every text is plain: half a million of them in a list of ten thousand clients, so no call for those.
    return value.strip() if value.isascii() and value.isprintable() else clean_line(value)


def _scalar(value: object, name: str) -> str:
    """JSON may hold a number where text is meant; a list or an object there makes no sense."""
    if isinstance(value, bool | int | float):
        return str(value)
    raise NotUnderstood(f"Its {name} is not a text.")


def _address(raw: Plain, prefix: str) -> Address:
    street = raw.get(prefix + "Address") or ""
    return Address(
        street=clean(str(street).replace("\r\n", "\n").replace("\r", "\n")) if street else "",
        city=_line(raw, prefix + "City"),
        region=_line(raw, prefix + "Region"),
        postcode=_line(raw, prefix + "PostCode"),
        country=_line(raw, prefix + "Country"),
    )


def _state(raw: Plain) -> RecordState:
    if _is_yes(raw, "IsDeleted"):
        return RecordState.DELETED
    return RecordState.ARCHIVED if _is_yes(raw, "IsArchived") else RecordState.ACTIVE


def _is_yes(raw: Plain, name: str) -> bool:
    """Yes/No as XPM writes it; absent means No."""
    said = _line(raw, name).lower()
    if said in YES:
        return True
    if said in NO:
        return False
    raise NotUnderstood(f"Its {name} is {said[:40]!r}, which is neither Yes nor No.")


def _tax_registered(raw: Plain) -> bool | None:
    """None when XPM does not say; a word other than Yes and No says nothing either."""
    said = _line(raw, "GSTRegistered").lower()
    return True if said in YES else False if said in ("no", "false") else None


def _person(raw: object) -> StaffRef | None:
    if raw is None or raw == "":
        return None
    if not isinstance(raw, dict):
        raise NotUnderstood("Its account or job manager is not a person.")
    uuid = _line(raw, "UUID")
    return StaffRef(uuid, _line(raw, "Name")) if uuid else None


def _contacts(raw: object) -> tuple[ContactRecord, ...]:
    """The living ones; a contact named twice counts once."""
    found: dict[str, ContactRecord] = {}
    for one in _list(raw, "contacts"):
        if _is_yes(one, "IsDeleted"):
            continue
        uuid = _line(one, "UUID")
        if not uuid:
            raise NotUnderstood("One of its contacts has no identifier.")
        found[uuid] = ContactRecord(
            remote_id=uuid,
            name=_line(one, "Name"),
            email=_line(one, "Email"),
            phone=_line(one, "Phone"),
            mobile=_line(one, "Mobile"),
            salutation=_line(one, "Salutation"),
            addressee=_line(one, "Addressee"),
            position=_line(one, "Position"),
            is_primary=_is_yes(one, "IsPrimary"),
        )
    return tuple(found.values())


def _groups(raw: object) -> tuple[GroupRef, ...]:
    found = {}
    for one in _list(raw, "groups"):
        uuid = _line(one, "UUID")
        if not uuid:
            raise NotUnderstood("One of its groups has no identifier.")
        found[uuid] = GroupRef(uuid, _line(one, "Name"))
    return tuple(found.values())


def _list(raw: object, what: str) -> list[Any]:
    if raw is None or raw == "":
        return []
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise NotUnderstood(f"Its {what} are not a list.")
    return raw


def _storable(value: object) -> str:
    text = str(value or "").encode("utf-8", "replace").decode()
    return clean_line(text)[:300]
