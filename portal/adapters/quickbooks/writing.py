"""Writing customers to QuickBooks: one by one, or as a batch of items that succeed and fail each for itself.

A change names the customer's revision, so it is written once or refused as out of date; it carries no request id,
because the vendor may answer a repeated id with what it said before. A creation carries one. Whether an id protects is
not certain, so whoever creates looks first (`find_clients`). The balance is never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.adapters.base import AdapterError, Moved, NameTaken, NotThere, Rejected, Session, Unknown
from portal.adapters.quickbooks import queries, reading, sending
from portal.adapters.quickbooks.bodies import ADDRESSES, changed_values, new_customer
from portal.adapters.quickbooks.replies import NAME, Plain
from portal.adapters.quickbooks.sending import Parcel
from portal.adapters.values import NotUnderstood, address_stayed
from portal.domain.records import Address, ClientRecord, NewRecord, RecordChange, RecordState
from portal.domain.text import BadText

Outcome = ClientRecord | AdapterError


@dataclass(frozen=True)
class Item:
    """One write. `request_id` is empty for changes."""

    operation: str  # create or update, as the vendor's batches call them
    body: Plain
    name: str  # that it gives or keeps, to explain a name that is taken
    request_id: str = ""
    is_inactive: bool = False
    replaced: Mapping[str, tuple[Address, Address]] = field(default_factory=dict)  # by field: as it was, as it is sent

    @property
    def remote_id(self) -> str:
        return str(self.body.get("Id") or "")


def update(session: Session, changes: Sequence[RecordChange]) -> list[Outcome]:
    return _write(session, [_tried(_changed, one) for one in changes])


def create(session: Session, news: Sequence[NewRecord]) -> list[Outcome]:
    return _write(session, [_tried(_created, one) for one in news])


def _tried(make: Callable[[Any], Item], one: Any) -> Item | AdapterError:
    try:
        return make(one)
    except Rejected as refusal:
        return refusal


def _changed(one: RecordChange) -> Item:
    """Raises `Rejected` for what is not written or cannot be, before anything is sent."""
    fields = one.change.fields
    if one.change.contacts:
        raise Rejected(
            f"The portal does not write the contacts of a client that is in {NAME} already. Change them in {NAME}."
        )
    values = changed_values(one.record, fields)
    if not one.record.revision:
        raise Moved(f"It is not known which state of the customer in {NAME} was read last.")
    body = {"Id": one.record.remote_id, "SyncToken": one.record.revision, "sparse": True, **values}
    return Item(
        "update", body, fields.get("name", one.record.name), is_inactive=one.record.state is RecordState.ARCHIVED,
        replaced={name: (getattr(one.record, name), fields[name]) for name in ADDRESSES if name in fields},
    )  # fmt: skip


def _created(one: NewRecord) -> Item:
    return Item("create", new_customer(one.record), one.record.name, one.key)


def _write(session: Session, items: Sequence[Item | AdapterError]) -> list[Outcome]:
    """What was refused here already keeps its place; the rest goes out in one call."""
    sent = [item for item in items if isinstance(item, Item)]
    came = iter(_send(session, sent))
    return [next(came) if isinstance(item, Item) else item for item in items]


def _send(session: Session, items: list[Item]) -> list[Outcome]:
    came = sending.send(session, [Parcel(one.operation, "Customer", one.body, one.request_id) for one in items])
    outcomes = [_of(session, item, found) for item, found in zip(items, came, strict=True)]
    return [_explained(session, item, outcome) for item, outcome in zip(items, outcomes, strict=True)]


def _of(session: Session, item: Item, found: object) -> Outcome:
    if isinstance(found, Rejected):
        return _refusal(item, found)
    return found if isinstance(found, AdapterError) else _outcome(session, item, found)


def _outcome(session: Session, item: Item, raw: object) -> Outcome:
    """The record as it stands now. An answer without it, or with another one, is no success."""
    try:
        record = reading.customer(raw)
    except (NotUnderstood, BadText) as error:
        return Unknown(
            f"{NAME} gave a customer that cannot be understood; it may or may not have done it.", status=200,
            vendor_text=str(error),
        )  # fmt: skip
    if item.remote_id and record.remote_id != item.remote_id:
        return Unknown(f"{NAME} answered with another customer; it may or may not have done it.", status=200)
    if isinstance(raw, dict) and raw.get("sparse") is True:  # what it leaves out is not empty there
        try:
            record = queries.one_customer(session, record.remote_id)
        except AdapterError as error:
            return Unknown(f"{NAME} did it, but the customer could not be read afterwards.", vendor_text=error.message)
    return _not_taken(item, record) or record


def _not_taken(item: Item, record: ClientRecord) -> Rejected | None:
    """Parts of an old address that stayed beside the new one's, which the vendor's pages leave possible."""
    for name, (was, wanted) in item.replaced.items():
        there: Address = getattr(record, name)
        if address_stayed(was, wanted, there):
            reads = ", ".join(there.lines()).replace("\n", ", ")
            return Rejected(
                f"{NAME} did not take the {name.replace('_', ' ')} as it was sent: it reads {reads} there now. "
                f"Correct it in {NAME}.", status=200,
            )  # fmt: skip
    return None


def _refusal(item: Item, refusal: Rejected) -> AdapterError:
    """What a refusal means for this item, where that is more than it says."""
    if item.is_inactive and isinstance(refusal, NotThere):  # the vendor calls inactive ones deleted, too
        return Rejected(
            f"This customer is inactive in {NAME}, which lets nobody change it until it is made active there.",
            status=refusal.status, vendor_text=refusal.vendor_text,
        )  # fmt: skip
    # For a creation there is no record yet that could be gone: something it names is.
    if item.operation == "create" and isinstance(refusal, NotThere):
        text = refusal.vendor_text or "it gave no reason"
        return Rejected(f"{NAME} refused: {text}", status=refusal.status, vendor_text=refusal.vendor_text)
    return refusal


def _explained(session: Session, item: Item, outcome: Outcome) -> Outcome:
    """A taken name, with who has it there: customers, suppliers and employees share one list of names."""
    if not isinstance(outcome, NameTaken):
        return outcome
    told: dict[str, Any] = {"status": outcome.status, "vendor_text": outcome.vendor_text}
    try:
        found = [one for one in queries.named_customers(session, item.name) if one.remote_id != item.remote_id]
        holder = "" if found else queries.holder_of(session, item.name)
    except AdapterError:
        return outcome  # only the explanation is missing; what became of the others must not be lost for it
    if found:
        hint = outcome.holder_id if outcome.holder_id in {one.remote_id for one in found} else found[0].remote_id
        state = "An inactive customer" if found[0].state is RecordState.ARCHIVED else "A customer"
        return NameTaken(f"{state} in {NAME} has the name {found[0].name} already.", holder_id=hint, **told)
    if holder:
        # Whoever the vendor hints at is no customer, so there is nobody to link.
        words = f"{holder[0].upper()}{holder[1:]} in {NAME} has the name {item.name} already. {NAME} wants every"
        return NameTaken(f"{words} name once: give the client another one here, or change the other one there.", **told)
    return outcome
