"""A connected app that talks to an organisation's books in a running sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from portal.sandbox.server import Running

MARLOW, ADVISORY = "Marlow & Co Ltd", "Marlow Advisory Ltd"


@dataclass
class Books:
    """A connected app that talks to the books of one organisation."""

    sandbox: Running
    tenant: str
    token: dict[str, Any]

    @property
    def root(self) -> str:
        return f"{self.sandbox.url}/xero/api.xro/2.0"

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token['access_token']}",
            "xero-tenant-id": self.tenant,
            "Accept": "application/json",
        }

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {key: value for key, value in {**self.headers, **more.pop("headers", {})}.items() if value}
        return requests.request(method, f"{self.root}/{path}", json=body, headers=headers, timeout=20, **more)

    def json(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.ask(method, path, body, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        return answer.json()

    def contacts(self, query: str = "", **more: Any) -> list[dict[str, Any]]:
        return list(self.json("GET", f"Contacts{query}", **more)["Contacts"])

    def names(self, query: str = "", **more: Any) -> list[str]:
        return [contact["Name"] for contact in self.contacts(query, **more)]

    def contact(self, identifier: str) -> dict[str, Any]:
        (found,) = self.contacts(f"/{identifier}")
        return found

    def create(self, **fields: Any) -> dict[str, Any]:
        (made,) = self.json("PUT", "Contacts?summarizeErrors=true", {"Contacts": [fields]})["Contacts"]
        return dict(made)

    def refusals(self, method: str, path: str, *elements: dict[str, Any]) -> list[str]:
        """The messages of a 400."""
        answer = self.ask(method, path, {"Contacts": list(elements)})
        assert answer.status_code == 400, answer.text
        body = answer.json()
        assert (body["ErrorNumber"], body["Type"]) == (10, "ValidationException")
        assert body["Message"] == "A validation exception occurred"
        return [error["Message"] for element in body["Elements"] for error in element["ValidationErrors"]]

    def other_side(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        """What somebody in Xero itself does: `path` follows /control/xero/."""
        return self.sandbox.control.ask(method, f"xero/{path}", values)


def connected(sandbox: Running, name: str = MARLOW, **more: Any) -> Books:
    """By tokens without a browser."""
    token = sandbox.control.tokens(tenants=[name], **more)
    tenant = next(t["id"] for t in sandbox.control.tenants() if t["name"] == name and t["vendor"] == "xero")
    return Books(sandbox, tenant, token)
