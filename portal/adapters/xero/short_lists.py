"""Xero's accounts, tax rates and branding, and which of them can stand on a sales invoice or take a payment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from portal.adapters.base import Session, UnexpectedReply
from portal.adapters.values import NotUnderstood, Raw, amount, flag, line
from portal.adapters.xero.invoice_reading import day
from portal.adapters.xero.reading import NAME, Envelope
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT
from portal.domain.records import LedgerLists, ListEntry, ListKind
from portal.domain.text import BadText

ACTIVE = ("", "ACTIVE")
BANK = "BANK"
EXPENSES = "EXPENSE"  # the class of all accounts that costs go to
SHOWN = "%d %B %Y"


def fetch(session: Session) -> LedgerLists:
    """Four calls. Raises `UnexpectedReply` for what cannot be understood: a list with gaps would hide a mapping."""
    entries = [
        *_all(session, "Accounts", _account),
        *_all(session, "TaxRates", _tax_rate),
        *_all(session, "BrandingThemes", _theme),
    ]
    found = Envelope("Organisations")
    session.get(f"{ROOT}/Organisation", check=found).close()
    raw: Raw = found.entries[0] if found.entries and isinstance(found.entries[0], dict) else {}
    try:
        locked = max((one for one in (day(raw, "PeriodLockDate"), day(raw, "EndOfYearLockDate")) if one), default=None)
        currency = line(raw, "BaseCurrency").upper()
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(
            f"{NAME} described the organisation in a way that cannot be understood: {error}"
        ) from error
    return LedgerLists(tuple(entries), currency, locked, _facts(currency, locked))


def _facts(currency: str, locked: date | None) -> dict[str, str]:
    told = {"Currency": currency, "Books closed until": f"{locked:{SHOWN}}".lstrip("0") if locked else ""}
    return {name: value for name, value in told.items() if value}


def _all(session: Session, many: str, read: Callable[[dict[str, Any]], Iterable[ListEntry]]) -> list[ListEntry]:
    found = Envelope(many, exact=True)
    session.get(f"{ROOT}/{many}", check=found).close()
    try:
        return [entry for one in found.entries for entry in read(one)]
    except (NotUnderstood, BadText, AttributeError) as error:
        raise UnexpectedReply(f"{NAME} gave {many} that cannot be understood: {error}") from error


def _account(raw: dict[str, Any]) -> Iterable[ListEntry]:
    """An account as the target of a line, known by its code, and as one that payments go into, known by its identifier:
    a bank account need not have a code."""
    name, code, kind = line(raw, "Name"), line(raw, "Code"), line(raw, "Type").upper()
    is_active = line(raw, "Status").upper() in ACTIVE
    facts = {"type": kind, "tax": line(raw, "TaxType")}
    if code:
        why = _why_no_target(raw, kind)
        yield ListEntry(ListKind.ACCOUNT, code, name, code, is_active=is_active, fits=not why, why_not=why, facts=facts)
    if kind == BANK or flag(raw, "EnablePaymentsToAccount"):
        yield ListEntry(ListKind.PAY_INTO, line(raw, "AccountID"), name, code, is_active=is_active, facts=facts)


def _why_no_target(raw: Raw, kind: str) -> str:
    if kind == BANK:
        return "it is a bank account"
    if line(raw, "SystemAccount"):
        return f"{NAME} keeps it for itself"
    if line(raw, "Class").upper() == EXPENSES:
        return "it is for costs"
    return ""


def _tax_rate(raw: dict[str, Any]) -> Iterable[ListEntry]:
    percent = amount(raw, "EffectiveRate")
    if percent is None:
        percent = amount(raw, "DisplayTaxRate")
    fits = flag(raw, "CanApplyToRevenue")
    yield ListEntry(
        ListKind.TAX, line(raw, "TaxType"), line(raw, "Name"), line(raw, "TaxType"), percent,
        is_active=line(raw, "Status").upper() in ACTIVE, fits=fits, why_not="" if fits else "it is not for income",
    )  # fmt: skip


def _theme(raw: dict[str, Any]) -> Iterable[ListEntry]:
    kind = line(raw, "Type").upper()
    if kind in ("", "INVOICE"):
        yield ListEntry(ListKind.BRANDING, line(raw, "BrandingThemeID"), line(raw, "Name"))
