"""The forms of the screens: WTForms with the forgery check, and texts read the one way they may be stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from flask_wtf import FlaskForm
from wtforms import (  # type: ignore[attr-defined]  # SelectChoice is newer than the stubs
    HiddenField,
    PasswordField,
    SelectChoice,
    StringField,
)

from portal.domain.text import clean_line

AS_TYPED = (PasswordField, HiddenField)


class PlainWords:
    """What WTForms says of its own accord, as this portal says it. Its values stay where it put them: %(max)d."""

    SAID: ClassVar = {
        "Field cannot be longer than %(max)d character.": "At most %(max)d letter, please.",
        "Field cannot be longer than %(max)d characters.": "At most %(max)d letters, please.",
        "Not a valid choice.": "Choose one of those listed.",
        "Invalid Choice: could not coerce.": "Choose one of those listed.",
        "Not a valid integer value.": "Type a whole number, such as 3.",
        "This field is required.": "This is needed.",
    }

    def gettext(self, said: str) -> str:
        return self.SAID.get(said, said)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return self.gettext(one if number == 1 else many)


class Form(FlaskForm):
    """Texts arrive clean and on one line, passwords to the letter: the rules of a form see what would be kept."""

    class Meta(FlaskForm.Meta):
        def get_translations(self, _form: Any) -> PlainWords:
            return PlainWords()

        def bind_field(self, form: Any, unbound_field: Any, options: Any) -> Any:
            kind = unbound_field.field_class
            if issubclass(kind, StringField) and not issubclass(kind, AS_TYPED):
                filters = [*unbound_field.kwargs.get("filters", ()), _clean]
                options = dict(options, filters=filters)
            return unbound_field.bind(form=form, **options)

    def text(self, name: str) -> str:
        """What a field holds; empty when nothing was typed."""
        return str(self[name].data or "")


def choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """(value, words) as a field of choices wants them."""
    return [SelectChoice(value, words) for value, words in pairs]


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_line(text)
