"""Applying: one record after the other, each with a commit of its own, so that one bad record costs only itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError

from portal.db import db, lost_a_race
from portal.domain import carrying, clients, findings, links
from portal.domain.apps import ClientLink, Connection, ContactLink, Outcome, RunItem
from portal.domain.carrying import Context
from portal.domain.clients import Client
from portal.domain.import_choices import waits_because
from portal.domain.matching import Candidate, Index, Kind, Match
from portal.domain.planning import Plan, Times, plan
from portal.domain.records import ClientRecord, Quarantined
from portal.sync.creating import Newcomers
from portal.sync.linking import NewLinks
from portal.sync.runs import Watch
from portal.sync.unlinked_records import OF_KIND, Unlinked

log = logging.getLogger(__name__)
_ITEM = insert(RunItem.__table__)

RACES = 3  # lost to other transactions, before the record is given up for this run
AT_ONCE = 200  # records nobody is linked to, written together


@dataclass
class Applier:
    """Applies records of one run. Nothing in it is a mapped object, so commits do not make it stale."""

    run_id: int
    context: Context
    index: Index
    watch: Watch
    unlinked: Unlinked
    in_batches: bool = False  # links are made with the next few; a preview applies them one by one, as they are ticked
    offered_because: str = field(init=False)  # why a record nobody is like does not come in by itself
    newcomers: Newcomers = field(init=False)
    new_links: NewLinks = field(init=False)

    def __post_init__(self) -> None:
        self.offered_because = waits_because(self.context.connection, self.context.app)
        self.newcomers = Newcomers(self.run_id, self.context, self.index, self.watch, self.unlinked)
        self.new_links = NewLinks(self)

    def apply(self, record: ClientRecord, left_out: set[str] | None = None) -> Outcome | None:
        """One record, one commit. None when there was nothing to say. Never raises for what is the record's own fault.

        New clients, and records that only wait, are written with a few others; `finish` leaves none unwritten.
        """
        self.unlinked.flush(at_least=AT_ONCE)
        match = self.index.match(record)
        if match.kind == Kind.IGNORE:
            self.unlinked.note(record, match)
            return None
        if match.kind == Kind.CREATE:
            return self._offer(record, match) if self.offered_because else self.bring_in(record, match)
        if match.kind == Kind.LINK and self.in_batches:
            self.new_links.add(record, match)
            return Outcome.LINKED
        return self._guarded(record, match, lambda: self._apply(record, match, left_out or set()))

    def link_alone(self, record: ClientRecord, match: Match) -> None:
        """One of a batch that failed."""
        self._guarded(record, match, lambda: self._link(record, match, set()))

    def bring_in(self, record: ClientRecord, match: Match) -> Outcome:
        """As a client of its own, with the next few."""
        self.newcomers.add(record, match)
        return Outcome.CREATED

    def _offer(self, record: ClientRecord, match: Match) -> Outcome:
        """It waits until somebody chooses it. No row in the run: thousands of them would drown the rest."""
        self.unlinked.note(record, match)
        self.watch.count(Outcome.OFFERED)
        return Outcome.OFFERED

    def _guarded(
        self, record: ClientRecord, match: Match, act: Callable[[], Outcome | None],
        passed_on: tuple[type[Exception], ...] = (),
    ) -> Outcome | None:  # fmt: skip
        """Do this about one record, commit, count it; what goes wrong is this record's alone, and told."""
        try:
            outcome = self._again_if_raced(act)
        except OperationalError:
            db.session.rollback()
            raise  # the database, not the record: the run ends and goes on later
        except passed_on:
            db.session.rollback()
            raise
        except Exception as error:  # whatever it is, it is this record's own; it is logged and told
            db.session.rollback()
            log.exception("run %s could not apply record %s", self.run_id, record.remote_id)
            outcome = Outcome.FAILED
            self._item(outcome, record, reason=f"Counterpart could not apply this record: {error}"[:500])
            db.session.commit()
            if match.kind != Kind.LINKED:
                self.unlinked.note(record, match)  # so that the next run looks at it again
        if outcome is not None:
            self.watch.count(outcome)
        return outcome

    def _again_if_raced(self, act: Callable[[], Outcome | None]) -> Outcome | None:
        """Do it and commit; once more when another transaction only got in the way."""
        for tries_left in range(RACES, -1, -1):
            try:
                outcome = act()
                db.session.commit()
                return outcome
            except OperationalError as error:
                db.session.rollback()
                if not tries_left or not lost_a_race(error):
                    raise
        raise AssertionError("the last try returns or raises")

    def finish(self) -> None:
        """What is done in batches, or was left undone by a run that was killed."""
        self.new_links.flush()
        self.newcomers.finish()
        self.unlinked.flush()

    def _apply(self, record: ClientRecord, match: Match, left_out: set[str]) -> Outcome | None:
        if match.kind == Kind.LINKED:
            return self._linked(record, left_out)
        if match.kind == Kind.LINK:
            return self._link(record, match, left_out)
        findings.note(self.context.connection.id, record, match, self.context.now)
        self._item(OF_KIND[match.kind], record, reason=match.reason, client_id=match.client_id)
        self.unlinked.note(record, match)
        return OF_KIND[match.kind]

    def link_chosen(self, record: ClientRecord, client_id: int, reason: str, left_out: set[str]) -> Outcome | None:
        """Link it to the client a person chose, whatever the names say. Raises `links.AlreadyLinked` (CL-52)."""
        client = db.session.get_one(Client, client_id)
        match = Match(Kind.LINK, reason, client_id, (Candidate(client_id, client.name),))
        db.session.commit()
        return self._guarded(
            record, match, lambda: self._link(record, match, left_out, made_by="person"), (links.AlreadyLinked,)
        )

    def _link(self, record: ClientRecord, match: Match, left_out: set[str], made_by: str = "name") -> Outcome:
        assert match.client_id is not None  # a LINK names its client
        client = db.session.get_one(Client, match.client_id)
        context = self.context
        connection = db.session.get_one(Connection, context.connection.id)
        link = links.link(
            client, connection, record, by=context.by, now=context.now, reason=match.reason, made_by=made_by,
            app=context.app,
        )  # fmt: skip
        self.index.take(client.id, match.candidates[0].name, record.remote_id)
        self.unlinked.came_in([record.remote_id])
        for item in self.meet(client, link, record, match.reason, left_out):
            if item["outcome"] == Outcome.CONFLICT:
                self.watch.count(Outcome.CONFLICT)
            db.session.connection().execute(_ITEM, item)
        return Outcome.LINKED

    def meet(
        self, client: Client, link: ClientLink, record: ClientRecord, reason: str,
        left_out: frozenset[str] | set[str] = frozenset(),
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Carry out what a link made just now asks for here; the run's rows about it, still to be written."""
        made = plan_for(client, link, [], record, self.context).without(set(left_out)).pulls_only()
        carrying.apply_here(client, link, [], record, made, self.context, may_send=False)
        told: dict[str, Any] = {"remote_id": record.remote_id, "name": record.name, "client_id": client.id}
        items = [self._values(Outcome.LINKED, reason=reason, plan=rows_of(made), **told)]
        if made.conflicts:
            both = [row for row in rows_of(made) if row["action"].startswith("conflict")]
            items.append(self._values(Outcome.CONFLICT, reason=made.conflicts[0].why, plan=both, **told))
        return items

    def _linked(self, record: ClientRecord, left_out: set[str]) -> Outcome | None:
        client, link, contact_links = load(self.context.connection.id, record.remote_id)
        broken = links.broken_because(record, self.context.app)
        if broken:
            return self._break(client, link, record, broken)
        if not links.mend(client, link, record, self.context):
            return self._stays_broken(client, link, record)
        made = plan_for(client, link, contact_links, record, self.context).without(left_out).pulls_only()
        carrying.apply_here(client, link, contact_links, record, made, self.context, may_send=False)
        if made.conflicts:
            outcome = Outcome.CONFLICT
        elif made.pulls or made.gone or any(pair.here is None for pair in made.pairings):
            outcome = Outcome.UPDATED
        else:
            return None  # nothing came in; what is to go out is told when it has gone
        self._item(outcome, record, client_id=client.id, reason=_why(made), plan=rows_of(made))
        return outcome

    def _break(self, client: Client, link: ClientLink, record: ClientRecord, why: str) -> Outcome | None:
        if not links.mark_broken(client, link, why, self.context):
            return None
        link.seen = record.as_json()
        self._item(Outcome.BROKEN, record, client_id=client.id, reason=why)
        return Outcome.BROKEN

    def _stays_broken(self, client: Client, link: ClientLink, record: ClientRecord) -> Outcome:
        """Told once: the record is remembered as it is, so that it counts as known until it changes again."""
        link.seen, link.seen_digest = record.as_json(), record.digest()
        self._item(Outcome.BROKEN, record, client_id=client.id, reason=link.broken_why)
        return Outcome.BROKEN

    def vanish(self, remote_id: str) -> None:
        """A full list no longer has this record (M9). One commit."""
        client, link, _contacts = load(self.context.connection.id, remote_id)
        why = links.broken_because(None, self.context.app)
        if links.mark_broken(client, link, why, self.context):
            self._insert(Outcome.BROKEN, remote_id, link.remote_name, client.id, why)
            self.watch.count(Outcome.BROKEN)
        db.session.commit()

    def quarantine(self, item: Quarantined) -> None:
        """A record that could not be understood: on the list with the reason and the raw text's start."""
        raw = {"raw": item.raw[:4000]}
        self._insert(
            Outcome.QUARANTINED, item.remote_id, item.name or "A record without a name", None, item.reason, raw
        )
        db.session.commit()

    def _item(
        self, outcome: Outcome, record: ClientRecord, *, reason: str, client_id: int | None = None,
        plan: list[dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        self._insert(outcome, record.remote_id, record.name, client_id, reason, None, plan)

    def _insert(
        self, outcome: Outcome, remote_id: str, name: str, client_id: int | None, reason: str,
        record: dict[str, Any] | None = None, plan: list[dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        values = self._values(outcome, remote_id, name, client_id, reason, record, plan)
        db.session.connection().execute(_ITEM, values)

    def _values(
        self, outcome: Outcome, remote_id: str, name: str, client_id: int | None, reason: str,
        record: dict[str, Any] | None = None, plan: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        return {
            "run_id": self.run_id, "outcome": outcome, "client_id": client_id, "remote_id": remote_id, "name": name,
            "reason": reason, "plan": plan or [], "record": record, "is_included": True, "left_out": [], "applied": "",
        }  # fmt: skip


def load(connection_id: int, remote_id: str) -> tuple[Client, ClientLink, list[ContactLink]]:
    """The three things a plan is applied to, the client's row held."""
    link = db.session.scalars(
        select(ClientLink).where(ClientLink.connection_id == connection_id, ClientLink.remote_id == remote_id)
    ).one()
    client = clients.get(link.client_id, lock=True)
    assert client is not None  # a link cannot outlive its client
    contact_links = list(db.session.scalars(select(ContactLink).where(ContactLink.client_link_id == link.id)))
    return client, link, contact_links


def plan_for(
    client: Client, link: ClientLink, contact_links: list[ContactLink], record: ClientRecord, context: Context,
    times: Times | None = None,
) -> Plan:  # fmt: skip
    """The plan for this client as things stand."""
    side = carrying.side_of(client, link, contact_links, record, context.staff, context.app)
    policy = context.connection.policy(context.app)
    times = times or Times(there=record.changed_at, there_before=context.now)
    return plan(side, record, fields=context.fields, contact_fields=context.contact_fields, times=times, policy=policy)


def rows_of(made: Plan) -> list[dict[str, Any]]:
    """What a run or a preview shows of a plan: everything but the fields with nothing to do."""
    rows = [row.as_json() for row in made.rows if row.action.value != "keep"]
    for pair in made.pairings:
        if pair.here is None and pair.there is not None:
            rows.append(_contact_row(pair.there.name, pair.key, "pull", None, pair.there.name, "a new contact there"))
        elif pair.there is None and pair.here is not None:
            name = str(pair.here.values["name"])
            rows.append(
                _contact_row(name, pair.key, "later", name, None, "a contact only here; goes with the next sync")
            )
    return rows


def _contact_row(name: str, key: str, action: str, here: Any, there: Any, why: str) -> dict[str, Any]:
    return {
        "field": "contact", "label": "Contact", "contact": name, "key": f"{key}.contact", "agreed": None,
        "here": here, "there": there, "action": action, "why": why,
    }  # fmt: skip


def _why(made: Plan) -> str:
    if made.conflicts:
        return made.conflicts[0].why
    labels = list(dict.fromkeys(f"{row.contact}: {row.label}" if row.contact else row.label for row in made.pulls))
    if not labels:
        return "contacts changed there"
    return f"{', '.join(labels[:3])}{f' and {len(labels) - 3} more' if len(labels) > 3 else ''} changed there"
