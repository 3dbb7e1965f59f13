"""Who is who: which client here a record of an app stands for, always with the reason. PURE.

The rules are M1 to M9 of the behaviour reference. Only an exact name links by itself; everything less is reported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from portal.domain.records import ClientRecord, RecordState
from portal.domain.text import difference, near_key


class Kind(StrEnum):
    LINKED = "linked"  # M1: a stored link, whatever the names say
    LINK = "link"  # M2, M3: the same name, and this client is free
    CREATE = "create"  # nobody here is like it
    NEAR_MATCH = "near_match"  # M6
    AMBIGUOUS = "ambiguous"  # M7, M8
    TAKEN = "taken"  # M4: the same name, but that client already has another record
    IGNORE = "ignore"  # not current in the app, and nobody here is linked to it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A client here that may be meant."""

    client_id: int
    name: str
    holds: str | None = None  # the remote id it is linked to in this app; None: free


@dataclass(frozen=True, slots=True)
class Match:
    kind: Kind
    reason: str
    client_id: int | None = None
    candidates: tuple[Candidate, ...] = ()


NOBODY_LIKE_IT = Match(Kind.CREATE, "no client here has this name")


@dataclass
class Index:
    """What matching needs to know of our side, in three look-ups. Built once a run, kept true as links are made."""

    app: str
    linked: dict[str, int] = field(default_factory=dict)  # remote id -> client id
    apart: set[tuple[str, int]] = field(default_factory=set)  # a person said: these two are different
    left_out: dict[str, str] = field(default_factory=dict)  # remote id -> who left it out, and when
    _by_name: dict[str, list[Candidate]] = field(default_factory=lambda: defaultdict(list))
    _by_near: dict[str, list[Candidate]] = field(default_factory=lambda: defaultdict(list))
    _loose: Counter[str] = field(default_factory=Counter)  # names of current records nobody is linked to

    def add(self, candidate: Candidate, near: str) -> None:
        self._by_name[candidate.name].append(candidate)
        if near:
            self._by_near[near].append(candidate)

    def add_loose_names(self, names: Iterable[str]) -> None:
        """Names of all unlinked current records there, so that two of the same name are seen before one is linked."""
        self._loose.update(names)

    def take(self, client_id: int, name: str, remote_id: str) -> None:
        """A link was made: the client is no longer free."""
        self.linked[remote_id] = client_id
        for bucket in (self._by_name.get(name), self._by_near.get(near_key(name))):
            for position, one in enumerate(bucket or ()):
                if one.client_id == client_id:
                    bucket[position] = Candidate(client_id, one.name, remote_id)  # type: ignore[index]  # never None here
                    break

    def match(self, record: ClientRecord) -> Match:
        """The verdict on one record."""
        return self.judge(record.remote_id, record.name, record.state)

    def judge(self, remote_id: str, name: str, state: str, near: str | None = None) -> Match:
        """The same of the few facts that decide; `near` is the name's near key where that is known already."""
        if remote_id in self.linked:
            return Match(Kind.LINKED, f"already linked to this {self.app} record", self.linked[remote_id])
        if state != RecordState.ACTIVE:
            return Match(Kind.IGNORE, f"{state} in {self.app}; only current clients come in")
        if remote_id in self.left_out:
            return Match(Kind.IGNORE, self.left_out[remote_id])
        same = [one for one in self._by_name.get(name, ()) if (remote_id, one.client_id) not in self.apart]
        if self._loose[name] > 1:
            reason = f"{self._loose[name]} records in {self.app} have exactly this name"
            return Match(Kind.AMBIGUOUS, reason, candidates=tuple(same))
        free = [one for one in same if one.holds is None]
        if len(free) > 1:
            return Match(Kind.AMBIGUOUS, f"{len(free)} clients here have exactly this name", candidates=tuple(free))
        if free:
            return Match(Kind.LINK, "exactly the same name", free[0].client_id, (free[0],))
        if same:
            reason = f"{same[0].name} here is already linked to another record in {self.app}"
            return Match(Kind.TAKEN, reason, same[0].client_id, tuple(same))
        return self._near(remote_id, name, near_key(name) if near is None else near)

    def _near(self, remote_id: str, name: str, near: str) -> Match:
        candidates = tuple(
            one
            for one in (self._by_near.get(near, ()) if near else ())
            if one.holds is None and one.name != name and (remote_id, one.client_id) not in self.apart
        )
        if not candidates:
            return NOBODY_LIKE_IT
        if len(candidates) > 1:
            reason = f"{len(candidates)} clients here have nearly this name"
            return Match(Kind.NEAR_MATCH, reason, candidates[0].client_id, candidates)
        reason = f"the names differ only in {difference(candidates[0].name, name)}"
        return Match(Kind.NEAR_MATCH, reason, candidates[0].client_id, candidates)
