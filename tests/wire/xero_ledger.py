"""Xero's stand-in seen as a ledger: what its people do, and invoices to try things with."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from portal.adapters.ledger import InvoiceRefused
from portal.domain.records import InvoiceOut
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import LedgerContract
from tests.wire.test_xero import made

KEY = "sandbox-webhook-key-0001"
INTENT = b'{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "SANDBOXENTROPYABCDEF"}'
SIGNED = "rks0X1KLFhqTa2akx/+kyeTpykcLWJFOSdGqBRLypCc="


def there(door: Door, method: str, path: str = "", values: dict[str, Any] | None = None) -> Any:
    return door.sandbox.control.ask(method, f"xero/{path}", values)


class XeroLedgerSide(LedgerContract):
    """What the contract needs to know of Xero's side. `made` is the door of this test."""

    WEBHOOK: ClassVar[Any] = ({"X-Xero-Signature": SIGNED}, INTENT, KEY)

    made: Door

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


class Example(XeroLedgerSide):
    """Invoices of the contract, to try things with."""


def spoil(door: Door, kind: str, path: str = "Invoices", **values: Any) -> None:
    door.sandbox.control.fault(kind, vendor="xero", path=path, **values)


def refused(door: Door, wanted: InvoiceOut) -> InvoiceRefused:
    (came,) = door.adapter.create_invoices(door.session(), [wanted])
    assert isinstance(came, InvoiceRefused), came
    assert came.message.endswith(".")
    return came


def with_line(wanted: InvoiceOut, **changes: Any) -> InvoiceOut:
    return replace(wanted, lines=(replace(wanted.lines[0], **changes), *wanted.lines[1:]))
