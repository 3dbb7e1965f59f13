"""Clients made here go out with a run: many in one call where the app takes many, each with its own outcome."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import sync
from portal.adapters.base import RateLimited, Rejected
from portal.db import db
from portal.domain.apps import (
    Finding,
    LinkState,
    Outcome,
    OutgoingClient,
    OutgoingState,
    RunItem,
    RunKind,
    RunState,
    SyncRun,
)
from tests.pretend_app import PRIYA, record
from tests.scenarios.outgoing import app_of, create, link_of, make, now, row_of
from tests.strict_ledger import ledger

pytestmark = pytest.mark.usefixtures("database", "clock")


def test_many_go_in_batches_without_a_look_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch, [record("r-1", "client 007")])
    books.done()
    app = app_of(books)
    app.calls.clear()
    made = [make(f"Client {number:03}") for number in range(65)]
    started: list[int] = []
    monkeypatch.setattr("portal.sync.many.start", started.append)
    rows = list(db.session.scalars(select(OutgoingClient.id)))
    sync.create_there_soon(rows, PRIYA)
    (run_id,) = started
    assert sync.create_due(now()) == 0  # the run has them
    assert sync.work(run_id) == RunState.DONE
    run = db.session.get_one(SyncRun, run_id)
    assert app.sizes["create"] == [30, 30, 4]
    assert app.calls.count("find") == 1  # only for the one that is nearly there
    assert (run.counts["created_there"], run.counts["near_match"]) == (64, 1)
    db.session.expire_all()
    assert sum(len(one.links) for one in made) == 64
    assert len(app.records) == 65
    assert "created_there" not in books.done().counts


def test_in_a_batch_each_refusal_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch)
    books.done()
    app = app_of(books)
    app.suppliers.add("client 1")
    app.refuse_one["Client 2"] = Rejected("Ledger refused it.", vendor_text="no twos")
    made = [make(f"Client {number}") for number in range(4)] + [make("client 3"), make("Client 0")]
    run = books.done()
    states = {one.name: row.state if (row := row_of(one)) else "linked" for one in made[:5]}
    assert states == {
        "Client 0": "linked", "Client 1": OutgoingState.ASKS, "Client 2": OutgoingState.FAILED, "Client 3": "linked",
        "client 3": OutgoingState.ASKS,
    }  # fmt: skip
    twin = row_of(made[5])
    assert twin is not None
    assert (twin.state, run.counts["created_there"], run.counts["taken"]) == (OutgoingState.ASKS, 2, 3)
    assert sorted(one.name for one in app.records.values()) == ["Client 0", "Client 3"]


def test_a_batch_whose_answer_was_lost_leaves_exactly_one_of_each(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """Fault row 11."""
    books = ledger(monkeypatch)
    books.done()
    app = app_of(books)
    made = [make(f"Client {number}") for number in range(5)]
    app.lose("create")
    assert books.done().counts["failed"] == 5
    clock.shift(timedelta(minutes=2))
    books.done()
    sync.create_due(now())
    db.session.expire_all()
    assert len(app.records) == 5
    assert all(len(one.links) == 1 for one in made)
    assert db.session.scalars(select(OutgoingClient)).all() == []


def test_what_ends_a_run_hands_every_client_back(monkeypatch: pytest.MonkeyPatch) -> None:
    books = ledger(monkeypatch)
    books.done()
    for number in range(3):
        make(f"Client {number}")
    app_of(books).refuse("create", RateLimited("Enough.", retry_at=now() + timedelta(hours=1)))
    assert books.run().state == RunState.PARTIAL
    rows = list(db.session.scalars(select(OutgoingClient)))
    assert {(one.state, one.lease_by, one.attempts) for one in rows} == {(OutgoingState.READY, None, 0)}


def test_an_app_without_unique_names_is_looked_at_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """XPM has no key and no unique names: always look, one by one."""
    books = ledger(monkeypatch, batch=1)
    books.done()
    app = app_of(books)
    app.unique = False
    for number in range(3):
        make(f"Client {number}")
    app.calls.clear()
    assert books.done().counts["created_there"] == 3
    assert app.calls == ["list", "find", "create", "find", "create", "find", "create"]


def test_a_question_that_closed_by_itself_is_tried_again_with_the_next_run(
    monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    books = ledger(monkeypatch, [record("r-1", "Acme Ltd")])
    books.done()
    client = make()
    assert create(client) == Outcome.NEAR_MATCH
    clock.shift(timedelta(minutes=1))
    app_of(books).change("r-1", name="Somebody Else")
    books.done()
    clock.shift(timedelta(minutes=1))
    books.done()
    assert link_of(client).state == LinkState.LINKED
    assert db.session.scalars(select(Finding).where(Finding.state == "open")).all() == []


def test_a_preview_names_the_clients_that_would_be_created_and_applying_it_leaves_them_to_go_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = ledger(monkeypatch, [record("r-1", "Beta Ltd")])
    client, beta = make(), make("Beta Ltd")
    preview = books.run(RunKind.PREVIEW)
    rows = {one.name: one for one in db.session.scalars(select(RunItem).where(RunItem.run_id == preview.id))}
    assert {name: one.outcome for name, one in rows.items()} == {
        "Acme Corp": Outcome.CREATED_THERE, "Beta Ltd": Outcome.LINKED,
    }  # fmt: skip
    assert app_of(books).sizes["create"] == []
    books.apply(preview)
    db.session.expire_all()
    assert link_of(beta).remote_id == "r-1"
    assert row_of(client) is not None
    shown = db.session.scalars(select(RunItem).where(RunItem.run_id == preview.id, RunItem.name == "Acme Corp")).one()
    assert shown.applied == "goes by itself"
    assert create(client) == Outcome.CREATED_THERE
