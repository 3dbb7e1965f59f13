"""What can travel between an app and the portal, and what an admin may choose about it. PURE.

`portal.integrations` fills the table at start from what the adapters say of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from portal.domain.text import ANY_NAME, NameRules


@dataclass(frozen=True)
class LedgerWays:
    """What differs between apps that hold invoices. `lists` and `target` are kinds of its short lists."""

    lists: tuple[str, ...] = ()
    target: str = "account"  # what a service's lines are booked to: an account or an item
    target_word: str = "sales account"
    rounding: str = "each_line"
    number_length: int = 255
    lines_at_most: int = 500
    takes_drafts: bool = True
    takes_payments: bool = True
    pay_into_needed: bool = False
    tells_payments: bool = True
    poll_every: timedelta = timedelta(minutes=15)
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ways:
    """One app's ways. Of each tuple the first entry is the default."""

    slug: str
    name: str
    short_name: str
    client_fields: Mapping[str, str] = field(default_factory=dict)  # field -> flow
    contact_fields: Mapping[str, str] = field(default_factory=dict)
    intakes: tuple[str, ...] = ("all", "chosen")
    directions: tuple[str, ...] = ("both", "from_app", "to_app")
    levels: tuple[str, ...] = ("everything", "name", "nothing")
    new_clients: tuple[str, ...] = ("acceptance",)
    writes: bool = True  # existing records there can be changed
    creates: bool = True
    finds: bool = True  # the app can be asked for records of a name
    batch: int = 1  # records one call can change or create
    name_rules: NameRules = ANY_NAME  # what it would refuse as a client's name
    lists_everything: bool = True  # a record missing from a full list is gone
    sync_every: timedelta | None = None  # None: once a night
    ledger: LedgerWays | None = None  # None: it holds no invoices

    @property
    def defaults(self) -> dict[str, object]:
        return {
            "direction": self.directions[0], "level": self.levels[0], "intake": self.intakes[0],
            "new_clients": self.new_clients[0], "nightly": True,
        }  # fmt: skip

    def allowed(self, key: str) -> tuple[object, ...]:
        """The values a setting may have."""
        return {
            "direction": self.directions, "level": self.levels, "intake": self.intakes,
            "new_clients": self.new_clients, "nightly": (True, False),
        }[key]  # fmt: skip


_WAYS: dict[str, Ways] = {}


def register(ways: Ways) -> None:
    _WAYS[ways.slug] = ways


def ways_of(app: str) -> Ways:
    """An app nobody has registered is one whose adapter is gone: its history is shown, nothing of it travels."""
    return _WAYS.get(app) or Ways(app, app, app)
