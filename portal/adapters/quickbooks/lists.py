"""The short lists of a company: products and services, tax codes, terms, and accounts payments can go to."""

from __future__ import annotations

from decimal import Decimal

from portal.adapters.base import Session, UnexpectedReply
from portal.adapters.quickbooks import asking, reading
from portal.adapters.quickbooks.company import Company
from portal.adapters.quickbooks.exact import amount
from portal.adapters.quickbooks.invoice_bodies import TAXED, UNTAXED
from portal.adapters.quickbooks.queries import ANY_STATE
from portal.adapters.quickbooks.replies import NAME, Plain
from portal.adapters.values import NotUnderstood, flag, items, line
from portal.domain.records import LedgerLists, ListEntry, ListKind
from portal.domain.text import BadText

INTO = ("Bank", "Other Current Asset")
HELD = "UndepositedFunds"
GROUPS = frozenset({"Category", "Group", "Bundle"})


def read(session: Session, company: Company) -> LedgerLists:
    """Five questions, a thousand entries an answer. Raises `UnexpectedReply` for entries that make no sense."""
    try:
        entries = [*_items(session), *_taxes(session, company), *_terms(session), *_accounts(session)]
    except (NotUnderstood, BadText) as error:
        raise UnexpectedReply(f"{NAME} gave a list that cannot be understood: {error}", status=200) from error
    facts = {
        "Country": company.country,
        "Currency": company.home,
        "Invoice numbers": "QuickBooks numbers invoices itself" if company.numbers_itself else "as they are sent",
        "Books closed until": company.closed_until.isoformat() if company.closed_until else "",
    }
    told = {name: text for name, text in facts.items() if text}
    return LedgerLists(tuple(entries), currency=company.home, locked_until=company.closed_until, facts=told)


def _items(session: Session) -> list[ListEntry]:
    found = []
    for raw in _all(session, "Item"):
        kind, books_to = line(raw, "Type"), raw.get("IncomeAccountRef")
        why = ""
        if kind in GROUPS:
            why = f"It is a {kind.lower()} of products and services, not one of them."
        elif not isinstance(books_to, dict):
            why = "It has no income account."
        name = line(raw, "FullyQualifiedName") or line(raw, "Name")
        facts = {"type": kind, "account": line(books_to, "value") if isinstance(books_to, dict) else ""}
        found.append(_entry(ListKind.ITEM, raw, name, why, facts=facts))
    return found


def _taxes(session: Session, company: Company) -> list[ListEntry]:
    """A code's percentage is that of its sales rates together; of those for purchases where it has no others."""
    rates = {line(raw, "Id"): amount(raw, "RateValue") for raw in _all(session, "TaxRate")}
    found = []
    for raw in _all(session, "TaxCode"):
        remote_id = line(raw, "Id")
        sales = _rates(raw, "SalesTaxRateList")
        parts = [rates.get(one) for one in sales or _rates(raw, "PurchaseTaxRateList")]
        known = [part for part in parts if part is not None]
        percent = sum(known, Decimal(0)) if parts and len(known) == len(parts) else None
        if remote_id == UNTAXED:
            percent = Decimal(0)
        found.append(_entry(ListKind.TAX, raw, line(raw, "Name"), _why_no_sale(remote_id, sales, company), percent))
    return found


def _rates(raw: Plain, name: str) -> list[str]:
    """The rates of a code, by identifier."""
    listed = raw.get(name)
    named = items(listed, "TaxRateDetail") if isinstance(listed, dict) else []
    references = [one["TaxRateRef"] for one in named if isinstance(one.get("TaxRateRef"), dict)]
    return [line(reference, "value") for reference in references]


def _why_no_sale(remote_id: str, sales: list[str], company: Company) -> str:
    if remote_id == UNTAXED:
        return ""
    if remote_id == TAXED:
        return "" if company.works_out_tax else "Choose the tax itself: QuickBooks does not work it out here."
    if company.is_us and company.works_out_tax:
        return "QuickBooks works out the tax itself: choose TAX or NON."
    return "" if sales else "It has no rate for sales."


def _terms(session: Session) -> list[ListEntry]:
    return [_entry(ListKind.TERM, raw, line(raw, "Name"), "") for raw in _all(session, "Term")]


def _accounts(session: Session) -> list[ListEntry]:
    """Those a payment can be put into; undeposited funds is where the vendor puts it by itself."""
    kinds = ", ".join(f"'{kind}'" for kind in INTO)
    found = []
    for raw in _all(session, "Account", f"AccountType IN ({kinds}) AND "):
        facts = {"holds": "undeposited funds"} if line(raw, "AccountSubType") == HELD else {}
        name = line(raw, "FullyQualifiedName") or line(raw, "Name")
        found.append(_entry(ListKind.PAY_INTO, raw, name, "", code=line(raw, "AcctNum"), facts=facts))
    return found


def _entry(
    kind: ListKind, raw: Plain, name: str, why: str, percent: Decimal | None = None, *, code: str = "",
    facts: dict[str, str] | None = None,
) -> ListEntry:  # fmt: skip
    is_active = raw.get("Active") in (None, "") or flag(raw, "Active")
    told = {key: value for key, value in (facts or {}).items() if value}
    return ListEntry(
        kind, line(raw, "Id"), name.removesuffix(reading.MARK) or "(no name)", code=code, percent=percent,
        is_active=is_active, fits=not why, why_not=why, facts=told,
    )  # fmt: skip


def _all(session: Session, entity: str, where: str = "") -> list[Plain]:
    """Inactive entries included; the vendor leaves them out unless asked."""
    found: dict[str, Plain] = {}
    for raw in asking.whole(session, entity, f"{where}{ANY_STATE}"):
        if not isinstance(raw, dict) or not line(raw, "Id"):
            raise NotUnderstood(f"One of the {entity} entries has no identifier.")
        found[line(raw, "Id")] = raw
    return list(found.values())
