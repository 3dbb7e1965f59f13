"""A company of the sandbox's QuickBooks as tests of the adapter use it: what people do there, what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from portal.adapters.quickbooks import QuickBooks
from portal.domain.records import ClientChange, ClientRecord, NewRecord, Quarantined, RecordChange
from tests.adapters.conftest import Door

JSON = {"Content-Type": "application/json;charset=UTF-8"}


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    return make_door(QuickBooks)


@pytest.fixture
def somebody(door: Door) -> str:
    return made(door, "Somebody Special Ltd", first_name="Sam", last_name="Lee", email="sam@special.example")


def there(door: Door, method: str, path: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
    """What people do in QuickBooks itself."""
    return dict(door.sandbox.control.ask(method, f"quickbooks/customers{path}", values))


def made(door: Door, name: str, **values: Any) -> str:
    return str(there(door, "POST", values={"name": name, **values})["uuid"])


def typed_in(door: Door, kind: str, name: str) -> str:
    return str(door.sandbox.control.ask("POST", f"quickbooks/{kind}", {"name": name})["uuid"])


def everything(door: Door, since: datetime | None = None) -> list[ClientRecord | Quarantined]:
    return list(door.adapter.fetch_clients(door.session(), since))


def spoil(door: Door, kind: str, **values: Any) -> None:
    door.sandbox.control.fault(kind, vendor="quickbooks", **values)


def switch(door: Door, **values: Any) -> None:
    door.sandbox.control.state(**{f"quickbooks_{name}": value for name, value in values.items()})


def new(name: str, key: str = "c1", **values: Any) -> NewRecord:
    return NewRecord(ClientRecord("", name, **values), key)


def rename_all(door: Door, records: list[ClientRecord], word: str) -> list[RecordChange]:
    return [
        RecordChange(one, ClientChange({"name": f"{word} {number}"}), f"u{number}")
        for number, one in enumerate(records)
    ]


def asked(door: Door, path: str) -> list[dict[str, list[str]]]:
    return [parse_qs(call["query"]) for call in door.calls(path)]
