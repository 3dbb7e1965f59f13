"""The send screens: an invoice or a proposal by mail to the client's people, and what became of each message."""

from __future__ import annotations

from typing import Any

import pytest

from portal.db import db
from portal.domain import mail
from portal.domain.clients import Client
from portal.domain.invoices import Invoice, sending
from portal.domain.mail import MailState
from tests.cast import COMMAND, make_client, now
from tests.cast_invoices import make_invoice, make_item
from tests.reading import Browser, Page
from tests.web.post import AROHA, CONTACTS, SENDER, TAMA, link_in, one_id, preview, rows, send_all

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def bob(sign_in_as) -> Browser:
    return sign_in_as("member")


@pytest.fixture
def acme(clock, story) -> int:
    with story():
        return make_client("Acme Corp", contacts=CONTACTS).id


@pytest.fixture
def invoice(acme, story) -> int:
    """INV-0001 over 115.00."""
    with story():
        client = db.session.get_one(Client, acme)
        return make_invoice(client, make_item(client, tax="15")).id


def ids_of(page: Page) -> dict[str, str]:
    """Address of each contact that can be ticked -> the value of its box."""
    boxes = page.all("//input[@name='contact'][@type='checkbox'][not(@disabled)]")
    return {one.getparent().xpath(".//span[@class='soft']")[0].text: one.get("value") for one in boxes}


def part(page: Page) -> str:
    return " ".join(page.find("//section[@id='mails']").text_content().split())


class TestAnInvoice:
    def test_issuing_leads_to_the_send_screen_and_skipping_sends_nothing(self, box, bob, acme, story) -> None:
        """BS-04."""
        with story():
            key = f"i{make_item(db.session.get_one(Client, acme)).id}"
        review = bob.get(f"/clients/{acme}/billing/invoice", query={"key": key}).submit("Next: review")
        page = review.submit("Issue invoice")
        assert (page.h1, page.said) == ("Send invoice INV-0001", "Invoice INV-0001 is issued.")
        assert page.click("Skip").h1 == "Invoice INV-0001"
        with story():
            assert rows() == []

    def test_it_opens_filled_in_and_shows_the_message_as_it_will_look(self, box, bob, invoice) -> None:
        page = bob.get(f"/invoices/{invoice}/sending")
        ticked = page.all("//input[@name='contact'][@checked]")
        assert [one.get("value") for one in ticked] == [ids_of(page)[AROHA]]
        assert page.find("//input[@name='subject']").get("value") == "Invoice INV-0001 from Marlow & Co"
        assert "Acme Corp" in preview(page) and "$115.00" in preview(page) and "{{" not in preview(page)
        assert f"To Aroha Ngata <{AROHA}>" in preview(page) and f"From Marlow & Co <{SENDER}>" in preview(page)
        assert "See the invoice online" in preview(page) and "INV-0001.pdf" in preview(page)
        assert "Front desk no email" in page.text

    def test_the_preview_follows_what_is_typed_and_keeps_nothing(self, box, bob, invoice, story) -> None:
        page = bob.get(f"/invoices/{invoice}/sending")
        typed = {"id": invoice, "subject": "About {{number}}", "message": "It comes to {{total}}.\n<b>Bold</b>"}
        seen = bob.post("/invoices/sending/previews", block="preview", contact=ids_of(page)[TAMA], **typed)
        assert not seen.is_whole
        assert "Subject About INV-0001" in preview(seen) and "It comes to $115.00." in preview(seen)
        assert f"To Tama Ngata <{TAMA}>" in preview(seen) and "See the invoice online" not in preview(seen)
        assert "<b>Bold</b>" in preview(seen)  # as text
        with story():
            assert rows() == [] and db.session.get_one(Invoice, invoice).pay_token is None

    def test_without_scripts_a_button_shows_the_preview(self, box, bob, invoice) -> None:
        page = bob.get(f"/invoices/{invoice}/sending")
        shows = next(one for one in page.all("//button[@formaction]"))
        seen = bob.post(shows.get("formaction"), id=invoice, subject="Hello", message="There")
        assert (seen.status, seen.is_whole, seen.h1) == (200, True, "Send invoice INV-0001")
        assert "Subject Hello" in preview(seen)

    def test_sending_reaches_everybody_ticked_and_the_address_typed_with_one_link(
        self, box, bob, invoice, story
    ) -> None:
        """BS-04, IN-20, PP-01, fault row 106: the link leads to the portal's own address."""
        page = bob.get(f"/invoices/{invoice}/sending")
        both = [ids_of(page)[AROHA], ids_of(page)[TAMA]]
        after = page.submit("Send", contact=both, other="books@elsewhere.example", subject="Your invoice {{number}}")
        assert after.said == (
            f"Invoice INV-0001 is on its way to Aroha Ngata <{AROHA}>, Tama Ngata <{TAMA}> and books@elsewhere.example."
        )
        assert part(after).count("Waiting to be sent") == 3
        send_all(story)
        assert [one.to for one in box.mails] == [AROHA, TAMA, "books@elsewhere.example"]
        (link,) = {link_in(one) for one in box.mails}
        assert box.mails[0].subject == "Your invoice INV-0001"
        assert [one.name for one in box.mails[0].attachments] == ["INV-0001.pdf"]
        assert box.mails[0].attachments[0].data.startswith(b"%PDF-")
        assert "Invoice INV-0001" in Browser(bob.app).get(link).text
        shown = bob.get(f"/invoices/{invoice}")
        assert part(shown).count("May have") == 0 and part(shown).count("Sent") == 4  # the heading and each of them
        log = " ".join(shown.find("//ol[contains(@class, 'log')]").text_content().split())
        assert f"Invoice sent to Tama Ngata <{TAMA}>" in log
        assert "Send again" in shown.links()

    def test_the_form_pressed_twice_sends_once(self, box, bob, invoice, story) -> None:
        """ST-09, fault row 91."""
        page = bob.get(f"/invoices/{invoice}/sending")
        page.submit("Send")
        again = page.submit("Send")
        assert again.said == "That form was sent already; nobody gets it twice."
        send_all(story)
        assert [one.to for one in box.mails] == [AROHA]

    def test_without_the_link_an_older_link_stays_open(self, box, bob, invoice, story) -> None:
        with story():
            token = sending.payment_token(db.session.get_one(Invoice, invoice), by=COMMAND, now=now())
        page = bob.get(f"/invoices/{invoice}/sending")
        assert "A link made before, sent or copied, stops opening then." in page.text
        page.submit("Send", with_link=None)
        send_all(story)
        assert "/pay/" not in box.mails[0].text
        assert Browser(bob.app).get(f"/pay/{token}").status == 200

    def test_sending_again_with_a_link_takes_back_what_waits_with_the_one_before(
        self, box, bob, invoice, story
    ) -> None:
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        bob.get(f"/invoices/{invoice}/sending").submit("Send", subject="Once more")
        with story():
            assert [one.state for one in rows()] == [MailState.WITHDRAWN, MailState.WAITING]
        send_all(story)
        assert [one.subject for one in box.mails] == ["Once more"]

    @pytest.mark.parametrize(
        ("typed", "field", "said"),
        [
            ({"contact": None}, "contact", "Tick at least one person, or type an address."),
            ({"other": "not an address"}, "other", "not an address is not an email address."),
            ({"other": "a@b.example\r\nBcc: all@evil.example"}, "other", "cannot be written to"),
            ({"subject": " "}, "subject", "Write a subject."),
            ({"message": ""}, "message", "Write a message."),
            ({"subject": "Pay {{amount}}"}, "subject", "There is no field {{amount}} here."),
            ({"message": "Dear {{ name }}"}, "message", "There is no field {{name}} here."),
        ],
    )
    def test_what_cannot_be_sent_is_said_beside_its_field_and_nothing_is_lost(
        self, box, bob, invoice, story, typed: dict[str, Any], field: str, said: str
    ) -> None:
        """Fault row 105."""
        page = bob.get(f"/invoices/{invoice}/sending").submit("Send", **typed)
        assert page.status == 422
        assert said in page.errors()[field]
        assert "Everything you typed is still here" in page.text
        with story():
            assert rows() == []

    def test_a_line_break_in_a_subject_reaches_no_header(self, box, bob, invoice, story) -> None:
        """Fault row 105."""
        page = bob.get(f"/invoices/{invoice}/sending")
        page.submit("Send", subject="Invoice\r\nBcc: all@evil.example")
        send_all(story)
        (one,) = box.mails
        assert one.parsed["Bcc"] is None
        assert one.subject == "Invoice Bcc: all@evil.example"

    def test_markup_in_names_and_texts_stays_text(self, box, bob, story) -> None:
        """Fault rows 84 and 102."""
        evil = "<script>alert(1)</script>\"'&"
        with story():
            client = make_client(evil, contacts=[{"name": evil, "email": AROHA}])
            invoice = make_invoice(client, make_item(client)).id
        page = bob.get(f"/invoices/{invoice}/sending")
        assert evil in preview(page) and not page.all("//main//script")
        after = page.submit("Send", message=f"{evil} {{{{client}}}}")
        assert evil in part(after) and not after.all("//main//script")
        send_all(story)
        assert "<script>" not in box.mails[0].html and "&lt;script&gt;" in box.mails[0].html

    def test_a_message_that_was_refused_says_why_and_can_be_tried_again(self, box, bob, invoice, story) -> None:
        """IN-03."""
        box.go_wrong("refuse", AROHA, times=1)
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        send_all(story)
        page = bob.get(f"/invoices/{invoice}")
        assert "Not sent" in part(page) and AROHA in part(page)
        assert "Invoice could not be sent to" in page.text
        after = page.submit("Try again")
        assert after.said == f"The message to {AROHA} is on its way again."
        send_all(story)
        assert [one.to for one in box.mails] == [AROHA]
        assert "Try again" not in bob.get(f"/invoices/{invoice}").buttons()

    def test_one_that_may_have_arrived_is_sent_again_only_by_somebody_who_knows(self, box, bob, invoice, story) -> None:
        box.go_wrong("drop", AROHA, times=1)
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        send_all(story)
        page = bob.get(f"/invoices/{invoice}")
        assert "May have been sent" in part(page)
        assert "It may have arrived already. Sending it again may bring it" in part(page)
        unknowing = bob.post(f"/invoices/{invoice}/mails/{one_id(story)}/repeats")
        assert "It may have arrived already." in unknowing.said
        with story():
            assert rows()[0].state == MailState.UNKNOWN
        page.submit("Send it again all the same")
        send_all(story)
        assert [one.to for one in box.mails] == [AROHA, AROHA]  # the mailbox had kept the first

    def test_one_that_waits_can_be_taken_back(self, box, bob, invoice, story) -> None:
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        after = bob.get(f"/invoices/{invoice}").submit("Take back")
        assert after.said == f"The message to {AROHA} is taken back and will not be sent."
        send_all(story)
        assert box.mails == []
        late = bob.post(f"/invoices/{invoice}/mails/{one_id(story)}/withdrawal")
        assert "cannot be taken back" in late.said

    def test_an_open_page_is_brought_what_became_of_a_message(self, box, bob, invoice, story) -> None:
        page = bob.get(f"/invoices/{invoice}/sending").submit("Send")
        live = page.find("//div[@id='live']")
        assert live.get("hx-trigger") == "every 2s"
        send_all(story)
        fresh = bob.get(live.get("hx-get"), block="live")
        brought = " ".join(fresh.find("//div[@id='sent']").text_content().split())
        assert "Waiting" not in brought and "Sent" in brought
        assert "every 2s" not in (fresh.find("//div[@id='live']").get("hx-trigger") or "")

    def test_a_message_is_reached_only_through_its_own_invoice(self, box, bob, invoice, story) -> None:
        """Fault row 98."""
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        with story():
            other = make_invoice(make_client("Other Ltd")).id
        assert bob.post(f"/invoices/{other}/mails/{one_id(story)}/withdrawal").status == 404
        assert bob.get("/invoices/sending", query={"id": [invoice, other]}).status == 404
        assert bob.get("/invoices/sending").status == 404

    def test_a_voided_invoice_is_sent_to_nobody(self, box, sign_in_as, invoice, story) -> None:
        with story():
            db.session.get_one(Invoice, invoice).voided_at = now()
        page = sign_in_as("admin").get(f"/invoices/{invoice}/sending")
        assert page.said == "A voided invoice is sent to nobody."
        refused = sign_in_as("admin").post("/invoices/sending", id=invoice, other=TAMA, subject="A", message="B")
        assert refused.said == "A voided invoice is sent to nobody."
        with story():
            assert rows() == []

    def test_support_sees_what_was_sent_and_sends_nothing(self, box, bob, sign_in_as, invoice) -> None:
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        page = sign_in_as("support").get(f"/invoices/{invoice}")
        assert AROHA in part(page)
        assert "Take back" not in page.buttons() and "Send again" not in page.links()


class TestSeveralInvoices:
    @pytest.fixture
    def two(self, acme, story) -> list[int]:
        with story():
            client = db.session.get_one(Client, acme)
            return [make_invoice(client, make_item(client, price=price)).id for price in ("100", "200")]

    def test_all_of_one_review_are_sent_from_one_screen(self, box, bob, acme, story) -> None:
        """BS-08."""
        with story():
            client = db.session.get_one(Client, acme)
            keys = [f"i{make_item(client, reference=one).id}" for one in ("", "PROP-9")]
        review = bob.get(f"/clients/{acme}/billing/invoice", query={"key": keys}).submit("Next: review")
        page = review.submit("Issue (2 invoices)")
        assert page.said == "2 invoices are issued: INV-0001 and INV-0002."
        assert page.h1 == "Send 2 invoices"

    def test_each_goes_in_a_message_of_its_own_filled_in_for_it(self, box, bob, two, story, acme) -> None:
        page = bob.get("/invoices/sending", query={"id": two})
        assert page.find("//input[@name='subject']").get("value") == "Invoice {{number}} from {{firm}}"
        assert "INV-0001 from" in preview(page) and "INV-0002 from" in preview(page)
        after = page.submit("Send 2 invoices")
        assert after.said == f"2 invoices are on their way to Aroha Ngata <{AROHA}>."
        assert after.path == f"/clients/{acme}/invoices"
        send_all(story)
        assert [one.subject for one in box.mails] == [f"Invoice INV-000{one} from Marlow & Co" for one in (1, 2)]
        assert [one.attachments[0].name for one in box.mails] == ["INV-0001.pdf", "INV-0002.pdf"]
        assert "$200.00" in box.mails[1].text and "$100.00" not in box.mails[1].text


class TestWithoutAMailServer:
    def test_every_place_says_so_plainly_and_the_flow_goes_on(self, bob, invoice, acme, story) -> None:
        for address in (f"/invoices/{invoice}", f"/invoices/{invoice}/sending", f"/clients/{acme}/email"):
            page = bob.get(address)
            assert page.text.count("This portal cannot send mail yet") == 1, address
            assert "An admin finds what to do under Settings → Email." in page.text
        with story():
            key = f"i{make_item(db.session.get_one(Client, acme)).id}"
        review = bob.get(f"/clients/{acme}/billing/invoice", query={"key": key}).submit("Next: review")
        assert review.submit("Issue invoice").h1 == "Invoice INV-0002"

    def test_a_form_left_open_sends_nothing(self, bob, invoice, story) -> None:
        typed = {"other": TAMA, "subject": "A", "message": "B"}
        assert bob.post("/invoices/sending", id=invoice, **typed).said == mail.NOT_YET
        with story():
            assert rows() == []
