"""What an app is told, and what counts as agreed once it has taken it: a change to a record, or a record made new."""

from __future__ import annotations

from typing import Any

from portal.domain import activity, clients
from portal.domain.activity import Verb
from portal.domain.apps import ClientLink, ContactLink, PushState
from portal.domain.carrying.agreeing import remember_contacts, shown, tie_contact
from portal.domain.carrying.terms import Context
from portal.domain.clients import CONTACT_EDITABLE, Client
from portal.domain.planning import (
    AT_LINK,
    PULL,
    TWO_WAY,
    ContactPairing,
    Plan,
    contact_values,
    same,
    values_of,
    with_answers,
)
from portal.domain.records import Address, ClientChange, ClientRecord, ContactRecord, StaffRef


def change_to_send(
    plan: Plan, record: ClientRecord, context: Context, contact_links: list[ContactLink]
) -> ClientChange:
    """What the app is to be told, as adapters take it."""
    fields: dict[str, Any] = {}
    by_contact: dict[str, dict[str, Any]] = {}
    for row in plan.pushes:
        if row.contact_key:
            by_contact.setdefault(row.contact_key, {})[row.field] = row.here
        elif row.field in ("partner", "manager"):
            fields[row.field] = StaffRef(row.here["id"], row.here["name"]) if row.here else None
        elif row.field in ("address", "postal_address"):
            fields[row.field] = Address(*row.here)
        else:
            fields[row.field] = row.here
    contacts: list[tuple[ContactRecord, bool]] = []
    for there in record.contacts:
        if there.remote_id in by_contact:
            contacts.append((_with(there, by_contact[there.remote_id]), False))
    contacts += [(_as_record(pair), True) for pair in plan.pairings if pair.there is None]
    known = frozenset(one.remote_id for one in contact_links)
    return ClientChange(fields, tuple(contacts), known)


def _with(there: ContactRecord, values: dict[str, Any]) -> ContactRecord:
    everything = {name: getattr(there, name) for name in ContactRecord.__slots__}
    return ContactRecord(**(everything | values))


def _as_record(pair: ContactPairing) -> ContactRecord:
    values = pair.here.values  # type: ignore[union-attr]  # a pairing without a contact there has one here
    return ContactRecord(remote_id="", **{name: values[name] for name in CONTACT_EDITABLE})


def settle_sent(
    client: Client, link: ClientLink, contact_links: list[ContactLink], plan: Plan, after: ClientRecord,
    change: ClientChange, context: Context, version_sent: int,
) -> None:  # fmt: skip
    """The app has taken what was sent. Changes made here meanwhile stay to be sent (`push_version` moved on)."""
    sent = {row.field: row.here for row in plan.pushes if not row.contact_key}
    link.agreed = with_answers({**link.agreed, **sent}, sent, values_of(after))
    remember_contacts(contact_links, plan, sent=after)
    known = {one.remote_id for one in contact_links}
    for contact, is_new in change.contacts:
        if is_new:
            _adopt(client, link, contact, after, known)
    link.agreed_at = context.now
    link.seen = after.as_json()
    link.seen_at = context.now
    link.remote_name = after.name
    link.seen_digest = after.digest()
    changes = [
        {**activity.change(row.field, shown(row.there), shown(row.here), of_contact=bool(row.contact_key)),
         **({"contact": row.contact} if row.contact else {})}
        for row in plan.pushes
    ] + [activity.change("contact", None, contact.name) for contact, is_new in change.contacts if is_new]  # fmt: skip
    activity.record(
        Verb.CLIENT_PUSHED, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
        what=activity.field_names(changes), app=context.app, changes=changes,
    )  # fmt: skip
    sent_done(client, link, version_sent)


def _adopt(client: Client, link: ClientLink, sent: ContactRecord, after: ClientRecord, known: set[str]) -> None:
    """Find the contact the app made of ours, and tie the two together."""
    there = next((one for one in after.contacts if one.name == sent.name and one.remote_id not in known), None)
    here = next((one for one in client.contacts if one.name == sent.name), None)
    if there is not None and here is not None:
        known.add(there.remote_id)
        tie_contact(link, here.id, there)


def sent_done(client: Client, link: ClientLink, version_sent: int) -> None:
    """Nothing is left to send, unless something changed here since `version_sent`."""
    if link.push_version == version_sent:
        link.push_state = PushState.NONE
        link.push_next_at = None
        link.asked = []
    else:
        link.push_state = PushState.READY
        link.push_next_at = link.push_next_at or link.agreed_at
    link.push_error = ""
    link.push_attempts = 0
    link.push_lease_by = None
    link.push_lease_until = None
    clients.refresh_sync_state(client)


def record_of(client: Client, context: Context) -> ClientRecord:
    """This client as a record to be created; the default contact is the primary one and comes first."""
    staff = context.staff
    people = sorted(client.contacts, key=lambda one: (not one.is_default, one.id))
    return ClientRecord(
        remote_id="", name=client.name, address=client.address, postal_address=client.postal_address,
        phone=client.phone, fax=client.fax, website=client.website, structure=client.structure,
        tax_registered=client.tax_registered,
        partner=staff.remote_by_user.get(client.partner_id or 0),
        manager=staff.remote_by_user.get(client.manager_id or 0),
        contacts=tuple(
            ContactRecord("", **{name: getattr(one, name) for name in CONTACT_EDITABLE}, is_primary=one.is_default)
            for one in people
        ),
    )  # fmt: skip


def settle_created(client: Client, link: ClientLink, sent: ClientRecord, after: ClientRecord, context: Context) -> None:
    """The app has made `after` of what was sent, and `link` ties the two: whatever it takes from us is agreed.

    What it keeps itself is agreed where it took our value, and otherwise looked at again soon.
    """
    values, answer = values_of(sent), values_of(after)
    ours = {name: values[name] for name, flow in context.fields.items() if flow in (TWO_WAY, AT_LINK)}
    theirs = {
        name: answer[name]
        for name, flow in context.fields.items()
        if flow == PULL and name in answer and name in values and same(answer[name], values[name])
    }
    held = {name: why for name in PEOPLE if name in ours and (why := _not_sent(name, client, context))}
    agreed = {name: value for name, value in ours.items() if name not in held}
    kept_there = [name for name, flow in context.fields.items() if flow == PULL and name in answer and name in values]
    if len(theirs) < len(kept_there):
        link.wants_push(context.now)
    link.agreed = with_answers({**agreed, **theirs}, agreed, answer)
    link.held_fields = held
    link.agreed_at = context.now
    link.seen = after.as_json()
    link.seen_digest = after.digest()
    link.seen_at = context.now
    people = sorted(client.contacts, key=lambda one: (not one.is_default, one.id))
    known: set[str] = set()
    for one, here in zip(sent.contacts, people, strict=False):
        there = _made_of(one, sent, after, known)
        if there is not None and here.name == one.name:
            known.add(there.remote_id)
            said, made = contact_values(one), contact_values(there)
            tie_contact(link, here.id, there, agreed=with_answers(said, said, made))


PEOPLE = ("partner", "manager")


def _not_sent(role: str, client: Client, context: Context) -> str:
    return context.staff.hold(role, getattr(client, f"{role}_id"), None, context.app)


def _made_of(sent: ContactRecord, all_sent: ClientRecord, after: ClientRecord, known: set[str]) -> ContactRecord | None:
    """The contact the app made of this one: by name, by email, or because there is only one on either side."""
    free = [one for one in after.contacts if one.remote_id not in known]
    same_name = next((one for one in free if one.name == sent.name), None)
    same_email = next((one for one in free if sent.email and one.email.lower() == sent.email.lower()), None)
    only = free[0] if len(free) == len(after.contacts) == len(all_sent.contacts) == 1 else None
    return same_name or same_email or only
