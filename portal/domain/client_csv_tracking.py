"""The last columns of the clients' CSV file: options of a ledger's lists that a client's invoices carry (CL-45).

A ledger offers up to two such lists, read with its other reference lists; the choice is kept with the client's link
(CL-32), so a client that is not linked has none yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain import connections, mappings
from portal.domain.activity import Actor
from portal.domain.apps import ClientLink, Connection, ConnectionState
from portal.domain.client_csv_columns import OPTION, Column, option_column, place_of
from portal.domain.clients import Client


class NoOption(Exception):
    """What was chosen when the file was looked at is no option any more; the text says what."""


def columns() -> tuple[Column, ...]:
    """One for each list of each connected account, the first connected first; the account is named where several have
    any."""
    query = select(Connection).where(Connection.state == ConnectionState.CONNECTED).order_by(Connection.id)
    found = [(one, lists) for one in db.session.scalars(query) if (lists := mappings.choice_lists(one))]
    made = []
    for connection, lists in found:
        app = connections.label(connection)
        for one in lists:
            heading = f"Tracking {one['name']}" + (f", {app}" if len(found) > 1 else "")
            options = tuple((option["remote_id"], option["name"]) for option in one["options"])
            made.append(option_column(heading, connection.id, one["remote_id"], options, app))
    return tuple(made)


def held(client_ids: Collection[int], more: Sequence[Column]) -> dict[int, dict[str, str]]:
    """What each of these clients carries, by the columns' fields; a field is there when the client is linked."""
    found: dict[int, dict[str, str]] = {}
    places = {column.field: place_of(column.field) for column in more}
    if not places:
        return found
    wanted = {connection_id for connection_id, _list in places.values()}
    query = select(ClientLink.client_id, ClientLink.connection_id, ClientLink.choices).where(
        ClientLink.client_id.in_(client_ids), ClientLink.connection_id.in_(wanted)
    )
    for client_id, connection_id, choices in db.session.execute(query):
        mine = found.setdefault(client_id, {})
        for field, (of, list_id) in places.items():
            if of == connection_id:
                mine[field] = (choices or {}).get(list_id, "")
    return found


def apart(values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """A row's values: those of the client itself, and the options."""
    own = {field: value for field, value in values.items() if not field.startswith(OPTION)}
    return own, {field: str(value) for field, value in values.items() if field.startswith(OPTION)}


def choose(client: Client, options: Mapping[str, str], *, by: Actor, now: datetime) -> dict[str, list[str]]:
    """Carry out what a row asks; gives what each was and is now. Raises `NoOption`."""
    done: dict[str, list[str]] = {}
    for field, wanted in options.items():
        connection_id, list_id = place_of(field)
        mapped = next((one for one in mappings.of(client) if one.connection.id == connection_id), None)
        if mapped is None or mapped.link is None:
            raise NoOption(f"{client.name} is not linked to the app the option belongs to any more.")
        was = mapped.link.choices.get(list_id, "")
        mappings.choose_options(mapped, {list_id: wanted}, by=by, now=now)
        if mapped.link.choices.get(list_id, "") != wanted:
            raise NoOption(f"What was chosen is no option in {mapped.name} any more.")
        done[field] = [was, wanted]
    return done


def put_back(client: Client, done: Mapping[str, Sequence[str]], *, by: Actor, now: datetime) -> list[str]:
    """Undo `choose` where nobody has chosen otherwise since; gives the headings of what stays as it is."""
    headings = {column.field: column.heading for column in columns()}
    stays = []
    present = held([client.id], columns()).get(client.id, {})
    for field, (was, now_is) in done.items():
        try:
            if present.get(field) != now_is:
                raise NoOption
            choose(client, {field: was}, by=by, now=now)
        except NoOption:
            stays.append(headings.get(field, "Tracking"))
    return stays
