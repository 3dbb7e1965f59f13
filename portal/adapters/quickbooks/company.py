"""What a company has chosen in its settings, as far as invoices depend on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from portal.adapters.base import Session
from portal.adapters.quickbooks import reading
from portal.adapters.quickbooks.replies import VERSION, Answer, Plain, url_of

KEPT = timedelta(seconds=60)  # people do change settings; a batch and its look-up share one read
UNSETTLED = timedelta(days=3)  # so long after a change of any setting, invoices may be there by the older rule


@dataclass(frozen=True)
class Company:
    """`numbers_itself`: QuickBooks numbers invoices and wants no number from us. `home` is its currency."""

    country: str
    home: str
    has_currencies: bool
    numbers_itself: bool
    uses_tax: bool
    works_out_tax: bool  # automated sales tax, in the United States
    closed_until: date | None
    changed_at: datetime | None
    read_at: datetime
    takes_gross: bool = False  # whether a line's amount has the tax in it where its price has

    @property
    def is_us(self) -> bool:
        return self.country in ("US", "USA")

    @property
    def may_have_unnumbered(self) -> bool:
        """Whether an invoice of ours may be there under another number than ours."""
        return self.numbers_itself or (self.changed_at is not None and self.read_at - self.changed_at < UNSETTLED)


class Companies:
    """Read when asked for, and kept for a minute."""

    def __init__(self, now: Callable[[], datetime], *, takes_gross: bool = False) -> None:
        self._now = now
        self._takes_gross = takes_gross
        self._known: dict[str, Company] = {}

    def of(self, session: Session) -> Company:
        """Two calls at first, then one a minute at most: a company does not move to another country."""
        known, now = self._known.get(session.account_id), self._now()
        if known is not None and timedelta(0) <= now - known.read_at < KEPT:
            return known
        country = known.country if known else _country(session)
        found = replace(_read(session, country, now), takes_gross=self._takes_gross)
        self._known[session.account_id] = found
        return found

    def fresh(self, session: Session) -> Company:
        """As it is now."""
        self._known.pop(session.account_id, None)
        return self.of(session)


def _country(session: Session) -> str:
    answer = Answer("CompanyInfo")
    session.get(url_of(session.account_id, f"companyinfo/{session.account_id}"), VERSION, check=answer).close()
    return str(_object(answer.found).get("Country") or "").strip().upper()


def _read(session: Session, country: str, now: datetime) -> Company:
    answer = Answer("Preferences")
    session.get(url_of(session.account_id, "preferences"), VERSION, check=answer).close()
    found = _object(answer.found)
    money, tax = _object(found.get("CurrencyPrefs")), _object(found.get("TaxPrefs"))
    forms, books = _object(found.get("SalesFormsPrefs")), _object(found.get("AccountingInfoPrefs"))
    # The vendor's own pages spell this one both ways.
    custom = forms.get("CustomTxnNumbers", forms.get("CustomTxnNumber", True))
    return Company(
        country=country,
        home=str(_object(money.get("HomeCurrency")).get("value") or "").strip().upper(),
        has_currencies=_is_on(money.get("MultiCurrencyEnabled")),
        numbers_itself=not _is_on(custom),
        uses_tax=_is_on(tax.get("UsingSalesTax")),
        works_out_tax=_is_on(tax.get("PartnerTaxEnabled")),
        closed_until=_day(books.get("BookCloseDate")),
        changed_at=reading.stamp(_object(found.get("MetaData")).get("LastUpdatedTime")),
        read_at=now.astimezone(UTC),
    )


def _object(value: object) -> Plain:
    return value if isinstance(value, dict) else {}


def _is_on(value: object) -> bool:
    return value is True or str(value).strip().lower() == "true"


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value or "")[:10])
    except ValueError:
        return None
