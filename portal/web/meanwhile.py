"""A form that was overtaken: somebody else saved while it was open. Nothing is lost, neither typed nor saved.

The form is shown again as it was typed, with the values that now stand beside it; saving it again puts it in their
place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, SelectField

from portal.web import formats

LONGEST = 200


def differences(typed: FlaskForm, standing: FlaskForm) -> list[tuple[str, str]]:
    """(label, what stands there now) of every field where the two differ. Both forms are of the same class."""
    found = []
    for field in typed:
        if isinstance(field, HiddenField) or field.name not in standing:
            continue
        if _same(field.data) != _same(standing[field.name].data):
            found.append((field.label.text, shown(standing[field.name])))
    return found


def shown(field: Any) -> str:
    """A field's value as a person reads it."""
    if isinstance(field, BooleanField):
        return "yes" if field.data else "no"
    if isinstance(field, SelectField):
        options: Iterable[Any] = field.iter_choices()
        return next((str(one.label) for one in options if one.selected), formats.NOTHING)
    text = " ".join(str(field._value()).split()) or formats.NOTHING
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _same(value: Any) -> Any:
    """Nothing typed is nothing held; a choice is its text."""
    return "" if value is None else str(value.normalize() + 0) if hasattr(value, "normalize") else str(value)
