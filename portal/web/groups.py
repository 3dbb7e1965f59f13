"""Client groups, as an app has them: who is in one, and whom its mail goes to."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, abort, request, url_for

from portal import integrations
from portal.db import db
from portal.domain import groups
from portal.domain.clients import Group
from portal.domain.groups import NotInGroup
from portal.domain.people import May
from portal.web.guard import actor, current_person, needs
from portal.web.render import done, render

screen = Blueprint("groups", __name__, url_prefix="/groups")
LONGEST_SEARCH = 100


@screen.get("")
@needs(May.SEE_CLIENTS)
def index() -> Response:
    words = request.args.get("q", "").strip().replace("\x00", "")[:LONGEST_SEARCH]
    rows, more = groups.page(words, request.args.get("after", "").replace("\x00", ""))
    return render(
        "groups/index.html",
        blocks=("rows",),
        address=url_for(".index", q=words or None),
        rows=rows,
        words=words,
        more=url_for(".index", q=words or None, after=more) if more else None,
        first=url_for(".index", q=words or None) if request.args.get("after") else None,
        apps={app.slug: app for app in integrations.all_apps()},
    )


@screen.get("/<int:group_id>")
@needs(May.SEE_CLIENTS)
def page(group_id: int) -> Response:
    group = _group_or_404(group_id)
    members, more = groups.members(group, request.args.get("after", "").replace("\x00", ""))
    primary = group.primary_contact
    connection = groups.source(group)
    return render(
        "groups/page.html",
        group=group,
        members=members,
        more=url_for(".page", group_id=group.id, after=more) if more else None,
        first=url_for(".page", group_id=group.id) if request.args.get("after") else None,
        primary=primary,
        primary_is_inside=primary is not None and groups.holds(group, primary),
        app=integrations.app_info(connection.app),
        account=connection.account_name,
        may_edit=current_person().may(May.EDIT_CLIENTS),
    )


@screen.post("/<int:group_id>/primary-contact/<int:contact_id>")
@needs(May.EDIT_CLIENTS)
def choose(group_id: int, contact_id: int) -> Response:
    """Make this contact the one the group's mail goes to; 0 is nobody."""
    group = groups.get(group_id, lock=True) or abort(404)
    contact = groups.contact(contact_id) if contact_id else None
    if contact_id and contact is None:
        abort(404)
    before = group.primary_contact_id
    try:
        changed = groups.choose_primary_contact(group, contact, by=actor(), now=datetime.now(UTC))
    except NotInGroup:
        db.session.rollback()
        said = "That contact’s client is not in this group any more, so nothing was changed."
        return done(said, ".page", tone="warn", group_id=group_id)
    db.session.commit()
    undo = ("Undo", url_for(".choose", group_id=group_id, contact_id=before or 0)) if changed else None
    who = f"{contact.name} is the" if contact else "Nobody is the"
    return done(f"{who} primary contact of {group.name}.", ".page", undo=undo, group_id=group_id)


def _group_or_404(group_id: int) -> Group:
    return groups.get(group_id) or abort(404)
