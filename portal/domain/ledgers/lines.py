"""From an invoice's lines to the ledger's: which tax rate, which account or item; and what would keep it from going."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from portal.domain import connections
from portal.domain.apps import Connection, ConnectionState
from portal.domain.ledgers.choosing import settings_of
from portal.domain.ledgers.lists import all_entries, targets, tax_mappings
from portal.domain.ledgers.models import LedgerEntry, LedgerSettings
from portal.domain.records import InvoiceLineOut

if TYPE_CHECKING:
    from portal.domain.invoices import Invoice, InvoiceLine  # it imports this package


@dataclass(frozen=True)
class Problem:
    """Something that keeps an invoice from its ledger. `where` says which screen mends it: connection, tax, target,
    settings, client, invoice; `id` what is meant there, None: the whole screen."""

    cause: str
    text: str
    where: str
    id: int | None = None


class NotMapped(Exception):
    """The invoice cannot be put into the ledger's words yet; `problems` say why, each with its place to mend it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(problem.text for problem in problems))
        self.problems = list(problems)


class Billed(Protocol):
    """What a line or a billing item tells of itself here."""

    name: str
    service_id: int | None
    tax_rate_id: int | None


Options = dict[str, str]  # list of the ledger -> the option a client carries


@dataclass
class Mapping:
    """Everything of one ledger that turning lines into its words needs, read once for any number of invoices."""

    connection: Connection
    app: str
    settings: LedgerSettings
    taxes: dict[int, str]
    targets: dict[int, str]
    entries: dict[tuple[str, str], LedgerEntry] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: Connection) -> Mapping:
        """Raises `NotALedger`."""
        known = {(one.kind, one.remote_id): one for one in all_entries(connection)}
        return cls(
            connection, connections.label(connection), settings_of(connection), tax_mappings(connection),
            targets(connection), known,
        )  # fmt: skip

    def tax_of(self, line: Billed) -> tuple[str, Problem | None]:
        """The ledger's tax rate for this line, and what is wrong with it."""
        ledger = self.connection.ways.ledger
        if ledger is None or "tax" not in ledger.lists:
            return "", None
        if line.tax_rate_id is None:
            text = f"{line.name} has no tax rate; choose one for it, 0 % if it bears no tax."
            return "", Problem("tax_missing", text, "invoice")
        remote_id = self.taxes.get(line.tax_rate_id, "")
        if not remote_id:
            text = f"The tax rate of {line.name} is not mapped to one of {self.app}."
            return "", Problem("tax_missing", text, "tax", line.tax_rate_id)
        return remote_id, self._unusable("tax", remote_id, f"the tax rate of {line.name}", "tax", line.tax_rate_id)

    def target_of(self, line: Billed) -> tuple[str, Problem | None]:
        """The ledger's account or item for this line, and what is wrong with it."""
        ledger = self.connection.ways.ledger
        assert ledger is not None  # settings_of has raised before
        own = self.targets.get(line.service_id, "") if line.service_id else ""
        remote_id = own or self.settings.default_target
        if not remote_id:
            text = f"No {ledger.target_word} of {self.app} is chosen for {line.name}, and there is no default."
            return "", Problem("account_not_valid", text, "target", line.service_id)
        where = "target" if own else "settings"
        what = f"the {ledger.target_word} of {line.name}"
        return remote_id, self._unusable(ledger.target, remote_id, what, where, line.service_id if own else None)

    def _unusable(self, kind: str, remote_id: str, what: str, where: str, id: int | None) -> Problem | None:
        entry = self.entries.get((kind, remote_id))
        cause = "tax_not_allowed" if kind == "tax" else "account_not_valid"
        if entry is None:
            return Problem(cause, f"In {self.app}, {what} is no longer there.", where, id)
        if not entry.is_active or not entry.fits:
            why = entry.why_not or "it is switched off there"
            return Problem(cause, f"In {self.app}, {entry.name}, {what}, cannot be used: {why}.", where, id)
        return None

    def problems(self, lines: Sequence[Billed], number: str = "", currency: str = "") -> list[Problem]:
        """Everything about these lines and this ledger that would keep an invoice from going there, each once."""
        found = [problem for line in lines for _id, problem in (self.tax_of(line), self.target_of(line)) if problem]
        ledger = self.connection.ways.ledger
        assert ledger is not None
        if self.connection.state == ConnectionState.NEEDS_RECONNECT:
            found.append(Problem("connection", f"The connection to {self.app} has to be made again.", "connection"))
        if number and len(number) > ledger.number_length:
            text = f"{self.app} takes numbers of at most {ledger.number_length} characters; {number} is longer."
            found.append(Problem("number_used", text, "invoice"))
        if currency and self.settings.currency and currency != self.settings.currency:
            text = f"The invoice is in {currency}, {self.app} keeps its books in {self.settings.currency}."
            found.append(Problem("currency", text, "invoice"))
        if len(lines) > ledger.lines_at_most:
            text = f"{self.app} takes at most {ledger.lines_at_most} lines; this invoice has {len(lines)}."
            found.append(Problem("amount_not_allowed", text, "invoice"))
        return list(dict.fromkeys(found))

    def options_gone(self, chosen: Options, name: str) -> list[Problem]:
        """Options this client carries that the ledger no longer offers, so that it would refuse the invoice (CL-32)."""
        offered = {one["remote_id"]: one for one in self.connection.reference.get("choices", [])}
        if not self.connection.reference.get("read_at"):
            return []
        found = []
        for list_id, option in chosen.items():
            held = offered.get(list_id)
            if held is not None and any(one["remote_id"] == option for one in held["options"]):
                continue
            what = f"an option of {held['name']}" if held is not None else "an option of a list"
            text = (
                f"{name} carries {what} that is archived in {self.app} or no longer there. "
                "Choose another on the client’s Apps tab."
            )
            found.append(Problem("option", text, "client"))
        return found

    def line_out(self, line: InvoiceLine, tracking: Options) -> InvoiceLineOut:
        """The line in the ledger's words. Raises `NotMapped`."""
        tax_id, tax_problem = self.tax_of(line)
        target_id, target_problem = self.target_of(line)
        if tax_problem or target_problem:
            raise NotMapped([problem for problem in (tax_problem, target_problem) if problem])
        is_item = self.connection.ways.ledger is not None and self.connection.ways.ledger.target == "item"
        said = [line.name, line.description] if self.settings.show_descriptions else [line.name]
        return InvoiceLineOut(
            description="\n".join(part for part in said if part), quantity=line.quantity, price=line.price,
            discount=line.discount, net=line.net, tax=line.tax, tax_percent=line.tax_percent, tax_id=tax_id,
            account_id="" if is_item else target_id, item_id=target_id if is_item else "", tracking=tracking,
        )  # fmt: skip


def lines_out(
    invoice: Invoice, connection: Connection, *, mapping: Mapping | None = None, tracking: Options | None = None
) -> tuple[InvoiceLineOut, ...]:
    """The invoice's lines in the ledger's words. Raises `NotMapped` with everything that is wrong at once.

    `mapping`: read before, for many invoices. `tracking`: what was chosen for this client there (CL-32).
    """
    mapping = mapping or Mapping.read(connection)
    problems = mapping.problems(invoice.lines, invoice.number, invoice.currency)
    if tracking:
        problems += mapping.options_gone(tracking, invoice.client.name)
    if problems:
        raise NotMapped(problems)
    return tuple(mapping.line_out(line, tracking or {}) for line in invoice.lines)


def rounding_of(connection: Connection | None) -> str:
    """By whose rule tax is rounded; where there is no ledger, each line for itself."""
    ledger = connection.ways.ledger if connection else None
    return ledger.rounding if ledger else "each_line"
