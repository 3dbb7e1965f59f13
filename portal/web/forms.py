"""The forms of the screens: WTForms with the forgery check, and texts read the one way they may be stored."""

from __future__ import annotations

from flask_wtf import FlaskForm

from portal.domain.text import clean_line


class Form(FlaskForm):
    def text(self, name: str) -> str:
        """What was typed into a field, on one line and clean; empty when nothing was."""
        return clean_line(str(self[name].data or ""))

    def secret(self, name: str) -> str:
        """What was typed into a password field, to the letter."""
        return str(self[name].data or "")
