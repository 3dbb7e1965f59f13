"""A connected app that talks to the practice manager of a running sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import requests

from portal.sandbox.server import Running

STRICT = {"Xero-Features": "practice-strict-content-type"}


@dataclass
class Practice:
    """A connected app that talks to Marlow & Co's practice manager."""

    sandbox: Running
    tenant: str
    token: dict[str, Any]

    @property
    def root(self) -> str:
        return f"{self.sandbox.url}/xpm/practicemanager/3.1"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token['access_token']}", "xero-tenant-id": self.tenant}

    def ask(self, method: str, path: str, body: str | None = None, **more: Any) -> requests.Response:
        headers = {**self.headers, **more.pop("headers", {})}
        data = body.encode() if body is not None else None
        return requests.request(method, f"{self.root}/{path}", data=data, headers=headers, timeout=20, **more)

    def xml(self, method: str, path: str, body: str | None = None) -> ET.Element:
        answer = self.ask(method, path, body)
        assert answer.status_code == 200, answer.text
        return ET.fromstring(answer.content)

    def json(self, path: str) -> Any:
        answer = self.ask("GET", path, headers={**STRICT, "Accept": "application/json"})
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        return answer.json()

    def clients(self, query: str = "") -> list[ET.Element]:
        return self.xml("GET", f"client.api/list{query}").findall("Clients/Client")

    def first(self) -> ET.Element:
        """Some client."""
        return self.clients()[0]
