"""Creating and changing names by the API's rules: unique names, SyncTokens, full and sparse updates, inactive ones."""

from __future__ import annotations

import sqlite3
from typing import Any

from portal.sandbox.context import Sandbox
from portal.sandbox.quickbooks import faults, fields, records
from portal.sandbox.quickbooks.company import Company
from portal.sandbox.quickbooks.records import SUFFIX, Record, base_name

SOMEBODY = "Jo Partner"
DEEPEST = 4
FIXED = ("Balance", "OpenBalanceDate", "CurrencyRef")  # may be given once, at the beginning


def write(box: Sandbox, db: sqlite3.Connection, company: Company, entity: str, body: Record) -> Record:
    """Create without an Id, change with one; the stored record. Raises Fault."""
    identifier = body.get("Id")
    if identifier in (None, ""):
        return create(box, db, company, entity, body)
    return update(box, db, company, entity, str(identifier), body)


def create(box: Sandbox, db: sqlite3.Connection, company: Company, entity: str, body: Record) -> Record:
    """A new one; raises Fault."""
    values = {name: value for name, value in fields.checked(entity, body).items() if value is not None}
    record: Record = {**blank(entity, company), **values}
    record["Active"] = bool(values.get("Active", True))
    _name(record)
    _place(db, company, record, entity)
    _refuse_taken(box, db, company, record["DisplayName"])
    if not record["Active"]:
        record["DisplayName"] += SUFFIX
    complete(db, company, record, entity)
    record |= {"domain": "QBO", "sparse": False, "Id": str(records.next_id(db, company.realm)), "SyncToken": "0"}
    records.insert(db, company.realm, entity, record, box.clock.milliseconds())
    return record


def update(
    box: Sandbox, db: sqlite3.Connection, company: Company, entity: str, identifier: str, body: Record
) -> Record:
    """Full (what is left out is emptied) or sparse (what is left out stays); raises Fault."""
    row = _row_to_change(box, db, company, entity, identifier, body)
    before, sparse = records.loaded(row), body.get("sparse") is True
    values = fields.checked(entity, body)
    record = _changed(entity, company, before, values, sparse=sparse)
    record["Active"] = values["Active"] if values.get("Active") is not None else before["Active"]
    _name(record, before if sparse else None)
    record["DisplayName"] = _shown_name(box, before, record)
    name = record["DisplayName"] if record["Active"] else base_name(record["DisplayName"])
    if records.key_of(name) != row["name_key" if record["Active"] else "base_key"]:
        _refuse_taken(box, db, company, name, but=row["n"])
    _place(db, company, record, entity)
    complete(db, company, record, entity)
    now = box.clock.milliseconds()
    records.save(db, row, record, now)
    if entity == "Customer":
        takes_subs = before["Active"] and not record["Active"] and box.switches["quickbooks_inactive_parent_takes_subs"]
        follow(db, company, record, now, inactive=bool(takes_subs))
    return record


def blank(entity: str, company: Company) -> Record:
    """What every new one has."""
    currency = {"CurrencyRef": {"value": company.currency, "name": company.currency_name}}
    if entity == "Customer":
        return {
            "Taxable": False,
            "Job": False,
            "BillWithParent": False,
            "Balance": 0,
            "BalanceWithJobs": 0,
            **currency,
            "PreferredDeliveryMethod": "Print",
            "IsProject": False,
        }
    return {"Balance": 0, "Vendor1099": False, **currency} if entity == "Vendor" else {"BillableTime": False}


def follow(db: sqlite3.Connection, company: Company, parent: Record, now: int, *, inactive: bool = False) -> None:
    """Sub-customers print their parent's name, and go with a parent that is made inactive."""
    for row in records.children(db, company.realm, parent["Id"]):
        record = records.loaded(row)
        gone = inactive and record["Active"]
        if gone:
            record["Active"] = False
            record["DisplayName"] = base_name(record["DisplayName"]) + SUFFIX
        complete(db, company, record, "Customer")
        records.save(db, row, record, now, touch=gone)
        follow(db, company, record, now, inactive=inactive)


def _row_to_change(
    box: Sandbox, db: sqlite3.Connection, company: Company, entity: str, identifier: str, body: Record
) -> sqlite3.Row:
    if not identifier.isascii() or not identifier.isdigit():
        raise faults.bad_id(identifier)
    row = records.find(db, company.realm, entity, identifier)
    if row is None:
        raise faults.not_found()
    if row["gone"] or row["merged_into"] is not None:
        raise faults.gone_for_good()
    if body.get("SyncToken") in (None, ""):
        raise faults.missing("SyncToken")
    if str(body["SyncToken"]) != records.loaded(row)["SyncToken"]:
        raise faults.stale(SOMEBODY)
    wakes = body.get("Active") is True
    if not row["active"] and not wakes and box.switches["quickbooks_inactive_refuses_writes"]:
        raise faults.gone_for_good()
    return row


def _changed(entity: str, company: Company, before: Record, values: dict[str, Any], *, sparse: bool) -> Record:
    """The old record with the new values; those fixed at the beginning stay."""
    own = ("Id", "SyncToken", "MetaData", "domain", "sparse", "BalanceWithJobs", *FIXED)
    record = dict(before) if sparse else {**blank(entity, company), **{k: before[k] for k in own if k in before}}
    for name, value in values.items():
        if name in FIXED:
            continue
        if value is None:
            record.pop(name, None)
        else:
            record[name] = value
    return record


def _name(record: Record, before: Record | None = None) -> None:
    """A display name of the name parts when none was given. A sparse update cannot clear it."""
    if not record.get("DisplayName") and before is not None:
        record["DisplayName"] = before["DisplayName"]
    if not record.get("DisplayName"):
        parts = [record[part] for part in fields.NAME_PARTS if record.get(part)]
        if not parts:
            raise faults.no_name()
        record["DisplayName"] = " ".join(parts)


def _shown_name(box: Sandbox, before: Record, record: Record) -> str:
    """With the suffix while inactive. Whether coming back takes it away is a switch."""
    name: str = record["DisplayName"]
    if not record["Active"]:
        return base_name(name) + SUFFIX
    woken = not before["Active"]
    strips = box.switches["quickbooks_reactivation_strips_suffix"]
    return base_name(name) if woken and strips and name == before["DisplayName"] else name


def _refuse_taken(box: Sandbox, db: sqlite3.Connection, company: Company, name: str, but: int = -1) -> None:
    blocks = bool(box.switches["quickbooks_inactive_blocks_name"])
    holder = records.holder_of(db, company.realm, name, inactive_blocks=blocks, but=but)
    if holder is not None:
        raise faults.name_taken(box.switches["quickbooks_6240_detail"], holder)


def _place(db: sqlite3.Connection, company: Company, record: Record, entity: str) -> None:
    """A sub-customer's parent must be there, active, and not too deep."""
    if entity != "Customer":
        return
    reference = record.get("ParentRef")
    if record.get("Job") and not reference:
        raise faults.missing("ParentRef")
    depth, seen = 0, {record.get("Id")}
    while reference:
        row = records.find(db, company.realm, "Customer", reference["value"])
        usable = row is not None and not row["gone"] and (row["active"] or depth > 0)
        if row is None or not usable or reference["value"] in seen:
            raise faults.bad_reference("ParentRef", reference["value"])
        depth += 1
        if depth > DEEPEST:
            raise faults.business("A sub-customer can be at most four levels below its top customer.")
        seen.add(reference["value"])
        reference = records.loaded(row).get("ParentRef")


def complete(db: sqlite3.Connection, company: Company, record: Record, entity: str) -> None:
    """What the service fills in by itself."""
    number = int(str(record["Id"])) if record.get("Id") else records.next_id(db, company.realm)
    for n, name in enumerate(("BillAddr", "ShipAddr", "PrimaryAddr")):
        if record.get(name):
            record[name] = {"Id": record[name].get("Id") or str(number * 3 + n), **record[name]}
    if not record.get("PrintOnCheckName"):
        record["PrintOnCheckName"] = (record.get("CompanyName") or base_name(record["DisplayName"]))[:110]
    if entity != "Customer":
        return
    record["FullyQualifiedName"] = record["DisplayName"]
    reference = record.get("ParentRef")
    if reference:
        row = records.find(db, company.realm, "Customer", reference["value"])
        parent: Record = records.loaded(row) if row else {"FullyQualifiedName": "", "DisplayName": ""}
        record["Job"] = True
        record["Level"] = int(str(parent.get("Level") or 0)) + 1
        record["ParentRef"] = {"value": reference["value"], "name": parent["DisplayName"]}
        record["FullyQualifiedName"] = f"{parent['FullyQualifiedName']}:{record['DisplayName']}"
    else:
        record.pop("Level", None)
    record["BalanceWithJobs"] = record.get("Balance", 0)
