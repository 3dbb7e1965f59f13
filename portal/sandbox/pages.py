"""The page for a person: what each vendor holds, faults to try, what was called lately."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from portal.sandbox import garbage
from portal.sandbox.context import Refused, here
from portal.sandbox.control import add_rule, counts_of, start_over
from portal.sandbox.faults import ACTIONS

blueprint = Blueprint("pages", __name__)
# What the form offers: label -> the rule's action.
READY_FAULTS: dict[str, dict[str, Any]] = {
    "Slow answers (3 seconds)": {"kind": "latency", "seconds": 3},
    "Server error 500": {"kind": "status", "status": 500},
    "Down for maintenance 503": {"kind": "status", "status": 503, "body": "The service is temporarily unavailable"},
    "Too many calls, retry after 5 s": {"kind": "rate_limited", "retry_after": "5"},
    "Connection cut before anything happens": {"kind": "drop"},
    "Does it, then cuts the connection": {"kind": "accept_then_drop"},
    "Does it, then answers 500": {"kind": "accept_then_status", "status": 500},
    "Access token expired": {"kind": "token_expired"},
    "Customer revoked access": {"kind": "revoked"},
    "Lists suddenly empty": {"kind": "empty_list"},
    "Business error in a 200": {"kind": "business_error", "message": "The sandbox was told to refuse this"},
    **{f"Garbage: {kind.replace('_', ' ')}": {"kind": "garbage", "garbage": kind} for kind in garbage.KINDS},
}


@blueprint.get("/")
def home() -> str:
    """Everything at a glance."""
    box = here()
    return render_template(
        "home.html",
        box=box,
        clock=box.clock.describe(),
        faults=box.faults.list(),
        ready=READY_FAULTS,
        actions=ACTIONS,
        tenants=[
            (tenant, box.vendor(tenant.vendor), counts_of(box, tenant.vendor, tenant.id)) for tenant in box.tenants
        ],
        calls=[(call, datetime.fromtimestamp(call.time, UTC)) for call in reversed(box.calls.find()[-25:])],
    )


@blueprint.post("/load")
def load() -> BaseResponse:
    """Replace one account's data."""
    box = here()
    tenant = box.tenant(request.form.get("tenant"))
    vendor = box.vendor(tenant.vendor)
    clients = request.form.get("clients", type=int)
    if vendor.load is None or clients is None or not 0 <= clients <= 200_000:
        raise Refused("Choose an account and a number of clients up to 200,000.")
    vendor.load(box, tenant, clients, request.form.get("seed", 7, int))
    return _home()


@blueprint.post("/faults")
def add_fault() -> BaseResponse:
    """One of the ready-made faults."""
    form = request.form
    action = READY_FAULTS.get(form.get("fault", ""))
    if action is None:
        raise Refused("Choose a fault.")
    match: dict[str, Any] = {"vendor": form.get("vendor") or None, "path": form.get("path", "").strip() or None}
    times = form.get("times", type=int)
    add_rule(here(), {**match, **({"times": times} if times else {}), "action": action})
    return _home()


@blueprint.post("/faults/clear")
def clear_faults() -> BaseResponse:
    """All, or one."""
    here().faults.clear(request.form.get("rule", type=int))
    return _home()


@blueprint.post("/calls/clear")
def clear_calls() -> BaseResponse:
    """Start counting anew."""
    here().calls.clear()
    return _home()


@blueprint.post("/reset")
def reset() -> BaseResponse:
    """As on the first start."""
    box = here()
    began = box.store.setting("demo", {"clients": 1200, "seed": 7})
    start_over(box, began["clients"], began["seed"], forget_listeners=False)  # the portal beside it still listens
    return _home()


def _home() -> BaseResponse:
    return redirect(url_for("pages.home"), 303)
