"""Xero keeps the contract of a ledger, and what is special about its invoices and payments."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from portal.adapters.base import NeedsReconnect, RateLimited, Unavailable, UnexpectedReply, Unknown
from portal.adapters.ledger import InvoiceRefused
from portal.adapters.xero import Xero
from portal.adapters.xero.invoices import LEDGER
from portal.domain.records import Cause, InvoiceOut, InvoiceState, LedgerInvoice, LedgerPayment, Quarantined, TaxMode
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import LedgerContract, only
from tests.wire.test_xero import JSON, made

KEY = "sandbox-webhook-key-0001"
INTENT = b'{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "SANDBOXENTROPYABCDEF"}'
SIGNED = "rks0X1KLFhqTa2akx/+kyeTpykcLWJFOSdGqBRLypCc="


def there(door: Door, method: str, path: str = "", values: dict[str, Any] | None = None) -> Any:
    return door.sandbox.control.ask(method, f"xero/{path}", values)


class TestXeroLedger(LedgerContract):
    WEBHOOK: ClassVar[Any] = ({"X-Xero-Signature": SIGNED}, INTENT, KEY)

    @pytest.fixture
    def door(self, make_door: Callable[..., Door]) -> Door:
        self.made = make_door(Xero)
        return self.made

    def someone(self, door: Door) -> tuple[str, str]:
        return made(door, "Somebody Special Ltd"), ""

    def count_there(self, number: str) -> int:
        return int(there(self.made, "GET", "invoices/counts")["by_number"].get(number, 0))

    def pay_there(self, remote_id: str, amount: Decimal) -> None:
        there(self.made, "POST", f"invoices/{remote_id}/pay", {"amount": str(amount)})

    def void_there(self, remote_id: str) -> None:
        there(self.made, "POST", f"invoices/{remote_id}/void", {})

    def spoil(self, kind: str, **values: Any) -> None:
        self.made.sandbox.control.fault(kind, vendor="xero", path="Invoices", method="PUT", **values)
