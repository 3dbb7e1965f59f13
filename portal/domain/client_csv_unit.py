"""All rows of a CSV file that come to one client, planned one after the other. PURE.

The invariant: a row that is refused leaves no trace, so that the rows after it are judged as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.domain.client_csv_columns import COLUMNS, OPTION
from portal.domain.client_csv_known import Asked, Known, KnownClient, RowOutcome, RowPlan
from portal.domain.text import sort_key

ADDRESSES = ("address_", "postal_")
ADDRESS_PARTS = ("street", "city", "region", "postcode", "country")
PEOPLE = {"manager_email": "manager_id", "partner_email": "partner_id"}
CLIENT_HEADINGS = {column.field: column.heading for column in COLUMNS if not column.of_contact}
CONTACT_HEADINGS = {column.field: column.heading for column in COLUMNS if column.of_contact}


class Refused(Exception):
    """The row cannot be imported; the text says why."""


def require(value: str, field_name: str, headings: Mapping[str, str]) -> None:
    if not value:
        raise Refused(f"{headings[field_name]} is empty; every row needs one.")


@dataclass
class _Person:
    """A contact of the unit: one that is here, or one an earlier row adds."""

    id: int | None
    values: dict[str, str]
    row: int | None = None  # the row that adds or changes it


class Unit:
    """One client, here or to be made, and what the rows so far have asked of it."""

    def __init__(self, client: KnownClient | None, known: Known) -> None:
        self.client = client
        self.known = known
        self.asked: dict[str, tuple[Any, int]] = {}
        self.people = [_Person(one.id, dict(one.values)) for one in client.contacts] if client else []
        self.default_row: int | None = None
        self.begun = False

    def take(self, row: Asked, plan: RowPlan, clears: bool) -> None:
        """Plan the row and remember what it asks. Raises `Refused`, and then remembers nothing."""
        require(row.name, "name", CLIENT_HEADINGS)
        person = self._person_of(row)
        self._require_contact(row, person)
        client_changes = self._client_changes(row, plan, clears)
        values = self._contact_values(row, person, clears)
        self._check_default(row, person)
        self._remember(row, plan, client_changes, person, values)

    def _person_of(self, row: Asked) -> _Person | None:
        if row.contact_id is not None:
            found = next((one for one in self.people if one.id == row.contact_id), None)
            if found is None:
                name = self.client.name if self.client else row.name
                raise Refused(f"{name} has no contact with the Contact ID {row.contact_id}. Empty it to add one.")
            return found
        email, name = row.contact["email"].casefold(), sort_key(row.contact["name"])
        if not email and not name:
            return None
        for one in self.people:
            if one.values["email"].casefold() == email and sort_key(one.values["name"]) == name:
                return one
        return None

    def _require_contact(self, row: Asked, person: _Person | None) -> None:
        """CL-40, except where a row of an export says what is so: the client has no contact, the contact no email."""
        if not row.has_contact and row.client_id is not None and self.client is not None and not self.client.contacts:
            return
        for name in ("name", "email"):
            if person is None or person.id is None or person.values[name]:
                require(row.contact[name], name, CONTACT_HEADINGS)

    def _client_changes(self, row: Asked, plan: RowPlan, clears: bool) -> dict[str, Any]:
        held = self.client.values if self.client else {}
        read_only = self.client.read_only if self.client else {}
        changes = {}
        for name, value in _asked_values(row.client, clears).items():
            blank = None if name == "tax_registered" else ""
            if _same(held.get(name, blank), value):
                continue
            if name.startswith(OPTION) and name not in held:
                plan.notes.append(self._not_linked(name, row.name))
                continue
            if name in read_only:
                plan.notes.append(f"{CLIENT_HEADINGS[name]} is kept by {read_only[name]} and stays as it is.")
                continue
            earlier = self.asked.get(name)
            if earlier is not None and earlier[0] != value:
                raise Refused(f"Row {earlier[1]} gives this client another {self._heading(name)}.")
            if name in PEOPLE and value and value not in self.known.people:
                raise Refused(
                    f"{CLIENT_HEADINGS[name]}: nobody in your team has the email {value}. "
                    "Add the person under Settings → Team, or leave the cell empty."
                )
            if earlier is None:
                changes[name] = value
        return changes

    def _heading(self, name: str) -> str:
        option = self.known.options.get(name)
        return option.heading if option is not None else CLIENT_HEADINGS[name]

    def _not_linked(self, name: str, client: str) -> str:
        app = self.known.options[name].app
        return (
            f"{self._heading(name)} stays out: {client} is not linked in {app} yet, where the option belongs to. "
            "Import it again once it is, or choose it on the client’s Apps tab."
        )

    def _changed(self, name: str, old: Any, new: Any) -> dict[str, Any]:
        """A change of the client as a person reads it."""
        option = self.known.options.get(name)
        if option is not None:
            old, new = option.name_of(old), option.name_of(new)
        return _change(self._heading(name), old, new)

    def _contact_values(self, row: Asked, person: _Person | None, clears: bool) -> dict[str, str]:
        """What to write to the contact; for a new one everything that is filled."""
        if person is None:
            return {name: value for name, value in row.contact.items() if value} if row.has_contact else {}
        asked = {name: value for name, value in row.contact.items() if value or (clears and name != "name")}
        changes = {name: value for name, value in asked.items() if not _same(person.values.get(name, ""), value)}
        if changes and person.row is not None:
            what = ", ".join(CONTACT_HEADINGS[name] for name in changes)
            raise Refused(f"Row {person.row} says something else about the same contact ({what}).")
        return changes

    def _check_default(self, row: Asked, person: _Person | None) -> None:
        if row.is_default and self.default_row is not None and (person is None or person.row != self.default_row):
            raise Refused(f"Row {self.default_row} already says Yes under Default Contact for this client.")

    def _remember(
        self, row: Asked, plan: RowPlan, client_changes: dict[str, Any], person: _Person | None, values: dict[str, str]
    ) -> None:
        old = self.client.values if self.client else {}
        adds_contact = person is None and row.has_contact
        makes_default = bool(row.is_default) and not self._is_default(person)
        plan.changes = [self._changed(name, old.get(name), value) for name, value in client_changes.items()]
        before = person.values if person else {}
        plan.changes += [_change(CONTACT_HEADINGS[name], before.get(name), value) for name, value in values.items()]
        if makes_default and (self.client is not None or self.begun):
            plan.changes.append(_change(CONTACT_HEADINGS["is_default"], None, row.contact["name"]))
        plan.client_values = _as_fields(client_changes, old, self.known)
        plan.contact_values = values
        plan.contact_id = person.id if person else None
        plan.makes_default = makes_default
        plan.client_version = self.client.version if self.client else None
        plan.outcome = self._outcome(client_changes, values, adds_contact, makes_default)
        self._note(row, plan, person)
        self.asked.update({name: (value, row.number) for name, value in client_changes.items()})
        if adds_contact:
            person = _Person(None, {name: row.contact.get(name, "") for name in row.contact})
            self.people.append(person)
        if person is not None and values:
            person.values.update(values)
            person.row = row.number
        if makes_default:
            self.default_row = row.number
        self.begun = True

    def _is_default(self, person: _Person | None) -> bool:
        if self.client is None or person is None:
            return False
        return any(one.is_default and one.id == person.id for one in self.client.contacts)

    def _outcome(
        self, client_changes: dict[str, Any], values: dict[str, str], adds_contact: bool, makes_default: bool
    ) -> RowOutcome:
        if self.client is None and not self.begun:
            return RowOutcome.CREATE
        if adds_contact:
            return RowOutcome.ADD_CONTACT
        return RowOutcome.EDIT if client_changes or values or makes_default else RowOutcome.UNCHANGED

    def _note(self, row: Asked, plan: RowPlan, person: _Person | None) -> None:
        if self.client is not None and self.client.is_archived and plan.outcome.writes:
            plan.notes.append("This client is archived, and stays so.")
        if plan.outcome == RowOutcome.UNCHANGED:
            again = person is not None and person.row is not None
            plan.reason = f"Row {person.row} says the same." if again and person else "Everything is as it is here."
        if "name" in plan.client_values and self.client is not None:
            twins = [one for one in self.known.by_name.get(row.name, ()) if one != self.client.id]
            if twins:
                plan.notes.append("Another client has this name already.")


def _asked_values(cells: Mapping[str, Any], clears: bool) -> dict[str, Any]:
    """What the filled cells ask for. An address is one thing: when any part is filled, all five count."""
    asked: dict[str, Any] = {}
    for prefix in ADDRESSES:
        parts = {prefix + part: cells[prefix + part] for part in ADDRESS_PARTS}
        if any(parts.values()) or clears:
            asked.update(parts)
    for name, value in cells.items():
        if name.startswith(ADDRESSES):
            continue
        if value != "":
            asked[name] = value
        elif clears and name != "name":
            asked[name] = None if name == "tax_registered" else ""
    return asked


def _same(held: Any, asked: Any) -> bool:
    if isinstance(held, str) and isinstance(asked, str):
        return held == asked or held.replace("\r\n", "\n").strip() == asked
    return bool(held == asked)


def _change(heading: str, old: Any, new: Any) -> dict[str, Any]:
    return {"label": heading, "old": "" if old is None else old, "new": "" if new is None else new}


def _as_fields(changes: Mapping[str, Any], held: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The values as `clients.edit` takes them, an address as its five parts."""
    fields: dict[str, Any] = {}
    for name, value in changes.items():
        prefix = next((one for one in ADDRESSES if name.startswith(one)), None)
        if prefix is not None:
            whole = "address" if prefix == "address_" else "postal_address"
            parts = [changes.get(prefix + part, held.get(prefix + part, "")) for part in ADDRESS_PARTS]
            fields[whole] = parts
        elif name in PEOPLE:
            fields[PEOPLE[name]] = known.people[value] if value else None
        else:
            fields[name] = value
    return fields
