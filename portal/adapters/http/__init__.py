"""One HTTP client for every vendor: `Transport` sends, `VendorSession` signs in, paces, retries and names failures."""

from portal.adapters.http.pacing import (
    Budget,
    CallsToday,
    Heard,
    MemoryBudget,
    Slot,
    Usage,
    Wait,
    Why,
)
from portal.adapters.http.reply import Reply, TooLarge, without_secrets
from portal.adapters.http.session import Dialect, TokenSource, VendorSession
from portal.adapters.http.transport import (
    BATCH_WRITE,
    LONG_LIST,
    QUICK,
    SIGN_IN,
    Abandoned,
    AnswerLost,
    Failure,
    NotSent,
    Patience,
    Request,
    Transport,
)

__all__ = [
    "BATCH_WRITE",
    "LONG_LIST",
    "QUICK",
    "SIGN_IN",
    "Abandoned",
    "AnswerLost",
    "Budget",
    "CallsToday",
    "Dialect",
    "Failure",
    "Heard",
    "MemoryBudget",
    "NotSent",
    "Patience",
    "Reply",
    "Request",
    "Slot",
    "TokenSource",
    "TooLarge",
    "Transport",
    "Usage",
    "VendorSession",
    "Wait",
    "Why",
    "without_secrets",
]
