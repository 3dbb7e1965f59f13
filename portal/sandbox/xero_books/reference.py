"""The short lists: the organisation, its accounts, tax rates, tracking categories, themes, currencies and users."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Response

from portal.sandbox.context import here, hint
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import api, around, chart, query, wire
from portal.sandbox.xero_books.api import blueprint

# Path -> what it holds, and the field by which one of them is asked for (there is no way to ask for one currency).
LISTS: dict[str, tuple[Callable[[Tenant], list[dict[str, Any]]], str | None]] = {
    "Accounts": (lambda tenant: around.accounts(here(), tenant), "AccountID"),
    "TaxRates": (lambda tenant: around.tax_rates(here(), tenant), "TaxType"),
    "Items": (lambda tenant: around.items(here(), tenant), "ItemID"),
    "TrackingCategories": (chart.tracking_categories, "TrackingCategoryID"),
    "BrandingThemes": (chart.branding_themes, "BrandingThemeID"),
    "Currencies": (chart.currencies, None),
    "Users": (chart.users, "UserID"),
}
NAMES = ", ".join(LISTS)
SINGLE = ", ".join(name for name, (_, key) in LISTS.items() if key)


@blueprint.get("/Organisation")
@blueprint.get("/Organisations")
def organisation() -> Response:
    """The company of this tenant, as a list of one."""
    return wire.answer("Organisations", [wire.render(around.organisation(here(), api.tenant()))])


@blueprint.route("/Organisation", methods=["POST", "PUT", "PATCH", "DELETE"])
@blueprint.route("/Organisations", methods=["POST", "PUT", "PATCH", "DELETE"])
def organisation_is_read_only() -> Response:
    """Not for an app."""
    return wire.text("The method is not implemented for this resource", 501)


@blueprint.get("/Organisation/Actions")
def actions() -> Response:
    """What the connected user may do."""
    return wire.answer("Actions", [wire.render(one) for one in chart.actions(api.tenant())])


@blueprint.get(f"/<any({NAMES}):name>")
def short_list(name: str) -> Response:
    """All of them; `where`, `order` and If-Modified-Since work, paging does not exist."""
    found = [] if hint("empty_list") else LISTS[name][0](api.tenant())
    since = api.modified_since()
    if since is not None:
        found = [one for one in found if _changed(one) >= since]
    return wire.answer(name, [wire.render(one) for one in _chosen(found)])


@blueprint.get(f"/<any({SINGLE}):name>/<identifier>")
def one_of_them(name: str, identifier: str) -> Response:
    """By its identifier; an unknown one is a 404."""
    make, key = LISTS[name]
    for one in make(api.tenant()):
        if key and str(one[key]).lower() == identifier.lower():
            return wire.answer(name, [wire.render(one)])
    raise api.NoSuch


def _chosen(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Filtered and ordered by SQLite, which reads the list as a table of JSON."""
    where, order = api.argument("where"), api.argument("order")
    if not where and not order:
        return items
    field = query.json_field("value")
    found = query.compile_where(where, {}, field) if where else None
    by, way = "key", "ASC"
    if order:
        by, way, _ = query.compile_order(order, {}, field)
    with here().store.read() as db:
        rows = db.execute(
            f"SELECT value FROM json_each(?) WHERE {found.sql if found else '1'} ORDER BY {by} {way}, key",
            [json.dumps(items), *(found.values if found else [])],
        ).fetchall()
    return [json.loads(row["value"]) for row in rows]


def _changed(item: dict[str, Any]) -> int:
    moment = wire.as_datetime(item.get("UpdatedDateUTC", ""))
    return 0 if moment is None else int(moment.timestamp() * 1000)
