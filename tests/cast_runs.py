"""Runs, their rows and findings, for the Apps and Matches screens. Needs an app context, as `tests.cast` does."""

from __future__ import annotations

from typing import Any

from portal.db import db
from portal.domain.apps import (
    Connection,
    Finding,
    Outcome,
    RunItem,
    RunKind,
    RunState,
    RunTrigger,
    SyncRun,
    TokenSet,
    VendorCredentials,
)
from portal.domain.clients import Client
from portal.domain.records import Address, ClientRecord, ContactRecord
from tests.cast import make_connection, now


def make_run(connection: Connection | None = None, **details: Any) -> SyncRun:
    """A finished sync unless `details` say otherwise."""
    connection = connection or make_connection()
    details = {
        "kind": RunKind.SYNC, "trigger": RunTrigger.PERSON, "state": RunState.DONE, "asked_at": now(), "counts": {},
    } | details  # fmt: skip
    if details["state"] != RunState.QUEUED:
        details.setdefault("started_at", now())
    if details["state"] not in (RunState.QUEUED, RunState.RUNNING):
        details.setdefault("ended_at", now())
    run = SyncRun(connection_id=connection.id, **details)
    db.session.add(run)
    db.session.flush()
    return run


def make_preview(connection: Connection | None = None, **details: Any) -> SyncRun:
    return make_run(connection, **{"kind": RunKind.PREVIEW} | details)


def make_item(run: SyncRun, name: str, outcome: Outcome = Outcome.UPDATED, **details: Any) -> RunItem:
    item = RunItem(run_id=run.id, outcome=outcome, name=name, **details)
    db.session.add(item)
    db.session.flush()
    return item


def plan_field(key: str = "phone", action: str = "pull", **details: Any) -> dict[str, Any]:
    """One field of a plan, as the engine writes it."""
    return {
        "field": key.rpartition(".")[2], "label": key.rpartition(".")[2].title(), "contact": None, "key": key,
        "agreed": "09 555 0101", "here": "09 555 0101", "there": "09 555 0199", "action": action,
        "why": "changed in XPM",
    } | details  # fmt: skip


def make_record(name: str = "Acme Corp", remote_id: str = "r-1", **details: Any) -> ClientRecord:
    details = {
        "address": Address("4 Kauri St", "Auckland", "", "1010", "NZ"), "phone": "09 555 0101",
        "contacts": (ContactRecord("c-1", "Aroha Ngata", "aroha@ngata.example"),),
    } | details  # fmt: skip
    return ClientRecord(remote_id, name, **details)


def make_finding(
    connection: Connection,
    record: ClientRecord,
    kind: str = "near_match",
    candidates: tuple[Client, ...] = (),
    **details: Any,
) -> Finding:
    reasons = {
        "near_match": "the names differ only in capital letters",
        "ambiguous": "2 clients here have exactly this name",
        "taken": f"{record.name} here is already linked to another record in XPM",
        "left_out": "left out by Alice Ngata",
    }
    details = {
        "reason": reasons[kind], "first_seen": now(), "last_seen": now(), "times": 1,
        "state": "left_out" if kind == "left_out" else "open",
        "client_id": candidates[0].id if candidates else None,
        "client_name": candidates[0].name if candidates else "",
    } | details  # fmt: skip
    finding = Finding(
        connection_id=connection.id,
        kind=kind,
        remote_id=record.remote_id,
        remote_name=record.name,
        record=record.as_json(),
        candidates=[{"client_id": one.id, "name": one.name, "holds": None} for one in candidates],
        **details,
    )
    db.session.add(finding)
    db.session.flush()
    return finding


def make_tokens(**details: Any) -> TokenSet:
    details = {"vendor": "xero", "client_id": "id", "access_token": "a", "refresh_token": "r"} | details
    tokens = TokenSet(changed_at=now(), **details)
    db.session.add(tokens)
    db.session.flush()
    return tokens


def make_credentials(vendor: str = "xero") -> VendorCredentials:
    kept = VendorCredentials(vendor=vendor, client_id="portal-1", client_secret="s3cret-of-the-firm", changed_at=now())
    db.session.add(kept)
    db.session.flush()
    return kept
