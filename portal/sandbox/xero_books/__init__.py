"""Xero, Accounting API 2.0: contacts, invoices and payments of two organisations, and the short lists around them."""

from __future__ import annotations

from portal.sandbox.vendor import Switch, Vendor
from portal.sandbox.xero_books import (
    api,
    chart,
    contacts,
    control,
    fill,
    hooks,
    idempotency,
    invoice_control,
    invoice_records,
    invoices,
    payments,
    records,
    reference,
)

__all__ = ["VENDOR", "contacts", "idempotency", "invoices", "payments", "reference"]

VENDOR = Vendor(
    key="xero",
    title="Xero",
    prefixes=("/xero/api.xro/",),  # XERO_API_URL leads here; the sign-in names it
    blueprints=(api.blueprint, control.control, invoice_control.control),
    schema=records.SCHEMA + invoice_records.SCHEMA,
    tenants=(chart.MARLOW, chart.ADVISORY),
    switches={
        "xero_names_unique_in_any_case": Switch(
            True, "two active contacts cannot differ in the case of their names only"
        ),
        "xero_match_order": Switch(
            "number_first",
            "POST without a ContactID looks for the ContactNumber or the Name first",
            ("number_first", "name_first"),
        ),
        "xero_odd_names": Switch(
            "quiet",
            "angle brackets, doubled or edge spaces and overlong names: unsaved in a quiet 200, or a 400",
            ("quiet", "refused"),
        ),
        "xero_summarize_errors_when_omitted": Switch(True, "without summarizeErrors one bad element answers 400"),
        "xero_bad_batch_saves_the_good": Switch(False, "a 400 for some elements still saves the others"),
        "xero_unarchive_by_api": Switch(True, "posting ACTIVE brings an archived contact back"),
        "xero_empty_text_clears": Switch(True, "an empty text clears a field; otherwise it is ignored"),
        "xero_parts_replace_address_and_phone": Switch(False, "an address or phone sent loses the parts not sent"),
        "xero_ids_find_archived": Switch(False, "IDs= finds archived contacts without includeArchived"),
        "xero_ids_force_paging": Switch(True, "IDs= makes a list paged"),
        "xero_page_size_pages_by_itself": Switch(False, "pageSize without page makes a list paged"),
        "xero_pagination_on_unpaged_lists": Switch(False, "an unpaged list has a pagination object"),
        "xero_unchanged_answers_304": Switch(
            False, "If-Modified-Since without a match answers 304, else an empty list"
        ),
        "xero_high_volume_from": Switch(100_000, "beyond so many records unpaged or slow lists are refused"),
        "xero_numbers_freed_by": Switch(
            "none", "which invoices give their number free again", ("none", "deleted", "voided_and_deleted")
        ),
        "xero_url_takes_any_host": Switch(
            True, "an invoice's Url may lead to localhost; otherwise the host needs a dot"
        ),
        "xero_payment_tells_invoice": Switch(True, "a payment raises an event for its invoice"),
        "xero_invoice_lag_seconds": Switch(0, "lists and look-ups by number see a new invoice so many seconds late"),
        "xero_ignores_keys": Switch(False, "an Idempotency-Key has no effect"),
        "xero_organisation_id_is_tenant_id": Switch(True, "OrganisationID is the tenantId of the connection"),
    },
    load=fill.load,
    demo=fill.demo,
    wipe=fill.wipe,
    counts=fill.counts,
    page="xero_books_control.contacts_page",
    webhooks=hooks.HOOK,
    addresses={"XERO_APP_URL": "/xero-web"},
)
