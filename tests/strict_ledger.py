"""The pretend app with the manners of a ledger: one name once, revisions, idempotency keys, batches, lost answers.

made = ledger(monkeypatch, [record("r-1", "Acme Corp")])
made.app.lose("create")      # the next creation is done and its answer lost
made.app.refuse("write", RateLimited(…))
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.adapters.base import AdapterError, Moment, Moved, NameTaken, NotThere, Unknown
from portal.db import db
from portal.domain.records import ClientRecord, ContactRecord, NewRecord, RecordChange, RecordState
from tests.cast import make_connection, person
from tests.pretend_app import INFO, Books, PretendApp, install, record

BATCH = 30


@dataclass
class Ledger(PretendApp):
    """`sizes` says how many records each writing call had. `suppliers` hold names without being clients."""

    sizes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    suppliers: set[str] = field(default_factory=set)
    unseen_for: timedelta = timedelta()  # so long look-ups do not show what was created
    unique: bool = True
    refuse_one: dict[str, AdapterError] = field(default_factory=dict)  # by name: what becomes of this one record
    _born: dict[str, datetime] = field(default_factory=dict)
    _answered: dict[str, ClientRecord | AdapterError] = field(default_factory=dict)
    _lost: deque[str] = field(default_factory=deque)
    _refused: dict[str, deque[AdapterError]] = field(default_factory=lambda: defaultdict(deque))

    def lose(self, what: str, *, done: bool = True) -> None:
        """The next call of this kind is carried out, or not, and nobody hears of it."""
        self._lost.append(f"{what} {'after' if done else 'before'}")

    def refuse(self, what: str, error: AdapterError) -> None:
        self._refused[what].append(error)

    def change(self, remote_id: str, **values: Any) -> None:
        """By somebody on the other side."""
        one = self.records[remote_id]
        self.put(replace(one, **values, revision=_next(one.revision)))

    def one(self, name: str) -> ClientRecord:
        (found,) = [one for one in self.records.values() if one.name == name]
        return found

    def find_clients(self, session: Any, name: str) -> list[ClientRecord]:
        self._maybe_refuse("find")
        found = super().find_clients(session, name)
        now = datetime.now(UTC)
        return [one for one in found if now - self._born.get(one.remote_id, _LONG_AGO) >= self.unseen_for]

    def fetch_client(self, session: Any, remote_id: str) -> ClientRecord:
        self._maybe_refuse("read")
        return super().fetch_client(session, remote_id)

    def update_clients(self, session: Any, changes: Sequence[RecordChange]) -> list[ClientRecord | AdapterError]:
        assert 0 < len(changes) <= self.info.batch
        self.calls.append("write")
        self.sizes["write"].append(len(changes))
        self._maybe_refuse("write")
        return self._lossy("write", lambda: [self._update(one) for one in changes])

    def create_clients(self, session: Any, news: Sequence[NewRecord]) -> list[ClientRecord | AdapterError]:
        assert 0 < len(news) <= self.info.batch
        assert all(len(one.key) <= 36 for one in news)
        self.calls.append("create")
        self.sizes["create"].append(len(news))
        self._maybe_refuse("create")
        return self._lossy("create", lambda: [self._create(one) for one in news])

    def _update(self, one: RecordChange) -> ClientRecord | AdapterError:
        if one.key in self._answered:
            return self._answered[one.key]
        there = self.records.get(one.record.remote_id)
        if there is None:
            return NotThere("gone")
        if there.name in self.refuse_one:
            return self.refuse_one[there.name]
        if there.revision != one.record.revision:
            return Moved("somebody was quicker")
        contacts = tuple(
            replace(contact, remote_id=contact.remote_id or f"c-{contact.name}") for contact, _ in one.change.contacts
        )
        kept = tuple(old for old in there.contacts if old.remote_id not in {new.remote_id for new in contacts})
        after = replace(there, **one.change.fields, contacts=kept + contacts, revision=_next(there.revision))
        self.put(after)
        self._answered[one.key] = after
        return after

    def _create(self, one: NewRecord) -> ClientRecord | AdapterError:
        if one.key in self._answered:
            return self._answered[one.key]
        if one.record.name in self.refuse_one:
            self._answered[one.key] = self.refuse_one[one.record.name]
            return self._answered[one.key]
        names = {_folded(held.name): held.remote_id for held in self.records.values()}
        if self.unique and (_folded(one.record.name) in names or _folded(one.record.name) in self.suppliers):
            holder = names.get(_folded(one.record.name), "")
            self._answered[one.key] = NameTaken("The name is taken.", holder_id=holder, vendor_text="Duplicate Name")
            return self._answered[one.key]
        made = f"new-{len(self.records) + 1}"
        people = tuple(replace(two, remote_id=f"{made}-{place}") for place, two in enumerate(one.record.contacts))
        after = replace(one.record, remote_id=made, contacts=people, revision="0")
        self._born[made] = datetime.now(UTC)
        self.put(after)
        self._answered[one.key] = after
        return after

    def _maybe_refuse(self, what: str) -> None:
        if self._refused[what]:
            raise self._refused[what].popleft()

    def _lossy(self, what: str, act: Any) -> list[ClientRecord | AdapterError]:
        if f"{what} before" in self._lost:
            self._lost.remove(f"{what} before")
            raise Unknown("The answer was lost.")
        answers = act()
        if f"{what} after" in self._lost:
            self._lost.remove(f"{what} after")
            raise Unknown("The answer was lost.")
        return list(answers)


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _next(revision: str) -> str:
    return str(int(revision or 0) + 1)


def ledger(
    monkeypatch: pytest.MonkeyPatch, records: Iterable[ClientRecord] = (), *, account: str = "Kauri Books Ltd",
    settings: dict[str, Any] | None = None, **rules: Any,
) -> Books:  # fmt: skip
    """A connected ledger whose new clients go at once; `rules` as of `AppInfo`."""
    rules = {"batch": BATCH, "new_clients": (Moment.AT_ONCE, Moment.FIRST_INVOICE)} | rules
    app = Ledger(replace(INFO, **rules))
    app.put(*(replace(one, revision=one.revision or "0") for one in records))
    install(monkeypatch, app)
    monkeypatch.setattr("jobs.queue.submit", lambda *_work: None)  # tests do the work themselves
    person("admin")
    made = make_connection(app.info.slug, account, enabled_at=datetime.now(UTC), settings=settings or {}, reference={})
    db.session.commit()
    return Books(app, made.id)


def archived(one: ClientRecord) -> ClientRecord:
    return replace(one, state=RecordState.ARCHIVED)


__all__ = ["BATCH", "ContactRecord", "Ledger", "archived", "ledger", "record"]
