"""/matches: records whose partner here is not certain. A person says who is who, one click each, or in bulk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, request, url_for

from portal import sync
from portal.db import db
from portal.domain import clients, connections, findings, links, matches
from portal.domain.apps import Finding, OutgoingClient
from portal.domain.clients import Client
from portal.domain.people import May
from portal.domain.text import difference, fold
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, render

screen = Blueprint("matches", __name__, url_prefix="/matches")

PAGE = 25
KIND_WORDS = {
    "near_match": "Nearly the same name",
    "ambiguous": "Name exists more than once",
    "taken": "Client already linked",
    findings.LEFT_OUT: "Left out of an import",
}
NOT_CREATED = "not_created"  # beside the kinds: clients of ours an app could not simply be given


@dataclass(frozen=True)
class Filters:
    """What the address asks for; None and "" mean everything that waits."""

    kind: str | None
    connection_id: int | None
    client_id: int | None = None

    @property
    def as_query(self) -> dict[str, Any]:
        return {"kind": self.kind, "connection": self.connection_id, "about": self.client_id}


@screen.get("")
@needs(May.SETTLE_MATCHES)
def index() -> Response:
    filters = _filters(request.args)
    after = request.args.get("after", 0, type=int)
    state = findings.LEFT_OUT if filters.kind == findings.LEFT_OUT else "open"
    found = []
    if filters.kind != NOT_CREATED:
        found = matches.page(filters.connection_id, filters.kind, filters.client_id, after, PAGE, state)
    not_created = _not_created(filters, after)
    counts = matches.counts(filters.client_id)
    accounts = _accounts(counts)
    named = {*accounts, *(row.connection for row, _client in not_created)}
    client = clients.get(filters.client_id) if filters.client_id else None
    return render(
        "matches/index.html",
        blocks=("cases",),
        cases=matches.cases(found[:PAGE]),
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        is_first_page=not after,
        filters=filters,
        only_client=client,
        chips=[(f"About {client.name}", url_for("matches.index", **(filters.as_query | {"about": None})))]
        if client
        else [],
        waits_for=matches.waiting_for(found[:PAGE]),
        alike=matches.alike(found[:PAGE]),
        not_created=not_created[:PAGE],
        about=matches.about([client.id for _row, client in not_created]),
        more_not_created=len(not_created) > PAGE,
        kinds=_kinds(counts, filters),
        accounts=[(one, _sum(counts, one.id, filters.kind)) for one in accounts],
        waiting=sum(count for (_, kind), count in counts.items() if kind != findings.LEFT_OUT),
        shown=sum(_sum(counts, filters.connection_id, kind) for kind in _kinds_of(filters)),
        kind_words=KIND_WORDS,
        names={one.id: connections.label(one) for one in named},
        connections={one.id: one for one in named},
        pieces=pieces,
        difference=difference,
        may_edit=current_person().may(May.EDIT_CLIENTS),
        left_out=findings.LEFT_OUT,
        not_created_kind=NOT_CREATED,
    )


def _not_created(filters: Filters, after: int) -> list[tuple[OutgoingClient, Client]]:
    """One client is one question: beside the findings only those about whom none of them asks."""
    if filters.kind != NOT_CREATED and (filters.kind is not None or after):
        return []
    also = filters.kind == NOT_CREATED
    return matches.not_created(filters.connection_id, filters.client_id, PAGE, also_asked_about=also)


def _kinds(counts: dict[tuple[int, str], int], filters: Filters) -> list[tuple[str, str, int | None]]:
    """(kind, its words, how many; None where nobody counts) for the choice of kinds."""
    found: list[tuple[str, str, int | None]] = [
        (kind, words, _sum(counts, filters.connection_id, kind)) for kind, words in KIND_WORDS.items()
    ]
    return [*found[:-1], (NOT_CREATED, "Not created in an app", None), found[-1]]


@screen.post("/<int:finding_id>/links")
@needs(May.SETTLE_MATCHES)
def make_link(finding_id: int) -> Response:
    """Link the record: to the client named, or, for a near match, after aligning the names to one side's spelling."""
    finding, app = _finding(finding_id)
    side = request.form.get("spelling", "")
    try:
        if side in ("here", "there"):
            made = findings.align_and_link(finding, side, by=actor(), now=_now(), app=app)
        else:
            client = clients.get(request.form.get("client", 0, type=int)) or abort(404)
            made = findings.link_to(finding, client, by=actor(), now=_now(), app=app)
    except (findings.NotOpen, links.AlreadyLinked) as told:
        return _not_any_more(str(told))
    except ValueError:
        return _not_any_more("More than one client may be meant: choose which.")
    link_id, said = made.id, f"{finding.remote_name} in {app} is now linked to {matches.name_of(made)} here."
    db.session.commit()
    sync.send_soon([link_id])
    undo = ("Unlink again", url_for("matches.unlink", link_id=link_id))
    return done(said, "matches.index", undo=undo, **_back())


@screen.post("/<int:finding_id>/imports")
@needs(May.SETTLE_MATCHES)
def import_one(finding_id: int) -> Response:
    """Bring the record in as a client of its own."""
    finding, app = _finding(finding_id)
    try:
        client = findings.import_as_new(finding, by=actor(), now=_now())
    except findings.NotOpen as told:
        return _not_any_more(str(told))
    name = client.name
    db.session.commit()
    return done(f"{name} came in from {app} as a new client.", "matches.index", **_back())


@screen.post("/<int:finding_id>/separations")
@needs(May.SETTLE_MATCHES)
def separate(finding_id: int) -> Response:
    """They are different clients: never offered again. The record comes in as its own, or waits to be chosen."""
    finding, app = _finding(finding_id)
    try:
        findings.tell_apart(finding, by=actor(), now=_now(), app=app)
    except findings.NotOpen as told:
        return _not_any_more(str(told))
    name, comes_in = finding.remote_name, matches.comes_in_by_itself(finding)
    db.session.commit()
    then = "The next sync brings it in as a client of its own." if comes_in else "It waits under Import to be chosen."
    return done(f"Noted: {name} in {app} is somebody else. {then}", "matches.index", **_back())


@screen.post("/imports")
@needs(May.SETTLE_MATCHES)
def import_all() -> Response:
    """Everything the filter shows, all pages of it, as new clients."""
    filters = _filters(request.form)
    if filters.kind in (findings.LEFT_OUT, NOT_CREATED):
        abort(404)
    count = findings.import_all_as_new(
        matches.open_of(filters.kind, filters.connection_id, filters.client_id), by=actor(), now=_now()
    )
    db.session.commit()
    said = "1 record came in as a new client." if count == 1 else f"{count:,} records came in as new clients."
    return done(said if count else "There was nothing left to bring in.", "matches.index", **_back())


@screen.post("/unlinkings/<int:link_id>")
@needs(May.SETTLE_MATCHES)
def unlink(link_id: int) -> Response:
    """Take back a link just made. The names stay as they were aligned."""
    link = matches.link_made(link_id)
    if link is None:
        return done("That link is already gone.", "matches.index", tone="info")
    app = connections.label(link.connection)
    name = link.remote_name
    matches.take_back(link, by=actor(), now=_now(), app=app)
    db.session.commit()
    return done(
        f"The link to {name} in {app} is gone and the question is back on the list. If both still carry exactly the "
        "same name at the next sync, that links them again; say that they are different if they are.",
        "matches.index",
    )


def pieces(one: str, other: str) -> list[tuple[str, bool]]:
    """The first name cut where it differs from the second; each piece with whether it is the difference.

    Letter by letter where the same letters are meant, word by word where a word is another (Ltd and Limited).
    """
    same_letters = re.sub(r"[\W_]", "", fold(one)) == re.sub(r"[\W_]", "", fold(other))
    cut = list if same_letters else partial(re.split, r"(\W+)")
    ours, theirs = cut(one), cut(other)
    return [
        ("".join(ours[start:end]), what != "equal")
        for what, start, end, _, _ in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
        if end > start
    ]


def _filters(asked: Any) -> Filters:
    kind = asked.get("kind", "")
    kind = kind if kind in KIND_WORDS or kind == NOT_CREATED else None
    return Filters(kind, asked.get("connection", type=int), asked.get("about", type=int))


def _back() -> dict[str, Any]:
    """The filters the form came from, so that the same list is shown again."""
    return _filters(request.form).as_query


def _finding(finding_id: int) -> tuple[Finding, str]:
    """The finding, and its app as sentences name it."""
    finding = matches.get(finding_id) or abort(404)
    connection = connections.get(finding.connection_id) or abort(404)
    return finding, connections.label(connection)


def _not_any_more(told: str) -> Response:
    db.session.rollback()
    return done(told, "matches.index", tone="info", **_back())


def _accounts(counts: dict[tuple[int, str], int]) -> list[Any]:
    held = {connection_id for connection_id, _ in counts}
    return [one for one in (connections.get(each) for each in sorted(held)) if one is not None]


def _kinds_of(filters: Filters) -> list[str]:
    if filters.kind == NOT_CREATED:
        return []
    return [filters.kind] if filters.kind else [kind for kind in KIND_WORDS if kind != findings.LEFT_OUT]


def _sum(counts: dict[tuple[int, str], int], connection_id: int | None, kind: str | None) -> int:
    return sum(
        count
        for (one, which), count in counts.items()
        if connection_id in (None, one) and (kind == which if kind else which != findings.LEFT_OUT)
    )


def _now() -> datetime:
    return datetime.now(UTC)
