"""The fields two systems can share, and how each value reads. PURE.

A field's value here is always one of: text, bool or None, `Address`, or for people and groups their names.
"""

from __future__ import annotations

CLIENT_FIELDS: dict[str, str] = {
    "name": "Client name",
    "address": "Address",
    "postal_address": "Postal address",
    "phone": "Phone",
    "fax": "Fax",
    "website": "Website",
    "tax_registered": "Tax registration",
    "structure": "Company structure",
    "partner": "Partner",
    "manager": "Manager",
    "groups": "Groups",
}

CONTACT_FIELDS: dict[str, str] = {
    "name": "Contact name",
    "email": "Email",
    "phone": "Phone",
    "mobile": "Mobile",
    "salutation": "Salutation",
    "addressee": "Addressee",
    "is_default": "Default contact",
}
