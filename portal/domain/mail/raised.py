"""Invoices that were raised by themselves and go to the client by mail, where the client wants that."""

from __future__ import annotations

from datetime import datetime

from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.invoices.models import Invoice
from portal.domain.invoices.sending import payment_token
from portal.domain.mail import choosing, outbox, texts
from portal.domain.mail.models import MailKind, OutgoingMail
from portal.domain.mail.texts import MailProblem

PAY = "/pay/"  # where the private page of an invoice is
NOBODY = "no contact of the client has an email address one can write to"


def invoice_raised(invoice: Invoice, *, by: Actor, now: datetime) -> list[OutgoingMail]:
    """Put down what goes out by itself with this invoice: a message for each recipient, or nothing where mail is off or
    not wanted. Never raises for what is wrong with an address or a text: the invoice stands, and its log says so."""
    if not outbox.is_on() or not choosing.wants(invoice.client, MailKind.INVOICE):
        return []
    to = choosing.recipients_of(invoice.client)
    if not to:
        _not_mailed(invoice, invoice.client_name, NOBODY, by, now)
        return []
    subject, message = invoice_letter(invoice)
    link = PAY + payment_token(invoice, by=by, now=now)
    made = []
    for one in to:
        try:
            made.append(outbox.put_down(
                kind=MailKind.INVOICE, key=outbox.key_of(f"raised:{invoice.mark}", one.address), to=one,
                subject=subject, message=message, link=link, attaches_invoice=True, invoice=invoice, by=by, now=now,
            ))  # fmt: skip
        except MailProblem as problem:
            _not_mailed(invoice, one.label, str(problem), by, now)
    return made


def invoice_letter(invoice: Invoice) -> tuple[str, str]:
    """Subject and message of the firm's own text, filled in for this invoice."""
    text, values = choosing.texts_of(MailKind.INVOICE), texts.fields_of_invoice(invoice)
    subject = texts.fill(text.subject, values)[: texts.LONGEST_SUBJECT]
    return subject, texts.fill(text.message, values)[: texts.LONGEST_MESSAGE]


def _not_mailed(invoice: Invoice, to: str, reason: str, by: Actor, now: datetime) -> None:
    activity.record(
        Verb.MAIL_FAILED, by=by, now=now, client_id=invoice.client_id, invoice_id=invoice.id, what="Invoice", to=to,
        reason=reason,
    )  # fmt: skip
