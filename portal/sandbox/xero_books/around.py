"""The short lists as they stand: the chart with what people have changed since, such as an account put away.

The changes are few and kept as one value per organisation.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import chart
from portal.sandbox.xero_books.wire import stamp

Item = dict[str, Any]
KINDS = {
    "accounts": ("Code", chart.accounts),
    "tax-rates": ("TaxType", chart.tax_rates),
    "items": ("Code", chart.items),
}


def accounts(box: Sandbox, tenant: Tenant) -> list[Item]:
    """The chart of accounts, archived ones included."""
    return _listed(box, tenant, "accounts")


def tax_rates(box: Sandbox, tenant: Tenant) -> list[Item]:
    """GST, deleted rates included."""
    return _listed(box, tenant, "tax-rates")


def items(box: Sandbox, tenant: Tenant) -> list[Item]:
    """Products and services."""
    return _listed(box, tenant, "items")


def organisation(box: Sandbox, tenant: Tenant) -> Item:
    """The company, with its present lock date."""
    same_id = bool(box.switches["xero_organisation_id_is_tenant_id"])
    made = chart.organisation(tenant, same_id=same_id)
    locked = _changes(box, tenant).get("locked_until")
    return made | {"PeriodLockDate": stamp(locked)} if locked is not None else made


def locked_until(box: Sandbox, tenant: Tenant) -> date:
    """Nothing dated on or before this day is taken."""
    locked = _changes(box, tenant).get("locked_until", chart.LOCKED_MS)
    return datetime.fromtimestamp(locked / 1000, UTC).date()


def change(box: Sandbox, tenant: Tenant, kind: str, key: str, values: Item) -> Item:
    """Change an entry of a list, as people do in Xero: archive, delete, rename. The entry as it is now."""
    held = _changes(box, tenant)
    name, _make = KINDS[kind]
    if not any(one[name] == key for one in _listed(box, tenant, kind)):
        raise Refused(f"There is no {key!r} among the {kind}.", 404)
    entries = held.setdefault(kind, {})
    entries[key] = {**entries.get(key, {}), **values}
    box.store.keep_setting(_setting(tenant), held)
    return next(one for one in _listed(box, tenant, kind) if one[name] == key)


def lock(box: Sandbox, tenant: Tenant, day: date) -> None:
    """Close the books up to and including this day."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    held = _changes(box, tenant) | {"locked_until": int(moment.timestamp() * 1000)}
    box.store.keep_setting(_setting(tenant), held)


def forget(box: Sandbox, tenant: Tenant) -> None:
    """As on the first day."""
    box.store.keep_setting(_setting(tenant), {})


def _listed(box: Sandbox, tenant: Tenant, kind: str) -> list[Item]:
    key, make = KINDS[kind]
    changed = _changes(box, tenant).get(kind, {})
    return [one | changed.get(one[key], {}) for one in make(tenant)]


def _changes(box: Sandbox, tenant: Tenant) -> dict[str, Any]:
    found: dict[str, Any] = box.store.setting(_setting(tenant), {})
    return found


def _setting(tenant: Tenant) -> str:
    return f"xero.around.{tenant.id}"
