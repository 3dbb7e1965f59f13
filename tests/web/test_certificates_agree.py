"""A period's certificate tells one story: on the page, in the file, in a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from click.testing import Result

from portal import deliveries as shell
from portal.adapters.base import Unavailable
from portal.db import db
from portal.domain.apps import ConnectionState
from portal.domain.deliveries import certificate
from tests.cast import make_client, make_link
from tests.cast_deliveries import bill
from tests.pretend_app import record
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser

DAY = date(2026, 11, 3)


@pytest.fixture
def mixed(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Once, differs, missing, extra."""
    books = pretend_ledger(monkeypatch, [record("r-1", "Acme Corp")], refuses_used_numbers=True)
    client = make_client("Acme Corp")
    make_link(client, books.connection, "r-1")
    for _ in range(4):
        bill(client, books.connection)
    db.session.commit()
    shell.deliver_due(datetime.now(UTC))
    _first, second, third, last = books.app.invoices.values()
    books.app.invoices[second.remote_id] = replace(second, total=Decimal("99.00"))
    del books.app.invoices[third.remote_id]
    books.app.put_invoice("INV-0004", mark=last.mark, total=last.total)
    return books


def told(mixed: LedgerAccount) -> Iterator[tuple[str, str, str]]:
    for row in shell.compare(mixed.connection, DAY, DAY).rows:
        yield row.invoice.number, certificate.VERDICTS[row.verdict], row.words


def test_as_csv(mixed: LedgerAccount, sign_in_as: Callable[..., Browser]) -> None:
    expected = list(told(mixed))
    ledger = mixed.connection_id
    db.session.rollback()
    page = sign_in_as("admin").get(f"/certificates/export?ledger={ledger}&first={DAY}&last={DAY}")
    rows = list(csv.DictReader(io.StringIO(page.body.lstrip("\ufeff"))))
    assert [(row["Invoice"], row["Verdict"], row["Note"]) for row in rows] == expected
    assert [row["Verdict"] for row in rows] == [
        "there once", "there once, but it differs", "missing there", "there more than once",
    ]  # fmt: skip


def test_on_the_page(mixed: LedgerAccount, sign_in_as: Callable[..., Browser]) -> None:
    expected = list(told(mixed))
    ledger = mixed.connection_id
    db.session.rollback()
    page = sign_in_as("admin").get(f"/certificates/?ledger={ledger}&first={DAY}&last={DAY}&compare=now").body
    assert "Not as it should be" in page
    for number, verdict, words in expected:
        line = page[page.index(f">{number}</a>") :].split("</tr>")[0]
        assert verdict in line
        assert verdict == "there once" or words.replace("NZD ", "$") in line  # as the firm writes its own money


def test_in_a_terminal(mixed: LedgerAccount, app: Any) -> None:
    expected = list(told(mixed))
    ledger = str(mixed.connection_id)
    db.session.rollback()
    command = ["deliveries", "certificate", "--connection", ledger, "--from", str(DAY), "--to", str(DAY)]
    done: Result = app.test_cli_runner().invoke(args=command)
    assert done.exit_code == 1
    assert "4 delivered, 4 records in the ledger, 1 extra, 1 missing" in done.output
    for number, verdict, words in expected[1:]:
        assert f"{number} {verdict}: {words}" in done.output


def test_half_way_and_disconnected_are_said_and_show_no_figures(
    mixed: LedgerAccount, sign_in_as: Callable[..., Browser]
) -> None:
    ledger = mixed.connection_id
    mixed.app.refuse("look", Unavailable("It is down."))
    db.session.rollback()
    address = f"/certificates/?ledger={ledger}&first={DAY}&last={DAY}&compare=now"
    alice = sign_in_as("admin")
    page = alice.get(address).text
    assert "It is down." in page
    assert "Records in the ledger" not in page
    mixed.connection.move_to(ConnectionState.NEEDS_RECONNECT, now=datetime.now(UTC))
    db.session.commit()
    page = alice.get(address).text
    assert "has to be connected again first" in page
    assert "Records in the ledger" not in page
