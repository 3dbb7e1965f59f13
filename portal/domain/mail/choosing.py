"""What the firm writes in its mail, whether it goes out by itself, and who of a client gets it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.clients import Client, Contact
from portal.domain.mail import texts
from portal.domain.mail.models import MailKind, MailPreference, MailRecipient, MailSettings
from portal.domain.mail.texts import MailProblem, Recipient

THE_ROW = 1
SETTINGS = {
    "sender_name": "Sender’s name",
    "reply_to": "Address for answers",
    "sends_invoices": "Invoices sent by themselves",
    "invoice_subject": "Subject of invoices",
    "invoice_message": "Message of invoices",
    "proposal_subject": "Subject of proposals",
    "proposal_message": "Message of proposals",
}
DEFAULTS: dict[str, Any] = {
    "sender_name": "", "reply_to": "", "sends_invoices": False, "version": 1,
    "invoice_subject": "Invoice {{number}} from {{firm}}",
    "invoice_message": "Dear {{client}},\n\nattached is our invoice {{number}} for {{total}}, due on {{due}}.\n\n"
    "If anything about it is unclear, please answer this message.\n\nKind regards\n{{firm}}",
    "proposal_subject": "Our proposal for {{client}}",
    "proposal_message": "Dear {{client}},\n\nwe have put together a proposal for you: {{proposal}}. You can read "
    "it and accept it online until {{until}}.\n\nIf you have questions, please answer this message.\n\nKind regards\n"
    "{{firm}}",
}  # fmt: skip
AUTOMATIC = {MailKind.INVOICE: "Invoices"}  # kinds that may go out by themselves, as preferences name them
SUBJECTS = {MailKind.INVOICE: "invoice_subject", MailKind.PROPOSAL: "proposal_subject"}
MESSAGES = {MailKind.INVOICE: "invoice_message", MailKind.PROPOSAL: "proposal_message"}


class StaleMailSettings(Exception):
    """Somebody else saved the email settings since this form was opened."""


@dataclass(frozen=True)
class Texts:
    """As the firm wrote them, with their {{fields}}."""

    subject: str
    message: str


@dataclass(frozen=True)
class Preferences:
    """`chosen`: ids of the contacts picked; empty: the default contact. `kinds`: what differs from the firm."""

    chosen: frozenset[int]
    kinds: Mapping[MailKind, bool]


def settings() -> MailSettings:
    """As an admin left them; the defaults, not stored, where nobody has touched them."""
    return db.session.get(MailSettings, THE_ROW) or MailSettings(id=THE_ROW, **DEFAULTS)


def change_settings(wanted: Mapping[str, Any], *, version: int, by: Actor, now: datetime) -> list[str]:
    """Save some or all of `SETTINGS`; gives the names of what changed. Raises `MailProblem` with the field's name, and
    `StaleMailSettings` when `version` is an older one."""
    kept = db.session.get(MailSettings, THE_ROW, with_for_update=True)
    if version != (kept.version if kept else DEFAULTS["version"]):
        raise StaleMailSettings
    checked = {name: _checked(name, wanted[name]) for name in SETTINGS if name in wanted}
    if kept is None:
        kept = MailSettings(id=THE_ROW, **DEFAULTS)
        db.session.add(kept)
    changes = [
        {"field": name, "label": SETTINGS[name], "old": getattr(kept, name), "new": value}
        for name, value in checked.items()
        if getattr(kept, name) != value
    ]
    for one in changes:
        setattr(kept, one["field"], one["new"])
    if changes:
        kept.version += 1
        what = activity.field_names(changes)
        activity.record(Verb.MAIL_SETTINGS_CHANGED, by=by, now=now, changes=changes, what=what)
    return [one["label"] for one in changes]


def texts_of(kind: MailKind) -> Texts:
    """Of invoices and proposals."""
    kept = settings()
    return Texts(getattr(kept, SUBJECTS[kind]), getattr(kept, MESSAGES[kind]))


def recipients_of(client: Client) -> list[Recipient]:
    """The contacts chosen for this client's mail, else its default contact; those with an address one can write to."""
    chosen = _chosen(client.id)
    wanted = [one for one in client.contacts if one.id in chosen]
    if not wanted and client.default_contact is not None:
        wanted = [client.default_contact]
    return [found for one in wanted if (found := recipient(one)) is not None]


def recipient(contact: Contact) -> Recipient | None:
    """The contact as one writes to them; None without an address that can be written to."""
    try:
        address = texts.check_address(contact.email)
    except MailProblem:
        return None
    return Recipient(texts.one_line(contact.name)[: texts.LONGEST_NAME], address, contact.id)


def wants(client: Client, kind: MailKind) -> bool:
    """Whether mail of this kind goes out to this client by itself: its own preference, else the firm's."""
    return client.id in wanting([client.id], kind)


def wanting(client_ids: Collection[int], kind: MailKind) -> set[int]:
    """Of these clients, those that mail of this kind goes out to by itself; two queries, whatever their number."""
    if kind not in AUTOMATIC:
        return set()
    query = select(MailPreference.client_id, MailPreference.kinds).where(MailPreference.client_id.in_(client_ids))
    own = {client_id: kinds.get(kind.value) for client_id, kinds in db.session.execute(query)}
    usual = settings().sends_invoices
    return {one for one in client_ids if (usual if own.get(one) is None else own[one])}


def preferences(client: Client) -> Preferences:
    kept = db.session.get(MailPreference, client.id)
    kinds = {MailKind(name): wanted for name, wanted in (kept.kinds if kept else {}).items()}
    return Preferences(frozenset(_chosen(client.id)), kinds)


def change_preferences(
    client: Client, *, contact_ids: Iterable[int], kinds: Mapping[MailKind, bool | None], by: Actor, now: datetime
) -> bool:
    """Who gets the client's mail, and of which kinds it differs from the firm (None: as the firm has it). Says whether
    anything changed. Raises `MailProblem` for no contact at all (CL-37), or one without an address."""
    chosen = frozenset(contact_ids)
    by_id = {one.id: one for one in client.contacts}
    if not chosen or not chosen <= by_id.keys():
        raise MailProblem("Choose at least one contact who gets this client’s mail.", "contacts")
    for one in sorted(chosen):
        if recipient(by_id[one]) is None:
            raise MailProblem(f"{by_id[one].name} has no email address one can write to.", "contacts")
    before = preferences(client)
    wanted = {kind: value for kind, value in kinds.items() if value is not None and kind in AUTOMATIC}
    changes = _differences(before, chosen, wanted, by_id)
    if not changes:
        return False
    db.session.execute(delete(MailRecipient).where(MailRecipient.client_id == client.id))
    db.session.add_all(MailRecipient(client_id=client.id, contact_id=one) for one in sorted(chosen))
    kept = db.session.get(MailPreference, client.id)
    if kept is None:
        kept = MailPreference(client_id=client.id)
        db.session.add(kept)
    kept.kinds = {kind.value: value for kind, value in wanted.items()}
    db.session.flush()
    activity.record(
        Verb.MAIL_PREFERENCES_CHANGED, by=by, now=now, client_id=client.id, what=activity.field_names(changes),
        changes=changes,
    )  # fmt: skip
    return True


def _differences(
    before: Preferences, chosen: frozenset[int], wanted: Mapping[MailKind, bool], by_id: Mapping[int, Contact]
) -> list[dict[str, Any]]:
    found = []
    if before.chosen != chosen:
        old, new = (", ".join(by_id[one].name for one in sorted(ids & by_id.keys())) for ids in (before.chosen, chosen))
        found.append({"field": "recipients", "label": "Recipients", "old": old or "the default contact", "new": new})
    words = {None: "as the firm has it", True: "sent by themselves", False: "not sent by themselves"}
    for kind, label in AUTOMATIC.items():
        old, new = words[before.kinds.get(kind)], words[wanted.get(kind)]
        if old != new:
            found.append({"field": kind.value, "label": label, "old": old, "new": new})
    return found


def _chosen(client_id: int) -> set[int]:
    return set(db.session.scalars(select(MailRecipient.contact_id).where(MailRecipient.client_id == client_id)))


def _checked(name: str, value: Any) -> Any:
    """The value as it is kept. Raises `MailProblem`."""
    if name == "sends_invoices":
        return bool(value)
    if name == "reply_to":
        return _checked_reply_to(str(value))
    if name == "sender_name":
        return texts.check_header(str(value), "The sender’s name", texts.LONGEST_NAME, name)
    kind = MailKind.INVOICE if name.startswith("invoice") else MailKind.PROPOSAL
    texts.check_fields(str(value), kind, name)
    if name in MESSAGES.values():
        return texts.check_message(str(value), name)
    if not str(value).strip():
        raise MailProblem("Write a subject.", name)
    return texts.check_header(str(value), "The subject", texts.LONGEST_SUBJECT, name)


def _checked_reply_to(value: str) -> str:
    if not value.strip():
        return ""
    try:
        return texts.check_address(value)
    except MailProblem as wrong:
        raise MailProblem(str(wrong), "reply_to") from wrong
