"""Sending in a run of an app that takes many records in one call: few calls, each record's outcome its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.adapters.base import NeedsReconnect, RateLimited, Rejected, Unavailable
from portal.db import db
from portal.domain import clients
from portal.domain.apps import ClientLink, Conflict, Connection, LinkState, Outcome, PushState, RunState, SyncRun
from portal.domain.clients import Client
from portal.sync import send, send_due, send_soon
from tests.cast import make_client
from tests.pretend_app import PRIYA, Books, record
from tests.strict_ledger import BATCH, Ledger, ledger

pytestmark = pytest.mark.usefixtures("database")


def linked(monkeypatch: pytest.MonkeyPatch, many: int, **rules: Any) -> Books:
    """So many clients in step with their records, “Client 000” and on."""
    made = ledger(monkeypatch, [record(f"r-{number}", f"Client {number:03}") for number in range(many)], **rules)
    for number in range(many):
        make_client(f"Client {number:03}")
    db.session.commit()
    assert made.done().counts["linked"] == many
    made.done()
    app_of(made).calls.clear()
    app_of(made).sizes.clear()
    return made


def app_of(made: Books) -> Ledger:
    assert isinstance(made.app, Ledger)
    return made.app


def client(name: str) -> Client:
    return db.session.scalars(select(Client).where(Client.name == name)).one()


def link_of(one: Client) -> ClientLink:
    db.session.expire_all()
    return db.session.scalars(select(ClientLink).where(ClientLink.client_id == one.id)).one()


def rename(*names: str) -> None:
    """Each gets “Ltd” behind its name."""
    for name in names:
        clients.edit(client(name), {"name": f"{name} Ltd"}, by=PRIYA, now=datetime.now(UTC))
    db.session.commit()


def names(many: int) -> list[str]:
    return [f"Client {number:03}" for number in range(many)]


def test_a_run_sends_many_changes_in_few_calls_and_looks_none_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seventy changed records of thirty a call: three calls, and one for the list."""
    made = linked(monkeypatch, 70)
    rename(*names(70))
    run = made.done()
    assert app_of(made).sizes["write"] == [30, 30, 10]
    assert sorted(app_of(made).calls) == ["list", "write", "write", "write"]
    assert run.counts["pushed"] == 70
    assert {one.name for one in app_of(made).records.values()} == {f"{name} Ltd" for name in names(70)}
    assert set(db.session.scalars(select(ClientLink.push_state))) == {PushState.NONE}
    again = made.done()
    assert "pushed" not in again.counts
    assert app_of(made).sizes["write"] == [30, 30, 10]


def test_records_with_nothing_to_write_do_not_fill_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    made = linked(monkeypatch, 40)
    for name in names(40)[:35]:
        link_of(client(name)).wants_push(datetime.now(UTC))  # asked to be looked at, and as it should be
    rename(*names(40)[35:])
    made.done()
    assert app_of(made).sizes["write"] == [5]


def test_whoever_was_quicker_there_is_read_again_and_the_conflict_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 90: a stale revision is read again once, nothing is overwritten silently, the others are unharmed."""
    made = linked(monkeypatch, 3)
    rename(*names(3))
    app = app_of(made)
    write = app.update_clients

    def somebody_is_quicker(session: Any, changes: Any) -> Any:
        monkeypatch.setattr(app, "update_clients", write)
        app.change("r-1", name="CLIENT ONE")
        app.change("r-2", phone="changed meanwhile, which concerns nobody here")
        return write(session, changes)

    monkeypatch.setattr(app, "update_clients", somebody_is_quicker)
    run = made.done()
    assert (run.counts["pushed"], run.counts["conflict"]) == (2, 1)
    assert app.sizes["write"] == [3, 1, 1]
    assert [one.name for one in app.records.values()] == ["Client 000 Ltd", "Client 001 Ltd", "Client 002 Ltd"]
    assert app.records["r-2"].phone == "changed meanwhile, which concerns nobody here"
    (conflict,) = db.session.scalars(select(Conflict))
    assert (conflict.here, conflict.there, conflict.winner) == ("Client 001 Ltd", "CLIENT ONE", "here")


def test_a_refusal_is_one_records_own_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """AP-16; fault row 13."""
    made = linked(monkeypatch, 3)
    rename(*names(3))
    app_of(made).refuse_one["Client 001"] = Rejected("QuickLedger refused it.", vendor_text="Name has a colon")
    run = made.done()
    assert (run.counts["pushed"], run.counts["failed"]) == (2, 1)
    held = link_of(client("Client 001 Ltd"))
    assert held.push_state == PushState.FAILED
    assert "Name has a colon" in held.push_error


def test_a_record_that_went_meanwhile_breaks_its_link_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """M9; fault row 28."""
    made = linked(monkeypatch, 2, lists_everything=False)
    rename(*names(2))
    del app_of(made).records["r-0"]
    run = made.done()
    assert (run.counts["pushed"], run.counts["broken"]) == (1, 1)
    held = link_of(client("Client 000 Ltd"))
    assert (held.state, held.push_state, held.push_lease_by) == (LinkState.BROKEN, PushState.READY, None)


def test_an_answer_lost_is_looked_at_later_and_nothing_is_sent_twice(monkeypatch: pytest.MonkeyPatch, clock) -> None:
    """Fault rows 11 and 12, for a batch."""
    made = linked(monkeypatch, 3)
    rename(*names(3))
    app_of(made).lose("write")
    assert made.done().counts["failed"] == 3
    held = link_of(client("Client 000 Ltd"))
    assert (held.push_state, held.push_lease_by) == (PushState.READY, None)
    assert held.push_next_at is not None
    assert held.push_next_at - datetime.now(UTC) >= timedelta(seconds=90)
    clock.shift(timedelta(minutes=2))
    assert send_due(datetime.now(UTC)) == 3
    assert set(db.session.scalars(select(ClientLink.push_state))) == {PushState.NONE}
    assert app_of(made).sizes["write"] == [3]
    assert {one.revision for one in app_of(made).records.values()} == {"1"}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RateLimited("Enough for today.", retry_at=datetime(2030, 1, 1, tzinfo=UTC)), RunState.PARTIAL),
        (Unavailable("It cannot be reached."), RunState.PARTIAL),
        (NeedsReconnect("Access ended."), RunState.FAILED),
    ],
)
def test_what_concerns_them_all_ends_the_run_and_hands_every_record_back(
    monkeypatch: pytest.MonkeyPatch, error: Any, state: RunState
) -> None:
    """Fault rows 17, 18, 19 and 35."""
    made = linked(monkeypatch, 35)
    rename(*names(35))
    app_of(made).refuse("write", error)
    run = made.run()
    assert run.state == state
    links = list(db.session.scalars(select(ClientLink)))
    assert {(one.push_state, one.push_lease_by, one.push_attempts) for one in links} == {(PushState.READY, None, 0)}
    if state == RunState.PARTIAL:
        assert made.done().counts["pushed"] == 35


def test_a_save_while_the_batch_is_under_way_is_neither_lost_nor_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made = linked(monkeypatch, 2)
    rename(*names(2))
    app = app_of(made)
    write = app.update_clients

    def a_person_saves(session: Any, changes: Any) -> Any:
        one = client("Client 000 Ltd")
        clients.edit(one, {"name": "Client Zero"}, by=PRIYA, now=datetime.now(UTC))
        db.session.commit()
        assert send(link_of(one).id) is None  # it is in the run's hands
        return write(session, changes)

    with monkeypatch.context() as patched:
        patched.setattr(app, "update_clients", a_person_saves)
        made.done()
    held = link_of(client("Client Zero"))
    assert held.push_state == PushState.READY
    assert send(held.id) == Outcome.PUSHED
    assert app.records["r-0"].name == "Client Zero"
    assert app.sizes["write"] == [2, 1]


def test_a_single_save_looks_first_also_where_the_app_takes_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """XPM-10."""
    made = linked(monkeypatch, 1)
    rename("Client 000")
    app_of(made).change("r-0", phone="seen only by looking")
    assert send(link_of(client("Client 000 Ltd")).id) == Outcome.PUSHED
    assert app_of(made).calls == ["read", "write"]


def test_a_change_no_connection_carries_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """XP-20: a phone number is no news where only names travel."""
    made = linked(monkeypatch, 1)
    clients.edit(client("Client 000"), {"phone": "1"}, by=PRIYA, now=datetime.now(UTC))
    db.session.commit()
    assert link_of(client("Client 000")).push_state == PushState.NONE
    made.done()
    assert app_of(made).calls == ["list"]


def test_many_saved_at_once_are_taken_along_by_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made = linked(monkeypatch, BATCH)
    rename(*names(BATCH))
    started: list[int] = []
    monkeypatch.setattr("portal.sync.many.start", started.append)
    send_soon(list(db.session.scalars(select(ClientLink.id))))
    (run_id,) = started
    assert send_due(datetime.now(UTC)) == 0  # the run has them
    from portal.sync import work

    assert work(run_id) == RunState.DONE
    assert app_of(made).calls == ["list", "write"]
    assert db.session.get_one(SyncRun, run_id).trigger == "waiting"


def test_a_worker_that_died_holding_records_leaves_them_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 72: a lease that has run out is anybody's."""
    made = linked(monkeypatch, 2)
    rename(*names(2))
    past = datetime.now(UTC) - timedelta(seconds=1)
    db.session.execute(
        update(ClientLink).values(push_state=PushState.SENDING, push_lease_by="gone/push/1/1", push_lease_until=past)
    )
    db.session.commit()
    assert made.done().counts["pushed"] == 2


def test_what_one_app_told_goes_on_to_the_other_and_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two apps, each with its own way of writing a name: the value passes through once and comes to rest."""
    made = linked(monkeypatch, 1)
    first = app_of(made)
    one = client("Client 000")
    from dataclasses import replace

    from tests.cast import make_connection
    from tests.pretend_app import INFO
    from tests.strict_ledger import install

    class Shouting(Ledger):
        """Writes every name in capitals."""

        def _update(self, change: Any) -> Any:
            after = super()._update(change)
            self.put(replace(after, name=after.name.upper()))
            return self.records[after.remote_id]

    second = Shouting(replace(INFO, slug="shouting", directions=("both",), batch=BATCH))
    second.put(record("s-0", "Client 000", revision="0"))
    install(monkeypatch, second)
    other = make_connection("shouting", "Shouting Ltd", enabled_at=datetime.now(UTC), reference={})
    db.session.commit()
    loud = Books(second, other.id)
    loud.done()
    made.connection.settings = {"direction": "both"}
    db.session.commit()
    first.change("r-0", name="Client Nought")
    made.done()
    assert client("Client Nought").id == one.id
    held = {link.connection_id: link for link in client("Client Nought").links}
    assert held[loud.connection_id].push_state == PushState.READY
    assert held[loud.connection_id].push_next_at is not None  # one is few: it goes soon
    assert held[made.connection_id].push_state == PushState.NONE
    for _round in range(3):
        loud.done()
        made.done()
    assert second.records["s-0"].name == "CLIENT NOUGHT"
    assert (first.records["r-0"].name, first.sizes["write"]) == ("Client Nought", [])
    assert client("Client Nought").version <= 3
    assert db.session.get_one(Connection, made.connection_id).imported_at is not None
