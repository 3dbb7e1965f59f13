"""The library as a CSV file, out and in again: what a file would do is told first, then done as a whole or not at all.

A service is known by its exact name: one of that name is changed, any other is new. Nothing is taken out by a file.
Where a practice app is connected, the last columns name the template and category of a service's jobs (XP-16).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from portal.domain import connections, job_choices
from portal.domain.activity import Actor
from portal.domain.csv_cells import plain_cell, safe_cell
from portal.domain.library.entries import BadService, check_price, create_service, edit_service, services_named
from portal.domain.library.models import BillingType, CadenceUnit, PriceType, Service
from portal.domain.library.taxes import default_tax_rate, tax_rates
from portal.domain.text import BadText, clean, clean_line

COLUMNS = {
    "Name": "name", "Description": "description", "Kind of price": "price_type", "Price": "price", "Up to": "price_to",
    "Unit": "unit", "Tax rate": "tax_rate_id", "Billing": "billing_type", "Every": "every", "Cadence": "cadence",
    "Deposit": "deposit",
}  # fmt: skip
KINDS: Mapping[str, type[PriceType] | type[BillingType] | type[CadenceUnit]] = {
    "price_type": PriceType, "billing_type": BillingType, "cadence": CadenceUnit,
}  # fmt: skip
MOST_ROWS = 1000
LONGEST = {"name": 200, "unit": 40, "description": 5000}


@dataclass(frozen=True)
class JobColumn:
    """What jobs of one account are made of: a template or a category. `names`: by their id."""

    connection_id: int
    app: str
    what: str
    names: Mapping[str, str]

    def written(self, service: Service) -> str:
        return self.names.get(service.jobs.get(str(self.connection_id), {}).get(self.what, ""), "")

    def read(self, cell: str) -> str:
        """The id of what a cell names; empty: as the proposal says. Raises ValueError."""
        found = [remote_id for remote_id, name in self.names.items() if name == cell]
        if cell and not found:
            raise ValueError(f"{self.app} has no job {self.what} “{cell}”; it has to be written as it is there")
        return found[0] if found else ""


class BadFile(ValueError):
    """This is no such file; the text says why."""


@dataclass
class Planned:
    """What one line of the file comes to. `service` None: it would be new."""

    line: int
    name: str
    values: dict[str, Any] = field(default_factory=dict)
    service: Service | None = None
    problem: str = ""
    jobs: dict[tuple[str, str], str] = field(default_factory=dict)  # (connection id, template or category) -> its id

    @property
    def changes(self) -> bool:
        """Whether anything would happen."""
        held = self.service
        return held is None or any(getattr(held, name) != value for name, value in self.values.items())


def job_columns() -> dict[str, JobColumn]:
    """The last columns, by their titles; the account is named where there are several."""
    accounts = job_choices.offering()
    made = {}
    for one in accounts:
        app = connections.label(one)
        for what, kind in job_choices.KINDS.items():
            title = f"Job {what} ({app})" if len(accounts) > 1 else f"Job {what}"
            made[title] = JobColumn(one.id, app, what, dict(job_choices.job_choices(one.id, kind)))
    return made


def titles() -> list[str]:
    """Of all columns, in order."""
    return [*COLUMNS, *job_columns()]


def as_rows(found: Iterable[Service]) -> Iterator[list[str]]:
    """The header, then a row for each service."""
    jobs = job_columns()
    yield [*COLUMNS, *jobs]
    for one in found:
        values = [getattr(one, name) for name in COLUMNS.values() if name != "tax_rate_id"]
        values.insert(list(COLUMNS).index("Tax rate"), one.tax_rate.name if one.tax_rate else "")
        values += [column.written(one) for column in jobs.values()]
        yield [safe_cell(_written(value)) for value in values]


def plan(text: str) -> list[Planned]:
    """What this file would do, line by line. Raises `BadFile`."""
    try:
        rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline="")))
    except csv.Error as problem:
        raise BadFile("This is not a CSV file that can be read.") from problem
    if not rows or "Name" not in (header := [cell.strip() for cell in rows[0]]):
        raise BadFile(f"The first line has to name the columns: {', '.join(titles())}. Only Name is needed.")
    if len(rows) > MOST_ROWS + 1:
        raise BadFile(f"A file may have {MOST_ROWS} services at most.")
    rates = {rate.name: rate.id for rate in tax_rates()}
    jobs = job_columns()
    found = [_planned(number, header, row, rates, jobs) for number, row in enumerate(rows[1:], start=2) if any(row)]
    held, seen = services_named(one.name for one in found), set[str]()
    for one in found:
        one.service = held.get(one.name)
        if not one.problem and one.name in seen:
            one.problem = "This name stands in the file twice."
        seen.add(one.name)
        if not one.problem:
            _complete(one, jobs)
    return found


def apply(found: Iterable[Planned], *, by: Actor, now: datetime) -> tuple[int, int]:
    """Do what was planned; gives how many services are new and how many changed. Raises `BadService`."""
    made = changed = 0
    for one in found:
        if one.service is None:
            create_service(one.name, by=by, now=now, **{k: v for k, v in one.values.items() if k != "name"})
            made += 1
        elif edit_service(one.service, one.values, by=by, now=now):
            changed += 1
    return made, changed


def _complete(one: Planned, columns: Mapping[str, JobColumn]) -> None:
    """Fill up what a new service needs, and say what does not go together."""
    if one.jobs:
        held = one.service.jobs if one.service else {}
        said = {(str(column.connection_id), column.what): column.names for column in columns.values()}
        # What is no longer there cannot be written, so an empty cell does not take it away.
        told = {at: to for at, to in one.jobs.items() if to or held.get(at[0], {}).get(at[1], "") in said[at]}
        one.values["jobs"] = _with_jobs(held, told)
    if one.service is None:
        default = default_tax_rate()
        one.values.setdefault("tax_rate_id", default.id if default else None)
    standing = {name: getattr(one.service, name) for name in COLUMNS.values()} if one.service else {}
    try:
        check_price(
            {"price_type": PriceType.FIXED, "billing_type": BillingType.ON_ACCEPTANCE, "every": 1}
            | standing | one.values
        )  # fmt: skip
    except BadService as problem:
        one.problem = str(problem)


def _with_jobs(held: Mapping[str, Mapping[str, str]], told: Mapping[tuple[str, str], str]) -> dict[str, dict[str, str]]:
    """What a service says of its jobs, with what the file says of them."""
    made = {connection: dict(settings) for connection, settings in held.items()}
    for (connection, what), remote_id in told.items():
        made.setdefault(connection, {})[what] = remote_id
    kept = {one: {what: said for what, said in settings.items() if said} for one, settings in made.items()}
    return {connection: settings for connection, settings in kept.items() if settings}


def _planned(
    number: int, header: list[str], row: list[str], rates: dict[str, int], jobs: Mapping[str, JobColumn]
) -> Planned:
    cells = dict(zip(header, map(plain_cell, row), strict=False))  # lines may be short
    one = Planned(number, cells.get("Name", "").strip())
    if not one.name:
        one.problem = "It has no name."
        return one
    for title, name in COLUMNS.items():
        if title not in cells:
            continue
        try:
            one.values[name] = _read(name, cells[title].strip(), rates)
        except ValueError as problem:
            one.problem = f"{title}: {problem}"
            break
    for title, column in jobs.items():
        if title not in cells or one.problem:
            continue
        try:
            one.jobs[str(column.connection_id), column.what] = column.read(cells[title].strip())
        except ValueError as problem:
            one.problem = f"{title}: {problem}"
    one.name = one.values.get("name", one.name)
    return one


def _read(name: str, cell: str, rates: dict[str, int]) -> Any:
    """A cell as a field. Raises ValueError with the reason."""
    if name in ("name", "unit", "description"):
        try:
            text = clean(cell) if name == "description" else clean_line(cell)
        except BadText as problem:
            raise ValueError(str(problem)) from problem
        if len(text) > LONGEST[name]:
            raise ValueError(f"longer than {LONGEST[name]} characters")
        return text
    if name == "tax_rate_id":
        if cell and cell not in rates:
            raise ValueError(f"there is no tax rate “{cell}”; it has to be written as it is here")
        return rates.get(cell)
    if name in KINDS:
        return _kind(name, cell)
    if name == "every":
        if cell and not (cell.isdecimal() and 1 <= int(cell) <= 366):
            raise ValueError("a number from 1 to 366")
        return int(cell or 1)
    return _amount(name, cell)


def _kind(name: str, cell: str) -> Any:
    kind = KINDS[name]
    wanted = cell.lower().replace(" ", "_") or next(iter(kind)).value
    try:
        return kind(wanted)
    except ValueError as problem:
        raise ValueError(f"one of {', '.join(one.value.replace('_', ' ') for one in kind)}") from problem


def _amount(name: str, cell: str) -> Decimal | None:
    if not cell:
        return Decimal(0) if name == "price" else None
    try:
        amount = Decimal(cell.replace(",", ""))
    except InvalidOperation as problem:
        raise ValueError("a number, such as 1200.50") from problem
    if not amount.is_finite() or not 0 <= amount <= 10**12 or amount != round(amount, 4):
        raise ValueError("from 0, with at most four decimals")
    return amount


def _written(value: Any) -> Any:
    if isinstance(value, Decimal):
        return Decimal(format(value.normalize(), "f"))
    return value.value.replace("_", " ") if isinstance(value, PriceType | BillingType | CadenceUnit) else value
