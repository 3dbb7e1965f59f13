"""What can be done with an invoice: create it in its ledger, mark it as paid or unpaid, void it, renumber it."""

from __future__ import annotations

from datetime import timedelta

from flask import Response, abort, request, url_for

from portal import deliveries as delivering
from portal import receivables
from portal.db import db
from portal.domain import connections, deliveries, invoices
from portal.domain.deliveries import CannotTryAgain
from portal.domain.invoices import CannotSettle, CannotVoid, sending
from portal.domain.ledgers import readings
from portal.domain.people import May
from portal.web import formats
from portal.web.guard import actor, needs
from portal.web.invoices import screen
from portal.web.invoices.forms import PaidForm, VoidForm
from portal.web.invoices.lookups import invoice_or_404, now
from portal.web.invoices.page import values
from portal.web.render import absolute, done, refused

GRACE = timedelta(seconds=15)  # before a payment somebody has just marked goes to the ledger: time to undo it


@screen.post("/<int:invoice_id>/deliveries")
@needs(May.MEND_DELIVERIES)
def deliver(invoice_id: int) -> Response:
    """Create in …, or record its payment there: it is looked for first, so pressing twice makes nothing twice
    (IN-14)."""
    invoice = invoice_or_404(invoice_id)
    asked = request.form.get("delivery", 0, type=int)
    theirs = {one.id: one for one in (*deliveries.of(invoice), *deliveries.of_payments(invoice))}
    delivery = theirs.get(asked)
    if delivery is None:
        return _first(invoice_id)
    try:
        deliveries.try_again(delivery, by=actor(), now=now())
    except CannotTryAgain as told:
        db.session.rollback()
        return done(str(told), ".page", tone="info", invoice_id=invoice_id)
    delivery_id = delivery.id
    db.session.commit()
    delivering.deliver_soon([delivery_id])
    return done("", ".page", invoice_id=invoice_id)


def _first(invoice_id: int) -> Response:
    """It was never meant for a ledger; now it is, when the client has one."""
    invoice = invoice_or_404(invoice_id)
    try:
        delivery = sending.send_to_ledger(invoice, by=actor(), now=now())
    except sending.NoLedger as told:
        db.session.rollback()
        return done(str(told), ".page", tone="info", invoice_id=invoice_id)
    delivery_id = delivery.id
    db.session.commit()
    delivering.deliver_soon([delivery_id])
    return done("", ".page", invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/looks")
@needs(May.SEE_INVOICES)
def look(invoice_id: int) -> Response:
    """Read it in its ledger now, rather than at the next look that comes by itself. A second press joins the first."""
    invoice = invoice_or_404(invoice_id)
    deployment = deliveries.deployment(invoice)
    found = deliveries.get(deployment.delivery_id) if deployment.delivery_id else None
    if found is None or found.remote_id is None:
        said = "It is in no ledger yet, so there is nothing to look at."
        return done(said, ".page", tone="info", invoice_id=invoice_id)
    if not found.connection.is_usable:
        said = f"{deployment.app} is not connected at the moment, so nothing was started."
        return done(said, ".page", tone="warn", invoice_id=invoice_id)
    connection_id, remote_id = found.connection_id, found.remote_id
    is_new = readings.ask(connection_id, readings.of_invoice(remote_id), by=actor(), now=now())
    db.session.commit()
    if is_new:
        receivables.look_at_soon(connection_id, remote_id)
    return done("", ".page", invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/payments")
@needs(May.SETTLE_INVOICES)
def mark_paid(invoice_id: int) -> Response:
    invoice = invoice_or_404(invoice_id)
    form = PaidForm().without_ledger(invoice)
    if not form.validate():
        return refused("invoices/page.html", "paying", **values(invoice, paid=form))
    to_ledger = "write_to_ledger" in form and bool(form.write_to_ledger.data)
    try:
        payment = invoices.mark_paid(
            invoice, paid_on=form.paid_on.data or abort(400), method=form.text("method"),
            reference=form.text("reference"), by=actor(), now=now(), write_to_ledger=to_ledger,
        )  # fmt: skip
    except CannotSettle as told:
        db.session.rollback()
        return done(str(told), ".page", tone="warn", invoice_id=invoice_id)
    waiting = [one for one in deliveries.of_payments(invoice) if one.payment_id == payment.id]
    said = f"Invoice {invoice.number} is marked as paid: {formats.money(payment.amount, payment.currency)}."
    for one in waiting:
        deliveries.put_off(one, now() + GRACE)
        said += f" It is recorded in {connections.label(one.connection)} too in a moment; until then it can be undone."
    db.session.commit()
    undo = ("Undo", url_for(".set_unpaid", invoice_id=invoice_id))
    return done(said, ".page", undo=undo, invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/payments/reversals")
@needs(May.SETTLE_INVOICES)
def set_unpaid(invoice_id: int) -> Response:
    invoice = invoice_or_404(invoice_id)
    try:
        invoices.set_unpaid(invoice, by=actor(), now=now())
    except CannotSettle as told:
        db.session.rollback()
        return done(str(told), ".page", tone="warn", invoice_id=invoice_id)
    db.session.commit()
    return done(f"Invoice {invoice.number} is unpaid again.", ".page", invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/voiding")
@needs(May.SETTLE_INVOICES)
def void(invoice_id: int) -> Response:
    invoice = invoice_or_404(invoice_id)
    form = VoidForm()
    if not form.validate():
        return refused("invoices/page.html", "voiding", **values(invoice, void=form))
    try:
        outcome = invoices.void(invoice, form.text("reason"), form.text("note"), by=actor(), now=now())
    except (CannotVoid, deliveries.UnderWay) as told:
        db.session.rollback()
        return done(str(told), ".page", tone="warn", invoice_id=invoice_id)
    db.session.commit()
    said = f"Invoice {invoice.number} is voided here."
    if outcome.there:
        said += f" It still stands in {' and '.join(outcome.there)}: void it there too."
    tone = "warn" if outcome.there else "ok"
    return done(said, ".page", tone=tone, invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/numbers")
@needs(May.SETTLE_INVOICES)
def renumber(invoice_id: int) -> Response:
    """The ledger has the number for somebody else's invoice: this one takes the next free one (fault row 94)."""
    invoice = invoice_or_404(invoice_id)
    old = invoice.number
    try:
        number = invoices.rename_number(invoice, by=actor(), now=now(), reason="the ledger has this number for another")
    except ValueError as told:  # the number is used here too, or the invoice may be under way under the old one
        db.session.rollback()
        return done(str(told), ".page", tone="warn", invoice_id=invoice_id)
    waiting = deliveries.of(invoice)
    for delivery in waiting:
        if delivery.state in deliveries.STUCK:
            deliveries.try_again(delivery, by=actor(), now=now())
    ids = [one.id for one in waiting]
    db.session.commit()
    delivering.deliver_soon(ids)
    return done(f"Invoice {old} is now {number}.", ".page", invoice_id=invoice_id)


@screen.post("/<int:invoice_id>/payment-links")
@needs(May.INVOICE_CLIENTS)
def payment_link(invoice_id: int) -> Response:
    """A private address at which the client sees this invoice; shown once, to be copied. The one before it ends."""
    invoice = invoice_or_404(invoice_id)
    had_one = invoice.pay_token is not None
    token = sending.payment_token(invoice, by=actor(), now=now())
    db.session.commit()
    said = f"Payment link, shown only now: {absolute('pay.page', token=token)}"
    if had_one:
        said = f"The link made before no longer opens. {said}"
    return done(said, ".page", invoice_id=invoice_id)
