"""App client mappings: which record of each connection a client is, as a person chooses it (CL-30 to CL-34).

A choice may deliberately point at a record of another name; a stored link wins over any name ever after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.db import db
from portal.domain import activity, clients, connections, link_undo, links, unlinked
from portal.domain.activity import Activity, Actor, Verb
from portal.domain.apps import ClientLink, Connection, ConnectionState
from portal.domain.clients import Client
from portal.domain.records import ClientRecord, RecordState, client_from_json

LISTS = 2  # choice lists of one app a client's invoices can carry (CL-32)
GONE = {RecordState.ARCHIVED: "archived", RecordState.DELETED: "deleted"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """One connection and the record there this client is; None: none."""

    connection: Connection
    name: str  # as sentences name it
    link: ClientLink | None

    @property
    def choice_lists(self) -> list[dict[str, Any]]:
        """Lists of the app of which this client may carry one entry each: `remote_id`, `name`, `options`."""
        return choice_lists(self.connection)


@dataclass(frozen=True, slots=True)
class Option:
    """A client of the app as a choice: `gone` is archived or deleted, `holder` the client here that has it already."""

    record: ClientRecord
    holder_id: int | None
    holder: str
    gone: str = ""

    @property
    def is_free(self) -> bool:
        return self.holder_id is None and not self.gone


@dataclass(frozen=True, slots=True)
class Step:
    """What a choice comes to. `kind`: link, replace, unlink. `record` is None when unlinking."""

    kind: str
    mapped: Mapped
    record: ClientRecord | None

    @property
    def needs_a_word(self) -> bool:
        """Whether something there is now is given up for it."""
        return self.kind != "link"

    @property
    def was(self) -> str:
        return self.mapped.link.remote_name if self.mapped.link is not None else ""


@dataclass(frozen=True, slots=True)
class Done:
    """A step carried out: the link made, or the line by which an unlinking can be taken back."""

    step: Step
    link: ClientLink | None
    unlinked: Activity | None


class NotPossible(Exception):
    """A choice cannot be carried out. The text says why, for the person."""


def choice_lists(connection: Connection) -> list[dict[str, Any]]:
    """As `Mapped.choice_lists`, for whichever client."""
    return list(connection.reference.get("choices", []))[:LISTS]


def of(client: Client) -> list[Mapped]:
    """Every connection in use, and those this client is still linked in."""
    usable = list(
        db.session.scalars(
            select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
        )
    )
    held = {link.connection_id: link for link in client.links}
    others = [link.connection for link in client.links if link.connection not in usable]
    both = sorted([*usable, *others], key=lambda one: one.id)
    return [Mapped(one, connections.label(one), held.get(one.id)) for one in both]


def option(record: ClientRecord, holder: Client | None) -> Option:
    return Option(record, holder.id if holder else None, holder.name if holder else "", GONE.get(record.state, ""))


def where_new_ones_go() -> list[tuple[str, str]]:
    """(connection, moment) for every connection in use that is given clients made here."""
    found = db.session.scalars(
        select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
    )
    return [(connections.label(one), one.new_clients) for one in found if one.ways.creates]


def steps(client: Client, wanted: Mapping[int, str]) -> list[Step]:
    """What these choices come to: connection id -> remote id, empty for none; what stays as it is, is left away.

    Raises `NotPossible` for a connection that is not in use, a record nobody knows, or one that is taken or gone.
    """
    found = {one.connection.id: one for one in of(client)}
    made = []
    for connection_id, remote_id in wanted.items():
        mapped = found.get(connection_id)
        if mapped is None:
            raise NotPossible("That app is not connected any more.")
        present = mapped.link.remote_id if mapped.link is not None else ""
        if remote_id == present:
            continue
        if not remote_id:
            made.append(Step("unlink", mapped, None))
            continue
        if not mapped.connection.is_usable:
            raise NotPossible(f"{mapped.name} is not connected, so nothing can be linked there.")
        record = _free_record(mapped, remote_id)
        made.append(Step("replace" if present else "link", mapped, record))
    return made


def _free_record(mapped: Mapped, remote_id: str) -> ClientRecord:
    holder = db.session.execute(
        select(Client.name, ClientLink.remote_name)
        .join(ClientLink, ClientLink.client_id == Client.id)
        .where(ClientLink.connection_id == mapped.connection.id, ClientLink.remote_id == remote_id)
    ).first()
    if holder is not None:
        raise NotPossible(f"{holder.remote_name} in {mapped.name} is already linked to {holder.name}.")
    kept = unlinked.get(mapped.connection.id, remote_id)
    if kept is None:
        raise NotPossible(f"That record is not among those known of {mapped.name} any more; search again.")
    record = client_from_json(kept.record)
    if record.state != RecordState.ACTIVE:
        raise NotPossible(f"{record.name} is {GONE[record.state]} in {mapped.name}, so it cannot be linked.")
    return record


def carry_out(client: Client, wanted: list[Step], *, by: Actor, now: datetime) -> list[Done]:
    """Make the links chosen, giving up those they replace; values travel with the push this asks for.

    Raises `links.AlreadyLinked` when somebody was quicker.
    """
    done = []
    for step in wanted:
        unlinked = None
        if step.mapped.link is not None:
            unlinked = link_undo.unlink(step.mapped.link, by=by, now=now, app=step.mapped.name)
        done.append(Done(step, _link(client, step, by, now) if step.record is not None else None, unlinked))
    return done


def _link(client: Client, step: Step, by: Actor, now: datetime) -> ClientLink:
    assert step.record is not None
    made = links.link(
        client, step.mapped.connection, step.record, by=by, now=now, reason=f"chosen by {by.name}", made_by="person",
        app=step.mapped.name,
    )  # fmt: skip
    made.wants_push(now)
    clients.refresh_sync_state(client)
    db.session.flush()
    return made


def choose_options(mapped: Mapped, chosen: Mapping[str, str], *, by: Actor, now: datetime) -> bool:
    """Which option of each list every later invoice of this client carries there (CL-32): list -> option, empty: none.

    Says whether anything changed. What is no option any more is left as it is.
    """
    from portal.domain import deliveries  # it imports more than this file may

    link = mapped.link
    if link is None:
        return False
    held, changes = dict(link.choices), []
    for one in mapped.choice_lists:
        options = {option["remote_id"]: option["name"] for option in one["options"]}
        old, new = held.get(one["remote_id"], ""), chosen.get(one["remote_id"])
        if new is None or new == old or (new and new not in options):
            continue
        if new:
            held[one["remote_id"]] = new
        else:
            del held[one["remote_id"]]
        changes.append({"field": "", "label": one["name"], "old": options.get(old), "new": options.get(new)})
    if not changes:
        return False
    link.choices = held
    deliveries.wake(link.connection_id, [link.client_id], now=now, causes=("mapping",))  # what an old one kept back
    activity.record(
        Verb.OPTIONS_CHOSEN, by=by, now=now, client_id=link.client_id, connection_id=link.connection_id,
        what=activity.field_names(changes), app=mapped.name, changes=changes,
    )  # fmt: skip
    return True
