"""The send screen (BS-04): one invoice, or all that one review made, by mail to the client's people; and trying again.

Leaving it changes nothing: the invoice is issued, and can be sent from its page at any time (IN-03).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, abort, request, url_for

from portal import mailer
from portal.db import db
from portal.domain import mail, once
from portal.domain.clients import Client
from portal.domain.invoices import Invoice, sending
from portal.domain.mail import MailKind, MailProblem, Recipient
from portal.domain.people import May
from portal.mailer.letters import file_name
from portal.web import mailing
from portal.web.guard import actor, current_person, needs
from portal.web.invoices import screen
from portal.web.invoices.lookups import invoice_or_404, now
from portal.web.mailing import SendForm
from portal.web.render import done, refused, render

TEMPLATE = "invoices/sending.html"
AT_ONCE = 50  # invoices of one review
VOIDED = "A voided invoice is sent to nobody."
REPLACED = "a new message with a new link was sent instead"


@screen.get("/<int:invoice_id>/sending")
@needs(May.INVOICE_CLIENTS)
def send(invoice_id: int) -> Response:
    """Whom it goes to, what it says, how it will look."""
    return _opened([invoice_or_404(invoice_id)])


@screen.get("/sending")
@needs(May.INVOICE_CLIENTS)
def send_several() -> Response:
    """All invoices of one review, one message each."""
    return _opened(_chosen())


@screen.post("/sending")
@needs(May.INVOICE_CLIENTS)
def sent() -> Response:
    """Put the messages down, once however often the form arrives; they leave in the background."""
    chosen = _chosen()
    if not mail.is_on():
        return done(mail.NOT_YET, ".page", tone="warn", invoice_id=chosen[0].id)
    if any(one.voided_at for one in chosen):
        return _left(VOIDED, chosen, tone="info")
    form = SendForm(chosen[0].client, MailKind.INVOICE)
    if not form.validate():
        return refused(TEMPLATE, "form", **_around(chosen, form))
    if once.claim(form.once.data or "", now()) is None:
        db.session.rollback()
        return _left("That form was sent already; nobody gets it twice.", _chosen(), tone="info")
    to = form.recipients()
    try:
        for invoice in chosen:
            _put_down(invoice, form, to)
    except MailProblem as problem:
        db.session.rollback()
        form.refuse(problem)
        return refused(TEMPLATE, "form", **_around(_chosen(), form))
    db.session.commit()
    mailer.send_soon()
    what = (
        f"Invoice {chosen[0].number} is on its way" if len(chosen) == 1 else f"{len(chosen)} invoices are on their way"
    )
    return _left(f"{what} to {mailing.labels(to)}.", chosen)


@screen.post("/sending/previews")
@needs(May.INVOICE_CLIENTS)
def preview_sending() -> Response:
    """As typed so far; nothing is kept."""
    chosen = _chosen()
    form = SendForm(chosen[0].client, MailKind.INVOICE)
    return render(TEMPLATE, blocks=("preview",), **_around(chosen, form))


@screen.post("/<int:invoice_id>/mails/<int:mail_id>/repeats")
@needs(May.INVOICE_CLIENTS)
def send_again(invoice_id: int, mail_id: int) -> Response:
    said, tone = mailing.try_again(_mail_or_404(invoice_id, mail_id))
    return done(said, ".page", tone=tone, invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/mails/<int:mail_id>/withdrawal")
@needs(May.INVOICE_CLIENTS)
def take_back(invoice_id: int, mail_id: int) -> Response:
    said, tone = mailing.take_back(_mail_or_404(invoice_id, mail_id))
    return done(said, ".page", tone=tone, invoice_id=invoice_id)


def mails_of(invoice: Invoice) -> dict[str, Any]:
    """What `invoices/mails.html` shows on the invoice's page."""
    person = current_person()
    return {
        **mailing.mails_part(mail.of_invoice(invoice.id)),
        "may_send": person.may(May.INVOICE_CLIENTS) and invoice.voided_at is None,
        "may_set_mail": person.may(May.MANAGE_SETTINGS),
        "owner": {"invoice_id": invoice.id},
    }


def _opened(chosen: list[Invoice]) -> Response:
    one = chosen[0]
    if any(invoice.voided_at for invoice in chosen):
        return done(VOIDED, ".page", tone="info", invoice_id=one.id)
    values = mail.fields_of_invoice(one) if len(chosen) == 1 else None
    form = mailing.fresh_form(one.client, MailKind.INVOICE, values)
    form.with_link.data = all(invoice.paid_at is None for invoice in chosen)
    return render(TEMPLATE, **_around(chosen, form))


def _around(chosen: list[Invoice], form: SendForm) -> dict[str, Any]:
    return {
        "form": form,
        "chosen": chosen,
        "client": chosen[0].client,
        "known": mail.FIELDS[MailKind.INVOICE],
        "letters": [_letter(one, form) for one in chosen],
        "envelope": mailing.envelope(form),
        "is_on": mail.is_on(),
        "has_link": any(one.pay_token for one in chosen),
        "back": _skip(chosen[0].client, chosen),
        "is_first": not any(mail.of_invoice(one.id) for one in chosen),
        "may_set_mail": current_person().may(May.MANAGE_SETTINGS),
    }


def _letter(invoice: Invoice, form: SendForm) -> mailing.Letter:
    attached = file_name(invoice)
    values, has_link = mail.fields_of_invoice(invoice), bool(form.with_link.data)
    return form.letter(values, f"Invoice {invoice.number}", attached=attached, has_link=has_link)


def _put_down(invoice: Invoice, form: SendForm, to: list[Recipient]) -> None:
    """One message for each recipient. A link replaces the one before, so what waits with that one is taken back."""
    link = ""
    if form.with_link.data:
        mailing.withdraw_waiting(mail.of_invoice(invoice.id), REPLACED)
        link = url_for("pay.page", token=sending.payment_token(invoice, by=actor(), now=now()))
    letter = _letter(invoice, form)
    for one in to:
        mail.put_down(
            kind=MailKind.INVOICE, key=mail.key_of(f"{form.once.data}:{invoice.id}", one.address), to=one,
            subject=letter.subject, message=letter.message, link=link, attaches_invoice=True, invoice=invoice,
            by=actor(), now=now(),
        )  # fmt: skip


def _left(said: str, chosen: Sequence[Invoice], tone: str = "ok") -> Response:
    if len(chosen) == 1:
        return done(said, ".page", tone=tone, invoice_id=chosen[0].id)
    return done(said, "clients.invoices_of", tone=tone, client_id=chosen[0].client_id)


def _skip(client: Client, chosen: Sequence[Invoice]) -> str:
    if len(chosen) == 1:
        return url_for("invoices.page", invoice_id=chosen[0].id)
    return url_for("clients.invoices_of", client_id=client.id)


def _chosen() -> list[Invoice]:
    """The invoices named in the address or the form, all of one client."""
    ids = [int(one) for one in request.values.getlist("id") if one.isascii() and one.isdigit() and len(one) < 10]
    found = [invoice_or_404(one) for one in list(dict.fromkeys(ids))[:AT_ONCE]]
    if not found or len({one.client_id for one in found}) > 1:
        abort(404)
    return found


def _mail_or_404(invoice_id: int, mail_id: int) -> int:
    row = mail.get(mail_id)
    return mail_id if row is not None and row.invoice_id == invoice_or_404(invoice_id).id else abort(404)
