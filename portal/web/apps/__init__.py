"""The Apps screen: tiles, connecting an account, its panel, runs and previews, its settings.

One blueprint, `screen`; each file beside this one adds its routes to it when it is imported. Nothing here names a
vendor: what an app is called and can do comes from its `AppInfo`.
"""

from __future__ import annotations

from importlib import import_module

from flask import Blueprint

screen = Blueprint("apps", __name__, url_prefix="/apps")

for _name in ("tiles", "connect", "panel", "runs", "preview", "imports", "settings", "ledger", "readings"):
    import_module(f"{__name__}.{_name}")
