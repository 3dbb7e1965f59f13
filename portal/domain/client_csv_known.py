"""What planning a CSV import knows and gives: clients as the file's columns see them, and a plan per row. PURE."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from portal.domain.client_csv_columns import Column
from portal.domain.text import near_key

CANDIDATES = 10  # of the same or nearly the same name, shown for one row


class RowOutcome(StrEnum):
    CREATE = "create"
    EDIT = "edit"
    ADD_CONTACT = "add_contact"
    UNCHANGED = "unchanged"
    CHOICE = "choice"  # a client of this name exists: a person says what is meant (CL-44)
    SKIP = "skip"
    REFUSED = "refused"

    @property
    def writes(self) -> bool:
        return self in (RowOutcome.CREATE, RowOutcome.EDIT, RowOutcome.ADD_CONTACT)


class Asked(Protocol):
    """A row as understood (`client_csv_rows.AskedRow`)."""

    @property
    def number(self) -> int: ...
    @property
    def client_id(self) -> int | None: ...
    @property
    def contact_id(self) -> int | None: ...
    @property
    def client(self) -> dict[str, Any]: ...
    @property
    def contact(self) -> dict[str, str]: ...
    @property
    def is_default(self) -> bool | None: ...
    @property
    def problems(self) -> tuple[str, ...]: ...
    @property
    def name(self) -> str: ...
    @property
    def has_contact(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class KnownContact:
    id: int
    values: Mapping[str, str]
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client here as the file's columns see it. `read_only` names the owner of fields that cannot be changed here."""

    id: int
    version: int
    values: Mapping[str, Any]
    contacts: tuple[KnownContact, ...] = ()
    is_archived: bool = False
    read_only: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.values["name"])


@dataclass
class Known:
    """What planning must know of the firm: clients named by id, by exact and by near name; people by email."""

    clients: dict[int, KnownClient] = field(default_factory=dict)
    by_name: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_near: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    people: dict[str, int] = field(default_factory=dict)  # email in lower case -> user id, of people switched on
    options: dict[str, Column] = field(default_factory=dict)  # columns whose cells name an option, by field

    def add(self, client: KnownClient) -> None:
        if client.id in self.clients:
            return
        self.clients[client.id] = client
        self.by_name[client.name].append(client.id)
        near = near_key(client.name)
        if near:
            self.by_near[near].append(client.id)

    def candidates(self, name: str) -> list[dict[str, Any]]:
        """Clients here of exactly this name, then of nearly this name."""
        exact = self.by_name.get(name, [])
        near = [one for one in self.by_near.get(near_key(name), ()) if one not in exact] if near_key(name) else []
        return [self._candidate(one, one in exact) for one in [*exact, *near][:CANDIDATES]]

    def _candidate(self, client_id: int, is_exact: bool) -> dict[str, Any]:
        client = self.clients[client_id]
        contact = next((one for one in client.contacts if one.is_default), None)
        email = contact.values["email"] if contact else ""
        return {"id": client_id, "name": client.name, "exact": is_exact, "archived": client.is_archived, "email": email}


@dataclass
class RowPlan:
    """What one row comes to. Values hold only what is to be written; `changes` are the same as a person reads them."""

    number: int
    lead: int
    name: str
    outcome: RowOutcome
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    client_id: int | None = None
    client_version: int | None = None
    client_values: dict[str, Any] = field(default_factory=dict)
    contact_id: int | None = None
    contact_values: dict[str, str] = field(default_factory=dict)
    makes_default: bool = False
    changes: list[dict[str, Any]] = field(default_factory=list)
    candidates: list[dict[str, Any]] = field(default_factory=list)
