"""The certificate: what was sent for an invoice, and a period compared with the ledger as it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from portal import deliveries as shell
from portal.adapters.base import Unavailable
from portal.db import db
from portal.domain.deliveries import Delivery
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser

DAYS = "first=2026-11-01&last=2026-11-30"


@pytest.fixture
def books(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    made = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")])
    client = make_client("Acme Corp")
    make_link(client, made.connection, "r-1")
    for _ in range(3):
        bill(client, made.connection)
    db.session.commit()
    shell.deliver_due(datetime.now(UTC))
    return made


def test_an_invoice_shows_each_call_its_answer_and_the_one_record(
    books: LedgerAccount, sign_in_as: Callable[..., Browser]
) -> None:
    page = sign_in_as("member").get("/certificates/invoices/1")
    said = page.text
    assert "Invoice to Ledger" in said
    assert "once there" in said
    assert "Looked for" in said
    assert "nothing there" in said
    assert "created" in said
    assert "invoice-1" in said


def test_a_period_is_compared_with_the_ledger_only_when_asked(
    books: LedgerAccount, sign_in_as: Callable[..., Browser]
) -> None:
    alice = sign_in_as("admin")
    before = len(books.app.calls)
    assert "Each once" not in alice.get(f"/certificates/?{DAYS}").text
    assert len(books.app.calls) == before
    page = alice.get(f"/certificates/?{DAYS}&compare=now")
    assert "Each once" in page.text
    assert "INV-0003" in page.text
    assert len(books.app.calls) > before


def test_what_is_missing_or_there_twice_is_shown(books: LedgerAccount, sign_in_as: Callable[..., Browser]) -> None:
    second = db.session.get_one(Delivery, 2)
    twin = replace(books.app.invoices[str(second.remote_id)], remote_id="twin")
    books.app.invoices["twin"] = twin
    del books.app.invoices["invoice-1"]
    db.session.rollback()
    said = sign_in_as("admin").get(f"/certificates/?{DAYS}&compare=now").text
    assert "Not as it should be" in said
    assert "missing there" in said
    assert "there more than once" in said


def test_a_ledger_that_cannot_be_asked_is_no_proof(books: LedgerAccount, sign_in_as: Callable[..., Browser]) -> None:
    books.app.refuse("look", Unavailable("It cannot be reached."))
    said = sign_in_as("admin").get(f"/certificates/?{DAYS}&compare=now").text
    assert "It cannot be reached." in said
    assert "Each once" not in said


def test_it_comes_as_a_spreadsheet(books: LedgerAccount, sign_in_as: Callable[..., Browser]) -> None:
    page = sign_in_as("admin").get(f"/certificates/export?{DAYS}")
    lines = page.body.lstrip("\ufeff").splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("Invoice,Client,Issued")
    assert lines[1].endswith("there once,open")


def test_without_a_ledger_it_says_so(database: Any, sign_in_as: Callable[..., Browser]) -> None:
    assert "No ledger is connected" in sign_in_as("admin").get("/certificates/").text


def test_days_without_an_invoice_prove_nothing(books: LedgerAccount, sign_in_as: Callable[..., Browser]) -> None:
    page = sign_in_as("admin").get("/certificates/?first=2020-01-01&last=2020-01-31&compare=now")
    assert "Nothing to compare" in page.text
    assert "No invoice of these days was meant for this ledger." in page.text
    assert "Each once" not in page.text
    assert "Download as CSV" not in page.links()


def test_only_the_result_is_brought_anew_when_one_compares(
    books: LedgerAccount, sign_in_as: Callable[..., Browser]
) -> None:
    """The ledger may take a while; the page stays, and says what it waits for."""
    browser = sign_in_as("admin")
    assert "Looking up each invoice in the ledger." in browser.get(f"/certificates/?{DAYS}").text
    part = browser.get(f"/certificates/?{DAYS}&compare=now", block="result")
    assert not part.is_whole
    assert "Each once" in part.text
