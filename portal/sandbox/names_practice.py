"""The practices' own people and lists: staff, categories, templates, job states."""

from __future__ import annotations

import uuid
from typing import NamedTuple

NAMESPACE = uuid.UUID("3f1d3c1e-0d4b-4c59-8d53-0c8f6a1f7b20")


class Staff(NamedTuple):
    """Somebody who works at a practice."""

    uuid: str
    name: str
    email: str
    mobile: str


def stable_uuid(*words: object) -> str:
    """The same identifier for the same words, always."""
    return str(uuid.uuid5(NAMESPACE, "/".join(str(word) for word in words)))


def _staff(domain: str, names: tuple[str, ...]) -> tuple[Staff, ...]:
    return tuple(
        Staff(stable_uuid("staff", domain, name), name, f"{name.split()[0].lower()}@{domain}", f"021 555 {200 + n:04d}")
        for n, name in enumerate(names)
    )


STAFF = _staff(
    "marlow.example",
    (
        "Priya Sharma",
        "Jo Partner",
        "Sam Lee",
        "Mere Tamihana",
        "Daniel Marlow",
        "Sione Fonua",
        "Wei Zhang",
        "Ngaire Campbell",
        "Tom Okafor",
        "Ana Tuilagi",
        "Grace O'Connor",
        "Hemi Walker",
    ),
)
# Left the practice, are not in its staff list any more, and are still manager of some clients.
FORMER_STAFF = _staff("marlow.example", ("Colin Bridger", "Ruth Feldman", "Aditi Rao"))
OTHER_STAFF = _staff(
    "harbourstreet.example",
    (
        "Olivia Bennett",
        "Luca Romano",
        "Kiri Paewai",
        "James Whitlam",
        "Soo-jin Park",
    ),
)

BUSINESS_STRUCTURES = (
    "Company",
    "Trust",
    "Individual",
    "Partnership",
    "Sole Trader",
    "Incorporated Society",
    "Look-Through Company",
)
CATEGORIES = ("Annual Accounts", "GST", "Payroll", "Advisory", "Tax Return", "Company Secretarial")
TEMPLATES = (
    "Annual Accounts and Tax Return",
    "GST Return",
    "Individual Tax Return",
    "New Client Onboarding",
    "Monthly Management Accounts",
    "Trust Accounts",
    "Payroll Set-up",
)
TASKS = ("Preparation", "Review", "Client Query", "Filing", "Meeting")
# Name -> interface code, which is what a state change must send.
JOB_STATES = {
    "Planned": "PLANNED",
    "In Progress": "PROGRESS",
    "Waiting on Client": "WAITING",
    "Review": "REVIEW",
    "Completed": "COMPLETED",
}
