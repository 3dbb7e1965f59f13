"""The list of invoices: found, filtered, sorted and paged by what the address says; many settled at once; as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Response, current_app, request, stream_with_context, url_for

from portal import deliveries as delivering
from portal.db import db, reading
from portal.domain import deliveries, invoices, ledgers
from portal.domain.invoices import METHODS, REASONS
from portal.domain.invoices.bulk import Outcome
from portal.domain.invoices.view import DEPLOYMENT_WORDS, SOURCE_WORDS, STANDING_WORDS, Filters, Sort
from portal.domain.people import May
from portal.web.guard import actor, current_person, needs
from portal.web.invoices import screen
from portal.web.invoices.forms import PaidForm, VoidForm
from portal.web.invoices.lookups import now, today
from portal.web.invoices.rows import rows
from portal.web.render import done, refused, render

COLUMNS = ((Sort.NUMBER, "Number"), (None, "Client"), (Sort.ISSUED, "Issued"), (Sort.DUE, "Due"),
           (Sort.AMOUNT, "Amount"), (None, "State"), (None, "Ledger"))  # fmt: skip
LARGEST_FIRST = (Sort.ISSUED, Sort.AMOUNT)
AT_ONCE = 500  # invoices one act takes


@screen.get("")
@needs(May.SEE_INVOICES)
def index() -> Response:
    view, notes = _view()
    key, more = invoices.key_from(request.args, view.sort)
    apps = ledgers.names()
    page, totals = invoices.shown(view, key, as_of=today())
    may_settle = current_person().may(May.SETTLE_INVOICES)
    return render(
        "invoices/index.html",
        blocks=("rows",),
        address=url_for(".index") + (view.query() if key is None else f"?{request.query_string.decode('latin-1')}"),
        view=view,
        notes=notes + more,
        page=page,
        rows=rows(page, can_tick=may_settle),
        totals=totals,
        columns=_columns(view),
        chips=_chips(view, apps),
        apps=apps,
        standing_words=_standing_words(),
        deployment_words=DEPLOYMENT_WORDS,
        source_words=SOURCE_WORDS,
        may_settle=may_settle,
        has_none=not page.rows and not view.is_narrowed,
    )


@screen.get("/sums")
@needs(May.SEE_INVOICES)
def sums() -> Response:
    """What very many invoices come to: asked for by itself, after the page, so that no page waits for it."""
    view, _notes = _view()
    found = invoices.sums(view, as_of=today())
    return render("invoices/sums.html", blocks=("sums",), view=view, sums=found, chips=_chips(view, ledgers.names()))


@screen.get("/export.csv")
@needs(May.SEE_INVOICES)
def export() -> Response:
    """Every invoice of the view; sent while it is read, so that it takes no memory."""
    view, _notes = _view()
    day = today()
    response = Response(stream_with_context(_csv(view, day)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="invoices-{day.isoformat()}.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


@screen.post("/bulk")
@needs(May.SETTLE_INVOICES)
def choose_act() -> Response:
    """What is to be done with the ticked ones is asked before it is done (IN-32, IN-33)."""
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
    waiting = [row.id for invoice in outcome.done for row in deliveries.of_payments(invoice)]
    db.session.commit()
    delivering.deliver_soon(waiting)
    return _told(outcome, "marked as paid")


@screen.post("/bulk/voiding")
@needs(May.SETTLE_INVOICES)
def void_many() -> Response:
    form, ids = VoidForm(), _ticked()
    if not form.validate():
        return _asking("void", ids, void=form)
    outcome = invoices.void_many(ids, form.text("reason"), form.text("note"), by=actor(), now=now())
    db.session.commit()
    return _told(outcome, "voided here")


def _asking(act: str, ids: list[int], paid: PaidForm | None = None, void: VoidForm | None = None) -> Response:
    chosen = invoices.by_ids(ids)
    if act not in ("pay", "void") or not chosen:
        return done("Tick the invoices first, then choose what to do with them.", ".index", tone="info")
    form = paid or void
    values: dict[str, Any] = {
        "act": act,
        "chosen": chosen,
        "sums": _sums(ids),
        "form": form or _empty(act),
        "methods": METHODS,
        "reasons": REASONS,
    }
    if form is not None:
        return refused("invoices/bulk.html", "form", **values)
    return render("invoices/bulk.html", blocks=("form",), **values)


def _empty(act: str) -> PaidForm | VoidForm:
    if act == "pay":
        return PaidForm(formdata=None, paid_on=today(), write_to_ledger=True)
    return VoidForm(formdata=None)


def _sums(ids: list[int]) -> dict[str, object]:
    """Left to pay by currency: currencies are never added."""
    sums: dict[str, object] = {}
    for one in invoices.by_ids(ids):
        sums[one.currency] = sums.get(one.currency, 0) + one.total - one.paid  # type: ignore[operator]  # decimals, from 0
    return sums


def _told(outcome: Outcome, what: str) -> Response:
    said = f"{len(outcome.done)} {'invoice' if len(outcome.done) == 1 else 'invoices'} {what}."
    if outcome.refused:
        said += " " + " ".join(reason for _invoice, reason in outcome.refused[:5])
        if len(outcome.refused) > 5:
            said += f" And {len(outcome.refused) - 5} more could not be changed."
    if outcome.there:
        said += f" Void them in {' and '.join(sorted(outcome.there))} too."
    return done(said, ".index", tone="warn" if outcome.refused or outcome.there else "ok")


def _ticked() -> list[int]:
    found = [int(one) for one in request.form.getlist("id") if one.isascii() and one.isdigit() and len(one) < 10]
    return list(dict.fromkeys(found))[:AT_ONCE]


def _view() -> tuple[Filters, list[str]]:
    """Voided ones are for those who may void (IN-04)."""
    view, notes = invoices.filters_from(request.args)
    if not current_person().may(May.SETTLE_INVOICES) and (view.with_voided or view.standing == "voided"):
        asked = {key: value for key, value in request.args.items() if key not in ("voided", "standing")}
        return invoices.filters_from(asked)
    return view, notes


def _standing_words() -> dict[str, str]:
    may = current_person().may(May.SETTLE_INVOICES)
    return {key: words for key, words in STANDING_WORDS.items() if key != "voided" or may}


def _csv(view: Filters, day: date) -> Iterator[str]:
    lines, parts = 0, invoices.csv(view, as_of=day)
    while True:
        with reading():  # a page's own promise not to write ends before its body is sent
            part = next(parts, None)
        if part is None:
            break
        lines += part.count("\r\n")
        yield part
    current_app.logger.info("%s exported invoices: %s lines for %r", current_person().email, lines - 1, view.query())


def _columns(view: Filters) -> list[tuple[str, str | None, str]]:
    """Heading, where its link leads (None: cannot be sorted by), and how the list is sorted by it now."""
    found: list[tuple[str, str | None, str]] = []
    for sort, label in COLUMNS:
        if sort is None:
            found.append((label, None, ""))
            continue
        is_here = view.sort is sort
        descending = not view.descending if is_here else sort in LARGEST_FIRST
        how = ("descending" if view.descending else "ascending") if is_here else ""
        found.append((label, view.query(sort=sort, descending=descending), how))
    return found


def _chips(view: Filters, apps: list[tuple[int, str]]) -> list[tuple[str, str]]:
    """Each filter in force in words, and the address without it."""
    if not view.is_narrowed:
        return []
    told = [
        (f"“{view.words}”", "words"), (STANDING_WORDS.get(view.standing, ""), "standing"),
        (f"Ledger: {DEPLOYMENT_WORDS.get(view.deployment, '').lower()}", "deployment"),
        (f"Source: {SOURCE_WORDS.get(view.source, '')}", "source"), ("One client", "client"),
        (f"In {dict(apps).get(view.app or 0, 'an app')}", "app"),
        (f"From {view.since.isoformat() if view.since else ''}", "since"),
        (f"Until {view.until.isoformat() if view.until else ''}", "until"),
    ]  # fmt: skip
    empty = {"client": None, "app": None, "since": None, "until": None}
    return [
        (words, url_for(".index") + view.query(**{name: empty.get(name, "")}))
        for words, name in told
        if getattr(view, name) not in ("", None)
    ]
