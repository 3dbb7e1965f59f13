"""Carrying a plan out on our side: taking fields and contacts over, keeping what loses, passing it on to other apps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, clients
from portal.domain.activity import Verb
from portal.domain.apps import ClientLink, Conflict, ContactLink, PushState
from portal.domain.carrying.agreeing import is_agreed, remember_contacts, shown, tie_contact
from portal.domain.carrying.terms import Context
from portal.domain.carrying.writing import change_to_send
from portal.domain.clients import Client, Contact
from portal.domain.groups_sync import set_groups
from portal.domain.planning import LEFT_OUT, Action, ContactPairing, Plan, Row, contact_values, with_answers
from portal.domain.records import Address, ClientChange, ClientRecord, ContactRecord


def apply_here(
    client: Client, link: ClientLink, contact_links: list[ContactLink], record: ClientRecord, plan: Plan,
    context: Context, *, may_send: bool,
) -> ClientChange:  # fmt: skip
    """Carry the plan out on our side and say what is to be sent to the app; nothing when `may_send` is False.

    Fields to be sent keep their old agreed value until the app has taken them (`settle_sent`).
    """
    before = {row.key: _origin_here(client, plan, row) for row in plan.conflicts}  # taking theirs overwrites it
    changes = _take_fields(client, plan, context)
    changes += _take_contacts(client, link, contact_links, plan, context)
    if record.groups is not None and any(row.field == "groups" and row.action.takes_theirs for row in plan.rows):
        set_groups(client.id, link.connection_id, record.groups)
    _pass_on(client, link, plan, context)
    kept = [_keep_conflict(client, link, contact_links, row, before[row.key], context) for row in plan.conflicts]
    link.open_conflicts += sum(kept)
    remember_contacts(contact_links, plan, sent=None)
    _remember(link, record, plan, context)
    if changes:
        clients.touched(client, context.now)
        activity.record(
            Verb.CLIENT_PULLED, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
            what=activity.field_names(changes), app=context.app, changes=changes,
        )  # fmt: skip
    clients.refresh_sync_state(client)
    return change_to_send(plan, record, context, contact_links) if may_send else ClientChange({})


def _pass_on(client: Client, link: ClientLink, plan: Plan, context: Context) -> None:
    """What changed in one app is a change for the client's other apps; what it merely fills in here is none.

    A ledger that joins would otherwise have every record of the practice rewritten, one call each. What was filled in
    goes along when a record is next looked at. After a run theirs goes out with their own next run, many records in few
    calls; otherwise soon. It does not come back: what was taken is agreed with the app it came from.
    """
    news = [row for row in plan.pulls if row.is_news]
    fields = {row.field for row in news if not row.contact_key}
    of_contacts = {row.field for row in news if row.contact_key}
    if any(_is_new_there(pair, link) for pair in plan.pairings):
        of_contacts.add("name")
    if fields or of_contacts:
        for other in client.links:
            if other is not link and other.connection.sends(fields, of_contacts):
                other.wants_push(context.now if context.by.run_id is None else None)


def _is_new_there(pair: ContactPairing, link: ClientLink) -> bool:
    """Whether this contact was added to the record since the link was made and the record last seen."""
    if pair.here is not None or pair.there is None or link.agreed_at is None:
        return False
    return pair.there.remote_id not in {one["remote_id"] for one in link.seen.get("contacts", ())}


def _origin_here(client: Client, plan: Plan, row: Row) -> dict[str, Any]:
    """Who gave our value, and when."""
    if not row.contact_key:
        return client.origin_of(row.field)
    pair = next((one for one in plan.pairings if one.there and one.there.remote_id == row.contact_key), None)
    contact = next((one for one in client.contacts if pair and pair.here and one.id == pair.here.id), None)
    return contact.origin_of(row.field) if contact is not None else {}


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
        changes.append(activity.change(row.field, shown(row.here), shown(row.there)))
        client.origins = {**client.origins, row.field: mark}
    return changes


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
            contact_links.append(tie_contact(link, contact.id, pair.there))
            changes.append(activity.change("contact", None, pair.there.name))
        elif pair.there is not None and pair.here is not None:
            if pair.is_new_pair:
                contact_links.append(tie_contact(link, pair.here.id, pair.there, agreed={}))
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


def _default_from_primary(client: Client, plan: Plan, contact_links: list[ContactLink]) -> None:
    """The app's primary contact becomes the default only when none is set (XPM-6)."""
    if not client.contacts or any(contact.is_default for contact in client.contacts):
        return
    primary = next((pair.there.remote_id for pair in plan.pairings if pair.there and pair.there.is_primary), None)
    contact_id = next((one.contact_id for one in contact_links if primary and one.remote_id == primary), None)
    chosen = next((contact for contact in client.contacts if contact.id == contact_id), client.contacts[0])
    chosen.is_default = True


def _keep_conflict(
    client: Client, link: ClientLink, contact_links: list[ContactLink], row: Row, origin: dict[str, Any],
    context: Context,
) -> bool:  # fmt: skip
    """`origin` is who gave our value. False when the very same is kept already: sending failed, this is another try."""
    contact_id = next((one.contact_id for one in contact_links if one.remote_id == row.contact_key), None)
    winner = "here" if row.action == Action.CONFLICT_HERE else "there"
    before = select(Conflict).where(
        Conflict.client_id == client.id, Conflict.state == "open", Conflict.link_id == link.id,
        Conflict.field == row.field,
    )  # fmt: skip
    for one in db.session.scalars(before):
        if (one.contact_id, one.winner, one.here, one.there) == (contact_id, winner, row.here, row.there):
            return False
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
        changes=[{"field": row.field, "label": row.label, "old": shown(row.here), "new": shown(row.there)}],
    )  # fmt: skip
    return True


def _remember(link: ClientLink, record: ClientRecord, plan: Plan, context: Context) -> None:
    """Write down what both sides now agree on, and the record as seen."""
    agreed = [row for row in plan.rows if not row.contact_key and is_agreed(row)]
    new = {row.field: row.here if row.settles else row.there for row in agreed}
    link.agreed = with_answers({**link.agreed, **new}, new, {row.field: row.there for row in agreed if row.settles})
    link.agreed_at = context.now
    link.held_fields = plan.holds
    link.remote_name = record.name
    link.seen = record.as_json()
    link.seen_at = context.now
    # A row left out or to be sent makes this record worth another look next time, even if nothing changes there.
    settled = not plan.pushes and not any(row.why == LEFT_OUT for row in plan.rows)
    link.seen_digest = record.digest() if settled else ""
    new_there = any(pair.there is None for pair in plan.pairings)
    if (plan.waits or new_there) and link.push_state == PushState.NONE:
        link.push_state = PushState.READY  # without a time: the next run takes it along
