"""The chart of accounts, and the labels by which a transaction names its categories.

A transaction says a label, not a category; what labels there are and where each leads is declared with the source.
Invariant: a declaration is always whole, because Digits forgets what it leaves out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.adapters.base import Rejected, Session, Unavailable, UnexpectedReply, Unknown
from portal.adapters.digits import calls, wire
from portal.adapters.digits.wire import NAME
from portal.adapters.values import NotUnderstood, Raw, line
from portal.domain.records import ListEntry, ListKind
from portal.domain.text import BadText, fold

INCOME = ("Income", "OtherIncome")
MONEY = ("BankAccounts", "LiabilityClearing")  # subtypes a payment can go to
TAX = re.compile(r"\b(gst|vat|hst|sales tax|tax(es)? payable|taxes|tax collected)\b", re.IGNORECASE)
RECEIVABLE, TAX_LABEL, SERVICES = "accounts_receivable", "sales_tax", "service_income"
GOOD_FOR = 24 * 3600.0  # seconds until a declaration is repeated, however sure we are
MOST_PAGES = 100
# Open: Digits' words for a source or label it does not have.
UNDECLARED = re.compile(r"source|label|declar|categor|precondition", re.IGNORECASE)


@dataclass(frozen=True)
class Category:
    """`kind` is Digits' type: Income, Assets, …"""

    remote_id: str
    name: str
    kind: str
    subtype: str
    number: str
    is_active: bool

    @property
    def label(self) -> str:
        return "category_" + re.sub(r"\W", "_", self.remote_id)


@dataclass(frozen=True)
class Declared:
    """What a connection's labels are, by category; `tax` False: nothing in the chart takes tax."""

    labels: Mapping[str, str]
    tax: bool
    at: float  # by the monotonic clock


class Sources:
    """What this process has declared, by account, so that it is said once and not with every invoice."""

    def __init__(self, tax_category: str) -> None:
        self._tax_category = tax_category
        self._known: dict[str, Declared] = {}

    def ready(self, session: Session, categories: Collection[str] = ()) -> Declared:
        """Declare what is not known to be declared yet: two calls. A lost answer costs a try: said twice is once.

        Raises `Unavailable` when it is not certain that Digits took it.
        """
        known = self._known.get(session.account_id)
        if known and time.monotonic() - known.at < GOOD_FOR and all(one in known.labels for one in categories):
            return known
        chart = read(session)
        if not any(one.kind in INCOME for one in chart):
            raise Unavailable(f"{NAME} shows no chart of accounts at the moment, so nothing can be booked.")
        made = labels(chart, self._tax_category)
        try:
            calls.write(session, wire.SOURCES, wire.sources(made))
        except Unknown as lost:
            raise Unavailable(lost.message, status=lost.status, vendor_text=lost.vendor_text) from lost
        declared = Declared(
            {one.remote_id: one.label for one in chart if one.kind in INCOME or one.subtype in MONEY},
            any(one["label"] == TAX_LABEL for one in made), time.monotonic(),
        )  # fmt: skip
        self._known[session.account_id] = declared
        return declared

    def known(self, session: Session) -> Declared | None:
        """What was declared before, if anything."""
        return self._known.get(session.account_id)

    def forget(self, session: Session) -> None:
        """Digits refused something: perhaps it no longer has what we declared."""
        self._known.pop(session.account_id, None)


def is_about_declaring(refused: Rejected) -> bool:
    """Whether Digits may have lost what was declared; then nothing was written, and declaring it again helps."""
    return not refused.vendor_text or UNDECLARED.search(refused.vendor_text) is not None


def read(session: Session) -> list[Category]:
    """The chart of accounts. Raises `UnexpectedReply` when it cannot be understood."""
    found: dict[str, Category] = {}
    asked = {"limit": str(wire.MOST)}
    for _page in range(MOST_PAGES):
        page = wire.Page("categories")
        session.get(wire.CATEGORIES, asked, check=page).close()
        try:
            fresh = [one for one in map(_category, page.entries) if one.remote_id not in found]
        except (NotUnderstood, BadText) as error:
            raise UnexpectedReply(f"{NAME} gave a category that cannot be understood: {error}") from error
        found |= {one.remote_id: one for one in fresh}
        if not page.has_more or not fresh:
            return list(found.values())
        asked = {**asked, "cursor": page.cursor}
    raise UnexpectedReply(f"{NAME}'s chart of accounts has no end.")


def labels(chart: Sequence[Category], tax_category: str) -> list[dict[str, Any]]:
    """All labels of the portal's source."""
    receivable = next((one for one in chart if one.subtype == "AccountsReceivable"), None)
    tax = tax_category_of(chart, tax_category)
    made = [
        _label(RECEIVABLE, receivable.name if receivable else "Accounts Receivable", "Assets", "AccountsReceivable"),
        _label(SERVICES, "Service income", "Income", "SalesRevenue"),
    ]
    if tax:
        made.append(_label(TAX_LABEL, tax.name, tax.kind, tax.subtype))
    return made + [
        _label(one.label, one.name, one.kind, one.subtype)
        for one in sorted(chart, key=lambda category: category.remote_id)
        if one.kind in INCOME or one.subtype in MONEY
    ]


def tax_category_of(chart: Sequence[Category], wanted: str) -> Category | None:
    """Where tax goes: the category a setting names, else the first liability that looks like it."""
    liabilities = [one for one in chart if one.kind == "Liabilities" and one.is_active]
    if wanted:
        return next((one for one in liabilities if fold(wanted) in (fold(one.name), one.number)), None)
    return next((one for one in liabilities if "tax" in one.subtype.lower() or TAX.search(one.name)), None)


def entries(chart: Sequence[Category]) -> tuple[ListEntry, ...]:
    """What services can be booked to, and where payments can go."""
    names = [(fold(one.name), one.kind, one.subtype) for one in chart]
    twins = {one for one in names if names.count(one) > 1}
    made = []
    for one, name in zip(chart, names, strict=True):
        why_not = ""
        if one.kind not in INCOME:
            why_not = "This is not a category of income."
        elif name in twins:
            why_not = f"{NAME} has another category of this name, and would not know which is meant."
        made.append(_entry(ListKind.ACCOUNT, one, why_not))
        if one.subtype in MONEY:
            made.append(_entry(ListKind.PAY_INTO, one, why_not if name in twins and one.kind in INCOME else ""))
    return tuple(made)


def _entry(kind: ListKind, one: Category, why_not: str) -> ListEntry:
    return ListEntry(
        kind, one.remote_id, one.name, one.number, is_active=one.is_active, fits=not why_not, why_not=why_not,
        facts={"Type": one.kind} if one.kind else {},
    )  # fmt: skip


def _label(key: str, name: str, kind: str, subtype: str) -> dict[str, Any]:
    search = {"names": [name], "type": kind, **({"subtype": subtype} if subtype else {})}
    return {"label": key, "name": name, "constraint": [kind], "preferAi": False, "search": search}


def _category(raw: object) -> Category:
    """Raises `NotUnderstood` or `BadText`."""
    if not isinstance(raw, dict):
        raise NotUnderstood("It is not an object.")
    remote_id, name = wire.identifier(raw, ("categoryId", "id")), line(raw, "name")
    if not remote_id or not name:
        raise NotUnderstood("It has no identifier or no name.")
    return Category(
        remote_id, name, line(raw, "type"), line(raw, "subtype"), line(raw, "chartOfAccountsDisplayNumber"),
        _is_active(raw),
    )  # fmt: skip


def _is_active(raw: Raw) -> bool:
    return raw.get("active") is not False
