"""Deliveries in a terminal: send, see, prove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.domain.records import Cause
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger


@pytest.fixture
def books(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    made = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")])
    client = make_client("Acme Corp")
    make_link(client, made.connection, "r-1")
    for _ in range(2):
        bill(client, made.connection)
    db.session.commit()
    return made


def run(app: Flask, *words: str) -> Any:
    db.session.remove()
    return app.test_cli_runner().invoke(args=["deliveries", *words])


def test_it_sends_and_proves_each_once(books: LedgerAccount, app: Flask, tmp_path: Path) -> None:
    sent = run(app, "send")
    assert (sent.exit_code, "2 taken up." in sent.output) == (0, True)
    told = run(app, "status")
    assert "2 delivered" in told.output
    path = tmp_path / "november.csv"
    proof = run(app, "certificate", "--from", "2026-11-01", "--to", "2026-11-30", "--csv", str(path))
    assert proof.exit_code == 0
    assert "2 delivered, 2 records in the ledger, 0 extra, 0 missing" in proof.output
    assert len(path.read_text(encoding="utf-8-sig").splitlines()) == 3
    one = run(app, "certificate", "INV-0001")
    assert "the one record: invoice-1 INV-0001 (created)" in one.output


def test_what_needs_a_person_is_named(books: LedgerAccount, app: Flask) -> None:
    books.app.refuse_invoice["INV-0002"] = InvoiceRefused("The books are locked.", cause=Cause.PERIOD_LOCKED)
    sent = run(app, "send")
    assert sent.exit_code == 1
    assert "invoice INV-0002 to Ledger: The books are locked." in sent.output


def test_one_missing_there_ends_with_another_code(books: LedgerAccount, app: Flask) -> None:
    run(app, "send")
    del books.app.invoices["invoice-1"]
    proof = run(app, "certificate", "--app", "ledger", "--from", "2026-11-01", "--to", "2026-11-30")
    assert proof.exit_code == 1
    assert "INV-0001 missing there" in proof.output


def test_it_asks_for_what_it_needs(books: LedgerAccount, app: Flask) -> None:
    assert run(app, "certificate").exit_code == 2
    assert run(app, "certificate", "INV-9999").exit_code == 2
    assert run(app, "certificate", "--app", "nobody", "--from", "2026-11-01", "--to", "2026-11-30").exit_code == 2
