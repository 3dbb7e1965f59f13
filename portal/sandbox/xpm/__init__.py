"""Xero Practice Manager, API 3.1: clients, contacts, groups, staff, jobs and the short lists."""

from __future__ import annotations

from portal.sandbox.vendor import Switch, Vendor
from portal.sandbox.xpm import api, clients, contacts, control, fill, jobs, practice, records

__all__ = ["VENDOR", "clients", "contacts", "jobs", "practice"]

VENDOR = Vendor(
    key="xpm",
    title="Xero Practice Manager",
    prefixes=("/xpm/",),
    addresses={"XPM_API_URL": "/xpm"},
    blueprints=(api.blueprint, control.control),
    schema=records.SCHEMA,
    tenants=(fill.MARLOW, fill.HARBOUR),
    switches={
        "update_clears_omitted": Switch(False, "an update empties the elements that were not sent"),
        "contact_change_bumps_client": Switch(True, "a change of a contact moves its clients' modified stamp"),
        "group_change_bumps_client": Switch(False, "a change of group or relationship moves the modified stamp"),
        "unknown_uuid_is_404": Switch(True, "an unknown identifier answers 404; otherwise 200 with Status ERROR"),
        "contact_delete": Switch(
            "delete", "with clientUuid: delete the person, or unlink while others have them", ("delete", "unlink")
        ),
        "last_page_next": Switch(
            "absent", "Next on the last page: absent, empty or repeated", ("absent", "empty", "repeated")
        ),
        "search_matches": Switch("prefix", "search finds names by prefix, or contains", ("prefix", "contains")),
        "granular_reaches_lists": Switch(True, "granular scopes reach category, template, task, invoice and quote"),
        "staff_list_shows_disabled": Switch(False, "disabled staff stay in the list"),
        "delete_refuses_clients_with_jobs": Switch(True, "deleting a client with jobs is refused"),
        "refuse_masked_tax_number": Switch(False, "a masked tax number sent back is refused; otherwise it is stored"),
        "gzip": Switch(False, "long lists are compressed when the caller accepts it"),
        "xml_declaration": Switch(False, "answers begin with an XML declaration"),
    },
    load=fill.load,
    demo=fill.demo,
    wipe=fill.wipe,
    counts=fill.counts,
    page="xpm_control.clients_page",
)
