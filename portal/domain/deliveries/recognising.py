"""Is what the ledger shows the thing we sent? PURE.

Our mark decides. Where the ledger shows none, the same number for the same customer, day and amount is the same invoice
(a portal restored from a backup finds today's so, and a person may have typed it in: IN-14). Anything else under our
number is somebody else's, and is never touched (fault row 94).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from portal.domain import money
from portal.domain.records import InvoiceOut, InvoiceState, LedgerInvoice, LedgerPayment, PaymentOut


@dataclass(frozen=True)
class Recognised:
    """`ours` is what we sent, `other` somebody else's invoice under our number; both None: nothing is there.

    `extra`: more of ours than the one, which must never be.
    """

    ours: LedgerInvoice | None = None
    other: LedgerInvoice | None = None
    by_mark: bool = False
    extra: tuple[LedgerInvoice, ...] = ()


GONE = (InvoiceState.VOIDED, InvoiceState.DELETED)


def recognise(sent: InvoiceOut, found: Iterable[LedgerInvoice], earlier: Collection[str] = ()) -> Recognised:
    """Among these, ours. `earlier`: numbers it had when it was sent before."""
    numbers = {sent.number, *earlier}
    by_id = {one.remote_id: one for one in found if one.mark == sent.mark or one.number in numbers}
    marked = sorted((one for one in by_id.values() if one.mark == sent.mark), key=_standing)
    if marked:
        return Recognised(marked[0], by_mark=True, extra=tuple(marked[1:]))
    same = [one for one in sorted(by_id.values(), key=_standing) if not one.mark and is_same(sent, one)]
    if same:
        return Recognised(same[0], extra=tuple(same[1:]))
    numbered = sorted((one for one in by_id.values() if one.number == sent.number), key=_standing)
    return Recognised(other=next((one for one in numbered if one.state not in GONE), None))


def is_same(sent: InvoiceOut, one: LedgerInvoice) -> bool:
    """Whether an unmarked invoice of our number says what ours says."""
    return (
        one.customer_id == sent.customer_id and one.total == sent.total and one.issued_on == sent.issued_on
        and (not one.currency or one.currency == sent.currency)
    )  # fmt: skip


def _standing(one: LedgerInvoice) -> tuple[bool, str]:
    return one.state in GONE, one.remote_id


def differences(sent: InvoiceOut, one: LedgerInvoice) -> str:
    """How the ledger's invoice differs from ours, in words; empty: it does not."""
    there, said = one.currency or sent.currency, []
    if one.total != sent.total:
        said.append(f"its total is {money.said(one.total, there)}, ours {money.said(sent.total, sent.currency)}")
    elif one.tax is not None and one.tax != sent.tax:
        said.append(f"its tax is {money.said(one.tax, there)}, ours {money.said(sent.tax, sent.currency)}")
    if one.number != sent.number:
        said.append(f"its number is {one.number or 'empty'}, ours {sent.number}")
    if one.currency and one.currency != sent.currency:
        said.append(f"its currency is {one.currency}, ours {sent.currency}")
    if one.state in GONE:
        said.append(f"it is {one.state.value} there")
    return "; ".join(said)


def recognise_payment(sent: PaymentOut, found: Iterable[LedgerPayment], known: set[str]) -> LedgerPayment | None:
    """Our payment among those on the invoice. `known`: ids that are other payments of ours.

    Without a mark, the same amount on the same day with the same reference is the same payment.
    """
    free = [one for one in found if one.remote_id not in known and not one.is_void]
    marked = next((one for one in free if one.mark and one.mark == sent.mark), None)
    same = next(
        (
            one for one in free
            if not one.mark and one.amount == sent.amount and one.paid_on == sent.paid_on
            and (not one.reference or one.reference == sent.reference)
        ),
        None,
    )  # fmt: skip
    return marked or same
