"""Filling a practice in one go: replaces everything it has."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.names import generate_clients
from portal.sandbox.names_practice import OTHER_STAFF, STAFF, stable_uuid
from portal.sandbox.vendor import Tenant
from portal.sandbox.xpm import records

MARLOW = Tenant("9a1f0d52-6a35-4a0e-8d57-1c3b0f6e2a01", "Marlow & Co", "PRACTICEMANAGER", "xpm", "xero")
HARBOUR = Tenant(
    "2c7e9b64-18d0-4f6b-b1aa-7d5e4c3f9a02", "Harbour Street Advisers", "PRACTICEMANAGER", "xpm", "xero", "AU"
)
TOGETHER = 1000
MANY = 5000  # from here on it is quicker to make the indexes anew
TWO_YEARS_MS = 2 * 365 * 86_400_000
CLIENT_COLUMNS = (
    "tenant",
    "uuid",
    "name",
    "search",
    "archived",
    "deleted",
    "modified",
    "written",
    "merged_into",
    "head",
    "contacts",
    "tax",
    "detail",
    "fields",
)
NOT_FIELDS = frozenset({"uuid", "Contacts", "Group", "archived", "deleted", "merged_into"})


def load(box: Sandbox, tenant: Tenant, clients: int, seed: int) -> dict[str, Any]:
    """So many clients for one practice; the same ones for the same seed."""
    began = time.perf_counter()
    staff = STAFF if tenant.id == MARLOW.id else OTHER_STAFF
    made = generate_clients(
        clients, seed, staff=staff, region=tenant.region, salt="" if tenant.id == MARLOW.id else tenant.id
    )
    with box.store.write() as db:
        if clients >= MANY:
            for name in records.INDEXES:
                db.execute(f"DROP INDEX IF EXISTS {name}")
        _empty(db, tenant.id)
        _add_staff(db, tenant.id, staff)
        groups: dict[str, str] = {}
        dice, now = random.Random(seed), box.clock.milliseconds()
        while batch := list(islice(made, TOGETHER)):
            _add_batch(db, tenant, batch, groups, dice, now)
        db.executemany(
            "INSERT INTO xpm_group (tenant, uuid, name, taxable) VALUES (?, ?, ?, 'No')",
            [(tenant.id, uuid, name) for name, uuid in groups.items()],
        )
        for statement in records.INDEXES.values():
            db.execute(statement)
    box.store.tidy()
    return {"tenant": tenant.id, "clients": clients, "seconds": round(time.perf_counter() - began, 2)}


def demo(box: Sandbox, clients: int, seed: int) -> None:
    """The first start: a practice of the asked size, and a small one to connect by mistake."""
    load(box, MARLOW, clients, seed)
    load(box, HARBOUR, min(80, max(10, clients // 4)), seed)


def wipe(box: Sandbox) -> None:
    """Nothing left in any practice."""
    with box.store.write() as db:
        for tenant in (MARLOW, HARBOUR):
            _empty(db, tenant.id)


def counts(box: Sandbox, tenant: Tenant) -> dict[str, int]:
    """For the control page."""
    with box.store.read() as db:
        row = db.execute(
            "SELECT count(*) AS clients, coalesce(sum(archived), 0) AS archived, coalesce(sum(deleted), 0) AS deleted"
            " FROM xpm_client WHERE tenant = ?",
            (tenant.id,),
        ).fetchone()
        found = dict(row)
        for table, name in (("contact", "contacts"), ("group", "groups"), ("staff", "staff"), ("job", "jobs")):
            found[name] = db.execute(f"SELECT count(*) FROM xpm_{table} WHERE tenant = ?", (tenant.id,)).fetchone()[0]
    return found


def _empty(db: sqlite3.Connection, tenant: str) -> None:
    for table in records.TABLES:
        db.execute(f"DELETE FROM xpm_{table} WHERE tenant = ?", (tenant,))


def _add_staff(db: sqlite3.Connection, tenant: str, staff: tuple[Any, ...]) -> None:
    db.executemany(
        "INSERT INTO xpm_staff (tenant, uuid, name, email, phone, mobile, address, payroll)"
        " VALUES (?, ?, ?, ?, '', ?, '', '')",
        [(tenant, person.uuid, person.name, person.email, person.mobile) for person in staff],
    )


def _add_batch(
    db: sqlite3.Connection,
    tenant: Tenant,
    batch: list[dict[str, Any]],
    groups: dict[str, str],
    dice: random.Random,
    now: int,
) -> None:
    rows: list[tuple[Any, ...]] = []
    members: list[tuple[str, str, str]] = []
    for record in batch:
        group = record["Group"]
        if group:
            groups.setdefault(group, stable_uuid("group", tenant.id, group))
            members.append((tenant.id, groups[group], record["uuid"]))
        rows.append(_client_row(tenant, record, groups, now - dice.randrange(TWO_YEARS_MS)))
    marks = ", ".join("?" * len(CLIENT_COLUMNS))
    db.executemany(f"INSERT INTO xpm_client ({', '.join(CLIENT_COLUMNS)}) VALUES ({marks})", rows)
    db.executemany("INSERT INTO xpm_member VALUES (?, ?, ?)", members)
    db.executemany(
        "INSERT INTO xpm_contact (tenant, uuid, name, salutation, addressee, mobile, email, phone)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        _people(tenant.id, batch),
    )
    db.executemany(
        "INSERT INTO xpm_link (tenant, client, contact, position, is_primary) VALUES (?, ?, ?, ?, ?)",
        [
            (tenant.id, record["uuid"], person["uuid"], person["position"], int(person["is_primary"]))
            for record in batch
            for person in record["Contacts"]
        ],
    )


def _people(tenant: str, batch: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    names = ("uuid", "name", "salutation", "addressee", "mobile", "email", "phone")
    for record in batch:
        for person in record["Contacts"]:
            yield tenant, *(person[name] for name in names)


def _client_row(tenant: Tenant, record: dict[str, Any], groups: dict[str, str], modified: int) -> tuple[Any, ...]:
    fields = {name: value for name, value in record.items() if name not in NOT_FIELDS and value}
    group = record["Group"]
    printed = records.print_client(
        record["uuid"],
        fields,
        [{**person, "deleted": 0} for person in record["Contacts"]],
        [(groups[group], group)] if group else [],
        archived=record["archived"],
        deleted=record["deleted"],
        region=tenant.region,
    )
    return (
        tenant.id,
        record["uuid"],
        fields["Name"],
        fields["Name"].casefold(),
        int(record["archived"]),
        int(record["deleted"]),
        modified,
        0,
        record["merged_into"],
        *printed,
        json.dumps(fields, ensure_ascii=False),
    )
