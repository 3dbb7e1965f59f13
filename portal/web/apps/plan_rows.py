"""A plan's fields as a person reads them: what was agreed, what stands here and there, what will happen and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.domain import runs
from portal.domain.apps import RunItem
from portal.domain.fields import CLIENT_FIELDS
from portal.domain.records import Address, ClientRecord, ContactRecord
from portal.web.formats import NOTHING, value


@dataclass(frozen=True)
class ShownRow:
    """One field of one record. `is_ticked` None: nothing to choose, the value stays where it is."""

    key: str
    label: str
    agreed: str
    here: str
    there: str
    what: str
    why: str
    way: str  # in, out, both, none: which arrow stands there
    is_ticked: bool | None


def shown_rows(item: RunItem, app: str) -> list[ShownRow]:
    """The fields that matter; those that are the same on both sides are left away."""
    choosable = set(runs.tickable_fields(item)) if item.outcome in runs.TICKABLE else set()
    return [_shown(row, item, app, row["key"] in choosable) for row in item.plan if _matters(row)]


def incoming(record: ClientRecord) -> list[tuple[str, str]]:
    """Everything a new client would bring along, empty fields left away."""
    fields = [(CLIENT_FIELDS[name], value(held)) for name, held in _fields_of(record) if held not in (None, "", [])]
    people = [(contact.name, ", ".join(filter(None, _contact_parts(contact)))) for contact in record.contacts]
    return [(label, text) for label, text in fields if text != NOTHING] + people


def _fields_of(record: ClientRecord) -> list[tuple[str, Any]]:
    return [
        ("address", record.address), ("postal_address", record.postal_address), ("phone", record.phone),
        ("fax", record.fax), ("website", record.website), ("tax_registered", record.tax_registered),
        ("structure", record.structure), ("partner", record.partner and record.partner.name),
        ("manager", record.manager and record.manager.name), ("groups", [one.name for one in record.groups or ()]),
    ]  # fmt: skip


def _contact_parts(contact: ContactRecord) -> tuple[str, ...]:
    return contact.position, contact.email, contact.phone, contact.mobile


def plain_text(row: dict[str, Any], app: str) -> str:
    """One field in a line, for a spreadsheet."""
    here, there = _text(row, "here"), _text(row, "there")
    return f"{_label(row)}: here {here}, {app} {there}, {_what(row, app)} ({row['why']})"


def _matters(row: dict[str, Any]) -> bool:
    return row["action"] != "keep" or _text(row, "here") != _text(row, "there")


def _shown(row: dict[str, Any], item: RunItem, app: str, choosable: bool) -> ShownRow:
    return ShownRow(
        key=row["key"],
        label=_label(row),
        agreed=_text(row, "agreed"),
        here=_text(row, "here"),
        there=_text(row, "there"),
        what=_what(row, app),
        why=row["why"],
        way=_way(row["action"]),
        is_ticked=(item.is_included and row["key"] not in item.left_out) if choosable else None,
    )


def _label(row: dict[str, Any]) -> str:
    return f"{row['contact']}: {row['label']}" if row.get("contact") else row["label"]


def _text(row: dict[str, Any], side: str) -> str:
    held = row.get(side)
    if isinstance(held, list) and row["field"] in ("address", "postal_address") and len(held) == 5:
        return value(Address(*held))
    return value(held)


def _what(row: dict[str, Any], app: str) -> str:
    return {
        "pull": f"take {app}’s",
        "push": f"send ours to {app}",
        "conflict_there": f"conflict: take {app}’s, keep ours at hand",
        "conflict_here": f"conflict: send ours, keep {app}’s at hand",
        "hold": "held back",
        "later": "later",
        "keep": "stays as it is",
    }[row["action"]]


def _way(action: str) -> str:
    if action in ("pull", "conflict_there"):
        return "in"
    return "out" if action in ("push", "conflict_here") else "none"
