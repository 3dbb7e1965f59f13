"""Carrying a plan out: what it changes on our side, what it asks to be sent, and what both sides then agree on.

The invariant: `agreed` on a link changes only together with the values it speaks of, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.db import db
from portal.domain import activity, clients
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, Conflict, Connection, ContactLink, PushState
from portal.domain.clients import CONTACT_EDITABLE, Client, Contact
from portal.domain.groups_sync import set_groups
from portal.domain.planning import (
    LEFT_OUT,
    Action,
    ContactHere,
    ContactLinkHere,
    ContactPairing,
    Plan,
    Row,
    Side,
    contact_values,
)
from portal.domain.records import Address, ClientChange, ClientRecord, ContactRecord, StaffRef
from portal.domain.staff import Staff


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a connection a plan depends on, as plain values: a commit does not make them stale."""

    id: int
    app: str
    direction: str
    level: str
    is_first: bool

    @classmethod
    def of(cls, connection: Connection) -> Terms:
        first = connection.imported_at is None
        return cls(connection.id, connection.app, connection.direction, connection.level, first)


@dataclass(frozen=True)
class Context:
    """What applying a plan needs beside the plan: of which app, with which people, by whom, when."""

    connection: Terms
    app: str  # the app's short name, as sentences say it
    fields: Mapping[str, str]
    contact_fields: Mapping[str, str]
    staff: Staff
    by: Actor
    now: datetime


def side_of(
    client: Client, link: ClientLink, contact_links: list[ContactLink], record: ClientRecord, staff: Staff, app: str
) -> Side:
    """Our side, as planning reads it."""
    values = {
        "name": client.name,
        "address": client.address.parts(),
        "postal_address": client.postal_address.parts(),
        "phone": client.phone,
        "fax": client.fax,
        "website": client.website,
        "tax_registered": client.tax_registered,
        "structure": client.structure,
        "partner": staff.value(client.partner_id),
        "manager": staff.value(client.manager_id),
        "groups": sorted(group.name for group in client.groups if group.connection_id == link.connection_id),
    }
    holds = {
        "partner": staff.hold("partner", client.partner_id, record.partner, app),
        "manager": staff.hold("manager", client.manager_id, record.manager, app),
    }
    contacts = tuple(
        ContactHere(one.id, {name: getattr(one, name) for name in CONTACT_EDITABLE}, _changed_at(one, CONTACT_EDITABLE))
        for one in client.contacts
    )
    known = tuple(ContactLinkHere(one.remote_id, one.contact_id, one.agreed) for one in contact_links)
    return Side(values, _changed_at(client, values), link.agreed, contacts, known, holds)


def _changed_at(thing: Client | Contact, fields: Mapping[str, Any] | tuple[str, ...]) -> dict[str, datetime | None]:
    times: dict[str, datetime | None] = {}
    for name in fields:
        at = thing.origin_of(name).get("at")
        times[name] = datetime.fromisoformat(at) if at else None
    return times


def apply_here(
    client: Client, link: ClientLink, contact_links: list[ContactLink], record: ClientRecord, plan: Plan,
    context: Context, *, may_send: bool,
) -> ClientChange:  # fmt: skip
    """Carry the plan out on our side and say what is to be sent to the app; nothing when `may_send` is False.

    Fields to be sent keep their old agreed value until the app has taken them (`settle_sent`).
    """
    changes = _take_fields(client, plan, context)
    changes += _take_contacts(client, link, contact_links, plan, context)
    if record.groups is not None and any(row.field == "groups" and row.action.takes_theirs for row in plan.rows):
        set_groups(client.id, link.connection_id, record.groups)
    conflicts = [_keep_conflict(client, link, contact_links, row, context) for row in plan.conflicts]
    link.open_conflicts += len(conflicts)
    remember_contacts(contact_links, plan, sent=False)
    _remember(link, record, plan, context)
    if changes:
        clients.touched(client, context.now)
        activity.record(
            Verb.CLIENT_PULLED, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
            what=activity.field_names(changes), app=context.app, changes=changes,
        )  # fmt: skip
    clients.refresh_sync_state(client)
    return change_to_send(plan, record, context, contact_links) if may_send else ClientChange({})


def _take_fields(client: Client, plan: Plan, context: Context) -> list[dict[str, Any]]:
    mark = clients.source(context.by, context.now, app=context.app, connection_id=context.connection.id)
    changes = []
    for row in plan.pulls:
        if row.contact_key:
            continue
        if row.field in ("partner", "manager"):
            setattr(client, f"{row.field}_id", context.staff.user_of(row.there))
        elif row.field in ("address", "postal_address"):
            setattr(client, row.field, Address(*row.there))
        elif row.field != "groups":
            setattr(client, row.field, row.there)
        changes.append(activity.change(row.field, _shown(row.here), _shown(row.there)))
        client.origins = {**client.origins, row.field: mark}
    return changes


def _shown(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) else value


def _take_contacts(
    client: Client, link: ClientLink, contact_links: list[ContactLink], plan: Plan, context: Context
) -> list[dict[str, Any]]:
    mark = clients.source(context.by, context.now, app=context.app, connection_id=context.connection.id)
    here = {contact.id: contact for contact in client.contacts}
    links = {one.remote_id: one for one in contact_links}
    changes = []
    for pair in plan.pairings:
        if pair.there is not None and pair.here is None:
            contact = _new_contact(client, pair.there, mark)
            contact_links.append(_contact_link(link, contact.id, pair.there))
            changes.append(activity.change("contact", None, pair.there.name))
        elif pair.there is not None and pair.here is not None:
            if pair.is_new_pair:
                contact_links.append(_contact_link(link, pair.here.id, pair.there, agreed={}))
            elif links[pair.there.remote_id].is_gone:
                links[pair.there.remote_id].is_gone = False
    for remote_id in plan.gone:
        if not links[remote_id].is_gone:
            links[remote_id].is_gone = True
            changes.append(activity.change("contact", links[remote_id].agreed.get("name"), None))
    by_remote = {one.remote_id: one for one in contact_links}
    for row in plan.pulls:
        if row.contact_key:
            contact = here[by_remote[row.contact_key].contact_id]  # type: ignore[index]  # a pulled row has its contact
            setattr(contact, row.field, row.there)
            contact.origins = {**contact.origins, row.field: mark}
            changes.append({**activity.change(row.field, row.here, row.there, of_contact=True), "contact": row.contact})
    _default_from_primary(client, plan, contact_links)
    return changes


def _new_contact(client: Client, there: ContactRecord, mark: dict[str, Any]) -> Contact:
    values = contact_values(there) | {"position": there.position}
    contact = Contact(client_id=client.id, **values, is_default=False, origins={"*": mark})
    client.contacts.append(contact)
    db.session.flush()
    return contact


def _contact_link(
    link: ClientLink, contact_id: int, there: ContactRecord, agreed: dict[str, Any] | None = None
) -> ContactLink:
    made = ContactLink(
        client_link_id=link.id, contact_id=contact_id, remote_id=there.remote_id,
        agreed=contact_values(there) if agreed is None else agreed, is_gone=False,
    )  # fmt: skip
    db.session.add(made)
    return made


def _default_from_primary(client: Client, plan: Plan, contact_links: list[ContactLink]) -> None:
    """The app's primary contact becomes the default only when none is set (XPM-6)."""
    if not client.contacts or any(contact.is_default for contact in client.contacts):
        return
    primary = next((pair.there.remote_id for pair in plan.pairings if pair.there and pair.there.is_primary), None)
    contact_id = next((one.contact_id for one in contact_links if primary and one.remote_id == primary), None)
    chosen = next((contact for contact in client.contacts if contact.id == contact_id), client.contacts[0])
    chosen.is_default = True


def _keep_conflict(
    client: Client, link: ClientLink, contact_links: list[ContactLink], row: Row, context: Context
) -> Conflict:
    contact_id = next((one.contact_id for one in contact_links if one.remote_id == row.contact_key), None)
    contact = next((one for one in client.contacts if one.id == contact_id), None)
    origin = (contact or client).origin_of(row.field)
    winner = "here" if row.action == Action.CONFLICT_HERE else "there"
    at = origin.get("at")
    conflict = Conflict(
        link_id=link.id, client_id=client.id, contact_id=contact_id, field=row.field, agreed=row.agreed,
        here=row.here, there=row.there, winner=winner, why=row.why,
        here_changed_at=datetime.fromisoformat(at) if at else None, here_changed_by=origin.get("from", ""),
        run_id=context.by.run_id, at=context.now, state="open",
    )  # fmt: skip
    db.session.add(conflict)
    activity.record(
        Verb.CONFLICT_KEPT, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
        field=f"{row.contact}: {row.label}" if row.contact else row.label, app=context.app,
        winner="the value here" if winner == "here" else f"the value in {context.app}", reason=row.why,
        changes=[{"field": row.field, "label": row.label, "old": _shown(row.here), "new": _shown(row.there)}],
    )  # fmt: skip
    return conflict


def _remember(link: ClientLink, record: ClientRecord, plan: Plan, context: Context) -> None:
    """Write down what both sides now agree on, and the record as seen."""
    agreed = dict(link.agreed)
    for row in plan.rows:
        if row.contact_key or row.action == Action.HOLD or row.action.sends_ours:
            continue
        if row.action.takes_theirs or row.here == row.there or (row.action == Action.LATER and not row.knows_agreed):
            agreed[row.field] = row.there
    link.agreed = agreed
    link.agreed_at = context.now
    link.held_fields = plan.holds
    link.remote_name = record.name
    link.seen = record.as_json()
    link.seen_at = context.now
    # A row left out or to be sent makes this record worth another look next time, even if nothing changes there.
    settled = not plan.pushes and not any(row.why == LEFT_OUT for row in plan.rows)
    link.seen_digest = record.digest() if settled else ""
    new_there = any(pair.there is None for pair in plan.pairings) and context.connection.direction != "from_app"
    if (plan.waits or new_there) and link.push_state == PushState.NONE:
        link.push_state = PushState.READY  # without a time: the next run takes it along


def remember_contacts(contact_links: list[ContactLink], plan: Plan, sent: bool) -> None:
    """The same for contacts. `sent` says whether the rows to be sent have been taken by the app."""
    by_remote = {one.remote_id: one for one in contact_links}
    for row in plan.rows:
        one = by_remote.get(row.contact_key) if row.contact_key else None
        if one is None or row.action == Action.HOLD:
            continue
        if row.action.takes_theirs or row.here == row.there:
            one.agreed = {**one.agreed, row.field: row.there}
        elif row.action.sends_ours and sent:
            one.agreed = {**one.agreed, row.field: row.here}


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
    if context.connection.direction != "from_app":
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
    link.agreed = {**link.agreed, **{row.field: row.here for row in plan.pushes if not row.contact_key}}
    remember_contacts(contact_links, plan, sent=True)
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
        {**activity.change(row.field, _shown(row.there), _shown(row.here), of_contact=bool(row.contact_key)),
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
        _contact_link(link, here.id, there)


def sent_done(client: Client, link: ClientLink, version_sent: int) -> None:
    """Nothing is left to send, unless something changed here since `version_sent`."""
    if link.push_version == version_sent:
        link.push_state = PushState.NONE
        link.push_next_at = None
    else:
        link.push_state = PushState.READY
        link.push_next_at = link.push_next_at or link.agreed_at
    link.push_error = ""
    link.push_attempts = 0
    link.push_lease_by = None
    link.push_lease_until = None
    clients.refresh_sync_state(client)
