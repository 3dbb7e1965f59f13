"""Invoices and payments an app sends to the stand-in of Xero, and what comes of them."""

from __future__ import annotations

from typing import Any

from tests.sandbox.books import Books


def contact(books: Books) -> dict[str, str]:
    return {"ContactID": books.contacts("?page=1&where=ContactStatus==%22ACTIVE%22")[0]["ContactID"]}


def line(**values: Any) -> dict[str, Any]:
    given = {"Description": "Work", "Quantity": "1", "UnitAmount": "100", "AccountCode": "200", "TaxType": "OUTPUT2"}
    return {**given, **values}


def draft(books: Books, number: str = "S-1", **values: Any) -> dict[str, Any]:
    given = {
        "Type": "ACCREC", "Contact": contact(books), "InvoiceNumber": number, "Date": "2026-11-20",
        "DueDate": "2026-12-20", "Status": "AUTHORISED", "LineItems": [line()],
    }  # fmt: skip
    return {**given, **values}


def put(books: Books, *items: dict[str, Any], query: str = "?summarizeErrors=false&unitdp=4") -> list[dict[str, Any]]:
    return list(books.json("PUT", f"Invoices{query}", {"Invoices": list(items)})["Invoices"])


def made(books: Books, number: str = "S-1", **values: Any) -> dict[str, Any]:
    (one,) = put(books, draft(books, number, **values))
    assert one["StatusAttributeString"] == "OK", one
    return one


def complaints(books: Books, **values: Any) -> str:
    (one,) = put(books, draft(books, **values))
    assert one["StatusAttributeString"] == "ERROR", one
    assert set(one["InvoiceID"]) <= set("0-")
    return " ".join(error["Message"] for error in one["ValidationErrors"])


def pay(books: Books, invoice: str, amount: str, **values: Any) -> dict[str, Any]:
    sent = {"Invoice": {"InvoiceID": invoice}, "Account": {"Code": "090"}, "Date": "2026-11-21", "Amount": amount}
    body = {"Payments": [{**sent, **values}]}
    (one,) = books.json("PUT", "Payments?summarizeErrors=false", body)["Payments"]
    return dict(one)


def invoice(books: Books, identifier: str) -> dict[str, Any]:
    (one,) = books.json("GET", f"Invoices/{identifier}?unitdp=4")["Invoices"]
    return dict(one)
