"""The running sandbox as one object, and how a request reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import current_app, request

from portal.sandbox.calls import CallLog
from portal.sandbox.clock import Clock
from portal.sandbox.faults import Faults
from portal.sandbox.limits import Limits
from portal.sandbox.mailbox import Mailbox
from portal.sandbox.store import Store
from portal.sandbox.vendor import Switch, Tenant, Vendor

if TYPE_CHECKING:
    from portal.sandbox.webhooks import Sender


class Refused(Exception):
    """A control request that makes no sense; the message is for the person who sent it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Switches:
    """Stored answers to the open questions each vendor declares."""

    def __init__(self, store: Store, declared: dict[str, Switch]) -> None:
        self._store = store
        self.declared = declared
        self._changed: dict[str, Any] = store.setting("switches", {})

    def __getitem__(self, name: str) -> Any:
        return self._changed.get(name, self.declared[name].default)

    def all(self) -> dict[str, Any]:
        """Every switch with its present value."""
        return {name: self[name] for name in sorted(self.declared)}

    def change(self, values: dict[str, Any]) -> None:
        """Set some; an unknown name or a value of another type is refused."""
        for name, value in values.items():
            if name not in self.declared:
                raise Refused(f"There is no switch named {name}.")
            choices = self.declared[name].choices
            if choices and value not in choices:
                raise Refused(f"{name} is one of {', '.join(choices)}.")
            if type(value) is not type(self.declared[name].default):
                raise Refused(f"{name} takes a {type(self.declared[name].default).__name__}.")
        self._changed = {**self._changed, **values}
        self._store.keep_setting("switches", self._changed)

    def reset(self) -> None:
        """Back to the defaults."""
        self._changed = {}
        self._store.keep_setting("switches", {})


@dataclass
class Sandbox:
    """Everything a vendor file may need."""

    store: Store
    clock: Clock
    switches: Switches
    limits: Limits
    faults: Faults
    calls: CallLog
    vendors: tuple[Vendor, ...]
    mailbox: Mailbox = field(default_factory=Mailbox)
    senders: dict[str, Sender] = field(default_factory=dict)  # of webhooks, by vendor; see `webhooks.sender`

    @property
    def tenants(self) -> tuple[Tenant, ...]:
        """Every account of every vendor; practices first, so that a name several vendors know means the practice."""
        every = (tenant for vendor in self.vendors for tenant in vendor.tenants)
        return tuple(sorted(every, key=lambda tenant: tenant.kind != "PRACTICEMANAGER"))

    def tenant(self, wanted: str | None, vendor: str | None = None) -> Tenant:
        """By id or by name; without either, the first of that vendor. Raises Refused when there is none."""
        for tenant in self.tenants:
            if vendor is not None and tenant.vendor != vendor:
                continue
            if not wanted or wanted in (tenant.id, tenant.name):
                return tenant
        raise Refused(f"There is no tenant {wanted!r}.", 404)

    def vendor(self, key: str) -> Vendor:
        """By key; raises Refused when unknown."""
        for vendor in self.vendors:
            if vendor.key == key:
                return vendor
        raise Refused(f"There is no vendor {key!r}.", 404)

    def vendor_of(self, path: str) -> str | None:
        """Whose path this is: the longest prefix wins; None for the sandbox's own pages."""
        matches = [(len(p), v.key) for v in self.vendors for p in v.prefixes if path.startswith(p)]
        return max(matches)[1] if matches else None


def here() -> Sandbox:
    """The sandbox that serves this request."""
    box: Sandbox = current_app.extensions["sandbox"]
    return box


def hint(kind: str) -> dict[str, Any] | None:
    """The fault of this kind that the vendor itself must act out for this request, if there is one."""
    action: dict[str, Any] | None = request.environ.get("sandbox.hint")
    return action if action and action["kind"] == kind else None
