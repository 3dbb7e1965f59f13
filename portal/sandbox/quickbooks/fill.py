"""Filling a company file in one go: replaces everything it has."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.names import generate_clients, portal_side
from portal.sandbox.names_ledgers import ledger_side
from portal.sandbox.names_practice import OTHER_STAFF, STAFF, Staff
from portal.sandbox.quickbooks import books, edits, records, tokens, txns
from portal.sandbox.quickbooks.company import COMPANIES, HARBOUR, MARLOW, Company, forget_settings
from portal.sandbox.quickbooks.records import Record
from portal.sandbox.vendor import Tenant

TOGETHER, MANY = 1000, 5000
SPARE = 120  # so many of those made are archived, deleted or share a name
TWO_YEARS = 2 * 365 * 86_400
PERCENT = 22
STRUCTURES = ("Company", "Look-Through Company", "Trust", "Partnership", "Incorporated Society")
SUPPLIERS = (
    "Broadband & Phone Co",
    "City Council Rates",
    "Copier Rentals Ltd",
    "Corner Stationery",
    "Fern Leaf Cleaning",
    "Lakeside Power & Gas",
    "Landlord Holdings Ltd",
    "Morning Coffee Cart",
    "Professional Indemnity Insurance",
    "Secure Shredding Limited",
)
COMPANY_WORDS = ("Limited", "Ltd")
WENT_AWAY, PROJECT = "Old Mill Cafe Limited", "Year end workpapers"


def load(box: Sandbox, tenant: Tenant, clients: int, seed: int) -> dict[str, Any]:
    """So many active customers of different names, and nothing else; the same ones for the same seed."""
    began = time.perf_counter()
    salt = "" if tenant.id == MARLOW.realm else tenant.id
    made = generate_clients(clients + SPARE, seed, region=tenant.region, salt=salt)
    with box.store.write() as db:
        _fill(box, db, COMPANIES[tenant.id], islice(_distinct(made), clients), seed, many=clients >= MANY)
    box.store.tidy()
    return {"tenant": tenant.id, "clients": clients, "seconds": round(time.perf_counter() - began, 2)}


def demo(box: Sandbox, clients: int, seed: int) -> None:
    """The firm's own company file, which overlaps with its practice, and another to connect by mistake."""
    with box.store.write() as db:
        _fill(box, db, MARLOW, _distinct(ledger_side("quickbooks", clients, seed, percent=PERCENT)), seed)
        _plant(box, db, clients, seed)
        others = generate_clients(max(5, min(25, clients // 8)), seed, region="AU", salt=HARBOUR.realm)
        _fill(box, db, HARBOUR, _distinct(others), seed)
        _people(box, db, HARBOUR, OTHER_STAFF, SUPPLIERS[:4])
    box.store.tidy()


def wipe(box: Sandbox) -> None:
    """Nothing left in any company, no consent, no token."""
    with box.store.write() as db:
        for company in COMPANIES.values():
            _empty(db, company.realm)
    forget_settings(box)
    tokens.wipe(box)


def counts(box: Sandbox, tenant: Tenant) -> dict[str, int]:
    """For the control page: customers are the active ones."""
    with box.store.read() as db:
        rows = db.execute(
            "SELECT entity, active, count(*) FROM qbo_name WHERE tenant = ? AND gone = 0 GROUP BY entity, active",
            (tenant.id,),
        ).fetchall()
        (invoices,) = db.execute(
            "SELECT count(*) FROM qbo_txn WHERE tenant = ? AND entity = 'Invoice' AND gone = 0", (tenant.id,)
        ).fetchone()
    found = {(entity, active): number for entity, active, number in rows}
    return {
        "customers": found.get(("Customer", 1), 0),
        "inactive": found.get(("Customer", 0), 0),
        "vendors": found.get(("Vendor", 1), 0),
        "employees": found.get(("Employee", 1), 0),
        "invoices": invoices,
    }


def customer(company: Company, record: dict[str, Any], number: int, dice: random.Random) -> Record:
    """A made-up client as a customer of this company."""
    name = record["Name"]
    person = record["Contacts"][0] if record["Contacts"] else None
    first, _, last = person["name"].rpartition(" ") if person else ("", "", "")
    balance = round(dice.random() * 4000, 2) if dice.random() < 0.3 else 0
    made: Record = edits.blank("Customer", company) | {
        "GivenName": record.get("FirstName") or first,
        "FamilyName": record.get("LastName") or last,
        "DisplayName": name,
        "CompanyName": name if record.get("BusinessStructure") in STRUCTURES and len(name) <= 100 else "",
        "PrintOnCheckName": name[:110],
        "FullyQualifiedName": name,
        "Active": True,
        "PrimaryPhone": {"FreeFormNumber": record["Phone"]} if record["Phone"] else None,
        "Mobile": {"FreeFormNumber": person["mobile"]} if person and person["mobile"] else None,
        "PrimaryEmailAddr": {"Address": record["Email"]} if record["Email"] else None,
        "WebAddr": {"URI": record["Website"]} if record["Website"] else None,
        "BillAddr": _address(record, "Postal", number * 3) or _address(record, "", number * 3),
        "ShipAddr": _address(record, "", number * 3 + 1),
        "Balance": balance,
        "BalanceWithJobs": balance,
        "domain": "QBO",
        "sparse": False,
        "Id": str(number),
        "SyncToken": str(int(dice.random() * 6)),
    }
    return {key: value for key, value in made.items() if value is not None and value != ""}


def _distinct(made: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Current ones whose names QuickBooks would let stand beside each other."""
    seen: set[int] = set()
    for record in made:
        key = hash(records.key_of(record["Name"]))
        if record["archived"] or record["deleted"] or key in seen:
            continue
        seen.add(key)
        yield record


def _fill(
    box: Sandbox,
    db: sqlite3.Connection,
    company: Company,
    made: Iterator[dict[str, Any]],
    seed: int,
    *,
    many: bool = False,
) -> None:
    if many:  # it is quicker to make the indexes anew
        for name in records.INDEXES:
            db.execute(f"DROP INDEX IF EXISTS {name}")
    _empty(db, company.realm)
    books.stock(db, company)
    dice, now, number = random.Random(seed), int(box.clock.seconds()), 0
    while batch := list(islice(made, TOGETHER)):
        rows = []
        for record in batch:
            number += 1
            updated = now - int(dice.random() * TWO_YEARS)
            created = updated - int(dice.random() * TWO_YEARS)
            printed = customer(company, record, number, dice)
            rows.append(records.row_of(company.realm, "Customer", printed, created, updated, 0))
        db.executemany(records.INSERT, rows)
    if many:
        for statement in records.INDEXES.values():
            db.execute(statement)


def _plant(box: Sandbox, db: sqlite3.Connection, clients: int, seed: int) -> None:
    """The awkward ones: taken by a vendor, taken by an employee, made inactive, and a sub-customer."""
    held = [one["name"] for one in portal_side(clients, seed) if one["kind"] in ("exact", "only_here")]
    taken = [name for name in _free(db, held) if name != WENT_AWAY]
    supplier = next((name for name in taken if name.isascii() and name.split()[-1] in COMPANY_WORDS), None)
    worker = next((name for name in taken if _is_person(name) and name != supplier), None)
    _people(box, db, MARLOW, STAFF, (*SUPPLIERS, *([supplier] if supplier else [])))
    if worker:
        first, _, last = worker.rpartition(" ")
        _add(box, db, MARLOW, "Employee", {"GivenName": first, "FamilyName": last, "DisplayName": worker})
    gone = WENT_AWAY if _free(db, [WENT_AWAY]) else "Closed Doors Limited"
    _add(box, db, MARLOW, "Customer", {"DisplayName": gone, "CompanyName": gone, "Active": False})
    parent = db.execute(
        "SELECT id FROM qbo_name WHERE tenant = ? AND entity = 'Customer' AND active = 1 ORDER BY id LIMIT 1",
        (MARLOW.realm,),
    ).fetchone()
    if parent:
        reference = {"value": str(parent["id"])}
        _add(box, db, MARLOW, "Customer", {"DisplayName": PROJECT, "Job": True, "ParentRef": reference})


def _people(
    box: Sandbox, db: sqlite3.Connection, company: Company, staff: tuple[Staff, ...], suppliers: tuple[str, ...]
) -> None:
    for name in suppliers:
        _add(box, db, company, "Vendor", {"DisplayName": name, "CompanyName": name})
    for person in staff:
        first, _, last = person.name.rpartition(" ")
        values = {"GivenName": first, "FamilyName": last, "DisplayName": person.name}
        _add(box, db, company, "Employee", values | {"PrimaryEmailAddr": {"Address": person.email}})


def _add(box: Sandbox, db: sqlite3.Connection, company: Company, entity: str, values: Record) -> None:
    """By the API's rules; a name that is taken is left alone."""
    if records.holder_of(db, company.realm, values["DisplayName"], inactive_blocks=True) is None:
        edits.create(box, db, company, entity, values)


def _free(db: sqlite3.Connection, names: list[str]) -> list[str]:
    """Those nobody in the firm's company file has; names the file could not hold are left out."""
    return [
        name
        for name in names
        if len(name) <= 100
        and not set(name) & set(':<>="')
        and records.holder_of(db, MARLOW.realm, name, inactive_blocks=True) is None
    ]


def _is_person(name: str) -> bool:
    words = name.split()
    return len(words) in (2, 3) and all(word.isalpha() for word in words) and words[-1] not in (*COMPANY_WORDS, "Trust")


def _address(record: dict[str, Any], prefix: str, number: int) -> dict[str, str] | None:
    street = record[f"{prefix}Address"]
    if not street:
        return None
    lines = street.split(", ", 1)
    found = {
        "Id": str(number),
        **{f"Line{n}": line for n, line in enumerate(lines, 1)},
        "City": record[f"{prefix}City"],
        "Country": record[f"{prefix}Country"],
        "CountrySubDivisionCode": record[f"{prefix}Region"],
        "PostalCode": record[f"{prefix}PostCode"],
        "Lat": "INVALID",
        "Long": "INVALID",
    }
    return {key: value for key, value in found.items() if value}


def _empty(db: sqlite3.Connection, realm: str) -> None:
    for table in (*records.TABLES, *txns.TABLES, *books.TABLES):
        db.execute(f"DELETE FROM qbo_{table} WHERE tenant = ?", (realm,))
