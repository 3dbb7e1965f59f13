"""The XPM API's own door: scopes by family, and its way of answering errors."""

from __future__ import annotations

import sqlite3
from typing import Any

from flask import Blueprint, Response, g, request

from portal.sandbox.context import here, hint
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_gateway import guard
from portal.sandbox.xpm import records, wire

ROOT = "/xpm/practicemanager/3.1"
FAMILIES = {
    "client": "client",
    "clientgroup": "client",
    "job": "job",
    "jobstate": "job",
    "staff": "staff",
    "time": "time",
}
blueprint = Blueprint("xpm", __name__, url_prefix=ROOT)


def may_call(path: str, method: str, scopes: frozenset[str]) -> bool:
    """The family's own scope, or the broad one; .read is enough to read."""
    family = FAMILIES.get(path.removeprefix(ROOT + "/").split(".api", 1)[0])
    good = {"practicemanager"}
    if family:
        good.add(f"practicemanager.{family}")
    elif here().switches["granular_reaches_lists"]:
        good |= {f"practicemanager.{name}" for name in FAMILIES.values()}
    if method == "GET":
        good |= {f"{scope}.read" for scope in good}
    return bool(good & scopes)


guard(blueprint, "PRACTICEMANAGER", may_call)


@blueprint.before_request
def told_to_refuse() -> Response | None:
    """Types nobody speaks, and the fault in which XPM refuses everything."""
    fault = hint("business_error")
    if fault:
        return wire.error(str(fault.get("message", "Something is wrong with this request")))
    return wire.error("None of the accepted types can be produced.", 406) if wire.unacceptable() else None


@blueprint.errorhandler(wire.BusinessError)
def refused(reason: wire.BusinessError) -> Response:
    """Status 200, and the truth inside."""
    return wire.error(str(reason))


@blueprint.errorhandler(wire.BadBody)
def unreadable(reason: wire.BadBody) -> Response:
    """What cannot be parsed ends in a server error."""
    return wire.error(str(reason), 500)


class NoSuch(Exception):
    """An identifier that is not known; answered as the switch says."""


@blueprint.errorhandler(NoSuch)
def unknown(reason: NoSuch) -> Response:
    """404 or a polite 200, because nobody is sure."""
    return wire.error(str(reason), 404 if here().switches["unknown_uuid_is_404"] else 200)


def tenant() -> Tenant:
    """The practice this request is for."""
    found: Tenant = g.tenant
    return found


def argument(name: str) -> str | None:
    """A query parameter, whatever its casing."""
    for key, value in request.args.items():
        if key.lower() == name:
            return value
    return None


def detailed() -> bool:
    """Whether notes, groups and relationships are wanted."""
    return (argument("detailed") or "").lower() == "true"


def web_url(kind: str, identifier: str) -> Any:
    """The address a person would open."""
    return wire.element("WebUrl", text=f"https://practicemanager.xero.com/{kind}/{identifier}/detail")


def client_row(db: sqlite3.Connection, uuid: str) -> sqlite3.Row:
    """One client of this practice; raises NoSuch."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM xpm_client WHERE tenant = ? AND uuid = ?", (tenant().id, uuid.lower())
    ).fetchone()
    if row is None:
        raise NoSuch("Invalid client identifier")
    return row


def save(db: sqlite3.Connection, client: str, *, touch: bool = True) -> None:
    """Print a client anew, now."""
    records.save(db, tenant().id, client, tenant().region, here().clock.milliseconds(), touch=touch)
