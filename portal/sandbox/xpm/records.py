"""A client as XPM stores and prints it.

`fields` hold what was typed, under the names of the answer; the printed XML is made once, when something changes,
and kept with the row, because a list of fifty thousand must not print fifty thousand clients anew.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from portal.sandbox.xpm.wire import clean, escape

# Element -> left out when empty? The order is the order of printing.
HEAD: tuple[tuple[str, bool], ...] = (
    ("Title", True),
    ("Gender", True),
    ("FirstName", True),
    ("LastName", True),
    ("OtherName", True),
    ("Email", True),
    ("DateOfBirth", True),
    ("Address", False),
    ("City", False),
    ("Region", False),
    ("PostCode", False),
    ("Country", False),
    ("PostalAddress", False),
    ("PostalCity", False),
    ("PostalRegion", False),
    ("PostalPostCode", False),
    ("PostalCountry", False),
    ("Phone", False),
    ("Fax", False),
    ("Website", False),
    ("ReferralSource", False),
    ("ExportCode", False),
)
TAX: tuple[tuple[str, bool], ...] = (
    ("TaxNumber", False),
    ("CompanyNumber", False),
    ("BusinessNumber", False),
    ("BusinessStructure", True),
    ("BalanceMonth", True),
    ("PrepareGST", False),
    ("GSTRegistered", False),
    ("GSTPeriod", True),
    ("GSTBasis", True),
    ("ProvisionalTaxBasis", True),
    ("ProvisionalTaxRatio", True),
)
TAX_NZ: tuple[tuple[str, bool], ...] = (
    ("SignedTaxAuthority", False),
    ("TaxAgent", True),
    ("AgencyStatus", True),
    ("ReturnType", True),
)
TAX_AU: tuple[tuple[str, bool], ...] = (
    ("PrepareActivityStatement", False),
    ("PrepareTaxReturn", False),
    ("ActiveAtoClient", False),
    ("ClientCode", True),
    ("BranchNumber", True),
)
PEOPLE = ("AccountManager", "JobManager", "BillingClient")
YES_NO = frozenset(
    {
        "PrepareGST",
        "GSTRegistered",
        "SignedTaxAuthority",
        "PrepareActivityStatement",
        "PrepareTaxReturn",
        "ActiveAtoClient",
    }
)
TAX_NAMES = tuple(name for name, _ in TAX + TAX_NZ + TAX_AU)

INDEXES = {
    name: f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"
    for name, columns in {
        "xpm_client_order": "xpm_client (tenant, n)",
        "xpm_client_modified": "xpm_client (tenant, modified)",
        "xpm_client_search": "xpm_client (tenant, search)",
        "xpm_client_state": "xpm_client (tenant, archived, deleted, n)",
        "xpm_version_time": "xpm_version (tenant, replaced)",
        "xpm_link_contact": "xpm_link (tenant, contact)",
        "xpm_relationship_client": "xpm_relationship (tenant, client)",
        "xpm_relationship_related": "xpm_relationship (tenant, related)",
        "xpm_job_client": "xpm_job (tenant, client)",
    }.items()
}
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS xpm_client (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, search TEXT NOT NULL,
        archived INTEGER NOT NULL, deleted INTEGER NOT NULL, modified INTEGER NOT NULL, written INTEGER NOT NULL,
        merged_into TEXT, head TEXT NOT NULL, contacts TEXT NOT NULL, tax TEXT NOT NULL, detail TEXT NOT NULL,
        fields TEXT NOT NULL, UNIQUE (tenant, uuid))""",
    """CREATE TABLE IF NOT EXISTS xpm_version (
        tenant TEXT NOT NULL, uuid TEXT NOT NULL, n INTEGER NOT NULL, search TEXT NOT NULL, archived INTEGER NOT NULL,
        deleted INTEGER NOT NULL, modified INTEGER NOT NULL, written INTEGER NOT NULL, replaced INTEGER NOT NULL,
        head TEXT NOT NULL, contacts TEXT NOT NULL, tax TEXT NOT NULL, detail TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS xpm_contact (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, salutation TEXT NOT NULL,
        addressee TEXT NOT NULL, mobile TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL,
        deleted INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, uuid))""",
    """CREATE TABLE IF NOT EXISTS xpm_link (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, client TEXT NOT NULL, contact TEXT NOT NULL,
        position TEXT NOT NULL, is_primary INTEGER NOT NULL, UNIQUE (tenant, client, contact))""",
    """CREATE TABLE IF NOT EXISTS xpm_group (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, taxable TEXT NOT NULL,
        UNIQUE (tenant, uuid))""",
    """CREATE TABLE IF NOT EXISTS xpm_member (
        tenant TEXT NOT NULL, grp TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (tenant, client, grp))""",
    """CREATE TABLE IF NOT EXISTS xpm_relationship (
        tenant TEXT NOT NULL, uuid TEXT NOT NULL, client TEXT NOT NULL, related TEXT NOT NULL, type TEXT NOT NULL,
        shares TEXT, percentage TEXT, starts TEXT, ends TEXT, PRIMARY KEY (tenant, uuid))""",
    """CREATE TABLE IF NOT EXISTS xpm_staff (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, uuid TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
        phone TEXT NOT NULL, mobile TEXT NOT NULL, address TEXT NOT NULL, payroll TEXT NOT NULL,
        enabled INTEGER NOT NULL DEFAULT 1, UNIQUE (tenant, uuid))""",
    """CREATE TABLE IF NOT EXISTS xpm_job (
        n INTEGER PRIMARY KEY, tenant TEXT NOT NULL, number TEXT NOT NULL, uuid TEXT NOT NULL, client TEXT NOT NULL,
        state TEXT NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, fields TEXT NOT NULL, UNIQUE (tenant, number))""",
    *INDEXES.values(),
)
TABLES = ("client", "version", "contact", "link", "group", "member", "relationship", "staff", "job")


class Printed(NamedTuple):
    """A client's XML in four pieces: a page leaves contacts and detail out, a short list only the detail."""

    head: str
    contacts: str
    tax: str
    detail: str


def print_client(
    uuid: str,
    fields: Mapping[str, Any],
    contacts: Iterable[Any],
    groups: Iterable[tuple[str, str]],
    relationships: str = "",
    *,
    archived: bool,
    deleted: bool,
    region: str,
) -> Printed:
    """Groups are (uuid, name); contacts have the columns of contact and link."""
    parts = [f"<Client><UUID>{uuid}</UUID><Name>{escape(fields['Name'])}</Name>"]
    parts += _plain(fields, HEAD)
    parts.append(f"<IsArchived>{yes(archived)}</IsArchived><IsDeleted>{yes(deleted)}</IsDeleted>")
    parts += [named(tag, fields[tag]["UUID"], fields[tag]["Name"]) for tag in PEOPLE if fields.get(tag)]
    if fields.get("Type"):
        parts.append(_client_type(fields["Type"]))
    parts += [f"<{tag}>{escape(text)}</{tag}>" for tag, text in (fields.get("Extra") or {}).items()]
    return Printed(
        "".join(parts),
        listed("Contacts", [print_contact(contact, link=True) for contact in contacts]),
        _tax(fields, region),
        listed("Notes", [_note(note) for note in fields.get("Notes") or ()])
        + listed("Groups", [named("Group", *group) for group in groups])
        + (f"<Relationships>{relationships}</Relationships>" if relationships else "<Relationships />")
        + "</Client>",
    )


def print_contact(contact: Any, *, link: bool) -> str:
    """A person; position and primary only where a client is known."""
    texts = (
        f"<UUID>{contact['uuid']}</UUID><Name>{escape(contact['name'])}</Name>"
        f"<Salutation>{escape(contact['salutation'])}</Salutation><Addressee>{escape(contact['addressee'])}</Addressee>"
        f"<Mobile>{escape(contact['mobile'])}</Mobile><Email>{escape(contact['email'])}</Email>"
        f"<Phone>{escape(contact['phone'])}</Phone>"
    )
    role = ""
    if link:
        role = f"<Position>{escape(contact['position'])}</Position><IsPrimary>{yes(contact['is_primary'])}</IsPrimary>"
    return f"<Contact>{texts}{role}<IsDeleted>{yes(contact['deleted'])}</IsDeleted></Contact>"


def save(db: sqlite3.Connection, tenant: str, uuid: str, region: str, now: int, *, touch: bool = True) -> None:
    """Print a client anew after any change; `touch` moves its modified stamp. Keeps the version it replaces."""
    row = db.execute("SELECT * FROM xpm_client WHERE tenant = ? AND uuid = ?", (tenant, uuid)).fetchone()
    fields = json.loads(row["fields"])
    printed = print_client(
        uuid,
        fields,
        contacts_of(db, tenant, uuid),
        groups_of(db, tenant, uuid),
        _relationships(db, tenant, uuid),
        archived=row["archived"],
        deleted=row["deleted"],
        region=region,
    )
    db.execute("DELETE FROM xpm_version WHERE tenant = ? AND replaced < ?", (tenant, now - 86_400_000))
    db.execute(
        "INSERT INTO xpm_version SELECT tenant, uuid, n, search, archived, deleted, modified, written, ?, head,"
        " contacts, tax, detail FROM xpm_client WHERE n = ? AND written < ? AND head != ''",
        (now, row["n"], now),
    )
    db.execute(
        "UPDATE xpm_client SET name = ?, search = ?, modified = ?, written = ?, head = ?, contacts = ?, tax = ?,"
        " detail = ? WHERE n = ?",
        (fields["Name"], fields["Name"].casefold(), now if touch else row["modified"], now, *printed, row["n"]),
    )


def insert(db: sqlite3.Connection, tenant: str, uuid: str, fields: dict[str, Any], now: int) -> None:
    """A new client, not printed yet: `save` must follow in the same transaction."""
    db.execute(
        "INSERT INTO xpm_client (tenant, uuid, name, search, archived, deleted, modified, written, head, contacts, tax,"
        " detail, fields) VALUES (?, ?, ?, ?, 0, 0, ?, ?, '', '', '', '', ?)",
        (tenant, uuid, fields["Name"], fields["Name"].casefold(), now, now, json.dumps(fields, ensure_ascii=False)),
    )


def keep_fields(db: sqlite3.Connection, tenant: str, uuid: str, fields: Mapping[str, Any]) -> None:
    """Store typed values; `save` must follow."""
    db.execute(
        "UPDATE xpm_client SET fields = ? WHERE tenant = ? AND uuid = ?",
        (json.dumps(fields, ensure_ascii=False), tenant, uuid),
    )


def contacts_of(db: sqlite3.Connection, tenant: str, client: str) -> list[sqlite3.Row]:
    """The people of a client in the order they were linked; deleted ones are gone."""
    return list(
        db.execute(
            "SELECT c.*, l.position, l.is_primary FROM xpm_link l JOIN xpm_contact c ON c.tenant = l.tenant"
            " AND c.uuid = l.contact WHERE l.tenant = ? AND l.client = ? AND c.deleted = 0 ORDER BY l.n",
            (tenant, client),
        )
    )


def groups_of(db: sqlite3.Connection, tenant: str, client: str) -> list[tuple[str, str]]:
    """(uuid, name) of each group."""
    return [
        tuple(row)
        for row in db.execute(
            "SELECT g.uuid, g.name FROM xpm_member m JOIN xpm_group g ON g.tenant = m.tenant AND g.uuid = m.grp"
            " WHERE m.tenant = ? AND m.client = ? ORDER BY g.n",
            (tenant, client),
        )
    ]


def yes(flag: object) -> str:
    """XPM's booleans."""
    return "Yes" if flag else "No"


def named(tag: str, uuid: str, name: str) -> str:
    """A reference: identifier and name."""
    return f"<{tag}><UUID>{uuid}</UUID><Name>{escape(name)}</Name></{tag}>"


def listed(tag: str, entries: list[str]) -> str:
    """A list element, closed in itself when empty."""
    return f"<{tag}>{''.join(entries)}</{tag}>" if entries else f"<{tag} />"


def masked(number: str) -> str:
    """What a tax number looks like from outside: its last three characters."""
    return "*" * max(0, len(number) - 3) + number[-3:] if number else ""


def _plain(fields: Mapping[str, Any], names: tuple[tuple[str, bool], ...]) -> list[str]:
    parts = []
    for tag, omitted in names:
        text = fields.get(tag)
        if text:
            parts.append(f"<{tag}>{escape(text)}</{tag}>")
        elif not omitted:
            parts.append(f"<{tag}></{tag}>")
    return parts


def _tax(fields: Mapping[str, Any], region: str) -> str:
    """Nothing at all when nothing about tax was ever typed."""
    if not any(fields.get(name) for name in TAX_NAMES):
        return ""
    shown = {**dict.fromkeys(YES_NO, "No"), **{k: v for k, v in fields.items() if k in TAX_NAMES and v}}
    shown["TaxNumber"] = masked(shown.get("TaxNumber", ""))
    return "".join(_plain(shown, TAX + (TAX_AU if region == "AU" else TAX_NZ)))


def _client_type(kind: Mapping[str, str]) -> str:
    names = ("Name", "CostMarkup", "PaymentTerm", "PaymentDay")
    return "<Type>" + "".join(f"<{name}>{escape(kind.get(name, ''))}</{name}>" for name in names) + "</Type>"


def _note(note: Mapping[str, str]) -> str:
    names = ("Title", "Text", "Folder", "Date", "CreatedBy")
    return "<Note>" + "".join(f"<{name}>{escape(note.get(name, ''))}</{name}>" for name in names) + "</Note>"


def _relationships(db: sqlite3.Connection, tenant: str, client: str) -> str:
    rows = db.execute(
        "SELECT r.*, c.name AS related_name FROM xpm_relationship r JOIN xpm_client c ON c.tenant = r.tenant"
        " AND c.uuid = r.related WHERE r.tenant = ? AND r.client = ? ORDER BY r.rowid",
        (tenant, client),
    )
    return "".join(
        f"<Relationship><UUID>{row['uuid']}</UUID><Type>{escape(row['type'])}</Type>"
        + named("RelatedClient", row["related"], row["related_name"])
        + "".join(
            f"<{tag}>{escape(clean(row[column]))}</{tag}>"
            for tag, column in (
                ("NumberOfShares", "shares"),
                ("Percentage", "percentage"),
                ("StartDate", "starts"),
                ("EndDate", "ends"),
            )
            if row[column]
        )
        + "</Relationship>"
        for row in rows
    )
