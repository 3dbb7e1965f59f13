"""Which contact here is which there, and which of the others are to come or to go. PURE."""

from __future__ import annotations

from portal.domain.planning.plans import ContactPairing, Policy, Side
from portal.domain.planning.values import AT_LINK, CONTACTS, PULL, TWO_WAY
from portal.domain.records import ClientRecord

Pairings = tuple[ContactPairing, ...]


def pair_contacts(side: Side, record: ClientRecord) -> tuple[Pairings, tuple[str, ...]]:
    """Which contact is which: by link, else by exact name, else by email. Also the linked ones that are gone there."""
    here_by_id = {contact.id: contact for contact in side.contacts}
    link_by_remote = {link.remote_id: link for link in side.contact_links}
    linked_here = {link.contact_id for link in side.contact_links if link.contact_id is not None}
    free = [contact for contact in side.contacts if contact.id not in linked_here]
    pairings: list[ContactPairing] = []
    for there in record.contacts:
        link = link_by_remote.get(there.remote_id)
        if link is not None:
            if link.contact_id is not None and link.contact_id in here_by_id:
                pairings.append(ContactPairing(here_by_id[link.contact_id], there))
            continue  # removed here: left alone there, not brought back
        found = next((one for one in free if one.values["name"] == there.name), None)
        if found is None and there.email:
            found = next((one for one in free if str(one.values["email"]).lower() == there.email.lower()), None)
        if found is not None:
            free.remove(found)
        pairings.append(ContactPairing(found, there, is_new_pair=found is not None))
    pairings += [ContactPairing(contact, None) for contact in free]
    present = {contact.remote_id for contact in record.contacts}
    gone = tuple(link.remote_id for link in side.contact_links if link.remote_id not in present)
    return tuple(pairings), gone


def travelling(
    pairings: Pairings, gone: tuple[str, ...], side: Side, flow: str, policy: Policy
) -> tuple[Pairings, tuple[str, ...]]:
    """Of all that, what concerns this connection. `flow` is that of a contact's name: it stands for the contact.

    Where contacts travel when linked only, those there come to a client that has none, and nothing moves later.
    """
    is_asked = CONTACTS in side.asked and policy.writes and flow in (TWO_WAY, AT_LINK)
    is_level = policy.level == "everything"
    comes = flow in (TWO_WAY, PULL) and is_level and policy.direction != "to_app"
    goes = flow == TWO_WAY and is_level and not policy.reads_only
    ties = flow in (TWO_WAY, PULL) and is_level
    if flow == AT_LINK and side.is_new:
        ties, comes = True, not side.contacts
    kept = tuple(pair for pair in pairings if _kept(pair, comes, goes or is_asked, ties or is_asked))
    return kept, gone if flow in (TWO_WAY, PULL) and is_level else ()


def _kept(pair: ContactPairing, comes: bool, goes: bool, ties: bool) -> bool:
    if pair.here is None:
        return comes
    if pair.there is None:
        return goes
    return ties or not pair.is_new_pair
