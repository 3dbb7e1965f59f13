"""The billing schedule: which services run for a client, and what is to be billed when.

The one invariant: a billing item yields at most one invoice line, ever (BS-09).
"""

from portal.domain.schedule.calendar import amount_of, currency_of, firm_currency, materialise, today
from portal.domain.schedule.changing import (
    EDITABLE,
    NotOpen,
    PastDay,
    StaleItem,
    cancel_item,
    delay,
    edit_item,
    edit_service,
    make_manual,
    reopen_item,
    schedule_item,
    schedule_items,
)
from portal.domain.schedule.coming import (
    IS_OPEN,
    Coming,
    cancelled,
    coming_of,
    due_clients,
    due_items,
    find,
    forget_problem,
    has_due,
    hold,
    look,
    manual,
    note_problem,
    open_items,
    overdue,
    problems,
    service_of,
    services_of,
    upcoming,
)
from portal.domain.schedule.models import (
    BillingItem,
    ClientService,
    ItemState,
    PayBy,
)
from portal.domain.schedule.running import (
    NotRunning,
    end_finished,
    end_service,
    pause,
    restart_service,
    resume,
)
from portal.domain.schedule.starting import (
    Cadence,
    add_item,
    add_service,
    discount_with,
    reference_of,
    start_services,
)

__all__ = [
    "EDITABLE", "IS_OPEN", "BillingItem", "Cadence", "ClientService", "Coming", "ItemState", "NotOpen", "NotRunning",
    "PastDay", "PayBy", "StaleItem", "add_item", "add_service", "amount_of", "cancel_item", "cancelled", "coming_of",
    "currency_of", "delay", "discount_with", "due_clients", "due_items", "edit_item", "edit_service", "end_finished",
    "end_service", "find", "firm_currency", "forget_problem", "has_due", "hold", "look", "make_manual", "manual",
    "materialise", "note_problem", "open_items", "overdue", "pause", "problems", "reference_of", "reopen_item",
    "restart_service", "resume", "schedule_item", "schedule_items", "service_of", "services_of", "start_services",
    "today", "upcoming",
]  # fmt: skip
