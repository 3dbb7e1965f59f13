"""Fields that several screens need: amounts as people type them, texts of several lines, days.

What is typed is read the one way it may be stored; what cannot be read says so beside its field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import request
from wtforms import DateField, Field, TextAreaField
from wtforms.widgets import TextInput

from portal.domain.text import BadText, clean
from portal.web.forms import Form

LARGEST = Decimal(10) ** 12
LONGEST_NUMBER = 18  # digits of a number in an address; no id has more
FINEST = 4  # decimals that are kept
_NUMBER = re.compile(r"-?\d{1,3}(?:([,' \u00a0\u202f])\d{3}(?:\1\d{3})*)?(?:\.\d+)?|-?\d+(?:\.\d+)?|-?\.\d+")


def asked_number(name: str, default: int | None = None) -> int | None:
    """A number the address gives, such as an id; `default` where there is none that a database could hold."""
    sent = request.args.get(name, "")
    return int(sent) if sent.isdecimal() and len(sent) <= LONGEST_NUMBER else default


def numbers_in(sent: Iterable[str]) -> list[int]:
    """What of it is a number that a database could hold."""
    return [int(value) for value in sent if value.isdecimal() and len(value) <= LONGEST_NUMBER]


class LongText(TextAreaField):
    """A text of several lines, kept as typed but for what cannot be stored."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        try:
            self.data = clean(str(valuelist[0]).replace("\r\n", "\n").replace("\r", "\n"))
        except BadText as problem:
            self.data = ""
            raise ValueError(f"This text {problem}.") from problem


class LongForm(Form):
    """A form that may have long texts: their line breaks are kept."""

    class Meta(Form.Meta):
        def bind_field(self, form: Any, unbound_field: Any, options: Any) -> Any:
            if issubclass(unbound_field.field_class, LongText):
                return unbound_field.bind(form=form, **options)
            return super().bind_field(form, unbound_field, options)


class Amount(Field):
    """A number with decimals; thousands may be set apart. `least`, `most` bound it, `places` is what is kept of it.

    Empty gives `empty`, which is None unless said otherwise.
    """

    widget = TextInput()

    def __init__(
        self, label: str, *args: Any, least: Decimal = Decimal(0), most: Decimal = LARGEST, places: int = FINEST,
        empty: Decimal | None = None, needed: str = "", **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs.setdefault("render_kw", {"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(label, *args, **kwargs)
        self.least, self.most, self.places, self.empty, self.needed = least, most, places, empty, needed
        if needed:
            self.flags.required = True

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else format(Decimal(self.data).normalize(), "f")

    def process_formdata(self, valuelist: list[Any]) -> None:
        typed = str(valuelist[0]).strip() if valuelist else ""
        if not typed:
            self.data = self.empty
            if self.needed:
                raise ValueError(self.needed)
            return
        self.data = None
        if not _NUMBER.fullmatch(typed):
            raise ValueError("Type a number, such as 1200 or 1,200.50.")
        try:
            number = Decimal(re.sub(r"[,' \u00a0\u202f]", "", typed))
        except InvalidOperation as problem:
            raise ValueError("Type a number, such as 1200 or 1,200.50.") from problem
        if number != round(number, self.places):
            raise ValueError(f"At most {self.places} decimals, please.")
        if not self.least <= number <= self.most:
            raise ValueError(f"Between {self.least:,f} and {self.most:,f}, please.")
        self.data = number


class Day(DateField):
    """A day as the browser's own calendar gives it; empty is None."""

    def __init__(self, label: str, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("render_kw", {"autocomplete": "off"})
        super().__init__(label, *args, **kwargs)

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist or not str(valuelist[0]).strip():
            self.data = None
            return
        try:
            super().process_formdata(valuelist)
        except ValueError as problem:
            self.data = None
            raise ValueError("Type a day, such as 2027-03-31.") from problem
