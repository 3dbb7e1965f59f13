"""The forms of the billing tab: a line of the schedule, a single item, a service, the check of an invoice."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from wtforms import HiddenField, IntegerField, SelectField, StringField
from wtforms.validators import DataRequired, Length, NumberRange
from wtforms.validators import Optional as MayBeEmpty

from portal.domain import library
from portal.domain.library import CadenceUnit, Service
from portal.domain.schedule import Coming, PayBy
from portal.web.fields import Amount, Day, LongForm, LongText
from portal.web.forms import Form, choices

PAY_WORDS = {PayBy.MANUAL: "Paid by the client", PayBy.AUTOMATIC: "Collected automatically"}
LEAST = -(Decimal(10) ** 12)  # a price may be a credit
FACTS = ("name", "description", "quantity", "price", "discount", "tax_rate_id")


def tax_choices(keep: Iterable[int | None] = ()) -> list[Any]:
    """The rates a person can choose, and none at all."""
    rates = library.tax_rates(keep=[one for one in keep if one])
    return choices([("0", "No tax rate"), *((str(one.id), one.name) for one in rates)])


class FactsForm(LongForm):
    """What is billed, and for how much."""

    name = StringField("What", validators=[DataRequired("Say what is billed."), Length(max=200)])
    description = LongText("Description", validators=[Length(max=5000)], render_kw={"rows": 3})
    quantity = Amount("Quantity", needed="Say how many; 1 for a fixed price.")
    price = Amount("Price before tax", least=LEAST, needed="Type the price of one; 0 is a price too.")
    discount = Amount("Discount", empty=Decimal(0))
    discount_kind = SelectField("Kind of discount", choices=choices([("amount", "amount off"), ("percent", "percent")]))
    tax_rate_id = SelectField("Tax rate", coerce=int)
    pay_by = SelectField("Payment method", choices=choices((one.value, words) for one, words in PAY_WORDS.items()))
    version = HiddenField()
    once = HiddenField()

    def __init__(self, held: Any = None, **more: Any) -> None:
        shown: dict[str, Any] = {"quantity": Decimal(1)}
        if held is not None:
            shown = {name: getattr(held, name, None) for name in FACTS}
            shown["discount_kind"] = "percent" if getattr(held, "discount_is_percent", False) else "amount"
            shown["pay_by"] = getattr(held, "pay_by", PayBy.MANUAL.value)
        default = library.default_tax_rate() if held is None else None
        shown["tax_rate_id"] = shown.get("tax_rate_id") or (default.id if default else 0)
        super().__init__(**(shown | more))
        self.tax_rate_id.choices = tax_choices([shown["tax_rate_id"]])

    def facts(self) -> dict[str, Any]:
        return {
            "name": self.text("name"), "description": self.description.data or "", "quantity": self.quantity.data,
            "price": self.price.data, "discount": self.discount.data or Decimal(0),
            "discount_is_percent": self.discount_kind.data == "percent",
            "tax_rate_id": self.tax_rate_id.data or None,
        }  # fmt: skip

    def pays_by(self) -> PayBy:
        return PayBy(self.pay_by.data)

    def validate(self, extra_validators: Any = None) -> bool:
        """A discount that is more than the line comes to is said beside it."""
        if not super().validate(extra_validators):
            return False
        whole = Decimal(100) if self.discount_kind.data == "percent" else self.quantity.data * self.price.data
        if self.discount.data and self.discount.data > max(whole, Decimal(0)):
            self.discount.errors = ["That is more than the line comes to."]
            return False
        return True


class ItemForm(FactsForm):
    """One line of the schedule (BS-06)."""

    due_on = Day("Date")
    mode = SelectField("Billed", choices=choices([("manual", "by hand"), ("automatic", "automatically, on the date")]))
    notes = StringField("Notes", validators=[Length(max=500)])

    def __init__(self, held: Coming, **more: Any) -> None:
        mode = "automatic" if held.is_automatic else "manual"
        super().__init__(held, **({"due_on": held.due_on, "mode": mode, "notes": held.notes} | more))

    def values(self) -> dict[str, Any]:
        return self.facts() | {
            "due_on": self.due_on.data, "is_automatic": self.mode.data == "automatic", "pay_by": self.pays_by(),
            "notes": self.text("notes"),
        }  # fmt: skip


class NewItemForm(FactsForm):
    """A single thing to be billed without a proposal (BS-10)."""

    when = SelectField(
        "When",
        choices=choices(
            [("now", "invoice it now"), ("on", "automatically, on a date"), ("later", "by hand, some other day")]
        ),
    )
    due_on = Day("Date")
    notes = StringField("Notes", validators=[Length(max=500)])
    service_id = HiddenField()


class NewServiceForm(FactsForm):
    """An additional recurring service (BS-10)."""

    every = IntegerField("Every", validators=[DataRequired("How many?"), NumberRange(1, 366, "Between 1 and 366.")])
    cadence = SelectField(
        "Cadence", choices=choices([("day", "days"), ("week", "weeks"), ("month", "months")]), default="month"
    )
    first_on = Day("First invoice", validators=[DataRequired("Choose a day from today on.")])
    periods = IntegerField("Ends after", validators=[MayBeEmpty(), NumberRange(1, 9999, "Between 1 and 9,999.")])
    service_id = HiddenField()

    def __init__(self, held: Any = None, **more: Any) -> None:
        recurs = isinstance(held, Service)
        shown = {"every": held.every if recurs else 1, "cadence": held.cadence.value if recurs else "month"}
        super().__init__(held, **(shown | more))

    def unit(self) -> CadenceUnit:
        return CadenceUnit(self.cadence.data)


class LineForm(Form):
    """Quantity and price of one line, checked before it is invoiced."""

    class Meta(Form.Meta):
        csrf = False  # the page's one form carries the token

    quantity = Amount("Quantity", needed="Say how many.")
    price = Amount("Price before tax", least=LEAST, needed="Type the price of one.")
    version = HiddenField()


class InvoiceForm(Form):
    """What holds for all lines that are invoiced together."""

    pay_by = SelectField(
        "Payment method",
        choices=choices([("", "As planned for each"), *((one.value, words) for one, words in PAY_WORDS.items())]),
    )
    memo = StringField("Note on the invoice", validators=[Length(max=500)])
    once = HiddenField()
