"""A connection in its role of holding invoices: its settings, its short lists, what of ours is mapped to them.

The one invariant: ids of one connection are never used over another (AP-06).
"""

from portal.domain.ledgers import readings
from portal.domain.ledgers.choosing import (
    Choice,
    Chooser,
    NotALedger,
    choice_of,
    default_for,
    in_use,
    ledger_for,
    names,
    settings_of,
    settings_to_change,
    settle,
    switch_client,
)
from portal.domain.ledgers.lines import Mapping, NotMapped, Problem, lines_out, rounding_of
from portal.domain.ledgers.lists import (
    SETTINGS,
    NotInTheList,
    StaleLedgerSettings,
    all_entries,
    change_settings,
    entries,
    keep,
    map_tax,
    note_failure,
    readiness,
    set_target,
    suggestion,
    targets,
    tax_mappings,
    wake_readers,
)
from portal.domain.ledgers.models import (
    ClientBilling,
    LedgerEntry,
    LedgerReading,
    LedgerRecord,
    LedgerSettings,
    ServiceTarget,
    TaxMapping,
    WebhookEvent,
)

__all__ = [
    "SETTINGS", "Choice", "Chooser", "ClientBilling", "LedgerEntry", "LedgerReading", "LedgerRecord",
    "LedgerSettings", "Mapping", "NotALedger", "NotInTheList", "NotMapped", "Problem", "ServiceTarget",
    "StaleLedgerSettings", "TaxMapping", "WebhookEvent", "all_entries", "change_settings", "choice_of",
    "default_for", "entries", "in_use", "keep", "ledger_for", "lines_out", "map_tax", "names", "note_failure",
    "readiness", "readings", "rounding_of", "set_target", "settings_of", "settings_to_change", "settle",
    "suggestion", "switch_client", "targets", "tax_mappings", "wake_readers",
]  # fmt: skip
