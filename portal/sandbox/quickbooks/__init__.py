"""QuickBooks Online, Accounting API v3: names, invoices, payments, lists, the company; with its own sign-in."""

from __future__ import annotations

from portal.sandbox.quickbooks import (
    api,
    books,
    company,
    control,
    fill,
    gate,
    hooks,
    identity,
    records,
    switches,
    tokens,
    txn_control,
    txns,
)
from portal.sandbox.vendor import Vendor

__all__ = ["VENDOR", "api"]

VENDOR = Vendor(
    key="quickbooks",
    title="QuickBooks Online",
    prefixes=("/quickbooks/",),
    addresses={
        "QUICKBOOKS_API_URL": "/quickbooks",
        "QUICKBOOKS_OAUTH_URL": "/quickbooks",
        "QUICKBOOKS_AUTHORIZE_URL": "/quickbooks",
        "QUICKBOOKS_REVOKE_URL": "/quickbooks",
    },
    blueprints=(gate.blueprint, identity.blueprint, control.control, txn_control.control),
    schema=(*records.SCHEMA, *txns.SCHEMA, *books.SCHEMA, *tokens.SCHEMA),
    tenants=company.TENANTS,
    switches=switches.SWITCHES,
    load=fill.load,
    demo=fill.demo,
    wipe=fill.wipe,
    counts=fill.counts,
    page="quickbooks_control.company_page",
    tenant_of=gate.tenant_of,
    too_many=gate.too_many,
    webhooks=hooks.HOOK,
)
