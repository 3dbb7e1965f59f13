"""An invoice whose client has no customer in the ledger says why, and leads to what mends just that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal import deliveries as delivering
from portal.domain import clients, outgoing
from portal.domain.activity import SYSTEM
from portal.domain.apps import ClientLink, LinkState
from portal.domain.clients import Client
from portal.domain.deliveries import DeliveryState
from portal.domain.text import NameRules
from tests.cast import make_client, make_finding, make_link, now
from tests.cast_deliveries import bill
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser, Page

RULES = NameRules(longest=20, without="<>:", single_spaces=True)


@pytest.fixture(autouse=True)
def frozen(clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "deliver_soon", lambda ids: None)


@pytest.fixture
def alice(frozen, sign_in_as) -> Browser:
    return sign_in_as("admin")


@pytest.fixture
def books(story, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    with story():
        return pretend_ledger(monkeypatch, info={"name_rules": RULES})


@pytest.fixture
def waits_for(story, books: LedgerAccount, alice: Browser) -> Callable[..., Page]:
    """The page of an invoice that waits for its customer, whose creation came to this."""

    def make(name: str = "Acme Corp", state: str = "failed", reason: str = "it was refused") -> Page:
        with story():
            client = make_client(name)
            row = bill(client, books.connection)
            row.state, row.cause, row.reason = DeliveryState.ASKS, "customer", f"{name} is not linked: {reason}."
            asked = outgoing.ask(client, books.connection, by=SYSTEM, now=now())
            asked.state, asked.reason = state, reason
            invoice_id = row.invoice_id
        return alice.get(f"/invoices/{invoice_id}")

    return make


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Smith <& Sons>", "Ledger takes no < or > in a customer’s name. Change the name here"),
        ("Acme: the shop", "Ledger takes no colon in a customer’s name. Change the name here"),
        ("Acme  Corp", "two spaces in a row"),
        ("Acme Corporation of Auckland", "at most 20 characters. Shorten the name here"),
        ("Acme Corp", "did not take the client’s details as they are"),
    ],
)
def test_each_refusal_of_a_name_has_its_own_advice_and_the_way_out(
    waits_for: Callable[..., Page], name: str, advice: str
) -> None:
    """IN-13."""
    page = waits_for(name)
    assert advice in page.text
    assert "exact name" not in page.text
    assert "Sync now" not in page.text
    edit = page.click("Change the client here")
    assert edit.find("//input[@name='name']").get("value") == name


def test_a_name_that_was_changed_meanwhile_is_no_longer_at_fault(
    waits_for: Callable[..., Page], story, alice: Browser
) -> None:
    page = waits_for("Acme: the shop")
    with story() as session:
        clients.edit(session.query(Client).one(), {"name": "Acme, the shop"}, by=SYSTEM, now=now())
    text = alice.get(page.path).text
    assert "on its way to Ledger once more" in text
    assert "Sync now" not in text


def test_a_client_who_is_archived_is_brought_back_first(waits_for: Callable[..., Page], story, alice: Browser) -> None:
    page = waits_for(state="asks", reason="it was archived here")
    with story() as session:
        clients.archive(session.query(Client).one(), by=SYSTEM, now=now())
    page = alice.get(page.path)
    assert "Bring the client back from the archive" in page.text
    assert page.links()["Open Acme Corp"].endswith("/clients/1")


def test_a_name_that_a_supplier_has_is_not_a_matter_of_spelling(waits_for: Callable[..., Page]) -> None:
    page = waits_for(state="asks", reason="somebody has this name")
    assert "Another customer, supplier or employee of Ledger has this name." in page.text
    assert "Apps of Acme Corp" in page.links()


def test_who_is_who_leads_to_the_matches_of_that_client_alone(
    waits_for: Callable[..., Page], story, books: LedgerAccount, alice: Browser
) -> None:
    """QBO-2, QBO-5."""
    page = waits_for(state="asks", reason="nearly the same name is there")
    with story() as session:
        found = make_finding(books.connection, "ACME Corp", candidates=[])
        found.client_id = session.query(Client).one().id
        make_finding(books.connection, "Somebody Else")
    page = alice.get(page.path).click("Link or tell apart")
    assert "ACME Corp" in page.text
    assert "Somebody Else" not in page.text


def test_a_broken_link_says_what_to_do_with_the_record_there(story, books: LedgerAccount, alice: Browser) -> None:
    """QB-09, M9."""
    with story() as session:
        acme = make_client("Acme Corp")
        make_link(acme, books.connection, "r-1")
        row = bill(acme, books.connection)
        row.state, row.cause, row.reason = DeliveryState.ASKS, "customer", "It was made inactive there."
        session.query(ClientLink).one().state = LinkState.BROKEN
        invoice_id = row.invoice_id
    page = alice.get(f"/invoices/{invoice_id}")
    assert "Make the customer active again in Ledger, or link the client to another record" in page.text
    assert "Apps of Acme Corp" in page.links()
