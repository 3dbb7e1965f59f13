"""What goes out once: the outbox of invoices, payments and jobs.

The one invariant: a delivery that may have arrived is looked for before it is sent again.
"""

from portal.domain.deliveries.models import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Job,
)

__all__ = [
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Job",
]
