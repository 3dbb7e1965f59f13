"""Apps the firm has connected: the connection, its sign-in, its links to clients, its runs.

States change only through methods and verbs; an illegal move raises `IllegalMove`.
"""

from portal.domain.apps.accounts import (
    CallSlot,
    CallWindow,
    Connection,
    ConsentAttempt,
    StaffLink,
    TokenSet,
    VendorCredentials,
)
from portal.domain.apps.linked import ClientLink, Conflict, ContactLink, Finding, OutgoingClient, UnlinkedRecord
from portal.domain.apps.states import (
    ConnectionState,
    IllegalMove,
    LinkState,
    Outcome,
    OutgoingState,
    PushState,
    RunKind,
    RunState,
    RunTrigger,
)
from portal.domain.apps.syncs import RunItem, SyncRun
from portal.domain.apps.ways import Ways, ways_of

__all__ = [
    "CallSlot",
    "CallWindow",
    "ClientLink",
    "Conflict",
    "Connection",
    "ConnectionState",
    "ConsentAttempt",
    "ContactLink",
    "Finding",
    "IllegalMove",
    "LinkState",
    "Outcome",
    "OutgoingClient",
    "OutgoingState",
    "PushState",
    "RunItem",
    "RunKind",
    "RunState",
    "RunTrigger",
    "StaffLink",
    "SyncRun",
    "TokenSet",
    "UnlinkedRecord",
    "VendorCredentials",
    "Ways",
    "ways_of",
]
