"""What each row of a CSV file would do to the firm's clients, and why a row is refused or needs a choice. PURE.

The rules are CL-40 to CL-44. The invariant: a row is either planned whole or not at all, and rows that come to the same
client are planned together, so that two rows never say different things about it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from portal.domain.client_csv_known import Asked, Known, KnownClient, KnownContact, RowOutcome, RowPlan
from portal.domain.client_csv_unit import CLIENT_HEADINGS, Refused, Unit, require
from portal.domain.text import near_key

__all__ = ["Known", "KnownClient", "KnownContact", "RowOutcome", "RowPlan", "leads", "near_in_file", "plan_rows"]


def leads(rows: Iterable[Asked]) -> dict[int, int]:
    """For each row number the first row about the same client: the same id, or no id and the same name (CL-43)."""
    first: dict[tuple[str, Any], int] = {}
    return {
        row.number: first.setdefault(("id", row.client_id) if row.client_id else ("name", row.name), row.number)
        for row in rows
    }


def near_in_file(rows: Iterable[Asked]) -> dict[int, str]:
    """A note for rows that would create clients of nearly the same name as another row of this file."""
    by_near: dict[str, dict[str, int]] = defaultdict(dict)
    asked = [(row, near_key(row.name)) for row in rows if row.client_id is None and row.name]
    for row, near in asked:
        if near:
            by_near[near].setdefault(row.name, row.number)
    notes = {}
    for row, near in asked:
        others = [(number, name) for name, number in by_near.get(near, {}).items() if name != row.name]
        if others:
            notes[row.number] = f"Row {others[0][0]} has nearly the same name, “{others[0][1]}”. Are they two clients?"
    return notes


def plan_rows(
    rows: Sequence[Asked], lead_of: Mapping[int, int], choices: Mapping[int, str], known: Known, *, clears: bool = False
) -> list[RowPlan]:
    """One plan a row, in the order of the file.

    `choices` maps a lead row to 'create', 'skip' or 'edit:<client id>'. `clears`: an empty cell in a row with a Client
    ID empties the value; otherwise it leaves the value alone.
    """
    units: dict[tuple[str, int], Unit] = {}
    return [_plan_row(row, lead_of[row.number], choices, known, units, clears) for row in rows]


def _plan_row(
    row: Asked, lead: int, choices: Mapping[int, str], known: Known, units: dict[tuple[str, int], Unit], clears: bool
) -> RowPlan:
    plan = RowPlan(row.number, lead, row.name, RowOutcome.REFUSED)
    try:
        if row.problems:
            raise Refused(" ".join(row.problems))
        key = _unit_of(row, plan, choices.get(lead, ""), known)
        if key is None:
            return plan
        if key not in units:
            client = known.clients[key[1]] if key[0] == "client" else None
            units[key] = Unit(client, known)
        units[key].take(row, plan, clears and row.client_id is not None)
    except Refused as refusal:
        plan.outcome = RowOutcome.REFUSED
        plan.reason = str(refusal)
    return plan


def _unit_of(row: Asked, plan: RowPlan, choice: str, known: Known) -> tuple[str, int] | None:
    """Which client the row comes to; None when it comes to none, with the plan saying why."""
    if row.client_id is not None:
        if row.client_id not in known.clients:
            raise Refused(f"There is no client with the Client ID {row.client_id}. Leave it empty to create one.")
        plan.client_id = row.client_id
        return ("client", row.client_id)
    if row.contact_id is not None:
        raise Refused("Contact ID is filled and Client ID is empty. An existing contact needs its client's id too.")
    require(row.name, "name", CLIENT_HEADINGS)
    plan.candidates = known.candidates(row.name)
    if choice == "skip":
        plan.outcome = RowOutcome.SKIP
        plan.reason = "Left out by choice."
        return None
    chosen = next((one for one in plan.candidates if choice == f"edit:{one['id']}"), None)
    if chosen is not None:
        plan.client_id = chosen["id"]
        return ("client", chosen["id"])
    if plan.candidates and choice != "create":
        plan.outcome = RowOutcome.CHOICE
        plan.reason = _why_choose(plan.candidates)
        return None
    return ("row", plan.lead)


def _why_choose(candidates: list[dict[str, Any]]) -> str:
    exact = [one for one in candidates if one["exact"]]
    if len(exact) > 1:
        return f"{len(exact)} clients have exactly this name already."
    if exact:
        return "A client of exactly this name exists already."
    if len(candidates) > 1:
        return f"{len(candidates)} clients have nearly this name, “{candidates[0]['name']}” among them."
    return f"A client of nearly this name exists already: “{candidates[0]['name']}”."
