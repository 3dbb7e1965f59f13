"""What a vendor file must say about itself, and how those files are found.

A module (or package) of this folder that has a `VENDOR` is part of the sandbox: adding a vendor means adding its file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Blueprint

if TYPE_CHECKING:
    from portal.sandbox.context import Sandbox
    from portal.sandbox.webhooks import Hook


@dataclass(frozen=True)
class Tenant:
    """One account at a vendor: a practice, an organisation, a company file."""

    id: str
    name: str
    kind: str
    vendor: str
    issuer: str
    region: str = "NZ"


@dataclass(frozen=True)
class Switch:
    """A doubtful or configurable behaviour: its default, and what it decides."""

    default: Any
    about: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vendor:
    """One stand-in. `prefixes` say which paths are its own, for recorded calls and faults."""

    key: str
    title: str
    prefixes: tuple[str, ...]
    blueprints: tuple[Blueprint, ...]
    schema: tuple[str, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    switches: Mapping[str, Switch] = field(default_factory=dict)
    load: Callable[[Sandbox, Tenant, int, int], dict[str, Any]] | None = None
    demo: Callable[[Sandbox, int, int], None] | None = None
    wipe: Callable[[Sandbox], None] | None = None
    counts: Callable[[Sandbox, Tenant], dict[str, int]] | None = None
    page: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)  # a setting of whoever calls it -> a path here
    # The account a request (its WSGI environment) is for, so that faults and calls can name it; Xero's header if None.
    tenant_of: Callable[[Sandbox, Mapping[str, Any]], str | None] | None = None
    # Headers and body of this vendor's 429 for a `rate_limited` fault; Xero's empty one if None.
    too_many: Callable[[Sandbox, Mapping[str, Any]], tuple[list[tuple[str, str]], bytes]] | None = None
    webhooks: Hook | None = None  # how it tells of changes; None: it does not


def discover() -> tuple[Vendor, ...]:
    """Every vendor of this folder, by key."""
    import portal.sandbox as package

    found = []
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("__"):
            continue
        vendor = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "VENDOR", None)
        if isinstance(vendor, Vendor):
            found.append(vendor)
    return tuple(sorted(found, key=lambda vendor: vendor.key))


def addresses(url: str) -> dict[str, str]:
    """Where every vendor is when the sandbox is at `url`, by the settings of whoever calls them."""
    return {name: f"{url}{path}" for vendor in discover() for name, path in vendor.addresses.items()}
