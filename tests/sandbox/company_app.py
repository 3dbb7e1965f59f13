"""A connected app that talks to a QuickBooks company file of a running sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from portal.sandbox.client import Control
from portal.sandbox.server import Running

Record = dict[str, Any]


@dataclass
class CompanyApp:
    """Connected to one company. `token` is a token reply with the company's `realmId`."""

    sandbox: Running
    token: dict[str, Any]

    @property
    def control(self) -> Control:
        return self.sandbox.control

    @property
    def realm(self) -> str:
        return str(self.token["realmId"])

    @property
    def root(self) -> str:
        return f"{self.sandbox.url}/quickbooks/v3/company/{self.realm}"

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {
            "Authorization": f"Bearer {self.token['access_token']}",
            "Accept": "application/json",
            **more.pop("headers", {}),
        }
        return requests.request(method, f"{self.root}/{path}", headers=headers, timeout=20, **more)

    def query(self, text: str) -> dict[str, Any]:
        """The QueryResponse."""
        answer = self.ask("GET", "query", params={"query": text})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["QueryResponse"])

    def names(self, text: str, entity: str = "Customer") -> list[str]:
        return [record["DisplayName"] for record in self.query(text).get(entity, [])]

    def send(self, body: Record, entity: str = "customer", **query: str) -> requests.Response:
        return self.ask("POST", entity, json=body, params=query)

    def made(self, name: str, entity: str = "customer", **values: Any) -> Record:
        """A new one, as stored."""
        answer = self.send({"DisplayName": name, **values}, entity)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()[entity.capitalize()])

    def changed(self, record: Record, **values: Any) -> Record:
        """After a sparse update."""
        answer = self.sparse(record, **values)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["Customer"])

    def sparse(self, record: Record, **values: Any) -> requests.Response:
        return self.send({"Id": record["Id"], "SyncToken": record["SyncToken"], "sparse": True, **values})

    def one(self, identifier: str) -> Record:
        answer = self.ask("GET", f"customer/{identifier}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["Customer"])

    def fault(self, answer: requests.Response, status: int = 400) -> dict[str, Any]:
        """The only error of a refused call in the usual shape."""
        assert answer.status_code == status, answer.text
        (error,) = answer.json()["Fault"]["Error"]
        assert answer.json()["Fault"]["type"] == "ValidationFault"
        assert isinstance(error["code"], str)
        return dict(error)
