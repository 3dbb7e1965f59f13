"""Ways to get two invoices into a ledger, to lose one, or to tell something untrue. None of them works.

Each story was found by reading the code as somebody who wants it to fail; payments are in `test_delivering_twice_paid`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from portal import deliveries as shell
from portal.adapters.base import Rejected, UnexpectedReply
from portal.adapters.ledger import InvoiceRefused
from portal.db import db
from portal.domain import deliveries, invoices
from portal.domain.deliveries import Delivery, DeliveryAttempt, DeliveryState
from portal.domain.ledgers import LedgerSettings
from portal.domain.records import Cause
from tests.cast_deliveries import told_of
from tests.pretend_app import PRIYA
from tests.pretend_ledger import LedgerAccount
from tests.scenarios.loose_ledgers import (
    asked_of,
    books_like,
    forgetful,
    forgotten,
    invoice_of,
    later,
    now,
    numbered,
    row,
)

DAY = date(2026, 11, 3)


@pytest.fixture
def strict(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Refuses used numbers, cannot be asked for a sign, and forgets keys at once."""
    return forgetful(monkeypatch, refuses_used_numbers=True)


@pytest.fixture
def loose(database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> LedgerAccount:
    """Protects nothing, and finds by number only."""
    return forgetful(monkeypatch)


def test_restored_and_numbered_otherwise_each_is_adopted_under_the_number_it_has_there(
    strict: LedgerAccount, clock: Any
) -> None:
    """Fault row 10: billed again in another order, an invoice would go out a second time under a free number."""
    asked = asked_of(strict, 3)
    shell.deliver_due(now())
    assert strict.app.numbers() == ["INV-0001", "INV-0002", "INV-0003"]
    forgotten(asked)
    numbered(asked, ["INV-0002", "INV-0009", "INV-0001"])
    settings = db.session.get_one(LedgerSettings, strict.connection_id)
    settings.invoices_read_at = settings.invoices_cursor = now() - timedelta(hours=20)
    db.session.commit()
    shell.deliver_due(now())
    assert strict.app.calls.count("invoices") == 1  # the first time
    assert strict.app.numbers() == ["INV-0001", "INV-0002", "INV-0003"]
    assert [row(one).state for one in asked] == [DeliveryState.DELIVERED] * 3
    assert [row(one).remote_number for one in asked] == ["INV-0001", "INV-0002", "INV-0003"]
    told = told_of(invoice_of(asked[1]))
    assert "Ledger shows the invoice differently: its number is INV-0002, ours INV-0009" in told
    assert any("found in Ledger" in line for line in told)


def test_restored_where_the_same_sign_is_the_same_invoice_nothing_is_written_over(
    database: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault row 10: what somebody changed there since the backup stays as they left it."""
    books = books_like(monkeypatch, writes_by_mark=True)
    (asked,) = asked_of(books)
    shell.deliver_due(now())
    forgotten([asked])
    (there,) = books.app.invoices.values()
    books.app.invoices[there.remote_id] = replace(there, total=Decimal("99.00"))
    settings = db.session.get_one(LedgerSettings, books.connection_id)
    settings.invoices_read_at = settings.invoices_cursor = now() - timedelta(hours=20)
    db.session.commit()
    shell.deliver_due(now())
    assert books.app.calls.count("invoices") == 1  # the first time
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert "Ledger shows the invoice differently: its total is NZD 99.00, ours NZD 115.00" in told_of(invoice_of(asked))


def test_after_an_ordinary_pause_the_ledger_is_not_read_first(strict: LedgerAccount, clock: Any) -> None:
    asked_of(strict)
    settings = db.session.get_one(LedgerSettings, strict.connection_id)
    settings.invoices_read_at = now() - timedelta(minutes=20)
    db.session.commit()
    shell.deliver_due(now())
    assert strict.app.calls == ["invoices"]


def test_renumbered_after_a_lost_answer_it_is_still_found_under_its_old_number(
    loose: LedgerAccount, clock: Any
) -> None:
    """Fault row 94 after row 16: the look-up that lags shows somebody else's under our number, and ours not yet."""
    theirs = loose.app.put_invoice("INV-0001")
    (asked,) = asked_of(loose)
    create = loose.app.find_invoices
    loose.app.find_invoices = lambda *_what: []  # type: ignore[method-assign]  # nothing is there yet, it says
    loose.app.unseen_for = timedelta(seconds=60)
    loose.app.lose("invoices")
    shell.deliver_due(now())
    loose.app.find_invoices = create  # type: ignore[method-assign]  # as it was
    later(clock, seconds=15)
    assert row(asked).state == DeliveryState.UNKNOWN  # one look proves nothing, whoever has the number
    with pytest.raises(ValueError, match="may have reached the ledger"):
        invoices.rename_number(invoice_of(asked), by=PRIYA, now=now(), reason="taken")
    db.session.rollback()
    later(clock, seconds=95)
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert len(loose.app.invoices) == 2
    assert loose.app.invoices[theirs.remote_id] == theirs


def test_a_look_after_renumbering_asks_for_the_earlier_number_too(loose: LedgerAccount, clock: Any) -> None:
    """Refused for its number, renumbered by a person; what the refused call did all the same is found."""
    (asked,) = asked_of(loose)
    create = loose.app.create_invoices

    def done_and_refused(session: Any, outs: Any) -> Any:
        create(session, outs)
        return [InvoiceRefused("The number is used.", cause=Cause.OTHER)]

    loose.app.create_invoices = done_and_refused  # type: ignore[method-assign]  # a stand-in
    shell.deliver_due(now())
    loose.app.create_invoices = create  # type: ignore[method-assign]  # as it was
    assert row(asked).state == DeliveryState.FAILED
    invoices.rename_number(invoice_of(asked), by=PRIYA, now=now(), reason="taken", number="INV-0500")
    deliveries.try_again(row(asked), by=PRIYA, now=now())
    db.session.commit()
    shell.deliver_due(now())
    assert (row(asked).state, row(asked).adopted) == (DeliveryState.DELIVERED, True)
    assert loose.app.numbers() == ["INV-0001"]


def test_two_answers_with_one_record_are_not_believed_and_cost_the_others_nothing(
    loose: LedgerAccount, clock: Any
) -> None:
    asked = asked_of(loose, 4)
    create = loose.app.create_invoices

    def muddled(session: Any, outs: Any) -> Any:
        answers = create(session, outs)
        return [answers[0], answers[1], answers[1], answers[3]]

    loose.app.create_invoices = muddled  # type: ignore[method-assign]  # a stand-in
    shell.deliver_due(now())
    assert [row(one).state for one in asked] == [
        DeliveryState.DELIVERED, DeliveryState.UNKNOWN, DeliveryState.UNKNOWN, DeliveryState.DELIVERED,
    ]  # fmt: skip
    later(clock, minutes=1)
    assert [row(one).state for one in asked] == [DeliveryState.DELIVERED] * 4
    assert len({row(one).remote_id for one in asked}) == 4
    assert len(loose.app.invoices) == 4
    steps = [one.ended_at for one in db.session.scalars(select(DeliveryAttempt))]
    assert None not in steps  # no call is said to have had no answer that had one


def test_a_call_that_was_done_and_refused_as_a_whole_is_not_done_again_in_halves(
    loose: LedgerAccount, clock: Any
) -> None:
    asked = asked_of(loose, 6)
    create = loose.app.create_invoices

    def done_and_refused(session: Any, outs: Any) -> Any:
        answers = create(session, outs)
        if len(outs) > 3:
            raise Rejected("Something in it cannot be read.")
        return answers

    loose.app.create_invoices = done_and_refused  # type: ignore[method-assign]  # a stand-in
    shell.deliver_due(now())
    assert [row(one).state for one in asked] == [DeliveryState.DELIVERED] * 6
    assert len(loose.app.invoices) == 6


def test_pressed_while_it_is_being_sent_nothing_of_the_sending_is_forgotten(loose: LedgerAccount, clock: Any) -> None:
    """Two people press; the second one's page is old. Then the process dies, and its call must still be looked for."""
    (asked,) = asked_of(loose)
    db.session.execute(update(Delivery).values(state=DeliveryState.FAILED, reason="no", next_at=None))
    db.session.commit()
    old = row(asked)
    assert old.state == DeliveryState.FAILED
    db.session.execute(  # the first press is under way already, and this session does not know
        update(Delivery)
        .values(
            state=DeliveryState.SENDING, lease_by="gone:1:x/deliver/1/1", lease_until=now() + timedelta(minutes=5),
            sent_at=now(), attempts=1, next_at=now(),
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    deliveries.try_again(old, by=PRIYA, now=now())
    db.session.commit()
    assert row(asked).state == DeliveryState.SENDING


def test_an_invoice_that_cannot_be_understood_there_keeps_nobody_else_waiting(
    loose: LedgerAccount, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_of(loose, 5)
    find = loose.app.find_invoices

    def stumbles(session: Any, numbers: Any, marks: Any) -> Any:
        if "INV-0003" in numbers:
            raise UnexpectedReply("Ledger holds an invoice INV-0003 that cannot be understood.")
        return find(session, numbers, marks)

    monkeypatch.setattr(loose.app, "find_invoices", stumbles)
    shell.deliver_due(now())
    states = [row(one).state for one in asked]
    assert states.count(DeliveryState.DELIVERED) == 4
    assert (states[2], row(asked[2]).reason) == (
        DeliveryState.FAILED, "Ledger holds an invoice INV-0003 that cannot be understood.",
    )  # fmt: skip
    assert "INV-0003" not in loose.app.numbers()


def test_what_somebody_has_in_hand_keeps_its_number(loose: LedgerAccount) -> None:
    """Renumbered between being packed and being sent, it would stand there under a number nobody here knows."""
    (asked,) = asked_of(loose)
    db.session.execute(update(Delivery).values(lease_by="x:1:y/deliver/1/1", lease_until=now() + timedelta(minutes=4)))
    db.session.commit()
    with pytest.raises(ValueError, match="may have reached the ledger"):
        invoices.rename_number(invoice_of(asked), by=PRIYA, now=now(), reason="taken")
