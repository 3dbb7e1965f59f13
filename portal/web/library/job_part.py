"""The part of a service's form that says what its jobs in a practice app are made of (XP-16).

One block for each connected account that takes jobs; what is left open there is as the proposal says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wtforms import SelectField

from portal import deploying
from portal.domain import connections
from portal.domain.job_choices import KINDS, job_choices
from portal.domain.library import Service
from portal.web.forms import Form, choices

OPEN = "As the proposal says"


class AccountForm(Form):
    template = SelectField("Job template")
    category = SelectField("Job category")

    def __init__(self, connection_id: int, held: dict[str, str]) -> None:
        # The whole form has been checked for forgery already.
        super().__init__(prefix=f"jobs-{connection_id}-", meta={"csrf": False}, data=held)
        for name, kind in KINDS.items():
            self[name].choices = choices([("", OPEN), *job_choices(connection_id, kind, held.get(name, ""))])

    def values(self) -> dict[str, str]:
        return {name: self[name].data for name in KINDS if self[name].data}


@dataclass(frozen=True)
class Account:
    connection_id: int
    label: str
    form: AccountForm

    @property
    def has_choices(self) -> bool:
        """Whether its templates and categories have been read yet."""
        return any(len(self.form[name].choices) > 1 for name in KINDS)


class JobPart:
    """The blocks of all accounts, as one part of the form."""

    def __init__(self, service: Service | None = None) -> None:
        self._held = dict(service.jobs) if service else {}
        self.accounts = [
            Account(one.id, connections.label(one), AccountForm(one.id, self._held.get(str(one.id), {})))
            for one in deploying.takers()
        ]

    def validate(self) -> bool:
        wrong = [one for one in self.accounts if not one.form.validate()]  # each says what is wrong
        return not wrong

    def values(self) -> dict[str, Any]:
        """As a service keeps them; what it says of accounts that are not connected now stays."""
        said = self._held | {str(one.connection_id): one.form.values() for one in self.accounts}
        return {"jobs": {connection: settings for connection, settings in said.items() if settings}}
