"""What goes out once: the outbox of invoices, payments and jobs.

The one invariant: a delivery that may have arrived is looked for before it is sent again.
"""

from portal.domain.deliveries import certificate
from portal.domain.deliveries.advice import Advice, advice_for, payment_advice
from portal.domain.deliveries.asking import (
    INVOICE,
    JOB,
    OPEN,
    PAYMENT,
    STUCK,
    CannotTryAgain,
    UnderWay,
    ask,
    ask_job,
    ask_payment,
    counts,
    due,
    due_connections,
    get,
    of,
    of_job,
    of_kind,
    of_many,
    of_payments,
    put_off,
    read_back,
    remote_invoice,
    stuck,
    try_again,
    unsettled_payments,
    wake,
    wake_linked,
    wake_payments,
    withdraw,
)
from portal.domain.deliveries.carried import Carried, amount, carried
from portal.domain.deliveries.deployment import (
    Alike,
    Deployment,
    Standing,
    Story,
    deployment,
    missing_customer,
    not_there_yet,
    standings,
    story_of,
)
from portal.domain.deliveries.keys import first_key, next_key
from portal.domain.deliveries.models import Delivery, DeliveryAttempt, DeliveryState, Job
from portal.domain.deliveries.outcomes import (
    NO_ANSWER,
    asks,
    delivered,
    not_found,
    refused,
    unsure,
    waits,
    was_being_sent,
    withdrawn,
)
from portal.domain.deliveries.recognising import Recognised, differences, recognise, recognise_payment

__all__ = [
    "INVOICE", "JOB", "NO_ANSWER", "OPEN", "PAYMENT", "STUCK", "Advice", "Alike", "CannotTryAgain", "Carried",
    "Delivery", "DeliveryAttempt", "DeliveryState", "Deployment", "Job", "Recognised", "Standing", "Story",
    "UnderWay", "advice_for", "amount", "ask", "ask_job", "ask_payment", "asks", "carried", "certificate", "counts",
    "delivered", "deployment", "differences", "due", "due_connections", "first_key", "get", "missing_customer",
    "next_key", "not_found", "not_there_yet", "of", "of_job", "of_kind", "of_many", "of_payments", "payment_advice",
    "put_off", "read_back", "recognise", "recognise_payment", "refused", "remote_invoice", "standings", "story_of",
    "stuck", "try_again", "unsettled_payments", "unsure", "waits", "wake", "wake_linked", "wake_payments",
    "was_being_sent", "withdraw", "withdrawn",
]  # fmt: skip
