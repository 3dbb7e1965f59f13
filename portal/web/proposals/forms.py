"""The forms of a proposal: its details, one line of it, and an acceptance on behalf of the client."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from wtforms import BooleanField, HiddenField, IntegerField, RadioField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, ValidationError
from wtforms.validators import Optional as MayBeEmpty

from portal.domain import library, proposals
from portal.domain.library import BillingType, CadenceUnit, PriceType
from portal.domain.proposals import Grouping, Proposal, ProposalLine, Starts
from portal.web.fields import Amount, Day, LongForm, LongText
from portal.web.forms import Form, choices
from portal.web.price_words import BILLING_WORDS, CADENCE_WORDS, MEANS, PRICE_WORDS

GROUPING_WORDS = {
    Grouping.CLIENT: "One for the client: the reference is CLI and the client’s number",
    Grouping.PROPOSAL: "One for this proposal: the reference is PROP and its number",
    Grouping.NONE: "None: invoices carry no reference",
}
START_WORDS = {
    Starts.ACCEPTANCE: "When it is accepted",
    Starts.PROPOSAL_START: "When the proposal starts",
    Starts.DATE: "On a day of its own",
}
LINE_VALUES = (
    "name", "description", "quantity", "price_type", "price", "price_to", "unit", "discount", "billing_type", "every",
    "cadence", "deposit", "starts", "starts_on", "delay", "periods", "is_optional",
)  # fmt: skip


class ProposalForm(LongForm):
    """Details of a proposal; packages are typed one a line."""

    name = StringField(
        "Name",
        validators=[
            DataRequired("Give the proposal a name the client understands."),
            Length(max=200, message="At most 200 letters."),
        ],
    )
    message = LongText("Message to the client", validators=[Length(max=10_000)], render_kw={"rows": 5})
    terms = LongText("Terms", validators=[Length(max=50_000)], render_kw={"rows": 6})
    starts_on = Day("Start")
    expires_on = Day("Last day to accept")
    grouping = SelectField(
        "Billing group", choices=choices((one.value, words) for one, words in GROUPING_WORDS.items())
    )
    options = LongText("Packages", render_kw={"rows": 3})
    discount = Amount("Discount in percent", most=Decimal(100), empty=Decimal(0))
    version = HiddenField()
    once = HiddenField()

    def __init__(self, proposal: Proposal | None = None, **more: Any) -> None:
        shown: dict[str, Any] = {}
        if proposal is not None:
            shown = {
                name: getattr(proposal, name)
                for name in ("name", "message", "terms", "starts_on", "expires_on", "grouping", "discount")
            }
            shown |= {"options": "\n".join(proposal.options), "version": proposal.version}
        super().__init__(**(shown | more))

    def validate_options(self, field: LongText) -> None:
        names = self.packages()
        if len(names) > proposals.MOST_OPTIONS:
            raise ValidationError(f"At most {proposals.MOST_OPTIONS} packages; clients choose best among two or three.")
        if len(names) == 1:
            raise ValidationError("One package is no choice. Name at least two, or none.")
        if len(set(names)) < len(names) or any(len(name) > 60 for name in names):
            raise ValidationError("Give each package a name of its own, at most 60 characters.")

    def packages(self) -> list[str]:
        return [name.strip() for name in (self.options.data or "").split("\n") if name.strip()]

    def values(self) -> dict[str, Any]:
        return {
            "name": self.text("name"), "message": self.message.data or "", "terms": self.terms.data or "",
            "starts_on": self.starts_on.data, "expires_on": self.expires_on.data,
            "grouping": Grouping(self.grouping.data), "options": self.packages(),
            "discount": self.discount.data or Decimal(0),
        }  # fmt: skip


class LineForm(LongForm):
    """One service offered."""

    name = StringField("Name", validators=[DataRequired("Give it a name."), Length(max=200)])
    description = LongText("Description", validators=[Length(max=5000)], render_kw={"rows": 3})
    quantity = Amount("Quantity", least=Decimal("0.0001"), most=Decimal(1_000_000), empty=Decimal(1))
    price_type = SelectField(
        "Kind of price", choices=choices((kind.value, words) for kind, words in PRICE_WORDS.items())
    )
    price = Amount("Price before tax")
    price_to = Amount("Up to")
    unit = StringField("Unit", validators=[Length(max=40)])
    discount = Amount("Discount", empty=Decimal(0))
    discount_kind = SelectField(
        "Discount in", choices=choices((("amount", "Amount off the line"), ("percent", "Percent")))
    )
    tax_rate_id = SelectField("Tax rate", coerce=int)
    billing_type = SelectField(
        "Billing",
        choices=choices((kind.value, words) for kind, words in BILLING_WORDS.items()),
    )
    every = IntegerField("Every", validators=[MayBeEmpty(), NumberRange(1, 366, "Between 1 and 366.")])
    cadence = SelectField("Cadence", choices=choices((one, many) for one, many in CADENCE_WORDS))
    deposit = Amount("Deposit before tax")
    starts = SelectField("First bill", choices=choices((one.value, words) for one, words in START_WORDS.items()))
    starts_on = Day("Day of its own")
    delay = IntegerField("Later by", validators=[MayBeEmpty(), NumberRange(0, 120, "Between 0 and 120.")])
    periods = IntegerField("How many times", validators=[MayBeEmpty(), NumberRange(1, 1000, "Between 1 and 1,000.")])
    option = SelectField("Package", coerce=int)
    is_optional = BooleanField("The client may leave it out")
    is_taken = BooleanField("Ticked at first")
    version = HiddenField()
    once = HiddenField()
    means = MEANS

    def __init__(self, line: ProposalLine | None, proposal: Proposal, **more: Any) -> None:
        """`line` None: one that is not in the library, to be filled in."""
        default = library.default_tax_rate()
        shown: dict[str, Any] = {
            "quantity": Decimal(1), "every": 1, "cadence": "month", "is_taken": True,
            "tax_rate_id": default.id if default else 0, "option": 0,
        }  # fmt: skip
        if line is not None:
            shown = {name: getattr(line, name) for name in LINE_VALUES}
            shown["tax_rate_id"], shown["option"] = line.tax_rate_id or 0, line.option or 0
            shown["discount_kind"] = "percent" if line.discount_is_percent else "amount"
            shown |= {"is_taken": line.is_taken, "version": proposals.mark_of(line)}
        super().__init__(**(shown | more))
        self.price.flags.required = True
        rates = library.tax_rates(keep=[shown["tax_rate_id"]])
        self.tax_rate_id.choices = choices([("0", "No tax rate"), *((str(one.id), one.name) for one in rates)])
        packages = enumerate(proposal.options, start=1)
        self.option.choices = choices([("0", "In every package"), *((str(n), name) for n, name in packages)])

    def validate_price(self, field: Amount) -> None:
        if field.data is None and not field.errors and self.price_type.data != PriceType.INCLUDED.value:
            raise ValidationError("Type the price; 0 is a price too.")

    def validate_starts_on(self, field: Day) -> None:
        if self.starts.data == Starts.DATE.value and field.data is None:
            raise ValidationError("Say on which day.")

    def values(self) -> dict[str, Any]:
        return {
            "name": self.text("name"), "description": self.description.data or "",
            "quantity": self.quantity.data or Decimal(1), "price_type": PriceType(self.price_type.data),
            "price": self.price.data or Decimal(0), "price_to": self.price_to.data, "unit": self.text("unit"),
            "discount": self.discount.data or Decimal(0), "discount_is_percent": self.discount_kind.data == "percent",
            "tax_rate_id": self.tax_rate_id.data or None, "billing_type": BillingType(self.billing_type.data),
            "every": self.every.data or 1, "cadence": CadenceUnit(self.cadence.data), "deposit": self.deposit.data,
            "starts": Starts(self.starts.data), "starts_on": self.starts_on.data, "delay": self.delay.data or 0,
            "periods": self.periods.data, "option": self.option.data or None,
            "is_optional": bool(self.is_optional.data),
            "is_taken": bool(self.is_taken.data) if self.is_optional.data else True,
        }  # fmt: skip


class BehalfForm(Form):
    """Accepting for the client: who of them said yes, and what they take."""

    name = StringField("Who accepted", validators=[DataRequired("Name the person who said yes."), Length(max=120)])
    email = StringField("Their email", validators=[Length(max=254)])
    option = RadioField("Package", coerce=int, validators=[InputRequired("Choose a package.")])
    agreed = BooleanField(
        "They have agreed to this proposal and its terms", validators=[DataRequired("Tick this only when it is so.")]
    )

    def __init__(self, proposal: Proposal, **more: Any) -> None:
        super().__init__(**({"option": 1} | more))
        self.option.choices = choices((str(n), name) for n, name in enumerate(proposal.options, start=1))
        if not proposal.options:
            del self.option


class LostForm(Form):
    reason = StringField("Why", validators=[Length(max=200)])
