"""Invoice settings of a ledger: what an admin chooses and maps; and the address its webhooks come to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from portal import integrations, receivables
from portal.adapters.ledger import WebhookRefused
from portal.domain import library
from portal.domain.activity import SYSTEM, Activity, sentence
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.ledgers import LedgerEntry, LedgerSettings, ServiceTarget, TaxMapping
from portal.domain.records import LedgerLists, ListEntry, ListKind
from tests.cast import make_client, now
from tests.cast_deliveries import bill
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser


@pytest.fixture(autouse=True)
def frozen(clock) -> None:
    """Before anybody signs in."""


@pytest.fixture
def alice(frozen, sign_in_as) -> Browser:
    return sign_in_as("admin")


@pytest.fixture
def books(story, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    with story() as session:
        made = pretend_ledger(monkeypatch, refuses_used_numbers=True, has_webhooks=True)
        session.add(
            LedgerEntry(connection_id=made.connection_id, kind="account", remote_id="260", name="Fees", code="260")
        )
        session.add(
            LedgerEntry(
                connection_id=made.connection_id, kind="account", remote_id="477", name="Wages", code="477",
                fits=False, why_not="it is an expense account",
            )
        )  # fmt: skip
        library.create_service("Payroll", by=SYSTEM, now=now())
        return made


def address(books: LedgerAccount, end: str = "invoices") -> str:
    return f"/apps/{books.connection_id}/{end}"


def said(story) -> list[str]:
    with story() as session:
        return [sentence(one) for one in session.query(Activity).order_by(Activity.id)]


def test_settings_are_saved_and_on_record(alice: Browser, books, story) -> None:
    page = alice.get(address(books)).submit("Save", due_days="20", default_target="260")
    assert page.said == "Saved. It holds from the next invoice on."
    with story() as session:
        kept = session.get(LedgerSettings, books.connection_id)
        assert (kept.due_days, kept.default_target, kept.creates) == (20, "260", True)
    assert said(story)[-1].startswith("Invoice settings of Ledger changed: ")
    assert alice.get(address(books)).submit("Save").said == "Nothing was different, so nothing was changed."


def test_what_cannot_stand_on_an_invoice_is_not_offered(alice: Browser, books) -> None:
    page = alice.get(address(books))
    offered = page.all("//select[@name='default_target']/option/@value")
    assert "260" in offered
    assert "477" not in offered
    assert "it is an expense account" in page.text


def test_bad_days_are_refused_and_nothing_is_lost(alice: Browser, books) -> None:
    page = alice.get(address(books)).submit("Save", due_days="-3", default_target="260")
    assert page.status == 422
    assert "due_days" in page.errors()
    assert page.all("//select[@name='default_target']/option[@selected]/@value") == ["260"]


def test_a_form_opened_before_somebody_else_saved_is_told_so(alice: Browser, books, story) -> None:
    """Fault row 89."""
    form = alice.get(address(books))
    alice.get(address(books)).submit("Save", due_days="20")
    late = form.submit("Save", due_days="7")
    assert late.status == 422
    assert "Somebody else saved these settings" in late.text
    with story() as session:
        assert session.get(LedgerSettings, books.connection_id).due_days == 20


def test_tax_rates_are_mapped_and_waiting_invoices_are_told(alice: Browser, books, story) -> None:
    with story() as session:
        rate = library.add_tax_rate("No GST", Decimal(0), by=SYSTEM, now=now())
        session.add(
            LedgerEntry(
                connection_id=books.connection_id, kind="tax", remote_id="zero", name="Zero rated", percent=Decimal(0)
            )
        )
        rate_id = rate.id
    page = alice.get(address(books))
    assert "suggested; save to keep it" in page.text
    assert page.submit("Save tax rates").said == "Saved. Invoices that waited for it are tried again now."
    with story() as session:
        assert session.get(TaxMapping, (books.connection_id, rate_id)).remote_id == "zero"


def test_a_rate_of_another_percentage_is_refused(alice: Browser, books, story) -> None:
    with story():
        rate_id = library.add_tax_rate("No GST", Decimal(0), by=SYSTEM, now=now()).id
    page = alice.post(address(books, "tax-mappings"), **{f"tax-{rate_id}": "tax-1"})
    assert page.said == "tax is 15 % and No GST is 0 %. Nothing was changed."


def test_a_service_gets_a_target_of_its_own_and_loses_it_again(alice: Browser, books, story) -> None:
    """AP-07."""
    alice.get(address(books)).submit("Save services", **{"target-1": "260"})
    with story() as session:
        assert session.get(ServiceTarget, (books.connection_id, 1)).remote_id == "260"
    alice.get(address(books)).submit("Save services", **{"target-1": ""})
    with story() as session:
        assert session.get(ServiceTarget, (books.connection_id, 1)) is None


class TestWhatWaitedIsTriedAgain:
    """An invoice that asked for a mapping goes by itself once there may be one."""

    @pytest.fixture
    def asking(self, story, books) -> int:
        with story():
            row = bill(make_client("Acme Corp"), books.connection)
            row.state, row.cause, row.reason = DeliveryState.ASKS, "account_not_valid", "No sales account is chosen."
            return row.id

    def state(self, story, delivery_id: int) -> DeliveryState:
        with story() as session:
            return session.get(Delivery, delivery_id).state

    def test_by_choosing_the_default(self, alice: Browser, books, story, asking: int) -> None:
        alice.get(address(books)).submit("Save", due_days="14")
        assert self.state(story, asking) == DeliveryState.ASKS
        alice.get(address(books)).submit("Save", default_target="260")
        assert self.state(story, asking) == DeliveryState.WAITING

    def test_by_giving_the_service_a_target(self, alice: Browser, books, story, asking: int) -> None:
        alice.get(address(books)).submit("Save services", **{"target-1": "260"})
        assert self.state(story, asking) == DeliveryState.WAITING

    def test_by_a_list_that_has_changed_there(self, books, story, asking: int, monkeypatch) -> None:
        usable = ListEntry(ListKind.ACCOUNT, "477", "Wages", code="477")
        monkeypatch.setattr(type(books.app), "fetch_lists", lambda app, session: LedgerLists((usable,)))
        with story():
            assert receivables.read_lists(books.connection_id, now()) == ""
        assert self.state(story, asking) == DeliveryState.WAITING


def test_a_webhook_key_is_kept_and_never_shown(alice: Browser, books, story) -> None:
    """Fault row 40."""
    page = alice.get(address(books)).submit("Keep this key", key="signing-secret-77")
    assert page.said.startswith("Kept.")
    assert "signing-secret-77" not in alice.get(address(books)).body
    with story():
        assert integrations.webhook_key("pretend") == "signing-secret-77"
    assert not any("signing-secret-77" in line for line in said(story))


def test_an_app_without_invoices_has_no_such_page(alice: Browser, story) -> None:
    from tests.cast import make_connection

    with story():
        connection_id = make_connection("xpm").id
    assert alice.get(f"/apps/{connection_id}/invoices").status == 404


@pytest.mark.parametrize("who", ["member", "support"])
def test_only_admins_set_it(sign_in_as, books, who: str) -> None:
    assert sign_in_as(who).get(address(books)).status == 403


class TestTheAddressOfWebhooks:
    def test_a_vendor_needs_no_sign_in_and_no_form(self, browser: Browser, books, monkeypatch) -> None:
        taken: list[tuple[str, bytes]] = []
        monkeypatch.setattr(receivables, "take", lambda app, headers, body, at: taken.append((app, body)) or 0)
        answer = browser.client.post("/hooks/ledger", data=b'{"a": 1}', base_url=browser.base)
        assert (answer.status_code, answer.data, taken) == (200, b"", [("ledger", b'{"a": 1}')])

    def test_a_signature_that_does_not_fit_is_401_without_a_word(self, browser: Browser, books, monkeypatch) -> None:
        """Fault row 47."""

        def refuse(*_args: object) -> int:
            raise WebhookRefused("the signature does not fit")

        monkeypatch.setattr(receivables, "take", refuse)
        answer = browser.client.post("/hooks/ledger", data=b"x", base_url=browser.base)
        assert (answer.status_code, answer.data) == (401, b"")

    def test_other_apps_and_bodies_without_end_are_refused(self, browser: Browser, books) -> None:
        """Fault row 108."""
        assert browser.client.post("/hooks/nobody", data=b"x", base_url=browser.base).status_code == 404
        assert browser.client.post("/hooks/ledger", data=b"x" * 600_000, base_url=browser.base).status_code == 413
        assert browser.client.get("/hooks/ledger", base_url=browser.base).status_code == 405

    def test_a_ledger_without_webhooks_takes_none(self, browser: Browser, books) -> None:
        books.app.ledger = replace(books.app.ledger, has_webhooks=False)
        assert browser.client.post("/hooks/ledger", data=b"x", base_url=browser.base).status_code == 404
