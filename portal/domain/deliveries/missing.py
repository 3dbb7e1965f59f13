"""Why a client has no customer to be billed in a ledger, in kinds that each have a way out of their own.

The kind is derived from how things stand now, never stored: a name that was changed meanwhile is no longer at fault.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from portal.db import db
from portal.domain import outgoing
from portal.domain.apps import Connection, Finding, LinkState, OutgoingState
from portal.domain.clients import Client

WHO_IS_WHO = "customer"  # somebody has to say which record it is, or let a sync find it


class Missing(NamedTuple):
    """`kind` is one of the causes in `advice.ADVICE`; `detail` what a rule about names says."""

    kind: str
    detail: str = ""


def why_missing(client: Client, connection: Connection) -> Missing:
    """What keeps this client from having a customer over this connection."""
    link = next((one for one in client.links if one.connection_id == connection.id), None)
    if link is not None:
        return Missing(WHO_IS_WHO if link.state == LinkState.LINKED else "client_link_broken")
    if client.is_archived:
        return Missing("client_archived")
    if not connection.ways.creates:
        return Missing("client_by_hand")
    row = next((one for one in outgoing.for_client(client) if one.connection_id == connection.id), None)
    if row is None:
        return Missing(WHO_IS_WHO)
    if row.state not in outgoing.STUCK:
        return Missing("client_under_way")
    if row.state == OutgoingState.FAILED:
        rule, detail = connection.ways.name_rules.broken(client.name)
        return Missing(f"client_name_{rule}", detail) if rule else Missing("client_refused")
    return Missing(WHO_IS_WHO if _is_asked_about(client, connection) else "name_taken")


def _is_asked_about(client: Client, connection: Connection) -> bool:
    """Whether Matches holds a question that would settle it; else whoever has the name there is nobody we can see."""
    query = select(Finding.id).where(
        Finding.connection_id == connection.id, Finding.client_id == client.id, Finding.state == "open"
    )
    return db.session.scalar(query.limit(1)) is not None
