"""The Invoices screen: the list, one invoice with its log that grows by itself, and what can be done with it.

One blueprint, `screen`; each file beside this one adds its routes to it when it is imported.
"""

from __future__ import annotations

from importlib import import_module

from flask import Blueprint

screen = Blueprint("invoices", __name__, url_prefix="/invoices")

for _name in ("listing", "sending", "page", "log", "acts", "bulk"):
    import_module(f"{__name__}.{_name}")
