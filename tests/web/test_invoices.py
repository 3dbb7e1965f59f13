"""The Invoices screen: found, settled, voided, printed, and shown to a client behind a private link."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal import deliveries as delivering
from portal.domain.activity import Activity, sentence
from portal.domain.apps import Finding
from portal.domain.deliveries import Delivery, DeliveryState
from portal.domain.invoices import Invoice
from portal.domain.ledgers import ClientBilling
from tests.cast import make_client, make_finding, make_link
from tests.cast_deliveries import bill
from tests.cast_invoices import make_invoice, make_item
from tests.pretend_ledger import LedgerAccount, pretend_ledger
from tests.reading import Browser


@pytest.fixture
def alice(sign_in_as) -> Browser:
    return sign_in_as("admin")


@pytest.fixture(autouse=True)
def sent(clock, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What was to go out at once."""
    asked: list[list[int]] = []
    monkeypatch.setattr(delivering, "deliver_soon", lambda ids: asked.append(list(ids)) if ids else None)
    return asked


@pytest.fixture
def invoice(story, clock) -> int:
    """INV-0001 over 115.00, in no ledger."""
    with story():
        acme = make_client("Acme Corp")
        return make_invoice(acme, make_item(acme, tax="15", description="For the year")).id


@pytest.fixture
def books(story, clock, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    with story():
        return pretend_ledger(monkeypatch, refuses_used_numbers=True)


def in_ledger(story, books: LedgerAccount, **values: object) -> int:
    """An invoice whose delivery stands as said."""
    with story():
        acme = make_client("Acme Corp")
        make_link(acme, books.connection, "r-1")
        row = bill(acme, books.connection)
        for name, value in values.items():
            setattr(row, name, value)
        return row.invoice_id


def log(story) -> list[str]:
    with story() as session:
        rows = session.query(Activity).filter(Activity.invoice_id.is_not(None)).order_by(Activity.id)
        return [sentence(one) for one in rows]


def state(story, invoice_id: int) -> tuple[bool, bool]:
    """(paid, voided)"""
    with story() as session:
        found = session.get(Invoice, invoice_id)
        return found.paid_at is not None, found.voided_at is not None


class TestThePage:
    def test_it_shows_lines_tax_and_total(self, alice: Browser, invoice: int) -> None:
        page = alice.get(f"/invoices/{invoice}")
        assert page.title.startswith("Invoice INV-0001")
        for words in ("Annual accounts", "For the year", "GST 15 %", "$115.00", "$15.00", "$100.00"):
            assert words in page.text

    def test_its_log_is_there_newest_first_and_looks_again_by_itself_while_unpaid(
        self, alice: Browser, invoice: int, story
    ) -> None:
        page = alice.get(f"/invoices/{invoice}")
        assert page.all("//ol[@class='log']/li/span[@class='what']//text()")[0].startswith("Invoice created by")
        assert page.all("//*[@id='live']/@hx-trigger") == ["every 10s"]
        block = alice.get(f"/invoices/{invoice}", block="live")
        assert block.all("//ol[@class='log']/li")
        page.submit("Mark as paid", paid_on="2026-11-03", method="cash")
        assert alice.get(f"/invoices/{invoice}").all("//*[@id='live']/@hx-trigger") == ["every 60s"]

    def test_while_it_is_on_its_way_the_page_looks_every_two_seconds(self, alice: Browser, story, books) -> None:
        page = alice.get(f"/invoices/{in_ledger(story, books)}")
        assert page.all("//*[@id='live']/@hx-trigger") == ["every 2s"]
        assert "Waiting" in page.text

    def test_a_refusal_stands_there_with_its_reason_advice_and_the_button(
        self, alice: Browser, story, books, sent
    ) -> None:
        """IN-12, IN-13."""
        invoice_id = in_ledger(
            story, books, state=DeliveryState.FAILED, cause="account_not_valid", reason="Account 477 is an expense."
        )
        page = alice.get(f"/invoices/{invoice_id}")
        assert "Account 477 is an expense." in page.text
        assert "Choose a sales account of Ledger" in page.text
        assert page.links()["Invoice settings of Ledger"].endswith(f"/apps/{books.connection_id}/invoices")
        page.submit("Create in Ledger")
        with story() as session:
            row = session.query(Delivery).one()
            assert (row.state, sent) == (DeliveryState.WAITING, [[row.id]])

    def test_a_customer_who_is_not_found_tells_the_whole_story(self, alice: Browser, story, books) -> None:
        """QBO-2, QBO-5: why, both spellings, *Sync now*, and pushing again from the same place."""
        invoice_id = in_ledger(
            story, books, state=DeliveryState.ASKS, cause="customer", reason="Acme Corp is not there."
        )
        with story() as session:
            made = make_finding(books.connection, "ACME Corp")
            session.get(Finding, made.id).client_id = session.get(Invoice, invoice_id).client_id
        page = alice.get(f"/invoices/{invoice_id}")
        for words in ("Acme Corp is not there.", "ACME Corp", "Sync now", "Create in Ledger", "capital"):
            assert words in page.text, words

    def test_support_mends_deliveries_and_settles_nothing(self, sign_in_as, story, books) -> None:
        invoice_id = in_ledger(story, books, state=DeliveryState.FAILED, cause="other", reason="No.")
        page = sign_in_as("support").get(f"/invoices/{invoice_id}")
        assert "Create in Ledger" in page.buttons()
        assert not {"Mark as paid", "Void invoice INV-0001"} & set(page.buttons())

    def test_the_pdf_is_one(self, alice: Browser, invoice: int) -> None:
        answer = alice.client.get(f"/invoices/{invoice}/invoice.pdf", base_url=alice.base)
        assert (answer.mimetype, answer.data[:5], answer.headers["Cache-Control"]) == (
            "application/pdf", b"%PDF-", "no-store",
        )  # fmt: skip

    def test_nobody_has_invoices_that_do_not_exist(self, alice: Browser) -> None:
        assert alice.get("/invoices/99").status == 404


class TestSettling:
    def test_paid_by_hand_and_set_back(self, alice: Browser, invoice: int, story) -> None:
        """IN-30."""
        page = alice.get(f"/invoices/{invoice}").submit(
            "Mark as paid", paid_on="2026-11-02", method="cheque", reference="Cheque 77"
        )
        assert page.said.startswith("Invoice INV-0001 is marked as paid: $115.00.")
        assert state(story, invoice) == (True, False)
        page = page.submit("Undo")
        assert (page.said, state(story, invoice)) == ("Invoice INV-0001 is unpaid again.", (False, False))
        assert "Invoice marked as paid by Alice Ngata: $115.00 on 2 Nov 2026 by cheque" in page.text
        assert "NZD" not in page.text
        assert log(story)[-2:] == [
            "Invoice marked as paid by Alice Ngata: NZD 115.00 on 2 Nov 2026 by cheque",
            "Invoice set back to unpaid by Alice Ngata",
        ]

    def test_a_day_that_has_not_come_is_refused_and_loses_nothing(self, alice: Browser, invoice: int, story) -> None:
        page = alice.get(f"/invoices/{invoice}").submit(
            "Mark as paid", paid_on="2027-01-01", method="cheque", reference="Cheque 77"
        )
        assert (page.status, page.errors()) == (422, {"paid_on": "That day has not come yet."})
        assert page.all("//input[@name='reference']/@value") == ["Cheque 77"]
        assert state(story, invoice) == (False, False)

    def test_voiding_needs_a_reason_and_hides_it_from_members(
        self, alice: Browser, sign_in_as, invoice: int, story
    ) -> None:
        """IN-33, IN-36."""
        page = alice.get(f"/invoices/{invoice}")
        assert page.submit("Void invoice INV-0001").errors() == {"reason": "Choose a reason."}
        done = page.submit("Void invoice INV-0001", reason="duplicate", note="Twice by mistake")
        assert done.said == "Invoice INV-0001 is voided here."
        assert "Issued twice" in done.text
        assert sign_in_as("member").get(f"/invoices/{invoice}").status == 404
        assert "INV-0001" not in alice.get("/invoices").text
        assert "INV-0001" in alice.get("/invoices?voided=yes").text
        assert "INV-0001" not in sign_in_as("member").get("/invoices?voided=yes").text

    def test_a_second_press_says_what_is_so(self, alice: Browser, invoice: int) -> None:
        page = alice.get(f"/invoices/{invoice}")
        page.submit("Void invoice INV-0001", reason="duplicate")
        again = page.submit("Void invoice INV-0001", reason="duplicate")
        assert again.said == "Invoice INV-0001 was voided already."

    def test_members_settle_nothing(self, sign_in_as, invoice: int, story) -> None:
        bob = sign_in_as("member")
        assert bob.post(f"/invoices/{invoice}/payments", paid_on="2026-11-02", method="cash").status == 403
        assert bob.post(f"/invoices/{invoice}/voiding", reason="other").status == 403
        assert state(story, invoice) == (False, False)

    def test_a_number_the_ledger_has_for_another_is_replaced_by_the_next_free_one(
        self, alice: Browser, story, books, sent
    ) -> None:
        """Fault row 94."""
        invoice_id = in_ledger(
            story, books, state=DeliveryState.FAILED, cause="number_used", reason="INV-0001 is somebody else’s there."
        )
        page = alice.get(f"/invoices/{invoice_id}").submit("Give it the next free number")
        assert page.said.startswith("Invoice INV-0001 is now INV-")
        assert len(sent) == 1


class TestTheList:
    @pytest.fixture
    def three(self, story, clock) -> None:
        with story():
            for name, price in (("Acme Corp", "100"), ("Beta <b>Ltd</b>", "250"), ("Gamma", "10")):
                client = make_client(name)
                make_invoice(client, make_item(client, price=price))

    def test_it_lists_sums_searches_and_sorts(self, alice: Browser, three) -> None:
        page = alice.get("/invoices")
        assert "3 invoices" in page.text
        assert "$360.00" in page.text
        numbers = "//tbody/tr/td[2]/a/text()"
        assert alice.get("/invoices?q=beta").all(numbers) == ["INV-0002"]
        assert alice.get("/invoices?q=INV-0003").all(numbers) == ["INV-0003"]
        assert alice.get("/invoices?sort=-amount").all(numbers) == ["INV-0002", "INV-0001", "INV-0003"]
        assert alice.get("/invoices?standing=paid").all(numbers) == []

    def test_of_very_many_the_sums_come_after_the_page(
        self, alice: Browser, three, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Fault row 88: no page waits for everything to be added up."""
        monkeypatch.setattr("portal.domain.invoices.narrowed.CAP", 2)
        page = alice.get("/invoices?since=2020-01-01&sort=-amount")
        assert "$360.00" not in page.text
        (address,) = page.all("//a[@id='sums' and @hx-trigger='load']/@hx-get")
        assert page.all("//a[@id='sums']/@href") == [address]
        assert "$360.00, $360.00 to be paid" in alice.get(address).text
        assert alice.get(address, block="sums").text.strip().startswith("$360.00")

    def test_what_means_nothing_in_an_address_is_said(self, alice: Browser, three) -> None:
        assert "not a day" in alice.get("/invoices?since=soon").text

    def test_several_are_marked_as_paid_at_once(self, alice: Browser, three, story) -> None:
        """IN-32."""
        asked = alice.post("/invoices/bulk", id=["1", "3"], act="pay")
        assert "2 invoices" in asked.text
        assert "$110.00" in asked.text
        done = asked.submit("Mark 2 invoices as paid", paid_on="2026-11-03", method="bank_transfer")
        assert done.said == "2 invoices are marked as paid. Undo"
        assert [state(story, one)[0] for one in (1, 2, 3)] == [True, False, True]
        assert done.submit("Undo").said == "2 invoices are unpaid again."
        assert [state(story, one)[0] for one in (1, 2, 3)] == [False, False, False]

    def test_of_several_one_that_cannot_does_not_stop_the_others(self, alice: Browser, three, story) -> None:
        alice.post("/invoices/1/payments", paid_on="2026-11-03", method="cash")
        done = alice.post("/invoices/bulk/voiding", id=["1", "2"], reason="duplicate")
        assert done.said.startswith("1 invoice is voided here. 1 was not: Something was paid on invoice INV-0001")
        assert [state(story, one)[1] for one in (1, 2)] == [False, True]

    def test_what_cannot_be_done_is_shown_before_anything_is(self, alice: Browser, three, story) -> None:
        """IN-33, IN-34."""
        alice.post("/invoices/1/payments", paid_on="2026-11-03", method="cash")
        page = alice.post("/invoices/bulk", id=["1", "2"], act="void")
        assert "1 invoice cannot be voided" in page.text
        assert "it is paid already" in page.text
        assert "Void 1 invoice" in page.buttons()
        nothing = alice.post("/invoices/bulk", id=["1"], act="pay")
        assert "None of them can be marked as paid" in nothing.text
        assert not [one for one in nothing.buttons() if one.startswith("Mark")]

    def test_afterwards_the_list_is_filtered_as_before(self, alice: Browser, three) -> None:
        headers = {"Referer": f"{alice.base}/invoices?q=beta"}
        asked = alice.post("/invoices/bulk", id=["2"], act="pay", headers=headers)
        assert asked.links()["Back"] == "/invoices?q=beta"
        done = asked.submit("Mark 1 invoice as paid", paid_on="2026-11-03", method="cash")
        assert done.all("//input[@name='q']/@value")[-1] == "beta"

    def test_a_payment_just_marked_can_be_undone_before_it_goes_to_the_ledger(
        self, alice: Browser, story, books, sent
    ) -> None:
        invoice_id = in_ledger(story, books, state=DeliveryState.DELIVERED, remote_id="there-1")
        page = alice.get(f"/invoices/{invoice_id}").submit("Mark as paid", paid_on="2026-11-03", method="cash")
        assert "It is recorded in Ledger too in a moment; until then it can be undone." in page.said
        assert sent == []
        assert page.submit("Undo").said == "Invoice INV-0001 is unpaid again."
        with story() as session:
            assert session.query(Delivery).filter_by(kind="payment").one().state == DeliveryState.WITHDRAWN

    def test_a_payment_a_ledger_refused_says_so_and_can_be_sent_again(self, alice: Browser, story, books, sent) -> None:
        """IN-12."""
        invoice_id = in_ledger(story, books, state=DeliveryState.DELIVERED, remote_id="there-1")
        alice.get(f"/invoices/{invoice_id}").submit("Mark as paid", paid_on="2026-11-03", method="cash")
        with story() as session:
            row = session.query(Delivery).filter_by(kind="payment").one()
            row.state, row.cause, row.reason = DeliveryState.FAILED, "period_locked", "November is locked."
        page = alice.get(f"/invoices/{invoice_id}")
        for words in ("The payment of $115.00 is not in Ledger yet", "November is locked.", "Unlock them there"):
            assert words in page.text, words
        page.submit("Record in Ledger")
        with story() as session:
            row = session.query(Delivery).filter_by(kind="payment").one()
            assert (row.state, sent) == (DeliveryState.WAITING, [[row.id]])

    def test_nothing_ticked_is_told_so(self, alice: Browser, three) -> None:
        assert alice.post("/invoices/bulk", act="pay").said.startswith("Tick the invoices first")

    def test_the_csv_holds_the_view(self, alice: Browser, three) -> None:
        answer = alice.get("/invoices/export.csv?q=beta").response
        lines = answer.data.decode("utf-8-sig").splitlines()
        assert (len(lines), "Beta <b>Ltd</b>" in lines[1], ",250" in lines[1]) == (2, True, True)

    def test_no_invoice_yet_says_where_they_come_from(self, alice: Browser) -> None:
        assert "No invoices yet" in alice.get("/invoices").text


class TestTheClientsTab:
    def test_it_lists_the_clients_own(self, alice: Browser, invoice: int, story) -> None:
        with story():
            other = make_client("Beta")
            make_invoice(other, make_item(other))
        page = alice.get("/clients/1/invoices")
        assert page.all("//tbody/tr/td[2]/a/text()") == ["INV-0001"]

    def test_the_clients_own_ledger_is_chosen_there(self, alice: Browser, invoice: int, story, books) -> None:
        """XE-04."""
        page = alice.get("/clients/1/invoices").submit("Save", connection="0")
        assert page.said.startswith("Invoices of Acme Corp go to no ledger from now on.")
        page.submit("Save", connection=str(books.connection_id))
        with story() as session:
            row = session.get(ClientBilling, 1)
            assert (row.connection_id, row.creates) == (books.connection_id, True)

    def test_an_invoice_made_before_goes_to_the_ledger_when_asked(
        self, alice: Browser, invoice: int, story, books, sent
    ) -> None:
        alice.get(f"/invoices/{invoice}").submit("Create in Ledger")
        with story() as session:
            row = session.query(Delivery).one()
            assert (row.invoice_id, row.connection_id, sent) == (invoice, books.connection_id, [[row.id]])


class TestTheClientsLink:
    def link(self, alice: Browser, invoice: int) -> str:
        said = alice.get(f"/invoices/{invoice}").submit("Copy payment link").said
        return "/pay/" + said.rpartition("/pay/")[2].strip()

    def test_the_client_sees_this_invoice_and_nothing_else(
        self, alice: Browser, browser: Browser, invoice: int
    ) -> None:
        address = self.link(alice, invoice)
        page = browser.get(address)
        assert "$115.00" in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert browser.client.get(address + "/invoice.pdf", base_url=browser.base).data[:5] == b"%PDF-"

    def test_a_new_link_ends_the_old_one(self, alice: Browser, browser: Browser, invoice: int) -> None:
        old = self.link(alice, invoice)
        new = self.link(alice, invoice)
        assert (browser.get(old).status, browser.get(new).status) == (404, 200)

    def test_any_other_token_finds_nothing(self, browser: Browser, invoice: int) -> None:
        """Fault row 60."""
        assert {browser.get(f"/pay/{token}").status for token in ("1", "x" * 32, "x" * 5000)} == {404}

    def test_a_voided_one_opens_as_such(self, alice: Browser, browser: Browser, invoice: int) -> None:
        """PP-10."""
        address = self.link(alice, invoice)
        alice.get(f"/invoices/{invoice}").submit("Void invoice INV-0001", reason="duplicate")
        assert "This invoice was withdrawn." in browser.get(address).text


def test_totals_never_add_currencies(alice: Browser, story, clock) -> None:
    """Fault row 86."""
    with story() as session:
        acme = make_client("Acme Corp")
        for currency in ("NZD", "JPY"):
            made = make_invoice(acme, make_item(acme))
            session.get(Invoice, made.id).currency = currency
    page = alice.get("/invoices")
    assert "$100.00" in page.text
    assert "JP¥100" in page.text
    assert str(Decimal(200)) not in page.text
