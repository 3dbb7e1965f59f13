"""What the firm writes in its mail, who of a client gets it, and a test message to oneself."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from portal.db import db
from portal.domain import mail
from portal.domain.clients import Client
from portal.domain.invoices import Invoice
from portal.domain.mail import MailKind, MailState, OutgoingMail
from tests.cast import make_client, make_firm, now
from tests.cast_invoices import make_invoice
from tests.reading import Browser, Page
from tests.web.post import AROHA, CONTACTS, SENDER, TAMA, one_id, rows, send_all

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def alice(sign_in_as) -> Browser:
    return sign_in_as("admin")


@pytest.fixture
def bob(sign_in_as) -> Browser:
    return sign_in_as("member")


@pytest.fixture
def acme(clock, story) -> int:
    with story():
        return make_client("Acme Corp", contacts=CONTACTS).id


class TestSettings:
    def test_what_an_admin_writes_is_what_the_next_message_says(self, box, alice, acme, story) -> None:
        """ST-02."""
        page = alice.get("/settings").click("Email")
        assert "{{due}} the day it is due" in page.text
        after = page.submit(
            "Save", sender_name="Marlow accounts", reply_to="office@marlow.example", sends_invoices="y",
            invoice_subject="{{number}} is here", invoice_message="Kia ora {{client}}\n\nNgā mihi\n{{firm}}",
        )  # fmt: skip
        assert after.said == "Saved. It holds from the next message on."
        with story():
            invoice = make_invoice(db.session.get_one(Client, acme)).id
            assert mail.wants(db.session.get_one(Client, acme), MailKind.INVOICE)
        page = alice.get(f"/invoices/{invoice}/sending")
        assert page.find("//input[@name='subject']").get("value") == "INV-0001 is here"
        page.submit("Send")
        send_all(story)
        (sent,) = box.mails
        assert str(sent.parsed["From"]) == f"Marlow accounts <{SENDER}>"
        assert str(sent.parsed["Reply-To"]) == "office@marlow.example"
        assert "Kia ora Acme Corp\n\nNgā mihi\nMarlow & Co" in sent.text.replace("\r\n", "\n")

    @pytest.mark.parametrize(
        ("typed", "field", "said"),
        [
            ({"reply_to": "office"}, "reply_to", "office is not an email address."),
            ({"invoice_subject": "{{until}}"}, "invoice_subject", "There is no field {{until}} here."),
            ({"proposal_message": "{{due}}"}, "proposal_message", "There is no field {{due}} here."),
            ({"proposal_subject": ""}, "proposal_subject", "Write a subject."),
            ({"invoice_message": " "}, "invoice_message", "Write a message."),
            ({"sender_name": "x" * 201}, "sender_name", "200"),
        ],
    )
    def test_a_text_that_could_not_be_filled_in_is_refused_by_name(
        self, alice, story, typed: dict[str, Any], field: str, said: str
    ) -> None:
        page = alice.get("/settings/email").submit("Save", **typed)
        assert page.status == 422
        assert said in page.errors()[field]
        with story():
            assert mail.settings().version == 1

    def test_two_admins_at_once_see_what_the_other_saved(self, alice, sign_in_as, story) -> None:
        """Fault row 89."""
        mine = alice.get("/settings/email")
        sign_in_as("admin").get("/settings/email").submit("Save", sender_name="Theirs")
        page = mine.submit("Save", sender_name="Mine")
        assert page.status == 409
        assert "Somebody else saved these settings" in page.text and "Theirs" in page.text
        assert page.find("//input[@name='sender_name']").get("value") == "Mine"
        assert page.submit("Save").said == "Saved. It holds from the next message on."
        with story():
            assert mail.settings().sender_name == "Mine"

    def test_nothing_changed_is_said(self, alice) -> None:
        assert alice.get("/settings/email").submit("Save").said == "Nothing was changed."

    def test_a_test_message_goes_to_oneself_and_the_page_says_what_became_of_it(self, box, alice, story) -> None:
        page = alice.get("/settings/email").submit("Send me a test")
        waiting = page.find("//section[@id='test']")
        assert waiting.get("hx-trigger") == "every 2s" and "Waiting to be sent" in waiting.text_content()
        send_all(story)
        assert [(one.to, one.subject) for one in box.mails] == [
            ("alice@marlow.example", "Test message from Marlow & Co")
        ]
        fresh = alice.get(waiting.get("hx-get"), block="test")
        assert not fresh.is_whole
        assert "The mail server has taken it." in fresh.text

    def test_a_refused_test_says_why(self, box, alice, story) -> None:
        box.go_wrong("refuse")
        page = alice.get("/settings/email").submit("Send me a test")
        send_all(story)
        page = alice.get(page.find("//section[@id='test']").get("hx-get"))
        assert "Not sent" in page.text and "there is no such mailbox" in page.text
        assert "Some messages need a look" not in page.text, "it concerns nobody but who asked for it"

    def test_only_a_test_is_shown_by_its_number(self, box, alice, acme, story) -> None:
        with story():
            invoice = make_invoice(db.session.get_one(Client, acme)).id
        alice.get(f"/invoices/{invoice}/sending").submit("Send")
        assert AROHA not in alice.get("/settings/email?test=1").text

    def test_without_a_mail_server_it_says_what_to_set(self, alice) -> None:
        page = alice.get("/settings/email")
        assert "This portal cannot send mail yet" in page.text
        assert "PORTAL_MAIL_URL" in page.text and "PORTAL_MAIL_FROM" in page.text
        assert "Send me a test" not in page.buttons()
        assert alice.post("/settings/email/tests").said == mail.NOT_YET
        assert page.submit("Save", sender_name="Marlow").said == "Saved. It holds from the next message on."

    def test_a_password_of_the_mail_server_is_on_no_page(self, make_app, story) -> None:
        from portal.config import MailServer

        with story():
            make_firm()
        server = MailServer("mail.example", 465, "marlow-user", "hush-hush-42", is_tls=True, sender=SENDER)
        browser = Browser(make_app(mail=server)).signed_in_as("admin")
        for address in ("/settings/email", "/settings"):
            assert "hush-hush-42" not in browser.get(address).body
            assert "marlow-user" not in browser.get(address).body


class TestMessagesThatNeedALook:
    @pytest.fixture
    def invoice(self, box, bob, acme, story) -> int:
        """INV-0001, to be sent to Aroha, whose mailbox refuses the first message."""
        box.go_wrong("refuse", AROHA, times=1)
        return self.sent_of(acme, bob, story)

    @staticmethod
    def sent_of(client: int, browser: Browser, story) -> int:
        with story():
            invoice = make_invoice(db.session.get_one(Client, client)).id
        browser.get(f"/invoices/{invoice}/sending").submit("Send")
        send_all(story)
        return invoice

    @staticmethod
    def listed(page: Page) -> list[str]:
        return [" ".join(one.text_content().split()) for one in page.all("//section[@id='looks']//tbody/tr")]

    def test_each_is_named_with_what_it_is_about_and_what_is_wrong(self, alice, invoice) -> None:
        page = alice.get("/settings/email")
        assert "1 message could not be sent." in page.text
        (row,) = self.listed(page)
        assert row.startswith("Aroha Ngata <aroha@acme.example> Invoice INV-0001")
        assert "Not sent" in row and "there is no such mailbox" in row
        assert page.click("Invoice INV-0001").path == f"/invoices/{invoice}"

    def test_trying_again_from_there_sends_it_and_the_list_is_empty(self, box, alice, invoice, story) -> None:
        after = alice.get("/settings/email").submit("Try again")
        assert (after.path, after.said) == ("/settings/email", f"The message to {AROHA} is on its way again.")
        send_all(story)
        assert [one.to for one in box.mails] == [AROHA]
        page = alice.get("/settings/email")
        assert self.listed(page) == [] and "Some messages need a look" not in page.text

    def test_one_that_may_have_arrived_goes_again_only_when_somebody_knows(self, box, alice, bob, acme, story) -> None:
        box.go_wrong("drop", AROHA, times=1)
        self.sent_of(acme, bob, story)
        page = alice.get("/settings/email")
        assert "1 message may or may not have arrived." in page.text
        assert "It may have arrived already. Sending it again may bring it" in self.listed(page)[0]
        unknowing = alice.post(f"/settings/email/messages/{one_id(story)}/repeats")
        assert "It may have arrived already." in unknowing.said
        with story():
            assert rows()[0].state == MailState.UNKNOWN
        page.submit("Send it again all the same")
        send_all(story)
        assert [one.to for one in box.mails] == [AROHA, AROHA]  # the mailbox had kept the first

    def test_one_that_is_left_is_asked_about_no_more_and_its_page_says_who_left_it(
        self, box, alice, bob, invoice, story
    ) -> None:
        after = alice.get("/settings/email").submit("Leave it")
        assert after.said == f"The message to {AROHA} is left as it is. Nothing more is sent."
        assert self.listed(after) == []
        page = bob.get(f"/invoices/{invoice}")
        assert "It was not sent; left by Alice" in page.text and "is left as it is: it was not sent" in page.text
        assert "Try again" not in page.buttons()
        twice = alice.post(f"/settings/email/messages/{one_id(story)}/leaving")
        assert twice.said == f"The message to {AROHA} needs no decision: withdrawn."
        send_all(story)
        assert box.mails == []

    def test_one_left_that_may_have_arrived_says_so_for_good(self, box, alice, bob, acme, story) -> None:
        box.go_wrong("drop", AROHA, times=1)
        invoice = self.sent_of(acme, bob, story)
        alice.get("/settings/email").submit("Leave it")
        page = bob.get(f"/invoices/{invoice}")
        assert "May have been sent" in page.text and "It may have arrived; left by Alice" in page.text

    def test_one_whose_invoice_went_to_the_same_address_since_is_settled(self, alice, bob, invoice, story) -> None:
        bob.get(f"/invoices/{invoice}/sending").submit("Send")
        send_all(story)
        assert self.listed(alice.get("/settings/email")) == []
        assert "could not be sent" not in alice.get("/").text

    def test_what_a_voided_invoice_was_to_say_can_only_be_left(self, alice, invoice, story) -> None:
        with story():
            db.session.get_one(Invoice, invoice).voided_at = now()
        page = alice.get("/settings/email")
        assert "The invoice is voided." in self.listed(page)[0]
        assert "Try again" not in page.buttons() and "Leave it" in page.buttons()

    def test_fifty_are_shown_and_the_rest_is_counted(self, alice, invoice, story) -> None:
        with story():
            told = rows()[0]
            kept = {one.key: getattr(told, one.key) for one in OutgoingMail.__table__.columns if one.key != "id"}
            more = [{**kept, "key": f"k{place}", "to_address": f"a{place}@x.nz"} for place in range(51)]
            db.session.execute(insert(OutgoingMail), more)
        page = alice.get("/settings/email")
        assert len(self.listed(page)) == 50
        assert "a50@x.nz" in self.listed(page)[0]
        assert "2 older messages like these." in page.text and "52 messages could not be sent." in page.text

    def test_only_admins_decide_and_only_about_messages_to_clients(self, alice, bob, box, invoice, story) -> None:
        for act in ("repeats", "leaving"):
            assert bob.post(f"/settings/email/messages/{one_id(story)}/{act}").status == 403
            assert alice.post(f"/settings/email/messages/4711/{act}").status == 404
        box.go_wrong("refuse", times=1)
        alice.get("/settings/email").submit("Send me a test")
        send_all(story)
        with story():
            test = rows()[-1].id
        assert alice.post(f"/settings/email/messages/{test}/leaving").status == 404
        with story():
            assert [one.state for one in rows()] == [MailState.FAILED, MailState.FAILED]

    def test_without_a_mail_server_nothing_can_be_tried(self, box, alice, invoice, story) -> None:
        mail.send_as("")
        page = alice.get("/settings/email")
        assert len(self.listed(page)) == 1
        assert "Try again" not in page.buttons() and "Leave it" in page.buttons()


class TestPreferences:
    def test_the_default_contact_gets_the_mail_until_others_are_chosen(self, box, bob, acme, story) -> None:
        """CL-37."""
        page = bob.get(f"/clients/{acme}/edit").click("Email preferences")
        boxes = {one.get("value"): one for one in page.all("//input[@name='contact']")}
        assert [one.get("checked") for one in boxes.values()] == ["checked", None, None]
        tama = list(boxes)[1]
        after = page.submit("Save", contact=tama, invoice="yes")
        assert after.said == "Saved. It holds for the next message."
        with story():
            client = db.session.get_one(Client, acme)
            assert [one.address for one in mail.recipients_of(client)] == [TAMA]
            assert mail.wants(client, MailKind.INVOICE)
            invoice = make_invoice(client).id
        ticked = bob.get(f"/invoices/{invoice}/sending").all("//input[@name='contact'][@checked]")
        assert [one.get("value") for one in ticked] == [tama]

    def test_at_least_one_contact_has_to_stay(self, bob, acme, story) -> None:
        """CL-37."""
        page = bob.get(f"/clients/{acme}/email").submit("Save", contact=None, invoice="no")
        assert page.status == 422
        assert page.errors()["contact"] == "Choose at least one contact who gets this client’s mail."
        assert page.find("//option[@value='no']").get("selected") is not None
        with story():
            assert mail.preferences(db.session.get_one(Client, acme)).kinds == {}

    def test_a_contact_without_an_address_cannot_be_chosen(self, bob, acme, story) -> None:
        page = bob.get(f"/clients/{acme}/email")
        nobody = page.all("//input[@name='contact'][@disabled]")
        assert len(nobody) == 1
        refused = page.submit("Save", contact=nobody[0].get("value"))
        assert "Front desk has no email address one can write to." in refused.errors()["contact"]

    def test_a_contact_of_another_client_is_nobody_here(self, bob, acme, story) -> None:
        """Fault row 98."""
        with story():
            other = make_client("Other Ltd", contacts=[{"name": "Olive", "email": "olive@other.example"}])
            olive = other.contacts[0].id
        assert bob.post(f"/clients/{acme}/email", contact=olive).status == 422

    def test_what_the_firm_does_is_said_beside_the_choice(self, alice, bob, acme) -> None:
        assert "As the firm has it: not sent by mail" in bob.get(f"/clients/{acme}/email").text
        alice.get("/settings/email").submit("Save", sends_invoices="y")
        assert "As the firm has it: sent by mail" in bob.get(f"/clients/{acme}/email").text

    def test_a_client_without_contacts_is_led_to_adding_one(self, bob, story, clock) -> None:
        with story():
            client = make_client("Nobody Ltd").id
        page = bob.get(f"/clients/{client}/email")
        assert "No contact to write to yet" in page.text
        assert page.click("Add contact").h1 == "New contact of Nobody Ltd"
