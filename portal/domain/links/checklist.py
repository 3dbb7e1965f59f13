"""Why does this client not sync? (XPM-13)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal.db import db
from portal.domain.apps import (
    ClientLink,
    LinkState,
    PushState,
    StaffLink,
)
from portal.domain.clients import Client
from portal.domain.people import User


@dataclass(frozen=True, slots=True)
class Check:
    """One line of "Why does my data not sync?" (XPM-13). `ok` is None where it is for a person to judge."""

    question: str
    answer: str
    ok: bool | None
    what_to_do: str = ""


def checklist(
    client: Client, link: ClientLink | None, *, app: str, run_since: datetime | None, finding: str = ""
) -> list[Check]:
    """The questions a person asks when a client does not sync, answered for this one.

    `run_since` is when the run under way started, None when none is; `finding` tells what is being looked at.
    """
    if link is None:
        answer = finding or f"This client is not linked to a record in {app}."
        what = (
            "Settle it under Matches, or choose the record on this page."
            if finding
            else "Choose it under App client mappings."
        )
        return [Check("Is this client linked?", answer, False, what)]
    checks = [_link_check(link, app)]
    roles = [role for role in ("partner", "manager") if role in link.connection.ways.client_fields]
    checks += [_person_check(client, link, role, app) for role in roles]
    checks.append(_run_check(run_since, app))
    duplicate = Check(
        "Is this a duplicate being looked at?",
        finding or "No.",
        not finding,
        "Settle it under Matches." if finding else "",
    )
    checks += [duplicate, _conflict_check(link, app), _push_check(link, app)]
    return checks


def _link_check(link: ClientLink, app: str) -> Check:
    if link.state == LinkState.BROKEN:
        what = "Bring the record back there, or link this client to the right record."
        return Check("Does the link work?", f"No: {link.broken_why}.", False, what)
    return Check("Does the link work?", f"Yes, to {link.remote_name} in {app}.", True)


def _person_check(client: Client, link: ClientLink, role: str, app: str) -> Check:
    question = f"Can the {role} travel?"
    held = link.held_fields.get(role)
    if held:
        return Check(question, f"No: {held}.", False, "Link the person under Settings, Team.")
    user: User | None = getattr(client, role)
    if user is None:
        return Check(question, f"No {role} is set here.", True)
    person = db.session.scalar(
        select(StaffLink).where(StaffLink.connection_id == link.connection_id, StaffLink.user_id == user.id)
    )
    if person is None:
        what = "Link the person under Settings, Team."
        return Check(question, f"No: {user.name} is not linked to a person in {app}.", False, what)
    if person.remote_email and person.remote_email.lower() != user.email:
        answer = f"{user.name} is linked to {person.remote_name}, whose email there is {person.remote_email}."
        return Check(question, answer, None, "If that is the same person, make the two emails agree.")
    return Check(question, f"Yes, {user.name} is linked to {person.remote_name}.", True)


def _run_check(run_since: datetime | None, app: str) -> Check:
    if run_since is None:
        return Check("Is a sync still under way?", "No.", True)
    return Check("Is a sync still under way?", f"Yes, {app} is being synced now.", None, "Wait for it to end.")


def _conflict_check(link: ClientLink, app: str) -> Check:
    if not link.open_conflicts:
        return Check("Did the other side's later change win?", "No, nothing was changed on both sides.", True)
    answer = f"{link.open_conflicts} of its fields were changed both here and in {app}."
    return Check(
        "Did the other side's later change win?", answer, None, "See the conflicts on Summary; each can be put back."
    )


def _push_check(link: ClientLink, app: str) -> Check:
    question = f"Has {app} taken the last changes from here?"
    if link.push_state == PushState.FAILED:
        return Check(question, f"No: {link.push_error}", False, "Mend what it says, then try again.")
    if link.push_state != PushState.NONE:
        return Check(
            question, "Not yet, they are waiting to be sent." + (f" {link.push_error}" if link.push_error else ""), None
        )
    return Check(question, "Yes.", True)
