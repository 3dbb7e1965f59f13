"""The one firm of this portal: set up once, changed in the settings, and the proof that the keys fit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from portal.db import db
from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.people.models import Firm

KEY_CHECK = "the keys fit"
FIRM_FIELDS = {
    "name": "Firm name",
    "email": "Email",
    "country": "Country",
    "time_zone": "Time zone",
    "currency": "Currency",
    "locale": "Language and formats",
}


_THE_FIRM = select(Firm).order_by(Firm.id).limit(1)


class FirmInShort(NamedTuple):
    """What every page needs of the firm."""

    name: str
    time_zone: str
    locale: str
    currency: str


class StaleSettings(Exception):
    """Somebody else saved the firm's settings since this form was opened."""


def the_firm() -> Firm | None:
    """None until the portal has been set up."""
    return db.session.scalar(_THE_FIRM)


def found_firm(name: str, *, now: datetime, **details: str) -> Firm:
    """Set the portal up for a firm. Raises ValueError when there is one already."""
    if the_firm() is not None:
        raise ValueError("this portal already serves a firm")
    firm = Firm(name=name, created_at=now, key_check=KEY_CHECK, **details)
    db.session.add(firm)
    db.session.flush()
    return firm


def change_firm(firm: Firm, wanted: Mapping[str, str], *, version: int, by: Actor, now: datetime) -> list[str]:
    """Save the settings; gives the names of what changed. Raises `StaleSettings` when `version` is an older one."""
    if version != firm.version:
        raise StaleSettings
    changes = [
        {"field": field, "label": FIRM_FIELDS[field], "old": getattr(firm, field), "new": value}
        for field, value in wanted.items()
        if getattr(firm, field) != value
    ]
    if not changes:
        return []
    for change in changes:
        setattr(firm, change["field"], change["new"])
    firm.version += 1
    what = activity.field_names(changes)
    activity.record(Verb.FIRM_CHANGED, by=by, now=now, changes=changes, what=what)
    return [change["label"] for change in changes]
