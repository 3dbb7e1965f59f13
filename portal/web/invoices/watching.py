"""How an open page of an invoice keeps up: it asks by itself, and is sent only what a reload would show otherwise.

Its address carries a mark of each part of the page. A form is marked by what it is about, not by how it looks, so that
it stays under the hands of whoever fills it in until it can no longer be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from flask import Response, make_response, render_template, request

STANDING = "invoices/standing.html"  # the part that looks again; the others are replaced beside it
# Element -> what stands in it.
PARTS = {
    "heading": "invoices/heading.html",
    "asking": "invoices/asking.html",
    "paid-so-far": "invoices/payments.html",
    "sent": "invoices/mails.html",
    "settling": "invoices/settling.html",
    "left-to-pay": "invoices/left.html",
    "ending": "invoices/ending.html",
}
HOLDS = {"left-to-pay": "settling"}  # part -> the part it stands in
APART = [name for name in PARTS if name not in HOLDS]
SOON, LATER, SELDOM = "2s", "10s", "60s"  # while something moves; while it is unpaid; while it can only be taken back
TOKEN = re.compile(r'name="csrf_token" value="[^"]*"')
AGAIN = re.compile(r'\?seen=[^"]*')
AGES = re.compile(r"(<time [^>]*>)[^<]*")  # they go on by themselves


def pace(*, is_moving: bool, is_open: bool, is_over: bool) -> str:
    """How often the page looks again; empty: nothing can change any more."""
    if is_over:
        return ""
    return SOON if is_moving else LATER if is_open else SELDOM


def marks(values: Mapping[str, Any]) -> dict[str, str]:
    """A short mark of each part as a reload would show it."""
    found = {name: render_template(path, **values) for name, path in PARTS.items()}
    invoice = values["invoice"]
    found["settling"] = repr(
        (values["may_pay"], invoice.paid_how, values["stands_there"], "write_to_ledger" in values["paid_form"])
    )
    found["ending"] = repr((values["may_void"], invoice.number, values["ledger"]))
    found["live"] = values["poll"] + render_template(STANDING, **values)
    return {name: _mark(text) for name, text in found.items()}


def seen(found: Mapping[str, str]) -> str:
    """As the address carries them."""
    return ".".join(found.values())


def stale(found: Mapping[str, str]) -> list[str] | None:
    """Parts of the page that asks which are no longer what a reload would show. None: nothing is otherwise."""
    asked = request.args.get("seen", "").split(".")
    if asked == list(found.values()):
        return None
    asked += [""] * (len(found) - len(asked))
    other = [name for name, was in zip(found, asked, strict=False) if name != "live" and found[name] != was]
    return [name for name in other if HOLDS.get(name) not in other]


def nothing_new() -> Response:
    """The page stays as it is, and asks again."""
    response = make_response("", 204)
    response.headers["Cache-Control"] = "no-store"
    return response


def _mark(text: str) -> str:
    told = AGES.sub(r"\1", AGAIN.sub("", TOKEN.sub("", text)))
    return blake2b(told.encode(), digest_size=4).hexdigest()
