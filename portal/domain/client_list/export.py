"""A view of the list as a CSV file: every client, one row a contact, read in parts and never held whole.

The file is UTF-8 with a byte order mark and otherwise as RFC 4180 says, so that spreadsheets read names as they are.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.orm import aliased

from portal.db import db
from portal.domain import client_csv_tracking as tracking
from portal.domain import client_list
from portal.domain.client_csv_columns import COLUMNS, HEADINGS, Column
from portal.domain.client_list import Choices, Filters
from portal.domain.clients import Client, ClientGroup, Contact, Group
from portal.domain.csv_cells import safe_cell
from portal.domain.people import User

BYTE_ORDER_MARK = "\ufeff"
PART = 500  # clients
_manager, _partner = aliased(User), aliased(User)
_OF_CLIENT = [one.field for one in COLUMNS if not one.of_contact]
_OF_CONTACT = [one.field for one in COLUMNS if one.of_contact]
_LOOKED_UP = {
    "manager_email": _manager.email.label("manager_email"),
    "partner_email": _partner.email.label("partner_email"),
}


def csv_parts(view: Filters, chosen: Choices) -> Iterator[str]:
    """The file's text, the headings first. Between two parts no transaction is open: a slow reader holds up nobody."""
    more = tracking.columns()
    first = BYTE_ORDER_MARK + _text([(*HEADINGS, *(column.heading for column in more))])
    for ids in client_list.everything(view, chosen, size=PART):
        part = _text(_lines(ids, more)) if ids else ""
        db.session.rollback()
        yield first + part
        first = ""
    if first:
        yield first


def _lines(ids: Sequence[int], more: Sequence[Column]) -> Iterator[list[str]]:
    clients = {row.id: row for row in db.session.execute(_clients(), {"ids": ids})}
    contacts: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in db.session.execute(_contacts(), {"ids": ids}):
        contacts[row.client_id].append(row)
    groups: dict[int, list[str]] = defaultdict(list)
    for client_id, name in db.session.execute(_groups(), {"ids": ids}):
        groups[client_id].append(name)
    options = tracking.held(ids, more)
    for client_id in ids:
        held, carries = clients[client_id], options.get(client_id, {})
        front = ["; ".join(groups[client_id]) if field == "groups" else getattr(held, field) for field in _OF_CLIENT]
        backs = [[getattr(contact, field) for field in _OF_CONTACT] for contact in contacts[client_id]]
        for back in backs or [[None] * len(_OF_CONTACT)]:
            last = [column.name_of(carries.get(column.field)) for column in more]
            yield [safe_cell(value) for value in front + back + last]


def _clients() -> Select[*tuple[Any, ...]]:
    held = [name for name in _OF_CLIENT if name != "groups"]
    fields = [_LOOKED_UP[name] if name in _LOOKED_UP else getattr(Client, name) for name in held]
    return (
        select(*fields)
        .outerjoin(_manager, _manager.id == Client.manager_id)
        .outerjoin(_partner, _partner.id == Client.partner_id)
        .where(Client.id.in_(bindparam("ids", expanding=True)))
    )


def _contacts() -> Select[*tuple[Any, ...]]:
    """The default contact first, which is the one most readers look for."""
    return (
        select(Contact.client_id, *(getattr(Contact, name) for name in _OF_CONTACT))
        .where(Contact.client_id.in_(bindparam("ids", expanding=True)))
        .order_by(Contact.client_id, Contact.is_default.desc(), Contact.id)
    )


def _groups() -> Select[*tuple[Any, ...]]:
    return (
        select(ClientGroup.client_id, Group.name)
        .join(Group, Group.id == ClientGroup.group_id)
        .where(ClientGroup.client_id.in_(bindparam("ids", expanding=True)))
        .order_by(ClientGroup.client_id, Group.name)
    )


def _text(lines: Iterator[list[str]] | Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue()
