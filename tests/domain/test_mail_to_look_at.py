"""Messages that need a person's word: which they are, what settles them, and how they are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from portal.db import db
from portal.domain import activity, home, mail, proposals
from portal.domain.activity import Actor, Verb
from portal.domain.invoices import Invoice
from portal.domain.mail import MailKind, MailState, OutgoingMail, Recipient, moves
from portal.domain.people import Role
from portal.domain.proposals import Proposal
from tests import cast
from tests.cast import COMMAND
from tests.cast_invoices import make_invoice

AROHA = Recipient("Aroha Ngata", "aroha@example.nz")
TOMORROW = date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _mail_is_on(database: Session) -> Iterator[None]:
    mail.send_as("billing@marlow.example")
    yield
    mail.send_as("")


@pytest.fixture
def invoice(database: Session) -> Invoice:
    return make_invoice(cast.make_client())


def asked(
    *, to: Recipient = AROHA, invoice: Invoice | None = None, proposal: Proposal | None = None, event: str = "first"
) -> OutgoingMail:
    kind = MailKind.INVOICE if invoice else MailKind.PROPOSAL if proposal else MailKind.TEST
    about = f"{event}:{invoice.id if invoice else 0}:{proposal.id if proposal else 0}"
    return mail.put_down(
        kind=kind, key=mail.key_of(about, to.address), to=to, subject="Subject", message="Message", invoice=invoice,
        proposal=proposal, link="" if kind == MailKind.TEST else "/pay/secret", by=COMMAND, now=cast.now(),
    )  # fmt: skip


def failed(row: OutgoingMail, reason: str = "No such mailbox.") -> OutgoingMail:
    moves.failed(row, reason, by=COMMAND, now=cast.now())
    db.session.flush()
    return row


def unsure(row: OutgoingMail) -> OutgoingMail:
    moves.unsure(row, "the answer was lost", by=COMMAND, now=cast.now())
    db.session.flush()
    return row


def sent(row: OutgoingMail) -> OutgoingMail:
    moves.sent(row, by=COMMAND, now=cast.now())
    db.session.flush()
    return row


def listed() -> list[int]:
    """What is listed; every way of counting it has to agree."""
    found, stands, figures = mail.to_look_at(), mail.standing(), home.figures(TOMORROW)
    states = [one.state for one in found]
    assert (stands.failed, stands.unknown) == (states.count(MailState.FAILED), states.count(MailState.UNKNOWN))
    assert (figures.mail_failed, figures.mail_unsure) == (stands.failed, stands.unknown)
    return [one.id for one in found]


def offered() -> Proposal:
    client, at = cast.make_client("Bacme"), cast.now()
    proposal = proposals.draft(client, "Year end", by=COMMAND, now=at, currency="NZD")
    db.session.flush()
    return proposal


class TestWhichTheyAre:
    def test_what_failed_or_may_not_have_arrived_the_newest_first(self, invoice: Invoice) -> None:
        proposal = offered()
        first = failed(asked(invoice=invoice))
        second = unsure(asked(proposal=proposal))
        asked(invoice=invoice, to=Recipient("", "waits@example.nz"))
        sent(asked(invoice=invoice, to=Recipient("", "gone@example.nz")))
        assert listed() == [second.id, first.id]
        newest, oldest = mail.to_look_at()
        assert (newest.about, newest.proposal_id, newest.invoice_id) == (
            f"Proposal {proposals.label(proposal)}",
            proposal.id, None,
        )  # fmt: skip
        assert (newest.word, newest.reason, newest.may_have_arrived) == (
            "May have been sent", "the answer was lost", True,
        )  # fmt: skip
        assert (oldest.about, oldest.invoice_id) == (f"Invoice {invoice.number}", invoice.id)
        assert (oldest.to, oldest.word, oldest.reason) == (AROHA.label, "Not sent", "No such mailbox.")
        assert oldest.made_at == first.made_at and not oldest.may_have_arrived
        assert "secret" not in repr(mail.to_look_at())

    def test_a_test_message_concerns_nobody_but_who_asked_for_it(self) -> None:
        failed(asked())
        assert listed() == []

    def test_no_more_than_were_asked_for_are_listed_and_all_are_counted(self, invoice: Invoice) -> None:
        rows = [failed(asked(invoice=invoice, to=Recipient("", f"a{place}@x.nz"))) for place in range(3)]
        assert [one.id for one in mail.to_look_at(limit=2)] == [rows[2].id, rows[1].id]
        assert mail.standing().failed == 3

    def test_one_that_can_go_no_more_says_why(self, invoice: Invoice) -> None:
        proposal = offered()
        failed(asked(invoice=invoice))
        failed(asked(proposal=proposal))
        assert [one.is_over for one in mail.to_look_at()] == ["", ""]
        invoice.voided_at = cast.now()
        proposal.state = proposals.ProposalState.LOST
        db.session.flush()
        assert [one.is_over for one in mail.to_look_at()] == [
            "The proposal is not out any more.", "The invoice is voided.",
        ]  # fmt: skip


class TestWhatSettlesThem:
    def test_a_later_message_about_the_same_to_the_same_address(self, invoice: Invoice) -> None:
        proposal = offered()
        unsure(asked(invoice=invoice))
        failed(asked(proposal=proposal))
        again = asked(invoice=invoice, event="again", to=Recipient("", "AROHA@example.nz"))
        also = asked(proposal=proposal, event="again")
        assert len(listed()) == 2, "those only wait"
        sent(again)
        assert [one.proposal_id for one in mail.to_look_at()] == [proposal.id]
        sent(also)
        assert listed() == []

    def test_nothing_else_does(self, invoice: Invoice) -> None:
        sent(asked(invoice=invoice, event="earlier"))
        row = failed(asked(invoice=invoice))
        other = make_invoice(cast.make_client("Other"))
        sent(asked(invoice=other, event="other invoice"))
        sent(asked(proposal=offered(), event="a proposal"))
        sent(asked(invoice=invoice, to=Recipient("", "tama@example.nz"), event="somebody else"))
        sent(asked(event="a test"))
        unsure(asked(invoice=invoice, event="later, and lost as well"))
        assert row.id in listed() and len(listed()) == 2

    def test_being_tried_again(self, invoice: Invoice) -> None:
        row = failed(asked(invoice=invoice))
        mail.again(row.id, by=COMMAND, now=cast.now())
        db.session.flush()
        assert listed() == []


class TestLeavingThem:
    @pytest.fixture
    def priya(self, database: Session) -> Actor:
        return Actor.person(cast.make_user("Priya Shah", "priya@marlow.example", Role.ADMIN))

    def test_one_that_was_not_sent_is_withdrawn_and_keeps_why(self, invoice: Invoice, priya: Actor) -> None:
        row = failed(asked(invoice=invoice))
        mail.leave(row.id, by=priya, now=cast.now())
        db.session.flush()
        assert (row.state, row.link, row.next_at) == (MailState.WITHDRAWN, None, None)
        assert row.reason == "it was not sent; left by Priya Shah. No such mailbox."
        assert mail.shown(row).word == "Withdrawn" and not mail.shown(row).can_go_again
        assert listed() == []
        told = activity.log(invoice_id=invoice.id)[0]
        assert (told.verb, told.actor_name) == (Verb.MAIL_LEFT, "Priya Shah")
        assert activity.sentence(told) == (
            "Invoice to Aroha Ngata <aroha@example.nz> is left as it is: it was not sent"
        )
        assert moves.due(cast.now() + timedelta(days=9), 10) == []

    def test_one_that_may_have_arrived_goes_on_saying_so(self, invoice: Invoice, priya: Actor) -> None:
        row = unsure(asked(invoice=invoice))
        mail.leave(row.id, by=priya, now=cast.now())
        db.session.flush()
        (shown,) = mail.of_invoice(invoice.id)
        assert shown.state == MailState.WITHDRAWN
        assert shown.word == "May have been sent"
        assert shown.reason == "it may have arrived; left by Priya Shah. The answer was lost"
        assert activity.sentence(activity.log(invoice_id=invoice.id)[0]).endswith(
            "is left as it is: it may have arrived"
        )

    def test_what_a_mail_server_says_cannot_make_a_failed_one_look_as_if_it_had_arrived(
        self, invoice: Invoice, priya: Actor
    ) -> None:
        row = failed(asked(invoice=invoice), "it may have arrived")
        assert mail.shown(mail.leave(row.id, by=priya, now=cast.now())).word == "Withdrawn"

    def test_one_taken_back_before_it_went_is_withdrawn(self, invoice: Invoice) -> None:
        row = asked(invoice=invoice)
        assert mail.shown(mail.withdraw(row.id, by=COMMAND, now=cast.now())).word == "Withdrawn"

    def test_only_those_that_need_a_word_can_be_left(self, invoice: Invoice, priya: Actor) -> None:
        waits = asked(invoice=invoice)
        gone = sent(asked(invoice=invoice, event="gone"))
        left = failed(asked(invoice=invoice, event="left"))
        mail.leave(left.id, by=priya, now=cast.now())
        for row, word in ((waits, "waiting to be sent"), (gone, "sent"), (left, "withdrawn")):
            before = (row.state, row.reason, row.link)
            with pytest.raises(mail.CannotLeave, match=f"needs no decision: {word}"):
                mail.leave(row.id, by=priya, now=cast.now())
            assert (row.state, row.reason, row.link) == before
