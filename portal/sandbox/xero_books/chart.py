"""What a New Zealand organisation has besides contacts: its accounts, tax rates, tracking, people, and itself."""

from __future__ import annotations

from typing import Any

from portal.sandbox.names_practice import STAFF, stable_uuid
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books.wire import stamp

Item = dict[str, Any]
MARLOW = Tenant("5b0c6a0e-7d0f-4c35-9a7c-2f5c1a9e4d01", "Marlow & Co Ltd", "ORGANISATION", "xero", "xero")
ADVISORY = Tenant("7e2d4b18-9c35-4f60-8a1b-6d0e5c9f7a02", "Marlow Advisory Ltd", "ORGANISATION", "xero", "xero")
FOUNDED_MS = 1_455_827_393_000
SETTLED_MS = 1_711_843_200_000
LOCKED_MS = 1_743_379_200_000  # 31 March 2025, midnight UTC

# code, name, type, class, tax type, description
ACCOUNTS = (
    ("090", "Business Bank Account", "BANK", "ASSET", "NONE", ""),
    ("091", "Business Savings Account", "BANK", "ASSET", "NONE", ""),
    ("200", "Sales", "REVENUE", "REVENUE", "OUTPUT2", "Income from any normal business activity"),
    ("210", "Accounting Fees", "REVENUE", "REVENUE", "OUTPUT2", "Fees for annual accounts and tax returns"),
    ("215", "Advisory Fees", "REVENUE", "REVENUE", "OUTPUT2", "Fees for advice"),
    ("260", "Other Revenue", "REVENUE", "REVENUE", "OUTPUT2", "Any other income"),
    ("270", "Interest Income", "REVENUE", "REVENUE", "NONE", "Interest earned"),
    ("310", "Cost of Goods Sold", "DIRECTCOSTS", "EXPENSE", "INPUT2", "Cost of goods sold"),
    ("400", "Advertising", "EXPENSE", "EXPENSE", "INPUT2", "Advertising and marketing"),
    ("404", "Bank Fees", "EXPENSE", "EXPENSE", "NONE", "Fees charged by the bank"),
    ("420", "Entertainment", "EXPENSE", "EXPENSE", "INPUT2", "Entertainment, half of it deductible"),
    ("429", "General Expenses", "EXPENSE", "EXPENSE", "INPUT2", "Expenses without an account of their own"),
    ("433", "Insurance", "EXPENSE", "EXPENSE", "INPUT2", "Insurance of the business"),
    ("445", "Light, Power, Heating", "EXPENSE", "EXPENSE", "INPUT2", "Lighting, power and heating"),
    ("469", "Rent", "EXPENSE", "EXPENSE", "INPUT2", "Rent of the office"),
    ("477", "Salaries", "EXPENSE", "EXPENSE", "NONE", "Salaries and wages"),
    ("485", "Subscriptions", "EXPENSE", "EXPENSE", "INPUT2", "Software, journals and memberships"),
    ("489", "Telephone & Internet", "EXPENSE", "EXPENSE", "INPUT2", "Calls, mobiles and internet"),
    ("610", "Accounts Receivable", "CURRENT", "ASSET", "NONE", "Outstanding invoices"),
    ("710", "Office Equipment", "FIXED", "ASSET", "INPUT2", "Office equipment owned"),
    ("800", "Accounts Payable", "CURRLIAB", "LIABILITY", "NONE", "Outstanding bills"),
    ("820", "GST", "CURRLIAB", "LIABILITY", "NONE", "GST owed to or by Inland Revenue"),
    ("960", "Retained Earnings", "EQUITY", "EQUITY", "NONE", "Profits kept in the company"),
)
# code, name, what it says on the invoice, price, account, tax type
ITEMS = (
    ("ANNUAL", "Annual accounts", "Annual financial statements and tax return", "2400.00", "210", "OUTPUT2"),
    ("GST", "GST return", "Preparation and filing of a GST return", "180.00", "210", "OUTPUT2"),
    ("PAYROLL", "Payroll", "Payroll, a month", "95.00", "210", "OUTPUT2"),
    ("ADVICE", "Advice", "Advice, an hour", "240.00", "215", "OUTPUT2"),
    ("FILING", "Companies Office filing fee", "Filing fee, passed on", "49.50", "260", "ZERORATED"),
)
SYSTEM = {"610": "DEBTORS", "800": "CREDITORS", "820": "GST", "960": "RETAINEDEARNINGS"}
# name, tax type, type in reports, rate, applies to (assets, equity, expenses, liabilities, revenue)
TAX_RATES = (
    ("15% GST on Expenses", "INPUT2", "INPUT", 15, (True, True, True, True, False)),
    ("15% GST on Income", "OUTPUT2", "OUTPUT", 15, (True, True, False, True, True)),
    ("GST on Imports", "GSTONIMPORTS", "GSTONIMPORTS", 0, (False, False, False, True, False)),
    ("No GST", "NONE", "NONE", 0, (True, True, True, True, True)),
    ("Zero Rated", "ZERORATED", "OUTPUT", 0, (False, False, False, True, True)),
)
TRACKING = {"Office": ("Auckland", "Hamilton", "Wellington"), "Service line": ("Compliance", "Advisory", "Payroll")}
CURRENCIES = (("NZD", "New Zealand Dollar"), ("AUD", "Australian Dollar"), ("USD", "United States Dollar"))
ACTIONS = (
    "CreateApprovedInvoice", "CreateDraftInvoice", "CreateApprovedBill", "CreateDraftBill", "CreateInvoicePayment",
    "UseMulticurrency", "AttachFilesIntoInvoice", "CreateRepeatingInvoice", "CreateRepeatingBill", "CreateSentQuote",
    "CreateDraftQuote", "CreateApprovedPurchaseOrder", "CreateDraftPurchaseOrder",
)  # fmt: skip
ROLES = ("FINANCIALADVISER", "STANDARD", "INVOICEONLY", "READONLY")


def organisation(tenant: Tenant, *, same_id: bool) -> Item:
    """The company itself. `same_id`: known by the identifier of the connection."""
    small = tenant.id == ADVISORY.id
    city = {"City": "Hamilton", "Region": "Waikato", "PostalCode": "3204", "Country": "New Zealand"}
    return {
        "Name": tenant.name,
        "LegalName": tenant.name.replace("Ltd", "Limited"),
        "PaysTax": True,
        "Version": "NZ",
        "OrganisationType": "COMPANY",
        "OrganisationEntityType": "COMPANY",
        "BaseCurrency": "NZD",
        "CountryCode": "NZ",
        "IsDemoCompany": False,
        "OrganisationStatus": "ACTIVE",
        "RegistrationNumber": "5820147" if small else "1903376",
        "TaxNumber": "101-220-448" if small else "071-138-054",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 3,
        "SalesTaxBasis": "PAYMENTS",
        "SalesTaxPeriod": "TWOMONTHS",
        "DefaultSalesTax": "Tax Exclusive",
        "DefaultPurchasesTax": "Tax Exclusive",
        "PeriodLockDate": stamp(LOCKED_MS),
        "EndOfYearLockDate": stamp(LOCKED_MS),
        "CreatedDateUTC": f"/Date({FOUNDED_MS})/",
        "Timezone": "NEWZEALANDSTANDARDTIME",
        "ShortCode": "!mA2dv" if small else "!mRl0w",
        "OrganisationID": tenant.id if same_id else stable_uuid("organisation", tenant.id),
        "Edition": "BUSINESS",
        "Class": "STANDARD" if small else "PREMIUM",
        "LineOfBusiness": "Business advice" if small else "Accounting",
        "Addresses": [
            {"AddressType": "POBOX", "AddressLine1": "PO Box 1120", **city, "AttentionTo": ""},
            {"AddressType": "STREET", "AddressLine1": "18 Victoria Street", **city, "AttentionTo": ""},
        ],
        "Phones": [{"PhoneType": "OFFICE", "PhoneNumber": "555 0140", "PhoneAreaCode": "07", "PhoneCountryCode": "64"}],
        "ExternalLinks": [],
        "PaymentTerms": {"Sales": {"Day": 20, "Type": "OFFOLLOWINGMONTH"}},
    }


def accounts(tenant: Tenant) -> list[Item]:
    """The chart of accounts."""
    return [_account(tenant, n, *line) for n, line in enumerate(ACCOUNTS)]


def tax_rates(tenant: Tenant) -> list[Item]:
    """GST as it is in New Zealand."""
    kinds = ("Assets", "Equity", "Expenses", "Liabilities", "Revenue")
    return [
        {
            "Name": name,
            "TaxType": kind,
            "ReportTaxType": report,
            **{f"CanApplyTo{one}": may for one, may in zip(kinds, may_apply, strict=True)},
            "DisplayTaxRate": float(rate),
            "EffectiveRate": float(rate),
            "Status": "ACTIVE",
            "TaxComponents": [{"Name": "GST", "Rate": float(rate), "IsCompound": False, "IsNonRecoverable": False}],
        }
        for name, kind, report, rate, may_apply in TAX_RATES
    ]


def items(tenant: Tenant) -> list[Item]:
    """What the firm sells."""
    return [
        {
            "ItemID": stable_uuid("item", tenant.id, code),
            "Code": code,
            "Name": name,
            "Description": description,
            "IsSold": True,
            "IsPurchased": False,
            "IsTrackedAsInventory": False,
            "PurchaseDetails": {},
            "SalesDetails": {"UnitPrice": float(price), "AccountCode": account, "TaxType": tax_type},
            "UpdatedDateUTC": stamp(SETTLED_MS + n * 60_000),
        }
        for n, (code, name, description, price, account, tax_type) in enumerate(ITEMS)
    ]


def tracking_categories(tenant: Tenant) -> list[Item]:
    """Two, which is as many as there can be."""
    return [
        {
            "TrackingCategoryID": stable_uuid("tracking", tenant.id, name),
            "Name": name,
            "Status": "ACTIVE",
            "Options": [
                {"TrackingOptionID": stable_uuid("option", tenant.id, name, one), "Name": one, "Status": "ACTIVE"}
                for one in options
            ],
        }
        for name, options in TRACKING.items()
    ]


def branding_themes(tenant: Tenant) -> list[Item]:
    """How invoices look."""
    names = ("Standard", "Advisory") if tenant.id == MARLOW.id else ("Standard",)
    return [
        {
            "BrandingThemeID": stable_uuid("theme", tenant.id, name),
            "Name": name,
            "Type": "INVOICE",
            "SortOrder": n,
            "CreatedDateUTC": stamp(FOUNDED_MS),
        }
        for n, name in enumerate(names)
    ]


def currencies(tenant: Tenant) -> list[Item]:
    """In use; the small company needs one only."""
    held = CURRENCIES if tenant.id == MARLOW.id else CURRENCIES[:1]
    return [{"Code": code, "Description": name} for code, name in held]


def users(tenant: Tenant) -> list[Item]:
    """The staff who may see the books."""
    people = STAFF[:6] if tenant.id == MARLOW.id else STAFF[1:3]
    return [
        {
            "UserID": stable_uuid("user", tenant.id, person.uuid),
            "EmailAddress": person.email,
            "FirstName": person.name.partition(" ")[0],
            "LastName": person.name.partition(" ")[2],
            "UpdatedDateUTC": stamp(SETTLED_MS + n * 3_600_000),
            "IsSubscriber": n == 0,
            "OrganisationRole": ROLES[min(n, len(ROLES) - 1)],
        }
        for n, person in enumerate(people)
    ]


def actions(tenant: Tenant) -> list[Item]:
    """What the connected user may do; a small plan has one currency."""
    denied = {"UseMulticurrency"} if tenant.id != MARLOW.id else set()
    return [{"Name": name, "Status": "NOT-ALLOWED" if name in denied else "ALLOWED"} for name in ACTIONS]


def _account(
    tenant: Tenant, n: int, code: str, name: str, kind: str, group: str, tax_type: str, description: str
) -> Item:
    made: Item = {
        "AccountID": stable_uuid("account", tenant.id, code),
        "Code": code,
        "Name": name,
        "Status": "ACTIVE",
        "Type": kind,
        "TaxType": tax_type,
        "Class": group,
        "EnablePaymentsToAccount": code == "091",
        "ShowInExpenseClaims": kind == "EXPENSE",
        "ReportingCode": group[:3],
        "HasAttachments": False,
        "UpdatedDateUTC": stamp(SETTLED_MS + n * 60_000),
        "AddToWatchlist": code in ("200", "210"),
    }
    if kind == "BANK":
        return made | {
            "BankAccountNumber": f"0209087654321{code}",
            "BankAccountType": "BANK",
            "CurrencyCode": "NZD",
        }
    return made | {"BankAccountType": "", "Description": description, "SystemAccount": SYSTEM.get(code, "")}
