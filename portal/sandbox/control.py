"""The sandbox's own controls, as JSON: load, reset, faults, calls, clock, switches, limits. Vendors add their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from portal.sandbox import calls, garbage, webhooks
from portal.sandbox.context import Refused, Sandbox, here
from portal.sandbox.faults import ACTIONS, MATCHERS, BadRule
from portal.sandbox.limits import DEFAULTS

blueprint = Blueprint("control", __name__, url_prefix="/control")


@blueprint.get("/healthz")
def health() -> Response:
    """Whether it serves."""
    return jsonify(status="ok", vendors=[vendor.key for vendor in here().vendors])


@blueprint.get("/tenants")
def tenants() -> Response:
    """Every account, with what it holds."""
    box = here()
    return jsonify(
        [
            {"id": t.id, "name": t.name, "kind": t.kind, "vendor": t.vendor, "counts": counts_of(box, t.vendor, t.id)}
            for t in box.tenants
        ]
    )


@blueprint.post("/load")
def load() -> Response:
    """Replace an account's data with `clients` made from `seed`."""
    box, values = here(), body()
    vendor = box.vendor(str(values.get("vendor", "xpm")))
    if vendor.load is None:
        raise Refused(f"{vendor.title} has nothing to load.")
    tenant = box.tenant(values.get("tenant"), vendor.key)
    return jsonify(vendor.load(box, tenant, int(values.get("clients", 1200)), int(values.get("seed", 7))))


@blueprint.post("/reset")
def reset() -> Response:
    """Everything as on the first start, with the same number of clients unless told otherwise."""
    box, values = here(), body(optional=True)
    began = box.store.setting("demo", {"clients": 1200, "seed": 7})
    start_over(box, int(values.get("clients", began["clients"])), int(values.get("seed", began["seed"])))
    return jsonify(status="ok")


@blueprint.get("/faults")
def list_faults() -> Response:
    """Rules in force, and what could be asked for."""
    return jsonify(rules=here().faults.list(), actions=ACTIONS, garbage=garbage.KINDS)


@blueprint.post("/faults")
def add_fault() -> tuple[Response, int]:
    """Matchers beside `action`, or an action's fields with `kind` all in one object."""
    return jsonify(add_rule(here(), body())), 201


@blueprint.delete("/faults")
@blueprint.delete("/faults/<int:rule>")
def clear_faults(rule: int | None = None) -> Response:
    """Take away one rule, or all."""
    return jsonify(removed=here().faults.clear(rule))


@blueprint.get("/calls")
def list_calls() -> Response:
    """Recorded calls in order; `since` in seconds or as a date-time, `path` a regular expression."""
    args = request.args
    found = here().calls.find(
        args.get("vendor"), args.get("path"), _moment(args.get("since")), args.get("after_id", type=int)
    )
    limit = args.get("limit", type=int)
    return jsonify([calls.as_json(call) for call in (found[-limit:] if limit else found)])


@blueprint.delete("/calls")
def forget_calls() -> Response:
    """Start counting anew."""
    here().calls.clear()
    return jsonify(status="ok")


@blueprint.get("/calls/summary")
def call_summary() -> Response:
    """Counts by vendor, method and kind of path."""
    return jsonify(here().calls.summary())


@blueprint.get("/clock")
def see_clock() -> Response:
    """The vendors' time."""
    return jsonify(here().clock.describe())


@blueprint.post("/clock")
def move_clock() -> Response:
    """`advance_seconds`, `set` (ISO 8601, with `freeze`), `freeze` alone, `skew_seconds`, or `reset`."""
    clock, values = here().clock, body()
    if values.get("reset"):
        clock.reset()
    if "set" in values:
        clock.set(_date(values["set"]), freeze=bool(values.get("freeze")))
    elif "freeze" in values:
        clock.freeze(bool(values["freeze"]))
    if "advance_seconds" in values:
        clock.advance(float(values["advance_seconds"]))
    if "skew_seconds" in values:
        clock.skew(float(values["skew_seconds"]))
    return jsonify(clock.describe())


@blueprint.get("/state")
def see_state() -> Response:
    """Switches, with what each decides."""
    box = here()
    about = {name: switch.about for name, switch in box.switches.declared.items()}
    return jsonify(switches=box.switches.all(), about=about)


@blueprint.post("/state")
def change_state() -> Response:
    """Set switches by name."""
    here().switches.change(body())
    return jsonify(switches=here().switches.all())


@blueprint.get("/limits")
def see_limits() -> Response:
    """Allowances and use."""
    return jsonify(here().limits.describe())


@blueprint.post("/limits")
def change_limits() -> Response:
    """`concurrent`, `second`, `minute`, `batch_minute`, `day`, `app_minute`, for one `tenant` or all.

    `reset` or `clear_usage` first.
    """
    box, values = here(), body()
    if values.pop("reset", False):
        box.limits.reset()
    if values.pop("clear_usage", False):
        box.limits.clear_usage()
    wanted = values.pop("tenant", None)
    unknown = set(values) - set(DEFAULTS)
    if unknown:
        raise Refused(f"There is no limit named {', '.join(sorted(unknown))}.")
    if values:
        box.limits.change(box.tenant(wanted).id if wanted else None, {key: int(v) for key, v in values.items()})
    return jsonify(box.limits.describe())


@blueprint.get("/<vendor>/webhooks")
def see_webhooks(vendor: str) -> Response:
    """Where they go, and what was said so far."""
    found = webhooks.sender(here(), vendor)
    return jsonify(**vars(found.settings), deliveries=[one.as_json() for one in list(found.made)])


@blueprint.post("/<vendor>/webhooks")
def set_webhooks(vendor: str) -> Response:
    """`url` and `secret`; `copies`, `order`, `one_by_one`, `hold`, `retry_after`. An empty `url` ends them."""
    found = webhooks.sender(here(), vendor)
    found.change(body())
    return jsonify(**vars(found.settings))


@blueprint.post("/<vendor>/webhooks/<any(release, again, post, wait):what>")
def act_on_webhooks(vendor: str, what: str) -> Response:
    """Let go what is held back (`order`); send the last `count` again; `post` a `body` signed with `secret` at once;
    `wait` so many `seconds` until all is said."""
    found, values = webhooks.sender(here(), vendor), body(optional=True)
    if what == "release":
        return jsonify(events=found.release(str(values.get("order", ""))))
    if what == "again":
        return jsonify(deliveries=found.again(int(values.get("count", 1))))
    if what == "post":
        text = str(values.get("body", ""))
        return jsonify(status=found.post(text.encode(), str(values.get("secret", found.settings.secret))))
    return jsonify(said=found.wait(float(values.get("seconds", 10))))


@blueprint.get("/trap")
def trap() -> Response:
    """The address hidden in hostile documents: whoever fetches it is noted as a call of vendor `trap`."""
    box = here()
    box.calls.begin(
        time=box.clock.seconds(),
        vendor="trap",
        tenant=None,
        method="GET",
        path="/control/trap",
        query="",
        idempotency_key=None,
        status=200,
    )
    return Response("caught", content_type="text/plain")


def add_rule(box: Sandbox, values: dict[str, Any]) -> dict[str, Any]:
    """Make a rule from what was sent; raises Refused."""
    match = {key: value for key, value in values.items() if key in MATCHERS}
    action = values.get("action") or {key: value for key, value in values.items() if key not in MATCHERS}
    if action.get("kind") == "garbage" and action.get("garbage") not in garbage.KINDS:
        raise Refused(f"garbage is one of {', '.join(garbage.KINDS)}.")
    try:
        return box.faults.add(match, action).describe()
    except BadRule as reason:
        raise Refused(str(reason)) from reason


def start_over(box: Sandbox, clients: int, seed: int, *, forget_listeners: bool = True) -> None:
    """As on the first start. `forget_listeners`: nobody listens to webhooks any more."""
    box.faults.clear()
    box.calls.clear()
    box.clock.reset()
    box.switches.reset()
    box.limits.reset()
    box.mailbox.clear()
    webhooks.quiet(box, forget=forget_listeners)
    for vendor in box.vendors:
        if vendor.wipe:
            vendor.wipe(box)
        if vendor.demo:
            vendor.demo(box, clients, seed)
    box.store.keep_setting("demo", {"clients": clients, "seed": seed})


def counts_of(box: Sandbox, vendor_key: str, tenant_id: str) -> dict[str, int]:
    """What an account holds; empty when its vendor does not count."""
    vendor = box.vendor(vendor_key)
    return vendor.counts(box, box.tenant(tenant_id)) if vendor.counts else {}


def body(*, optional: bool = False) -> dict[str, Any]:
    """The JSON object that was sent."""
    found = request.get_json(silent=True, force=True) if request.content_length else None
    if isinstance(found, dict):
        return found
    if optional and not request.content_length:
        return {}
    raise Refused("Send a JSON object.")


def _date(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError as reason:
        raise Refused(f"{text!r} is not a date-time.") from reason


def _moment(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return _date(text).timestamp()
