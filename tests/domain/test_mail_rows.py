"""Messages that are put down: to whom, with what in them, and what may become of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.db import db
from portal.domain import activity, clients, mail
from portal.domain.activity import Verb
from portal.domain.mail import MailKind, MailProblem, MailState, OutgoingMail, Recipient, moves
from tests import cast
from tests.cast import COMMAND
from tests.cast_invoices import make_invoice

AROHA = {"name": "Aroha Ngata", "email": "aroha@example.nz"}
TAMA = {"name": "Tama Ngata", "email": "Tama@Example.NZ"}


@pytest.fixture(autouse=True)
def _mail_is_on(database: Session) -> Iterator[None]:
    mail.send_as("billing@marlow.example")
    yield
    mail.send_as("")


SOMEBODY = Recipient("Aroha", "aroha@example.nz")


def put_down(to: Recipient = SOMEBODY, **details: Any) -> OutgoingMail:
    invoice = details.pop("invoice", None) or make_invoice(cast.make_client())
    values: dict[str, Any] = {
        "kind": MailKind.INVOICE, "key": mail.key_of(f"test:{invoice.id}", to.address), "to": to, "subject": "Invoice",
        "message": "Please see the invoice.", "invoice": invoice, "by": COMMAND, "now": cast.now(),
    }  # fmt: skip
    return mail.put_down(**(values | details))


def test_the_same_event_and_recipient_make_one_message() -> None:
    """ST-09."""
    invoice = make_invoice(cast.make_client())
    first = put_down(invoice=invoice)
    assert put_down(invoice=invoice, subject="Something else").id == first.id
    assert put_down(Recipient("", "AROHA@example.nz"), invoice=invoice).id == first.id
    assert db.session.scalar(select(func.count()).select_from(OutgoingMail)) == 1
    asked = [one for one in activity.log(invoice_id=invoice.id) if one.verb == Verb.MAIL_ASKED]
    assert [activity.sentence(one) for one in asked] == ["Invoice is to be sent to Aroha <aroha@example.nz>"]


def test_a_message_is_known_again_by_its_id_whenever_it_is_made_anew() -> None:
    invoice = make_invoice(cast.make_client())
    first = put_down(invoice=invoice).message_id
    db.session.delete(db.session.scalars(select(OutgoingMail)).one())
    db.session.flush()
    assert put_down(invoice=invoice).message_id == first
    assert first.endswith("@marlow.example")


@pytest.mark.parametrize(
    "bad", ["a\r\nBcc: eve@example.com", "a\nb", "a\rb", "a\x00b", "a\u2028b", "a\x7fb", "a\u202eb"]
)
def test_nothing_can_be_smuggled_into_a_header(bad: str) -> None:
    """Fault row 105."""
    with pytest.raises(MailProblem, match="one line"):
        put_down(subject=bad)
    with pytest.raises(MailProblem, match="one line"):
        put_down(Recipient(bad, "a@example.nz"))
    with pytest.raises(MailProblem):
        put_down(Recipient("", bad + "@example.nz"))
    with pytest.raises(MailProblem):
        put_down(Recipient("", "a@" + bad))
    with pytest.raises(MailProblem, match="one line"):
        mail.change_settings({"sender_name": bad}, version=1, by=COMMAND, now=cast.now())
    with pytest.raises(MailProblem, match="one line"):
        mail.change_settings({"invoice_subject": bad}, version=1, by=COMMAND, now=cast.now())
    with pytest.raises(ValueError, match="path of this portal"):
        put_down(link="/pay/" + bad)
    assert db.session.scalar(select(OutgoingMail.id)) is None


@pytest.mark.parametrize(
    "bad",
    ["", " ", "nobody", "@example.nz", "a@", "a b@example.nz", "a@b@example.nz", "a@example..nz", "a@-x.nz", ".a@x.nz",
     "<a@example.nz>", "a@example.nz, b@example.nz", "ä@example.nz", "a@" + "x" * 300, "a" * 65 + "@x.nz",
     "a@exa mple.nz", '"a"@x.nz', "a@x_y.nz"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_plain_words(bad: str) -> None:
    with pytest.raises(MailProblem) as refused:
        put_down(Recipient("", bad))
    assert refused.value.field == "address"
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("given", "kept"),
    [("Tama.O'Neil+bills@Example.NZ", "Tama.O'Neil+bills@example.nz"), (" a@x.nz ", "a@x.nz"),
     ("a@bücher.example", "a@xn--bcher-kva.example"), ("root@localhost", "root@localhost")],
)  # fmt: skip
def test_an_address_is_kept_as_it_is_sent_to(given: str, kept: str) -> None:
    assert mail.check_address(given) == kept


def test_links_lead_nowhere_but_into_this_portal() -> None:
    """Fault row 106."""
    for link in ("https://evil.example/pay/x", "//evil.example/pay/x", "pay/x"):
        with pytest.raises(ValueError, match="path of this portal"):
            put_down(link=link)


def test_without_a_mail_server_nothing_is_put_down_and_the_person_is_told() -> None:
    mail.send_as("")
    with pytest.raises(MailProblem, match="cannot send mail yet"):
        put_down()


class TestWhatTheFirmWrites:
    def test_fields_are_filled_in_as_the_firm_writes_numbers_and_days(self) -> None:
        cast.make_firm(locale="en_NZ")
        invoice = make_invoice(cast.make_client("Acme & Sons"))
        subject, message = mail.invoice_letter(invoice)
        assert subject == f"Invoice {invoice.number} from Marlow & Co"
        assert message.startswith("Dear Acme & Sons,\n\n")
        assert "$100.00" in message and "November 2026" in message

    def test_a_name_that_looks_like_a_field_is_only_a_name(self) -> None:
        invoice = make_invoice(cast.make_client("{{total}}\r\nBcc: {{firm}}"))
        mail.change_settings({"invoice_subject": "{{client}}"}, version=1, by=COMMAND, now=cast.now())
        assert mail.invoice_letter(invoice)[0] == "{{total}} Bcc: {{firm}}"

    def test_an_unknown_field_is_refused_by_its_name(self) -> None:
        with pytest.raises(MailProblem, match=r"There is no field \{\{amount\}\} here.*\{\{total\}\}") as refused:
            mail.change_settings({"invoice_message": "Pay {{ amount }}"}, version=1, by=COMMAND, now=cast.now())
        assert refused.value.field == "invoice_message"
        with pytest.raises(MailProblem, match=r"\{\{total\}\}"):
            mail.change_settings({"proposal_message": "Pay {{total}}"}, version=1, by=COMMAND, now=cast.now())

    def test_what_was_changed_is_kept_and_on_record(self) -> None:
        wanted = {"sender_name": "Marlow Billing", "reply_to": "Ask@Marlow.example", "sends_invoices": True}
        changed = mail.change_settings(wanted, version=1, by=COMMAND, now=cast.now())
        assert changed == ["Sender’s name", "Address for answers", "Invoices sent by themselves"]
        kept = mail.settings()
        assert (kept.sender_name, kept.reply_to, kept.sends_invoices) == ("Marlow Billing", "Ask@marlow.example", True)
        assert kept.version == 2
        told = activity.log()[0]
        assert activity.sentence(told).startswith("Email settings changed: Sender’s name")
        with pytest.raises(mail.StaleMailSettings):
            mail.change_settings(wanted, version=1, by=COMMAND, now=cast.now())

    def test_nothing_is_stored_by_looking(self) -> None:
        assert mail.settings().sends_invoices is False
        db.session.flush()
        assert db.session.scalar(select(mail.MailSettings.id)) is None


class TestWhoGetsIt:
    def test_the_default_contact_unless_others_were_chosen(self) -> None:
        """CL-37."""
        client = cast.make_client(contacts=[AROHA, TAMA])
        assert [one.label for one in mail.recipients_of(client)] == ["Aroha Ngata <aroha@example.nz>"]
        tama = client.contacts[1]
        assert mail.change_preferences(client, contact_ids=[tama.id], kinds={}, by=COMMAND, now=cast.now())
        assert [one.label for one in mail.recipients_of(client)] == ["Tama Ngata <Tama@example.nz>"]
        assert not mail.change_preferences(client, contact_ids=[tama.id], kinds={}, by=COMMAND, now=cast.now())
        told = activity.log(client_id=client.id)[0]
        assert activity.sentence(told) == "Email preferences changed: Recipients"
        assert told.changes[0]["new"] == "Tama Ngata"

    def test_somebody_has_to_get_it(self) -> None:
        """CL-37: at least one."""
        client = cast.make_client(contacts=[AROHA, {"name": "No Mail", "email": ""}])
        stranger = cast.make_client("Other", contacts=[TAMA]).contacts[0]
        for chosen in ([], [client.contacts[1].id], [stranger.id]):
            with pytest.raises(MailProblem) as refused:
                mail.change_preferences(client, contact_ids=chosen, kinds={}, by=COMMAND, now=cast.now())
            assert refused.value.field == "contacts"

    def test_a_contact_that_was_removed_gets_no_more(self) -> None:
        client = cast.make_client(contacts=[AROHA, TAMA])
        mail.change_preferences(client, contact_ids=[client.contacts[1].id], kinds={}, by=COMMAND, now=cast.now())
        clients.remove_contact(client.contacts[1], by=COMMAND, now=cast.now())
        assert [one.address for one in mail.recipients_of(client)] == ["aroha@example.nz"]
        assert mail.preferences(client).chosen == frozenset()

    def test_names_of_contacts_are_made_fit_for_a_header(self) -> None:
        """Fault row 105."""
        client = cast.make_client(contacts=[{"name": "Eve\r\nBcc: all@example.nz", "email": "eve@example.nz"}])
        assert mail.recipients_of(client)[0].label == "Eve Bcc: all@example.nz <eve@example.nz>"

    def test_a_client_may_differ_from_the_firm(self) -> None:
        """ST-02."""
        usual, always, never = (cast.make_client(name, contacts=[AROHA]) for name in ("Usual", "Always", "Never"))
        for one, wanted in ((always, True), (never, False), (usual, None)):
            ids = [one.contacts[0].id]
            mail.change_preferences(one, contact_ids=ids, kinds={MailKind.INVOICE: wanted}, by=COMMAND, now=cast.now())
        everybody = [usual.id, always.id, never.id]
        assert mail.wanting(everybody, MailKind.INVOICE) == {always.id}
        mail.change_settings({"sends_invoices": True}, version=1, by=COMMAND, now=cast.now())
        assert mail.wanting(everybody, MailKind.INVOICE) == {usual.id, always.id}
        assert mail.wants(usual, MailKind.INVOICE) and not mail.wants(usual, MailKind.PROPOSAL)


class TestInvoicesThatWereRaisedByThemselves:
    def test_one_message_for_each_recipient_with_the_same_link(self) -> None:
        mail.change_settings({"sends_invoices": True}, version=1, by=COMMAND, now=cast.now())
        client = cast.make_client(contacts=[AROHA, TAMA])
        ids = [one.id for one in client.contacts]
        mail.change_preferences(client, contact_ids=ids, kinds={}, by=COMMAND, now=cast.now())
        made = mail.invoice_raised(invoice := make_invoice(client), by=COMMAND, now=cast.now())
        assert [one.to_address for one in made] == ["aroha@example.nz", "Tama@example.nz"]
        assert len({one.link for one in made}) == 1 and (made[0].link or "").startswith("/pay/")
        assert all(one.attaches_invoice and one.invoice_id == invoice.id for one in made)
        assert not any(moves.why_not(one) for one in made)

    def test_nothing_goes_where_it_is_not_wanted_or_cannot_be_sent(self) -> None:
        client = cast.make_client(contacts=[AROHA])
        assert mail.invoice_raised(make_invoice(client), by=COMMAND, now=cast.now()) == []
        mail.change_settings({"sends_invoices": True}, version=1, by=COMMAND, now=cast.now())
        mail.send_as("")
        assert mail.invoice_raised(make_invoice(client), by=COMMAND, now=cast.now()) == []

    def test_a_client_without_an_address_is_billed_all_the_same_and_the_log_says_it_was_not_sent(self) -> None:
        mail.change_settings({"sends_invoices": True}, version=1, by=COMMAND, now=cast.now())
        client = cast.make_client(contacts=[{"name": "Aroha", "email": "not an address"}])
        invoice = make_invoice(client)
        assert mail.invoice_raised(invoice, by=COMMAND, now=cast.now()) == []
        assert activity.sentence(activity.log(invoice_id=invoice.id)[0]) == (
            "Invoice could not be sent to Acme Corp: no contact of the client has an email address one can write to"
        )


class TestWhatMayBecomeOfIt:
    def test_only_what_waits_can_be_taken_back(self) -> None:
        row = put_down(link="/pay/abc")
        assert mail.of_invoice(row.invoice_id or 0)[0].can_be_withdrawn
        mail.withdraw(row.id, by=COMMAND, now=cast.now())
        assert (row.state, row.link, row.next_at) == (MailState.WITHDRAWN, None, None)
        with pytest.raises(mail.TooLateToWithdraw, match="withdrawn"):
            mail.withdraw(row.id, by=COMMAND, now=cast.now())
        with pytest.raises(mail.CannotSendAgain):
            mail.again(row.id, by=COMMAND, now=cast.now())

    def test_what_was_taken_back_while_it_was_made_ready_does_not_go(self) -> None:
        row = put_down()
        assert moves.take(row.id, "somebody", cast.now()) is not None
        mail.withdraw(row.id, by=COMMAND, now=cast.now())
        db.session.flush()
        assert not moves.begin(row.id, "somebody", cast.now())

    def test_two_cannot_have_one_message_in_hand(self) -> None:
        row, at = put_down(), cast.now()
        assert moves.take(row.id, "one", at) is not None
        assert moves.take(row.id, "other", at) is None
        assert not moves.begin(row.id, "other", at)
        assert moves.begin(row.id, "one", at)
        assert moves.take(row.id, "other", at + timedelta(days=1)) is None, "it may have gone"
        assert moves.due(at + timedelta(days=1), 10) == []

    def test_pages_never_see_the_private_link(self) -> None:
        row = put_down(link="/pay/very-secret")
        shown = mail.of_invoice(row.invoice_id or 0)[0]
        assert "very-secret" not in repr(shown) and shown.had_link
        assert (shown.to, shown.word) == ("Aroha <aroha@example.nz>", "Waiting to be sent")

    def test_how_mail_stands_is_told_in_numbers_and_a_reason(self) -> None:
        waits, fails = put_down(), put_down()
        moves.later(waits, "The mail server cannot be reached.", by=COMMAND, now=cast.now())
        moves.failed(fails, "No such address.", by=COMMAND, now=cast.now())
        db.session.flush()
        standing = mail.standing()
        assert (standing.waiting, standing.failed, standing.unknown) == (1, 1, 0)
        assert standing.trouble == "The mail server cannot be reached."
