"""Apps that are nobody's: what screens and rules do for an app must follow from what it says of itself alone.

`make_app()` is a ledger as they come: nothing comes in by itself, changes are sent there, addresses and people travel
when two are linked only. Needs an app context; tests/web/conftest.py takes it away again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from portal import integrations
from portal.adapters.base import Allowance, AppInfo, Flow, Intake, Moment
from portal.db import db
from portal.domain.apps import UnlinkedRecord, ways
from portal.domain.records import ClientRecord
from portal.domain.text import near_key, sort_key
from tests.cast import now

LEDGER = AppInfo(
    slug="ledger", name="Harbour Ledger", short_name="Ledger", vendor="harbour", account_word="company file",
    account_kinds=("COMPANY",), scopes=("all",),
    client_fields={
        "name": Flow.TWO_WAY, "address": Flow.AT_LINK, "postal_address": Flow.AT_LINK, "phone": Flow.AT_LINK,
    },
    contact_fields={"name": Flow.AT_LINK, "email": Flow.AT_LINK, "phone": Flow.AT_LINK},
    allowance=Allowance(per_day=None),
    tips=("Make clients here first, and let this portal be the one place they are made.",),
    limits_said=("Whether merged clients keep their id needs a live check.", "It sends no mail."),
    intakes=(Intake.CHOSEN, Intake.ALL), directions=("to_app",), levels=("name", "nothing"),
    new_clients=(Moment.AT_ONCE, Moment.FIRST_INVOICE), sync_every=timedelta(hours=1),
)  # fmt: skip


def make_app(**changes: Any) -> AppInfo:
    """Have another app on offer, beside those there are."""
    info = replace(LEDGER, **changes)
    integrations.APPS[info.slug] = SimpleNamespace(info=info)  # type: ignore[assignment]  # screens ask for no more
    ways.register(integrations._ways(SimpleNamespace(info=info)))  # type: ignore[arg-type]  # all it looks at
    return info


def forget_app(slug: str) -> None:
    integrations.APPS.pop(slug, None)
    ways._WAYS.pop(slug, None)


def make_unlinked(connection: Any, *records: ClientRecord, verdict: str = "create") -> None:
    """Records the last sync met and nobody here is linked to."""
    for record in records:
        db.session.add(
            UnlinkedRecord(
                connection_id=connection.id, remote_id=record.remote_id, name=record.name,
                name_key=sort_key(record.name), near_key=near_key(record.name), state=record.state.value,
                kind=record.kind, record=record.as_json(), seen_at=now(), verdict=verdict,
            )
        )  # fmt: skip
    db.session.flush()
