"""Looking at one contact as it stands, in our words and as it came."""

from __future__ import annotations

from urllib.parse import quote

from portal.adapters.base import NotThere, Session, UnexpectedReply
from portal.adapters.values import Raw
from portal.adapters.xero import reading
from portal.adapters.xero.reading import NAME, Envelope
from portal.adapters.xero_sign_in import ACCOUNTING as ROOT
from portal.domain.records import ClientRecord, Quarantined


def contact(session: Session, remote_id: str) -> tuple[Raw, ClientRecord]:
    """Raises `NotThere`."""
    found = Envelope("Contacts")
    session.get(f"{ROOT}/Contacts/{quote(remote_id, safe='')}", check=found).close()
    for raw in found.entries:
        record = reading.client_or_quarantine(raw)
        if isinstance(record, Quarantined):
            raise UnexpectedReply(f"{NAME} gave a contact that cannot be understood: {record.reason}", status=200)
        if record.remote_id.lower() == remote_id.lower():  # the same address also finds by contact number
            return raw, record
    raise NotThere(f"{NAME} does not know this contact.", status=200)
