"""How an invoice stands with its ledger: the second of its three axes (behaviour reference 5.1), with the way out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select

from portal.db import db
from portal.domain import connections, outgoing
from portal.domain.apps import ClientLink, Connection, ConnectionState, Finding, LinkState
from portal.domain.clients import Client
from portal.domain.deliveries.advice import Advice, advice_for
from portal.domain.deliveries.asking import INVOICE, OPEN, STUCK, of
from portal.domain.deliveries.missing import WHO_IS_WHO, why_missing
from portal.domain.deliveries.models import Delivery, DeliveryState
from portal.domain.invoices.models import Invoice


class Standing(StrEnum):
    OFF = "off"
    WAITING = "waiting"
    CREATED = "created"
    FAILED = "failed"
    NEEDS_CHECK = "needs_check"


WORDS = {
    Standing.OFF: "Off", Standing.WAITING: "Waiting", Standing.CREATED: "Created", Standing.FAILED: "Failed",
    Standing.NEEDS_CHECK: "Needs check",
}  # fmt: skip
STANDINGS = {
    DeliveryState.WAITING: Standing.WAITING, DeliveryState.SENDING: Standing.WAITING,
    DeliveryState.UNKNOWN: Standing.NEEDS_CHECK, DeliveryState.ASKS: Standing.FAILED,
    DeliveryState.FAILED: Standing.FAILED, DeliveryState.DELIVERED: Standing.CREATED,
    DeliveryState.WITHDRAWN: Standing.OFF,
}  # fmt: skip


@dataclass(frozen=True)
class Alike:
    """A record of the ledger that is or may be the client: both spellings side by side (QBO-2)."""

    finding_id: int
    kind: str  # near_match, ambiguous, taken
    here: str
    there: str
    remote_id: str
    why: str


@dataclass(frozen=True)
class Story:
    """Why the client cannot be found in the ledger, and what there is like it. `synced_at`: when it was last read."""

    client: str
    app: str
    why: str
    alike: tuple[Alike, ...] = ()
    synced_at: datetime | None = None


@dataclass(frozen=True)
class Deployment:
    """`fix` says which screen mends it, as `Advice` does; empty: none is needed.

    `can_try`: the button *Create in …* makes sense. `story` is there when the customer is what is missing.
    """

    standing: Standing
    app: str = ""
    connection_id: int | None = None
    delivery_id: int | None = None
    number: str = ""
    url: str = ""
    cause: str = ""
    reason: str = ""
    advice: str = ""
    fix: str = ""
    can_try: bool = False
    since: datetime | None = None
    next_at: datetime | None = None
    story: Story | None = None
    others: tuple[Deployment, ...] = field(default_factory=tuple)  # in ledgers it was meant for before

    @property
    def words(self) -> str:
        return WORDS[self.standing]

    @property
    def is_moving(self) -> bool:
        """Whether it changes by itself soon, so that a page that shows it looks again."""
        return self.standing in (Standing.WAITING, Standing.NEEDS_CHECK)


def deployment(invoice: Invoice) -> Deployment:
    """How the invoice stands in its ledger now."""
    rows = of(invoice)
    if not rows:
        return Deployment(Standing.OFF)
    first, *others = (_of_delivery(row) for row in rows)
    return replace(first, others=tuple(others))


def standings(invoice_ids: list[int]) -> dict[int, tuple[Standing, str]]:
    """For lists: invoice -> how it stands and why not; those with no delivery are left out (Off). One query."""
    if not invoice_ids:
        return {}
    query = select(Delivery.invoice_id, Delivery.state, Delivery.reason).where(Delivery.invoice_id.in_(invoice_ids))
    rows = db.session.execute(query.order_by(Delivery.id)).all()
    return {row.invoice_id: (STANDINGS[DeliveryState(row.state)], row.reason) for row in rows}


MOST_COUNTED = 1001  # a page view counts no further


def not_there_yet(connection_id: int) -> dict[Standing, int]:
    """How many invoices are on their way to this ledger, refused by it or being looked for; capped, none left out."""
    found: dict[Standing, int] = {}
    for state in (*OPEN, *STUCK):
        rows = select(Delivery.id).where(
            Delivery.connection_id == connection_id, Delivery.state == state, Delivery.kind == INVOICE
        )
        many = db.session.scalar(select(func.count()).select_from(rows.limit(MOST_COUNTED).subquery())) or 0
        if many:
            found[STANDINGS[state]] = found.get(STANDINGS[state], 0) + many
    return found


def _of_delivery(row: Delivery) -> Deployment:
    connection = row.connection
    standing, app = STANDINGS[DeliveryState(row.state)], connections.label(connection)
    advice = Advice("", "")
    reason, cause = row.reason, row.cause
    if connection.state != ConnectionState.CONNECTED and standing in (Standing.WAITING, Standing.NEEDS_CHECK):
        reason = f"{app} is not connected at the moment; the invoice is kept and goes once it is."
        advice = advice_for("connection", app)
    elif standing == Standing.FAILED and cause == WHO_IS_WHO:
        cause, detail = why_missing(db.session.get_one(Client, row.client_id), connection)
        advice = advice_for(cause, app, detail)
    elif standing in (Standing.FAILED, Standing.NEEDS_CHECK):
        advice = advice_for(cause if standing == Standing.FAILED else "unknown", app)
    return Deployment(
        standing=standing, app=app, connection_id=row.connection_id, delivery_id=row.id, number=row.remote_number,
        url=row.web_url, cause=cause, reason=reason, advice=advice.text, fix=advice.fix,
        can_try=row.state not in (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN, DeliveryState.SENDING),
        since=row.delivered_at or row.sent_at or row.made_at, next_at=row.next_at,
        story=story_of(row) if cause == WHO_IS_WHO else None,
    )  # fmt: skip


def story_of(row: Delivery) -> Story:
    """What is known about this client and its like in the ledger."""
    connection = db.session.get_one(Connection, row.connection_id)
    client = db.session.get_one(Client, row.client_id)
    found = db.session.scalars(
        select(Finding)
        .where(
            Finding.connection_id == connection.id, Finding.client_id == client.id, Finding.state == "open",
        )
        .order_by(Finding.id)
        .limit(5)
    )  # fmt: skip
    alike = tuple(Alike(one.id, one.kind, client.name, one.remote_name, one.remote_id, one.reason) for one in found)
    return Story(client.name, connections.label(connection), row.reason, alike, connection.last_synced_at)


def missing_customer(client: Client, connection: Connection) -> str:
    """Why this client has no customer to bill over this connection; empty when it has one."""
    link = next((one for one in client.links if one.connection_id == connection.id), None)
    app = connections.label(connection)
    if link is not None:
        why = link.broken_why or "nobody knows why"
        return "" if link.state == LinkState.LINKED else f"{client.name} cannot be billed in {app}: {why.rstrip('.')}."
    row = next((one for one in outgoing.for_client(client) if one.connection_id == connection.id), None)
    because = f": {row.reason.rstrip('.')}" if row is not None and row.reason else ""
    return f"{client.name} is not linked to a customer in {app}{because}."


def link_of(client_id: int, connection_id: int) -> ClientLink | None:
    return db.session.scalar(
        select(ClientLink).where(ClientLink.connection_id == connection_id, ClientLink.client_id == client_id)
    )
