"""The Library screen: what the firm sells and the tax rates it charges.

One blueprint, `screen`; each file beside this one adds its routes to it when it is imported.
"""

from __future__ import annotations

from importlib import import_module

from flask import Blueprint

screen = Blueprint("library", __name__, url_prefix="/library")

for _name in ("entries", "taxes", "csv_file"):
    import_module(f"{__name__}.{_name}")
