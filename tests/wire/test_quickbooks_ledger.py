"""QuickBooks keeps what every ledger promises, numbering invoices as it is told to, or by itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.quickbooks import QuickBooks, events
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import LedgerContract

TOLD = b'[{"id":"1","type":"qbo.invoice.updated.v1","intuitentityid":"5","intuitaccountid":"7","data":{}}]'


class TestQuickBooksLedger(LedgerContract):
    WEBHOOK = ({"intuit-signature": events.signature(TOLD, "verifier")}, TOLD, "verifier")

    @pytest.fixture
    def door(self, make_door: Callable[..., Door]) -> Door:
        self.made = make_door(QuickBooks)
        self.made.sandbox.control.limits(second=10_000, minute=10_000, batch_minute=10_000)
        return self.made

    def someone(self, door: Door) -> tuple[str, str]:
        return str(self.there("POST", "customers", {"name": "Somebody Special Ltd"})["uuid"]), ""

    def count_there(self, number: str) -> int:
        return len(self.there("GET", f"invoices?number={number}"))

    def pay_there(self, remote_id: str, amount: Decimal) -> None:
        self.there("POST", f"invoices/{remote_id}/pay", {"amount": str(amount)})

    def void_there(self, remote_id: str) -> None:
        self.there("POST", f"invoices/{remote_id}/void")

    def spoil(self, kind: str, **values: Any) -> None:
        self.made.sandbox.control.fault(kind, vendor="quickbooks", path="/(invoice|batch)$", **values)

    def there(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        return self.made.sandbox.control.ask(method, f"quickbooks/{path}", values)
