"""What is not known about QuickBooks Online for certain, both ways."""

from __future__ import annotations

from portal.sandbox.vendor import Switch

SWITCHES = {
    "quickbooks_6240_detail": Switch(
        "null", "the text of a taken name's fault: null, id, sentence or french", ("null", "id", "sentence", "french")
    ),
    "quickbooks_inactive_blocks_name": Switch(True, "an inactive customer, vendor or employee still has its old name"),
    "quickbooks_inactive_refuses_writes": Switch(True, "writing to an inactive record without Active true is a 6000"),
    "quickbooks_inactive_parent_takes_subs": Switch(True, "sub-customers become inactive with their parent"),
    "quickbooks_reactivation_strips_suffix": Switch(False, "coming back takes (deleted) off the name"),
    "quickbooks_merged_shows": Switch(
        "inactive", "a merged-away record reads as inactive, or is gone", ("inactive", "gone")
    ),
    "quickbooks_customer_country_alpha3": Switch(False, "customers' countries are spelled NZL, as the company's are"),
    "quickbooks_fault_shape": Switch("usual", "the shape of validation faults: usual or lower", ("usual", "lower")),
    "quickbooks_faults_in_200": Switch(False, "validation faults come with status 200"),
    "quickbooks_throttle_body": Switch("xml", "what a 429 carries", ("xml", "json")),
    "quickbooks_retry_after": Switch(False, "a 429 says Retry-After: 60"),
    "quickbooks_requestid": Switch(
        "replay", "a repeated requestid: replay, refused (600) or ignored", ("replay", "refused", "ignored")
    ),
    "quickbooks_requestid_hours": Switch(24, "how long a requestid is remembered"),
    "quickbooks_requestid_replays_faults": Switch(False, "a refused request is remembered as well"),
    "quickbooks_cdc_most": Switch(1000, "so many objects in one answer about changes"),
    "quickbooks_cdc_cap": Switch("total", "the cap is for the whole answer or for each entity", ("total", "entity")),
    "quickbooks_cdc_inclusive": Switch(False, "changedSince itself is part of the answer"),
    "quickbooks_cdc_inactive": Switch("object", "an inactive record as object or as Deleted stub", ("object", "stub")),
    "quickbooks_cdc_too_old": Switch(
        "truncated", "more than 30 days back: truncated or refused", ("truncated", "refused")
    ),
    "quickbooks_default_order": Switch("ascending", "rows without ORDERBY, by Id", ("ascending", "descending")),
    "quickbooks_over_1000": Switch("clamp", "MAXRESULTS above 1000", ("clamp", "refuse")),
    "quickbooks_rotate_every_refresh": Switch(True, "every refresh gives another refresh token, else about one a day"),
    "quickbooks_old_refresh_hours": Switch(0, "how long the old refresh token still works"),
    "quickbooks_invalid_client_status": Switch(401, "status for a wrong client secret"),
    "quickbooks_refuses_used_numbers": Switch(
        False, "an invoice number that is used is a 6140, where callers number the invoices"
    ),
    "quickbooks_needs_tax_code": Switch(True, "outside the United States a line without tax code is a 6000"),
    "quickbooks_tax_rounding": Switch(
        "each_rate", "tax is rounded for the lines of a rate, or for each line", ("each_rate", "each_line")
    ),
    "quickbooks_tax_inclusive_lines": Switch(
        "net",
        "under TaxInclusive a line's Amount is without tax, and TaxInclusiveAmt with it; or gross",
        ("net", "gross"),
    ),
    "quickbooks_inactive_customer": Switch(
        "610", "the fault of a sale to an inactive customer: 610, 2500 or 6250", ("610", "2500", "6250")
    ),
    "quickbooks_payment_moves_invoice": Switch(True, "a payment moves the SyncToken and the stamp of what it pays"),
    "quickbooks_void_paid": Switch(
        "unapplied", "voiding an invoice with payments: they stay unapplied, or it is refused", ("unapplied", "refused")
    ),
    "quickbooks_index_lag_seconds": Switch(0, "queries do not yet see invoices and payments this young"),
    "quickbooks_webhook_format": Switch("cloudevents", "how changes are told", ("cloudevents", "legacy")),
    "quickbooks_company_state": Switch(
        "active", "active, suspended (writes are a 6190) or no_access (401, code 120)",
        ("active", "suspended", "no_access"),
    ),
}  # fmt: skip
