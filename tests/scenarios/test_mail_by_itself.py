"""Invoices that are raised by themselves and go to the client by mail, and what ledgers are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from portal import billing, mailer
from portal.db import db
from portal.deliveries.parcels import Packer
from portal.domain import activity, mail, proposals, schedule
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery
from portal.domain.invoices import Invoice
from portal.domain.mail import MailKind, MailState, OutgoingMail
from portal.domain.proposals import Choice, Signer
from portal.domain.records import InvoiceOut
from portal.domain.schedule import Cadence
from portal.sandbox.mailbox import Mailbox, listening
from tests import cast
from tests.cast import COMMAND
from tests.cast_deliveries import bill, make_ready
from tests.cast_invoices import TODAY
from tests.scenarios.mails import PUBLIC, Post, mail_world

AROHA = {"name": "Aroha Ngata", "email": "aroha@example.nz"}
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def post(make_app: Callable[..., Flask]) -> Iterator[Post]:
    with listening(Mailbox()) as box, mail_world(make_app, box) as world:
        yield world


def wanted_by_all() -> None:
    mail.change_settings({"sends_invoices": True}, version=1, by=COMMAND, now=cast.now())
    db.session.commit()


def serve(client: Client, first_on: date = TODAY) -> None:
    values = {"name": "Bookkeeping", "price": Decimal(300)}
    schedule.add_service(client, values, Cadence(), first_on=first_on, by=COMMAND, now=cast.now())
    db.session.commit()


def test_the_days_billing_mails_each_invoice_once_with_its_link_and_its_pdf(post: Post) -> None:
    """ST-09, UL-32."""
    wanted_by_all()
    serve(cast.make_client(contacts=[AROHA]))
    billing.bill_due(cast.now())
    billing.bill_due(cast.now())
    (row,) = db.session.scalars(select(OutgoingMail))
    assert row.state == MailState.WAITING
    db.session.rollback()
    assert mailer.send_due(cast.now()) == 1
    billing.bill_due(cast.now())
    assert mailer.send_due(cast.now()) == 0
    (came,) = post.box.mails
    (invoice,) = db.session.scalars(select(Invoice))
    assert came.subject == f"Invoice {invoice.number} from Marlow & Co"
    assert came.text.startswith("Dear Acme Corp,")
    assert f"{PUBLIC}/pay/" in came.text
    assert [one.name for one in came.attachments] == [f"{invoice.number}.pdf"]
    link = came.text.split(PUBLIC)[1].split()[0]
    db.session.rollback()
    assert post.app.test_client().get(link).status_code == 200
    log = [activity.sentence(one) for one in activity.log(invoice_id=invoice.id)]
    assert log[0] == "Invoice sent to Aroha Ngata <aroha@example.nz>"


def test_a_firm_that_has_not_switched_it_on_mails_nothing_by_itself(post: Post) -> None:
    serve(cast.make_client(contacts=[AROHA]))
    billing.bill_due(cast.now())
    assert db.session.scalar(select(Invoice.id)) is not None
    assert post.states() == []


def test_what_is_wrong_with_mail_never_keeps_an_invoice_from_being_raised(post: Post) -> None:
    wanted_by_all()
    serve(cast.make_client(contacts=[{"name": "Eve\r\nBcc: all@example.nz", "email": "eve@\r\nexample.nz"}]))
    found = billing.bill_due(cast.now())
    assert len(found.invoice_ids) == 1 and found.problems == 0
    assert post.states() == []


def test_an_accepted_proposal_mails_what_it_bills_at_once(post: Post) -> None:
    wanted_by_all()
    client = cast.make_client(contacts=[AROHA])
    offer = proposals.draft(client, "Accounts", by=COMMAND, now=cast.now(), currency="NZD")
    proposals.add_line(offer, by=COMMAND, now=cast.now(), name="Annual accounts", price=Decimal(100))
    proposals.put_out(offer, by=COMMAND, now=cast.now(), zone="Pacific/Auckland")
    made = proposals.accept(offer, Choice(), Signer("Aroha"), shown=None, by=COMMAND, now=cast.now())
    assert len(made.invoices) == 1
    db.session.commit()
    assert mailer.send_due(cast.now()) == 1
    assert post.box.mails[0].to == "aroha@example.nz"


def test_a_proposal_taken_back_before_its_message_went_is_not_sent(post: Post) -> None:
    client = cast.make_client(contacts=[AROHA])
    offer = proposals.draft(client, "Accounts", by=COMMAND, now=cast.now(), currency="NZD")
    proposals.add_line(offer, by=COMMAND, now=cast.now(), name="Annual accounts", price=Decimal(100))
    link = "/p/" + proposals.put_out(offer, by=COMMAND, now=cast.now(), zone="Pacific/Auckland")
    values = {
        "kind": MailKind.PROPOSAL, "subject": "Our proposal", "message": "Please read it.", "link": link,
        "proposal": offer, "by": COMMAND, "now": cast.now(), "to": mail.recipients_of(client)[0],
    }  # fmt: skip
    mail.put_down(key="first", **values)  # type: ignore[arg-type]  # values of several kinds
    db.session.commit()
    assert mailer.send_due(cast.now()) == 1
    assert PUBLIC + link in post.box.mails[0].text
    mail.put_down(key="second", **values)  # type: ignore[arg-type]  # as above
    proposals.revoke(offer, by=COMMAND, now=cast.now())
    db.session.commit()
    assert mailer.send_due(cast.now()) == 0
    assert post.states() == [MailState.SENT, MailState.WITHDRAWN]


class TestWhatTheLedgerIsTold:
    def out(self, delivery: Delivery) -> InvoiceOut:
        return Packer(delivery.connection_id, "Xero").invoices([delivery])[0].out

    def ready(self) -> Delivery:
        client = cast.make_client(contacts=[AROHA])
        connection = cast.make_connection("xero")
        make_ready(connection, as_drafts=True)
        cast.make_link(client, connection)
        return bill(client, connection)

    @pytest.mark.usefixtures("post")
    def test_an_invoice_a_client_gets_by_mail_is_no_draft_whatever_the_default_is(self) -> None:
        """XE-03."""
        delivery = self.ready()
        assert not self.out(delivery).approved
        wanted_by_all()
        assert self.out(delivery).approved
        assert not self.out(delivery).sent

    def test_one_whose_mail_has_gone_before_is_created_as_sent(self, post: Post) -> None:
        """XE-05."""
        delivery = self.ready()
        invoice = db.session.get_one(Invoice, delivery.invoice_id)
        mail_id = post.letter(invoice=invoice)
        assert not self.out(delivery).sent
        db.session.rollback()
        post.send()
        assert post.row(mail_id).state == MailState.SENT
        assert self.out(delivery).sent and self.out(delivery).approved

    def test_without_a_mail_server_a_wish_for_mail_changes_nothing(self, post: Post) -> None:
        delivery = self.ready()
        wanted_by_all()
        mail.send_as("")
        assert not self.out(delivery).approved
