"""Jobs as a practice app takes and tells them. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """`tasks` are their names, as far as the app tells them; empty where it tells only what the template is called."""

    remote_id: str
    name: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobCategory:
    remote_id: str
    name: str


@dataclass(frozen=True, slots=True)
class JobOut:
    """A job to be deployed. `key` is the same at every try until a look-up has proved that nothing is there; `mark`
    stays the same for ever and is put where the app keeps it for us.

    The ids are the app's; empty where nothing is chosen. `order_number` is the reference that the job's invoices carry
    too (XP-17), empty for a job that is not billed. `budget` is in the practice's own currency.
    """

    key: str
    mark: str
    client_id: str
    name: str
    description: str
    start_on: date
    due_on: date
    category_id: str = ""
    template_id: str = ""
    budget: Decimal | None = None
    partner_id: str = ""
    manager_id: str = ""
    staff_ids: tuple[str, ...] = ()
    order_number: str = ""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the app holds it. `mark` is empty where it is not ours.

    `unfinished`: the job is there, but who works on it is not as it was asked; a sentence. Empty: all is done.
    """

    remote_id: str
    number: str  # what people call it there, and what paths are made of
    name: str
    client_id: str
    order_number: str = ""
    web_url: str = ""
    mark: str = ""
    state: str = ""
    partner_id: str = ""
    manager_id: str = ""
    staff_ids: tuple[str, ...] = ()
    unfinished: str = ""
