"""A small client of the control API, for tests and scripts. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode


class ControlError(Exception):
    """The control API refused; the message is its own."""


class Control:
    """`Control("http://127.0.0.1:5055").fault("drop", vendor="xpm", path="client.api/add")` and so on."""

    def __init__(self, url: str, records: str = "clients") -> None:
        self.url = url.rstrip("/")
        self._records = records

    def at(self, records: str) -> Control:
        """For the records of another vendor: `at("digits/clients").change(id, email=…)`, `at("xero/contacts")`."""
        return Control(self.url, records)

    def ask(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        """Any control call: `path` follows /control/; raises ControlError."""
        data = json.dumps(values).encode() if values is not None else None
        request = urllib.request.Request(
            f"{self.url}/control/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as reason:
            with reason:
                raise ControlError(f"{reason.code}: {reason.read().decode(errors='replace')}") from reason

    def load(self, clients: int, seed: int = 7, *, vendor: str = "xpm", tenant: str | None = None) -> Any:
        """Replace an account's data."""
        return self.ask("POST", "load", {"vendor": vendor, "clients": clients, "seed": seed, "tenant": tenant})

    def reset(self, clients: int | None = None, seed: int | None = None) -> None:
        """As on the first start."""
        given = {"clients": clients, "seed": seed}
        self.ask("POST", "reset", {key: value for key, value in given.items() if value is not None})

    def tenants(self) -> list[dict[str, Any]]:
        """Accounts and what they hold."""
        return self._list("tenants")

    def fault(self, kind: str, **values: Any) -> dict[str, Any]:
        """Add a rule: matchers (vendor, tenant, method, path, nth, after, times, probability) and action values."""
        return dict(self.ask("POST", "faults", {"kind": kind, **values}))

    def clear_faults(self) -> None:
        """No rule is left."""
        self.ask("DELETE", "faults")

    def calls(self, **query: Any) -> list[dict[str, Any]]:
        """Recorded calls: vendor, path (regular expression), since, after_id, limit."""
        return self._list(f"calls?{urlencode(query)}")

    def clear_calls(self) -> None:
        """Start counting anew."""
        self.ask("DELETE", "calls")

    def summary(self) -> list[dict[str, Any]]:
        """Counts by vendor, method and kind of path."""
        return self._list("calls/summary")

    def clock(self, **values: Any) -> dict[str, Any]:
        """advance_seconds, set, freeze, skew_seconds, reset."""
        return dict(self.ask("POST", "clock", values))

    def state(self, **switches: Any) -> dict[str, Any]:
        """Set switches; all of them as they are now."""
        return dict(self.ask("POST", "state", switches)["switches"])

    def limits(self, **values: Any) -> dict[str, Any]:
        """concurrent, minute, day, app_minute, tenant; reset=True or clear_usage=True."""
        return dict(self.ask("POST", "limits", values))

    def tokens(self, *, vendor: str = "xero", **values: Any) -> dict[str, Any]:
        """A token reply without a browser: client_id, tenants, scopes. `vendor` is whoever issues them."""
        return dict(self.ask("POST", "tokens" if vendor == "xero" else f"{vendor}/tokens", values))

    def revoke(self, tenant: str | None = None, *, vendor: str = "xero", **values: Any) -> None:
        """The customer disconnects one tenant, or everything. `vendor` is whoever issued the tokens."""
        self.ask("POST", "revoke" if vendor == "xero" else f"{vendor}/revoke", {"tenant": tenant, **values})

    def clients(self, q: str = "", *, tenant: str = "", limit: int = 50) -> list[dict[str, Any]]:
        """Clients on the other side, unmasked."""
        return self._list(f"{self._records}?{urlencode({'q': q, 'tenant': tenant, 'limit': limit})}")

    def client(self, uuid: str, tenant: str = "") -> dict[str, Any]:
        """One of them."""
        return dict(self.ask("GET", f"{self._records}/{uuid}?{urlencode({'tenant': tenant})}"))

    def create(self, name: str, **values: Any) -> dict[str, Any]:
        """A client typed in by somebody at the practice."""
        return dict(self.ask("POST", self._records, {"name": name, **values}))

    def change(self, uuid: str, **values: Any) -> dict[str, Any]:
        """Change fields on the other side."""
        return dict(self.ask("PATCH", f"{self._records}/{uuid}", values))

    def rename(self, uuid: str, name: str) -> dict[str, Any]:
        """Another name."""
        return dict(self.ask("POST", f"{self._records}/{uuid}/rename", {"name": name}))

    def archive(self, uuid: str) -> None:
        """Put away."""
        self.ask("POST", f"{self._records}/{uuid}/archive", {})

    def delete(self, uuid: str) -> None:
        """Mark as deleted."""
        self.ask("POST", f"{self._records}/{uuid}/delete", {})

    def merge(self, uuid: str, into: str) -> dict[str, Any]:
        """The survivor."""
        return dict(self.ask("POST", f"{self._records}/{uuid}/merge", {"into": into}))

    def add_contact(self, uuid: str, **values: Any) -> dict[str, Any]:
        """The client with its new contact."""
        return dict(self.ask("POST", f"{self._records}/{uuid}/contacts", values))

    def change_some(self, count: int, seed: int = 1) -> list[dict[str, Any]]:
        """So many random changes; uuid, field, old and new of each."""
        vendor, slash, _ = self._records.rpartition("/")
        return list(self.ask("POST", f"{vendor}{slash}change-some", {"count": count, "seed": seed}))

    def _list(self, path: str) -> list[dict[str, Any]]:
        return list(self.ask("GET", path))
