"""Digits keeps what every ledger promises, in each reading of what it leaves open."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from portal.adapters.digits import Digits
from portal.domain.records import ClientRecord, NewRecord
from portal.sandbox.digits.events import HOOK
from portal.sandbox.webhooks import Delivery
from tests.adapters.conftest import Door
from tests.wire.ledger_contract import LedgerContract
from tests.wire.test_digits_invoices import READINGS


class TestDigitsLedger(LedgerContract):
    BAD_LINE: ClassVar[dict[str, Any]] = {"account_id": "no such category"}

    @pytest.fixture(params=READINGS, ids=["likely", "other", "third"])
    def door(self, make_door: Callable[..., Door], request: pytest.FixtureRequest) -> Door:
        settings, switches = request.param
        self.made = make_door(Digits, **settings)
        self.made.sandbox.control.state(**switches)
        return self.made

    @property
    def WEBHOOK(self) -> tuple[dict[str, str], bytes, str]:
        """Of this moment, because an event of another one is not believed."""
        body, stamp = b'{"id": "evt_1", "type": "invoice.updated", "data": {"id": "t-1"}}', str(int(time.time()))
        signed = hmac.new(b"secret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Webhook-Timestamp": stamp, "Webhook-Signature": f"v1={signed}"}, body, "secret"

    def someone(self, door: Door) -> tuple[str, str]:
        new = NewRecord(ClientRecord("", "Somebody Special Ltd"), "c1-1")
        (made,) = door.adapter.create_clients(door.session(), [new])
        return made.remote_id, "c1-1"

    def count_there(self, number: str) -> int:
        return len(self.made.sandbox.control.ask("GET", f"digits/invoices?number={number}"))

    def pay_there(self, remote_id: str, amount: Decimal) -> None:
        self.made.sandbox.control.ask("POST", f"digits/invoices/{remote_id}/pay", {"amount": str(amount)})

    def void_there(self, remote_id: str) -> None:
        self.made.sandbox.control.ask("POST", f"digits/invoices/{remote_id}/void")

    def spoil(self, kind: str, **values: Any) -> None:
        self.made.sandbox.control.fault(kind, vendor="digits", path="source/transactions", **values)


def test_what_the_stand_in_tells_is_understood(make_door: Callable[..., Door]) -> None:
    door = make_door(Digits)
    told = {"id": "e-1", "version": "v1", "type": "invoice.voided", "occurredAt": "2026-11-22T08:00:00Z",
            "data": {"id": "t-1", "externalId": "mark-1", "businessId": door.account["id"]}}  # fmt: skip
    body = HOOK.body([told], 1)
    headers = dict(HOOK.headers(body, "secret", Delivery(body, 1, 1, time.time())))
    (event,) = door.adapter.read_events(headers, body, "secret")
    assert (event.account_id, event.kind, event.remote_id, event.what) == (
        door.account["id"], "invoice", "mark-1", "voided",
    )  # fmt: skip
