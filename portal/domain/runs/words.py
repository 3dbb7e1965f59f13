"""What came of a run, or would come of it, in words; and how far an open one is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.domain.apps import Outcome, RunKind, RunState, SyncRun

LONG = timedelta(hours=1)  # XPM-11, AP-15: a run past this is not normal

# The order in which lists show outcomes: what needs a person first.
IN_ORDER = (
    Outcome.FAILED, Outcome.QUARANTINED, Outcome.CONFLICT, Outcome.NEAR_MATCH, Outcome.AMBIGUOUS, Outcome.TAKEN,
    Outcome.BROKEN, Outcome.HELD_BACK, Outcome.UPDATED, Outcome.PUSHED, Outcome.LINKED, Outcome.CREATED,
    Outcome.CREATED_THERE, Outcome.OFFERED, Outcome.SKIPPED, Outcome.UNCHANGED,
)  # fmt: skip
NEEDS_A_PERSON = (Outcome.NEAR_MATCH, Outcome.AMBIGUOUS, Outcome.TAKEN)

# Outcome -> (one, several) after the fact, and before it.
DID: dict[Outcome, tuple[str, str]] = {
    Outcome.CREATED: ("created", "created"),
    Outcome.LINKED: ("linked", "linked"),
    Outcome.UPDATED: ("updated", "updated"),
    Outcome.PUSHED: ("sent", "sent"),
    Outcome.CREATED_THERE: ("created there", "created there"),
    Outcome.OFFERED: ("waits under Import", "wait under Import"),
    Outcome.CONFLICT: ("conflict", "conflicts"),
    Outcome.UNCHANGED: ("unchanged", "unchanged"),
    Outcome.NEAR_MATCH: ("near match", "near matches"),
    Outcome.AMBIGUOUS: ("ambiguous name", "ambiguous names"),
    Outcome.TAKEN: ("name already taken", "names already taken"),
    Outcome.BROKEN: ("broken link", "broken links"),
    Outcome.SKIPPED: ("left out", "left out"),
    Outcome.HELD_BACK: ("held back", "held back"),
    Outcome.FAILED: ("failed", "failed"),
    Outcome.QUARANTINED: ("not understood", "not understood"),
}
WOULD_DO: dict[Outcome, tuple[str, str]] = DID | {
    Outcome.CREATED: ("to create", "to create"),
    Outcome.LINKED: ("to link", "to link"),
    Outcome.UPDATED: ("to update", "to update"),
    Outcome.PUSHED: ("to send", "to send"),
    Outcome.CREATED_THERE: ("to create there", "to create there"),
    Outcome.UNCHANGED: ("nothing to do", "nothing to do"),
    Outcome.BROKEN: ("link that breaks", "links that break"),
    Outcome.CREATED_THERE: ("to create there", "to create there"),
}

STATE_WORDS: dict[RunState, str] = {
    RunState.QUEUED: "waiting to start",
    RunState.RUNNING: "under way",
    RunState.HELD: "held for a person",
    RunState.DONE: "finished",
    RunState.PARTIAL: "not finished yet, goes on by itself",
    RunState.FAILED: "did not work",
    RunState.CANCELLED: "stopped",
    RunState.INTERRUPTED: "cut short",
}

PHASES: dict[str, str] = {
    "waiting": "Waiting to start",
    "reading": "Reading records",
    "matching": "Working out who is who",
    "planning": "Working out what changed",
    "applying": "Bringing clients in step",
    "sending": "Sending our changes",
    "creating": "Creating our new clients there",
    "ending": "Finishing",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an open run is. `rate` is records a second; `seconds_left` None: nobody can tell yet."""

    phase_sentence: str
    done: int
    total: int
    rate: float
    seconds_left: int | None
    calls: int
    allowance: int | None
    used_today: int
    is_over_an_hour: bool
    running_for: timedelta


def counted(run: SyncRun) -> list[tuple[Outcome, int]]:
    """What the run counted, none of it zero, in the order of lists."""
    return [(outcome, run.counts[outcome.value]) for outcome in IN_ORDER if run.counts.get(outcome.value)]


def told(run: SyncRun) -> list[tuple[Outcome, str]]:
    """What came of a run, each with its words: ('12 updated', '1 conflict'). What stayed as it was is left away."""
    words = WOULD_DO if run.kind == RunKind.PREVIEW else DID
    return [
        (outcome, phrase(outcome, count, words))
        for outcome, count in reversed(counted(run))
        if outcome != Outcome.UNCHANGED
    ]


def summary(run: SyncRun) -> str:
    """'12 updated, 1 conflict and 2 near matches'; what stayed as it was is named only when nothing else happened."""
    phrases = [text for _, text in told(run)]
    if not phrases:
        same = run.counts.get(Outcome.UNCHANGED.value, 0)
        return f"nothing to change, {same:,} in step" if same else "nothing to change"
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def phrase(outcome: Outcome, count: int, words: dict[Outcome, tuple[str, str]] | None = None) -> str:
    """'1 near match', '2 near matches'."""
    return f"{count:,} {(words or DID)[outcome][count != 1]}"


def looked_at(run: SyncRun) -> int:
    """How many records the run came to a verdict about."""
    return sum(run.counts.values())


def took(run: SyncRun, now: datetime) -> timedelta | None:
    """How long it ran, or has been running; None before it started. Never negative, whatever the clock did."""
    if run.started_at is None:
        return None
    return max((run.ended_at or now) - run.started_at, timedelta())


def progress(run: SyncRun, now: datetime, *, used_today: int = 0, allowance: int | None = None) -> Progress:
    """How far it is. The two figures are the vendor's allowance for the day, None: there is none, and its use."""
    left = max(run.total - run.done, 0)
    running_for = took(run, now) or timedelta()
    return Progress(
        phase_sentence=PHASES.get(run.phase, PHASES["applying"]),
        done=run.done,
        total=run.total,
        rate=run.rate,
        seconds_left=round(left / run.rate) if run.rate > 0 and run.total else None,
        calls=run.calls,
        allowance=allowance,
        used_today=used_today,
        is_over_an_hour=RunState(run.state).is_open and running_for > LONG,
        running_for=running_for,
    )
