"""Digits, Connect API v1: a company, what apps write into its books, and the ledger's parties and categories."""

from __future__ import annotations

from portal.sandbox.digits import (
    api,
    books,
    control,
    entries,
    events,
    fill,
    invoice_control,
    ledger,
    records,
    sign_in,
    sources,
    tokens,
    transactions,
)
from portal.sandbox.vendor import Switch, Vendor

__all__ = ["VENDOR", "entries", "ledger", "sources", "transactions"]

VENDOR = Vendor(
    key="digits",
    title="Digits",
    prefixes=("/digits/",),
    addresses={"DIGITS_API_URL": "/digits"},
    blueprints=(sign_in.blueprint, api.blueprint, control.control, invoice_control.control),
    schema=records.SCHEMA + tokens.SCHEMA,
    tenants=(fill.MARLOW, fill.HARBOUR),
    switches={
        "digits_refresh_returns": Switch(
            "new", "a refresh answers with a new refresh token, the same one, or none", ("new", "same", "absent")
        ),
        "digits_refresh_ends_old": Switch(False, "a new refresh token ends the one it was asked for with"),
        "digits_client_credentials": Switch(True, "client_credentials reach the first business"),
        "digits_basic_auth": Switch(False, "client id and secret may come as HTTP Basic"),
        "digits_gated_scopes": Switch(False, "an app may ask for organization:sync and bills:manage"),
        "digits_oauth_error": Switch(
            "oauth", "errors of the token endpoint: OAuth's, the API's, or text", ("oauth", "envelope", "text")
        ),
        "digits_error_form": Switch(
            "envelope", "errors: like the documented 429, as gRPC gateways do, or text", ("envelope", "grpc", "text")
        ),
        "digits_minute_counts": Switch(
            "token", "60 calls a minute by access token, or by install", ("token", "install")
        ),
        "digits_limit_above_100": Switch("clamp", "a limit above 100 is clamped or refused", ("clamp", "refuse")),
        "digits_last_cursor": Switch("empty", "the cursor beside more: false is empty or filled", ("empty", "filled")),
        "digits_company_form": Switch("wrapped", "company in an object of that name, or bare", ("wrapped", "flat")),
        "digits_company_has_id": Switch(True, "company says its identifier"),
        "digits_sources_path": Switch(
            "connections", "sources are listed under this path, or both", ("connections", "connection", "both")
        ),
        "digits_empty_sources": Switch(
            "deletes", "an empty sync of sources deletes all, or is refused", ("deletes", "refused")
        ),
        "digits_sync_answers": Switch(
            "rows", "a sync of sources or transactions answers rows like that of parties, or {}", ("rows", "empty")
        ),
        "digits_sync_tells_ledger_id": Switch(True, "digitsId of a written party is that of the ledger's party"),
        "digits_party_external_id": Switch(
            "both", "externalId of a written party: object, bare string, or both", ("both", "object", "bare")
        ),
        "digits_party_delete": Switch(
            "action", "what marks a party as deleted", ("action", "deleted", "delete", "any")
        ),
        "digits_upsert_clears_omitted": Switch(True, "a written party loses the fields left out"),
        "digits_refuses_unknown_fields": Switch(False, "a party with fields that are not documented is refused"),
        "digits_lists_source_parties": Switch(True, "written parties can be listed"),
        "digits_transaction_source": Switch(
            "both", "what names a transaction's source", ("both", "sourceId", "accountId")
        ),
        "digits_refuses_unknown_labels": Switch(True, "a label the source does not declare is refused"),
        "digits_lists_unused_parties": Switch(False, "the ledger has parties without transactions too"),
        "digits_party_path": Switch(
            "party", "one ledger party is under ledger/party or ledger/parties", ("party", "parties")
        ),
        "digits_party_id_key": Switch("id", "how a ledger party's identifier is called", ("id", "partyId", "digitsId")),
        "digits_party_details": Switch(True, "ledger parties show email, kind and description"),
        "digits_party_marker": Switch(
            "absent", "what tells customers from vendors: nothing, type, or roles", ("absent", "type", "roles")
        ),
        "digits_merged_party": Switch(
            "gone", "a party merged away is gone, or answers as the survivor", ("gone", "survivor")
        ),
        "digits_invoice_form": Switch(
            "any", "how the annotation of invoices and payments is written", ("any", *books.FORMS)
        ),
        "digits_counterparty_ids": Switch(
            "taken",
            "a counterparty by the ledger's identifier is taken, refused or ignored",
            ("taken", "refused", "ignored"),
        ),
        "digits_closed_categories": Switch("refused", "entries under a closed category", ("refused", "taken")),
        "digits_currency": Switch("", "the only currency these books take; empty: any"),
        "digits_entry_filters": Switch(
            "all",
            "filters of an entries query: all work, those not proven are passed over, or refused",
            ("all", "proven", "strict"),
        ),
        "digits_row_amounts": Switch(
            "number",
            "amounts of entries: numbers, texts, or numbers with credits negative",
            ("number", "text", "signed"),
        ),
        "digits_row_invoice": Switch(
            "absent", "whether rows tell an invoice's number and due date", ("absent", "number")
        ),
        "digits_ledger_lag_seconds": Switch(0, "so long it takes until what was written is among the entries"),
    },
    webhooks=events.HOOK,
    load=fill.load,
    demo=fill.demo,
    wipe=fill.wipe,
    counts=fill.counts,
    page="digits_control.parties_page",
    tenant_of=api.tenant_of,
    too_many=api.too_many,
)
