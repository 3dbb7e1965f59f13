"""Many invoices marked as paid or voided at once: first what that would come to, one by one; then what it came to."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Response, request, url_for

from portal.db import db
from portal.domain import deliveries, invoices
from portal.domain.invoices import bulk
from portal.domain.invoices.bulk import Foreseen, Outcome
from portal.domain.people import May
from portal.web import formats
from portal.web.guard import actor, needs
from portal.web.invoices import screen
from portal.web.invoices.acts import GRACE
from portal.web.invoices.forms import PaidForm, VoidForm
from portal.web.invoices.lookups import now, today
from portal.web.render import done, refused, render

AT_ONCE = 500  # invoices one act takes
UNDOABLE = 100  # so many are named in the address that takes them back
SAID = 5  # refusals told one by one


@screen.post("/bulk")
@needs(May.SETTLE_INVOICES)
def choose_act() -> Response:
    """What is to be done with the ticked ones is shown before it is done (IN-32, IN-33)."""
    return _asking(request.form.get("act", ""), _ticked())


@screen.post("/bulk/payments")
@needs(May.SETTLE_INVOICES)
def mark_many_paid() -> Response:
    form, ids = PaidForm(), _ticked()
    if not form.validate():
        return _asking("pay", ids, paid=form)
    outcome = invoices.mark_many_paid(
        ids, paid_on=form.paid_on.data or today(), method=form.text("method"), reference=form.text("reference"),
        by=actor(), now=now(), write_to_ledger=bool(form.write_to_ledger.data),
    )  # fmt: skip
    waiting = [row for invoice in outcome.done for row in deliveries.of_payments(invoice)]
    for row in waiting:
        deliveries.put_off(row, now() + GRACE)
    said = _told(outcome, "marked as paid")
    if waiting:
        said += " What belongs to a ledger is recorded there too in a moment."
    done_ids = [one.id for one in outcome.done]
    db.session.commit()
    undo = None
    if done_ids and len(done_ids) <= UNDOABLE:
        undo = ("Undo", url_for(".set_many_unpaid", ids=".".join(map(str, done_ids))))
    return _back(said, outcome, undo)


@screen.post("/bulk/payments/reversals")
@needs(May.SETTLE_INVOICES)
def set_many_unpaid() -> Response:
    """Take back what was just marked; what is in a ledger by now is taken back there."""
    ids = [int(one) for one in request.args.get("ids", "").split(".") if one.isascii() and one.isdigit()]
    outcome = bulk.set_many_unpaid(ids[:UNDOABLE], by=actor(), now=now())
    said = _told(outcome, "unpaid again")
    db.session.commit()
    return _back(said, outcome)


@screen.post("/bulk/voiding")
@needs(May.SETTLE_INVOICES)
def void_many() -> Response:
    form, ids = VoidForm(), _ticked()
    if not form.validate():
        return _asking("void", ids, void=form)
    outcome = invoices.void_many(ids, form.text("reason"), form.text("note"), by=actor(), now=now())
    said = _told(outcome, "voided here")
    if outcome.there:
        said += f" Void them in {' and '.join(sorted(outcome.there))} too."
    db.session.commit()
    return _back(said, outcome)


def _asking(act: str, ids: list[int], paid: PaidForm | None = None, void: VoidForm | None = None) -> Response:
    if act not in ("pay", "void") or not ids:
        said = "Tick the invoices first, then choose what to do with them."
        return done(said, ".index", tone="info", **_filters())
    foreseen = bulk.foresee(ids, voiding=act == "void")
    able = [one for one in foreseen if not one.why_not]
    form = paid or void
    values: dict[str, Any] = {
        "act": act,
        "able": able,
        "unable": [one for one in foreseen if one.why_not],
        "sums": _sums(able),
        "apps": sorted({one.there for one in able if one.there}),
        "there": sum(bool(one.there) for one in able),
        "form": form or _empty(act),
        "back": _list_address(),
    }
    if form is not None:
        return refused("invoices/bulk.html", "form", **values)
    return render("invoices/bulk.html", blocks=("form",), **values)


def _empty(act: str) -> PaidForm | VoidForm:
    if act == "pay":
        return PaidForm(formdata=None, paid_on=today(), write_to_ledger=True)
    return VoidForm(formdata=None)


def _sums(able: Iterable[Foreseen]) -> dict[str, Decimal]:
    """Left to pay by currency: currencies are never added."""
    sums: dict[str, Decimal] = {}
    for one in able:
        left = one.invoice.total - one.invoice.paid
        sums[one.invoice.currency] = sums.get(one.invoice.currency, Decimal(0)) + left
    return sums


def _told(outcome: Outcome, what: str) -> str:
    count = len(outcome.done)
    said = f"{formats.plural(count, 'invoice')} {'is' if count == 1 else 'are'} {what}." if count else ""
    if outcome.refused:
        said += f" {formats.number(len(outcome.refused))} {'was' if len(outcome.refused) == 1 else 'were'} not: "
        said += " ".join(reason for _invoice, reason in outcome.refused[:SAID])
        if len(outcome.refused) > SAID:
            said += f" And {len(outcome.refused) - SAID} more."
    return said.strip() or "Nothing was changed."


def _back(said: str, outcome: Outcome, undo: tuple[str, str] | None = None) -> Response:
    tone = "warn" if outcome.refused or outcome.there else "ok"
    return done(said, ".index", undo=undo, tone=tone, **_filters())


def _ticked() -> list[int]:
    found = [int(one) for one in request.form.getlist("id") if one.isascii() and one.isdigit() and len(one) < 10]
    return list(dict.fromkeys(found))[:AT_ONCE]


def _list_address() -> str:
    """The list as the person had filtered it: named by the form, else where the browser says it comes from."""
    asked = request.form.get("back") or request.referrer or ""
    parts = urlsplit(asked)
    is_ours = parts.path == url_for(".index") and parts.netloc in ("", request.host)
    return f"{parts.path}?{parts.query}" if is_ours and parts.query else url_for(".index")


def _filters() -> dict[str, Any]:
    """The same as arguments for its address."""
    return dict(parse_qsl(urlsplit(_list_address()).query))
