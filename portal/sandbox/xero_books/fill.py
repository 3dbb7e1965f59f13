"""Filling an organisation in one go: replaces every contact it has."""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.names import generate_clients
from portal.sandbox.names_ledgers import ledger_side
from portal.sandbox.names_practice import stable_uuid
from portal.sandbox.vendor import Tenant
from portal.sandbox.xero_books import around, invoice_records, records
from portal.sandbox.xero_books.chart import ADVISORY, MARLOW
from portal.sandbox.xero_books.records import Fields

PERCENT = 55
TOGETHER = 1000
MANY = 5000  # from here on it is quicker to make the indexes anew
SPARE = 100  # planted clients that are archived, deleted or share a name
TWO_YEARS_MS = 2 * 365 * 86_400_000
SUPPLIER_EVERY, BOTH_EVERY = 25, 40
SUPPLIERS = (
    "Waikato Power & Light Limited", "Kea Stationery Supplies Ltd", "Tūī Telecom Limited", "Riverside Office Cleaning",
    "Kahikatea Insurance Brokers Ltd", "Ledgerline Software Limited", "Garden Place Parking Ltd", "Pukeko Couriers Ltd",
    "Victoria Street Properties Limited", "Bean & Leaf Coffee Roasters", "Hamilton Signworks Ltd", "Inland Freight Ltd",
)  # fmt: skip
FORMER = ("Lakeview Motor Lodge Limited", "Bayside Tiling Ltd", "Norwest Fencing Limited", "Penelope Ashcroft")
AREA = re.compile(r"(\+?\d{2,4}) (.+)")


def load(box: Sandbox, tenant: Tenant, clients: int, seed: int) -> dict[str, Any]:
    """Exactly so many active contacts with names of their own; the same ones for the same seed."""
    began = time.perf_counter()
    salt = "" if tenant.id == MARLOW.id else tenant.id
    found = islice(_distinct(_current(clients + SPARE, seed, salt)), clients)
    _replace(box, tenant, found, seed, clients)
    return {"tenant": tenant.id, "clients": clients, "seconds": round(time.perf_counter() - began, 2)}


def demo(box: Sandbox, clients: int, seed: int) -> None:
    """The first start: the firm's books with much of the practice, its suppliers and some past; and a small company."""
    _replace(box, MARLOW, _distinct(_marlow(clients, seed)), seed, clients)
    _replace(box, ADVISORY, _distinct(_advisory(clients, seed)), seed, SPARE)
    with box.store.write() as db:
        _plant_merged(db)


def wipe(box: Sandbox) -> None:
    """Nothing left in any organisation, and no answer kept."""
    with box.store.write() as db:
        for tenant in (MARLOW, ADVISORY):
            _empty(db, tenant.id)
        db.execute("DELETE FROM books_idempotency")
    for tenant in (MARLOW, ADVISORY):
        around.forget(box, tenant)


def counts(box: Sandbox, tenant: Tenant) -> dict[str, int]:
    """For the control page: active and archived ones, and those that only sell to the organisation."""
    with box.store.read() as db:
        row = db.execute(
            "SELECT coalesce(sum(1 - archived), 0) AS contacts, coalesce(sum(archived), 0) AS archived,"
            " coalesce(sum(is_supplier AND NOT is_customer), 0) AS suppliers FROM books_contact WHERE tenant = ?",
            (tenant.id,),
        ).fetchone()
    return dict(row)


def _marlow(clients: int, seed: int) -> Iterator[Fields]:
    """Some of the past shares a name with the present, as it may."""
    first = None
    for record in ledger_side("xero", clients, seed, percent=PERCENT):
        first = first or record["Name"]
        yield record
    for name in SUPPLIERS:
        yield _bare(name, "supplier")
    for name in (*FORMER, *([tidy_name(first)] if first else [])):
        yield _bare(name, "former")


def _advisory(clients: int, seed: int) -> Iterator[Fields]:
    """A few of the same names under other identifiers, and a few nobody else has."""
    shared = [one for one in ledger_side("xero", clients, seed, percent=PERCENT) if one["twin"] == "exact"]
    for record in shared[:: max(1, len(shared) // 25)][:25]:
        yield record | {"uuid": stable_uuid("xero", ADVISORY.id, seed, record["Name"])}
    yield from generate_clients(8, seed, salt=ADVISORY.id)
    yield _bare(SUPPLIERS[0], "supplier", ADVISORY.id)


def _bare(name: str, kind: str, where: str = "") -> Fields:
    return {"uuid": stable_uuid("xero", kind, where, name), "Name": name, "kind": kind, "Contacts": []}


def _current(count: int, seed: int, salt: str) -> Iterator[Fields]:
    return (one for one in generate_clients(count, seed, salt=salt) if not one["archived"] and not one["deleted"])


def _distinct(found: Iterable[Fields]) -> Iterator[Fields]:
    """Names as the vendor takes them, each once among the active ones."""
    taken: set[str] = set()
    for record in found:
        name = tidy_name(record["Name"])
        if record.get("kind") != "former":
            if name.casefold() in taken:
                continue
            taken.add(name.casefold())
        yield record | {"Name": name}


def tidy_name(name: str) -> str:
    """Without angle brackets and doubled spaces, which the vendor does not keep."""
    return " ".join(name.replace("<", " ").replace(">", " ").split())


def _replace(box: Sandbox, tenant: Tenant, found: Iterator[Fields], seed: int, about: int) -> None:
    """Contacts changed one after the other during two years: a page of them is read from one place of the file."""
    dice, step = random.Random(seed), TWO_YEARS_MS // (about + SPARE)
    began = box.clock.milliseconds() - TWO_YEARS_MS
    with box.store.write() as db:
        if about >= MANY:
            for name in records.INDEXES:
                db.execute(f"DROP INDEX IF EXISTS {name}")
        _empty(db, tenant.id)
        n = 0
        while batch := list(islice(found, TOGETHER)):
            rows = []
            for record in batch:
                updated = began + n * step + dice.randrange(step)
                fields = contact_of(record, n, dice)
                rows.append(records.row_of(tenant.id, record["uuid"], fields, None, updated, 0))
                n += 1
            records.insert(db, rows)
        for statement in records.INDEXES.values():
            db.execute(statement)
    box.store.tidy()


def contact_of(record: Fields, n: int, dice: random.Random) -> Fields:
    """One of the made-up clients as this vendor would hold it."""
    kind = record.get("kind") or ("supplier" if n % SUPPLIER_EVERY == SUPPLIER_EVERY - 1 else "customer")
    people = record["Contacts"]
    first = people[0] if people else {}
    forename, _, surname = str(first.get("name", "")).rpartition(" ")
    fields: Fields = {
        "Name": record["Name"],
        "FirstName": forename,
        "LastName": surname,
        "EmailAddress": record.get("Email", ""),
        "CompanyNumber": record.get("CompanyNumber", ""),
        "TaxNumber": record.get("TaxNumber", ""),
        "Website": record.get("Website", ""),
        "ContactStatus": "ARCHIVED" if kind == "former" else "ACTIVE",
        "Phones": _phones(record, first),
        "Addresses": _addresses(record),
        "ContactPersons": [_person(one) for one in people[1:6]],
        "IsCustomer": kind != "supplier",
        "IsSupplier": kind == "supplier" or n % BOTH_EVERY == 0,
    }
    if n % 3 == 0:
        fields["AccountNumber"] = f"C{n:05d}"
    if n % 5 == 0:
        fields["PaymentTerms"] = {"Sales": {"Day": 20, "Type": "OFFOLLOWINGMONTH"}}
    if kind == "customer" and n % 4 == 0:
        owed = dice.randrange(5_000, 900_000) / 100
        fields["Balances"] = {"owed": f"{owed:.2f}", "overdue": f"{owed / 2 if n % 8 == 0 else 0:.2f}"}
    return {key: value for key, value in fields.items() if value not in ("", {}, [])}


def phone_parts(text: str) -> dict[str, str]:
    """`09 555 0100` as area code and number; anything else is all number."""
    found = AREA.fullmatch(text)
    return {"PhoneAreaCode": found[1], "PhoneNumber": found[2]} if found else {"PhoneNumber": text}


def _phones(record: Fields, first: Fields) -> dict[str, dict[str, str]]:
    held = {"DEFAULT": record.get("Phone"), "MOBILE": first.get("mobile"), "FAX": record.get("Fax")}
    return {kind: phone_parts(text) for kind, text in held.items() if text}


def _addresses(record: Fields) -> dict[str, dict[str, str]]:
    found = {}
    for kind, prefix in (("STREET", ""), ("POBOX", "Postal")):
        line = record.get(f"{prefix}Address")
        if line:
            names = {"City": "City", "Region": "Region", "PostCode": "PostalCode", "Country": "Country"}
            parts = {there: record.get(f"{prefix}{here}", "") for here, there in names.items()}
            found[kind] = {"AddressLine1": line} | {key: text for key, text in parts.items() if text}
    return found


def _person(person: Fields) -> Fields:
    forename, _, surname = person["name"].rpartition(" ")
    return {
        "FirstName": forename,
        "LastName": surname,
        "EmailAddress": person["email"],
        "IncludeInEmails": bool(person["email"]),
    }


def _empty(db: sqlite3.Connection, tenant: str) -> None:
    for table in (*records.TABLES, *invoice_records.TABLES):
        db.execute(f"DELETE FROM books_{table} WHERE tenant = ?", (tenant,))


def _plant_merged(db: sqlite3.Connection) -> None:
    """One of the past was merged into a customer of today."""
    loser = records.find(db, MARLOW.id, stable_uuid("xero", "former", "", FORMER[0]))
    survivor = db.execute(
        "SELECT id FROM books_contact WHERE tenant = ? AND archived = 0 ORDER BY n LIMIT 1", (MARLOW.id,)
    ).fetchone()
    if loser and survivor:
        values = records.row_of(
            MARLOW.id, loser["id"], records.load_fields(loser), survivor["id"], loser["updated"], loser["written"]
        )
        changes = ", ".join(f"{name} = ?" for name in records.COLUMNS)
        db.execute(f"UPDATE books_contact SET {changes} WHERE n = ?", (*values, loser["n"]))
