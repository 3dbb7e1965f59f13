"""The two company files, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from portal.sandbox.context import Refused, Sandbox
from portal.sandbox.quickbooks.wire import stamp
from portal.sandbox.vendor import Tenant

# Only the company's own addresses are printed this way, unless the switch says that customers' are too.
ALPHA_3 = {
    "new zealand": "NZL",
    "australia": "AUS",
    "united states": "USA",
    "us": "USA",
    "usa": "USA",
    "canada": "CAN",
    "united kingdom": "GBR",
    "ireland": "IRL",
    "singapore": "SGP",
    "fiji": "FJI",
}
SINCE = 1_546_300_800  # the companies were opened on 31 December 2018 in California


@dataclass(frozen=True)
class Company:
    """A company file, known by its realm."""

    realm: str
    name: str
    legal_name: str
    country: str
    currency: str
    currency_name: str
    address: dict[str, str]
    phone: str
    email: str
    website: str


MARLOW = Company(
    "9341453172846301",
    "Marlow & Co",
    "Marlow & Co Limited",
    "NZ",
    "NZD",
    "New Zealand Dollar",
    {"Line1": "18 Kauri Lane", "City": "Hamilton", "PostalCode": "3204", "Country": "New Zealand"},
    "07 555 0118",
    "office@marlow.example",
    "https://www.marlow.example",
)
HARBOUR = Company(
    "9341453189920417",
    "Harbour Street Advisers Inc",
    "Harbour Street Advisers Inc",
    "US",
    "USD",
    "United States Dollar",
    {
        "Line1": "400 Harbour Street",
        "City": "Portland",
        "CountrySubDivisionCode": "OR",
        "PostalCode": "97201",
        "Country": "United States",
    },
    "(503) 555-0144",
    "office@harbourstreet.example",
    "https://www.harbourstreet.example",
)


@dataclass(frozen=True)
class Settings:
    """What people choose in the company's settings. `closed_until` is a day, or empty; `changed` in seconds."""

    custom_numbers: bool = True  # whoever sends an invoice numbers it
    multi_currency: bool = False
    automated_tax: bool = False
    uses_tax: bool = True
    closed_until: str = ""
    closed_with_password: bool = False
    changed: int = SINCE + 90 * 86_400


COMPANIES = {company.realm: company for company in (MARLOW, HARBOUR)}
TENANTS = tuple(
    Tenant(company.realm, company.name, "COMPANY", "quickbooks", "quickbooks", "NZ" if company is MARLOW else "AU")
    for company in COMPANIES.values()
)


def alpha_3(country: str) -> str:
    """ "United States" in, "USA" out; what is not known stays."""
    return ALPHA_3.get(country.strip().lower(), country)


def company_info(company: Company) -> dict[str, Any]:
    """Its Id is 1, never the realm; there is no currency in it."""
    address = {**company.address, "Country": alpha_3(company.address["Country"])}
    return {
        "CompanyName": company.name,
        "LegalName": company.legal_name,
        "CompanyAddr": {"Id": "1", **address},
        "CustomerCommunicationAddr": {"Id": "2", **address},
        "LegalAddr": {"Id": "3", **address},
        "CustomerCommunicationEmailAddr": {"Address": company.email},
        "PrimaryPhone": {"FreeFormNumber": company.phone},
        "CompanyStartDate": "2019-01-01",
        "FiscalYearStartMonth": "April" if company.country == "NZ" else "January",
        "Country": company.country,
        "Email": {"Address": company.email},
        "WebAddr": {"URI": company.website},
        "SupportedLanguages": "en",
        "NameValue": [
            {"Name": "NeoEnabled", "Value": "true"},
            {"Name": "IndustryType", "Value": "Offices of Certified Public Accountants"},
            {"Name": "SubscriptionStatus", "Value": "PAID"},
            {"Name": "OfferingSku", "Value": "QuickBooks Online Plus"},
        ],
        "domain": "QBO",
        "sparse": False,
        "Id": "1",
        "SyncToken": "4",
        "MetaData": {"CreateTime": stamp(SINCE), "LastUpdatedTime": stamp(SINCE + 90 * 86_400)},
    }


def settings_of(box: Sandbox, realm: str) -> Settings:
    """As they are now."""
    return Settings(**box.store.setting(_key(realm), {}))


def change_settings(box: Sandbox, realm: str, values: Mapping[str, Any]) -> Settings:
    """Somebody chooses otherwise; an unknown name, or a value of another kind, is refused."""
    before = settings_of(box, realm)
    for name, value in values.items():
        if name == "changed" or type(value) is not type(getattr(before, name, None)):
            raise Refused(f"There is no setting {name} with such a value; they are {', '.join(asdict(before))}.")
    after = replace(before, **values, changed=int(box.clock.seconds()))
    box.store.keep_setting(_key(realm), asdict(after))
    return after


def forget_settings(box: Sandbox) -> None:
    """As on the first day, in every company."""
    for realm in COMPANIES:
        box.store.keep_setting(_key(realm), {})


def _key(realm: str) -> str:
    return f"quickbooks.settings.{realm}"


def preferences(box: Sandbox, company: Company) -> dict[str, Any]:
    """What the portal needs to know of them."""
    settings = settings_of(box, company.realm)
    closing = {"BookCloseDate": settings.closed_until} if settings.closed_until else {}
    return {
        "AccountingInfoPrefs": {
            **closing,
            "FirstMonthOfFiscalYear": "April" if company.country == "NZ" else "January",
            "UseAccountNumbers": False,
            "ClassTrackingPerTxn": False,
            "ClassTrackingPerTxnLine": False,
            "TrackDepartments": False,
            "CustomerTerminology": "Customers",
        },
        "SalesFormsPrefs": {
            "CustomField": [],
            "CustomTxnNumbers": settings.custom_numbers,
            "AllowDeposit": True,
            "AllowDiscount": True,
            "AllowShipping": False,
            "AutoApplyCredit": True,
            "AutoApplyPayments": True,
            "ETransactionPaymentEnabled": False,
            "DefaultTerms": {"value": "3"},
        },
        "TaxPrefs": {"UsingSalesTax": settings.uses_tax, "PartnerTaxEnabled": settings.automated_tax},
        "CurrencyPrefs": {
            "MultiCurrencyEnabled": settings.multi_currency,
            "HomeCurrency": {"value": company.currency},
        },
        "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
        "domain": "QBO",
        "sparse": False,
        "Id": "1",
        "SyncToken": "2",
        "MetaData": {"CreateTime": stamp(SINCE), "LastUpdatedTime": stamp(settings.changed)},
    }
