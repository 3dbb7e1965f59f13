"""Where a client stands: in the archive or not, in step with its apps or not, and in the search."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from portal.domain import activity
from portal.domain.activity import Actor, Verb
from portal.domain.apps import ClientLink, LinkState, PushState
from portal.domain.clients.models import Client, ClientStatus, SyncState


def archive(client: Client, *, by: Actor, now: datetime) -> bool:
    """Here only; nothing is archived in any app (CL-06, XPM-9). False when it already was."""
    if client.is_archived:
        return False
    client.archived_at = now
    client.status = ClientStatus.ARCHIVED
    client.version += 1
    client.changed_at = now
    activity.record(Verb.CLIENT_ARCHIVED, by=by, now=now, client_id=client.id, client=client.name)
    return True


def unarchive(client: Client, *, by: Actor, now: datetime) -> bool:
    """The status is what the rules say today, not what it was (CL-08). False when it was not archived."""
    if not client.is_archived:
        return False
    client.archived_at = None
    client.status = client.computed_status()
    client.version += 1
    client.changed_at = now
    activity.record(
        Verb.CLIENT_UNARCHIVED, by=by, now=now, client_id=client.id, client=client.name, status=client.status.value
    )
    return True


def refresh_sync_state(client: Client) -> None:
    """Recompute the one word the list shows from the client's links: the worst of them."""
    client.sync_state = sync_state_of(client.links)


def sync_state_of(links: Iterable[ClientLink]) -> SyncState:
    found = SyncState.UNLINKED
    for link in links:
        if link.state == LinkState.BROKEN or link.push_state == PushState.FAILED:
            return SyncState.FAILED
        if link.open_conflicts:
            found = SyncState.CONFLICT
        elif link.push_state in (PushState.READY, PushState.SENDING) and found != SyncState.CONFLICT:
            found = SyncState.PENDING
        elif found == SyncState.UNLINKED:
            found = SyncState.IN_STEP
    return found


def index_for_search(client_ids: Iterable[int]) -> None:
    """Write the search text of these clients anew, in the caller's transaction."""
    from portal.domain import client_search  # it reads the tables above

    client_search.index(client_ids)


def count_items(client: Client, delta: int, *, reason: str, by: Actor, now: datetime) -> None:
    """Services and billing items come and go; the status follows from how many there are (1.1, CL-02, CL-03).

    `delta` is how many more there are than before. Payments never count (UNP-17). Somebody archived stays archived.
    """
    client.active_items = max(0, client.active_items + delta)
    client.was_active = client.was_active or client.active_items > 0
    status = client.computed_status()
    if client.is_archived or status == client.status:
        return
    client.status = status
    client.version += 1
    client.changed_at = now
    activity.record(
        Verb.STATUS_CHANGED, by=by, now=now, client_id=client.id, client=client.name, status=status.value, reason=reason
    )
