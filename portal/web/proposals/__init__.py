"""The Proposals screen: the list, one proposal with its lines, putting it out, accepting it for a client.

One blueprint, `screen`; each file beside this one adds its routes to it when it is imported.
"""

from __future__ import annotations

from importlib import import_module

from flask import Blueprint

screen = Blueprint("proposals", __name__, url_prefix="/proposals")

for _name in ("listing", "sending", "page", "drafts", "lines", "jobs", "deployed", "acts"):
    import_module(f"{__name__}.{_name}")
