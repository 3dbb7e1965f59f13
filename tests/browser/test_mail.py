"""An invoice and a proposal by mail: looked at before, sent once, told in the log, there in the client's mailbox."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.acts import add_item
from tests.browser.visitor import PHONE, Visitor
from tests.browser.world import World

CLIENT, CONTACT, ADDRESS = "Mailing Maple Ltd", "Mia Maple", "mia@maple.example"
ELSEWHERE = "books@elsewhere.example"


def a_client(visitor: Visitor, name: str = CLIENT, contact: str = CONTACT, address: str = ADDRESS) -> None:
    page = visitor.open("/clients/new")
    page.locator("#form [name=name]").fill(name)
    page.locator("#form [name=contact_name]").fill(contact)
    page.locator("#form [name=contact_email]").fill(address)
    visitor.press("Create client")
    visitor.is_at(name)


def test_an_invoice_is_looked_at_sent_and_arrives_with_its_pdf_while_its_log_grows(
    world: World, someone: Callable[..., Visitor]
) -> None:
    """BS-04, IN-03, IN-20."""
    tom = someone("member")
    page = tom.page
    a_client(tom)
    add_item(tom, "Year-end accounts", "1200", "invoice it now")
    tom.press("Next: review")
    tom.press("Issue invoice")
    tom.is_told(re.compile(r"^Invoice INV-\d+ is issued\.$"))
    tom.is_at(re.compile(r"^Send invoice INV-\d+$"))
    number = page.locator("h1").inner_text().removeprefix("Send invoice ")
    expect(page.get_by_label(CONTACT)).to_be_checked()
    tom.look()
    seen = page.locator("#preview")
    expect(seen).to_contain_text(f"{CONTACT} <{ADDRESS}>")
    page.get_by_label("Message").fill("Kia ora {{client}},\n\nhere is {{number}} over {{total}}.")
    expect(seen).to_contain_text(f"Kia ora {CLIENT},")
    expect(seen).to_contain_text(f"here is {number} over $1,380.00.")
    page.get_by_label("Another address").fill(ELSEWHERE)
    expect(seen).to_contain_text(ELSEWHERE)
    page.get_by_label("With the link to pay").uncheck()
    expect(seen).not_to_contain_text("See the invoice online")
    page.get_by_label("With the link to pay").check()
    expect(seen).to_contain_text("See the invoice online")
    page.get_by_label("Subject").fill("Your invoice {{nummer}}")
    with tom.expecting(422):
        tom.press("Send")
        tom.sees("There is no field {{nummer}} here.")
    tom.look("with a field nobody knows")
    page.get_by_label("Subject").fill("Your invoice {{number}}")
    tom.press("Send")
    tom.is_told(f"Invoice {number} is on its way to {CONTACT} <{ADDRESS}> and {ELSEWHERE}.")
    tom.is_at(f"Invoice {number}")
    log = page.locator("#live .log")
    expect(log).to_contain_text(f"Invoice sent to {CONTACT} <{ADDRESS}>")
    expect(log).to_contain_text(f"Invoice sent to {ELSEWHERE}")
    expect(page.locator("#mails .pill")).to_have_text(["Sent", "Sent"])
    tom.look("sent")

    came = {one["to"]: one for one in world.control.ask("GET", "mailbox")["mails"] if number in one["subject"]}
    assert sorted(came) == sorted([ADDRESS, ELSEWHERE])
    assert came[ADDRESS]["subject"] == f"Your invoice {number}"
    assert [(one["name"], one["kind"]) for one in came[ADDRESS]["attachments"]] == [
        (f"{number}.pdf", "application/pdf")
    ]
    mia = someone(None, viewport=PHONE)
    mia.open(f"{world.sandbox_url}/mailbox/{came[ADDRESS]['id']}")
    mia.page.locator("pre a").click()
    mia.is_at(f"Invoice {number}")
    mia.sees("$1,380.00 to be paid by")


def test_what_the_mail_server_refuses_is_told_and_can_be_tried_again(
    world: World, someone: Callable[..., Visitor]
) -> None:
    """IN-03, without scripts."""
    refused = "gone@maple.example"
    tom = someone("member", java_script_enabled=False)
    a_client(tom, "Refusing Rata Ltd", "Rua Rata", refused)
    world.control.ask("POST", "mailbox/faults", {"kind": "refuse", "address": refused, "times": 1})
    add_item(tom, "Advice", "200", "invoice it now")
    tom.press("Next: review")
    tom.press("Issue invoice")
    page = tom.page
    page.get_by_label("Subject").fill("Advice, as agreed")
    tom.press("Show how it will look")
    expect(page.locator("#preview")).to_contain_text("Advice, as agreed")
    tom.press("Send")
    tom.is_told("is on its way to")
    mails = page.locator("#mails")
    expect_after_reloading(tom, "Not sent")
    expect(mails).to_contain_text("there is no such mailbox")
    tom.press("Try again")
    tom.is_told(f"The message to {refused} is on its way again.")
    expect_after_reloading(tom, "sent just now")
    assert [one["to"] for one in world.control.ask("GET", "mailbox")["mails"]].count(refused) == 1


def test_an_admin_writes_the_texts_and_sends_a_test(world: World, someone: Callable[..., Visitor]) -> None:
    """ST-02, CL-37."""
    priya = someone("admin")
    page = priya.open("/settings")
    priya.follow("Email", page.locator(".tabs"))
    priya.is_at("Email")
    priya.look()
    priya.press("Send me a test")
    expect(page.locator("#test")).to_contain_text("The mail server has taken it.")
    priya.look("tested")
    before = page.get_by_label("Sender’s name").input_value()
    page.get_by_label("Sender’s name").fill("Marlow accounts")
    priya.press("Save")
    priya.is_told("Saved. It holds from the next message on.")
    page.get_by_label("Sender’s name").fill(before)
    priya.press("Save")
    priya.is_told("Saved. It holds from the next message on.")
    a_client(priya, "Choosing Cedar Ltd", "Cara Cedar", "cara@cedar.example")
    priya.follow("Edit", page.locator(".head"))
    priya.follow("Email preferences")
    priya.is_at("Email preferences of Choosing Cedar Ltd")
    page.get_by_label("Cara Cedar").uncheck()
    with priya.expecting(422):
        priya.press("Save")
        priya.sees("Choose at least one contact who gets this client’s mail.")
    priya.look("with nobody")
    page.get_by_label("Cara Cedar").check()
    page.get_by_label("Invoices that are raised by themselves").select_option("yes")
    priya.press("Save")
    priya.is_told("Saved. It holds for the next message.")
    assert world.control.ask("GET", "mailbox")["mails"]


def expect_after_reloading(visitor: Visitor, words: str) -> None:
    """Without scripts nothing grows by itself: look again until it is there."""
    for _ in range(40):
        if visitor.page.locator("#mails").get_by_text(words).count():
            return
        visitor.page.wait_for_timeout(250)
        visitor.page.reload()
    visitor.sees(words, within="#mails")
