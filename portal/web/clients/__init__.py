"""The Clients screen: the list and what is done to many, one client's page, its edit form, CSV in and out.

One blueprint, `screen`; each file beside this one adds its routes to it when it is imported.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from flask import Blueprint

screen = Blueprint("clients", __name__, url_prefix="/clients")

for _name in (
    "listing",
    "bulk",
    "page",
    "edit",
    "contacts",
    "email",
    "mappings",
    "creations",
    "side_by_side",
    "csv_import",
    "app_import",
    "invoices",
    "billing",
    "billing_edit",
    "invoicing",
):
    if find_spec(f"{__name__}.{_name}") is not None:
        import_module(f"{__name__}.{_name}")
