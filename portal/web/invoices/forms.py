"""The forms of an invoice: how it was paid, and why it is voided."""

from __future__ import annotations

from datetime import date
from typing import Any

from wtforms import BooleanField, DateField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, ValidationError

from portal.domain.invoices import METHODS, REASONS, Invoice
from portal.web.forms import Form, choices
from portal.web.invoices.lookups import today


class PaidForm(Form):
    """IN-30."""

    paid_on = DateField("Date paid", [InputRequired("Say on which day it was paid.")])
    method = SelectField("Payment method", choices=choices(METHODS.items()))
    reference = StringField("Reference", [Length(max=100)])
    write_to_ledger = BooleanField("Record it in the ledger too", default=True)

    @classmethod
    def for_invoice(cls, invoice: Invoice, day: date) -> PaidForm:
        form = cls(formdata=None, paid_on=day, write_to_ledger=True)
        return form.without_ledger(invoice)

    def without_ledger(self, invoice: Invoice) -> PaidForm:
        """An invoice that belongs to no ledger leaves nothing to record."""
        if invoice.connection_id is None:
            del self["write_to_ledger"]
        return self

    def validate_paid_on(self, field: Any) -> None:
        if field.data and field.data > today():
            raise ValidationError("That day has not come yet.")


class VoidForm(Form):
    """IN-33."""

    reason = SelectField(
        "Reason", [InputRequired("Choose a reason.")], choices=choices([("", "choose one"), *REASONS.items()])
    )
    note = TextAreaField("Note", [Length(max=500)])
