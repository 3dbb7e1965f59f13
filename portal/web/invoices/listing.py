"""The list of invoices: found, filtered, sorted and paged by what the address says; as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache

from flask import Response, current_app, request, stream_with_context, url_for

from portal.db import reading
from portal.domain import invoices, ledgers
from portal.domain.invoices import Sum
from portal.domain.invoices.view import DEPLOYMENT_WORDS, SOURCE_WORDS, STANDING_WORDS, Filters, Sort
from portal.domain.people import May
from portal.web import formats
from portal.web.guard import current_person, needs
from portal.web.invoices import screen
from portal.web.invoices.lookups import today
from portal.web.invoices.rows import rows
from portal.web.render import render

COLUMNS = ((Sort.NUMBER, "Number"), (None, "Client"), (Sort.ISSUED, "Issued"), (Sort.DUE, "Due"),
           (Sort.AMOUNT, "Amount"), (None, "State"), (None, "Ledger"))  # fmt: skip
LARGEST_FIRST = (Sort.ISSUED, Sort.AMOUNT)


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
        counted=formats.number(totals.count) if totals.sums is not None else formats.count_capped(totals.count),
        sums=_worded(totals.sums or ()),
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
    found = _worded(invoices.sums(view, as_of=today()))
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


def _view() -> tuple[Filters, list[str]]:
    """Voided ones are for those who may void (IN-04)."""
    view, notes = invoices.filters_from(request.args)
    if not current_person().may(May.SETTLE_INVOICES) and (view.with_voided or view.standing == "voided"):
        asked = {key: value for key, value in request.args.items() if key not in ("voided", "standing")}
        return invoices.filters_from(asked)
    return view, notes


def _worded(sums: Sequence[Sum]) -> list[tuple[str, str, str]]:
    """In each currency the total, what is left, and what of that is overdue: empty where nothing is."""
    found = []
    for sum in sums:
        amount = formats.money_in(sum.currency)
        found.append((amount(sum.total), amount(sum.left), amount(sum.overdue) if sum.overdue else ""))
    return found


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


@lru_cache(maxsize=256)
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
