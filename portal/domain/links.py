"""A client here and its record there: making, breaking and mending the link, and settling what it left open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from portal.db import db
from portal.domain import activity, clients, connections, waiting
from portal.domain.activity import Actor, Verb
from portal.domain.apps import (
    ClientLink,
    Conflict,
    Connection,
    ContactLink,
    Finding,
    LinkState,
    OutgoingClient,
    PushState,
    StaffLink,
)
from portal.domain.carrying import Context
from portal.domain.clients import Client, Contact
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.people import User
from portal.domain.planning import AT_LINK, CONTACTS, TWO_WAY, is_blank
from portal.domain.records import Address, ClientRecord, RecordState, client_from_json


class AlreadyLinked(Exception):
    """The record or the client already has a partner in this app. `client` is who holds it."""

    def __init__(self, client: Client, sentence: str) -> None:
        super().__init__(sentence)
        self.client = client


def link(
    client: Client, connection: Connection, record: ClientRecord, *, by: Actor, now: datetime, reason: str,
    made_by: str = "name", app: str = "",
) -> ClientLink:  # fmt: skip
    """Say that this client is that record. Raises `AlreadyLinked` (CL-34). Values travel with the next plan."""
    holder = db.session.scalar(
        select(ClientLink).where(ClientLink.connection_id == connection.id, ClientLink.remote_id == record.remote_id)
    )
    if holder is not None and holder.client_id == client.id:
        return holder
    if holder is not None:
        owner = db.session.get_one(Client, holder.client_id)
        raise AlreadyLinked(owner, f"{record.name} is already linked to {owner.name}")
    own = next((one for one in client.links if one.connection_id == connection.id), None)
    if own is not None:
        raise AlreadyLinked(client, f"{client.name} is already linked to {own.remote_name}")
    made = ClientLink(
        connection_id=connection.id, client_id=client.id, remote_id=record.remote_id, remote_name=record.name,
        made_by=made_by, made_at=now, seen=record.as_json(), seen_at=now, agreed={}, held_fields={},
        open_conflicts=0, push_attempts=0, push_version=0,
    )  # fmt: skip
    made.connection = connection
    client.links.append(made)
    db.session.flush()
    activity.record(
        Verb.CLIENT_LINKED, by=by, now=now, client_id=client.id, connection_id=connection.id, record=record.name,
        remote_id=record.remote_id, app=app or connection.app, reason=reason,
    )  # fmt: skip
    waiting.close_for(connection.id, record.remote_id, "linked", now, by.name)
    _is_on_its_way_no_more(connection.id, client.id, now)
    clients.refresh_sync_state(client)
    clients.index_for_search([client.id])
    return made


def _is_on_its_way_no_more(connection_id: int, client_id: int, now: datetime) -> None:
    """Whoever was to be created there is there."""
    gone = db.session.execute(
        delete(OutgoingClient).where(
            OutgoingClient.connection_id == connection_id, OutgoingClient.client_id == client_id
        )
    )
    if gone.rowcount:  # type: ignore[attr-defined]  # a DELETE's result has a rowcount
        no_longer_asks(connection_id, client_id, now)


def no_longer_asks(connection_id: int, client_id: int, now: datetime) -> None:
    """Close the questions that stood only because this client wanted a name: about records somebody else is."""
    held = select(ClientLink.remote_id).where(ClientLink.connection_id == connection_id)
    db.session.execute(
        update(Finding)
        .where(
            Finding.connection_id == connection_id, Finding.client_id == client_id, Finding.state == "open",
            Finding.remote_id.in_(held),
        )
        .values(state="gone", settled_at=now, settled_by="System")
    )  # fmt: skip


def unlink(link: ClientLink, *, by: Actor, now: datetime, app: str = "") -> None:
    """Forget that the two are one. Both keep their values; nothing is sent any more.

    When a person says so, the record is set aside: the same name must not link the two again with the next sync.
    """
    client = db.session.get_one(Client, link.client_id)
    activity.record(
        Verb.CLIENT_UNLINKED, by=by, now=now, client_id=client.id, connection_id=link.connection_id,
        record=link.remote_name, remote_id=link.remote_id, app=app or link.connection.app,
    )  # fmt: skip
    if by.user_id is not None and link.seen:
        reason = f"unlinked from {client.name} by {by.name}"
        waiting.leave_out(link.connection_id, client_from_json(link.seen), reason=reason, by=by, now=now)
    client.links.remove(link)
    db.session.delete(link)
    db.session.flush()
    clients.refresh_sync_state(client)
    clients.index_for_search([client.id])


def broken_because(record: ClientRecord | None, app: str) -> str:
    """Why a link to this record cannot be used (M9); empty when it can. None: the record is nowhere to be found."""
    if record is None:
        return f"it is no longer in {app}; it may have been deleted or merged into another record"
    if record.state == RecordState.ARCHIVED:
        return f"it was archived in {app}"
    if record.state == RecordState.DELETED:
        return f"it was deleted in {app}, or merged into another record"
    return ""


def mark_broken(client: Client, link: ClientLink, why: str, context: Context) -> bool:
    """False when it was broken for the same reason already."""
    if link.state == LinkState.BROKEN and link.broken_why == why:
        return False
    link.state = LinkState.BROKEN
    link.broken_why = why
    activity.record(
        Verb.LINK_BROKEN, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
        record=link.remote_name, app=context.app, reason=why,
    )  # fmt: skip
    clients.refresh_sync_state(client)
    return True


def mend(client: Client, link: ClientLink, context: Context) -> None:
    if link.state == LinkState.LINKED:
        return
    link.state = LinkState.LINKED
    link.broken_why = ""
    activity.record(
        Verb.LINK_MENDED, by=context.by, now=context.now, client_id=client.id, connection_id=link.connection_id,
        record=link.remote_name, app=context.app,
    )  # fmt: skip
    clients.refresh_sync_state(client)


class CannotSend(Exception):
    """Something asked for cannot be sent to this app; the text says what and why."""


def sendable(connection: Connection) -> tuple[str, ...]:
    """What a person may ask to be sent whatever the settings say: the fields this app takes from us, and contacts."""
    ways = connection.ways
    if not ways.writes:
        return ()
    fields = tuple(name for name, flow in ways.client_fields.items() if flow in (TWO_WAY, AT_LINK))
    # People who travel when two are linked only go out with a record that is created, and never into one there is.
    return (*fields, CONTACTS) if ways.contact_fields.get("name") == TWO_WAY else fields


def ask_to_send(link: ClientLink, fields: Collection[str], *, by: Actor, now: datetime) -> None:
    """A person's word: our values of these fields go to the app, whatever direction, level and field table say.

    A field of one contact is called "<its id there>.<field>", as in plans. What they replace there is kept as a
    conflict unless both sides had agreed on it. Raises `CannotSend`.
    """
    app = connections.label(link.connection)
    allowed = sendable(link.connection)
    for name in fields:
        if name not in allowed and not ("." in name and CONTACTS in allowed):
            label = CLIENT_FIELDS.get(name, name)
            raise CannotSend(f"{label} cannot be sent to {app}: it is kept there, or {app} does not take it.")
    if not fields:
        return
    link.asked = sorted({*(link.asked or ()), *fields})
    link.wants_push(now)
    client = db.session.get_one(Client, link.client_id)
    labels = [CLIENT_FIELDS.get(name, "Contacts") for name in allowed if name in fields]
    labels += [CONTACT_FIELDS.get(name.rpartition(".")[2], "Contacts") for name in fields if "." in name]
    activity.record(
        Verb.SENDING_ASKED, by=by, now=now, client_id=client.id, connection_id=link.connection_id, app=app,
        what=activity.field_names([{"label": label} for label in labels]),
    )  # fmt: skip
    clients.refresh_sync_state(client)


def take_back_asked(link: ClientLink, *, by: Actor, now: datetime) -> bool:
    """What a person asked to be sent is not to be sent any more; changes that go by themselves still do.

    False when nothing was asked, or it has gone already.
    """
    if not link.asked:
        return False
    app = connections.label(link.connection)
    labels = [
        CONTACT_FIELDS.get(name.rpartition(".")[2], "Contacts") if "." in name else CLIENT_FIELDS.get(name, "Contacts")
        for name in link.asked
    ]
    link.asked = []
    link.wants_push(now)
    activity.record(
        Verb.SENDING_TAKEN_BACK, by=by, now=now, client_id=link.client_id, connection_id=link.connection_id, app=app,
        what=activity.field_names([{"label": label} for label in labels]),
    )  # fmt: skip
    clients.refresh_sync_state(db.session.get_one(Client, link.client_id))
    return True


def open_conflicts(client: Client) -> list[Conflict]:
    """Oldest first."""
    query = select(Conflict).where(Conflict.client_id == client.id, Conflict.state == "open").order_by(Conflict.id)
    return list(db.session.scalars(query))


def swap_conflict(conflict: Conflict, *, by: Actor, now: datetime, app: str = "") -> None:
    """Put the value that lost back here; the app gets it with the push this asks for (XPM-14)."""
    client = db.session.get_one(Client, conflict.client_id)
    loser = conflict.here if conflict.winner == "there" else conflict.there
    contact = db.session.get(Contact, conflict.contact_id) if conflict.contact_id else None
    if contact is not None:
        clients.edit_contact(contact, {conflict.field: loser}, by=by, now=now)
    elif conflict.field in ("partner", "manager"):
        clients.edit(client, {f"{conflict.field}_id": _user_behind(conflict, loser)}, by=by, now=now)
    elif conflict.field in ("address", "postal_address"):
        clients.edit(client, {conflict.field: Address(*loser)}, by=by, now=now)
    else:
        clients.edit(client, {conflict.field: loser}, by=by, now=now)
    if conflict.winner == "here":
        _give_back(conflict, now)
    _settle(conflict, client, "swapped", by, now)
    labels = CONTACT_FIELDS if conflict.contact_id else CLIENT_FIELDS
    activity.record(
        Verb.CONFLICT_SWAPPED, by=by, now=now, client_id=client.id, field=labels[conflict.field],
        new=_said(loser), app=app or _link_of(conflict).connection.app,
    )  # fmt: skip


def _give_back(conflict: Conflict, now: datetime) -> None:
    """The app gets its own value back, also over a connection that sends nothing by itself."""
    link = _link_of(conflict)
    key = conflict.field
    if conflict.contact_id is not None:
        there = db.session.scalar(
            select(ContactLink.remote_id).where(
                ContactLink.client_link_id == link.id, ContactLink.contact_id == conflict.contact_id
            )
        )
        key = f"{there}.{conflict.field}"
    link.asked = sorted({*(link.asked or ()), key})
    link.wants_push(now)


def dismiss_conflict(conflict: Conflict, *, by: Actor, now: datetime, app: str = "") -> None:
    """Keep it as it stands."""
    client = db.session.get_one(Client, conflict.client_id)
    _settle(conflict, client, "kept", by, now)
    labels = CONTACT_FIELDS if conflict.contact_id else CLIENT_FIELDS
    activity.record(
        Verb.CONFLICT_DISMISSED, by=by, now=now, client_id=client.id, field=labels[conflict.field],
        app=app or _link_of(conflict).connection.app,
    )  # fmt: skip


def _link_of(conflict: Conflict) -> ClientLink:
    return db.session.get_one(ClientLink, conflict.link_id)


def _settle(conflict: Conflict, client: Client, state: str, by: Actor, now: datetime) -> None:
    conflict.state = state
    conflict.settled_at = now
    conflict.settled_by = by.name
    link = _link_of(conflict)
    link.open_conflicts = max(0, link.open_conflicts - 1)
    clients.refresh_sync_state(client)


def _user_behind(conflict: Conflict, value: dict[str, Any] | None) -> int | None:
    """The user a plan's person value stands for."""
    if not value:
        return None
    if value["id"].startswith("user:"):
        return int(value["id"].removeprefix("user:"))
    connection_id = _link_of(conflict).connection_id
    return db.session.scalar(
        select(StaffLink.user_id).where(StaffLink.connection_id == connection_id, StaffLink.remote_id == value["id"])
    )


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["name"])
    if isinstance(value, list):
        return ", ".join(part for part in value if part)
    return "nothing" if is_blank(value) else str(value)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of "Why does my data not sync?" (XPM-13). `ok` is None where it is for a person to judge."""

    question: str
    answer: str
    ok: bool | None
    what_to_do: str = ""


def checklist(
    client: Client, link: ClientLink | None, *, app: str, run_since: datetime | None, finding: str = ""
) -> list[Check]:
    """The questions a person asks when a client does not sync, answered for this one.

    `run_since` is when the run under way started, None when none is; `finding` tells what is being looked at.
    """
    if link is None:
        answer = finding or f"This client is not linked to a record in {app}."
        what = (
            "Settle it under Matches, or choose the record on this page."
            if finding
            else "Choose it under App client mappings."
        )
        return [Check("Is this client linked?", answer, False, what)]
    checks = [_link_check(link, app)]
    roles = [role for role in ("partner", "manager") if role in link.connection.ways.client_fields]
    checks += [_person_check(client, link, role, app) for role in roles]
    checks.append(_run_check(run_since, app))
    duplicate = Check(
        "Is this a duplicate being looked at?",
        finding or "No.",
        not finding,
        "Settle it under Matches." if finding else "",
    )
    checks += [duplicate, _conflict_check(link, app), _push_check(link, app)]
    return checks


def _link_check(link: ClientLink, app: str) -> Check:
    if link.state == LinkState.BROKEN:
        what = "Bring the record back there, or link this client to the right record."
        return Check("Does the link work?", f"No: {link.broken_why}.", False, what)
    return Check("Does the link work?", f"Yes, to {link.remote_name} in {app}.", True)


def _person_check(client: Client, link: ClientLink, role: str, app: str) -> Check:
    question = f"Can the {role} travel?"
    held = link.held_fields.get(role)
    if held:
        return Check(question, f"No: {held}.", False, "Link the person under Settings, Team.")
    user: User | None = getattr(client, role)
    if user is None:
        return Check(question, f"No {role} is set here.", True)
    person = db.session.scalar(
        select(StaffLink).where(StaffLink.connection_id == link.connection_id, StaffLink.user_id == user.id)
    )
    if person is None:
        what = "Link the person under Settings, Team."
        return Check(question, f"No: {user.name} is not linked to a person in {app}.", False, what)
    if person.remote_email and person.remote_email.lower() != user.email:
        answer = f"{user.name} is linked to {person.remote_name}, whose email there is {person.remote_email}."
        return Check(question, answer, None, "If that is the same person, make the two emails agree.")
    return Check(question, f"Yes, {user.name} is linked to {person.remote_name}.", True)


def _run_check(run_since: datetime | None, app: str) -> Check:
    if run_since is None:
        return Check("Is a sync still under way?", "No.", True)
    return Check("Is a sync still under way?", f"Yes, {app} is being synced now.", None, "Wait for it to end.")


def _conflict_check(link: ClientLink, app: str) -> Check:
    if not link.open_conflicts:
        return Check("Did the other side's later change win?", "No, nothing was changed on both sides.", True)
    answer = f"{link.open_conflicts} of its fields were changed both here and in {app}."
    return Check(
        "Did the other side's later change win?", answer, None, "See the conflicts on Summary; each can be put back."
    )


def _push_check(link: ClientLink, app: str) -> Check:
    question = f"Has {app} taken the last changes from here?"
    if link.push_state == PushState.FAILED:
        return Check(question, f"No: {link.push_error}", False, "Mend what it says, then try again.")
    if link.push_state != PushState.NONE:
        return Check(
            question, "Not yet, they are waiting to be sent." + (f" {link.push_error}" if link.push_error else ""), None
        )
    return Check(question, "Yes.", True)
