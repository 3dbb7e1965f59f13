"""A ledger's short lists as last read, and what of ours is mapped to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select, update

from portal.db import db
from portal.domain import activity, connections
from portal.domain.activity import Actor, Verb
from portal.domain.apps import Connection
from portal.domain.ledgers.choosing import settings_of, settings_to_change
from portal.domain.ledgers.models import LedgerEntry, LedgerSettings, ServiceTarget, TaxMapping
from portal.domain.library import Service, TaxRate
from portal.domain.records import LedgerLists

SETTINGS = {
    "creates": "Create invoices for new clients",
    "default_target": "Where a service without its own target goes",
    "as_drafts": "Create as drafts",
    "show_descriptions": "Show service descriptions",
    "branding_manual": "Branding of invoices paid by hand",
    "branding_automatic": "Branding of invoices paid by themselves",
    "term": "Terms",
    "due_days": "Days to pay, one-off invoices",
    "due_days_recurring": "Days to pay, recurring invoices",
    "pay_into": "Account payments go to",
    "writes_payments": "Record payments there",
    "sets_name": "Keep the name there",
}


class NotInTheList(Exception):
    """What was chosen is not (any more) in the ledger's list, or cannot be used; the text says so."""


class StaleLedgerSettings(Exception):
    """Somebody else saved these settings since the form was opened."""


def keep(connection: Connection, told: LedgerLists, *, now: datetime) -> dict[str, int]:
    """Store what the ledger tells; entries it no longer has stay, switched off. Gives how many are new, changed and
    gone; empty when all is as it was."""
    settings = settings_to_change(connection)
    there = {(one.kind, one.remote_id): one for one in all_entries(connection)}
    counts: Counter[str] = Counter()
    for entry in told.entries:
        row = there.pop((entry.kind.value, entry.remote_id), None)
        is_new = row is None
        if row is None:
            row = LedgerEntry(connection_id=connection.id, kind=entry.kind.value, remote_id=entry.remote_id)
            db.session.add(row)
        values = {
            "name": entry.name, "code": entry.code, "percent": entry.percent, "is_active": entry.is_active,
            "fits": entry.fits, "why_not": entry.why_not, "facts": dict(entry.facts),
        }  # fmt: skip
        different = {key: value for key, value in values.items() if getattr(row, key) != value}
        for key, value in different.items():
            setattr(row, key, value)
        counts["new" if is_new else "changed"] += bool(different)
    for gone in there.values():
        counts["gone"] += gone.is_active
        gone.is_active = False
        gone.why_not = gone.why_not or "it is no longer there"
    settings.lists_read_at, settings.lists_error = now, ""
    settings.currency, settings.locked_until = told.currency, told.locked_until
    return {what: many for what, many in counts.items() if many}


def note_failure(connection: Connection, reason: str) -> None:
    """The lists could not be read; what was read last still holds."""
    settings_to_change(connection).lists_error = reason[:500]


def all_entries(connection: Connection) -> list[LedgerEntry]:
    query = select(LedgerEntry).where(LedgerEntry.connection_id == connection.id)
    return list(db.session.scalars(query.order_by(LedgerEntry.kind, LedgerEntry.code, LedgerEntry.name)))


def entries(connection: Connection, kind: str, *, usable: bool = True) -> list[LedgerEntry]:
    """One list, by code and name; only what can stand on an invoice unless `usable` is False."""
    found = [one for one in all_entries(connection) if one.kind == kind]
    return [one for one in found if one.is_active and one.fits] if usable else found


def tax_mappings(connection: Connection) -> dict[int, str]:
    """Tax rate here -> id there."""
    query = select(TaxMapping.tax_rate_id, TaxMapping.remote_id).where(TaxMapping.connection_id == connection.id)
    return {row.tax_rate_id: row.remote_id for row in db.session.execute(query)}


def targets(connection: Connection) -> dict[int, str]:
    """Service here -> the account or item of its own."""
    row = ServiceTarget
    query = select(row.service_id, row.remote_id).where(row.connection_id == connection.id)
    return {one.service_id: one.remote_id for one in db.session.execute(query)}


def suggestion(rate: TaxRate, choices: list[LedgerEntry]) -> LedgerEntry | None:
    """The one entry of the same percentage, or of the same percentage and name; None where it is not clear."""
    same = [one for one in choices if one.percent == rate.percent]
    named = [one for one in same if one.name.strip().lower() == rate.name.strip().lower()]
    for found in (named, same):
        if len(found) == 1:
            return found[0]
    return None


def map_tax(connection: Connection, rate: TaxRate, remote_id: str, *, by: Actor, now: datetime) -> bool:
    """This rate is that one there; empty: nothing. Raises `NotInTheList`. Says whether anything changed."""
    kept = db.session.get(TaxMapping, (connection.id, rate.id))
    if (kept.remote_id if kept else "") == remote_id:
        return False
    entry = _entry(connection, "tax", remote_id)
    if entry is not None and entry.percent is not None and entry.percent != rate.percent:
        raise NotInTheList(f"{entry.name} is {_plain(entry.percent)} % and {rate.name} is {_plain(rate.percent)} %.")
    if not remote_id:
        db.session.delete(kept)
    elif kept is None:
        db.session.add(TaxMapping(connection_id=connection.id, tax_rate_id=rate.id, remote_id=remote_id))
    else:
        kept.remote_id = remote_id
    _mapped(connection, f"Tax rate {rate.name}", entry, by, now)
    return True


def set_target(connection: Connection, service: Service, remote_id: str, *, by: Actor, now: datetime) -> bool:
    """Lines of this service go to that account or item; empty: to the default. Raises `NotInTheList`."""
    kept = db.session.get(ServiceTarget, (connection.id, service.id))
    if (kept.remote_id if kept else "") == remote_id:
        return False
    ledger = connection.ways.ledger
    entry = _entry(connection, ledger.target if ledger else "account", remote_id)
    if not remote_id:
        db.session.execute(
            delete(ServiceTarget).where(
                ServiceTarget.connection_id == connection.id, ServiceTarget.service_id == service.id
            )
        )
    elif kept is None:
        db.session.add(ServiceTarget(connection_id=connection.id, service_id=service.id, remote_id=remote_id))
    else:
        kept.remote_id = remote_id
    _mapped(connection, service.name, entry, by, now)
    return True


def change_settings(
    connection: Connection, wanted: Mapping[str, object], *, version: int, by: Actor, now: datetime
) -> list[str]:
    """Save invoice settings; gives the names of what changed. Raises `StaleLedgerSettings`, `NotInTheList`."""
    settings = settings_to_change(connection)
    if version != settings.version:
        raise StaleLedgerSettings
    _check_choices(connection, wanted)
    changes = []
    for key, value in wanted.items():
        if key in SETTINGS and getattr(settings, key) != value:
            changes.append({"field": key, "label": SETTINGS[key], "old": getattr(settings, key), "new": value})
            setattr(settings, key, value)
    if not changes:
        return []
    if any(change["field"] == "creates" for change in changes):
        settings.creates_since = [*settings.creates_since, [now.isoformat(), settings.creates]]
    settings.version += 1
    activity.record(
        Verb.LEDGER_SETTINGS_CHANGED, by=by, now=now, connection_id=connection.id, changes=changes,
        app=connections.label(connection), what=activity.field_names(changes),
    )  # fmt: skip
    return [str(change["label"]) for change in changes]


def readiness(connection: Connection) -> list[str]:
    """What is still missing before an invoice can go there, in words (AP-04); empty: nothing."""
    ledger, settings = connection.ways.ledger, settings_of(connection)
    if ledger is None:
        return []
    if settings.lists_read_at is None:
        app = connections.label(connection)
        return [f"The lists of {app} have not been read yet. That takes a minute; look again, or read them anew."]
    missing = []
    used = {one.kind + one.remote_id for one in all_entries(connection) if one.is_active and one.fits}
    if ledger.target + settings.default_target not in used:
        missing.append(f"Choose the {ledger.target_word} for services without their own.")
    mapped = tax_mappings(connection)
    rates = db.session.scalars(select(TaxRate).where(TaxRate.retired_at.is_(None)).order_by(TaxRate.name))
    if "tax" in ledger.lists:
        missing += [
            f"Map the tax rate {rate.name}." for rate in rates if "tax" + mapped.get(rate.id, "?") not in used
        ]  # fmt: skip
    if ledger.pay_into_needed and settings.writes_payments and "pay_into" + settings.pay_into not in used:
        missing.append("Choose the account payments go to.")
    return missing


def wake_readers(connection: Connection) -> None:
    """Have the lists read at the next opportunity."""
    db.session.execute(
        update(LedgerSettings).where(LedgerSettings.connection_id == connection.id).values(lists_read_at=None)
    )


def _check_choices(connection: Connection, wanted: Mapping[str, object]) -> None:
    ledger = connection.ways.ledger
    kinds = {"default_target": ledger.target if ledger else "", "branding_manual": "branding",
             "branding_automatic": "branding", "term": "term", "pay_into": "pay_into"}  # fmt: skip
    for key, kind in kinds.items():
        if wanted.get(key) and getattr(settings_of(connection), key) != wanted[key]:
            _entry(connection, kind, str(wanted[key]))


def _entry(connection: Connection, kind: str, remote_id: str) -> LedgerEntry | None:
    """None for nothing chosen. Raises `NotInTheList`."""
    if not remote_id:
        return None
    found = db.session.scalar(
        select(LedgerEntry).where(
            LedgerEntry.connection_id == connection.id, LedgerEntry.kind == kind, LedgerEntry.remote_id == remote_id
        )
    )
    if found is None:
        raise NotInTheList(f"What you chose is no longer in {connections.label(connection)}. Read its lists anew.")
    if not (found.is_active and found.fits):
        raise NotInTheList(f"{found.name} cannot be used: {found.why_not or 'it is switched off there'}.")
    return found


def _mapped(connection: Connection, what: str, entry: LedgerEntry | None, by: Actor, now: datetime) -> None:
    activity.record(
        Verb.LEDGER_MAPPED, by=by, now=now, connection_id=connection.id, what=what,
        entry=entry.name if entry else "nothing", app=connections.label(connection),
    )  # fmt: skip


def _plain(percent: object) -> str:
    return f"{percent:f}".rstrip("0").rstrip(".") if "." in f"{percent:f}" else f"{percent:f}"
