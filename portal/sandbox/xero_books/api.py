"""The Accounting API's own door: scopes by family, and its ways of refusing."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from flask import Blueprint, Response, g, request

from portal.sandbox.context import hint
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import wire
from portal.sandbox.xero_gateway import guard

ROOT = "/xero/api.xro/2.0"
NOT_FOUND = "The resource you're looking for cannot be found"
blueprint = Blueprint("xero_books", __name__, url_prefix=ROOT)


class NoSuch(Exception):
    """An identifier that is not known."""


class BadCondition(Exception):
    """A request header that makes no sense."""


# What each family of paths needs; any of them is enough. The last is the old, broad scope, which still works.
SCOPES = {
    "Contacts": ("accounting.contacts",),
    "Invoices": ("accounting.invoices", "accounting.transactions"),
    "Payments": ("accounting.payments", "accounting.transactions"),
    "Items": ("accounting.settings", "accounting.invoices"),
}


def may_call(path: str, method: str, scopes: frozenset[str]) -> bool:
    """Each family by its scope, everything else here by the settings; .read is enough to read."""
    family = path.removeprefix(ROOT + "/").split("/", 1)[0]
    wanted = SCOPES.get(family, ("accounting.settings",))
    return any(one in scopes or (method in ("GET", "HEAD") and f"{one}.read" in scopes) for one in wanted)


guard(blueprint, "ORGANISATION", may_call)


@blueprint.before_request
def told_to_refuse() -> None:
    """The fault in which reading is refused; writes refuse element by element."""
    fault = hint("business_error")
    if fault and request.method in ("GET", "HEAD"):
        raise wire.ApiError(10, "ValidationException", refusal(fault))


@blueprint.errorhandler(wire.ApiError)
def refused(reason: wire.ApiError) -> Response:
    """400 with the error object."""
    return wire.error(reason)


@blueprint.errorhandler(NoSuch)
def unknown(reason: NoSuch) -> Response:
    """404, and not even JSON."""
    return wire.text(NOT_FOUND, 404)


@blueprint.errorhandler(BadCondition)
def condition(reason: BadCondition) -> Response:
    """412."""
    return wire.text(str(reason), 412)


def refusal(fault: dict[str, object]) -> str:
    """What the fault says."""
    return str(fault.get("message", "Something is wrong with this request"))


def tenant() -> Tenant:
    """The organisation this request is for."""
    found: Tenant = g.tenant
    return found


def argument(name: str) -> str | None:
    """A query parameter, whatever its casing; None when absent or empty."""
    for key, value in request.args.items():
        if key.lower() == name.lower():
            return value or None
    return None


def flag(name: str) -> bool | None:
    """A true or false parameter; None when absent."""
    value = argument(name)
    return None if value is None else value.lower() == "true"


def number(name: str) -> int | None:
    """A whole number; None when absent."""
    value = argument(name)
    try:
        return None if value is None else int(value)
    except ValueError as reason:
        raise wire.bad_query(f"{name} is not a number.") from reason


def modified_since() -> int | None:
    """If-Modified-Since in milliseconds, to the second; ISO 8601 (UTC without a zone) or an HTTP date."""
    value = request.headers.get("If-Modified-Since", "").strip()
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError as reason:
            raise BadCondition("If-Modified-Since is not a timestamp.") from reason
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1000
