"""What the firm sells: the service library and its tax rates.

The one invariant: proposals and running services copy a service; changing the library changes nothing sold.
"""

from portal.domain.library.entries import (
    PAGE,
    BadService,
    StaleService,
    archive_service,
    check_price,
    create_service,
    edit_service,
    every_service,
    get_service,
    has_services,
    services,
    services_named,
    unarchive_service,
)
from portal.domain.library.models import (
    BillingType,
    CadenceUnit,
    PriceType,
    Service,
    ServiceFacts,
    TaxRate,
)
from portal.domain.library.taxes import (
    RateTaken,
    add_tax_rate,
    bring_back,
    default_tax_rate,
    make_default,
    retire,
    tax_rate,
    tax_rates,
)

__all__ = [
    "PAGE", "BadService", "BillingType", "CadenceUnit", "PriceType", "RateTaken", "Service", "ServiceFacts",
    "StaleService", "TaxRate", "add_tax_rate", "archive_service", "bring_back", "check_price", "create_service",
    "default_tax_rate", "edit_service", "every_service", "get_service", "has_services", "make_default", "retire",
    "services", "services_named", "tax_rate", "tax_rates", "unarchive_service",
]  # fmt: skip
