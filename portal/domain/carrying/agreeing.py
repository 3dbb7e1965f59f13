"""What both sides agree on once a plan has been carried out, and the ties between contacts."""

from __future__ import annotations

from typing import Any

from portal.db import db
from portal.domain.apps import ClientLink, ContactLink
from portal.domain.planning import Action, Plan, Row, contact_values, is_blank, same, with_answers
from portal.domain.records import ClientRecord, ContactRecord


def is_agreed(row: Row) -> bool:
    """Whether the value there counts as agreed from now on, without anything being sent."""
    if row.action == Action.HOLD or row.action.sends_ours:
        return False
    gap = row.action == Action.LATER and not row.knows_agreed and is_blank(row.there)  # ours fills it when it is sent
    return row.action.takes_theirs or row.settles or gap or same(row.here, row.there)


def remember_contacts(contact_links: list[ContactLink], plan: Plan, sent: ClientRecord | None) -> None:
    """The same for contacts. `sent`: what the rows to be sent came to there; None when nothing was sent."""
    by_remote = {one.remote_id: one for one in contact_links}
    answers = {one.remote_id: contact_values(one) for one in sent.contacts} if sent else {}
    for row in plan.rows:
        one = by_remote.get(row.contact_key) if row.contact_key else None
        if one is None:
            continue
        if row.settles:
            one.agreed = with_answers({**one.agreed, row.field: row.here}, [row.field], {row.field: row.there})
        elif is_agreed(row):
            one.agreed = with_answers({**one.agreed, row.field: row.there}, [row.field], {})
        elif row.action.sends_ours and sent is not None:
            answer = answers.get(one.remote_id, {})
            one.agreed = with_answers({**one.agreed, row.field: row.here}, [row.field], answer)


def tie_contact(
    link: ClientLink, contact_id: int, there: ContactRecord, agreed: dict[str, Any] | None = None
) -> ContactLink:
    made = ContactLink(
        client_link_id=link.id, contact_id=contact_id, remote_id=there.remote_id,
        agreed=contact_values(there) if agreed is None else agreed, is_gone=False,
    )  # fmt: skip
    db.session.add(made)
    return made


def shown(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) else value
