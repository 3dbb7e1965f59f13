"""Every table of the portal. Importing this module is what makes them known to migrations and to `create_all`."""

from portal.domain import (
    activity,
    apps,
    claims,
    client_csv,
    clients,
    deliveries,
    invoices,
    ledgers,
    library,
    mail,
    people,
    proposals,
    schedule,
)

__all__ = [
    "activity",
    "apps",
    "claims",
    "client_csv",
    "clients",
    "deliveries",
    "invoices",
    "ledgers",
    "library",
    "mail",
    "people",
    "proposals",
    "schedule",
]  # fmt: skip
