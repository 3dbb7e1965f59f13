"""The states things of an app can be in, and what a run can say of a record. PURE."""

from __future__ import annotations

from enum import StrEnum


class IllegalMove(Exception):
    """A state was asked to become one it cannot become from here."""


class ConnectionState(StrEnum):
    CHOOSING = "choosing"  # signed in at the vendor; the account is shown and not yet enabled
    CONNECTED = "connected"
    NEEDS_RECONNECT = "needs_reconnect"
    DISCONNECTED = "disconnected"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"  # the plan looked dangerous; a person decides
    DONE = "done"
    PARTIAL = "partial"  # stopped by an allowance or an outage; goes on by itself
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its process ended; another run goes on from there

    @property
    def is_open(self) -> bool:
        return self in (RunState.QUEUED, RunState.RUNNING)


class RunKind(StrEnum):
    SYNC = "sync"  # what changed since the last run, or everything when that is due
    PREVIEW = "preview"  # plan only; its rows can be ticked and applied
    APPLY = "apply"  # apply the ticked rows of a preview, and only those


class RunTrigger(StrEnum):
    PERSON = "person"
    NIGHT = "night"
    HOUR = "hour"
    WAITING = "waiting"  # much waited to be sent, and a run takes it along in few calls
    COMMAND = "command"
    RESUME = "resume"


class LinkState(StrEnum):
    LINKED = "linked"
    BROKEN = "broken"  # the record there was archived, deleted, merged or vanished; nothing is sent to it


class PushState(StrEnum):
    NONE = "none"
    READY = "ready"
    SENDING = "sending"
    FAILED = "failed"


class OutgoingState(StrEnum):
    READY = "ready"
    SENDING = "sending"
    ASKS = "asks"  # somebody there is, or may be, this client: a person decides
    FAILED = "failed"


class Outcome(StrEnum):
    """What a run did about one record."""

    CREATED = "created"
    LINKED = "linked"
    UPDATED = "updated"  # taken from the app
    PUSHED = "pushed"  # sent to the app
    CREATED_THERE = "created_there"  # a client from here, made in the app
    OFFERED = "offered"  # waits under Import until somebody chooses it
    CONFLICT = "conflict"
    UNCHANGED = "unchanged"
    NEAR_MATCH = "near_match"
    AMBIGUOUS = "ambiguous"
    TAKEN = "taken"
    BROKEN = "broken"
    SKIPPED = "skipped"
    HELD_BACK = "held_back"
    FAILED = "failed"
    QUARANTINED = "quarantined"
