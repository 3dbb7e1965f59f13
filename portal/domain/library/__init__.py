"""What the firm sells: the service library and its tax rates.

The one invariant: proposals and running services copy a service; changing the library changes nothing sold.
"""

from portal.domain.library.models import (
    BillingType,
    CadenceUnit,
    PriceType,
    Service,
    ServiceFacts,
    TaxRate,
)

__all__ = [
    "BillingType",
    "CadenceUnit",
    "PriceType",
    "Service",
    "ServiceFacts",
    "TaxRate",
]
