"""A connected app that talks to the Digits books of a running sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from portal.sandbox.server import Running

SOURCE = {
    "externalId": {"issuer": "portal.example", "id": "invoices"},
    "name": "Portal invoices",
    "type": "Income",
    "subtype": "SalesRevenue",
    "labels": [{"label": "fees", "name": "Fees", "constraint": ["Income"]}, {"label": "owed", "name": "Owed"}],
}


@dataclass
class LedgerApp:
    """An app installed in the books of Marlow & Co."""

    sandbox: Running
    token: str

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return requests.request(method, f"{self.sandbox.url}/digits/v1/{path}", headers=headers, timeout=20, **more)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, name: str, *objects: dict[str, Any]) -> Any:
        answer = self.ask("POST", path, json={name: list(objects)})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def parties(self) -> dict[str, dict[str, Any]]:
        """Everybody in the ledger, by name, over all pages."""
        found, cursor = [], ""
        while True:
            page = self.get(f"ledger/parties?limit=100&cursor={cursor}")
            found += page["parties"]
            if not page["next"]["more"]:
                return {party["name"]: party for party in found}
            cursor = page["next"]["cursor"]

    def declare(self, *sources: dict[str, Any]) -> Any:
        return self.post("connection/sources", "sources", *(sources or (SOURCE,)))

    def write(self, *parties: dict[str, Any]) -> list[dict[str, Any]]:
        return list(self.post("source/parties", "parties", *parties)["parties"])

    def bill(self, party: str, deal: str = "inv-1", **changes: Any) -> Any:
        """An invoice of 500 for a party, by its external id."""
        return self.post("source/transactions", "transactions", invoice(party, deal, **changes))


def ext(identifier: str) -> dict[str, str]:
    return {"issuer": "portal.example", "id": identifier}


def invoice(party: str, deal: str = "inv-1", **changes: Any) -> dict[str, Any]:
    lines = [
        {
            "amount": {"amount": 50000, "code": "USD"}, "type": kind, "category": {"label": label},
            "counterparty": {"externalId": ext(party)},
        }
        for kind, label in (("Credit", "fees"), ("Debit", "owed"))
    ]  # fmt: skip
    return {
        "externalId": ext(deal), "sourceId": ext("invoices"), "date": "2026-06-01T12:00:00Z", "entries": lines,
        **changes,
    }  # fmt: skip
