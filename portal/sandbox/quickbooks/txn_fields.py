"""What may be written to an invoice or a payment, in the way of `fields`."""

from __future__ import annotations

from collections.abc import Mapping

from portal.sandbox.quickbooks.fields import BOOL, NUMBER, READ, REF, Rule

FREE, DAY, ADDRESS = Rule("free"), Rule("date"), Rule("address")
COMMON = {
    **dict.fromkeys(("Id", "SyncToken", "MetaData", "domain", "sparse", "LinkedTxn", "TxnSource"), READ),
    "TxnDate": DAY,
    "CurrencyRef": REF,
    "ExchangeRate": NUMBER,
    "PrivateNote": Rule("text", 4000),
    "CustomerRef": REF,
    "Line": FREE,
    "TransactionLocationType": Rule("text", 100),
}
INVOICE = COMMON | {
    **dict.fromkeys(
        (
            "TotalAmt", "Balance", "HomeTotalAmt", "HomeBalance", "DeliveryInfo", "InvoiceLink", "EInvoiceStatus",
            "ECloudStatusTimeStamp", "RecurDataRef", "TaxExemptionRef", "invoiceStatus",
        ), READ,
    ),
    **dict.fromkeys(
        (
            "AllowIPNPayment", "AllowOnlinePayment", "AllowOnlineCreditCardPayment", "AllowOnlineACHPayment",
            "AllowOnlinePayPalPayment", "AllowOnlineAffirmPayment", "ApplyTaxAfterDiscount", "FreeFormAddress",
        ), BOOL,
    ),
    **dict.fromkeys(
        ("SalesTermRef", "DepartmentRef", "ClassRef", "ProjectRef", "ShipMethodRef", "DepositToAccountRef"), REF
    ),
    "DocNumber": Rule("text", 21),
    "DueDate": DAY,
    "ShipDate": DAY,
    "TrackingNum": Rule("text", 31),
    "GlobalTaxCalculation": Rule("choice", names=("TaxExcluded", "TaxInclusive", "NotApplicable")),
    "TxnTaxDetail": FREE,
    "CustomerMemo": FREE,
    "BillEmail": Rule("email", 100),
    "BillEmailCc": Rule("email", 200),
    "BillEmailBcc": Rule("email", 200),
    "EmailStatus": Rule("choice", names=("NotSet", "NeedToSend", "EmailSent")),
    "PrintStatus": Rule("choice", names=("NotSet", "NeedToPrint", "PrintComplete")),
    "Deposit": NUMBER,
    "BillAddr": ADDRESS,
    "ShipAddr": ADDRESS,
    "ShipFromAddr": ADDRESS,
    "CustomField": FREE,
}  # fmt: skip
PAYMENT = COMMON | {
    "TotalAmt": NUMBER,
    "UnappliedAmt": READ,
    "PaymentMethodRef": REF,
    "PaymentRefNum": Rule("text", 21),
    "DepositToAccountRef": REF,
    "ARAccountRef": REF,
    "ProcessPayment": BOOL,
    "CreditCardPayment": FREE,
    "TaxExemptionRef": READ,
    "TxnStatus": READ,
}
TXN_RULES: Mapping[str, Mapping[str, Rule]] = {"Invoice": INVOICE, "Payment": PAYMENT}
