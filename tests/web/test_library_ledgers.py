"""What a service is booked to in each ledger, chosen where the service itself is written (AP-07)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.domain import library
from portal.domain.activity import SYSTEM
from portal.domain.ledgers import LedgerEntry, ServiceTarget
from tests.cast import now
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser


@pytest.fixture(autouse=True)
def frozen(clock) -> None:
    """Before anybody signs in."""


@pytest.fixture
def books(story, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """A ledger with two accounts, one of which cannot stand on an invoice."""
    with story() as session:
        made = pretend_ledger(monkeypatch)
        facts = {"connection_id": made.connection_id, "kind": "account"}
        session.add(LedgerEntry(**facts, remote_id="260", name="Fees", code="260"))
        session.add(LedgerEntry(**facts, remote_id="477", name="Wages", code="477", fits=False, why_not="an expense"))
        library.create_service("Payroll", by=SYSTEM, now=now(), price=Decimal(18))
        return made


def test_a_service_is_booked_to_an_account_of_its_own_from_its_own_page(books, sign_in_as, story) -> None:
    browser: Browser = sign_in_as("admin")
    page = browser.get("/library/services/1")
    name = f"ledger-{books.connection_id}-target"
    offered = [one.text_content() for one in page.all(f"//select[@name='{name}']/option")]
    assert offered[0].startswith("The default: ")
    assert "260 Fees" in offered
    assert not any("Wages" in one for one in offered)
    assert page.submit("Save", **{name: "260"}).said == "Saved."
    with story() as session:
        assert session.get(ServiceTarget, (books.connection_id, 1)).remote_id == "260"
    page = browser.get("/library/services/1")
    assert page.submit("Save").said == "Nothing was changed."
    assert page.submit("Save", **{name: ""}).said == "Saved."
    with story() as session:
        assert session.get(ServiceTarget, (books.connection_id, 1)) is None


def test_a_new_service_is_booked_at_once(books, sign_in_as, story) -> None:
    name = f"ledger-{books.connection_id}-target"
    page = sign_in_as("admin").get("/library/new").submit("Save", name="Advice", price="240", **{name: "260"})
    assert page.said == "Advice is in the library."
    with story() as session:
        assert session.get(ServiceTarget, (books.connection_id, 2)).remote_id == "260"


def test_what_cannot_stand_on_an_invoice_is_refused_beside_its_choice(books, sign_in_as, story) -> None:
    browser: Browser = sign_in_as("admin")
    name = f"ledger-{books.connection_id}-target"
    page = browser.get("/library/services/1").submit("Save", **{name: "477"})
    assert page.errors() == {name: "Choose one of those listed."}
    with story() as session:
        assert session.get(ServiceTarget, (books.connection_id, 1)) is None
