"""A firm's clients and their contacts: what they hold, and the verbs that change them.

The one invariant: whoever changes a client goes through `edit` (or a verb beside it), which raises the version, notes
where each field's value came from, keeps the search text and the sort key, and asks for a push where a link wants one.
"""

from portal.domain.clients.changing import ask_for_push, create, edit, get, plain, same_or_near, source, touched
from portal.domain.clients.contacts import (
    add_contact,
    choose_default_contact,
    edit_contact,
    remove_contact,
    restore_contact,
)
from portal.domain.clients.models import (
    ADDRESS_PARTS,
    CONTACT_EDITABLE,
    EDITABLE,
    NOT_ARCHIVED,
    Client,
    ClientGroup,
    ClientStatus,
    Contact,
    Group,
    StaleEdit,
    SyncState,
)
from portal.domain.clients.standing import (
    archive,
    count_items,
    index_for_search,
    refresh_sync_state,
    sync_state_of,
    unarchive,
)

__all__ = [
    "ADDRESS_PARTS", "CONTACT_EDITABLE", "EDITABLE", "NOT_ARCHIVED", "Client", "ClientGroup", "ClientStatus",
    "Contact", "Group", "StaleEdit", "SyncState", "add_contact", "archive", "ask_for_push", "choose_default_contact",
    "count_items", "create", "edit", "edit_contact", "get", "index_for_search", "plain", "refresh_sync_state",
    "remove_contact", "restore_contact", "same_or_near", "source", "sync_state_of", "touched", "unarchive",
]  # fmt: skip
