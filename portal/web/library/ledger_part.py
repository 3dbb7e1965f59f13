"""The part of a service's form that says what it is booked to in each ledger (AP-07).

The same choice as in the app's invoice settings, where all services stand below each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wtforms import SelectField

from portal.domain import connections, deliveries, ledgers
from portal.domain.activity import Actor
from portal.domain.apps import Connection
from portal.domain.ledgers import LedgerEntry
from portal.domain.library import Service
from portal.domain.people import May
from portal.web.forms import Form, choices
from portal.web.guard import current_person


class TargetForm(Form):
    target = SelectField()

    def __init__(self, connection: Connection, held: str) -> None:
        # The whole form has been checked for forgery already.
        super().__init__(prefix=f"ledger-{connection.id}-", meta={"csrf": False}, data={"target": held})
        ways = connection.ways.ledger
        known = {one.remote_id: one for one in ledgers.entries(connection, ways.target, usable=False)} if ways else {}
        self.target.label.text = connections.label(connection)
        self.target.choices = choices(_offered(known, held, ledgers.settings_of(connection).default_target))


@dataclass(frozen=True)
class Ledger:
    connection: Connection
    form: TargetForm

    @property
    def has_choices(self) -> bool:
        """Whether its accounts or items have been read yet."""
        return len(list(self.form.target.iter_choices())) > 1


class LedgerPart:
    """The choices for all ledgers, as one part of the form; none for who may not map."""

    def __init__(self, service: Service | None = None) -> None:
        self.ledgers: list[Ledger] = []
        if not current_person().may(May.MANAGE_APPS):
            return
        for one in ledgers.in_use():
            held = ledgers.targets(one).get(service.id, "") if service else ""
            self.ledgers.append(Ledger(one, TargetForm(one, held)))

    def validate(self) -> bool:
        wrong = [one for one in self.ledgers if not one.form.validate()]  # each says what is wrong
        return not wrong

    def save(self, service: Service, *, by: Actor, now: datetime) -> bool:
        """Whether anything changed; invoices that waited for it are tried again. Raises `ledgers.NotInTheList`."""
        changed = False
        for one in self.ledgers:
            if one.form.target.raw_data and ledgers.set_target(
                one.connection, service, one.form.target.data, by=by, now=now
            ):
                deliveries.wake(one.connection.id, now=now)
                changed = True
        return changed


def _offered(known: dict[str, LedgerEntry], held: str, default: str) -> list[tuple[str, str]]:
    """The default first, then what can stand on an invoice, and what is chosen whatever became of it."""
    usual = f"The default: {_words(known[default])}" if default in known else "The default, which is not chosen yet"
    usable = [one for one in known.values() if (one.is_active and one.fits) or one.remote_id == held]
    gone = [(held, "One that is no longer there")] if held and held not in known else []
    return [("", usual), *gone, *((one.remote_id, _words(one)) for one in usable)]


def _words(entry: LedgerEntry) -> str:
    words = f"{entry.code} {entry.name}".strip()
    return words if entry.is_active and entry.fits else f"{words} (cannot be used)"
